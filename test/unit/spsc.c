/* The ring between two processes: order and wake-ups between threads, and partners that lie. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/spsc.h"

#define SIZE  64
#define MANY  400000u
#define LEAST 1000 /* ms for a wake-up: one that is lost would never come */

/* As the header's implementation lays it out: what a hostile partner writes to. */
#define HEAD(at)   ((uint32_t *)(at))
#define TAIL(at)   ((uint32_t *)((uint8_t *)(at) + 64))
#define ENTRY0(at) ((struct spsc_entry *)((uint8_t *)(at) + 128))

static void *memory(uint32_t size)
{
	void *at = aligned_alloc(64, spsc_bytes(size));

	assert_non_null(at);
	memset(at, 0, spsc_bytes(size));
	return at;
}

static void takes_what_was_put(void **state)
{
	void *at = memory(SIZE);
	struct spsc p, c;
	struct spsc_entry e = {.len = 60, .peer = 3, .port = 7}, got[SIZE];

	spsc_open(&p, at, SIZE);
	spsc_open(&c, at, SIZE);
	assert_int_equal(spsc_take(&c, got, SIZE), 0);
	for (uint32_t i = 0; i < SIZE; i++) {
		assert_int_equal(spsc_room(&p), SIZE - i);
		e.offset = i;
		assert_true(spsc_put(&p, &e));
	}
	assert_false(spsc_put(&p, &e));
	assert_int_equal(spsc_take(&c, got, SIZE), 0); /* not published */
	assert_false(spsc_publish(&p));
	assert_int_equal(spsc_waiting(&p), SIZE);
	assert_int_equal(spsc_take(&c, got, 10), 10);
	assert_int_equal(spsc_waiting(&p), SIZE - 10);
	assert_int_equal(spsc_room(&p), 10);
	assert_int_equal(spsc_take(&c, got + 10, SIZE), SIZE - 10);
	for (uint32_t i = 0; i < SIZE; i++) {
		assert_int_equal(got[i].offset, i);
		assert_int_equal(got[i].len, 60);
		assert_int_equal(got[i].peer, 3);
		assert_int_equal(got[i].port, 7);
	}
	free(at);
}

/* The indices run past 2^32. */
static void goes_round(void **state)
{
	void *at = memory(SIZE);
	struct spsc p, c;
	struct spsc_entry e = {.len = 1}, got;

	spsc_open(&p, at, SIZE);
	spsc_open(&c, at, SIZE);
	p.mine = p.seen = c.mine = c.seen = *HEAD(at) = *TAIL(at) = UINT32_MAX - 5;
	for (uint32_t i = 0; i < 3 * SIZE; i++) {
		e.offset = i;
		assert_true(spsc_put(&p, &e));
		spsc_publish(&p);
		assert_int_equal(spsc_take(&c, &got, 1), 1);
		assert_int_equal(got.offset, i);
	}
	free(at);
}

static void sleeper_is_woken_once(void **state)
{
	void *at = memory(SIZE);
	struct spsc p, c;
	struct spsc_entry e = {.len = 1}, got;

	spsc_open(&p, at, SIZE);
	spsc_open(&c, at, SIZE);
	assert_true(spsc_sleep(&c));
	assert_true(spsc_put(&p, &e));
	assert_true(spsc_publish(&p));
	assert_true(spsc_put(&p, &e));
	assert_false(spsc_publish(&p)); /* somebody has woken it already */
	assert_false(spsc_sleep(&c));
	assert_int_equal(spsc_take(&c, &got, 1), 1);
	assert_false(spsc_sleep(&c));
	assert_int_equal(spsc_take(&c, &got, 1), 1);
	assert_true(spsc_sleep(&c));
	spsc_wake(&c);
	assert_true(spsc_put(&p, &e));
	assert_false(spsc_publish(&p));
	free(at);
}

static void a_producer_that_lies_is_found_out(void **state)
{
	static const uint32_t lies[] = {SIZE + 1, 0x80000000u, UINT32_MAX};
	struct spsc_entry got[SIZE];

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		void *at = memory(SIZE);
		struct spsc c;

		spsc_open(&c, at, SIZE);
		*HEAD(at) = lies[i];
		assert_int_equal(spsc_take(&c, got, SIZE), -EBADMSG);
		assert_int_equal(spsc_take(&c, got, SIZE), -EBADMSG);
		free(at);
	}
}

/* An index that went back: what was taken is not taken again. */
static void a_producer_cannot_go_back(void **state)
{
	void *at = memory(SIZE);
	struct spsc_entry got[SIZE];
	struct spsc c;

	spsc_open(&c, at, SIZE);
	*HEAD(at) = 5;
	assert_int_equal(spsc_take(&c, got, SIZE), 5);
	*HEAD(at) = 4;
	assert_int_equal(spsc_take(&c, got, SIZE), -EBADMSG);
	free(at);
}

static void a_consumer_that_lies_gives_no_room(void **state)
{
	static const uint32_t lies[] = {SIZE + 1, 2 * SIZE, 0x80000000u, UINT32_MAX - SIZE};
	struct spsc_entry e = {.len = 1};

	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		void *at = memory(SIZE);
		struct spsc p;

		spsc_open(&p, at, SIZE);
		for (uint32_t n = 0; n < SIZE; n++)
			assert_true(spsc_put(&p, &e));
		spsc_publish(&p);
		*TAIL(at) = lies[i];
		assert_int_equal(spsc_room(&p), 0);
		assert_false(spsc_put(&p, &e));
		assert_int_equal(spsc_waiting(&p), -EBADMSG);
		free(at);
	}
}

/* Whoever changes the ring's own indices changes nothing of what the other end remembers. */
static void own_index_is_not_read_back(void **state)
{
	void *at = memory(SIZE);
	struct spsc_entry e = {.offset = 1, .len = 1}, got[SIZE];
	struct spsc p, c;

	spsc_open(&p, at, SIZE);
	spsc_open(&c, at, SIZE);
	spsc_put(&p, &e);
	spsc_publish(&p);
	*TAIL(at) = 77; /* the consumer's own */
	assert_int_equal(spsc_take(&c, got, SIZE), 1);
	assert_int_equal(*TAIL(at), 1);
	*HEAD(at) = 1234; /* the producer's own */
	spsc_put(&p, &e);
	spsc_publish(&p);
	assert_int_equal(*HEAD(at), 2);
	free(at);
}

struct pipe {
	void *at;
	int wake;
	uint32_t woken;
};

static void *produce(void *arg)
{
	struct pipe *x = arg;
	struct spsc p;

	spsc_open(&p, x->at, SIZE);
	for (uint32_t i = 0; i < MANY;) {
		unsigned burst = i % 7 + 1;

		while (burst && i < MANY) {
			struct spsc_entry e = {.offset = i,
					       .len = (uint16_t)i,
					       .peer = (uint16_t)~i,
					       .port = i * 3,
					       .device = i ^ 0x55};

			if (!spsc_put(&p, &e))
				break;
			i++;
			burst--;
		}
		if (spsc_publish(&p) && write(x->wake, &(uint64_t){1}, 8) == 8)
			x->woken++;
	}
	return NULL;
}

static void two_threads_lose_nothing(void **state)
{
	struct pipe x = {.at = memory(SIZE), .wake = eventfd(0, EFD_NONBLOCK)};
	struct spsc_entry got[32];
	uint32_t next = 0;
	pthread_t t;
	struct spsc c;

	spsc_open(&c, x.at, SIZE);
	assert_int_equal(pthread_create(&t, NULL, produce, &x), 0);
	while (next < MANY) {
		int n = spsc_take(&c, got, 32);

		assert_true(n >= 0);
		for (int i = 0; i < n; i++, next++) {
			assert_int_equal(got[i].offset, next);
			assert_int_equal(got[i].len, (uint16_t)next);
			assert_int_equal(got[i].peer, (uint16_t)~next);
			assert_int_equal(got[i].port, next * 3);
			assert_int_equal(got[i].device, next ^ 0x55);
		}
		if (n == 0 && spsc_sleep(&c)) {
			struct pollfd p = {x.wake, POLLIN, 0};
			uint64_t times;

			assert_int_equal(poll(&p, 1, LEAST), 1);
			assert_int_equal(read(x.wake, &times, 8), 8);
			spsc_wake(&c);
		}
	}
	pthread_join(t, NULL);
	assert_true(x.woken > 0);
	close(x.wake);
	free(x.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_was_put),
		cmocka_unit_test(goes_round),
		cmocka_unit_test(sleeper_is_woken_once),
		cmocka_unit_test(a_producer_that_lies_is_found_out),
		cmocka_unit_test(a_producer_cannot_go_back),
		cmocka_unit_test(a_consumer_that_lies_gives_no_room),
		cmocka_unit_test(own_index_is_not_read_back),
		cmocka_unit_test(two_threads_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
