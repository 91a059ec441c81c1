#include "update/rollout/agents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_S 60 /* between words where nothing is wanted */
#define BUSY_S 5

enum want { WANT_NOTHING, WANT_FILE, WANT_BACK, WANT_KEPT };

struct device {
	struct device *next;
	char name[64];
	enum want want;
	struct agents_file file;
	enum agents_stand stand;
	bool tried; /* it was told to, since this is wanted: a failure before was another's */
	struct talk_report last;
	int64_t when; /* 0: it never spoke */
};

struct agents {
	struct device *list;
};

struct agents *agents_new(void)
{
	return calloc(1, sizeof(struct agents));
}

void agents_free(struct agents *a)
{
	while (a && a->list) {
		struct device *d = a->list;

		a->list = d->next;
		free(d);
	}
	free(a);
}

static struct device *find(const struct agents *a, const char *name)
{
	for (struct device *d = a->list; d; d = d->next)
		if (strcmp(d->name, name) == 0)
			return d;
	return NULL;
}

static struct device *find_or_add(struct agents *a, const char *name)
{
	struct device *d = find(a, name);

	if (d || strlen(name) >= sizeof(d->name))
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	snprintf(d->name, sizeof(d->name), "%s", name);
	d->next = a->list;
	a->list = d;
	return d;
}

/* --- what is wanted --------------------------------------------------------------- */

static int want(struct agents *a, const char *name, enum want what, const struct agents_file *f)
{
	struct device *d = find_or_add(a, name);

	if (!d)
		return -ENOMEM;
	if (d->want == what && memcmp(&d->file, f, sizeof(*f)) == 0)
		return 0;
	d->want = what;
	d->tried = false;
	d->file = *f;
	d->stand = AGENTS_AT_IT;
	return 0;
}

static int want_of_trial(struct agents *a, const char *name, enum want what, const char *target)
{
	struct agents_file f = {.length = 0};

	snprintf(f.target, sizeof(f.target), "%s", target);
	return want(a, name, what, &f);
}

int agents_want(struct agents *a, const char *device, const struct agents_file *f)
{
	return want(a, device, WANT_FILE, f);
}

int agents_want_back(struct agents *a, const char *device, const char *target)
{
	return want_of_trial(a, device, WANT_BACK, target);
}

int agents_want_kept(struct agents *a, const char *device, const char *target)
{
	return want_of_trial(a, device, WANT_KEPT, target);
}

void agents_want_nothing(struct agents *a, const char *device)
{
	struct device *d = find(a, device);

	if (d)
		d->want = WANT_NOTHING;
}

/* --- what is answered ----------------------------------------------------------------- */

static void wait(struct talk_order *o, uint32_t seconds)
{
	*o = (struct talk_order){.what = TALK_WAIT, .seconds = seconds};
}

static void name_file(const struct device *d, enum talk_do what, struct talk_order *o)
{
	*o = (struct talk_order){.what = what, .length = d->file.length};
	memcpy(o->target, d->file.target, sizeof(o->target));
	memcpy(o->version, d->file.version, sizeof(o->version));
	memcpy(o->sha256, d->file.sha256, sizeof(o->sha256));
}

static void give_bytes(const struct device *d, const struct talk_report *r, struct talk_order *o)
{
	uint64_t rest = d->file.length - r->from;

	name_file(d, TALK_BYTES, o);
	o->length = rest < TALK_PIECE ? rest : TALK_PIECE;
}

static void answer_file(struct device *d, const struct talk_report *r, struct talk_order *o)
{
	bool same = strcmp(r->target, d->file.target) == 0;

	/* After it refused, what is wanted stays refused until something else is. */
	if (d->stand == AGENTS_REFUSED) {
		wait(o, IDLE_S);
	} else if (r->asks && same && r->from < d->file.length) {
		give_bytes(d, r, o);
	} else if (same && r->state == TALK_TRIAL) {
		d->stand = AGENTS_DONE;
		wait(o, BUSY_S);
	} else if (r->state == TALK_TRIAL) {
		/* Another is on trial: one thing at a time. */
		wait(o, BUSY_S);
	} else if (same && r->state == TALK_RECEIVED) {
		d->tried = true;
		name_file(d, TALK_INSTALL, o);
	} else if (same && r->state == TALK_FAILED && d->tried) {
		d->stand = AGENTS_REFUSED;
		wait(o, IDLE_S);
	} else {
		d->tried = true;
		name_file(d, TALK_GET, o);
	}
}

/* What ends a trial ends that of this very file: another that came meanwhile is not judged yet. */
static void answer_trial(const struct device *d, enum talk_do what, const struct talk_report *r,
			 struct talk_order *o)
{
	if (r->state == TALK_TRIAL && strcmp(r->target, d->file.target) == 0)
		name_file(d, what, o);
	else
		wait(o, what == TALK_BACK || r->state == TALK_TRIAL ? BUSY_S : IDLE_S);
}

int agents_report(struct agents *a, const char *device, const struct talk_report *r, int64_t now,
		  struct talk_order *ret_order)
{
	struct device *d = find_or_add(a, device);

	if (!d)
		return -ENOMEM;
	switch (d->want) {
	case WANT_FILE:
		answer_file(d, r, ret_order);
		break;
	case WANT_BACK:
		answer_trial(d, TALK_BACK, r, ret_order);
		break;
	case WANT_KEPT:
		answer_trial(d, TALK_KEEP, r, ret_order);
		break;
	case WANT_NOTHING:
		wait(ret_order, IDLE_S);
		break;
	}
	d->last = *r;
	d->when = now;
	return 0;
}

enum agents_stand agents_stand(const struct agents *a, const char *device, char ret_text[TALK_TEXT])
{
	const struct device *d = find(a, device);

	*ret_text = 0;
	if (!d)
		return AGENTS_AT_IT;
	if (d->stand == AGENTS_REFUSED)
		memcpy(ret_text, d->last.text, TALK_TEXT);
	return d->stand;
}

const struct talk_report *agents_last(const struct agents *a, const char *device, int64_t *ret_when)
{
	const struct device *d = find(a, device);

	if (!d || !d->when)
		return NULL;
	*ret_when = d->when;
	return &d->last;
}
