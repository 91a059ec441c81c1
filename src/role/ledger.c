#include "role/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "keep/eve.h"
#include "keep/pcaps.h"
#include "keep/person.h"
#include "keep/store.h"
#include "role/deposit.h"
#include "role/desk.h"
#include "role/serve.h"
#include "role/trail.h"

#define COMMIT_MS    200  /* a batch waits no longer, */
#define LIVE_MS	     50	  /* and where somebody looks on, this long */
#define BATCH_EARLY  4096 /* events that do not wait */
#define RETRY_MS     1000 /* between attempts while nothing can be written */
#define BAD_EVERY_NS (60 * NSEC_PER_SEC)

/* Our own reports go the way of everybody's. */
void keeper_put(struct keeper *k, struct json *j)
{
	size_t len = event_end(j);

	store_put(k->store, (struct bytes){j->out.data, len});
	if (k->eve)
		eve_put(k->eve, (struct bytes){j->out.data, len});
	k->commit_ns = clock_mono_ns();
}

/* An event of the type audit. `user` "": nobody's. */
static void report(struct keeper *k, enum reason why, const char *user, const char *text,
		   uint64_t count)
{
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "audit",
				 .src_port = -1,
				 .dest_port = -1,
				 .reason = why};
	char buf[EVENT_MAX];
	struct json j = event_begin(&e, buf);

	if (count)
		json_u64(&j, "count", count);
	if (text) {
		json_open(&j, "audit");
		if (*user)
			json_str(&j, "user", user);
		json_str(&j, "message", text);
		json_close(&j);
	}
	keeper_put(k, &j);
}

void keeper_report(struct keeper *k, enum reason why, uint64_t count, const char *text)
{
	report(k, why, "", text, count);
}

/* What concerns who may sign in. */
void ledger_staff(void *arg, enum reason why, const char *user, const char *text, uint64_t count)
{
	report(arg, why, user, text, count);
}

/* Something of our own processes was refused: counted always, said once a minute. */
void keeper_refuse(struct keeper *k, const char *who, const char *what)
{
	static uint64_t said_ns;
	static uint64_t said;
	uint64_t now = clock_mono_ns();
	char text[128];

	k->refused++;
	if (said_ns && now - said_ns < BAD_EVERY_NS)
		return;
	snprintf(text, sizeof(text), "%s: %s", who, what);
	log_warn("refused from %s", text);
	keeper_report(k, REASON_GATEWAY_BAD_MESSAGE, k->refused - said, text);
	said_ns = now;
	said = k->refused;
}

void ledger_evidence_lost(struct keeper *k)
{
	struct pcaps_counts n;

	pcaps_counts(k->pcaps, &n);
	if (n.lost == k->evidence_told || k->full_ns)
		return;
	keeper_report(k, REASON_GATEWAY_EVIDENCE_LOST, n.lost - k->evidence_told,
		      n.error ? strerror(-n.error) : NULL);
	k->evidence_told = n.lost;
}

void ledger_evidence(struct keeper *k, unsigned guard, const char *who, struct bytes body)
{
	if (!k->pcaps)
		return; /* it was turned off a moment ago */
	if (pcaps_take(k->pcaps, guard, body, clock_mono_ns(), clock_wall_ns()) < 0)
		keeper_refuse(k, who, "evidence that is none");
}

void ledger_archive(struct keeper *k, unsigned guard, const char *who, struct bytes body)
{
	if (deposit_take(k, guard, body) < 0)
		keeper_refuse(k, who, "something to archive that is none");
}

static void take_line(struct keeper *k, const char *who, struct bytes line)
{
	char *stored = NULL, *told = NULL;
	struct bytes outside = line;
	struct record *r;

	if (person_hide(k->person, line, clock_wall_ns(), &stored, &told)) {
		line = (struct bytes){(uint8_t *)stored, stored ? strlen(stored) : 0};
		if (!k->eve_open)
			outside = (struct bytes){(uint8_t *)told, told ? strlen(told) : 0};
	}
	r = record_parse(line);
	if (r && k->eve && outside.len)
		eve_put(k->eve, outside); /* counts what it has no room for */
	free(stored);
	free(told);
	if (!r && errno == EBADMSG)
		keeper_refuse(k, who, "a line that is no event");
	if (!r)
		return;
	if (r->audit) {
		k->commit_ns = 1; /* at once */
		if (strcmp(who, "parent") == 0)
			trail_fact(k, r);
	}
	store_put_record(k->store, r); /* and so does the store */
}

void keeper_events(struct keeper *k, const char *who, struct bytes body)
{
	while (body.len > 0) {
		const uint8_t *newline = memchr(body.data, '\n', body.len);
		size_t len = newline ? (size_t)(newline - body.data) : body.len;

		if (newline)
			take_line(k, who, (struct bytes){body.data, len});
		else
			keeper_refuse(k, who, "a line without its end");
		len += newline != NULL;
		body = (struct bytes){body.data + len, body.len - len};
	}
	if (!k->commit_ns)
		k->commit_ns =
			clock_mono_ns() +
			(k->desk && desk_live(k->desk) ? LIVE_MS : COMMIT_MS) * NSEC_PER_MSEC;
	if (store_queued(k->store) >= BATCH_EARLY)
		k->commit_ns = 1;
}

/* The first time that writing fails and the first time that it works again are events. */
static void note_disk(struct keeper *k, int err, uint64_t now_ns)
{
	char text[96];

	if (err != 0 && err != -EAGAIN && !k->full_ns) {
		k->full_ns = now_ns;
		log_error("cannot write to %s (%s); events are kept in memory, as far as they fit",
			  k->state_dir, strerror(-err));
		keeper_report(k, REASON_GATEWAY_DISK_FULL, 0, strerror(-err));
	} else if (err == 0 && k->full_ns) {
		snprintf(text, sizeof(text), "after %llu seconds",
			 (unsigned long long)((now_ns - k->full_ns) / NSEC_PER_SEC));
		k->full_ns = 0;
		log_info("%s can be written to again", k->state_dir);
		keeper_report(k, REASON_GATEWAY_DISK_FREED, 0, text);
	}
}

static void note_losses(struct keeper *k)
{
	const char *aside = store_set_aside(k->store);
	uint64_t lost = store_lost(k->store);

	if (aside) {
		log_error("the event database could not be used; it is kept as %s", aside);
		keeper_report(k, REASON_GATEWAY_STORE_BROKEN, 0, aside);
	}
	if (lost > k->lost_told && !k->full_ns) {
		keeper_report(k, REASON_GATEWAY_EVENTS_LOST, lost - k->lost_told, NULL);
		k->lost_told = lost;
	}
}

/* Everything taken so far, durable. 0 or why not. */
int ledger_write(struct keeper *k, uint64_t now_ns)
{
	int err = store_commit(k->store);
	int eve = k->eve ? eve_flush(k->eve) : 0;

	k->commit_ns = k->retry_ns = 0;
	note_disk(k, err ? err : eve, now_ns);
	note_losses(k);
	if (err || eve)
		k->commit_ns = k->retry_ns = now_ns + RETRY_MS * NSEC_PER_MSEC;
	serve_wake(k->serve);
	if (k->desk)
		desk_wake(k, k->desk);
	return err ? err : eve;
}

uint64_t ledger_due(const struct keeper *k)
{
	if (!k->commit_ns)
		return UINT64_MAX;
	return k->commit_ns > k->retry_ns ? k->commit_ns : k->retry_ns;
}
