#include "unit.h"

#include <stdio.h>

#include "analyser.h"
#include "base/config.h"
#include "guard/policy/message.h"
#include "guard/policy/policy.h"
#include "guard/proto/mqtt.h"
#include "seed.h"

/* doc/messages.md, whole. */
static char page[65536];

static int read_page(void **state)
{
	FILE *f = fopen(UNIT_SOURCE "/doc/messages.md", "r");
	size_t n;

	assert_non_null(f);
	n = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	page[n] = 0;
	return 0;
}

/* A protocol's row of the table; NULL where it has none. */
static char *row_of(const struct proto *p)
{
	static char row[2048];
	char start[64];
	const char *at;

	snprintf(start, sizeof(start), "\n| `%s` |", p->name);
	at = strstr(page, start);
	if (!at)
		return NULL;
	snprintf(row, sizeof(row), "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
	return row;
}

/* What the page says of a protocol's members is what a rule may say, no more and no less. */
static void every_member_is_named(void **state)
{
	unsigned rows = 0;

	for (unsigned i = 0; i < proto_count; i++) {
		const struct proto *p = protos[i];
		char *row = row_of(p), *member, *end;

		if (!row)
			continue;
		rows++;
		for (const struct proto_field *f = p->fields; *f->name; f++) {
			char item[64];

			snprintf(item, sizeof(item), "`%s`", f->name);
			if (f->flags & FIELD_MATCH && !strstr(row, item))
				fail_msg("%s: no word of %s", p->name, f->name);
		}
		row = strchr(row + 2, '|');
		*strchr(row + 1, '|') = 0;
		for (member = strchr(row, '`'); member; member = strchr(end + 1, '`')) {
			const struct proto_field *f;

			end = strchr(++member, '`');
			*end = 0;
			f = proto_field(p, member);
			if (!f || !(f->flags & FIELD_MATCH))
				fail_msg("%s: a rule cannot narrow %s", p->name, member);
		}
	}
	assert_true(rows >= 8);
}

/* An event takes a member's name as it stands: what is said of it must be so. */
static void names_are_what_is_said_of_them(void **state)
{
	for (unsigned i = 0; i < proto_count; i++)
		for (const struct proto_field *f = protos[i]->fields; *f->name; f++) {
			bool path = strchr(f->name, '.');

			assert_true(f->len < PROTO_KEY_MAX);
			assert_int_equal(f->len, strnlen(f->name, PROTO_KEY_MAX));
			if (path != !!(f->flags & FIELD_INNER) && !(f->flags & FIELD_SILENT))
				fail_msg("%s: %s is%s a path", protos[i]->name, f->name,
					 path ? "" : " not");
		}
}

/* What a rule makes of the first message that is said. */
struct judged {
	const struct message_rules *rules;
	uint32_t rule;
	bool heard;
	enum reason reason;
	unsigned refused;
};

static void judge(void *arg, const struct talk *t, const struct proto_input *in,
		  const struct msg *m)
{
	struct judged *j = arg;

	if (!j->heard)
		j->reason = message_judge(j->rules, j->rule, t->proto, m);
	j->heard = true;
}

static bool passes_at(const char *app, const char *line, const void *data, size_t len,
		      bool midstream)
{
	const struct proto *p = proto_find(app);
	struct talk *t = talk_new(p);
	char text[128];
	struct judged j = {0};
	struct proto_input in = {.data = unit_exact(data, len),
				 .datagram = p->over & PROTO_OVER_UDP,
				 .midstream = midstream,
				 .port = {40000, 53}};
	size_t used;

	snprintf(text, sizeof(text), "%s\n%s", app, line);
	j.rules = message_rules_of(text);
	assert_non_null(j.rules);
	talk_read(t, &in, judge, &j, &used);
	assert_true(j.heard);
	message_rules_free((struct message_rules *)j.rules);
	free((void *)in.data.data);
	free(t);
	return j.reason == REASON_NONE;
}

static bool passes(const char *app, const char *line, const void *data, size_t len)
{
	return passes_at(app, line, data, len, false);
}
#define PASSES(app, line, literal) passes(app, line, literal, sizeof(literal) - 1)
#define PASSES_MIDSTREAM(app, line, literal) \
	passes_at(app, line, literal, sizeof(literal) - 1, true)

#define MLLP(kind)    "\vMSH|^~\\&|A|B|C|D|2026||" kind "|1|P|2.6\r\x1c\r"
#define OK	      "SIP/2.0 200 OK\r\n"
#define BACNET_ACK    "\x81\x0a\0\x0e\1\0\x30\1\x0c\x0c\2\0\0\1"
#define SNMP_RESPONSE "\x30\x12\2\1\1\4\0\xa2\x0b\2\1\1\2\1\0\2\1\0\x30\0"
#define LONG         \
	"          " \
	"          " \
	"          "
#define ASSOCIATE(called, calling)                                         \
	"\1\0\0\0\0\x89\0\1\0\0" called calling                            \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
	"\x10\0\0\x15"                                                     \
	"1.2.840.10008.3.1.1.1"                                            \
	"\x20\0\0\x1c\1\0\0\0\x30\0\0\3"                                   \
	"1.2"                                                              \
	"\x40\0\0\x0d"                                                     \
	"1.2.840.10008"                                                    \
	"\x50\0\0\x08\x51\0\0\4\0\0\x40\0"

#define DIMSE(field)                                       \
	"\4\0\0\0\0\x30\0\0\0\x2c\1\3"                     \
	"\0\0\0\0\4\0\0\0\x1e\0\0\0\0\0\0\1\2\0\0\0" field \
	"\0\0\x20\1\2\0\0\0\1\0\0\0\0\x08\2\0\0\0\1\1"

/* Who leaves a name empty, or makes it too long to be kept, has not the name that a rule asks for. */
static void an_empty_name_is_no_other_name(void **state)
{
	const char *type = "message_type=ORU^R01";

	assert_true(PASSES("hl7", type, MLLP("ORU^R01")));
	assert_true(PASSES("hl7", type, MLLP("ORU^R01^ORU_R01")));
	assert_false(PASSES("hl7", type, MLLP("")));
	assert_false(PASSES("hl7", type, MLLP("^^ORM_O01")));
	assert_false(PASSES("hl7", type, MLLP("ORM" LONG "^O01")));
	assert_true(PASSES("hl7", "message_type=", MLLP("")));
	assert_false(PASSES("hl7", "sending_application=A",
			    "\vMSH|^~\\&||B|C|D|2026||ORU^R01|1|P|2.6\r\x1c\r"));

	assert_true(PASSES("modbus", "unit_id=1", "\0\1\0\0\0\6\1\3\0\0\0\1"));
	assert_false(PASSES("modbus", "unit_id=1", "\0\1\0\0\0\6\0\3\0\0\0\1"));

	assert_true(PASSES("http", "hostname=A", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
	assert_false(PASSES("http", "hostname=a", "GET / HTTP/1.0\r\n\r\n"));

	assert_true(PASSES("dns", "rrname=a", "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"));
	assert_false(PASSES("dns", "rrname=a", "\0\1\1\0\0\0\0\0\0\0\0\0"));
	assert_true(PASSES("dns", "rrclass=IN", "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"));
	assert_false(PASSES("dns", "rrclass=IN", "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\3"));
	assert_false(PASSES("dns", "rrclass=IN", "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\7"));
	assert_true(PASSES("dns", "rrclass=CLASS7", "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\7"));
	assert_true(PASSES("dns", "opcode=0", "\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"));
	assert_false(PASSES("dns", "opcode=0", "\0\1\x20\0\0\1\0\0\0\0\0\0\1a\0\0\6\0\1"));
	/* A second zone is none's (RFC 2136 §2.3). */
	assert_false(
		PASSES("dns", "rrname=a", "\0\1\x28\0\0\2\0\0\0\0\0\0\1a\0\0\6\0\1\1b\0\0\6\0\1"));

	/* Nobody asked for what a client answers. */
	assert_true(PASSES("dns", "rrname=a", "\0\1\x81\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"));
	assert_false(PASSES("dns", "rrname=a", "\0\1\x81\0\0\1\0\0\0\0\0\0\1b\0\0\1\0\1"));
	assert_false(PASSES("dns", "rrname=a", "\0\1\x81\0\0\0\0\0\0\0\0\0"));
	assert_true(PASSES("sip", "method=INVITE", OK "CSeq: 1 INVITE\r\n\r\n"));
	assert_false(PASSES("sip", "method=OPTIONS", OK "CSeq: 1 INVITE\r\n\r\n"));
	assert_false(PASSES("sip", "method=INVITE", OK "\r\n"));
	assert_false(PASSES("sip", "uri=sip:pbx", OK "CSeq: 1 INVITE\r\n\r\n"));

	assert_true(PASSES("coap", "uri_path=",
			   "\x41\x45\0\1\1\xff"
			   "5"));
	assert_false(PASSES("coap", "uri_path=/a",
			    "\x41\x45\0\1\1\xff"
			    "5"));
	assert_false(PASSES("coap", "uri_host=a",
			    "\x41\x45\0\1\1\xff"
			    "5"));
	assert_true(PASSES("coap", "uri_path=/a", "\x40\0\0\1")); /* a ping */
	assert_true(PASSES("bacnet", "pdu_type=complex_ack", BACNET_ACK));
	assert_true(PASSES("bacnet", "object_type=device", BACNET_ACK));
	assert_false(PASSES("bacnet", "object_type=file", BACNET_ACK));
	assert_true(PASSES("snmp", "version=2", SNMP_RESPONSE));
	assert_false(PASSES("snmp", "version=3", SNMP_RESPONSE));

	assert_true(PASSES("rdp", "cookie=tech*",
			   "\3\0\0\x2b\x26\xe0\0\0\0\0\0"
			   "Cookie: mstshash=tech1\r\n"
			   "\1\0\x08\0\3\0\0\0"));
	assert_false(PASSES("rdp", "cookie=tech*",
			    "\3\0\0\x2b\x26\xe0\0\0\0\0\0"
			    "Cookie: mstshash=guest\r\n"
			    "\1\0\x08\0\3\0\0\0"));
	assert_false(PASSES("rdp", "cookie=tech*",
			    "\3\0\0\x13\x0e\xe0\0\0\0\0\0"
			    "\1\0\x08\0\3\0\0\0"));
	assert_true(PASSES("rdp", "cookie=",
			   "\3\0\0\x13\x0e\xe0\0\0\0\0\0"
			   "\1\0\x08\0\3\0\0\0"));

	assert_true(PASSES("dicom", "calling_ae=SCU",
			   ASSOCIATE("PACS            ", "SCU             ")));
	assert_false(PASSES("dicom", "calling_ae=SCU",
			    ASSOCIATE("PACS            ", "                ")));
	assert_true(PASSES("dicom",
			   "user_identity=", ASSOCIATE("PACS            ", "SCU             ")));
	assert_false(PASSES("dicom", "user_identity=jwt",
			    ASSOCIATE("PACS            ", "SCU             ")));
	assert_true(PASSES_MIDSTREAM("dicom", "user_identity=jwt", DIMSE("\x20\0")));
	assert_false(PASSES_MIDSTREAM("dicom", "move_destination=CT1", DIMSE("\x21\0")));
	assert_true(PASSES_MIDSTREAM("dicom", "move_destination=", DIMSE("\x21\0")));
	assert_true(PASSES_MIDSTREAM("dicom", "move_destination=CT1", DIMSE("\x20\0")));
}

static void patterns_of_a_member_need_not_stand_together(void **state)
{
	static const char *const rule =
		"message_type=ORU^R01\nsending_application=*\nmessage_type=ADT^A08";

	assert_true(PASSES("hl7", rule, MLLP("ORU^R01")));
	assert_true(PASSES("hl7", rule, MLLP("ADT^A08")));
	assert_false(PASSES("hl7", rule, MLLP("SIU^S12")));
}

#define FROM(who) "\vMSH|^~\\&|" who "|B|C|D|2026||ORU^R01|1|P|2.6\r\x1c\r"

/* Two rules for the same member, one behind the other. */
static void what_one_rule_allows_another_does_not(void **state)
{
	static const char site[] = SITE_ANALYSER
		"      - {service: results, proto: tcp, port: ['1'], peer: lis, app: hl7, allow: "
		"['sending_application=LAB']}\n"
		"      - {service: orders, proto: tcp, port: ['2'], peer: lis, app: hl7, allow: "
		"['sending_application=WARD']}\n";
	static const char *const said[] = {FROM("LAB"), FROM("WARD")};
	struct config_error errors[4];
	struct config *config;
	struct policy *policy;
	struct judged j = {0};
	char text[2048], why[256];
	size_t count, used;
	int len = snprintf(text, sizeof(text), site, "enforce", "open");

	config_check_words(message_is_wrong);
	config = config_parse("site.yaml", (struct bytes){(uint8_t *)text, (size_t)len}, errors, 4,
			      &count);
	assert_non_null(config);
	policy = policy_compile(config, NULL, 0, 1, why);
	assert_non_null(policy);
	j.rules = message_rules_new(policy);
	assert_non_null(j.rules);
	for (unsigned i = 0; i < 4; i++) {
		struct talk *t = talk_new(proto_find("hl7"));
		struct proto_input in = {
			.data = {(const uint8_t *)said[i & 1], strlen(said[i & 1])}};

		j.rule = i >> 1;
		j.heard = false;
		talk_read(t, &in, judge, &j, &used);
		assert_true(j.heard);
		assert_int_equal(j.reason, j.rule == (i & 1) ? REASON_NONE : REASON_POLICY_MESSAGE);
		free(t);
	}
	message_rules_free((struct message_rules *)j.rules);
	policy_free(policy);
	config_free(config);
}

/* Of a conversation amid which a rule that narrows nothing is met, nothing need be feared. */
static void a_rule_narrows_by_members_or_control(void **state)
{
	static const struct {
		const char *rule;
		bool narrows;
	} rows[] = {
		{"", false},
		{"hl7", false},
		{"hl7\nmessage_type=ORU^R01", true},
		{"hl7\ncontrol=no", true},
		{"tls\ncontrol=no", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message_rules *rules = message_rules_of(rows[i].rule);

		assert_int_equal(message_narrows(rules, 0), rows[i].narrows);
		assert_false(message_narrows(rules, 1));
		message_rules_free(rules);
	}
}

/* Some receivers go by the code and the trigger (MSH-9.1, .2), some by the structure (.3). */
static void a_structure_of_another_type_is_that_type_too(void **state)
{
	static const char *const fit[][2] = {
		{"ORU^R01", "ORU^R01^ORU"},	{"ORU^R42", "ORU^R42^ORU_R01"},
		{"ADT^A08", "ADT^A08^ADT_A01"}, {"ADT^A31", "ADT^A31^ADT_A05"},
		{"ADT^A08", "ADT^A08^ADT_A08"}, {"ADT^Z01", "ADT^Z01^ADT_A01"},
		{"SIU^S26", "SIU^S26^SIU_S12"}, {"QBP^Q23", "QBP^Q23^QBP_Q21 "},
		{"TCR^U11", "TCR^U11^TCU_U10"}, {"ACK^A01", "ACK^A01^ACK"},
		{"PIN^I07", "PIN^I07^RQI_I01"}, {"ORU^?01", "ORU^W01^ORU_R01"},
		{"OR*", "ORU^R01^ORM_O01"},
	};
	static const char *const other[][2] = {
		{"ORU^R01", "ORU^R01^ORM_O01"}, {"ORU^R01", "ORU^R01^ORM"},
		{"ORU^R01", "ORU^R01^oru_r01"}, {"ORU^R01", "ORU^R01^ORU_R01&ORM_O01"},
		{"ADT^A08", "ADT^A08^ADT_A39"}, {"ADT^Z01", "ADT^Z01^ORM_O01"},
		{"ORU", "ORU^^ORU_R01"},	{"TCR^U11", "TCR^U11^TCU_U11"},
		{"TCR^U10", "TCR^U10^TCU_U10"}, {"ACK^A01", "ACK^A01^ORM_O01"},
	};
	char line[64], frame[128];
	int n;

	for (size_t i = 0; i < sizeof(fit) / sizeof(fit[0]) + sizeof(other) / sizeof(other[0]);
	     i++) {
		bool fits = i < sizeof(fit) / sizeof(fit[0]);
		const char *const *c = fits ? fit[i] : other[i - sizeof(fit) / sizeof(fit[0])];

		snprintf(line, sizeof(line), "message_type=%s", c[0]);
		n = snprintf(frame, sizeof(frame),
			     "\vMSH|^~\\&|A|B|C|D|||%s|1|P|2.5\rMSA|AA|0\r\x1c\r", c[1]);
		if (passes("hl7", line, frame, (size_t)n) != fits)
			fail_msg("%s: %s%s passes", c[0], c[1], fits ? " never" : "");
	}
	/* Who knows better says so, of either. */
	assert_true(PASSES("hl7", "message_type=ORU^R01\ntype_by_structure=ORU^R03",
			   MLLP("ORU^R01^ORU_R03")));
}

/* A client's hello, with or without the name of a server. */
static void a_hello_without_a_name_is_no_other(void **state)
{
	static const char bare[] = "\x16\3\1\0\x2d\1\0\0\x29\3\3"
				   "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\0\0\2\xc0\x2f\1\0";
	static const char named[] = "\x16\3\1\0\x39\1\0\0\x35\3\3"
				    "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\0\0\2\xc0\x2f\1\0"
				    "\0\x0a\0\0\0\6\0\4\0\0\1a";

	/* Of two, a server might take the other one. */
	static const char two[] = "\x16\3\1\0\x3d\1\0\0\x39\3\3"
				  "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\0\0\2\xc0\x2f\1\0"
				  "\0\x0e\0\0\0\x0a\0\x08\0\0\1a\0\0\1b";

	static const char old[] = "\x80\x1c\1\3\1\0\3\0\0\0\x10\0\0\x2f"
				  "rrrrrrrrrrrrrrrr"; /* as SSL 2 says it */

	assert_false(passes("tls", "sni=a", old, sizeof(old) - 1));
	assert_true(passes("tls", "sni=", old, sizeof(old) - 1));
	assert_false(passes("tls", "sni=a", two, sizeof(two) - 1));
	assert_true(passes("tls", "sni=A", named, sizeof(named) - 1));
	assert_false(passes("tls", "sni=b", named, sizeof(named) - 1));
	assert_false(passes("tls", "sni=a", bare, sizeof(bare) - 1));
	assert_true(passes("tls", "sni=", bare, sizeof(bare) - 1));
}

/* So it is with one that has no fingerprint: of SSL 2, or of more suites than any client has. */
static void a_hello_without_a_fingerprint_is_no_other(void **state)
{
	static const char old[] = "\x80\x1c\1\3\1\0\3\0\0\0\x10\0\0\x2f"
				  "rrrrrrrrrrrrrrrr";
	uint8_t many[5 + 4 + 2093];
	struct writer w = writer_new(many, sizeof(many));

	write_bytes(&w, "\x16\3\1\x08\x31\1\0\x08\x2d\3\3", 11);
	write_bytes(&w, "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\0\x08\x06", 35);
	while (w.len < sizeof(many) - 2)
		write_be16(&w, 0xc02f);
	write_be16(&w, 0x0100);
	assert_false(passes("tls", "ja4=t13*", (char *)many, w.len));
	assert_true(passes("tls", "ja4=", (char *)many, w.len));
	assert_true(passes("tls", "ja3.hash=?*", (char *)many, w.len));
	assert_false(passes("tls", "ja4=t13*", old, sizeof(old) - 1));
	assert_false(passes("tls", "ja3.hash=?*", old, sizeof(old) - 1));
}

/* What leads up again is elsewhere than it begins; what cannot be read has no name that fits. */
static void names_of_files_stay_below(void **state)
{
	assert_true(PASSES("tftp", "file=fw/*", "\0\1fw/a\0octet\0"));
	assert_false(PASSES("tftp", "file=fw/*", "\0\1fw/../a\0octet\0"));
	assert_false(PASSES("tftp", "file=fw/*", "\0\1fw\\..\0octet\0"));
	assert_true(PASSES("tftp", "file=fw/*", "\0\1fw/..a\0octet\0"));
	assert_true(PASSES("tftp", "file=*", "\0\1../a\0octet\0"));
	assert_true(PASSES("tftp", "file=../a", "\0\1../a\0octet\0"));
	assert_false(PASSES("ftp", "command_data=out/*", "RETR out/../../etc/shadow\r\n"));
	assert_true(PASSES("ftp", "command_data=out/*", "RETR out/a\r\n"));
}

/* An SMB 2 CREATE of "fw", `fill` times an x, and `end`, at `offset` of its message. */
static bool opens(const char *line, size_t offset, size_t fill, const char *end)
{
	uint8_t b[4 + 64 + 4096] = {0, 0, 0, 0, 0xfe, 'S', 'M', 'B', 64};
	size_t chars = 2 + fill + strlen(end), len = offset + 2 * chars;
	uint8_t *name = b + 4 + offset;

	b[2] = (uint8_t)(len >> 8);
	b[3] = (uint8_t)len;
	b[4 + 12] = 5;
	b[4 + 64] = 57;
	b[4 + 64 + 36] = 1; /* as FILE_OPEN */
	b[4 + 64 + 44] = (uint8_t)offset;
	b[4 + 64 + 45] = (uint8_t)(offset >> 8);
	b[4 + 64 + 46] = (uint8_t)(2 * chars);
	b[4 + 64 + 47] = (uint8_t)(2 * chars >> 8);
	for (size_t i = 0; i < chars; i++)
		name[2 * i] = (uint8_t)(i < 2 ? "fw"[i] : i < 2 + fill ? 'x' : end[i - 2 - fill]);
	return passes("smb", line, b, 4 + len);
}

/* And one of SMB 1, by its path. */
static bool opens_old(const char *line, bool wide, size_t fill, const char *end)
{
	uint8_t b[4 + 36 + 4400] = {0, 0, 0, 0, 0xff, 'S', 'M', 'B', 2};
	size_t step = wide ? 2 : 1, chars = 2 + fill + strlen(end);
	uint8_t *name = b + 4 + 36;
	size_t len = 36 + step * (chars + 1);

	b[2] = (uint8_t)(len >> 8);
	b[3] = (uint8_t)len;
	b[4 + 11] = wide ? 0x80 : 0;
	for (size_t i = 0; i < chars; i++)
		name[step * i] = (uint8_t)(i < 2	  ? "fw"[i]
					   : i < 2 + fill ? 'x'
							  : end[i - 2 - fill]);
	return passes("smb", line, b, 4 + len);
}

/* Where a name goes on behind what is read of it, it may lead anywhere, and end otherwise. */
static void names_of_files_end_where_they_do(void **state)
{
	assert_true(opens("filename=fw*", 120, 780, ""));
	assert_false(opens("filename=fw*", 120, 780, "\\..\\a")); /* all of it is read */
	assert_false(opens("filename=fw*", 120, 800, "\\..\\a")); /* none of that is */
	assert_true(opens("filename=*", 120, 800, "\\..\\a"));
	assert_false(opens("filename=fwx*", 1900, 100, "\\..\\a"));
	assert_true(opens("filename=fwx*", 1900, 10, ""));
	for (int wide = 0; wide < 2; wide++) {
		assert_true(opens_old("filename=fw*", wide, 700, ""));
		assert_false(opens_old("filename=fw*", wide, 1900, "\\..\\a"));
		assert_false(opens_old("filename=fw*", wide, 2100, "\\..\\a"));
		assert_true(opens_old("filename=*", wide, 1900, "\\..\\a"));
	}
}

/* A zero within a label: some forwarders ask for what stands ahead of it. */
static void a_name_that_ends_early_fits_no_pattern(void **state)
{
	assert_true(PASSES("dns", "rrname=*.a", "\0\1\1\0\0\1\0\0\0\0\0\0\2xy\1a\0\0\1\0\1"));
	assert_false(PASSES("dns", "rrname=*.a", "\0\1\1\0\0\1\0\0\0\0\0\0\2x\0\1a\0\0\1\0\1"));
	assert_true(PASSES("dns", "rrname=*", "\0\1\1\0\0\1\0\0\0\0\0\0\2x\0\1a\0\0\1\0\1"));
}

/* Which object a service is about is asked wherever it stands; where it is all, or in lists, of none. */
static void services_stay_with_their_objects(void **state)
{
#define APDU(len, rest) "\x81\x0a\0" len "\1\4" rest
	assert_true(PASSES("bacnet", "object_type=file", APDU("\x0f", "\0\5\1\x0b\xc4\2\x80\0\1")));
	assert_false(
		PASSES("bacnet", "object_type=file", APDU("\x0f", "\0\5\1\x0b\xc4\0\x80\0\1")));
	assert_false(
		PASSES("bacnet", "object_type=file", APDU("\x10", "\0\5\1\x1b\x09\1\x19\1\x29\4")));
	assert_true(
		PASSES("bacnet", "object_type=*", APDU("\x10", "\0\5\1\x1b\x09\1\x19\1\x29\4")));
	assert_false(PASSES("bacnet", "object_type=file", APDU("\x0a", "\x10\x0a\x08\0")));
	assert_true(PASSES("bacnet", "object_type=file", APDU("\x08", "\x10\x08")));
}

static void what_is_sealed_fits_no_pattern(void **state)
{
	uint8_t b[4 + 52] = {0, 0, 0, 52, 0xfd, 'S', 'M', 'B'};

	assert_false(passes("smb", "filename=a*", b, sizeof(b)));
	assert_false(passes("smb", "share=\\\\s\\a", b, sizeof(b)));
	assert_true(passes("smb", "filename=*", b, sizeof(b)));
	assert_true(passes("smb", "filename=", b, sizeof(b)));
	assert_true(passes("smb", "version=2", b, sizeof(b)));
}

#define WILL(topic) "\x10\x16\0\4MQTT\4\6\0\x3c\0\1c\0\4" topic "\0\1x"

/* What a client may not publish it may not leave to be published either. */
static void a_will_is_published_too(void **state)
{
	assert_true(PASSES("mqtt", "publish.to_broker=a/*", WILL("a/hr")));
	assert_false(PASSES("mqtt", "publish.to_broker=a/*", WILL("b/hr")));
	assert_false(PASSES("mqtt", "publish.topic=a/*", WILL("b/hr")));
	assert_true(PASSES("mqtt", "publish.topic=a/*\nconnect.will.topic=b/*", WILL("b/hr")));
	assert_true(PASSES("mqtt", "connect.client_id=c", WILL("b/hr")));
}

#define DIRECTIVE(more)                                              \
	"<DTV.R01><HDR><HDR.message_type V=\"DTV.R01\"/></HDR><DTV>" \
	"<DTV.command_cd V=\"START_CONTINUOUS\"/>" more "</DTV></DTV.R01>"

static void of_two_commands_none_passes(void **state)
{
	const char *rule = "command=START_CONTINUOUS";

	assert_true(PASSES("poct1a", rule, DIRECTIVE("")));
	assert_true(PASSES("poct1a", rule, DIRECTIVE("<DTV.command_cd V=\"START_CONTINUOUS\"/>")));
	assert_false(PASSES("poct1a", rule, DIRECTIVE("<DTV.command_cd V=\"LOCK\"/>")));
}

/* Who leaves out what a rule asks for has not that either. */
static void who_says_nothing_is_nobody_else(void **state)
{
#define CONNECT(flags, more, len) "\x10" len "\0\4MQTT\4" flags "\0\x3c\0\1c" more
	assert_true(PASSES("mqtt", "connect.username=w", CONNECT("\x82", "\0\1w", "\x10")));
	assert_false(PASSES("mqtt", "connect.username=w", CONNECT("\2", "", "\x0d")));
	assert_true(PASSES("mqtt", "connect.username=", CONNECT("\2", "", "\x0d")));

	assert_true(PASSES("coap", "uri_host=a",
			   "\x40\1\0\1\x31"
			   "a\x81x"));
	assert_false(PASSES("coap", "uri_host=a", "\x40\1\0\1\xb1x"));
	assert_true(PASSES("coap", "uri_host=a", "\x40\0\0\1")); /* a ping */

	assert_false(PASSES("snmp", "usm=nurse",
			    "0\x18\2\1\1\4\1c\xa0\x10\2\1\1\2\1\0\2\1\0"
			    "0\5"
			    "0\3\6\1\x2b"));
	assert_false(PASSES("snmp", "security_level=authPriv",
			    "0\x18\2\1\1\4\1c\xa0\x10\2\1\1\2\1\0\2\1\0"
			    "0\5"
			    "0\3\6\1\x2b"));
}

static void count_refused(void *arg, const struct talk *t, const struct proto_input *in,
			  const struct msg *m)
{
	struct judged *j = arg;

	j->refused += message_judge(j->rules, 0, t->proto, m) != REASON_NONE;
}

/* How many messages of a conversation that was recorded do not pass. */
static unsigned refused_of(const char *app, const char *line, const char *name)
{
	struct talk *t = talk_new(proto_find(app));
	struct judged j = {0};
	uint8_t buf[65536];
	struct reader r = seed_read(app, name, buf, sizeof(buf));
	char text[128];

	snprintf(text, sizeof(text), "%s\n%s", app, line);
	j.rules = message_rules_of(text);
	assert_non_null(j.rules);
	for (read_skip(&r, 1); reader_left(&r);) {
		struct proto_input in = {.port = {40000, 104}, .end = read_u8(&r) & 1};
		size_t used;

		in.data = read_bytes(&r, read_be16(&r));
		assert_false(r.bad);
		talk_read(t, &in, count_refused, &j, &used);
		assert_int_equal(used, in.data.len);
	}
	message_rules_free((struct message_rules *)j.rules);
	free(t);
	return j.refused;
}

/* A rule may narrow what contexts are for, whatever classes it lets commands name. */
static void contexts_are_narrowed(void **state)
{
	static const char query[] = "orthanc-2";

	assert_int_equal(refused_of("dicom", "abstract_syntax=*", query), 0);
	assert_int_not_equal(refused_of("dicom", "abstract_syntax=CT Image Storage", query), 0);
	assert_int_not_equal(refused_of("dicom", "abstract_syntax_uid=1.2.3", query), 0);
	assert_int_not_equal(refused_of("dicom", "sop_class=*\nabstract_syntax=CT *", query), 0);
}

/* What a rule says of requests holds for those in a Bundle, unless it says something else of them. */
static void bundles_are_narrowed(void **state)
{
	static const char bundle[] =
		"fhir-1"; /* PUT /studies/Patient/1, GET /studies/Observation */
	static const char methods[] = "http_method=POST\nhttp_method=GET\nhttp_method=PUT\n";
	char text[100];

	assert_int_equal(refused_of("http", "http_method=*", bundle), 0);
	assert_int_equal(refused_of("http", methods, bundle), 0);
	assert_int_equal(refused_of("http", "http_method=POST\nhttp_method=GET", bundle), 1);
	assert_int_equal(refused_of("http", "http_method=*\nfhir.method=GET", bundle), 1);
	snprintf(text, sizeof(text), "%surl=/studies\nurl=/next\nurl=/studies/Obs*", methods);
	assert_int_equal(refused_of("http", text, bundle), 1);
	assert_int_equal(refused_of("http", "url=/studies*\nurl=/next", bundle), 0);
	assert_int_equal(refused_of("http", "control=no\nhttp_method=*", bundle), 2);
}

/* What a `?` allows is one character, and no filter that stands for more. */
static void a_filter_asks_for_no_more_than_its_rule(void **state)
{
	static const struct {
		const char *filter, *rule;
		bool passes;
	} rows[] = {
		{"a/b", "a/?", true},  {"a/+", "a/?", false}, {"a/#", "a/?", false},
		{"a/+", "a/+", true},  {"a/#", "a/*", true},  {"a/#", "?/*", true},
		{"+/b", "?/b", false}, {"+/b", "*/b", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t list[6] = {0, 3};
		struct mqtt m = {.type = MQTT_SUBSCRIBE, .list = {list, sizeof(list)}};
		char text[64];
		struct message_rules *rules;

		memcpy(list + 2, rows[i].filter, 3);
		snprintf(text, sizeof(text), "mqtt\nsubscribe.topics=%s", rows[i].rule);
		rules = message_rules_of(text);
		if ((message_judge(rules, 0, &mqtt_proto, &m.msg) == REASON_NONE) != rows[i].passes)
			fail_msg("%s under %s", rows[i].filter, rows[i].rule);
		message_rules_free(rules);
	}
}

/* What leads to another protocol is let in by a rule for that one or its own, and by no third. */
static void what_opens_lets_in_no_third(void **state)
{
	static const struct {
		const char *rule;
		enum reason reason;
	} rows[] = {
		{"mqtt\npublish.topic=ward/*", REASON_NONE},
		{"mqtt\ncontrol=no", REASON_NONE}, /* its own messages are asked */
		{"http", REASON_NONE},
		{"http\ncontrol=no", REASON_POLICY_CONTROL},
		{"hl7", REASON_POLICY_WRONG_PROTOCOL},
		{"sdc\naction=Get", REASON_POLICY_WRONG_PROTOCOL},
	};
	const struct msg m = {.opens = &mqtt_proto, .control = true};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message_rules *rules = message_rules_of(rows[i].rule);

		if (message_judge(rules, 0, proto_find("http"), &m) != rows[i].reason)
			fail_msg("%s", rows[i].rule);
		message_rules_free(rules);
	}
}

static bool denies(const char *rule, const struct proto *p, const struct mqtt *m)
{
	struct message_rules *rules = message_rules_of(rule);
	bool denied = message_is_denied(rules, 0, p, &m->msg);

	message_rules_free(rules);
	return denied;
}

/* A shield's words, the other way round: all of it, what changes, or what fits. */
static void what_a_shield_says_is_denied(void **state)
{
	struct mqtt m = {.topic = {(const uint8_t *)"ward/t", 6}};

	assert_true(denies("mqtt", &mqtt_proto, &m));
	assert_false(denies("mqtt", proto_find("http"), &m));
	assert_false(denies("mqtt\ncontrol=no", &mqtt_proto, &m));
	assert_true(denies("mqtt\npublish.topic=ward/*", &mqtt_proto, &m));
	assert_false(denies("mqtt\npublish.topic=pump/*", &mqtt_proto, &m));
	m.msg.control = true;
	assert_true(denies("mqtt\ncontrol=no", &mqtt_proto, &m));
	assert_true(denies("mqtt\ncontrol=no\npublish.topic=pump/*", &mqtt_proto, &m));
	assert_false(denies("mqtt\npublish.topic=pump/*", &mqtt_proto, &m));
}

#define REQUEST(method, more) method " /a HTTP/1.1\r\nHost: a\r\n" more "\r\n"
#define DNS(opcode)	      "\0\1" opcode "\0\0\1\0\0\0\0\0\0\1a\0\0\6\0\1"

/* What may be only read is not changed by another word for it. */
static void what_changes_is_refused(void **state)
{
	static const char *const reads[] = {"GET", "HEAD", "OPTIONS", "PROPFIND", "TRACE"};
	static const char *const writes[] = {"POST",  "PUT",  "DELETE",	 "PATCH",
					     "MKCOL", "MOVE", "CONNECT", "UNHEARD-OF"};
	char text[128];

	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		snprintf(text, sizeof(text), REQUEST("%s", ""), reads[i]);
		assert_true(passes("http", "control=no", text, strlen(text)));
	}
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		snprintf(text, sizeof(text), REQUEST("%s", ""), writes[i]);
		assert_false(passes("http", "control=no", text, strlen(text)));
	}
	assert_false(
		PASSES("http", "control=no", REQUEST("GET", "X-HTTP-Method-Override: PUT\r\n")));
	assert_true(
		PASSES("http", "control=no", REQUEST("GET", "X-HTTP-Method-Override: get\r\n")));

	assert_true(PASSES("http", "url=/a", REQUEST("GET", "X-Original-URL: /a?x\r\n")));
	assert_false(PASSES("http", "url=/a", REQUEST("GET", "X-Original-URL: /b\r\n")));
	assert_false(PASSES("http", "url=/a", REQUEST("GET", "X-Rewrite-URL: /b\r\n")));

	assert_false(PASSES("http", "url=/a*", REQUEST("GET", "X-Rewrite-URL: /a/../b\r\n")));
	assert_true(PASSES("http", "url=http://lis/a*", "GET http://lis/a?x HTTP/1.1\r\n\r\n"));
	assert_true(PASSES("http", "url=/", "GET http://lis HTTP/1.1\r\n\r\n"));
	assert_false(PASSES("http", "url=http://lis/a*", "GET http://evil/a HTTP/1.1\r\n\r\n"));
	assert_false(PASSES("http", "url=*/a/*", "GET http://a/b HTTP/1.1\r\n\r\n"));

	assert_false(PASSES("http", "url=/a",
			    REQUEST("GET", "X-Rewrite-URL: /b\r\nX-Original-URL: /a\r\n")));

	assert_true(PASSES("dns", "control=no", DNS("\1")));
	assert_false(PASSES("dns", "control=no", DNS("\x28"))); /* RFC 2136 */

	assert_false(PASSES("rdp", "control=no", "\3\0\0\x13\x0e\xe0\0\0\0\0\0\1\0\x08\0\3\0\0\0"));

	assert_true(PASSES("ftp", "control=no", "RETR a\r\n"));
	assert_true(PASSES("ftp", "control=no", "MDTM 20200101000000\r\n"));
	assert_false(PASSES("ftp", "control=no", "MDTM 20200101000000 a\r\n"));
	assert_false(PASSES("ftp", "control=no", "MFMT 20200101000000 a\r\n"));
	assert_false(PASSES("ftp", "control=no", "SMNT a\r\n"));
	assert_false(PASSES("ftp", "control=no", "COMB a b\r\n"));

	/* RFC 8613: sealed, the code outside says nothing of the one inside. */
	assert_true(PASSES("coap", "control=no", "\x40\5\0\1\xb1x"));
	assert_false(PASSES("coap", "control=no", "\x40\5\0\1\x90\x21x"));
}

/* Who may ask may call it off, as every workstation lets one do. */
static void what_is_called_off_passes(void **state)
{
	assert_true(PASSES_MIDSTREAM("dicom", "command=C-FIND-RQ", DIMSE("\x20\0")));
	assert_true(PASSES_MIDSTREAM("dicom", "command=C-FIND-RQ", DIMSE("\xff\x0f")));
	assert_false(PASSES_MIDSTREAM("dicom", "command=C-FIND-RQ", DIMSE("\x10\0")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_member_is_named),
		cmocka_unit_test(names_are_what_is_said_of_them),
		cmocka_unit_test(an_empty_name_is_no_other_name),
		cmocka_unit_test(a_structure_of_another_type_is_that_type_too),
		cmocka_unit_test(names_of_files_stay_below),
		cmocka_unit_test(names_of_files_end_where_they_do),
		cmocka_unit_test(a_name_that_ends_early_fits_no_pattern),
		cmocka_unit_test(services_stay_with_their_objects),
		cmocka_unit_test(what_is_sealed_fits_no_pattern),
		cmocka_unit_test(a_hello_without_a_name_is_no_other),
		cmocka_unit_test(a_hello_without_a_fingerprint_is_no_other),
		cmocka_unit_test(of_two_commands_none_passes),
		cmocka_unit_test(a_will_is_published_too),
		cmocka_unit_test(who_says_nothing_is_nobody_else),
		cmocka_unit_test(contexts_are_narrowed),
		cmocka_unit_test(bundles_are_narrowed),
		cmocka_unit_test(a_filter_asks_for_no_more_than_its_rule),
		cmocka_unit_test(what_opens_lets_in_no_third),
		cmocka_unit_test(what_a_shield_says_is_denied),
		cmocka_unit_test(patterns_of_a_member_need_not_stand_together),
		cmocka_unit_test(what_one_rule_allows_another_does_not),
		cmocka_unit_test(a_rule_narrows_by_members_or_control),
		cmocka_unit_test(what_changes_is_refused),
		cmocka_unit_test(what_is_called_off_passes),
	};

	return cmocka_run_group_tests(tests, read_page, NULL);
}
