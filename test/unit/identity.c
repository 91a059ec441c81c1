/* The parsers that tell who a machine is: DHCP, mDNS, LLDP, TLS, HTTP. */
#include "guard/decode/packet.h"
#include "guard/proto/dhcp.h"
#include "guard/proto/http_head.h"
#include "guard/proto/lldp.h"
#include "guard/proto/mdns.h"
#include "guard/proto/tls_hello.h"

#include "unit.h"

static uint8_t buf[1024];
static struct writer w;

static int setup(void **state)
{
	w = writer_new(buf, sizeof(buf));
	return 0;
}

static void put(const char *text, size_t len)
{
	write_bytes(&w, text, len);
}
#define PUT(literal) put(literal, sizeof(literal) - 1)

static void assert_text(struct bytes b, const char *text)
{
	assert_int_equal(b.len, strlen(text));
	assert_memory_equal(b.data, text, b.len);
}

/* Every prefix of the input, in a block of its size: none may be read beyond. */
#define EVERY_PREFIX(call)                              \
	for (size_t cut = 0; cut < w.len; cut++) {      \
		struct bytes in = unit_exact(buf, cut); \
		call;                                   \
		free((void *)in.data);                  \
	}

static void put_dhcp(uint8_t op)
{
	static const uint8_t zero[202];

	write_u8(&w, op);
	PUT("\1\6\0\0\0\x12\x34\0\0\0\0");
	write_bytes(&w, zero, 4);
	PUT("\x0a\0\0\x2a");
	write_bytes(&w, zero, 8);
	PUT("\2\0\0\0\0\1");
	write_bytes(&w, zero, 10 + 192);
	PUT("\x63\x82\x53\x63");
}

static void dhcp_tells_who_asks_and_who_answers(void **state)
{
	char text[PACKET_IP_LEN];
	struct bytes in;
	struct dhcp d;

	put_dhcp(1);
	PUT("\x35\1\1\x0c\4pump\0\0\x3c\3ABC\x37\3\1\3\6\xff junk");
	in = unit_exact(buf, w.len);
	assert_int_equal(dhcp_read(in, &d), PARSE_OK);
	assert_false(d.reply);
	assert_int_equal(d.type, DHCP_DISCOVER);
	assert_int_equal(d.xid, 0x1234);
	assert_int_equal(d.mac[5], 1);
	assert_text(d.host_name, "pump");
	assert_text(d.vendor_class, "ABC");
	assert_int_equal(d.params.len, 3);
	free((void *)in.data);

	w.len = 0;
	put_dhcp(1); /* as some clients end their texts */
	PUT("\x35\1\3\x0c\5nas1\0\x3c\5ABC\0\0\xff");
	in = unit_exact(buf, w.len);
	assert_int_equal(dhcp_read(in, &d), PARSE_OK);
	assert_text(d.host_name, "nas1");
	assert_text(d.vendor_class, "ABC");
	free((void *)in.data);

	w.len = 0;
	put_dhcp(2);
	PUT("\x35\1\5\x36\4\x0a\0\0\1\x33\4\0\0\x0e\x10\xff");
	in = unit_exact(buf, w.len);
	assert_int_equal(dhcp_read(in, &d), PARSE_OK);
	assert_true(d.reply);
	assert_int_equal(d.lease_s, 3600);
	assert_string_equal(packet_ip_text(&d.yours, text), "10.0.0.42");
	assert_string_equal(packet_ip_text(&d.server, text), "10.0.0.1");
	free((void *)in.data);
}

static void dhcp_refuses_lies(void **state)
{
	struct dhcp d;

	put_dhcp(1);
	PUT("\x35\1\1\x0c\x40pump");
	assert_int_equal(dhcp_read((struct bytes){buf, w.len}, &d), PARSE_BAD);
	buf[0] = 3;
	w.len -= 6;
	assert_int_equal(dhcp_read((struct bytes){buf, w.len}, &d), PARSE_BAD);
	EVERY_PREFIX(assert_int_equal(dhcp_read(in, &d), PARSE_BAD));
}

static void dhcp_reads_overloaded_fields(void **state)
{
	struct dhcp d;

	put_dhcp(2);
	PUT("\x34\1\3\x35\1\5\xff");
	memcpy(buf + 44, "\x0c\3abc\xff", 6);
	memcpy(buf + 108, "\x33\4\0\0\0\x3c\xff", 7);
	assert_int_equal(dhcp_read((struct bytes){buf, w.len}, &d), PARSE_OK);
	assert_text(d.host_name, "abc");
	assert_int_equal(d.lease_s, 60);
}

/* RFC 3396: what is longer than an option, or cut for no reason at all, is one value all the same. */
static void dhcp_puts_parts_together(void **state)
{
	char text[PACKET_IP_LEN];
	struct bytes in;
	struct dhcp d;

	put_dhcp(1);
	PUT("\x35\0\x34\1\3\x0c\4bed-\x32\2\x0a\0\x3c\3ABC\x0c\1\x37\x35\1\3\x32\2\0\x07\xff");
	memcpy(buf + 44, "\x0c\1b\0\x3c\4EF\0\0\xff", 10);
	memcpy(buf + 108, "\x3c\1D\x0c\1a\xff", 6);
	in = unit_exact(buf, w.len);
	assert_int_equal(dhcp_read(in, &d), PARSE_OK);
	assert_text(d.host_name, "bed-7ab");
	assert_text(d.vendor_class, "ABCDEF");
	assert_int_equal(d.type, DHCP_REQUEST);
	assert_string_equal(packet_ip_text(&d.requested, text), "10.0.0.7");
	free((void *)in.data);

	/* More than there is room for: the front of it. */
	w.len = 0;
	put_dhcp(1);
	for (unsigned i = 0; i < 3; i++) {
		PUT("\x3c\xff");
		memset(buf + w.len, 'x', 255);
		w.len += 255;
	}
	in = unit_exact(buf, w.len);
	assert_int_equal(dhcp_read(in, &d), PARSE_OK);
	assert_int_equal(d.vendor_class.len, sizeof(d.room));
	free((void *)in.data);
}

static void mdns_names_host_and_services(void **state)
{
	struct mdns m;

	PUT("\0\0\x84\0\0\0\0\2\0\0\0\1");
	PUT("\4_ipp\4_tcp\5local\0\0\x0c\0\1\0\0\0\x78\0\x0e\x0bLab Printer\xc0\x0c");
	PUT("\xc0\x27\0\x21\0\1\0\0\0\x78\0\x0f\0\0\0\0\2\x77\6cart-3\xc0\x16");
	PUT("\6cart-3\xc0\x16\0\1\0\1\0\0\0\x78\0\4\x0a\0\0\7");
	assert_int_equal(mdns_read((struct bytes){buf, w.len}, &m), PARSE_OK);
	assert_true(m.response);
	assert_string_equal(m.host, "cart-3");
	assert_string_equal(m.instance, "Lab Printer");
	assert_int_equal(m.service_count, 1);
	assert_string_equal(m.service[0], "_ipp._tcp");
	EVERY_PREFIX(assert_int_equal(mdns_read(in, &m), PARSE_BAD));
}

static void mdns_refuses_loops(void **state)
{
	struct mdns m;

	PUT("\0\0\x84\0\0\0\0\1\0\0\0\0\xc0\x0c\0\x0c\0\1\0\0\0\0\0\0");
	assert_int_equal(mdns_read((struct bytes){buf, w.len}, &m), PARSE_BAD);
	memcpy(buf + 12, "\xc0\x0e\xc0\x0c", 4);
	assert_int_equal(mdns_read((struct bytes){buf, w.len}, &m), PARSE_BAD);
	memcpy(buf + 12, "\x40", 1);
	assert_int_equal(mdns_read((struct bytes){buf, w.len}, &m), PARSE_BAD);
}

static void lldp_names_system_and_model(void **state)
{
	struct lldp l;

	PUT("\2\7\4\2\0\0\0\0\1\4\7\3\2\0\0\0\0\1\6\2\0\x78\x0a\5cam-7");
	PUT("\xfe\x08\0\x12\xbb\x09"
	    "Axis\xfe\x09\0\x12\xbb\x0aP3245\0\0");
	assert_int_equal(lldp_read((struct bytes){buf, w.len}, &l), PARSE_OK);
	assert_int_equal(l.chassis_mac.data[5], 1);
	assert_text(l.system_name, "cam-7");
	assert_text(l.manufacturer, "Axis");
	assert_text(l.model, "P3245");
	EVERY_PREFIX(assert_int_equal(lldp_read(in, &l), PARSE_BAD));
	buf[0] = 4;
	assert_int_equal(lldp_read((struct bytes){buf, w.len}, &l), PARSE_BAD);
}

static void put_client_hello(void)
{
	static const uint8_t random[32];

	PUT("\x16\3\1\0\x57\1\0\0\x53\3\3");
	write_bytes(&w, random, 32);
	PUT("\0\0\2\x13\1\1\0\0\x28");
	PUT("\0\0\0\x10\0\x0e\0\0\x0b"
	    "example.org\0\x10\0\5\0\3\2h2\0\x2b\0\7\6\x7a\x7a\3\4\3\3");
}

static void tls_tells_name_and_version(void **state)
{
	struct tls_hello h;

	put_client_hello();
	assert_int_equal(w.len, 5 + 0x57);
	assert_int_equal(tls_hello_first((struct bytes){buf, w.len}, &h), PARSE_OK);
	assert_true(h.client);
	assert_int_equal(h.version, 0x0304);
	assert_text(h.server_name, "example.org");
	assert_text(h.alpn, "h2");
	EVERY_PREFIX(assert_int_equal(tls_hello_first(in, &h), PARSE_MORE));
	/* what is there of a hello in two segments is told */
	assert_int_equal(tls_hello_first((struct bytes){buf, w.len - 20}, &h), PARSE_MORE);
	assert_text(h.server_name, "example.org");
	buf[0] = 23;
	assert_int_equal(tls_hello_first((struct bytes){buf, w.len}, &h), PARSE_BAD);
	buf[0] = 22;
	buf[43] = 200; /* the session reaches beyond the hello */
	assert_int_equal(tls_hello_first((struct bytes){buf, w.len}, &h), PARSE_BAD);
}

static void http_hints_are_found(void **state)
{
	struct http_head h;

	PUT("GET /x HTTP/1.1\r\nhost: fridge.local\r\nUser-Agent: \tprobe/1 \r\nServer: "
	    "two\r\n\r\n");
	assert_int_equal(http_head_read((struct bytes){buf, w.len}, &h), PARSE_OK);
	assert_true(h.request);
	assert_text(h.method, "GET");
	assert_text(h.host, "fridge.local");
	assert_text(h.user_agent, "probe/1");
	EVERY_PREFIX(assert_int_equal(http_head_read(in, &h), PARSE_MORE));
	w.len = 0;
	PUT("HTTP/1.0 404 Not Found\nServer: x\n\n");
	assert_int_equal(http_head_read((struct bytes){buf, w.len}, &h), PARSE_OK);
	assert_false(h.request);
	assert_int_equal(h.status, 404);
	assert_text(h.server, "x");
	w.len = 0;
	PUT("\x16\3\1\0\x57");
	assert_int_equal(http_head_read((struct bytes){buf, w.len}, &h), PARSE_BAD);
	w.len = 0;
	PUT("HELO there\r\n");
	assert_int_equal(http_head_read((struct bytes){buf, w.len}, &h), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(dhcp_tells_who_asks_and_who_answers, setup),
		cmocka_unit_test_setup(dhcp_refuses_lies, setup),
		cmocka_unit_test_setup(dhcp_reads_overloaded_fields, setup),
		cmocka_unit_test_setup(dhcp_puts_parts_together, setup),
		cmocka_unit_test_setup(mdns_names_host_and_services, setup),
		cmocka_unit_test_setup(mdns_refuses_loops, setup),
		cmocka_unit_test_setup(lldp_names_system_and_model, setup),
		cmocka_unit_test_setup(tls_tells_name_and_version, setup),
		cmocka_unit_test_setup(http_hints_are_found, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
