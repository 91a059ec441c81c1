/*
 * A link in foreign hands, as its guard sees it: whatever it writes into the memory that both have, a
 * chunk comes back once, a frame lies in a chunk that was lent to be filled, and in the end the
 * guard has all of its chunks again.
 *
 * Steps of a letter and what it needs: s lends a frame, f flushes, r receives; e takes the link's
 * word by word (a queue, offset of four bytes, length and peer of two), h hands back what was lent in
 * good order, p writes over the queues (a queue, offset of two bytes, a word of four), n pairs anew, d: it dies.
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "guard/capture/loan.h"
#include "touch.h"

#define OWN    16u /* chunks of the capture's own */
#define CHUNKS (OWN + SHARE_INBOX)
#define STEPS  512

/* A capture in memory that knows of each chunk whether it is free. */
struct fake {
	struct capture base;
	uint8_t *memory;
	bool free[CHUNKS];
	uint32_t own, inbox; /* where to look first */
};

static struct fake *of(struct capture *c)
{
	return (struct fake *)c;
}

/* One of `count` from `first` on, looked for where the last one was found. */
static bool find_free(struct fake *x, uint32_t first, uint32_t count, uint32_t *at, uint32_t *ret)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t chunk = first + *at;

		*at = (*at + 1) % count;
		if (!x->free[chunk])
			continue;
		x->free[chunk] = false;
		*ret = chunk * SHARE_CHUNK;
		return true;
	}
	return false;
}

static int fake_lend_copy(struct capture *c, struct bytes data, uint32_t *ret_offset)
{
	if (!find_free(of(c), 0, OWN, &of(c)->own, ret_offset))
		return -1;
	*ret_offset += SHARE_HEAD;
	memcpy(of(c)->memory + *ret_offset, data.data, data.len);
	return 0;
}

static void fake_restore(struct capture *c, uint32_t offset)
{
	if (offset / SHARE_CHUNK >= CHUNKS || of(c)->free[offset / SHARE_CHUNK])
		abort();
	of(c)->free[offset / SHARE_CHUNK] = true;
}

static bool fake_spare(struct capture *c, uint32_t *ret_offset)
{
	return find_free(of(c), OWN, SHARE_INBOX, &of(c)->inbox, ret_offset);
}

static void fake_adopt(struct capture *c, uint32_t offset, uint32_t len, struct frame *ret_f)
{
	uint32_t in = offset % SHARE_CHUNK;

	if (offset / SHARE_CHUNK >= CHUNKS || of(c)->free[offset / SHARE_CHUNK] ||
	    in < SHARE_HEAD || in + len > SHARE_CHUNK)
		abort();
	ret_f->data = (struct bytes){of(c)->memory + offset, len};
	ret_f->handle = offset;
}

static const struct capture_ops ops = {
	.name = "fake",
	.lend_copy = fake_lend_copy,
	.restore = fake_restore,
	.spare = fake_spare,
	.adopt = fake_adopt,
};

/* One try, and the link's side of it. */
struct
try {
	struct fake fake;
	struct loan *loan;
	struct share_queues link;
};

static void pair(struct try *t)
{
	int queues = share_make_queues();

	share_unmap_queues(&t->link);
	if (queues < 0 || share_map_queues(queues, &t->link) ||
	    loan_pair(t->loan, queues, eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK)))
		abort();
}

static void die(struct try *t)
{
	struct gate_verdict v;
	struct frame f;

	loan_end(t->loan);
	while (loan_left(t->loan, &f, &v)) {
		touch(f.data);
		fake_restore(&t->fake.base, (uint32_t)f.handle);
	}
}

static void receive(struct try *t)
{
	struct frame f[8];
	unsigned n = loan_receive(t->loan, f, 8, 1);

	for (unsigned i = 0; i < n; i++) {
		if (!f[i].sealed || f[i].sealed > GATE_LINKS)
			abort();
		touch(f[i].data);
		fake_restore(&t->fake.base, (uint32_t)f[i].handle);
	}
}

static void say(struct try *t, struct reader *r)
{
	struct spsc *q = &t->link.q[read_u8(r) % SHARE_QUEUES];
	struct spsc_entry e = {.offset = read_be32(r), .len = read_be16(r), .peer = read_be16(r)};

	if (r->bad)
		return;
	(void)spsc_put(q, &e);
	(void)spsc_publish(q);
}

/* As a link does that means well: one frame is sealed, and one opened. */
static void hand_back(struct try *t)
{
	struct spsc *q = t->link.q;
	struct spsc_entry e;

	if (spsc_take(&q[SHARE_SEAL], &e, 1) == 1)
		(void)spsc_put(&q[SHARE_SEALED], &e);
	if (spsc_take(&q[SHARE_EMPTY], &e, 1) == 1) {
		e.offset += SHARE_HEAD;
		e.len = 60;
		e.peer = 1;
		(void)spsc_put(&q[SHARE_OPENED], &e);
	}
	(void)spsc_publish(&q[SHARE_SEALED]);
	(void)spsc_publish(&q[SHARE_OPENED]);
}

static void write_over(struct try *t, struct reader *r)
{
	size_t size = spsc_bytes(SHARE_QUEUE), at = read_u8(r) % SHARE_QUEUES * size;
	uint32_t word;

	at += read_be16(r) % (size - sizeof(word));
	word = read_be32(r);
	if (!r->bad)
		memcpy((uint8_t *)t->link.at + at, &word, sizeof(word));
}

static void step(struct try *t, struct reader *r)
{
	static const struct gate_verdict verdict = {.link = 3, .device = 5, .ifindex = 7};
	static const uint8_t frame[60];
	uint8_t what = read_u8(r);

	if (what == 's')
		(void)loan_seal_copy(t->loan, (struct bytes){frame, sizeof(frame)}, &verdict);
	else if (what == 'f')
		loan_flush(t->loan);
	else if (what == 'r')
		receive(t);
	else if (what == 'e')
		say(t, r);
	else if (what == 'h')
		hand_back(t);
	else if (what == 'p')
		write_over(t, r);
	else if (what == 'n')
		pair(t);
	else if (what == 'd')
		die(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct try t = {.fake.base = {&ops}};
	struct reader r = reader_new(data, len);
	int fd = share_make_memory(CHUNKS);
	uint32_t chunks;

	if (fd < 0 || share_map_memory(fd, &t.fake.memory, &chunks))
		abort();
	close(fd);
	memset(t.fake.free, 1, sizeof(t.fake.free));
	t.loan = loan_new(&t.fake.base, CHUNKS);
	if (!t.loan)
		abort();
	pair(&t);
	for (unsigned n = 0; n < STEPS && reader_left(&r); n++)
		step(&t, &r);
	die(&t);
	for (uint32_t i = 0; i < CHUNKS; i++)
		if (!t.fake.free[i])
			abort();
	loan_free(t.loan);
	share_unmap_queues(&t.link);
	share_unmap_memory(t.fake.memory, CHUNKS);
	return 0;
}
