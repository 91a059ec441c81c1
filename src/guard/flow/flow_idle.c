#include "guard/flow/flow_internal.h"

#define ASKED  4  /* of each list, when the table is full */
#define ROUNDS 16 /* of asking, until one of them may go */

void flow_idle_set_timeouts(struct flow_table *t, const struct flow_timeouts *s)
{
	const uint32_t seconds[IDLE_CLASSES] = {
		[IDLE_TCP_NEW] = s->tcp_new,
		[IDLE_TCP_ESTABLISHED] = s->tcp_established,
		[IDLE_TCP_CLOSED] = s->tcp_closed,
		[IDLE_UDP_NEW] = s->udp_new,
		[IDLE_UDP_ESTABLISHED] = s->udp_established,
		[IDLE_ICMP] = s->icmp,
		[IDLE_OTHER] = s->other,
	};

	for (unsigned i = 0; i < IDLE_CLASSES; i++)
		t->idle[i] = (struct flow_idle_list){.head = FLOW_NONE,
						     .tail = FLOW_NONE,
						     .timeout_ns = seconds[i] * NSEC_PER_SEC};
}

void flow_idle_unlink(struct flow_table *t, struct flow *f)
{
	struct flow_idle_list *l = &t->idle[f->idle];

	if (f->idle_prev == FLOW_NONE) {
		l->head = f->idle_next;
		l->due_ns = 0;
		__builtin_prefetch(&t->flows[l->head].listed_ns); /* it is looked at soon */
	} else {
		t->flows[f->idle_prev].idle_next = f->idle_next;
	}
	if (f->idle_next == FLOW_NONE)
		l->tail = f->idle_prev;
	else
		t->flows[f->idle_next].idle_prev = f->idle_prev;
}

static void idle_append(struct flow_table *t, struct flow *f, uint8_t class, uint64_t now_ns)
{
	struct flow_idle_list *l = &t->idle[class];
	uint32_t i = (uint32_t)(f - t->flows);

	f->idle = class;
	f->listed_ns = now_ns;
	f->idle_prev = l->tail;
	f->idle_next = FLOW_NONE;
	if (l->tail == FLOW_NONE)
		l->head = i;
	else
		t->flows[l->tail].idle_next = i;
	l->tail = i;
}

/* What the end of a flow needs that stands at the head of its list, or will. */
static inline void fetch_end(const struct flow_table *t, const struct flow *f)
{
	__builtin_prefetch(&t->buckets[f->hash & t->mask], 1);
	flow_fetch_session(f);
	if (f->idle_next != FLOW_NONE)
		flow_fetch(t, f->idle_next);
}

/* Many end one after the other: while one is told of, the next two are on their way from memory. */
static inline void fetch_next(const struct flow_table *t, const struct flow *f)
{
	if (f->idle_next != FLOW_NONE)
		fetch_end(t, &t->flows[f->idle_next]);
}

/* Since when it is silent; a last packet that is yet to come, by a clock set back, says nothing. */
static uint64_t silent_since(const struct flow *f, uint64_t now_ns)
{
	return f->last_ns <= now_ns ? f->last_ns : f->listed_ns;
}

static uint8_t class_of(const struct flow *f)
{
	bool answered = f->packets[0] && f->packets[1];

	switch (f->key.proto) {
	case PROTO_TCP:
		if (f->state == TCP_CLOSED || f->state == TCP_RESET)
			return IDLE_TCP_CLOSED;
		if (f->state == TCP_ESTABLISHED || (f->state == TCP_MIDSTREAM && answered))
			return IDLE_TCP_ESTABLISHED;
		return IDLE_TCP_NEW;
	case PROTO_UDP:
		return answered ? IDLE_UDP_ESTABLISHED : IDLE_UDP_NEW;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return IDLE_ICMP;
	}
	return IDLE_OTHER;
}

/* Where the head of a list belongs into another by now it goes there. */
static bool moves_on(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
	uint8_t class = class_of(f);

	if (class == f->idle)
		return false;
	flow_idle_unlink(t, f);
	idle_append(t, f, class, now_ns);
	return true;
}

/* Should it go to the tail of a list: once a quarter of its timeout, and at once to a shorter one? */
static bool is_due(const struct flow_table *t, const struct flow *f, uint8_t class, uint64_t now_ns)
{
	uint64_t timeout = t->idle[f->idle].timeout_ns;

	return (class != f->idle && t->idle[class].timeout_ns / 8 < timeout) ||
	       now_ns - f->listed_ns > timeout / 4;
}

static void fetch_neighbour(const struct flow_table *t, uint32_t i)
{
	if (i != FLOW_NONE)
		__builtin_prefetch(&t->flows[i].idle_prev, 1);
}

/* One may have ended meanwhile, another stand here twice: then it is not due any more. */
static void move_due(struct flow_table *t, uint64_t now_ns)
{
	for (unsigned i = 0; i < t->due_count; i++) {
		fetch_neighbour(t, t->flows[t->due[i]].idle_prev);
		fetch_neighbour(t, t->flows[t->due[i]].idle_next);
	}
	for (unsigned i = 0; i < t->due_count; i++) {
		struct flow *f = &t->flows[t->due[i]];
		uint8_t class = class_of(f);

		if (f->key.kind == GATE_KEY_FLOW && is_due(t, f, class, now_ns)) {
			flow_idle_unlink(t, f);
			idle_append(t, f, class, now_ns);
		}
	}
	t->due_count = 0;
}

/* Who has been silent longest of a list and may go; NULL: none of those who were asked. */
static struct flow *idlest(struct flow_table *t, struct flow_idle_list *l, uint64_t now_ns)
{
	for (unsigned asked = 0; l->head != FLOW_NONE && asked < ASKED;) {
		struct flow *f = &t->flows[l->head];

		if (moves_on(t, f, now_ns))
			continue;
		if (!t->stays || !t->stays(t->arg, f, true))
			return f;
		asked++;
		flow_idle_unlink(t, f);
		idle_append(t, f, f->idle, now_ns);
	}
	return NULL;
}

/* Where all that were asked have to stay, one goes all the same: memory is bounded. */
static struct flow *any_flow(struct flow_table *t)
{
	unsigned c = 0;

	while (t->idle[c].head == FLOW_NONE)
		c++;
	return &t->flows[t->idle[c].head];
}

/* The one that has used up most of its timeout: a flood of openings goes before old talk. NULL: none of
 * those who were asked may go. */
static struct flow *find_worst(struct flow_table *t, uint64_t now_ns)
{
	struct flow *worst = NULL;
	double most = -1;

	for (unsigned c = 0; c < IDLE_CLASSES; c++) {
		struct flow_idle_list *l = &t->idle[c];
		struct flow *f = idlest(t, l, now_ns);
		uint64_t since;
		double used;

		if (!f)
			continue;
		since = silent_since(f, now_ns);
		used = now_ns > since ? (double)(now_ns - since) / ((double)l->timeout_ns + 1) : 0;
		if (used > most) {
			most = used;
			worst = f;
		}
	}
	return worst;
}

/* Who was asked stands at the end of his list, so that each round asks others. */
struct flow *flow_idle_worst(struct flow_table *t, uint64_t now_ns)
{
	struct flow *worst = NULL;

	move_due(t, now_ns);
	for (unsigned round = 0; round < ROUNDS && !worst; round++)
		worst = find_worst(t, now_ns);
	return worst ? worst : any_flow(t);
}

void flow_idle_touch(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
	uint8_t class = class_of(f);

	if (f->idle == IDLE_CLASSES) {
		idle_append(t, f, class, now_ns);
		return;
	}
	if (__builtin_expect(!is_due(t, f, class, now_ns), 1))
		return;
	if (t->due_count == FLOW_DUE)
		move_due(t, now_ns);
	t->due[t->due_count++] = (uint32_t)(f - t->flows);
	__builtin_prefetch(&f->idle_prev, 1);
}

/* The clock was set back: what was listed in the future waits from now on. */
static bool stands_in_future(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
	if (f->listed_ns <= now_ns)
		return false;
	flow_idle_unlink(t, f);
	idle_append(t, f, f->idle, now_ns);
	return true;
}

/* Whoever is not forgotten need not be picked up in the middle of what he says. */
static bool stays(struct flow_table *t, struct flow *f, uint64_t now_ns)
{
	if (!t->stays || now_ns - silent_since(f, now_ns) > FLOW_STAYS_NS ||
	    !t->stays(t->arg, f, false))
		return false;
	f->stayed = true;
	flow_idle_unlink(t, f);
	idle_append(t, f, f->idle, now_ns);
	return true;
}

/* Since when its time runs: one that stayed has it once more. */
static uint64_t runs_since(const struct flow *f, uint64_t now_ns)
{
	uint64_t since = silent_since(f, now_ns);

	return f->stayed && f->listed_ns > since ? f->listed_ns : since;
}

unsigned flow_expire(struct flow_table *t, uint64_t now_ns, unsigned budget)
{
	unsigned ended = 0;
	uint64_t since;

	move_due(t, now_ns);
	for (unsigned c = 0; c < IDLE_CLASSES; c++) {
		struct flow_idle_list *l = &t->idle[c];

		if (now_ns >= l->looked_ns && now_ns < l->due_ns)
			continue;
		for (; budget && l->head != FLOW_NONE; budget--) {
			struct flow *f = &t->flows[l->head];

			if (stands_in_future(t, f, now_ns))
				continue;
			since = runs_since(f, now_ns);
			if (now_ns - since < l->timeout_ns) {
				l->looked_ns = now_ns;
				l->due_ns = (since < f->listed_ns ? since : f->listed_ns) +
					    l->timeout_ns;
				fetch_end(t, f);
				break;
			}
			fetch_next(t, f);
			if (moves_on(t, f, now_ns) || stays(t, f, now_ns))
				continue;
			flow_table_end(t, f, FLOW_TIMEOUT);
			ended++;
		}
	}
	return ended;
}
