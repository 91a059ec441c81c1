#include "demo/board.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/clock.h"

/* A block may be on its way this long. */
#define LATE_NS (1000 * NSEC_PER_MSEC)

struct board *board_new(void)
{
	void *m = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return m == MAP_FAILED ? NULL : m;
}

void board_free(struct board *b)
{
	if (b)
		munmap(b, sizeof(*b));
}

static bool flat(const struct board_shown *s)
{
	for (unsigned i = 1; i < PATIENT_ECG; i++)
		if (s->ecg[i] != s->ecg[0])
			return false;
	return true;
}

static bool same(const struct board_shown *s, const struct patient_block *k)
{
	return memcmp(s->ecg, k->ecg, sizeof(k->ecg)) == 0 &&
	       memcmp(s->pleth, k->pleth, sizeof(k->pleth)) == 0;
}

static unsigned first(unsigned count)
{
	return count > BOARD_BLOCKS ? count - BOARD_BLOCKS : 0;
}

/* When it was displayed as it was sent; 0 never. */
static uint64_t arrived(const struct board *b, const struct patient *p, uint32_t block,
			uint64_t from_ns)
{
	unsigned count = b->shown_count;

	for (unsigned i = first(count); i < count; i++) {
		const struct board_shown *s = &b->shown[i % BOARD_BLOCKS];

		if (s->block == block && s->at_ns >= from_ns && same(s, patient_block(p, block)))
			return s->at_ns;
	}
	return 0;
}

static void count_block(struct board_account *a, uint64_t sent_ns, uint64_t shown_ns)
{
	uint64_t took = shown_ns - sent_ns;

	a->expected++;
	if (!shown_ns)
		return;
	a->intact += took < LATE_NS;
	a->late += took >= LATE_NS;
	if (took / NSEC_PER_MSEC > a->latest_ms)
		a->latest_ms = (unsigned)(took / NSEC_PER_MSEC);
}

struct board_account board_judge(const struct board *b, const struct patient *p, uint64_t from_ns,
				 uint64_t to_ns)
{
	struct board_account a = {
		.due = (unsigned)((to_ns - from_ns) / (PATIENT_BLOCK_MS * NSEC_PER_MSEC))};
	unsigned sent = b->sent, shown = b->shown_count;

	for (unsigned n = first(sent); n < sent; n++) {
		uint64_t at = b->sent_ns[n % BOARD_BLOCKS];

		if (!at || at < from_ns || at >= to_ns)
			continue;
		count_block(&a, at, arrived(b, p, n, at));
	}
	for (unsigned i = first(shown); i < shown; i++) {
		const struct board_shown *s = &b->shown[i % BOARD_BLOCKS];

		if (s->at_ns < from_ns || s->at_ns >= to_ns || same(s, patient_block(p, s->block)))
			continue;
		if (flat(s))
			a.flat++;
		else
			a.foreign++;
	}
	return a;
}

unsigned board_knocked(const struct board *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < BOARD_PORTS; i++)
		n += b->knocked[i] != 0;
	return n;
}
