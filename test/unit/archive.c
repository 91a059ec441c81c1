/* What is archived of conversations: whole or not at all, whatever way its bytes come. */
#include "talk.h"

#include <errno.h>

#include "guard/archive.h"

/* One end's talk, its things taken by an archive as a conversation has it do. */
struct rig {
	struct archive *a;
	struct talk_record r;
	uint32_t number[2];
};

static void keep(void *arg, const struct talk *t, unsigned end, enum talk_keep what,
		 struct bytes data)
{
	struct rig *g = arg;

	if (what == TALK_BEGINS) {
		g->number[end] = archive_begin(g->a, t, end);
	} else if (g->number[end] && what == TALK_GOES_ON) {
		archive_more(g->a, g->number[end], data);
	} else if (g->number[end]) {
		archive_end(g->a, g->number[end],
			    &(struct archive_ending){.talk = t,
						     .end = end,
						     .flow_id = 7,
						     .time_ns = 1000,
						     .device = "dev-1"});
		g->number[end] = 0;
	}
}

static void begin(struct rig *g, const char *proto, size_t queue)
{
	memset(g, 0, sizeof(*g));
	g->a = archive_new(queue);
	talk_begin(&g->r, proto, false);
	g->r.talk->keep = keep;
	g->r.talk->keep_arg = g;
}

static void end(struct rig *g)
{
	talk_finish(&g->r);
	archive_free(g->a);
}

/* What the keeper would have made of it. */
struct got {
	unsigned ended, dropped;
	uint64_t missed;
	uint8_t data[8192];
	size_t len;
	struct archive_about about;
};

static struct got collect(struct archive *a)
{
	struct bytes waiting = archive_waiting(a, SIZE_MAX), rest = waiting, body;
	uint8_t *block = malloc(waiting.len + 1);
	struct archive_record r;
	struct got got = {0};

	memcpy(block, waiting.data, waiting.len);
	rest.data = block;
	while (archive_next(&rest, &r, &body)) {
		if (r.what == ARCHIVE_BEGIN)
			got.len = 0;
		else if (r.what == ARCHIVE_DROP)
			got.dropped++;
		else if (r.what == ARCHIVE_MISSED)
			got.missed += r.object;
		else if (r.what == ARCHIVE_END)
			got.ended += archive_about(body, &got.about);
		if (r.what != ARCHIVE_MORE)
			continue;
		assert_true(got.len + body.len <= sizeof(got.data));
		memcpy(got.data + got.len, body.data, body.len);
		got.len += body.len;
	}
	assert_int_equal(rest.len, 0);
	archive_sent(a, waiting.len);
	free(block);
	return got;
}

#define ORU                                                                       \
	"MSH|^~\\&|A|W|L|H|20260101||ORU^R01|M1|P|2.5\rPID|1||4711||DOE^JANE\r\n" \
	"OBX|1|NM|1||5\r"
#define ACK "MSH|^~\\&|L|H|A|W|20260101||ACK|9|P|2.5\rMSA|AA|M1\r"

static void a_message_is_kept_however_it_is_cut(void **state)
{
	static const char framed[] = "\v" ORU "\x1c\r";
	const size_t len = sizeof(framed) - 1;

	for (size_t cut = 0; cut <= len; cut++)
		for (size_t step = 1; step < 40; step += 13) {
			struct rig g;
			struct got got;

			begin(&g, "hl7", 1 << 20);
			talk_feed(&g.r, 0, framed, cut);
			for (size_t at = cut; at < len; at += step)
				talk_feed(&g.r, 0, framed + at, len - at < step ? len - at : step);
			archive_settle(g.a, true);
			got = collect(g.a);
			assert_int_equal(got.ended, 1);
			assert_int_equal(got.len, sizeof(ORU) - 1);
			assert_memory_equal(got.data, ORU, got.len);
			assert_string_equal(got.about.label, "ORU^R01-M1");
			assert_string_equal(got.about.suffix, ".hl7");
			assert_string_equal(got.about.device, "dev-1");
			end(&g);
		}
}

static void a_long_segment_is_kept_whole(void **state)
{
	static char framed[7000] = "\v" ORU "OBX|2|ED|D||";
	size_t head = strlen(framed);
	struct rig g;
	struct got got;

	memset(framed + head, 'x', sizeof(framed) - head - 3);
	memcpy(framed + sizeof(framed) - 3, "\r\x1c\r", 3);
	begin(&g, "hl7", 1 << 20);
	for (size_t at = 0; at < sizeof(framed); at += 700)
		talk_feed(&g.r, 0, framed + at, 700);
	archive_settle(g.a, true);
	got = collect(g.a);
	assert_int_equal(got.ended, 1);
	assert_int_equal(got.len, sizeof(framed) - 3);
	assert_memory_equal(got.data, framed + 1, got.len);
	end(&g);
}

static void a_bare_acknowledgement_is_not_kept(void **state)
{
	struct rig g;
	struct got got;

	begin(&g, "hl7", 1 << 20);
	talk_feed(&g.r, 1, "\v" ACK "\x1c\r", sizeof("\v" ACK "\x1c\r") - 1);
	archive_settle(g.a, true);
	got = collect(g.a);
	assert_int_equal(got.ended, 0);
	assert_int_equal(got.dropped, 1);
	end(&g);
}

static void what_does_not_pass_is_not_kept(void **state)
{
	struct rig g;
	struct got got;

	begin(&g, "hl7", 1 << 20);
	talk_feed(&g.r, 0, "\v" ORU "\x1c\r", sizeof("\v" ORU "\x1c\r") - 1);
	archive_settle(g.a, false);
	got = collect(g.a);
	assert_int_equal(got.ended, 0);
	assert_int_equal(got.dropped, 1);
	/* The next packet settles nothing any more. */
	archive_settle(g.a, true);
	assert_int_equal(archive_waiting(g.a, SIZE_MAX).len, 0);
	end(&g);
}

static void a_full_queue_loses_and_says_so(void **state)
{
	static char big[60000] = "\v" ORU "OBX|2|ED|D||";
	size_t head = strlen(big);
	struct rig g;
	struct got got;
	unsigned fit = 0;

	memset(big + head, 'x', sizeof(big) - head - 3);
	memcpy(big + sizeof(big) - 3, "\r\x1c\r", 3);
	/* So little that one long message finds no room, but the short ones do. */
	begin(&g, "hl7",
	      ARCHIVE_OBJECTS * (sizeof(struct archive_record) + sizeof(struct archive_about)) +
		      8192);
	talk_feed(&g.r, 0, big, sizeof(big));
	archive_settle(g.a, true);
	archive_tick(g.a);
	got = collect(g.a);
	assert_int_equal(got.ended, 0);
	assert_int_equal(got.dropped, 1);
	assert_int_equal(got.missed, 1);
	for (unsigned i = 0; i < 100; i++) {
		talk_feed(&g.r, 0, "\v" ORU "\x1c\r", sizeof("\v" ORU "\x1c\r") - 1);
		archive_settle(g.a, true);
	}
	archive_tick(g.a); /* for which there is no room now */
	fit = collect(g.a).ended;
	assert_in_range(fit, 1, 99);
	archive_tick(g.a);
	assert_int_equal(collect(g.a).missed, 100 - fit);
	end(&g);
}

/* The keeper died: a new one hears nothing of what the old one was told the half of. */
static void who_comes_next_hears_of_whole_things_only(void **state)
{
	static const char framed[] = "\v" ORU "\x1c\r";
	struct archive_counts n;
	struct rig g;
	struct got got;

	begin(&g, "hl7", 1 << 20);
	talk_feed(&g.r, 0, framed, sizeof(framed) - 1);
	archive_settle(g.a, true);
	talk_feed(&g.r, 0, framed, 30);
	archive_interrupt(g.a);
	talk_feed(&g.r, 0, framed + 30, sizeof(framed) - 31);
	archive_settle(g.a, true);
	archive_counts(g.a, &n);
	assert_int_equal(n.lost, 2);
	talk_feed(&g.r, 0, framed, sizeof(framed) - 1);
	archive_settle(g.a, true);
	archive_tick(g.a);
	got = collect(g.a);
	assert_int_equal(got.ended, 1);
	assert_int_equal(got.len, sizeof(ORU) - 1);
	assert_int_equal(got.missed, 2);
	end(&g);
}

static void a_guard_that_lies_is_not_believed(void **state)
{
	const struct archive_record bad[] = {
		{1, ARCHIVE_PIECE_MAX + 1, ARCHIVE_MORE},
		{1, 10, ARCHIVE_MORE}, /* which are not there */
		{1, 0, ARCHIVE_END},
		{1, 0, ARCHIVE_MISSED + 1},
		{1, 1, ARCHIVE_BEGIN},
		{1, 1, ARCHIVE_DROP},
	};
	struct archive_about about, got;
	struct archive_record r;
	struct bytes body;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		for (size_t cut = 1; cut <= sizeof(bad[i]); cut++) {
			uint8_t *block = malloc(cut);
			struct bytes in = {block, cut};

			memcpy(block, &bad[i], cut);
			assert_false(archive_next(&in, &r, &body));
			assert_int_equal(in.len, cut);
			free(block);
		}
	memset(&about, 'x', sizeof(about));
	assert_false(archive_about((struct bytes){(uint8_t *)&about, sizeof(about)}, &got));
	assert_false(archive_about((struct bytes){(uint8_t *)&about, 3}, &got));
}

/* --- DICOM --------------------------------------------------------------------------- */

static void be32(struct writer *w, uint32_t v)
{
	write_be32(w, v);
}

static void item(struct writer *w, uint8_t type, const char *text)
{
	write_u8(w, type);
	write_u8(w, 0);
	write_be16(w, (uint16_t)strlen(text));
	write_bytes(w, text, strlen(text));
}

#define SECONDARY "1.2.840.10008.5.1.4.1.1.7"
#define EXPLICIT  "1.2.840.10008.1.2.1"

/* PS3.8 §9.3.2 and §9.3.3: one context, number 1. */
static size_t associate(uint8_t *to, bool answer)
{
	struct writer w = writer_new(to, 512);
	size_t context;

	write_u8(&w, answer ? 2 : 1);
	write_u8(&w, 0);
	be32(&w, 0);
	write_be16(&w, 1);
	write_be16(&w, 0);
	write_bytes(&w, "PACS            CT1             ", 32);
	for (unsigned i = 0; i < 32; i++)
		write_u8(&w, 0);
	item(&w, 0x10, "1.2.840.10008.3.1.1.1");
	write_u8(&w, answer ? 0x21 : 0x20);
	write_u8(&w, 0);
	context = w.len;
	write_be16(&w, 0);
	write_bytes(&w, "\1\0\0\0", 4);
	if (!answer)
		item(&w, 0x30, SECONDARY);
	item(&w, 0x40, EXPLICIT);
	to[context] = (uint8_t)((w.len - context - 2) >> 8);
	to[context + 1] = (uint8_t)(w.len - context - 2);
	item(&w, 0x50, "");
	to[4] = (uint8_t)((w.len - 6) >> 8);
	to[5] = (uint8_t)(w.len - 6);
	assert_false(w.bad);
	return w.len;
}

static void element(struct writer *w, uint16_t number, const void *data, size_t len)
{
	uint8_t head[8] = {0, 0, (uint8_t)number, (uint8_t)(number >> 8), (uint8_t)len};

	write_bytes(w, head, sizeof(head));
	write_bytes(w, data, len);
}

static void pdv(struct writer *w, uint8_t control, const void *data, size_t len)
{
	write_u8(w, 4);
	write_u8(w, 0);
	be32(w, (uint32_t)len + 6);
	be32(w, (uint32_t)len + 2);
	write_u8(w, 1);
	write_u8(w, control);
	write_bytes(w, data, len);
}

/* A store of `len` bytes, in fragments of `fragment`. */
static size_t store(uint8_t *to, size_t cap, uint16_t command, const uint8_t *data, size_t len,
		    size_t fragment)
{
	uint8_t set[256], field[2] = {(uint8_t)command, (uint8_t)(command >> 8)};
	struct writer w = writer_new(to, cap), c = writer_new(set, sizeof(set));

	element(&c, 0x0002, SECONDARY "\0", sizeof(SECONDARY));
	element(&c, 0x0100, field, 2);
	element(&c, 0x0110, "\1", 2);
	element(&c, 0x0700, "\0", 2);
	element(&c, 0x0800, "\1", 2);
	element(&c, 0x1000, "1.2.3.4", 8);
	pdv(&w, 3, set, c.len);
	for (size_t at = 0; at < len; at += fragment) {
		size_t n = len - at < fragment ? len - at : fragment;

		pdv(&w, at + n == len ? 2 : 0, data + at, n);
	}
	assert_false(w.bad);
	return w.len;
}

static void an_image_is_kept_however_it_is_cut(void **state)
{
	static const size_t fragments[] = {1, 100, 131, 132, 133, 1000, 3000};
	static uint8_t data[1000], said[60000];
	uint8_t rq[512], ac[512];
	size_t rq_len = associate(rq, false), ac_len = associate(ac, true), meta = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (unsigned f = 0; f < sizeof(fragments) / sizeof(*fragments); f++)
		for (size_t step = 1; step < 2000; step = step * 3 + 1) {
			size_t len =
				store(said, sizeof(said), 0x0001, data, sizeof(data), fragments[f]);
			struct rig g;
			struct got got;

			begin(&g, "dicom", 1 << 20);
			talk_feed(&g.r, 0, rq, rq_len);
			talk_feed(&g.r, 1, ac, ac_len);
			for (size_t at = 0; at < len; at += step)
				talk_feed(&g.r, 0, said + at, len - at < step ? len - at : step);
			archive_settle(g.a, true);
			got = collect(g.a);
			assert_int_equal(got.ended, 1);
			assert_string_equal(got.about.label, "1.2.3.4");
			assert_memory_equal(got.data + 128, "DICM\2\0\0\0UL\4\0", 12);
			meta = 144 + got.data[140];
			assert_int_equal(got.len, meta + sizeof(data));
			assert_memory_equal(got.data + meta, data, sizeof(data));
			assert_non_null(memmem(got.data, meta, EXPLICIT, sizeof(EXPLICIT) - 1));
			assert_non_null(memmem(got.data, meta, "AE\4\0CT1 ", 8));
			end(&g);
		}
}

static void of_other_commands_nothing_is_kept(void **state)
{
	static uint8_t data[300], said[60000];
	uint8_t rq[512], ac[512];
	size_t rq_len = associate(rq, false), ac_len = associate(ac, true);
	size_t len = store(said, sizeof(said), 0x0020 /* C-FIND-RQ */, data, sizeof(data), 100);
	struct rig g;

	begin(&g, "dicom", 1 << 20);
	talk_feed(&g.r, 0, rq, rq_len);
	talk_feed(&g.r, 1, ac, ac_len);
	talk_feed(&g.r, 0, said, len);
	archive_settle(g.a, true);
	assert_int_equal(archive_waiting(g.a, SIZE_MAX).len, 0);
	end(&g);
}

/* Without the association nobody knows how the data set is written. */
static void an_image_of_an_unseen_association_is_not_kept(void **state)
{
	static uint8_t data[300], said[60000];
	size_t len = store(said, sizeof(said), 0x0001, data, sizeof(data), 100);
	struct rig g;

	begin(&g, "dicom", 1 << 20);
	g.r.in.midstream = true;
	talk_feed(&g.r, 0, said, len);
	archive_settle(g.a, true);
	assert_int_equal(archive_waiting(g.a, SIZE_MAX).len, 0);
	end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_kept_however_it_is_cut),
		cmocka_unit_test(a_long_segment_is_kept_whole),
		cmocka_unit_test(a_bare_acknowledgement_is_not_kept),
		cmocka_unit_test(what_does_not_pass_is_not_kept),
		cmocka_unit_test(a_full_queue_loses_and_says_so),
		cmocka_unit_test(who_comes_next_hears_of_whole_things_only),
		cmocka_unit_test(a_guard_that_lies_is_not_believed),
		cmocka_unit_test(an_image_is_kept_however_it_is_cut),
		cmocka_unit_test(of_other_commands_nothing_is_kept),
		cmocka_unit_test(an_image_of_an_unseen_association_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
