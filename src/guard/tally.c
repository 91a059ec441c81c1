#include "guard/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* Rows hang in a hash chain and in one list by the age of their period. */
struct tally {
	struct tally_row *rows; /* [0] is nobody's, so that 0 can mean none */
	uint32_t *buckets;
	uint32_t mask, used, count;
	uint32_t oldest, newest, spare;
	uint32_t begun; /* topics about unnamed ends, in the period since begun_ns */
	uint64_t begun_ns;
	struct hash_key key;
	tally_due_fn due;
	void *arg;
};

struct tally *tally_new(uint32_t rows, tally_due_fn due, void *arg)
{
	struct tally *t = calloc(1, sizeof(*t));
	uint32_t buckets = 1;

	while (buckets < rows)
		buckets <<= 1;
	if (!t || !(t->rows = calloc(rows + 1, sizeof(*t->rows))) ||
	    !(t->buckets = calloc(buckets, sizeof(*t->buckets)))) {
		tally_free(t);
		errno = ENOMEM;
		return NULL;
	}
	t->mask = buckets - 1;
	t->count = rows;
	t->key = hash_key_random();
	t->due = due;
	t->arg = arg;
	return t;
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	free(t->rows);
	free(t->buckets);
	free(t);
}

static uint32_t *bucket(struct tally *t, const struct tally_topic *topic)
{
	return &t->buckets[hash_bytes(&t->key, topic, sizeof(*topic)) & t->mask];
}

static struct tally_row *find(struct tally *t, const struct tally_topic *topic)
{
	for (uint32_t i = *bucket(t, topic); i; i = t->rows[i].chain)
		if (memcmp(&t->rows[i].topic, topic, sizeof(*topic)) == 0)
			return &t->rows[i];
	return NULL;
}

static void list_remove(struct tally *t, struct tally_row *r)
{
	*(r->older ? &t->rows[r->older].newer : &t->oldest) = r->newer;
	*(r->newer ? &t->rows[r->newer].older : &t->newest) = r->older;
}

static void list_append(struct tally *t, struct tally_row *r)
{
	uint32_t i = (uint32_t)(r - t->rows);

	r->older = t->newest;
	r->newer = 0;
	*(t->newest ? &t->rows[t->newest].newer : &t->oldest) = i;
	t->newest = i;
}

static void say_count(struct tally *t, struct tally_row *r)
{
	if (r->unsaid)
		t->due(t->arg, r);
}

static void remove_row(struct tally *t, struct tally_row *r)
{
	uint32_t i = (uint32_t)(r - t->rows);
	uint32_t *at = bucket(t, &r->topic);

	while (*at != i)
		at = &t->rows[*at].chain;
	*at = r->chain;
	list_remove(t, r);
	r->chain = t->spare;
	t->spare = i;
}

static struct tally_row *add(struct tally *t, const struct tally_topic *topic)
{
	struct tally_row *r;
	uint32_t i, *at;

	if (!t->spare && t->used == t->count) {
		say_count(t, &t->rows[t->oldest]);
		remove_row(t, &t->rows[t->oldest]);
	}
	i = t->spare;
	if (i)
		t->spare = t->rows[i].chain;
	else
		i = ++t->used;
	r = &t->rows[i];
	memset(r, 0, sizeof(*r));
	r->topic = *topic;
	at = bucket(t, topic);
	r->chain = *at;
	*at = i;
	return r;
}

static void begin_period(struct tally *t, struct tally_row *r, uint64_t now_ns)
{
	r->period_ns = r->first_ns = now_ns;
	r->packets = r->bytes = r->unsaid = 0;
	r->said = 0;
	list_append(t, r);
}

/* May one more unnamed end have a topic of its own in this period? */
static bool may_begin(struct tally *t, uint64_t now_ns)
{
	if (t->begun_ns + TALLY_PERIOD_NS <= now_ns || now_ns < t->begun_ns) {
		t->begun_ns = now_ns;
		t->begun = 0;
	}
	return t->begun++ < TALLY_NEW;
}

static bool is_unnamed(const struct tally_topic *topic)
{
	static const struct tally_topic none;

	return memcmp(&topic->other, &none.other, sizeof(none.other)) != 0 ||
	       memcmp(topic->mac, none.mac, sizeof(none.mac)) != 0;
}

static struct tally_row *find_or_add(struct tally *t, const struct tally_topic *topic,
				     uint64_t now_ns)
{
	struct tally_topic many = *topic;
	struct tally_row *r = find(t, topic);

	if (r)
		return r;
	if (is_unnamed(topic) && !may_begin(t, now_ns)) {
		memset(&many.other, 0, sizeof(many.other));
		memset(many.mac, 0, sizeof(many.mac));
		many.many = 1;
		r = find(t, &many);
		if (r)
			return r;
	}
	r = add(t, &many);
	begin_period(t, r, now_ns);
	return r;
}

/* True for a conversation that is none of those said in this period. */
static bool is_new(const struct tally_row *r, uint64_t conversation)
{
	for (unsigned i = 0; i < r->said; i++)
		if (r->recent[i] == conversation)
			return false;
	return true;
}

bool tally_note(struct tally *t, const struct tally_topic *topic, const struct tally_case *c,
		uint32_t bytes, uint64_t now_ns)
{
	struct tally_row *r = find_or_add(t, topic, now_ns);
	uint64_t conversation = hash_bytes(&t->key, &c->key, sizeof(c->key)) ^ c->exchange;

	r->last = *c;
	r->last_ns = now_ns;
	r->packets++;
	r->bytes += bytes;
	if (r->said < TALLY_SAID && is_new(r, conversation)) {
		r->recent[r->said++] = conversation;
		return true;
	}
	r->unsaid++;
	return false;
}

void tally_tick(struct tally *t, uint64_t now_ns)
{
	/* A clock that was set back starts the period anew rather than holding counts for hours. */
	while (t->oldest) {
		struct tally_row *r = &t->rows[t->oldest];
		bool idle = r->packets == 0;

		if (r->period_ns <= now_ns && now_ns - r->period_ns < TALLY_PERIOD_NS)
			break;
		say_count(t, r);
		if (idle) {
			remove_row(t, r);
			continue;
		}
		list_remove(t, r);
		begin_period(t, r, now_ns);
	}
}

void tally_flush(struct tally *t)
{
	while (t->oldest) {
		struct tally_row *r = &t->rows[t->oldest];

		say_count(t, r);
		remove_row(t, r);
	}
}
