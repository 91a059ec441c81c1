/*
 * Doors for data: what FTP and TFTP say is turned into exactly the door that it asks for, and what
 * somebody else says, or of somebody else, into none.
 */
#include "unit.h"

#include <arpa/inet.h>

#include "guard/announce.h"
#include "guard/proto/ftp.h"
#include "guard/proto/tftp.h"
#include "guard/proto/tls.h"

static struct gate_grant_row grant;
static struct gate_grant_row door;
static struct flow flow; /* from the workstation to the device */
static unsigned opened, elsewhere, translated, hidden, device_end;
static uint16_t asked_from;

static int set_up(void **state)
{
	grant = (struct gate_grant_row){
		.key = {.segment = 3,
			.peer = {.b = {[10] = 255, 255, 10, 1, 0, 5}},
			.device_mac = {2, 0, 0, 0, 0, 0x11},
			.port = 21,
			.proto = PROTO_TCP},
		.grant = {.until_ns = 77,
			  .id = 7,
			  .port_lo = 21,
			  .port_hi = 21,
			  .mac = {2, 0, 0, 0, 0, 5},
			  .flags = GATE_GRANT_DATA | GATE_GRANT_RECORD},
	};
	flow = (struct flow){.key = {.ip = {{.b = {[10] = 255, 255, 10, 1, 0, 5}},
					    {.b = {[10] = 255, 255, 10, 1, 1, 11}}}}};
	asked_from = 40000;
	device_end = 1;
	return 0;
}

static void said(void *arg, const struct talk *t, const struct proto_input *in, const struct msg *m)
{
	struct packet p = {.src_port = in->end ? in->port[1] : asked_from};
	struct session_message s = {
		.proto = t->proto, .msg = m, .packet = &p, .flow = &flow, .end = in->end};
	struct announce a;
	enum announce_word word = announce_read(&s, &a);

	hidden += announce_hidden(&s);
	elsewhere += word == ANNOUNCE_ELSEWHERE;
	translated += word == ANNOUNCE_TRANSLATED;
	if (word != ANNOUNCE_DATA && word != ANNOUNCE_TRANSLATED)
		return;
	opened++;
	announce_door(&a, &grant, device_end, &door);
}

static void tell(struct talk *t, unsigned end, const void *text, size_t len)
{
	struct bytes copy = unit_exact(text, len);
	struct proto_input in = {.data = copy, .end = (uint8_t)end, .port = {40000, 21}};
	size_t used;

	talk_read(t, &in, said, NULL, &used);
	free((void *)(uintptr_t)copy.data);
}

/* How many doors come of what `end` says after a question, each in a block of its exact size. */
static unsigned hear_after(const char *question, const struct proto *proto, unsigned end,
			   const void *text, size_t len)
{
	struct talk *t = talk_new(proto);

	assert_non_null(t);
	tell(t, 0, question, strlen(question));
	opened = hidden = elsewhere = translated = 0;
	tell(t, end, text, len);
	free(t);
	return opened;
}

static unsigned hear(const struct proto *proto, unsigned end, const void *text, size_t len)
{
	return hear_after("", proto, end, text, len);
}

#define LINE(text)     text "\r\n", sizeof(text "\r\n") - 1
#define ftp(end, text) hear_after("PASV\r\nEPSV\r\n", &ftp_proto, end, LINE(text))

static void assert_door(enum gate_door_kind kind, uint16_t port)
{
	struct gate_grant_row want = grant;

	want.key.kind = kind;
	want.key.port = want.grant.port_lo = want.grant.port_hi = port;
	want.grant.flags = GATE_GRANT_RECORD; /* opens no further ones */
	assert_memory_equal(&door, &want, sizeof(want));
}

static void passive(void **state)
{
	assert_int_equal(ftp(1, "227 Entering Passive Mode (10,1,1,11,78,70)."), 1);
	assert_door(GATE_DOOR_SERVICE, 20038);
	assert_int_equal(ftp(1, "227 =10,1,1,11,4,0"), 1);
	assert_door(GATE_DOOR_SERVICE, 1024);
	/* Behind its own translation it calls itself otherwise: it is met where it is. */
	assert_int_equal(translated, 0);
	assert_int_equal(ftp(1, "227 Entering Passive Mode (192,168,7,7,78,71)"), 1);
	assert_int_equal(translated, 1); /* which not everybody has to take for an answer */
	assert_door(GATE_DOOR_SERVICE, 20039);
	assert_int_equal(ftp(1, "229 Entering Extended Passive Mode (|||6446|)"), 1);
	assert_door(GATE_DOOR_SERVICE, 6446);
	assert_int_equal(ftp(1, "229 ok (!!!65535!)"), 1);
	assert_door(GATE_DOOR_SERVICE, 65535);
}

/* An answer is one to a question of its kind that has none yet. */
static void what_was_not_asked(void **state)
{
	static const struct {
		const char *question;
		unsigned doors;
	} rows[] = {
		{"", 0},
		{"EPSV\r\n", 0},
		{"PASV\r\n", 1},
		{"pasv\r\n", 1},
		{"PASV\r\nRETR a\r\n", 1}, /* one that does not wait */
		{"RETR PASV\r\n", 0},
	};
	static const char twice[] = "227 (10,1,1,11,78,70)\r\n227 (10,1,1,11,78,71)\r\n";
	static const char late[] = "500 no\r\n227 (10,1,1,11,78,70)\r\n";

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			hear_after(rows[i].question, &ftp_proto, 1, LINE("227 (10,1,1,11,78,70)")),
			rows[i].doors);
	assert_int_equal(hear_after("PASV\r\n", &ftp_proto, 1, LINE("229 (|||6446|)")), 0);
	assert_int_equal(hear_after("EPSV\r\n", &ftp_proto, 1, LINE("229 (|||6446|)")), 1);
	assert_int_equal(hear_after("PASV\r\n", &ftp_proto, 1, twice, sizeof(twice) - 1), 1);
	assert_int_equal(hear_after("PASV\r\n", &ftp_proto, 1, late, sizeof(late) - 1), 0);
}

/* Where the device is the client, the same things open towards the other side. */
static void a_device_that_asks(void **state)
{
	static const char want[] = "\0\1firmware\0octet";

	device_end = 0;
	assert_int_equal(ftp(1, "229 ok (|||6446|)"), 1);
	assert_door(GATE_DOOR_BACK, 6446);
	assert_int_equal(ftp(0, "PORT 10,1,0,5,156,65"), 1);
	assert_door(GATE_DOOR_SERVICE, 40001);
	assert_int_equal(hear(&tftp_proto, 0, want, sizeof(want)), 1);
	assert_door(GATE_DOOR_SERVICE, 40000);
}

static void active(void **state)
{
	assert_int_equal(ftp(0, "PORT 10,1,0,5,156,65"), 1);
	assert_door(GATE_DOOR_BACK, 40001);
	assert_int_equal(ftp(0, "EPRT |1|10.1.0.5|6275|"), 1);
	assert_door(GATE_DOOR_BACK, 6275);
	inet_pton(AF_INET6, "fd00::5", flow.key.ip[0].b);
	assert_int_equal(ftp(0, "eprt |2|fd00:0::5|6276|"), 1);
	assert_door(GATE_DOOR_BACK, 6276);
}

/* A third one's address, a service's port, the wrong end, and what is none. */
static void what_opens_nothing(void **state)
{
	assert_int_equal(ftp(0, "PORT 10,1,0,6,156,65"), 0);
	assert_int_equal(elsewhere, 1);
	assert_int_equal(ftp(0, "EPRT |1|10.1.0.6|6275|"), 0);
	assert_int_equal(elsewhere, 1);
	assert_int_equal(ftp(1, "229 Entering Extended Passive Mode (|||1023|)"), 0);
	assert_int_equal(elsewhere, 1);
	assert_int_equal(ftp(0, "EPRT |1||6275|"), 0);
	assert_int_equal(ftp(0, "EPRT |2|fd00::5|6275|"), 0);
	assert_int_equal(ftp(0, "EPRT |1|10.1.0.0/24|6275|"), 0);
	assert_int_equal(ftp(0, "EPRT |1|10.1.0.5|6275"), 0);
	assert_int_equal(ftp(0, "EPRT |1|10.1.0.5|62750|"), 1);
	assert_int_equal(ftp(0, "EPRT |1|10.1.0.5|66000|"), 0);
	assert_int_equal(ftp(0, "EPRT"), 0);
	assert_int_equal(ftp(0, "EPRT |"), 0);
	assert_int_equal(ftp(0, "PORT 10,1,0,5,3,255"), 0);
	assert_int_equal(elsewhere, 1);
	assert_int_equal(ftp(0, "PORT 10,1,0,5,256,1"), 0);
	assert_int_equal(ftp(0, "PORT 10,1,0,5,156"), 0);
	assert_int_equal(ftp(0, "PORT 10,1,0,5,156,65,1"), 0);
	assert_int_equal(ftp(0, "PORT 10,1,0,99999999999,156,65"), 0);
	assert_int_equal(ftp(1, "227 Entering Passive Mode (10,1,1,11,0,23)"), 0);
	assert_int_equal(ftp(1, "229 Entering Extended Passive Mode (|||23|)"), 0);
	assert_int_equal(ftp(1, "229 Entering Extended Passive Mode (|||99999|)"), 0);
	assert_int_equal(ftp(1, "229 Entering Extended Passive Mode (6446)"), 0);
	assert_int_equal(ftp(1, "200 Entering Passive Mode (10,1,1,11,78,70)"), 0);
	assert_int_equal(ftp(1, "227-Entering Passive Mode (10,1,1,11,78,70)"), 0);
	assert_int_equal(ftp(1, "PORT 10,1,0,5,156,65"), 0);
	assert_int_equal(ftp(0, "227 Entering Passive Mode (10,1,1,11,78,70)"), 0);
	assert_int_equal(ftp(0, "RETR 227 (10,1,1,11,78,70)"), 0);
}

static void a_file_by_tftp(void **state)
{
	static const char want[] = "\0\1drugs.lib\0octet", data[] = "\0\3\0\1x", none[] = "\0\1";

	grant.key.proto = PROTO_UDP;
	assert_int_equal(hear(&tftp_proto, 0, want, sizeof(want)), 1);
	assert_door(GATE_DOOR_BACK, 40000);
	assert_int_equal(hear(&tftp_proto, 1, want, sizeof(want)), 0);
	assert_int_equal(hear(&tftp_proto, 0, data, sizeof(data)), 0);
	assert_int_equal(hear(&tftp_proto, 0, none, sizeof(none) - 1), 0);
	asked_from = 514;
	assert_int_equal(hear(&tftp_proto, 0, want, sizeof(want)), 0);
	assert_int_equal(elsewhere, 1);
}

/* What two ends say one after the other; how often it hides what is announced. */
static unsigned hides(const char *client, const char *server)
{
	hear_after(client, &ftp_proto, 1, server, strlen(server));
	return hidden;
}

/* Only where both agreed on it. */
static void what_is_hidden(void **state)
{
	static const char passive_reply[] =
		"234 go\r\n227 Entering Passive Mode (10,1,1,11,78,70).\r\n";

	assert_int_equal(hides("AUTH TLS\r\n", passive_reply), 1);
	assert_int_equal(opened, 0); /* what looks like it behind that is noise */
	assert_int_equal(hides("AUTH GSSAPI\r\nADAT Zm9v\r\n", "334 go on\r\n235 done\r\n"), 1);
	assert_int_equal(hides("AUTH TLS\r\n", "502 not here\r\n"), 0);
	assert_int_equal(hides("FEAT\r\n", "234 go\r\n"), 0);
	assert_int_equal(hides("234 go\r\n", "AUTH TLS\r\n"), 0);
}

/* FTP that is TLS from its first byte on, and TLS that is something else. */
static void hidden_from_the_start(void **state)
{
	struct tls_msg hello = {.type = "server_hello"};
	struct packet p = {.src_port = 990};
	struct session_message s = {.proto = &tls_proto, .msg = &hello.msg, .packet = &p, .end = 1};

	assert_true(announce_hidden(&s));
	s.end = 0;
	assert_false(announce_hidden(&s));
	s.end = 1;
	p.src_port = 30005;
	assert_false(announce_hidden(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(passive, set_up),
		cmocka_unit_test_setup(active, set_up),
		cmocka_unit_test_setup(what_opens_nothing, set_up),
		cmocka_unit_test_setup(what_was_not_asked, set_up),
		cmocka_unit_test_setup(a_device_that_asks, set_up),
		cmocka_unit_test_setup(a_file_by_tftp, set_up),
		cmocka_unit_test_setup(what_is_hidden, set_up),
		cmocka_unit_test_setup(hidden_from_the_start, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
