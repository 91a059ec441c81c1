#include "place.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/event.h"
#include "keep/page.h"
#include "keep/store.h"

#define EVENTS 9000
#define DAY_NS (1767225600ull * NSEC_PER_SEC)

static const enum reason reasons[] = {REASON_NONE, REASON_POLICY_NOT_ALLOWED,
				      REASON_BINDING_MAC_MOVED};

struct seen {
	unsigned n[EVENTS];
	unsigned count;
};

/* What event number n is, for the store and for the reckoning beside it. */
static const char *device_of(unsigned n)
{
	static char text[16];

	snprintf(text, sizeof(text), "pump-%u", n % 7);
	return text;
}
static enum reason reason_of(unsigned n)
{
	return reasons[n % 3];
}
static bool blocked(unsigned n)
{
	return n % 5 == 0;
}
/* Nearly in order, as they come. */
static uint64_t second_of(unsigned n)
{
	return n % 11 == 0 && n > 50 ? n - 50 : n;
}

static void put(struct store *s, unsigned n)
{
	struct event_common e = {.time_ns = DAY_NS + second_of(n) * NSEC_PER_SEC,
				 .type = reason_of(n) == REASON_NONE ? "flow" : "policy",
				 .src_port = -1,
				 .dest_port = -1,
				 .device = device_of(n),
				 .reason = reason_of(n),
				 .verdict = blocked(n) ? "drop" : "pass"};
	char buf[EVENT_MAX], word[32];
	struct json j = event_begin(&e, buf);
	size_t len;

	snprintf(word, sizeof(word), "Number-%u-", n);
	json_str(&j, "word", word);
	json_u64(&j, "n", n);
	len = event_end(&j);
	assert_int_equal(store_put(s, (struct bytes){(uint8_t *)buf, len}), 0);
}

static void take(void *arg, int64_t id, struct bytes line)
{
	struct seen *s = arg;
	const char *at = memmem(line.data, line.len, "\"n\":", 4);

	assert_non_null(at);
	assert_true(s->count < EVENTS);
	s->n[s->count++] = (unsigned)atoi(at + 4);
}

static bool fits(const struct page_ask *a, unsigned n)
{
	char word[32];
	int64_t at = (int64_t)(DAY_NS + second_of(n) * NSEC_PER_SEC);
	const char *reason = reason_name(reason_of(n));
	size_t len = strlen(a->filter.reason);

	snprintf(word, sizeof(word), "NUMBER-%u-", n);
	return (!*a->filter.device || strcmp(a->filter.device, device_of(n)) == 0) &&
	       (!len || (strncmp(reason, a->filter.reason, len) == 0 &&
			 (!reason[len] || reason[len] == '.'))) &&
	       (!*a->type ||
		strcmp(a->type, reason_of(n) == REASON_NONE ? "flow" : "policy") == 0) &&
	       (a->verdict < 0 || a->verdict == (blocked(n) ? RECORD_BLOCKED : RECORD_PASSED)) &&
	       (!a->filter.since_ns || at >= a->filter.since_ns) &&
	       (!a->until_ns || at <= a->until_ns) && (!*a->text || strcasestr(word, a->text));
}

/* Page after page, of every size and budget: what fits, each once, the newest first. */
static void check(struct store *s, struct page_ask a, uint32_t limit, uint64_t budget_ns)
{
	static struct seen seen;
	unsigned pages = 0, want = 0;
	int64_t next = 0;

	seen.count = 0;
	a.filter.limit = limit;
	a.before = 0;
	do {
		unsigned before = seen.count;

		assert_int_equal(page_events(store_db(s), &a, budget_ns, take, &seen, &next), 0);
		assert_true(seen.count - before <= limit);
		assert_true(next == 0 || a.before == 0 || next < a.before); /* it gets on */
		a.before = next;
		assert_true(++pages < 20000);
	} while (next);
	for (unsigned n = EVENTS; n-- > 0;)
		if (fits(&a, n)) {
			assert_true(want < seen.count);
			assert_int_equal(seen.n[want++], n);
		}
	assert_int_equal(seen.count, want);
}

static void every_filter_by_pages(void **state)
{
	struct place *p = *state;
	struct store *s = store_new(p->file, 1000000);

	assert_non_null(s);
	for (unsigned n = 0; n < EVENTS; n++)
		put(s, n);
	assert_int_equal(store_commit(s), 0);
	for (unsigned mask = 0; mask < 128; mask++) {
		struct page_ask a = {.verdict = mask & 4 ? RECORD_BLOCKED : -1};

		if (mask & 1)
			strcpy(a.filter.device, "pump-3");
		if (mask & 2)
			strcpy(a.filter.reason, mask & 64 ? "policy" : "policy.not_allowed");
		if (mask & 8)
			strcpy(a.type, "policy");
		if (mask & 16) {
			a.filter.since_ns = (int64_t)(DAY_NS + 2000 * NSEC_PER_SEC);
			a.until_ns = (int64_t)(DAY_NS + 7000 * NSEC_PER_SEC);
		}
		if (mask & 32)
			strcpy(a.text, "number-4");
		check(s, a, 100, PAGE_BUDGET_NS);
		if (mask % 8 == 0)
			check(s, a, 1000, 0); /* no time at all: it gets on all the same */
	}
	store_free(s);
}

static int set_up(void **state)
{
	return place_open(state, "events.db");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_filter_by_pages, set_up, place_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
