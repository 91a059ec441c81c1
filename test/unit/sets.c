/*
 * The floor's memory of conversations (bpf/flows.h), in user space: what a set finds, what it gives
 * up, and how many conversations find room where chance spreads them.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "guard/decode/packet.h"

/* Of the floor only how conversations age is wanted. */
#include "lookups.h"

#include "bpf/floor.h"
#include "bpf/flows.h"

#define SEC 1000000000ull

_Static_assert(sizeof(struct gate_set) == 4096, "a set is a page");
_Static_assert(sizeof(struct gate_slot) == 128, "a slot is two lines");
_Static_assert(offsetof(struct gate_set, slot) % 128 == 0, "and no more than two");
_Static_assert(offsetof(struct gate_set, lock) == 64, "tags are one line");

/* On a boundary, as the program has it. */
struct aligned_key {
	struct gate_flow_key key;
} __attribute__((aligned(8)));

static struct aligned_key key_of(uint32_t n)
{
	struct aligned_key k = {.key = {.port = {(uint16_t)n, (uint16_t)(n >> 16)}, .proto = 17}};

	k.key.ip[0].b[15] = 1;
	k.key.ip[1].b[15] = 2;
	return k;
}

static uint64_t hash_of(uint32_t n)
{
	static const struct gate_set head = {.secret = {1, 2}, .count = 1};
	const struct aligned_key k = key_of(n);

	return sets_hash(&head, &k.key);
}

static void put(struct gate_set *s, uint32_t n, uint8_t flags, uint64_t now_ns)
{
	const struct aligned_key k = key_of(n);
	const struct gate_flow f = {.seen_ns = now_ns, .rule = n, .flags = flags};

	assert_int_not_equal(sets_put(s, &k.key, hash_of(n), &f, now_ns), 0);
}

static struct gate_slot *find(struct gate_set *s, uint32_t n)
{
	const struct aligned_key k = key_of(n);
	uint32_t i = sets_find(s, &k.key, hash_of(n));

	if (!i)
		return NULL;
	assert_int_equal(sets_slot(s, i)->flow.rule, n);
	return sets_slot(s, i);
}

static struct gate_set *new_set(void)
{
	struct gate_set *s = aligned_alloc(4096, sizeof(*s));

	assert_non_null(s);
	memset(s, 0, sizeof(*s));
	return s;
}

static void what_was_put_is_found(void **state)
{
	struct gate_set *s = new_set();

	for (uint32_t n = 0; n < GATE_SET_SLOTS; n++) {
		assert_null(find(s, n));
		put(s, n, 0, SEC);
		assert_non_null(find(s, n));
	}
	for (uint32_t n = 0; n < GATE_SET_SLOTS; n++)
		assert_non_null(find(s, n));
	/* Again: in the same place, and nobody goes for it. */
	put(s, 7, GATE_FLOW_OPEN, 2 * SEC);
	assert_int_equal(find(s, 7)->flow.flags, GATE_FLOW_OPEN);
	for (uint32_t n = 0; n < GATE_SET_SLOTS; n++)
		assert_non_null(find(s, n));
	assert_int_equal(s->lock, 0);
	free(s);
}

/* One byte of a key differs, whichever: another conversation. */
static void keys_that_are_nearly_alike_differ(void **state)
{
	struct aligned_key a = key_of(1), b;
	static const struct gate_set head = {.secret = {3, 4}, .count = 1000};

	for (unsigned i = 0; i < sizeof(a.key); i++) {
		b = a;
		((uint8_t *)&b.key)[i] ^= 0x80;
		assert_false(sets_equal(&a.key, &b.key));
		assert_true(sets_hash(&head, &a.key) != sets_hash(&head, &b.key));
	}
	b = a;
	assert_true(sets_equal(&a.key, &b.key));
}

/* A full set gives up what has aged, then what is silent for longest, and what is blocked last. */
static void a_flood_pushes_out_the_silent_and_not_the_blocked(void **state)
{
	struct gate_set *s = new_set();
	const uint64_t now = 1000 * SEC;

	for (uint32_t n = 0; n < GATE_SET_SLOTS; n++)
		put(s, n, n == 3 || n == 4 ? GATE_FLOW_BLOCKED : 0, now + n);
	find(s, 3)->flow.until_ns = find(s, 4)->flow.until_ns = now + 600 * SEC;
	find(s, 9)->flow.seen_ns = now - 301 * SEC; /* UDP's time is over */
	find(s, 20)->flow.seen_ns = now - SEC;
	put(s, 100, 0, now);
	assert_null(find(s, 9));
	assert_non_null(find(s, 20));
	put(s, 101, 0, now);
	assert_null(find(s, 20));
	for (uint32_t n = 0; n < 10000; n++)
		put(s, 1000 + n, 0, now + SEC + n);
	assert_non_null(find(s, 3));
	assert_non_null(find(s, 4));
	assert_null(find(s, 0));
	/* A block that is over protects no more. */
	find(s, 3)->flow.until_ns = now;
	put(s, 5000000, 0, now + 2 * SEC);
	assert_null(find(s, 3));
	/* And where all of them are blocked, the oldest block makes way. */
	for (uint32_t n = 0; n < GATE_SET_SLOTS; n++)
		s->slot[n].flow.flags = GATE_FLOW_BLOCKED,
		s->slot[n].flow.until_ns = now + 600 * SEC;
	find(s, 4)->flow.seen_ns = now - 100 * SEC;
	put(s, 6000000, 0, now + 3 * SEC);
	assert_null(find(s, 4));
	assert_non_null(find(s, 6000000));
	free(s);
}

static void a_busy_set_is_left_alone(void **state)
{
	struct gate_set *s = new_set();
	const struct aligned_key k = key_of(1);
	const struct gate_flow f = {.seen_ns = SEC};

	s->lock = 1;
	assert_int_equal(sets_put(s, &k.key, hash_of(1), &f, SEC), 0);
	assert_null(find(s, 1));
	assert_int_equal(s->lock, 1);
	free(s);
}

/* As many conversations as were asked for: hardly one in a thousand finds its set full. */
static void nearly_all_that_were_asked_for_find_room(void **state)
{
	const uint32_t flows = 200000;
	struct gate_set head = {.secret = {5, 6}, .count = flows / GATE_SET_SHARE + 1};
	uint8_t *used = calloc(head.count + 1, 1);
	uint32_t lost = 0;

	assert_non_null(used);
	for (uint32_t n = 0; n < flows; n++) {
		const struct aligned_key k = key_of(n);
		uint32_t at = sets_index(&head, sets_hash(&head, &k.key));

		assert_in_range(at, 1, head.count);
		if (used[at] == GATE_SET_SLOTS)
			lost++;
		else
			used[at]++;
	}
	printf("# %u of %u conversations found no room of their own\n", lost, flows);
	assert_true(lost < flows / 1000);
	free(used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_found),
		cmocka_unit_test(keys_that_are_nearly_alike_differ),
		cmocka_unit_test(a_flood_pushes_out_the_silent_and_not_the_blocked),
		cmocka_unit_test(a_busy_set_is_left_alone),
		cmocka_unit_test(nearly_all_that_were_asked_for_find_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
