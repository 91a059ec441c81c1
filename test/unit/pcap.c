/* Every file is made here, and read both by the capture and by libpcap. */
#include <errno.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include "guard/capture/capture.h"
#include "guard/capture/dump.h"

#include "frames.h"

static char path[] = "/tmp/bedwarden-pcap-XXXXXX";
static uint8_t file[400000];
static struct writer w;
static bool swapped;

static int setup(void **state)
{
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	close(mkstemp(path));
	w = writer_new(file, sizeof(file));
	swapped = false;
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return 0;
}

static void put16(uint16_t v)
{
	v = swapped ? __builtin_bswap16(v) : v;
	write_bytes(&w, &v, 2);
}

static void put32(uint32_t v)
{
	v = swapped ? __builtin_bswap32(v) : v;
	write_bytes(&w, &v, 4);
}

static void save(void)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_false(w.bad);
	assert_int_equal(fwrite(file, 1, w.len, f), w.len);
	fclose(f);
}

static void put_header(uint32_t magic, uint32_t link)
{
	put32(magic);
	put16(2);
	put16(4);
	put32(0);
	put32(0);
	put32(65535);
	put32(link);
}

static void put_record(uint32_t s, uint32_t fraction, const void *data, uint32_t len, uint32_t wire)
{
	put32(s);
	put32(fraction);
	put32(len);
	put32(wire);
	write_bytes(&w, data, len);
}

static void put_block(uint32_t type, const void *body, size_t len)
{
	static const uint8_t zero[4];
	uint32_t total = (uint32_t)(12 + (len + 3) / 4 * 4);

	put32(type);
	put32(total);
	write_bytes(&w, body, len);
	write_bytes(&w, zero, total - 12 - len);
	put32(total);
}

/* A block's body, written in the file's order. */
static void put_body(uint32_t type, const uint32_t *words, size_t n, const void *data, size_t len)
{
	uint8_t body[512];
	struct writer file_writer = w;
	size_t used;

	w = writer_new(body, sizeof(body));
	for (size_t i = 0; i < n; i++)
		put32(words[i]);
	write_bytes(&w, data, len);
	used = w.len;
	assert_false(w.bad);
	w = file_writer;
	put_block(type, body, used);
}

static void put_section(void)
{
	put_body(0x0a0d0d0a, (uint32_t[]){0x1a2b3c4d, 1, 0xffffffff, 0xffffffff}, 4, NULL, 0);
}

/* `options` hold 16-bit fields and are therefore given as bytes of the right order. */
static void put_interface(uint16_t link, const void *options, size_t len)
{
	put_body(1, (uint32_t[]){swapped ? (uint32_t)link << 16 : link, 0}, 2, options, len);
}

static void put_packet(uint32_t interface, uint64_t time, const void *data, uint32_t len)
{
	put_body(6, (uint32_t[]){interface, (uint32_t)(time >> 32), (uint32_t)time, len, len + 3},
		 5, data, len);
}

static struct capture *open_saved(void)
{
	char error[256];
	struct capture *c;

	save();
	c = capture_pcap_open(path, false, error);
	if (!c)
		print_error("%s\n", error);
	assert_non_null(c);
	return c;
}

static void refuse(const char *why)
{
	char error[256];

	save();
	assert_null(capture_pcap_open(path, false, error));
	if (!strstr(error, why))
		print_error("%s\n", error);
	assert_non_null(strstr(error, why));
}

/* One frame, copied out and settled. */
static bool next(struct capture *c, struct frame *ret_f)
{
	int n = c->ops->receive(c, ret_f, 1);

	if (n < 0)
		return false;
	assert_int_equal(n, 1);
	c->ops->drop(c, ret_f);
	return true;
}

static void both_resolutions_in_both_orders(void **state)
{
	for (unsigned i = 0; i < 4; i++) {
		struct capture *c;
		struct frame f;

		w = writer_new(file, sizeof(file));
		swapped = i & 1;
		put_header(i & 2 ? 0xa1b23c4d : 0xa1b2c3d4, 1);
		put_record(1700000000, 123, "\1\2\3", 3, 60);
		put_record(1700000001, 0, "\4", 1, 1);
		c = open_saved();
		assert_true(next(c, &f));
		assert_int_equal(f.time_ns, 1700000000 * 1000000000ull + (i & 2 ? 123 : 123000));
		assert_int_equal(f.data.len, 3);
		assert_int_equal(f.wire_len, 60);
		assert_int_equal(f.link, LINK_ETHERNET | LINK_OFFLOAD);
		assert_true(next(c, &f));
		assert_int_equal(c->ops->receive(c, &f, 1), -ENODATA);
		assert_string_equal(capture_pcap_error(c), "");
		c->ops->close(c);
	}
}

/* Of old kernels and of firewalls: heads that are longer, told by where the second record begins. */
static void longer_heads_are_read(void **state)
{
	static const struct {
		uint32_t magic;
		unsigned more;
	} forms[] = {
		{0xa1b2cd34, 8},  /* Kuznetzov's, as libpcap reads it */
		{0xa1b2cd34, 12}, /* SuSE 6.3 */
		{0xa1b2c3d4, 4},  /* Nokia */
		{0xa1b2c3d4, 8},  /* Red Hat 6.1 */
	};

	for (unsigned i = 0; i < 2 * sizeof(forms) / sizeof(forms[0]); i++) {
		static const uint8_t rest[12] = {0, 0, 0, 2, 8, 0, 0, 0, 0, 0, 0, 0};
		struct capture *c;
		struct frame f;

		w = writer_new(file, sizeof(file));
		swapped = i & 1;
		put_header(forms[i / 2].magic, 1);
		for (unsigned n = 0; n < 3; n++) {
			put_record(1700000000 + n, 999999, NULL, 0, 60);
			w.len -= 8;
			put32(3 + n);
			put32(60);
			write_bytes(&w, rest, forms[i / 2].more);
			write_bytes(&w, "\1\2\3\4\5", 3 + n);
		}
		c = open_saved();
		for (unsigned n = 0; n < 3; n++) {
			assert_true(next(c, &f));
			assert_int_equal(f.time_ns, (1700000000 + n) * 1000000000ull + 999999000);
			assert_int_equal(f.data.len, 3 + n);
			assert_memory_equal(f.data.data, "\1\2\3\4\5", 3 + n);
			assert_int_equal(f.wire_len, 60);
		}
		assert_int_equal(c->ops->receive(c, &f, 1), -ENODATA);
		assert_string_equal(capture_pcap_error(c), "");
		c->ops->close(c);
	}
}

/* As libpcap: before version 2.3 the two lengths stood the other way round, in 2.3 either way. */
static void lengths_of_old_versions(void **state)
{
	for (unsigned minor = 2; minor < 4; minor++) {
		struct capture *c;
		struct frame f;

		w = writer_new(file, sizeof(file));
		swapped = false;
		put_header(0xa1b2c3d4, 1);
		file[6] = (uint8_t)minor;
		put_record(1, 0, NULL, 0, 0);
		w.len -= 8;
		put32(60);
		put32(3);
		write_bytes(&w, "\1\2\3", 3);
		put_record(2, 0, NULL, 0, 0);
		w.len -= 8;
		put32(minor == 2 ? 60 : 3);
		put32(minor == 2 ? 3 : 60);
		write_bytes(&w, "\4\5\6", 3);
		c = open_saved();
		for (unsigned n = 0; n < 2; n++) {
			assert_true(next(c, &f));
			assert_int_equal(f.data.len, 3);
			assert_int_equal(f.wire_len, 60);
		}
		assert_int_equal(c->ops->receive(c, &f, 1), -ENODATA);
		c->ops->close(c);
	}
}

static void pcapng_mixes_links_and_resolutions(void **state)
{
	static const uint8_t nano[] = {9, 0, 1, 0, 9, 0, 0, 0};
	static const uint8_t binary_plus_hour[] = {9,  0, 1, 0, 0x8a, 0,    0, 0, /* 2^-10 */
						   14, 0, 8, 0, 0x10, 0x0e, 0, 0, 0, 0, 0, 0};
	static const uint8_t milli_big[] = {0, 9, 0, 1, 3, 0, 0, 0};
	struct capture *c;
	struct frame f;

	put_section();
	put_interface(1, nano, sizeof(nano));
	put_interface(113, NULL, 0);
	put_packet(0, 5000000007, "\1", 1);
	put_interface(101, binary_plus_hour, sizeof(binary_plus_hour));
	put_packet(2, 1536, "\2\2", 2);
	put_packet(1, 3000001, "\3\3\3", 3);
	put_block(0xbad, "ignored", 7);
	swapped = true;
	put_section();
	put_interface(276, milli_big, sizeof(milli_big));
	put_packet(0, 7001, "\4", 1);

	c = open_saved();
	assert_true(next(c, &f));
	assert_int_equal(f.time_ns, 5000000007);
	assert_int_equal(f.wire_len, 4);
	assert_true(next(c, &f));
	assert_int_equal(f.time_ns, 3601500000000);
	assert_int_equal(f.link, LINK_RAW | LINK_OFFLOAD);
	assert_int_equal(f.ifindex, 2);
	assert_true(next(c, &f));
	assert_int_equal(f.time_ns, 3000001000);
	assert_int_equal(f.link, LINK_SLL | LINK_OFFLOAD);
	assert_true(next(c, &f));
	assert_int_equal(f.time_ns, 7001000000);
	assert_int_equal(f.link, LINK_SLL2 | LINK_OFFLOAD);
	assert_int_equal(f.ifindex, 3);
	assert_false(next(c, &f));
	assert_string_equal(capture_pcap_error(c), "");
	c->ops->close(c);
}

/* What a time and an offset come to beyond what can be told, neither turns around. */
static void no_time_is_beyond_all_times(void **state)
{
	static const uint8_t seconds_before[] = {9,   0,   1,	0,  0, 0,    0,	   0, /* of 10^0 */
						 14,  0,   8,	0,  0, 0x28, 0x6b, 0xee,
						 255, 255, 255, 255};
	static const uint8_t seconds[] = {9, 0, 1, 0, 0, 0, 0, 0},
			     halves[] = {9, 0, 1, 0, 0x81, 0, 0, 0};
	static const uint64_t times[] = {0, INT64_MAX, INT64_MAX, 1700000000000000000};
	struct capture *c;
	struct frame f;

	put_section();
	put_interface(1, seconds_before, sizeof(seconds_before));
	put_interface(1, seconds, sizeof(seconds));
	put_interface(1, halves, sizeof(halves));
	put_packet(0, 5, "\1", 1);
	put_packet(1, 20000000000, "\1", 1);
	put_packet(2, UINT64_MAX, "\1", 1);
	put_packet(1, 1700000000, "\1", 1);
	c = open_saved();
	for (unsigned i = 0; i < 4; i++) {
		assert_true(next(c, &f));
		assert_int_equal(f.time_ns, times[i]);
	}
	c->ops->close(c);
}

/* Simple Packet Blocks: cut by the interface's snap length, and with no time of their own. */
static void a_packet_without_a_time_has_that_of_the_one_before(void **state)
{
	struct capture *c;
	struct frame f;

	put_section();
	put_body(1, (uint32_t[]){1, 4}, 2, NULL, 0);
	put_body(3, (uint32_t[]){9}, 1, "cut!", 4);
	put_packet(0, 3000001, "\1", 1);
	put_body(3, (uint32_t[]){2}, 1, "\2\2", 2);
	c = open_saved();
	assert_true(next(c, &f));
	assert_int_equal(f.time_ns, 0);
	assert_int_equal(f.data.len, 4);
	assert_int_equal(f.wire_len, 9);
	assert_true(next(c, &f));
	assert_int_equal(f.time_ns, 3000001000);
	assert_true(next(c, &f));
	assert_int_equal(f.time_ns, 3000001000);
	assert_int_equal(f.data.len, 2);
	assert_false(next(c, &f));
	assert_string_equal(capture_pcap_error(c), "");
	c->ops->close(c);
}

static void interfaces_have_the_names_the_file_gives(void **state)
{
	static const uint8_t eth1[] = {2, 0, 4, 0, 'e', 't', 'h', '1', 0, 0, 0, 0};
	static const uint8_t lying[] = {2, 0, 200, 0, 'e', 't', 'h', '2'};
	static const uint8_t too_long[] = {2,	0,   16,  0,   'a', 'b', 'c', 'd', 'e', 'f',
					   'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p'};
	struct capture *c;
	struct frame f;

	put_section();
	put_interface(1, eth1, sizeof(eth1));
	put_interface(1, lying, sizeof(lying));
	put_interface(1, too_long, sizeof(too_long));
	put_packet(0, 1, "\1", 1);

	c = open_saved();
	assert_true(next(c, &f));
	assert_string_equal(capture_pcap_interface(c, f.ifindex), "eth1");
	assert_string_equal(capture_pcap_interface(c, 1), "");
	assert_string_equal(capture_pcap_interface(c, 2), "");
	assert_string_equal(capture_pcap_interface(c, 3), "");
	c->ops->close(c);
}

static void other_links_are_stripped_or_named(void **state)
{
	struct capture *c;
	struct frame f;

	put_header(0xa1b2c3d4, 0);
	put_record(1, 1, "\2\0\0\0\x45", 5, 5);
	c = open_saved();
	assert_true(next(c, &f));
	assert_int_equal(f.link, LINK_RAW | LINK_OFFLOAD);
	assert_int_equal(f.data.len, 1);
	c->ops->close(c);

	w.len = 0;
	put_header(0xa1b2c3d4, 0x24000001); /* a checksum of four bytes */
	put_record(1, 1, "\1\2\3\4\5\6", 6, 6);
	put_record(1, 1, "\1\2\3\4\5\6", 6, 8);
	c = open_saved();
	assert_true(next(c, &f));
	assert_int_equal(f.data.len, 2);
	assert_int_equal(f.wire_len, 2);
	assert_true(next(c, &f));
	assert_int_equal(f.data.len, 4);
	c->ops->close(c);

	w.len = 0;
	put_header(0xa1b2c3d4, 220);
	refuse("link type 220 (USB_LINUX_MMAPPED)");

	w.len = 0;
	put_section();
	put_interface(220, NULL, 0);
	put_interface(1, NULL, 0);
	put_packet(0, 1, "\1", 1);
	put_packet(1, 1, "\2", 1);
	c = open_saved();
	assert_true(next(c, &f));
	assert_int_equal(f.ifindex, 1);
	assert_int_equal(c->ops->receive(c, &f, 1), -ENODATA);
	assert_non_null(strstr(capture_pcap_error(c), "1 packets of a link type"));
	c->ops->close(c);
}

static void a_broken_file_delivers_what_was_readable(void **state)
{
	static const struct {
		char begin[5];
		const char *how;
	} packed[] = {{"\x1f\x8b\x08\0", "zcat"},     {"\x28\xb5\x2f\xfd", "zstdcat"},
		      {"\xfd\x37zX", "xzcat"},	      {"BZh9", "bzcat"},
		      {"\x04\x22\x4d\x18", "lz4cat"}, {"PK\x03\x04", "unzip -p"}};
	struct capture *c;
	struct frame f;

	put_header(0xa1b2c3d4, 1);
	put_record(1, 1, "\1\2\3", 3, 3);
	put_record(1, 1, "\1\2\3", 3, 3);
	w.len -= 1;
	c = open_saved();
	assert_true(next(c, &f));
	assert_int_equal(c->ops->receive(c, &f, 1), -EBADMSG);
	assert_non_null(strstr(capture_pcap_error(c), "packet 2 at byte 43: the file ends"));
	c->ops->close(c);

	w.len -= 10;
	put32(0x7fffffff);
	put32(0x7fffffff);
	put32(0x7fffffff);
	c = open_saved();
	assert_true(next(c, &f));
	assert_int_equal(c->ops->receive(c, &f, 1), -EBADMSG);
	assert_non_null(strstr(capture_pcap_error(c), "packet 2 at byte 43: a record claims"));
	c->ops->close(c);

	w.len = 0;
	refuse("empty");
	for (unsigned i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
		w.len = 0;
		write_bytes(&w, packed[i].begin, 4);
		refuse(packed[i].how);
	}
	w.len = 0;
	write_bytes(&w, "hello world", 11);
	refuse("neither");
	w.len = 0;
	write_bytes(&w, "\xd4\xc3\xb2\xa1zzzz", 8);
	refuse("header");
}

static void a_held_frame_keeps_its_bytes(void **state)
{
	static const unsigned count = 300;
	struct capture_counts counts;
	struct frame held[300];
	struct capture *c;
	uint8_t body[1000];
	unsigned n = 0;

	put_header(0xa1b2c3d4, 1);
	for (unsigned i = 0; i < count; i++) {
		memset(body, (int)i, sizeof(body));
		put_record(i, 0, body, sizeof(body), sizeof(body));
	}
	c = open_saved();
	while (n < count) {
		int got = c->ops->receive(c, held + n, count - n);

		assert_true(got > 0);
		n += (unsigned)got;
	}
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(held[i].data.data[999], i & 0xff);
		c->ops->forward(c, &held[i], 0);
	}
	c->ops->counts(c, &counts);
	assert_int_equal(counts.received, count);
	assert_int_equal(counts.forwarded, count);
	c->ops->close(c);
}

/* libpcap reads the same file: each frame must be the same. */
static void libpcap_agrees(void **state)
{
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const u_char *data;
	struct capture *c;
	struct frame f;
	uint8_t body[1500] = {0};
	pcap_t *p;

	swapped = true;
	put_header(0xa1b2c3d4, 1);
	for (unsigned i = 0; i < 400; i++) {
		uint32_t len = i * 7919 % 1500;

		memset(body, (int)i, len);
		put_record(1000 + i, i, body, len, len + i % 3);
	}
	c = open_saved();
	p = pcap_open_offline(path, error);
	assert_non_null(p);
	while (pcap_next_ex(p, &h, &data) == 1) {
		assert_true(next(c, &f));
		assert_int_equal(f.time_ns, h->ts.tv_sec * 1000000000ull + h->ts.tv_usec * 1000ull);
		assert_int_equal(f.data.len, h->caplen);
		assert_int_equal(f.wire_len, h->len);
		assert_memory_equal(f.data.data, data, h->caplen);
	}
	assert_false(next(c, &f));
	pcap_close(p);
	c->ops->close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_resolutions_in_both_orders, setup, teardown),
		cmocka_unit_test_setup_teardown(longer_heads_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(lengths_of_old_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(no_time_is_beyond_all_times, setup, teardown),
		cmocka_unit_test_setup_teardown(pcapng_mixes_links_and_resolutions, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_packet_without_a_time_has_that_of_the_one_before,
						setup, teardown),
		cmocka_unit_test_setup_teardown(interfaces_have_the_names_the_file_gives, setup,
						teardown),
		cmocka_unit_test_setup_teardown(other_links_are_stripped_or_named, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_file_delivers_what_was_readable, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_held_frame_keeps_its_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(libpcap_agrees, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
