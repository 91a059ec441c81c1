#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "guard/capture/dump.h"
#include "guard/evidence.h"
#include "keep/pcaps.h"
#include "keep/share.h"

#define WALL (1790000000ull * NSEC_PER_SEC)

static const struct capture_port ports[] = {{"ward0", 7}, {"hospital0", 8}};

/* ---- the guard's side ---- */

static struct evidence *open_ring(size_t ring, size_t queue)
{
	const struct evidence_options o = {ports, 2, 8 * ring,
					   queue}; /* of which one has so much */
	struct evidence *e = evidence_new(&o);

	assert_non_null(e);
	return e;
}

/* A device's frame of `len` bytes that all say `mark`. */
static void see_of(struct evidence *e, uint32_t device, uint64_t id, enum reason why, uint8_t mark,
		   size_t len, uint64_t now)
{
	uint8_t data[2048];
	struct bytes frame;

	memset(data, mark, len);
	frame = unit_exact(data, len);
	evidence_see(e,
		     &(struct evidence_sight){.id = id,
					      .frame = frame,
					      .time_ns = WALL + now,
					      .wire_len = (uint32_t)len,
					      .ifindex = 7 + id % 2,
					      .device = device,
					      .reason = why,
					      .fate = why ? EVIDENCE_DROPPED : EVIDENCE_PASSED},
		     now);
	free((void *)frame.data);
}

static void see(struct evidence *e, uint64_t id, enum reason why, uint8_t mark, size_t len,
		uint64_t now)
{
	see_of(e, 1, id, why, mark, len, now);
}

/* What waits: a letter a frame, '.' for the end of a case. */
static const char *waiting(struct evidence *e)
{
	static char text[8192];
	struct evidence_record r;
	struct bytes all, frame;
	size_t n = 0, len;

	while ((len = evidence_waiting(e, 32768).len) > 0) {
		all = evidence_waiting(e, 32768);
		assert_true(len <= 32768);
		while (evidence_next(&all, &r, &frame)) {
			text[n++] = r.flags & EVIDENCE_LAST ? '.' : (char)frame.data[0];
			for (size_t i = 1; i < frame.len; i++)
				assert_int_equal(frame.data[i], frame.data[0]);
			if (!(r.flags & EVIDENCE_LAST))
				assert_string_equal(r.port, r.id % 2 ? "hospital0" : "ward0");
		}
		assert_int_equal(all.len, 0);
		evidence_sent(e, len);
	}
	text[n] = 0;
	return text;
}

static void frames_around_a_finding_are_sent(void **state)
{
	struct evidence *e = open_ring(65536, 65536);
	uint64_t now = NSEC_PER_SEC;

	see(e, 1, REASON_NONE, 'a', 60, now);
	see(e, 2, REASON_NONE, 'x', 60, now);
	see(e, 1, REASON_NONE, 'b', 1514, now);
	assert_string_equal(waiting(e), "");
	see(e, 1, REASON_HL7_FRAMING, 'c', 60, now);
	see(e, 2, REASON_NONE, 'y', 60, now);
	see(e, 1, REASON_NONE, 'd', 60, now);
	assert_string_equal(waiting(e), "abcd");
	/* By time the case ends, and another of the same conversation has to wait. */
	evidence_tick(e, now + EVIDENCE_OPEN_NS - 1);
	assert_string_equal(waiting(e), "");
	now += EVIDENCE_OPEN_NS;
	evidence_tick(e, now);
	assert_string_equal(waiting(e), ".");
	see(e, 1, REASON_HL7_FRAMING, 'e', 60, now);
	assert_string_equal(waiting(e), "");
	see(e, 1, REASON_HL7_FRAMING, 'f', 60, now + EVIDENCE_QUIET_NS);
	assert_string_equal(waiting(e), "abef"); /* as far as the ring remembers */
	evidence_free(e);
}

static void a_case_ends_by_count(void **state)
{
	struct evidence *e = open_ring(1 << 20, 1 << 20);
	const char *got;

	for (unsigned i = 0; i < 2 * EVIDENCE_BEFORE; i++)
		see(e, 1, REASON_NONE, 'a', 100, NSEC_PER_SEC);
	for (unsigned i = 0; i < 2 * EVIDENCE_AFTER; i++)
		see(e, 1, REASON_HL7_FRAMING, 'b', 100, NSEC_PER_SEC);
	got = waiting(e);
	assert_int_equal(strlen(got), EVIDENCE_BEFORE + EVIDENCE_AFTER + 1);
	assert_int_equal(strspn(got, "a"), EVIDENCE_BEFORE);
	assert_string_equal(got + EVIDENCE_BEFORE + EVIDENCE_AFTER, ".");
	evidence_free(e);
}

/* Whatever the frames' lengths, the ring holds the latest that fit, each whole. */
static void the_ring_forgets_the_oldest(void **state)
{
	struct evidence *e = open_ring(4096, 1 << 20);
	unsigned seed = 1;

	for (unsigned round = 0; round < 300; round++) {
		const char *got;
		uint64_t now = NSEC_PER_SEC + round * (EVIDENCE_QUIET_NS + EVIDENCE_OPEN_NS);
		unsigned frames = 1 + round % 40;

		for (unsigned i = 0; i < frames; i++) {
			seed = seed * 1103515245 + 12345;
			see(e, 1, REASON_NONE, (uint8_t)('A' + i), 1 + (seed >> 16) % 1400, now);
		}
		see(e, 1, REASON_HL7_FRAMING, '!', 60, now);
		got = waiting(e);
		assert_true(strlen(got) >= 2);
		assert_int_equal(got[strlen(got) - 1], '!');
		/* The last ones, without a gap. */
		for (size_t i = strlen(got) - 1; i-- > 0 && i + 1 < strlen(got) - 1;)
			if (got[i + 1] != 'A')
				assert_int_equal(got[i] + 1, got[i + 1]);
		assert_int_equal(got[strlen(got) - 2], 'A' + (int)frames - 1);
		evidence_tick(e, now + EVIDENCE_OPEN_NS);
		waiting(e);
	}
	evidence_free(e);
}

static void a_full_queue_loses_and_counts(void **state)
{
	struct evidence *e = open_ring(65536, 1000);
	struct evidence_counts n;

	for (unsigned i = 0; i < 20; i++)
		see(e, 1, REASON_HL7_FRAMING, 'a', 100, NSEC_PER_SEC);
	evidence_counts(e, &n);
	assert_int_equal(n.cases, 1);
	assert_int_equal(n.lost, 20 - strlen(waiting(e)));
	assert_in_range(n.lost, 10, 19);
	evidence_free(e);
}

static void cases_begin_only_so_often(void **state)
{
	struct evidence *e = open_ring(65536, 1 << 20);
	uint8_t frame[60] = {0};
	struct evidence_counts n;

	for (unsigned i = 0; i < 1000; i++)
		see_of(e, i % 3, i, REASON_HL7_FRAMING, 'a', 60, 100 * NSEC_PER_SEC + i);
	evidence_counts(e, &n);
	assert_int_equal(n.cases, 16);
	assert_int_equal(n.refused, 984);
	for (unsigned i = 0; i < 1000; i++)
		evidence_see(e,
			     &(struct evidence_sight){.id = 5000 + i,
						      .frame = {frame, sizeof(frame)},
						      .device = i % 3,
						      .reason = REASON_POLICY_NOT_ALLOWED,
						      .fate = EVIDENCE_DROPPED,
						      .stray = true},
			     100 * NSEC_PER_SEC + i);
	evidence_counts(e, &n);
	assert_int_equal(n.cases, 20);
	/* A second later there is room for some. */
	for (unsigned i = 0; i < 100; i++)
		see_of(e, 10 + i, 9000 + i, REASON_HL7_FRAMING, 'a', 60, 101 * NSEC_PER_SEC);
	evidence_counts(e, &n);
	assert_int_equal(n.cases, 24);
	evidence_free(e);
}

/* However much one is found to do, what another did is kept, and so is what was before it. */
static void no_device_takes_from_others(void **state)
{
	struct evidence *e = open_ring(65536, 1 << 20);
	uint64_t now = 100 * NSEC_PER_SEC, id = 1000;
	struct evidence_counts n;

	see_of(e, 2, 7, REASON_NONE, 'x', 60, now);
	for (unsigned i = 0; i < 1000; i++, id++) {
		see_of(e, 1, id, REASON_NONE, 'n', 1514, now);
		see_of(e, 1, id, REASON_HL7_FRAMING, 'n', 60, now);
	}
	evidence_counts(e, &n);
	assert_int_equal(n.cases, 8);
	waiting(e);
	see_of(e, 2, 7, REASON_HL7_FRAMING, 'y', 60, now);
	assert_string_equal(waiting(e), "xy");
	/* As time goes on, one every other second. */
	for (unsigned s = 1; s <= 20; s++, now += NSEC_PER_SEC) {
		evidence_tick(e, now);
		for (unsigned i = 0; i < 100; i++, id++)
			see_of(e, 1, id, REASON_HL7_FRAMING, 'n', 60, now);
		waiting(e);
	}
	evidence_counts(e, &n);
	assert_in_range(n.cases, 8 + 1 + 9, 8 + 1 + 10);
	evidence_free(e);
}

/* What is kept whole, whatever is in it, leaves room to what is found. */
static void a_recorder_leaves_room(void **state)
{
	struct evidence *e = open_ring(65536, 100000);
	struct evidence_sight s = {.time_ns = WALL, .ifindex = 7, .device = 1, .record = true};
	uint64_t now = 100 * NSEC_PER_SEC;
	uint8_t frame[1514] = {'r'};
	struct evidence_counts before, after;

	s.frame = (struct bytes){frame, sizeof(frame)};
	for (unsigned i = 0; i < 1000; i++) {
		s.id = 1000 + 2 * i; /* each a case, and never over */
		evidence_see(e, &s, now);
	}
	s.id = 1000;
	for (unsigned i = 0; i < 100; i++)
		evidence_see(e, &s, now);
	evidence_counts(e, &before);
	assert_true(before.lost > 0);
	assert_true(before.cases < 64);
	see_of(e, 2, 7, REASON_HL7_FRAMING, 'y', 60, now);
	evidence_counts(e, &after);
	assert_int_equal(after.cases, before.cases + 1);
	assert_int_equal(after.lost, before.lost);
	evidence_free(e);
}

/* ---- the keeper's side ---- */

struct place {
	char top[64], folder[96];
	unsigned kept;
	char name[PCAPS_NAME];
	enum reason why;
	bool refuse;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->top, "/tmp/bedwarden-evidence-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	snprintf(p->folder, sizeof(p->folder), "%s/evidence", p->top);
	*state = p;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct place *p = *state;

	nftw(p->top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(p);
	return 0;
}

static void kept(void *arg, const struct pcaps_case *c)
{
	struct place *p = arg;

	p->kept++;
	p->why = c->why;
	snprintf(p->name, sizeof(p->name), "%s", c->name);
}

static struct pcaps *open_pcaps(struct place *p, uint64_t max_bytes, uint64_t wall)
{
	const struct pcaps_options o = {.folder = p->folder,
					.max_bytes = max_bytes,
					.max_age_s = 24 * 60 * 60,
					.kept = kept,
					.arg = p};
	struct pcaps *s = pcaps_new(&o, wall);

	assert_non_null(s);
	return s;
}

static uint32_t device; /* whose records are */

static size_t record(uint8_t *to, uint64_t id, const char *port, uint64_t time, enum reason why,
		     size_t len, uint32_t wire)
{
	struct evidence_record r = {.id = id,
				    .device = device,
				    .time_ns = time,
				    .len = (uint32_t)len,
				    .wire_len = wire,
				    .reason = (uint16_t)why,
				    .fate = why ? EVIDENCE_DROPPED : EVIDENCE_PASSED};

	snprintf(r.port, sizeof(r.port), "%s", port);
	memcpy(to, &r, sizeof(r));
	for (size_t i = 0; i < len; i++)
		to[sizeof(r) + i] = (uint8_t)i;
	return sizeof(r) + len;
}

static size_t last(uint8_t *to, uint64_t id)
{
	struct evidence_record r = {.id = id, .flags = EVIDENCE_LAST};

	memcpy(to, &r, sizeof(r));
	return sizeof(r);
}

static int take(struct pcaps *s, const uint8_t *data, size_t len, uint64_t wall)
{
	struct bytes in = unit_exact(data, len);
	int r = pcaps_take(s, 0, in, NSEC_PER_SEC, wall);

	free((void *)in.data);
	return r;
}

/* A whole case of one frame. */
static void take_case(struct pcaps *s, uint64_t id, size_t len, uint64_t wall)
{
	uint8_t data[8192];
	size_t n = record(data, id, "w", wall, REASON_HL7_FRAMING, len, (uint32_t)len);

	n += last(data + n, id);
	assert_int_equal(take(s, data, n, wall), 0);
}

static unsigned count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *d;
	unsigned n = 0;

	assert_non_null(dir);
	while ((d = readdir(dir)) != NULL)
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void a_case_is_a_file_that_can_be_read(void **state)
{
	struct place *p = *state;
	struct pcaps *s = open_pcaps(p, 1 << 20, WALL);
	uint8_t data[8192];
	char path[256];
	struct bytes file;
	struct dump *d = dump_new();
	struct dump_record got[3];
	unsigned frames = 0;
	struct stat st;
	size_t n = 0;

	n += record(data + n, 77, "ward0", WALL + 1, REASON_NONE, 61, 61);
	n += record(data + n, 78, "ward0", WALL + 1, REASON_NONE, 61, 61);
	n += record(data + n, 77, "hospital0", WALL + 2, REASON_HL7_FRAMING, 100, 9000);
	n += record(data + n, 77, "ward0", WALL + 1500000003, REASON_NONE, 64, 64);
	assert_int_equal(take(s, data, n, WALL), 0);
	assert_int_equal(p->kept, 0);
	assert_int_equal(take(s, data, last(data, 77), WALL), 0);
	assert_int_equal(p->kept, 1);
	assert_int_equal(p->why, REASON_HL7_FRAMING);
	assert_string_equal(p->name, "20260921T141320.000Z-77.pcapng");
	assert_int_equal(count_files(p->folder), 1);

	snprintf(path, sizeof(path), "%s/%s", p->folder, p->name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(p->folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(file_read(path, 1 << 20, &file), 0);
	assert_non_null(memmem(file.data, file.len, "dropped: hl7.framing: ", 22));
	for (size_t at = 0; at < file.len;) {
		struct dump_record r;
		enum dump_step step =
			dump_next(d, (struct bytes){file.data + at, file.len - at}, &r);

		assert_true(step == DUMP_FRAME || step == DUMP_SKIP);
		if (step == DUMP_FRAME)
			got[frames++] = r;
		at += r.used;
	}
	assert_int_equal(frames, 3);
	assert_int_equal(got[0].data.len, 61);
	assert_int_equal(got[0].data.data[60], 60);
	assert_int_equal(got[0].time_ns, WALL + 1);
	assert_int_equal(got[1].wire_len, 9000);
	assert_int_equal(got[2].time_ns, WALL + 1500000003);
	assert_int_equal(got[0].link, LINK_ETHERNET);
	assert_string_equal(dump_interface(d, got[0].interface), "ward0");
	assert_string_equal(dump_interface(d, got[1].interface), "hospital0");
	assert_int_equal(got[2].interface, got[0].interface);
	free((void *)file.data);
	dump_free(d);
	/* What is still gathered is written at the end, or when its guard is gone. */
	pcaps_lose(s, 0, WALL);
	assert_int_equal(p->kept, 2);
	pcaps_flush(s, WALL);
	pcaps_free(s);
}

/* Another's reader finds what we wrote. */
static void tshark_reads_it(void **state)
{
	struct place *p = *state;
	struct pcaps *s;
	char command[512], line[512] = "";
	uint8_t data[512];
	size_t n;
	FILE *out;

	if (access("/usr/bin/tshark", X_OK) < 0) {
		print_message("tshark is not installed\n");
		skip();
	}
	s = open_pcaps(p, 1 << 20, WALL);
	n = record(data, 5, "ward0", WALL + 123456789, REASON_HL7_FRAMING, 60, 60);
	n += last(data + n, 5);
	assert_int_equal(take(s, data, n, WALL), 0);
	snprintf(command, sizeof(command),
		 "tshark -r %s/%s -Tfields -e frame.time_epoch -e frame.interface_name "
		 "-e frame.len -e frame.comment 2>&1",
		 p->folder, p->name);
	out = popen(command, "r");
	assert_non_null(out);
	while (fgets(line, sizeof(line), out) && !strstr(line, "ward0"))
		;
	pclose(out);
	assert_non_null(
		strstr(line, "1790000000.123456789\tward0\t60\tdropped: hl7.framing: Data"));
	pcaps_flush(s, WALL);
	pcaps_free(s);
}

static void the_folder_is_bounded(void **state)
{
	struct place *p = *state;
	struct pcaps *s = open_pcaps(p, 10000, WALL);
	struct pcaps_counts n;
	char first[PCAPS_NAME], path[256];

	for (unsigned i = 0; i < 20; i++) {
		take_case(s, i, 1000, WALL + i * NSEC_PER_SEC);
		if (i == 0)
			strcpy(first, p->name);
	}
	pcaps_counts(s, &n);
	assert_int_equal(n.written, 20);
	assert_in_range(n.files, 5, 9);
	assert_true(n.bytes <= 10000);
	assert_int_equal(count_files(p->folder), n.files);
	snprintf(path, sizeof(path), "%s/%s", p->folder, first);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/%s", p->folder, p->name);
	assert_int_equal(access(path, F_OK), 0);
	pcaps_flush(s, WALL);
	pcaps_free(s);

	/* The bound holds over a restart, for less room, too; what was begun is cleared away. */
	snprintf(path, sizeof(path), "%s/new.part", p->folder);
	fclose(fopen(path, "w"));
	s = open_pcaps(p, 3000, WALL);
	pcaps_counts(s, &n);
	assert_in_range(n.files, 1, 2);
	assert_int_equal(count_files(p->folder), n.files);
	/* One that could never fit costs no other. */
	take_case(s, 99, 4000, WALL);
	pcaps_counts(s, &n);
	assert_int_equal(n.lost, 1);
	assert_in_range(n.files, 1, 2);
	pcaps_flush(s, WALL);
	pcaps_free(s);
}

static struct bytes name_of(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* One device fills the folder, and is who makes room; over a restart, too. */
static void each_device_has_its_share(void **state)
{
	struct place *p = *state;
	struct pcaps *s = open_pcaps(p, 20000, WALL);
	char quiet[PCAPS_NAME], path[256];
	struct pcaps_counts n;

	device = 0xabcdef;
	take_case(s, 1, 1000, WALL);
	strcpy(quiet, p->name);
	assert_string_equal(quiet, "20260921T141320.000Z-00abcdef-1.pcapng");
	assert_int_equal(pcaps_device(name_of(quiet)), 0xabcdef);
	assert_int_equal(pcaps_device(name_of("20260921T141320.000Z-1234567890123456.pcapng")), 0);
	assert_int_equal(pcaps_device(name_of("evidence/20260921T141320.000Z-77.pcapng")), 0);
	device = 2;
	for (unsigned i = 0; i < 50; i++)
		take_case(s, 2 + i, 1000, WALL + i * NSEC_PER_SEC);
	snprintf(path, sizeof(path), "%s/%s", p->folder, quiet);
	assert_int_equal(access(path, F_OK), 0);
	pcaps_counts(s, &n);
	assert_true(n.bytes <= 20000 && n.bytes > 15000);
	pcaps_free(s);

	s = open_pcaps(p, 5000, WALL);
	assert_int_equal(access(path, F_OK), 0);
	pcaps_counts(s, &n);
	assert_true(n.bytes <= 5000);
	assert_int_equal(count_files(p->folder), n.files);
	/* Who had the more gives way to a third. */
	device = 3;
	take_case(s, 100, 1000, WALL);
	assert_int_equal(access(path, F_OK), 0);
	pcaps_counts(s, &n);
	assert_int_equal(n.lost, 0);
	pcaps_flush(s, WALL);
	pcaps_free(s);
	device = 0;
}

/* Nor does one take all of the memory in which cases are gathered. */
static void no_device_gathers_all(void **state)
{
	struct place *p = *state;
	struct pcaps *s = open_pcaps(p, 1 << 30, WALL);
	struct pcaps_counts n;
	uint8_t data[8192];

	device = 2;
	for (unsigned id = 1; id <= 100; id++)
		for (unsigned i = 0; i < 130; i++)
			take(s, data, record(data, id, "w", WALL, REASON_HL7_FRAMING, 4000, 4000),
			     WALL);
	pcaps_counts(s, &n);
	assert_true(n.lost > 0);
	device = 3;
	for (unsigned id = 101; id <= 110; id++)
		for (unsigned i = 0; i < 130; i++)
			take(s, data, record(data, id, "w", WALL, REASON_HL7_FRAMING, 4000, 4000),
			     WALL);
	assert_int_equal(take(s, data, last(data, 105), WALL), 0);
	{
		uint64_t lost = n.lost;

		pcaps_counts(s, &n);
		assert_int_equal(n.lost, lost);
	}
	pcaps_free(s);
	device = 0;
}

static void shares_are_fair(void **state)
{
	uint64_t held[SHARES] = {0};

	assert_true(share_most(held, 0) == UINT64_MAX);
	held[3] = 100;
	assert_true(share_most(held, 100) == UINT64_MAX);
	assert_int_equal(share_most(held, 60), 60);
	held[share_of(SHARES + 4)] = 10;
	held[5] = 30;
	assert_true(share_most(held, 140) == UINT64_MAX);
	assert_int_equal(share_most(held, 100), 60); /* 60, 30, 10 */
	assert_int_equal(share_most(held, 50), 20);  /* 20, 20, 10 */
	assert_int_equal(share_most(held, 6), 2);
	assert_int_equal(share_most(held, 0), 0);
}

static void the_old_goes(void **state)
{
	struct place *p = *state;
	struct pcaps *s = open_pcaps(p, 1 << 20, WALL);
	uint64_t day = 24 * 60 * 60 * NSEC_PER_SEC;
	struct pcaps_counts n;

	take_case(s, 1, 100, WALL);
	take_case(s, 2, 100, WALL + day / 2);
	assert_true(pcaps_due(s) != UINT64_MAX);
	pcaps_tick(s, 60 * NSEC_PER_SEC, WALL + day);
	pcaps_counts(s, &n);
	assert_int_equal(n.files, 2);
	pcaps_tick(s, 120 * NSEC_PER_SEC, WALL + day + 2 * NSEC_PER_SEC);
	pcaps_counts(s, &n);
	assert_int_equal(n.files, 1);
	/* A clock that was set back removes nothing. */
	pcaps_tick(s, 180 * NSEC_PER_SEC, WALL - day);
	assert_int_equal(count_files(p->folder), 1);
	pcaps_flush(s, WALL);
	pcaps_free(s);
}

/* Its guard says no end: time does. */
static void patience_ends(void **state)
{
	struct place *p = *state;
	struct pcaps *s = open_pcaps(p, 1 << 20, WALL);
	uint8_t data[256];
	size_t n = record(data, 5, "w", WALL, REASON_HL7_FRAMING, 60, 60);

	assert_int_equal(take(s, data, n, WALL), 0);
	assert_int_equal(pcaps_due(s), NSEC_PER_SEC + PCAPS_PATIENCE_NS);
	pcaps_tick(s, NSEC_PER_SEC + PCAPS_PATIENCE_NS, WALL);
	assert_int_equal(p->kept, 1);
	pcaps_flush(s, WALL);
	pcaps_free(s);
}

static void a_file_that_cannot_be_written_leaves_nothing(void **state)
{
	struct place *p = *state;
	struct rlimit old, small;
	struct pcaps_counts n;
	struct pcaps *s;

	s = open_pcaps(p, 1 << 20, WALL);
	take_case(s, 1, 100, WALL);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){1000, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	take_case(s, 2, 2000, WALL);
	setrlimit(RLIMIT_FSIZE, &old);
	pcaps_counts(s, &n);
	assert_int_equal(n.lost, 1);
	assert_int_equal(n.error, -EFBIG);
	assert_int_equal(count_files(p->folder), 1);
	take_case(s, 3, 2000, WALL + NSEC_PER_SEC);
	pcaps_counts(s, &n);
	assert_int_equal(n.written, 2);
	assert_int_equal(n.error, 0);
	pcaps_flush(s, WALL);
	pcaps_free(s);
}

/* A disk that is nearly full: what is oldest makes room, and then there is none. */
static void a_full_disk_keeps_its_reserve(void **state)
{
	struct place *p = *state;
	struct pcaps *s = open_pcaps(p, 1 << 20, WALL);
	struct pcaps_options o = {.folder = p->folder, .max_bytes = 1 << 20, .max_age_s = 1000};
	struct pcaps_counts n;
	char path[128];

	take_case(s, 1, 100, WALL);
	pcaps_flush(s, WALL);
	pcaps_free(s);
	/* One that another system's fault left empty: removing it makes no room. */
	snprintf(path, sizeof(path), "%s/20260921T141319.000Z-00000009-5.pcapng", p->folder);
	fclose(fopen(path, "w"));
	o.reserve_bytes = UINT64_MAX / 2;
	s = pcaps_new(&o, WALL);
	assert_non_null(s);
	take_case(s, 2, 100, WALL);
	pcaps_counts(s, &n);
	assert_int_equal(n.error, -ENOSPC);
	assert_int_equal(n.lost, 1);
	assert_int_equal(count_files(p->folder), 1);
	pcaps_flush(s, WALL);
	pcaps_free(s);
}

static void what_a_guard_must_not_say_is_refused(void **state)
{
	struct place *p = *state;
	struct pcaps *s = open_pcaps(p, 1 << 20, WALL);
	struct evidence_record *r;
	uint8_t data[8192] = {0};
	size_t n = record(data, 5, "w", WALL, REASON_NONE, 60, 60);
	struct pcaps_counts counts;

	r = (struct evidence_record *)data;
	for (size_t cut = 1; cut < n; cut++)
		assert_int_equal(take(s, data, cut, WALL), -EBADMSG);
	r->len = EVIDENCE_FRAME_MAX + 1;
	assert_int_equal(take(s, data, sizeof(data), WALL), -EBADMSG);
	record(data, 5, "w", WALL, REASON_NONE, 60, 59);
	assert_int_equal(take(s, data, n, WALL), -EBADMSG);
	record(data, 5, "w", WALL, REASON_COUNT, 60, 60);
	assert_int_equal(take(s, data, n, WALL), -EBADMSG);
	record(data, 5, "w", WALL, REASON_NONE, 60, 60);
	memset(r->port, 'p', sizeof(r->port));
	assert_int_equal(take(s, data, n, WALL), -EBADMSG);
	record(data, 5, "w", WALL, REASON_NONE, 60, 60);
	r->flags = 2;
	assert_int_equal(take(s, data, n, WALL), -EBADMSG);
	/* More cases, and more of one, than there is room for. */
	for (uint64_t id = 0; id < 2 * PCAPS_CASES; id++) {
		record(data, id, "w", WALL, REASON_NONE, 60, 60);
		assert_int_equal(take(s, data, n, WALL), 0);
	}
	pcaps_counts(s, &counts);
	assert_int_equal(counts.lost, PCAPS_CASES);
	n = record(data, 0, "w", WALL, REASON_NONE, 8000, 8000);
	for (unsigned i = 0; i < 1000; i++)
		take(s, data, n, WALL);
	pcaps_counts(s, &counts);
	assert_in_range(counts.lost, PCAPS_CASES + 600, PCAPS_CASES + 800);
	pcaps_flush(s, WALL);
	pcaps_free(s);
}

/* Where there are keys, a finished file goes elsewhere; what is in the folder follows. */
static int seal(void *arg, const struct pcaps_case *c, struct bytes file)
{
	struct place *p = arg;

	assert_true(file.len > 28 && memcmp(file.data, "\x0a\x0d\x0d\x0a", 4) == 0);
	p->kept++;
	p->why = c->why;
	snprintf(p->name, sizeof(p->name), "%s", c->name);
	return p->refuse ? -ENOSPC : 0;
}

static void what_is_sealed_is_in_no_folder(void **state)
{
	struct place *p = *state;
	struct pcaps_options o = {.folder = p->folder,
				  .max_bytes = 1 << 20,
				  .max_age_s = 24 * 60 * 60,
				  .kept = kept,
				  .arg = p};
	struct pcaps_counts n;
	struct pcaps_case old;
	struct bytes file;
	struct pcaps *s = pcaps_new(&o, WALL);

	take_case(s, 1, 100, WALL); /* before there were keys */
	assert_int_equal(count_files(p->folder), 1);
	pcaps_free(s);
	o.seal = seal;
	p->kept = 0;
	s = pcaps_new(&o, WALL);
	take_case(s, 2, 100, WALL);
	assert_int_equal(p->kept, 1);
	assert_int_equal(count_files(p->folder), 1);
	pcaps_counts(s, &n);
	assert_int_equal(n.written, 1);
	pcaps_unsealed(s, -EIO); /* after all */
	p->refuse = true;
	take_case(s, 3, 100, WALL);
	pcaps_counts(s, &n);
	assert_int_equal(n.written, 0);
	assert_int_equal(n.lost, 2);
	assert_int_equal(n.error, -ENOSPC);

	assert_int_equal(pcaps_oldest(s, &old, &file), 0);
	assert_true(file.len > 100);
	free((void *)file.data);
	pcaps_erase(s, "another");
	assert_int_equal(count_files(p->folder), 1);
	pcaps_erase(s, old.name);
	assert_int_equal(count_files(p->folder), 0);
	assert_int_equal(pcaps_oldest(s, &old, &file), -ENOENT);
	pcaps_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_around_a_finding_are_sent),
		cmocka_unit_test(a_case_ends_by_count),
		cmocka_unit_test(the_ring_forgets_the_oldest),
		cmocka_unit_test(a_full_queue_loses_and_counts),
		cmocka_unit_test(cases_begin_only_so_often),
		cmocka_unit_test(no_device_takes_from_others),
		cmocka_unit_test(a_recorder_leaves_room),
		cmocka_unit_test(shares_are_fair),
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		IN_FOLDER(a_case_is_a_file_that_can_be_read),
		IN_FOLDER(tshark_reads_it),
		IN_FOLDER(the_folder_is_bounded),
		IN_FOLDER(each_device_has_its_share),
		IN_FOLDER(no_device_gathers_all),
		IN_FOLDER(what_is_sealed_is_in_no_folder),
		IN_FOLDER(the_old_goes),
		IN_FOLDER(patience_ends),
		IN_FOLDER(a_file_that_cannot_be_written_leaves_nothing),
		IN_FOLDER(a_full_disk_keeps_its_reserve),
		IN_FOLDER(what_a_guard_must_not_say_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
