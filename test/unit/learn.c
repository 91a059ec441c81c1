#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "cli/propose.h"
#include "guard/policy/message.h"

#define EVENT "{\"timestamp\":\"2026-01-01T00:00:00.0+0000\",\"event_type\":"
#define MACHINE(mac, name, ips)                                                   \
	EVENT "\"inventory\",\"inventory\":{\"mac\":\"" mac "\",\"name\":\"" name \
	      "\",\"vendor\":\"\",\"segment\":\"icu\",\"ips\":[" ips "]}}"
#define FLOW(src, sport, dst, dport, proto, there, back)                                  \
	EVENT "\"flow\",\"src_ip\":\"" src "\",\"src_port\":" sport ",\"dest_ip\":\"" dst \
	      "\",\"dest_port\":" dport ",\"proto\":\"" proto                             \
	      "\",\"flow\":{\"pkts_toserver\":" there ",\"pkts_toclient\":" back          \
	      ",\"bytes_toserver\":10,\"bytes_toclient\":10}}"

#define SPOKE(src, sport, dst, dport, app, more)                                          \
	EVENT "\"flow\",\"src_ip\":\"" src "\",\"src_port\":" sport ",\"dest_ip\":\"" dst \
	      "\",\"dest_port\":" dport ",\"proto\":\"TCP\",\"app_proto\":\"" app         \
	      "\",\"flow\":{\"pkts_toserver\":9,\"pkts_toclient\":9}" more "}"
#define SAID(src, sport, dst, dport, members, more)                                      \
	EVENT "\"hl7\",\"src_ip\":\"" src "\",\"src_port\":" sport ",\"dest_ip\":\"" dst \
	      "\",\"dest_port\":" dport ",\"proto\":\"TCP\",\"hl7\":{" members "}" more "}"

static const char *const lines[] = {
	MACHINE("02:00:00:00:00:01", "Bed 12", "\"10.1.1.12\""),
	/* What a machine says of itself must not get out of its comment or name. */
	MACHINE("02:00:00:00:00:02", "x\\n  evil: [", "\"10.1.1.13\",\"10.1.1.12\""),
	FLOW("10.1.0.5", "40000", "10.1.1.12", "24105", "UDP", "9", "9"),
	FLOW("10.1.1.12", "24105", "255.255.255.255", "24005", "UDP", "9", "0"),
	/* The answer was seen first. */
	FLOW("10.1.0.7", "11112", "10.1.1.13", "40000", "TCP", "9", "9"),
	FLOW("10.1.1.13", "40001", "8.8.8.8", "443", "TCP", "9", "9"),
	FLOW("10.1.1.13", "40002", "10.1.0.8", "445", "TCP", "1", "0"), /* nobody there */
	"no event",
	"",
	"[]",
	"{\"inventory\":{\"mac\":7}}",
};

static struct config_profile *profiles;
static unsigned profile_count;

static char *proposal(struct propose *p, const char *const *from, size_t count, int *ret_r)
{
	struct seen seen;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(seen_new(&seen), 0);
	for (size_t i = 0; i < count; i++)
		seen_line(&seen, from[i], strlen(from[i]));
	seen_settle(&seen);
	p->seen = &seen;
	p->profiles = profiles;
	p->profile_count = profile_count;
	*ret_r = propose_write(p, out);
	fclose(out);
	seen_free(&seen);
	return text;
}

static struct config *parse(const char *text)
{
	struct config_error errors[8];
	size_t count = 0;
	struct config *c = config_parse(UNIT_SOURCE "/proposal.yaml",
					(struct bytes){(const uint8_t *)text, strlen(text)}, errors,
					8, &count);

	for (size_t i = 0; i < count; i++)
		print_message("%u:%u: %s\n", errors[i].line, errors[i].column, errors[i].text);
	if (!c)
		print_message("of:\n%s", text);
	assert_non_null(c);
	return c;
}

static void what_was_seen_becomes_a_policy(void **state)
{
	struct propose p = {.config = NULL};
	char *text;
	struct config *c;
	int r;

	text = proposal(&p, lines, sizeof(lines) / sizeof(lines[0]), &r);
	assert_int_equal(r, 0);
	c = parse(text);
	assert_int_equal(c->devices_count, 2);
	assert_string_equal(c->devices[0].name, "bed12");
	assert_string_equal(c->devices[0].profile, "philips-intellivue");
	assert_int_equal(*c->devices[0].mode, GATE_SIMULATE);
	assert_string_equal(c->devices[1].profile, "dicom-modality");
	/* An address that two claim stays with the first. */
	assert_int_equal(c->devices[1].ip_count, 1);
	assert_string_equal(c->devices[1].ip[0], "10.1.1.13");
	assert_int_equal(c->hosts_count, 3);
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(c->hosts[i].name, "host-10-1-0-5") == 0)
			assert_string_equal(c->hosts[i].role[0], "central");
		else if (strcmp(c->hosts[i].name, "host-10-1-0-7") == 0)
			assert_string_equal(c->hosts[i].role[0], "pacs");
		else
			assert_int_equal(c->hosts[i].role_count, 0); /* 8.8.8.8 */
	/* What no profile covers is there to be read, and allows nothing. */
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(c->devices[i].starts_count + c->devices[i].accepts_count, 0);
	assert_non_null(strstr(text, "port: [443], peer: \"host-8-8-8-8\""));
	assert_non_null(strstr(text, "A public address"));
	assert_null(strstr(text, "445"));
	assert_int_equal(p.uncovered, 1);
	config_free(c);
	free(text);
}

static void what_there_is_stays_as_it_is(void **state)
{
	static const char site[] =
		"segments: [{name: icu, ward: w, hospital: h, net: [10.1.1.0/24], mode: observe}]\n"
		"hosts: [{name: archive, ip: [10.1.0.7], role: [store]}]\n"
		"devices:\n"
		"  - name: ct \"1\"\n"
		"    segment: icu\n"
		"    mac: '02:00:00:00:00:02'\n"
		"    ip: [10.1.1.13]\n"
		"    profile: dicom-modality\n"
		"    fail: closed\n"
		"    starts: [{service: own, proto: tcp, port: [4242], peer: store, action: "
		"drop},\n"
		"      {service: results, proto: tcp, port: [2575], peer: store, app: hl7,\n"
		"       allow: ['message_type=ORU^R01'], control: no}]\n";
	struct config *before = parse(site), *after;
	struct propose p = {.config = before};
	char *text;
	int r;

	text = proposal(&p, lines, sizeof(lines) / sizeof(lines[0]), &r);
	assert_int_equal(r, 0);
	after = parse(text);
	assert_string_equal(after->segments[0].ward, "w");
	assert_int_equal(after->segments[0].mode, GATE_OBSERVE);
	assert_string_equal(after->devices[0].name, "ct \"1\"");
	assert_int_equal(*after->devices[0].fail, GATE_CLOSED);
	assert_null(after->devices[0].mode);
	assert_int_equal(after->devices[0].starts_count, 2);
	assert_int_equal(after->devices[0].starts[0].action, GATE_DROP);
	assert_string_equal(after->devices[0].starts[1].app, "hl7");
	assert_false(after->devices[0].starts[1].control);
	assert_int_equal(after->devices[0].starts[1].allow_count, 1);
	assert_string_equal(after->devices[0].starts[1].allow[0], "message_type=ORU^R01");
	/* A host of the policy is given no role by a guess. */
	assert_string_equal(after->hosts[0].name, "archive");
	assert_int_equal(after->hosts[0].role_count, 1);
	assert_non_null(strstr(text, "port: [11112], peer: \"archive\""));
	assert_int_equal(after->devices_count, 2);
	config_free(after);
	config_free(before);
	free(text);
}

static void without_a_hint_nobody_is_a_device(void **state)
{
	static const char *const strangers[] = {
		FLOW("10.1.1.1", "40001", "10.1.1.2", "443", "TCP", "9", "9"),
	};
	struct propose p = {.config = NULL};
	int r;
	char *text = proposal(&p, strangers, 1, &r);

	assert_int_equal(r, -ENOENT);
	free(text);
}

static void routers_guests_are_not_theirs(void **state)
{
	uint8_t router[6] = {2, 0, 0, 0, 0, 9}, own[16] = {[10] = 0xff, 0xff, 10, 1, 1, 1};
	struct seen s;

	assert_int_equal(seen_new(&s), 0);
	seen_sender(&s, router, own, true);
	for (unsigned i = 0; i < 20; i++) {
		uint8_t guest[16] = {[10] = 0xff, 0xff, 10, 9, 0, (uint8_t)(i + 1)};

		seen_sender(&s, router, guest, false);
	}
	seen_settle(&s);
	assert_int_equal(s.machine_count, 1);
	assert_int_equal(s.machines[0].ips, 1);
	assert_memory_equal(s.machines[0].ip[0], own, 16);
	seen_free(&s);
}

/* What a person makes of a proposal by taking every '#' away that may be taken. */
static char *uncomment(const char *text)
{
	char *out = calloc(1, strlen(text) + 1);
	size_t n = 0;
	bool offered = false;

	for (const char *s = text; *s;) {
		size_t len = strcspn(s, "\n") + 1;

		if (strncmp(s, "    # Not covered", 17) == 0 || strncmp(s, "    # ", 6) != 0)
			offered = strncmp(s, "    # Not", 9) == 0;
		else if (offered)
			n += (size_t)sprintf(out + n, "    ");
		if (offered && strncmp(s, "    # Not", 9) != 0) {
			s += 6;
			len -= 6;
		}
		memcpy(out + n, s, len);
		n += len;
		s += len;
	}
	return out;
}

#define ANALYSER MACHINE("02:00:00:00:00:07", "Cobas-7", "\"10.1.1.7\"")
#define ORU	 "\"message_type\":\"ORU^R01\",\"sending_application\":"
#define ACK	 "\"message_type\":\"ACK^R01\",\"sending_application\":\"LIS\""

static void what_was_said_is_offered_and_not_in_force(void **state)
{
	static const char *const said[] = {
		ANALYSER,
		SAID("10.1.1.7", "40001", "10.1.0.9", "2575", ORU "\"COBAS \\\"7\\\" \\\\\"", ""),
		SAID("10.1.0.9", "2575", "10.1.1.7", "40001", ACK, ""),
		SAID("10.1.1.7", "40002", "10.1.0.9", "2575", ORU "\"B\"", ""),
		/* Refused here already: not to be learned. */
		SAID("10.1.1.7", "40002", "10.1.0.9", "2575", "\"message_type\":\"ORM^O01\"",
		     ",\"reason\":\"policy.message_not_allowed\",\"verdict\":{\"action\":"
		     "\"drop\"}"),
		SPOKE("10.1.1.7", "40001", "10.1.0.9", "2575", "hl7", ""),
		SPOKE("10.1.1.7", "40002", "10.1.0.9", "2575", "hl7", ""),
		/* Another end, where a message changed the device; nothing allows it yet. */
		SAID("10.1.0.8", "50000", "10.1.1.7", "6661", ORU "\"X\",\"control\":true", ""),
		SPOKE("10.1.0.8", "50000", "10.1.1.7", "6661", "hl7", ""),
	};
	struct propose p = {.config = NULL};
	const struct config_rule *r;
	struct config *c;
	char *text, *taken;
	int err;

	config_check_words(message_is_wrong);
	text = proposal(&p, said, sizeof(said) / sizeof(said[0]), &err);
	assert_int_equal(err, 0);
	c = parse(text);
	assert_string_equal(c->devices[0].profile, "hl7-analyser");
	assert_int_equal(c->devices[0].starts_count + c->devices[0].accepts_count, 0);
	assert_int_equal(p.narrower, 1);
	assert_int_equal(p.uncovered, 1);
	assert_null(strstr(text, "ORM"));
	config_free(c);

	taken = uncomment(text);
	c = parse(taken);
	assert_int_equal(c->devices[0].starts_count, 1);
	r = &c->devices[0].starts[0];
	assert_string_equal(r->service, "results and orders (HL7)");
	assert_string_equal(r->peer, "host-10-1-0-9");
	assert_string_equal(r->app, "hl7");
	assert_false(r->control);
	/* Of the answer nothing: it passes unasked, and nobody is to speak as who gave it. */
	assert_int_equal(r->allow_count, 3);
	assert_string_equal(r->allow[0], "message_type=ORU^R01");
	assert_string_equal(r->allow[1], "sending_application=COBAS \"7\" \\");
	assert_string_equal(r->allow[2], "sending_application=B");
	assert_int_equal(c->devices[0].accepts_count, 1);
	r = &c->devices[0].accepts[0];
	assert_string_equal(r->port[0], "6661");
	assert_string_equal(r->app, "hl7");
	assert_true(r->control);
	config_free(c);
	free(taken);
	free(text);
	config_check_words(NULL);
}

/* An attacker's messages: what he says must neither be a pattern nor leave its quotes. */
static void odd_values_are_not_offered(void **state)
{
	static const char *const wild[] = {"*",	      "ORU^?01", "A\\n  evil: [",
					   "\\u0000", "\\u00e9", "\\u202e"};
	char event[1024];
	const char *said[] = {
		ANALYSER,
		SAID("10.1.1.7", "40001", "10.1.0.9", "2575", ORU "\"A\"", ""),
		event,
		SPOKE("10.1.1.7", "40001", "10.1.0.9", "2575", "hl7", ""),
	};
	struct propose p;
	char *text;
	int err;

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		snprintf(event, sizeof(event),
			 SAID("10.1.1.7", "40001", "10.1.0.9", "2575", "\"message_type\":\"%s\"",
			      ""),
			 wild[i]);
		p = (struct propose){.config = NULL};
		text = proposal(&p, said, 4, &err);
		assert_int_equal(err, 0);
		config_free(parse(text));
		assert_int_equal(p.narrower, 1);
		assert_null(strstr(text, "message_type="));
		assert_null(strstr(text, "evil"));
		assert_non_null(strstr(text, "# message_type stays open"));
		assert_non_null(strstr(text, "\"sending_application=A\""));
		free(text);
	}
}

static void too_many_values_are_no_rule(void **state)
{
	char events[SAID_VALUES + 1][512];
	const char *said[SAID_VALUES + 3] = {
		ANALYSER, SPOKE("10.1.1.7", "40001", "10.1.0.9", "2575", "hl7", "")};
	struct propose p = {.config = NULL};
	char *text;
	int err;

	for (unsigned i = 0; i <= SAID_VALUES; i++) {
		snprintf(events[i], sizeof(events[i]),
			 SAID("10.1.1.7", "40001", "10.1.0.9", "2575", ORU "\"A%u\"", ""), i);
		said[2 + i] = events[i];
	}
	text = proposal(&p, said, SAID_VALUES + 2, &err);
	assert_non_null(strstr(text, "\"sending_application=A7\""));
	free(text);
	p = (struct propose){.config = NULL};
	text = proposal(&p, said, SAID_VALUES + 3, &err);
	assert_null(strstr(text, "sending_application="));
	assert_non_null(strstr(text, "# sending_application stays open"));
	assert_non_null(strstr(text, "\"message_type=ORU^R01\""));
	free(text);
}

/* A line that would stop what works is not offered. */
static void what_was_not_only_hl7_stays_as_it_is(void **state)
{
	static const char *const others[] = {
		SPOKE("10.1.1.7", "40003", "10.1.0.9", "2575", "tls", ""),
		SPOKE("10.1.1.7", "40003", "10.1.0.9", "2575", "", ""),
		SAID("10.1.1.7", "40003", "10.1.0.9", "2575", "", ",\"reason\":\"hl7.framing\""),
	};
	const char *said[] = {
		ANALYSER,
		SAID("10.1.1.7", "40001", "10.1.0.9", "2575", ORU "\"A\"", ""),
		SPOKE("10.1.1.7", "40001", "10.1.0.9", "2575", "hl7", ""),
		NULL,
	};
	struct propose p;
	int err;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		said[3] = others[i];
		p = (struct propose){.config = NULL};
		free(proposal(&p, said, 4, &err));
		assert_int_equal(p.narrower, 0);
	}
}

/* Only a request says who asks: who does so each time is held to it, who does not at all is not, and
 * what was picked up behind it shows nobody nameless. */
static void a_name_is_of_its_association(void **state)
{
#define DIMSE(members)                                                            \
	EVENT "\"dicom\",\"src_ip\":\"10.1.1.7\",\"src_port\":40001,\"dest_ip\":" \
	      "\"10.1.0.9\",\"dest_port\":104,\"proto\":\"TCP\",\"dicom\":{" members "}}"
#define ASKED(members)                                                                            \
	DIMSE("\"pdu\":\"A-ASSOCIATE-RQ\",\"calling_ae\":\"CT1\",\"called_ae\":\"PACS\"," members \
	      "\"presentation_contexts\":[]")
	static const char named[] = ASKED("\"user_identity\":\"jwt\","), nameless[] = ASKED("");
	static const char *const said[][2] = {{named, named}, {named, nameless}, {nameless, NULL}};

	for (unsigned i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		const char *all[] = {ANALYSER,
				     SPOKE("10.1.1.7", "40001", "10.1.0.9", "104", "dicom", ""),
				     DIMSE("\"pdu\":\"P-DATA-TF\",\"command\":\"C-STORE-RQ\""),
				     said[i][0], said[i][1]};
		struct propose p = {.config = NULL};
		char *text;
		int err;

		text = proposal(&p, all, said[i][1] ? 5 : 4, &err);
		assert_non_null(strstr(text, "\"command=C-STORE-RQ\""));
		assert_non_null(strstr(text, "\"calling_ae=CT1\""));
		assert_null(strstr(text, "\"calling_ae=\""));
		assert_null(strstr(text, "\"called_ae=\""));
		assert_int_equal(!!strstr(text, "\"user_identity=jwt\""), i < 2);
		assert_int_equal(!!strstr(text, "\"user_identity=\""), i == 1);
		free(text);
	}
}

/* A recording that begins late holds a message and its confirmation of what goes on all day. */
static void one_message_is_enough_to_be_known_by(void **state)
{
#define ONCE(app)                                                                   \
	EVENT "\"flow\",\"src_ip\":\"10.1.1.7\",\"src_port\":40001,\"dest_ip\":"    \
	      "\"10.1.0.9\",\"dest_port\":1883,\"proto\":\"TCP\"," app "\"flow\":{" \
	      "\"pkts_toserver\":1,\"pkts_toclient\":1}}"
	static const char *const seen[] = {ANALYSER, ONCE("\"app_proto\":\"mqtt\",")};
	static const char *const search[] = {ANALYSER, ONCE("")};
	struct propose p = {.config = NULL};
	int err;
	char *text = proposal(&p, seen, 2, &err);

	assert_non_null(strstr(text, "1883"));
	free(text);
	p = (struct propose){.config = NULL};
	text = proposal(&p, search, 2, &err);
	assert_true(!text || !strstr(text, "1883"));
	free(text);
}

/* What mail says in TLS, now and then in clear text; `first` and `then`: how the conversations ended. */
static char *mail_proposal(const struct config *config, const char *first, const char *then)
{
#define MAIL(app) SPOKE("10.1.1.7", "40001", "10.1.0.9", "587", app, "")
	static const char smtp[] = EVENT
		"\"smtp\",\"src_ip\":\"10.1.1.7\",\"src_port\":40001,\"dest_ip\":\"10.1.0.9\","
		"\"dest_port\":587,\"proto\":\"TCP\",\"smtp\":{\"command\":\"EHLO\"}}";
	static const char tls[] =
		EVENT "\"tls\",\"src_ip\":\"10.1.1.7\",\"src_port\":40001,\"dest_ip\":\"10.1.0.9\","
		      "\"dest_port\":587,\"proto\":\"TCP\",\"tls\":{\"type\":\"client_hello\","
		      "\"sni\":\"mail.ward\",\"version\":\"TLS 1.3\"}}";
	const char *seen[] = {ANALYSER, smtp, tls, first, then};
	struct propose p = {.config = config};
	int err;

	return proposal(&p, seen, 5, &err);
}

/* Who never spoke but in TLS is held to that; who did is held to mail, which may go on in TLS. */
static void what_goes_on_in_tls_is_learned(void **state)
{
	char *text = mail_proposal(NULL, MAIL("tls"), MAIL("tls"));

	assert_non_null(strstr(text, "app: tls"));
	assert_non_null(strstr(text, "sni=mail.ward"));
	free(text);
	text = mail_proposal(NULL, MAIL("smtp"), MAIL("tls"));
	assert_non_null(strstr(text, "app: smtp"));
	assert_null(strstr(text, "app: tls"));
	free(text);
	text = mail_proposal(NULL, MAIL("tls"), MAIL("smtp"));
	assert_non_null(strstr(text, "app: smtp"));
	free(text);
}

/* RFC 1350 §4: what a file comes by is a port of one day. */
static void a_file_by_tftp_is_one_line(void **state)
{
#define FETCHED(client, server)                                                             \
	EVENT "\"tftp\",\"src_ip\":\"" client "\",\"src_port\":40007,\"dest_ip\":\"" server \
	      "\",\"dest_port\":69,\"proto\":\"UDP\",\"tftp\":{\"packet\":\"read\"}}"
	static const char *const serves[] = {
		ANALYSER,
		FETCHED("10.1.0.9", "10.1.1.7"),
		FLOW("10.1.1.7", "33001", "10.1.0.9", "40007", "UDP", "9", "9"),
		/* Of another one nobody asked. */
		FLOW("10.1.1.7", "33002", "10.1.0.9", "40008", "UDP", "9", "9"),
	};
	static const char *const asks[] = {
		ANALYSER,
		FETCHED("10.1.1.7", "10.1.0.9"),
		FLOW("10.1.0.9", "33001", "10.1.1.7", "40007", "UDP", "9", "9"),
	};
	struct propose p = {.config = NULL};
	int err;
	char *text = proposal(&p, serves, 4, &err);

	assert_null(strstr(text, "40007"));
	assert_non_null(strstr(text, "40008"));
	free(text);
	p = (struct propose){.config = NULL};
	text = proposal(&p, asks, 3, &err);
	assert_true(!text || !strstr(text, "40007"));
	free(text);
}

/* On top of a device's own lines, an offered one must give nobody what he has not. */
static void offers_never_widen(void **state)
{
	static const struct {
		const char *lines;
		unsigned narrower;
	} cases[] = {
		{"profile: hl7-analyser", 1},
		{"profile: hl7-analyser, peer: [lab-1]", 1},
		{"profile: hl7-analyser, peer: [lab-2]", 0},
		{"starts: [{service: s, proto: tcp, port: [2575], peer: lab}]", 1},
		{"starts: [{service: s, proto: tcp, port: [2575], peer: lab, action: pass}]", 0},
		{"starts: [{service: s, proto: tcp, port: [2575], peer: lab, action: drop}]", 0},
		{"starts: [{service: s, proto: tcp, port: [2575], peer: lab, app: dicom}]", 0},
		{"starts: [{service: s, proto: tcp, port: [2575], peer: lab, app: hl7}]", 1},
		{"starts: [{service: s, proto: tcp, port: [2575], peer: lab, app: hl7, control: no,"
		 " allow: ['message_type=ORU^*']}]",
		 0},
		{"profile: hl7-analyser, starts: [{service: s, proto: tcp, port: ['2000-3000'],"
		 " peer: lab-2, action: drop}]",
		 0},
	};
	static const char *const said[] = {
		SAID("10.1.1.7", "40001", "10.1.0.9", "2575", ORU "\"A\"", ""),
		SPOKE("10.1.1.7", "40001", "10.1.0.9", "2575", "hl7", ""),
	};
	char site[1024], *text;
	int err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct propose p = {.config = NULL};
		struct config *c;

		snprintf(site, sizeof(site),
			 "segments: [{name: icu, ward: w, hospital: h, net: [10.1.1.0/24]}]\n"
			 "hosts: [{name: lab-1, ip: [10.1.0.9], role: [lab]},\n"
			 "  {name: lab-2, ip: [10.1.0.0/24], role: [lab]}]\n"
			 "devices: [{name: d, segment: icu, mac: '02:00:00:00:00:07',\n"
			 "  ip: [10.1.1.7], %s}]\n",
			 cases[i].lines);
		c = parse(site);
		p.config = c;
		text = proposal(&p, said, 2, &err);
		assert_int_equal(err, 0);
		if (p.narrower != cases[i].narrower)
			print_message("%s\n%s", cases[i].lines, text);
		assert_int_equal(p.narrower, cases[i].narrower);
		/* What a line is not for, it does not cover. */
		assert_int_equal(p.uncovered, strstr(cases[i].lines, "dicom") != NULL);
		assert_int_equal(p.uncovered, strstr(text, "# It is not dicom") != NULL);
		config_free(c);
		free(text);
	}
}

static int load_profiles(void **state)
{
	return config_profiles(NULL, UNIT_SOURCE "/proposal.yaml", &profiles, &profile_count);
}

static int free_profiles(void **state)
{
	config_profiles_free(profiles, profile_count);
	return 0;
}

/* A first day: neighbours are found, groups joined, stations called that nobody knows the network of. */
static void what_passes_anyway_is_not_proposed(void **state)
{
	static const char *const from[] = {
		MACHINE("02:00:00:00:00:01", "bed12", "\"10.1.1.12\",\"fe80::1\""),
		FLOW("10.1.1.12", "2000", "10.1.255.255", "2000", "UDP", "1", "0"),
		FLOW("fe80::1", "0", "ff02::16", "0", "IPv6-ICMP", "4",
		     "0},\"icmp_type\":143,\"x\":{\"x\":0"),
		FLOW("fe80::1", "0", "fe80::2", "0", "IPv6-ICMP", "4",
		     "4},\"icmp_type\":135,\"x\":{\"x\":0"),
		FLOW("10.1.1.12", "0", "224.0.0.22", "0", "IGMP", "4", "0"),
	};
	struct propose p = {.config = NULL};
	struct config *c;
	char *text;
	int r;

	text = proposal(&p, from, sizeof(from) / sizeof(from[0]), &r);
	assert_int_equal(r, 0);
	c = parse(text);
	assert_string_equal(c->devices[0].profile, "ge-carescape");
	assert_int_equal(c->hosts_count, 0);
	assert_int_equal(p.uncovered, 0);
	assert_int_equal(c->devices[0].ip_count, 1); /* what is learned anyway is not listed */
	assert_string_equal(c->devices[0].ip[0], "10.1.1.12");
	config_free(c);
	free(text);
}

/* A search is allowed by its group; that others answer it is no conversation to offer a line for. */
static void answers_to_a_search_are_no_service(void **state)
{
	static const char *const from[] = {
		MACHINE("02:00:00:00:00:01", "bed12", "\"10.1.1.12\""),
		MACHINE("02:00:00:00:00:02", "bed13", "\"10.1.1.13\""),
		FLOW("10.1.1.12", "40000", "239.255.255.250", "3702", "UDP", "4", "0"),
		FLOW("10.1.0.5", "3702", "10.1.1.12", "40000", "UDP", "4", "0"),
		FLOW("10.1.1.13", "3702", "10.1.0.6", "40000", "UDP", "4", "0"),
	};
	struct propose p = {.config = NULL};
	char *text;
	int r;

	text = proposal(&p, from, sizeof(from) / sizeof(from[0]), &r);
	assert_int_equal(r, 0);
	assert_non_null(strstr(text, "port: [3702], peer: \"multicast\""));
	assert_null(strstr(text, "host-10-1-0-5"));
	/* Who answers needs a line to do so. */
	assert_non_null(strstr(text, "host-10-1-0-6"));
	free(text);
}

#define ASKS(mac, name)                                                                  \
	EVENT "\"dhcp\",\"dhcp\":{\"client_mac\":\"" mac "\",\"dhcp_type\":\"request\"," \
	      "\"type\":\"request\",\"hostname\":\"" name "\"}}"

static void addresses_that_change_are_not_pinned(void **state)
{
	static const char *const from[] = {
		MACHINE("02:00:00:00:00:01", "", "\"10.1.1.12\""),
		ASKS("02:00:00:00:00:01", "nurse-pc"),
		MACHINE("02:00:00:00:00:02", "bed2",
			"\"10.1.1.13\",\"fd00:1::1\",\"fd00:1::2\",\"fd00:1::3\",\"fd00:1::4\","
			"\"fd00:1::5\",\"fd00:1::6\",\"fd00:1::7\",\"fd00:1::8\",\"fd00:1::9\""),
		FLOW("fd00:1::2", "40000", "fd00:2::1", "443", "TCP", "9", "9"),
	};
	struct propose p = {.config = NULL}, again = p;
	struct config *c;
	char *text;
	int r;

	text = proposal(&p, from, sizeof(from) / sizeof(from[0]), &r);
	assert_int_equal(r, 0);
	c = parse(text);
	assert_int_equal(c->devices_count, 2);
	assert_string_equal(c->devices[0].name, "nurse-pc");
	assert_non_null(strstr(text, "# by DHCP"));
	assert_string_equal(c->devices[1].name, "bed2"); /* no router */
	assert_int_equal(c->devices[1].ip_count, 0);
	assert_non_null(strstr(text, "port: [443], peer: \"host-fd00-2--1\""));
	free(text);
	/* And it is known by what it has when there is a policy without its addresses. */
	again.config = c;
	text = proposal(&again, from, sizeof(from) / sizeof(from[0]), &r);
	assert_non_null(strstr(text, "port: [443], peer: \"host-fd00-2--1\""));
	config_free(c);
	free(text);
}

/* Who makes printers makes other things: what a machine does counts for more. */
static void a_maker_is_no_proof(void **state)
{
	static const char *const from[] = {
		EVENT "\"inventory\",\"inventory\":{\"mac\":\"02:00:00:00:00:01\",\"vendor\":"
		      "\"Hewlett Packard\",\"segment\":\"icu\",\"ips\":[\"10.1.1.12\"]}}",
		FLOW("10.1.1.12", "40000", "10.1.0.5", "80", "TCP", "9", "9"),
		FLOW("10.1.1.12", "40000", "10.1.0.5", "445", "TCP", "9", "9"),
		FLOW("10.1.1.12", "40000", "10.1.0.5", "8443", "TCP", "9", "9"),
		FLOW("10.1.1.12", "40000", "10.1.0.5", "3389", "TCP", "9", "9"),
	};
	struct propose p = {.config = NULL};
	struct config *c;
	char *text;
	int r;

	for (size_t n = 1; n <= 5; n += 4) {
		text = proposal(&p, from, n, &r);
		assert_int_equal(r, 0);
		c = parse(text);
		assert_string_equal(c->devices[0].profile, n == 1 ? "printer" : "");
		config_free(c);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_seen_becomes_a_policy),
		cmocka_unit_test(what_passes_anyway_is_not_proposed),
		cmocka_unit_test(addresses_that_change_are_not_pinned),
		cmocka_unit_test(a_maker_is_no_proof),
		cmocka_unit_test(answers_to_a_search_are_no_service),
		cmocka_unit_test(what_there_is_stays_as_it_is),
		cmocka_unit_test(what_was_said_is_offered_and_not_in_force),
		cmocka_unit_test(odd_values_are_not_offered),
		cmocka_unit_test(too_many_values_are_no_rule),
		cmocka_unit_test(what_was_not_only_hl7_stays_as_it_is),
		cmocka_unit_test(a_name_is_of_its_association),
		cmocka_unit_test(one_message_is_enough_to_be_known_by),
		cmocka_unit_test(what_goes_on_in_tls_is_learned),
		cmocka_unit_test(a_file_by_tftp_is_one_line),
		cmocka_unit_test(offers_never_widen),
		cmocka_unit_test(without_a_hint_nobody_is_a_device),
		cmocka_unit_test(routers_guests_are_not_theirs),
	};

	return cmocka_run_group_tests(tests, load_profiles, free_profiles);
}
