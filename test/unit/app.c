#include "unit.h"

#include "guard/flow/app.h"

/* An IPv4 packet around a payload, good enough for whoever reads headers. */
static struct packet packet(uint8_t proto, uint16_t sport, uint16_t dport, const char *payload,
			    uint8_t *frame)
{
	size_t len = strlen(payload), l4 = proto == PROTO_TCP ? 20 : 8;
	struct writer w = writer_new(frame, 1500);
	struct packet p;

	write_be16(&w, 0x4500);
	write_be16(&w, (uint16_t)(20 + l4 + len));
	write_be32(&w, 0);
	write_u8(&w, 64);
	write_u8(&w, proto);
	write_be16(&w, 0);
	write_be32(&w, 0x0a000001);
	write_be32(&w, 0x0a000002);
	write_be16(&w, sport);
	write_be16(&w, dport);
	if (proto == PROTO_TCP) {
		write_be32(&w, 1);
		write_be32(&w, 1);
		write_be16(&w, 0x5018);
		write_be16(&w, 1000);
		write_be32(&w, 0);
	} else {
		write_be16(&w, (uint16_t)(8 + len));
		write_be16(&w, 0);
	}
	write_bytes(&w, payload, len);
	memset(&p, 0, sizeof(p));
	p.ip_version = 4;
	p.proto = proto;
	p.has_ports = true;
	p.src_port = sport;
	p.dst_port = dport;
	p.l3 = (struct bytes){frame, w.len};
	p.payload = (struct bytes){frame + 20 + l4, len};
	return p;
}

static void looks_at_content_not_at_ports(void **state)
{
	struct app *a = app_new(4);
	uint8_t frame[1500];
	struct flow f = {0};
	struct packet p = packet(PROTO_TCP, 40000, 9999,
				 "GET /x HTTP/1.1\r\nHost: pump.example\r\n\r\n", frame);

	app_look(a, &f, &p);
	assert_string_equal(app_name(a, f.app), "http");
	assert_int_equal(f.detect, 0);
	app_free(a);
}

static void a_port_alone_names_nothing(void **state)
{
	struct app *a = app_new(4);
	uint8_t frame[1500];
	struct flow f = {0};
	struct packet p = packet(PROTO_TCP, 40000, 443, "qqqqqqqqqqqqqqqqqqqq", frame);

	for (unsigned i = 0; i < 20; i++)
		app_look(a, &f, &p);
	assert_int_equal(f.app, 0);
	assert_null(app_name(a, f.app));
	assert_int_equal(f.app_packets, APP_PACKETS_TCP);
	assert_int_equal(f.detect, 0);
	app_free(a);
}

/* nDPI takes whoever logs in to a directory for a publisher; MQTT is read by a parser of ours, or is none. */
static void a_directory_is_no_broker(void **state)
{
	struct app *a = app_new(4);
	uint8_t frame[1500];
	struct flow f = {0};
	struct packet p = packet(PROTO_TCP, 40000, 389,
				 "\x30\x25\2\1\1\x60\x20\2\1\3\4\x14"
				 "cn=admin,dc=x,dc=org"
				 "\x80\5admin",
				 frame);

	for (unsigned i = 0; i < 20; i++)
		app_look(a, &f, &p);
	assert_true(!f.app || strcmp(app_name(a, f.app), "mqtt") != 0);
	app_end(a, &f);
	app_free(a);
}

/* More conversations at once than slots: the oldest gives way, the newest is still named. */
static void a_full_pool_gives_up_its_oldest(void **state)
{
	struct app *a = app_new(2);
	uint8_t frame[1500];
	struct flow f[5] = {0};
	struct packet p = packet(PROTO_TCP, 40000, 7000, "zzzzzzzzzzzz", frame);

	for (unsigned i = 0; i < 4; i++)
		app_look(a, &f[i], &p);
	assert_int_equal(f[0].detect, 0);
	assert_int_equal(f[1].detect, 0);
	assert_int_not_equal(f[2].detect, 0);
	assert_int_not_equal(f[3].detect, 0);
	p = packet(PROTO_TCP, 40000, 7000, "SSH-2.0-OpenSSH_9.2\r\n", frame);
	app_look(a, &f[4], &p);
	app_look(a, &f[0], &p);
	assert_int_equal(f[0].app, 0);
	for (unsigned i = 0; i < 5; i++)
		app_end(a, &f[i]);
	app_end(a, &f[2]);
	app_free(a);
}

static void a_pool_without_slots_is_harmless(void **state)
{
	struct app *a = app_new(0);
	uint8_t frame[1500];
	struct flow f = {0};
	struct packet p = packet(PROTO_TCP, 1, 2, "GET / HTTP/1.1\r\n\r\n", frame);

	app_look(a, &f, &p);
	assert_int_equal(f.app, 0);
	app_free(a);
}

static struct flow conversation(uint8_t server, uint16_t client_port)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	f.key.proto = PROTO_TCP;
	f.key.ip[1].b[15] = server;
	f.key.port[0] = client_port;
	f.key.port[1] = 9999;
	return f;
}

/* After APP_AGREE conversations the next is known by its server, but not for ever. */
static void a_service_is_remembered_and_checked_again(void **state)
{
	struct app *a = app_new(64);
	uint8_t frame[1500];
	struct packet http =
		packet(PROTO_TCP, 40000, 9999, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n", frame);
	uint8_t other_frame[1500];
	struct packet ssh = packet(PROTO_TCP, 40000, 9999, "SSH-2.0-x\r\n", other_frame);
	unsigned as_ssh = 0;

	for (uint16_t i = 0; i < APP_AGREE; i++) {
		struct flow f = conversation(1, i);

		app_look(a, &f, &http);
		assert_string_equal(app_name(a, f.app), "http");
	}
	for (uint16_t i = 0; i < 3 * APP_RECHECK; i++) {
		struct flow f = conversation(1, i), elsewhere = conversation(2, i);

		for (unsigned n = 0; n < 8; n++) {
			app_look(a, &f, &ssh);
			app_look(a, &elsewhere, &ssh);
		}
		as_ssh += app_name(a, f.app) && strcmp(app_name(a, f.app), "ssh") == 0;
		assert_string_equal(app_name(a, elsewhere.app), "ssh");
		if (i == 0)
			assert_string_equal(app_name(a, f.app), "http");
		app_end(a, &f);
		app_end(a, &elsewhere);
	}
	assert_in_range(as_ssh, APP_RECHECK, 3 * APP_RECHECK);
	app_free(a);
}

static void names_are_suricatas(void **state)
{
	static const char *const want[] = {
		"ftp",	"smb",	  "tls",    "dns",  "mqtt",   "dhcp", "snmp", "ssh",  "http",
		"tftp", "telnet", "modbus", "krb5", "dcerpc", "rfb",  "ntp",  "rdp",  "sip",
		"enip", "dnp3",	  "pgsql",  "smtp", "imap",   "pop3", "ike",  "quic", "nfs"};
	struct app *a = app_new(1);

	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		bool there = false;

		for (uint16_t id = 1; !there && id < 512; id++)
			there = app_name(a, id) && strcmp(app_name(a, id), want[i]) == 0;
		if (!there)
			fail_msg("no application is called %s", want[i]);
	}
	assert_null(app_name(a, 0));
	assert_null(app_name(a, UINT16_MAX));
	app_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_at_content_not_at_ports),
		cmocka_unit_test(a_port_alone_names_nothing),
		cmocka_unit_test(a_directory_is_no_broker),
		cmocka_unit_test(a_full_pool_gives_up_its_oldest),
		cmocka_unit_test(a_pool_without_slots_is_harmless),
		cmocka_unit_test(a_service_is_remembered_and_checked_again),
		cmocka_unit_test(names_are_suricatas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
