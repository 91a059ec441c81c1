#include "people/grant/grant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "people/grant/book.h"

#define MINUTE_NS      (60 * NSEC_PER_SEC)
#define ASKED_NS       (60 * MINUTE_NS)	   /* then a request is forgotten */
#define STORE_EVERY_NS (10 * NSEC_PER_SEC) /* while a door is open */
#define NAG_EVERY_NS   (24 * 60 * MINUTE_NS)
#define BACK_NS	       (60 * NSEC_PER_SEC) /* a wall clock may be adjusted by so much */
#define INVITE_MINUTES (30 * 24 * 60)
#define GRANT_MINUTES  720

struct grants *grants_new(void)
{
	return calloc(1, sizeof(struct grants));
}

void grants_free(struct grants *g)
{
	free(g);
}

/* ---- texts ---- */

static bool fits(const char *text, size_t min, size_t size)
{
	size_t len = text ? strlen(text) : 0;

	return text && len >= min && len < size;
}

static void put(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

#define PUT(to, text) put(to, sizeof(to), text)

/* ---- the book ---- */

static struct grant *find(struct grants *g, uint32_t id)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->list[i].id == id)
			return &g->list[i];
	return NULL;
}

const struct grant *grants_find(const struct grants *g, uint32_t id)
{
	return find((struct grants *)(uintptr_t)g, id);
}

unsigned grants_count(const struct grants *g)
{
	return g->count;
}

const struct grant *grants_at(const struct grants *g, unsigned i)
{
	return i < g->count ? &g->list[i] : NULL;
}

unsigned grants_invitations(const struct grants *g)
{
	return g->invitation_count;
}

const struct invitation *grants_invitation(const struct grants *g, unsigned i)
{
	return i < g->invitation_count ? &g->invitations[i] : NULL;
}

bool grant_to_review(const struct grant *g)
{
	return g->break_glass && g->opened_ns && !*g->reviewed_by;
}

static bool is_over(const struct grant *g)
{
	return (g->state == GRANT_DENIED || g->state == GRANT_ENDED) && !grant_to_review(g);
}

static void forget(struct grants *g, unsigned i)
{
	memmove(&g->list[i], &g->list[i + 1], (g->count - i - 1) * sizeof(*g->list));
	g->count--;
}

/* The oldest that is over makes room. NULL: none is. */
static struct grant *add(struct grants *g)
{
	for (unsigned i = 0; i < g->count && g->count == GRANTS_MAX; i++)
		if (is_over(&g->list[i]))
			forget(g, i);
	if (g->count == GRANTS_MAX)
		return NULL;
	g->list[g->count] = (struct grant){.id = ++g->last_id};
	return &g->list[g->count++];
}

void grants_restore(struct grants *g, uint32_t id, const struct grant *was)
{
	struct grant *now = find(g, id);

	if (now && was->id)
		*now = *was;
	else if (now)
		forget(g, (unsigned)(now - g->list));
}

/* ---- time ---- */

static uint64_t until(uint64_t end, uint64_t now)
{
	return end > now ? end - now : 0;
}

uint64_t grant_left(const struct grant *g, const struct grant_clock *now)
{
	uint64_t wall = until(g->until_ns, now->wall_ns), boot;

	if (g->state != GRANT_OPEN || strcmp(g->boot_id, now->boot_id) != 0)
		return 0;
	boot = until(g->until_boot_ns, now->boot_ns);
	return wall < boot ? wall : boot;
}

static void begin(struct grant *g, const struct grant_clock *now, uint64_t most_ns)
{
	uint64_t ns = g->minutes * MINUTE_NS;

	if (ns > most_ns)
		ns = most_ns;
	g->state = GRANT_OPEN;
	g->opened_ns = now->wall_ns;
	g->until_ns = now->wall_ns + ns;
	g->until_boot_ns = now->boot_ns + ns;
	PUT(g->boot_id, now->boot_id);
	g->left_ns = ns;
	g->seen_ns = now->wall_ns;
}

static void end(struct grant *g, enum grant_state state, const char *by, const char *why,
		const struct grant_clock *now)
{
	g->state = state;
	g->ended_ns = now->wall_ns;
	g->left_ns = 0;
	PUT(g->ended_by, by);
	PUT(g->why_ended, why);
}

/* The machine was started anew meanwhile. False: nobody can tell how long ago. */
static bool resume(struct grant *g, const struct grant_clock *now)
{
	/* The book may be older than the machine's end by as much as it is stored apart. */
	uint64_t wall = until(g->until_ns, now->wall_ns), left = until(g->left_ns, STORE_EVERY_NS);

	if (now->wall_ns + BACK_NS < g->seen_ns)
		return false;
	if (wall < left)
		left = wall;
	g->until_boot_ns = now->boot_ns + left;
	PUT(g->boot_id, now->boot_id);
	return true;
}

static bool tick_one(struct grant *g, const struct grant_clock *now, grant_changed_fn fn, void *arg)
{
	if (g->state == GRANT_ASKED && now->wall_ns > g->asked_ns + ASKED_NS) {
		end(g, GRANT_DENIED, "", "nobody answered within an hour", now);
		fn(arg, g, GRANT_ASK_OVER);
		return true;
	}
	if (g->state != GRANT_OPEN)
		return false;
	if (strcmp(g->boot_id, now->boot_id) != 0 && !resume(g, now)) {
		end(g, GRANT_ENDED, "", "the clock went back while the machine was off", now);
		fn(arg, g, GRANT_CLOCK_UNSURE);
		return true;
	}
	g->left_ns = grant_left(g, now);
	if (now->wall_ns > g->seen_ns)
		g->seen_ns = now->wall_ns;
	if (g->left_ns)
		return false;
	end(g, GRANT_ENDED, "", "its time was over", now);
	fn(arg, g, GRANT_TIME_OVER);
	return true;
}

/* Once a day, from the day it was over. */
static bool nag_one(struct grant *g, const struct grant_clock *now, grant_changed_fn fn, void *arg)
{
	uint64_t last = g->nagged_ns ? g->nagged_ns : g->opened_ns;

	if (!grant_to_review(g) || g->state == GRANT_OPEN)
		return false;
	/* A clock that went back must not silence it. */
	if (now->wall_ns >= last && now->wall_ns < last + NAG_EVERY_NS && g->nagged_ns)
		return false;
	g->nagged_ns = now->wall_ns;
	fn(arg, g, GRANT_REVIEW_DUE);
	return true;
}

bool grants_tick(struct grants *g, const struct grant_clock *now, grant_changed_fn fn, void *arg)
{
	bool changed = false, open = false;

	for (unsigned i = 0; i < g->count; i++) {
		changed |= tick_one(&g->list[i], now, fn, arg);
		changed |= nag_one(&g->list[i], now, fn, arg);
		open |= g->list[i].state == GRANT_OPEN;
	}
	if (open && (now->boot_ns < g->stored_ns || now->boot_ns - g->stored_ns >= STORE_EVERY_NS))
		changed = true;
	if (changed)
		g->stored_ns = now->boot_ns;
	return changed;
}

uint64_t grants_due(const struct grants *g, const struct grant_clock *now)
{
	uint64_t due = UINT64_MAX;

	for (unsigned i = 0; i < g->count; i++) {
		const struct grant *x = &g->list[i];
		/* The wall may be set at any moment. */
		uint64_t at = x->state == GRANT_OPEN			      ? NSEC_PER_SEC
			      : x->state == GRANT_ASKED || grant_to_review(x) ? MINUTE_NS
									      : UINT64_MAX;
		uint64_t left = grant_left(x, now);

		if (x->state == GRANT_OPEN && left < at)
			at = left;
		if (at != UINT64_MAX && now->boot_ns + at < due)
			due = now->boot_ns + at;
	}
	return due;
}

/* ---- what people do ---- */

/* The vendor's invitation to the device that lasts longest; NULL none. */
static const struct invitation *invited(const struct grants *g, const char *person,
					const char *device, uint64_t wall_ns)
{
	const struct invitation *best = NULL;

	for (unsigned i = 0; i < g->invitation_count; i++) {
		const struct invitation *v = &g->invitations[i];

		if (v->withdrawn || v->until_ns <= wall_ns || v->made_ns > wall_ns + BACK_NS ||
		    strcmp(v->person, person) != 0)
			continue;
		for (unsigned d = 0; d < v->device_count; d++)
			if (strcmp(v->devices[d], device) == 0 &&
			    (!best || v->until_ns > best->until_ns))
				best = v;
	}
	return best;
}

static const struct invitation *invitation(const struct grants *g, uint32_t id)
{
	for (unsigned i = 0; id && i < g->invitation_count; i++)
		if (g->invitations[i].id == id)
			return &g->invitations[i];
	return NULL;
}

/* How long a grant may last at most for its invitation's sake. */
static uint64_t most(const struct grants *g, const struct grant *x, const struct grant_clock *now)
{
	const struct invitation *v = invitation(g, x->invitation);

	if (!x->invitation)
		return UINT64_MAX;
	return v && !v->withdrawn ? until(v->until_ns, now->wall_ns) : 0;
}

static bool sound(const struct grant_ask *a)
{
	return fits(a->person, 1, GRANT_NAME) && fits(a->role, 1, GRANT_NAME) &&
	       fits(a->device, 1, GRANT_NAME) && fits(a->service, 1, GRANT_NAME) &&
	       fits(a->source, 1, 48) && fits(a->mac, 3, 18) &&
	       fits(a->reason, GRANT_REASON_MIN, GRANT_REASON + 1) && a->minutes >= 1 &&
	       a->minutes <= GRANT_MINUTES;
}

static const struct grant *same(const struct grants *g, const struct grant_ask *a)
{
	for (unsigned i = 0; i < g->count; i++) {
		const struct grant *x = &g->list[i];

		if ((x->state == GRANT_OPEN || (x->state == GRANT_ASKED && !a->break_glass)) &&
		    strcmp(x->person, a->person) == 0 && strcmp(x->device, a->device) == 0 &&
		    strcmp(x->service, a->service) == 0 && strcmp(x->source, a->source) == 0)
			return x;
	}
	return NULL;
}

int grants_ask(struct grants *g, const struct grant_ask *a, const struct grant_clock *now,
	       uint32_t *ret_id)
{
	const struct invitation *v = NULL;
	const struct grant *twin;
	struct grant *x;

	if (!sound(a))
		return -EINVAL;
	if (a->vendor && !(v = invited(g, a->person, a->device, now->wall_ns)))
		return -EACCES;
	twin = same(g, a);
	if (twin) {
		*ret_id = twin->id;
		return -EEXIST;
	}
	x = add(g);
	if (!x)
		return -ENOSPC;
	PUT(x->person, a->person);
	PUT(x->role, a->role);
	PUT(x->device, a->device);
	PUT(x->service, a->service);
	PUT(x->source, a->source);
	PUT(x->mac, a->mac);
	PUT(x->reason, a->reason);
	PUT(x->certificate, a->certificate ? a->certificate : "");
	x->minutes = a->minutes;
	x->record = a->record;
	x->break_glass = a->break_glass;
	x->invitation = v ? v->id : 0;
	x->asked_ns = now->wall_ns;
	if (a->alone || a->break_glass)
		begin(x, now, most(g, x, now));
	*ret_id = x->id;
	return 0;
}

int grants_approve(struct grants *g, uint32_t id, const char *by, const struct grant_clock *now)
{
	struct grant *x = find(g, id);

	if (!x)
		return -ENOENT;
	if (x->state != GRANT_ASKED || most(g, x, now) == 0)
		return -EALREADY;
	if (strcmp(x->person, by) == 0)
		return -EPERM;
	PUT(x->decided_by, by);
	begin(x, now, most(g, x, now));
	return 0;
}

int grants_deny(struct grants *g, uint32_t id, const char *by, const char *why,
		const struct grant_clock *now)
{
	struct grant *x = find(g, id);

	if (!x)
		return -ENOENT;
	if (x->state != GRANT_ASKED)
		return -EALREADY;
	PUT(x->decided_by, by);
	end(x, GRANT_DENIED, by, why, now);
	return 0;
}

int grants_revoke(struct grants *g, uint32_t id, const char *by, const char *why,
		  const struct grant_clock *now)
{
	struct grant *x = find(g, id);

	if (!x)
		return -ENOENT;
	if (x->state != GRANT_OPEN && x->state != GRANT_ASKED)
		return -EALREADY;
	end(x, GRANT_ENDED, by, why, now);
	return 0;
}

int grants_review(struct grants *g, uint32_t id, const char *by, const char *text)
{
	struct grant *x = find(g, id);

	if (!x)
		return -ENOENT;
	if (!fits(text, GRANT_REASON_MIN, GRANT_REASON + 1))
		return -EINVAL;
	if (!grant_to_review(x))
		return -EALREADY;
	if (x->state == GRANT_OPEN)
		return -EBUSY;
	if (strcmp(x->person, by) == 0)
		return -EPERM;
	PUT(x->reviewed_by, by);
	PUT(x->review, text);
	return 0;
}

int grants_invite(struct grants *g, const struct invitation *i, uint32_t minutes,
		  const struct grant_clock *now, uint32_t *ret_id)
{
	struct invitation *v;

	if (!fits(i->person, 1, GRANT_NAME) || !fits(i->by, 1, GRANT_NAME) ||
	    !fits(i->reason, GRANT_REASON_MIN, GRANT_REASON + 1) || !i->device_count ||
	    i->device_count > GRANT_DEVICES || minutes < 1 || minutes > INVITE_MINUTES)
		return -EINVAL;
	for (unsigned n = 0; n < g->invitation_count && g->invitation_count == INVITATIONS_MAX; n++)
		if (g->invitations[n].withdrawn || g->invitations[n].until_ns <= now->wall_ns) {
			memmove(&g->invitations[n], &g->invitations[n + 1],
				(g->invitation_count - n - 1) * sizeof(*g->invitations));
			g->invitation_count--;
		}
	if (g->invitation_count == INVITATIONS_MAX)
		return -ENOSPC;
	v = &g->invitations[g->invitation_count++];
	*v = *i;
	v->id = ++g->last_id;
	v->made_ns = now->wall_ns;
	v->until_ns = now->wall_ns + minutes * MINUTE_NS;
	v->withdrawn = false;
	*ret_id = v->id;
	return 0;
}

int grants_withdraw(struct grants *g, uint32_t id, const char *by, const struct grant_clock *now)
{
	struct invitation *v = (struct invitation *)(uintptr_t)invitation(g, id);

	if (!v)
		return -ENOENT;
	if (v->withdrawn)
		return -EALREADY;
	v->withdrawn = true;
	for (unsigned i = 0; i < g->count; i++)
		if (g->list[i].invitation == id)
			(void)grants_revoke(g, g->list[i].id, by, "the invitation was withdrawn",
					    now);
	return 0;
}
