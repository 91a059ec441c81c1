#include "guard/announced.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "guard/policy/data.h"

/* That a door waits for whoever it was announced to. At a grant somebody sits; a device on its own may
 * first make room for what it is to fetch. */
#define ALONE_GRANT_NS (10 * NSEC_PER_SEC)
#define ALONE_RULE_NS  (30 * NSEC_PER_SEC)

static bool is_ruled(uint32_t id)
{
	return id & GATE_GRANT_RULE;
}

/* The grant's door that another between the same two ends, for data, may stand beside. */
static const struct gate_grant_row *grant_of(const struct announced_law *law,
					     const struct gate_grant_key *key, uint32_t id)
{
	for (uint32_t i = 0; i < law->grant_count; i++) {
		const struct gate_grant_row *r = &law->grants[i];

		if (r->grant.id == id && (r->grant.flags & GATE_GRANT_DATA) &&
		    r->key.segment == key->segment && r->key.proto == key->proto &&
		    memcmp(&r->key.peer, &key->peer, sizeof(key->peer)) == 0 &&
		    memcmp(r->key.device_mac, key->device_mac, sizeof(key->device_mac)) == 0)
			return r;
	}
	return NULL;
}

/* What permits a door, as its value begins. A rule binds both ends by the floor's own checks, so its
 * doors ask for no hardware address. */
static bool permitted(const struct announced_law *law, const struct gate_grant_key *key,
		      uint32_t id, uint64_t met_ns, struct gate_grant *ret_g)
{
	const struct gate_grant_row *grant = is_ruled(id) ? NULL : grant_of(law, key, id);
	uint32_t rule = is_ruled(id) && law->policy
				? data_rule(law->policy, key, id & GATE_GRANT_TOWARDS)
				: ~0u;

	if (!grant && rule == ~0u)
		return false;
	if (grant) {
		*ret_g = grant->grant;
		ret_g->flags &= (uint8_t)~GATE_GRANT_DATA;
	} else {
		*ret_g = (struct gate_grant){.id = id, .flags = GATE_GRANT_ANY_MAC};
		ret_g->until_ns = (met_ns ? met_ns : law->now_ns) + ANNOUNCED_UNHEARD_NS;
		ret_g->rule[0] = (uint16_t)rule;
		ret_g->rule[1] = (uint16_t)(rule >> 16);
	}
	ret_g->port_lo = ret_g->port_hi = key->port;
	return true;
}

static void forget(struct announced *a, uint32_t i)
{
	a->count--;
	memmove(&a->list[i], &a->list[i + 1], (a->count - i) * sizeof(*a->list));
}

/* As what permits it stands now; false: nothing does, or nobody came in time. */
static bool follow(struct announced_door *x, const struct announced_law *law)
{
	struct gate_grant *g = &x->row.grant;

	if (!permitted(law, &x->row.key, g->id, x->met_ns, g))
		return false;
	if (x->alone_ns && x->alone_ns < g->until_ns)
		g->until_ns = x->alone_ns;
	if (!x->alone_ns) {
		g->flags |= GATE_GRANT_MET;
		g->port_hi = x->row.key.other;
	}
	return g->until_ns > law->now_ns;
}

void announced_follow(struct announced *a, const struct announced_law *law)
{
	for (uint32_t i = a->count; i-- > 0;)
		if (!follow(&a->list[i], law))
			forget(a, i);
}

uint32_t announced_rows(const struct announced *a, struct gate_grant_row *ret_rows, uint32_t max)
{
	uint32_t count = a->count < max ? a->count : max;

	for (uint32_t i = 0; i < count; i++)
		ret_rows[i] = a->list[i].row;
	return count;
}

/* `other`: by which port somebody came, 0 for the one that waits. */
static uint32_t find(const struct announced *a, struct gate_grant_key key, uint16_t other)
{
	uint32_t i = 0;

	key.other = other;
	while (i < a->count && memcmp(&a->list[i].row.key, &key, sizeof(key)) != 0)
		i++;
	return i;
}

enum share { SHARE_OPENER, SHARE_DEVICE, SHARE_ALL };

static bool is_in(const struct announced_door *x, const struct announced_door *fresh, enum share s)
{
	const struct gate_grant_key *k = &x->row.key, *n = &fresh->row.key;

	if (s == SHARE_OPENER)
		return x->row.grant.id == fresh->row.grant.id;
	return s == SHARE_ALL || (k->segment == n->segment &&
				  memcmp(k->device_mac, n->device_mac, sizeof(n->device_mac)) == 0);
}

static bool is_spare(const struct announced_door *x)
{
	return x->alone_ns || x->done;
}

/* Of those it shares a bound with, the oldest that nobody uses, else the oldest. */
static void make_room(struct announced *a, const struct announced_door *fresh)
{
	static const uint32_t most[] = {ANNOUNCED_OPENER, ANNOUNCED_DEVICE, ANNOUNCED_MAX};

	for (enum share s = SHARE_OPENER; s <= SHARE_ALL; s++) {
		uint32_t n = 0, oldest = 0;

		for (uint32_t i = a->count; i-- > 0;) {
			if (!is_in(&a->list[i], fresh, s))
				continue;
			if (!n++ || is_spare(&a->list[i]) || !is_spare(&a->list[oldest]))
				oldest = i;
		}
		if (n >= most[s])
			forget(a, oldest);
	}
}

/* May one row stand for both? Two rows with one key there are not. */
static bool is_shared(const struct announced_door *x, const struct announced_word *w)
{
	uint32_t kind = GATE_GRANT_RULE | GATE_GRANT_TOWARDS;

	return x->by != w->by && (is_ruled(w->id) ? (x->row.grant.id & kind) == (w->id & kind)
						  : x->row.grant.id == w->id);
}

/* Where it stands already, it was announced anew: for whoever comes next, and for who was to come before
 * if that is another's. What the same one announced before and nobody came to is shut. */
static int open_one(struct announced *a, const struct announced_word *w,
		    const struct announced_law *law)
{
	struct announced_door fresh = {
		.row = {.key = w->key, .grant.id = w->id},
		.by = w->by,
		.awaited = 1,
		.alone_ns = law->now_ns + (is_ruled(w->id) ? ALONE_RULE_NS : ALONE_GRANT_NS),
	};
	uint32_t at = find(a, w->key, 0);

	fresh.row.key.other = 0;
	if (!follow(&fresh, law))
		return -EPERM;
	if (at < a->count && is_shared(&a->list[at], w)) {
		fresh.row.grant.id = a->list[at].row.grant.id;
		fresh.awaited += a->list[at].awaited < ANNOUNCED_OPENER ? a->list[at].awaited : 0;
	}
	if (at < a->count)
		forget(a, at);
	for (uint32_t i = a->count; i-- > 0;)
		if (a->list[i].alone_ns &&
		    ((a->list[i].by == w->by && a->list[i].row.grant.id == w->id) ||
		     a->list[i].alone_ns <= law->now_ns))
			forget(a, i);
	make_room(a, &fresh);
	a->list[a->count++] = fresh;
	return 1;
}

/* Who comes has a door of his own, and the one that was announced goes if nobody else is to come. Of a
 * grant that is said until it is so, of a rule for as long as the conversation goes on. */
static int meet(struct announced *a, const struct announced_word *w,
		const struct announced_law *law)
{
	uint32_t met = find(a, w->key, w->other_port), open = find(a, w->key, 0);
	struct announced_door fresh;

	if (met < a->count) {
		struct announced_door *x = &a->list[met];

		if (x->row.grant.id != w->id)
			return 0;
		x->done = false;
		if (!is_ruled(w->id))
			return 0;
		x->met_ns = law->now_ns;
		return follow(x, law);
	}
	if (open == a->count || a->list[open].row.grant.id != w->id)
		return 0; /* it made room, or what permits it has ended */
	fresh = a->list[open];
	fresh.row.key.other = w->other_port;
	fresh.alone_ns = 0;
	fresh.met_ns = law->now_ns;
	if (!follow(&fresh, law))
		return 0;
	if (--a->list[open].awaited == 0)
		forget(a, open);
	make_room(a, &fresh);
	a->list[a->count++] = fresh;
	return 1;
}

/* Where the control connection ends, so does a door that nobody has come to; the last transfer may go on. */
int announced_take(struct announced *a, const struct announced_word *w,
		   const struct announced_law *law)
{
	bool over = w->what == ENGINE_DOOR_OVER;
	uint32_t at;

	if (w->what == ENGINE_DOOR_OPEN)
		return open_one(a, w, law);
	if (!over && !w->other_port)
		return 0;
	if (w->what == ENGINE_DOOR_MET)
		return meet(a, w, law);
	at = find(a, w->key, over ? 0 : w->other_port);
	if (at == a->count || a->list[at].row.grant.id != w->id ||
	    (over && a->list[at].by != w->by)) /* others announced it since */
		return 0;
	if (w->what == ENGINE_DOOR_DONE) {
		a->list[at].done = true;
		return 0;
	}
	forget(a, at);
	return 1;
}

void announced_adopt(struct announced *a, const struct gate_grant_row *rows, uint32_t count,
		     const struct announced_law *law)
{
	for (uint32_t i = 0; i < count && a->count < ANNOUNCED_MAX; i++) {
		const struct gate_grant *g = &rows[i].grant;
		bool met = g->flags & GATE_GRANT_MET;
		struct announced_door x = {.row = rows[i],
					   .awaited = 1,
					   .alone_ns = met ? 0 : g->until_ns,
					   .met_ns = met ? law->now_ns : 0};

		x.row.key.other = met ? g->port_hi : 0;
		if (is_ruled(g->id) && follow(&x, law))
			a->list[a->count++] = x;
	}
}
