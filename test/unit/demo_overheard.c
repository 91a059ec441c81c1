/* What a listener makes of a capture: sealed is what is sealed, byte for byte, and nothing else. */
#include "unit.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <unistd.h>

#include "demo/cast.h"
#include "demo/frame.h"
#include "demo/overheard.h"
#include "demo/ward.h"

#define UDP 17
#define TCP 6

static char path[] = "/tmp/unit-overheard.XXXXXX";
static pcap_t *dead;
static pcap_dumper_t *dump;

static void begin(void)
{
	dead = pcap_open_dead(DLT_EN10MB, 65535);
	dump = pcap_dump_open(dead, path);
	assert_non_null(dump);
}

static void put_raw(const uint8_t *frame, size_t len, size_t was)
{
	struct pcap_pkthdr h = {.caplen = (bpf_u_int32)len, .len = (bpf_u_int32)was};

	pcap_dump((u_char *)dump, &h, frame);
}

/* A frame with an IPv4 packet, and `tail` bytes behind it. */
static void put(uint8_t proto, const char *from, const char *to, const void *data, size_t len,
		size_t tail)
{
	uint8_t frame[2048] = {[12] = 8, [14] = 0x45, [22] = 64, [23] = proto};
	uint32_t src = frame_ip_of(from), dst = frame_ip_of(to);

	frame[16] = (uint8_t)((20 + len) >> 8);
	frame[17] = (uint8_t)(20 + len);
	memcpy(frame + 26, &src, 4);
	memcpy(frame + 30, &dst, 4);
	memcpy(frame + 34, data, len);
	put_raw(frame, 34 + len + tail, 34 + len + tail);
}

static void put_udp(const char *from, const char *to, uint16_t sport, uint16_t dport,
		    const void *data, size_t len)
{
	uint8_t buf[2048];
	struct writer w = writer_new(buf, sizeof(buf));

	write_be16(&w, sport);
	write_be16(&w, dport);
	write_be16(&w, (uint16_t)(8 + len));
	write_be16(&w, 0);
	write_bytes(&w, data, len);
	put(UDP, from, to, buf, w.len, 0);
}

static void put_link(const void *data, size_t len)
{
	put_udp(WARD_LINK_IP, WARD_FAR_LINK_IP, CAST_LINK_PORT, CAST_LINK_PORT, data, len);
}

static void put_tcp(uint32_t at, uint8_t flags, const void *data, size_t len)
{
	uint8_t buf[2048];
	struct writer w = writer_new(buf, sizeof(buf));

	write_be16(&w, 40000);
	write_be16(&w, CAST_RELAY_PORT);
	write_be32(&w, at);
	write_be32(&w, 1);
	write_u8(&w, 5 << 4);
	write_u8(&w, flags);
	write_be16(&w, 1000);
	write_be32(&w, 0);
	write_bytes(&w, data, len);
	put(TCP, WARD_UPLINK_IP, WARD_FAR_UPLINK_IP, buf, w.len, 0);
}

static struct overheard end(const struct patient_block *const *vitals, unsigned count)
{
	struct overheard o;

	pcap_dump_close(dump);
	pcap_close(dead);
	assert_int_equal(overheard_read(path, vitals, count, &o), 0);
	return o;
}

/* Type, version 1.2, epoch 1, a number, a length and three bytes. */
static const uint8_t record[] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 3, 'a', 'b', 'c'};
static const uint8_t hello[] = {22, 3, 1, 0, 2, 1, 0};
static const uint8_t sealed[] = {23, 3, 3, 0, 4, 9, 8, 7, 6};
#define SYN_AT 0xfffffff0u /* numbers go round */

static void put_tls(void)
{
	uint8_t all[sizeof(hello) + sizeof(sealed)];

	memcpy(all, hello, sizeof(hello));
	memcpy(all + sizeof(hello), sealed, sizeof(sealed));
	put_tcp(SYN_AT, 2, NULL, 0);
	put_tcp(SYN_AT + 1 + 10, 16, all + 10,
		sizeof(all) - 10); /* out of order, cut in a record */
	put_tcp(SYN_AT + 1, 16, all, 10);
	put_tcp(SYN_AT + 1, 16, all, 10); /* and said again */
	put_tcp(SYN_AT + 1 + 4, 16, all + 4, 8);
}

static void dtls_is_records_to_the_byte(void **state)
{
	uint8_t two[2 * sizeof(record) + 1], *one = malloc(sizeof(record));

	memcpy(one, record, sizeof(record));
	memcpy(two, record, sizeof(record));
	memcpy(two + sizeof(record), record, sizeof(record));
	two[sizeof(two) - 1] = 0;
	assert_true(overheard_dtls((struct bytes){one, sizeof(record)}));
	assert_true(overheard_dtls((struct bytes){two, 2 * sizeof(record)}));
	assert_false(overheard_dtls((struct bytes){two, sizeof(two)}));
	assert_false(overheard_dtls((struct bytes){one, 0}));
	for (size_t n = 1; n < sizeof(record); n++) {
		uint8_t *cut = malloc(n);

		memcpy(cut, record, n);
		assert_false(overheard_dtls((struct bytes){cut, n}));
		free(cut);
	}
	one[4] = 0; /* data in the epoch that has no keys */
	assert_false(overheard_dtls((struct bytes){one, sizeof(record)}));
	one[0] = 22; /* but a handshake is there */
	assert_true(overheard_dtls((struct bytes){one, sizeof(record)}));
	one[0] = 24;
	assert_false(overheard_dtls((struct bytes){one, sizeof(record)}));
	one[0] = 22;
	one[2] = 0xfc; /* no version */
	assert_false(overheard_dtls((struct bytes){one, sizeof(record)}));
	free(one);
}

static void tls_begins_with_a_handshake(void **state)
{
	static const char clear[] = "MSH|^~\\&|";

	assert_true(overheard_tls((struct bytes){hello, sizeof(hello)}));
	assert_true(overheard_tls((struct bytes){hello, sizeof(hello) - 1}));
	assert_false(overheard_tls((struct bytes){sealed, sizeof(sealed)}));
	assert_false(overheard_tls((struct bytes){(const uint8_t *)clear, sizeof(clear)}));
}

static void sealed_is_dtls_and_tls_alone(void **state)
{
	uint8_t arp[60] = {[12] = 8, [13] = 6}, dhcp[240] = {1};
	struct overheard o;

	begin();
	put_link(record, sizeof(record));
	put_tls();
	put_raw(arp, sizeof(arp), sizeof(arp));
	put_udp("0.0.0.0", "255.255.255.255", 68, 67, dhcp, sizeof(dhcp));
	o = end(NULL, 0);
	assert_int_equal(o.link, 1);
	assert_int_equal(o.relay, 5);
	assert_int_equal(o.plumbing, 2);
	assert_int_equal(o.clear, 0);
	assert_false(o.broken);
	assert_true(overheard_sealed(&o));
	assert_false(overheard_readable(&o));
}

/* Each of them alone, beside a link and a relay that are as they should be. */
static void whatever_else_is_told(void **state)
{
	static const char text[] = "MSH|^~\\&|ANALYSER|WARD";
	uint8_t arp[200] = {[12] = 8, [13] = 6}, ipv6[80] = {[12] = 0x86, [13] = 0xdd};
	char words[96];

	for (unsigned i = 0; i < 9; i++) {
		struct overheard o;

		begin();
		put_link(record, sizeof(record));
		put_tls();
		switch (i) {
		case 0: /* between others */
			put_udp("10.77.1.12", "10.77.0.22", 24105, 24105, record, sizeof(record));
			break;
		case 1: /* by the link's port, and no DTLS */
			put_link(text, sizeof(text));
			break;
		case 2: /* with something behind the records */
			put_link("\x17\xfe\xfd\0\1\0\0\0\0\0\1\0\1xHIDDEN", 20);
			break;
		case 3: /* behind the packet */
			put(UDP, WARD_LINK_IP, WARD_FAR_LINK_IP, record, sizeof(record), 60);
			break;
		case 4:
			put_raw(arp, sizeof(arp), sizeof(arp));
			break;
		case 5:
			put_raw(ipv6, sizeof(ipv6), sizeof(ipv6));
			break;
		case 6: /* by the relay's port, in the clear */
			put_tcp(SYN_AT + 1 + 16, 16, text, sizeof(text));
			break;
		case 7: /* not heard whole */
			put_tcp(SYN_AT + 1 + 40, 16, sealed, sizeof(sealed));
			break;
		case 8: /* not kept whole */
			put_raw(record, sizeof(record), 1500);
			break;
		}
		o = end(NULL, 0);
		assert_int_equal(o.link, 1);
		assert_true(o.clear == (i < 6) && o.broken == (i > 5));
		assert_false(overheard_sealed(&o));
		overheard_say(&o, words, sizeof(words));
		assert_true(words[0] && !strstr(words, "only"));
	}
}

static void nothing_at_all_is_not_sealed(void **state)
{
	struct overheard o;

	begin();
	o = end(NULL, 0);
	assert_false(overheard_sealed(&o));
	assert_int_equal(overheard_read("/nonexistent/x.pcap", NULL, 0, &o), -ENOENT);
}

static void what_is_readable_is_found(void **state)
{
	static const char *const said[] = {"..MSH|^~\\&|A", "..1.2.840.10008.3.1.1.1.",
					   "0ward/fridge-1/temperature{", "PID|1||PHANTOM^PATIENT"};
	static struct patient_block block;
	const struct patient_block *vitals[] = {&block};
	uint8_t wire[2 * PATIENT_ECG];
	struct overheard o;
	char words[96];

	for (unsigned i = 0; i < PATIENT_ECG; i++) {
		block.ecg[i] = (uint16_t)(PATIENT_ECG_ZERO + 7 * i);
		wire[2 * i] = (uint8_t)(block.ecg[i] >> 8);
		wire[2 * i + 1] = (uint8_t)block.ecg[i];
	}
	begin();
	for (unsigned i = 0; i < 4; i++)
		put_udp("10.77.1.12", "10.77.0.22", 1, 2, said[i], strlen(said[i]));
	o = end(vitals, 1);
	assert_false(overheard_readable(&o)); /* the ECG is not among it */
	begin();
	for (unsigned i = 0; i < 4; i++)
		put_udp("10.77.1.12", "10.77.0.22", 1, 2, said[i], strlen(said[i]));
	put_udp("10.77.1.12", "10.77.0.22", 1, 2, wire, sizeof(wire));
	o = end(vitals, 1);
	for (unsigned i = 0; i < OVERHEARD_KINDS; i++)
		assert_int_equal(o.found[i], 1);
	assert_true(overheard_readable(&o));
	overheard_say(&o, words, sizeof(words));
	assert_string_equal(words, "HL7, DICOM, ECG, MQTT, names");
	/* And where it is inside what looks sealed. */
	begin();
	put_link("\x17\xfe\xfd\0\1\0\0\0\0\0\1\0\x9PHANTOM^X", 22);
	put_tls();
	o = end(vitals, 1);
	assert_int_equal(o.link, 1);
	assert_false(overheard_sealed(&o));
}

static void an_attacker_speaks_for_himself(void **state)
{
	uint8_t frame[60] = {[12] = 8, [14] = 0x45, [17] = 20};
	struct overheard o;

	memcpy(frame + 6, ward_machines[WARD_OUTSIDER].mac, 6);
	begin();
	put_link(record, sizeof(record));
	put_tls();
	put_raw(frame, sizeof(frame), sizeof(frame));
	o = end(NULL, 0);
	assert_int_equal(o.outsider, 1);
	assert_true(overheard_sealed(&o));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dtls_is_records_to_the_byte),
		cmocka_unit_test(tls_begins_with_a_handshake),
		cmocka_unit_test(sealed_is_dtls_and_tls_alone),
		cmocka_unit_test(whatever_else_is_told),
		cmocka_unit_test(nothing_at_all_is_not_sealed),
		cmocka_unit_test(what_is_readable_is_found),
		cmocka_unit_test(an_attacker_speaks_for_himself),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
