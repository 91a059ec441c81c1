#include "talk.h"

#include "guard/proto/dicom.h"
#include "guard/proto/dicom_names.h"

#define VERIFICATION "1.2.840.10008.1.1"
#define CT	     "1.2.840.10008.5.1.4.1.1.2"
#define IMPLICIT     "1.2.840.10008.1.2"
#define EXPLICIT     "1.2.840.10008.1.2.1"
#define JPEG	     "1.2.840.10008.1.2.4.50"
#define PRIVATE	     "1.3.12.2.1107.5.9.1"

/* What both ends say, piece by piece, in one buffer. */
struct script {
	uint8_t buf[300000];
	struct writer w;
	struct talk_piece pieces[64];
	size_t count;
};

static struct script *script_new(void)
{
	struct script *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->w = writer_new(s->buf, sizeof(s->buf));
	return s;
}

static void say(struct script *s, unsigned end, size_t from)
{
	assert_false(s->w.bad);
	s->pieces[s->count++] = (struct talk_piece){end, s->buf + from, s->w.len - from};
}

/* Lengths are written when what they count is there. */
static size_t hold(struct writer *w, size_t n)
{
	static const uint8_t zeros[4];

	write_bytes(w, zeros, n);
	return w->len;
}

static void fill(struct writer *w, size_t at, size_t n)
{
	size_t len = w->len - at;

	for (size_t i = 1; i <= n; i++, len >>= 8)
		w->data[at - i] = (uint8_t)len;
}

static size_t open_pdu(struct writer *w, uint8_t type)
{
	write_u8(w, type);
	write_u8(w, 0);
	return hold(w, 4);
}

static size_t open_item(struct writer *w, uint8_t type)
{
	write_u8(w, type);
	write_u8(w, 0);
	return hold(w, 2);
}

static void item(struct writer *w, uint8_t type, const void *data, size_t len)
{
	size_t at = open_item(w, type);

	write_bytes(w, data, len);
	fill(w, at, 2);
}

static void text_item(struct writer *w, uint8_t type, const char *text)
{
	item(w, type, text, strlen(text));
}

static void fixed(struct writer *w, const char *called, const char *calling)
{
	char titles[33];

	write_be16(w, 1);
	write_be16(w, 0);
	snprintf(titles, sizeof(titles), "%-16s%-16s", called, calling);
	write_bytes(w, titles, 32);
	for (int i = 0; i < 8; i++)
		write_be32(w, 0);
}

static void offer(struct writer *w, uint8_t id, const char *abstract, const char *const *syntaxes)
{
	size_t at = open_item(w, 0x20);

	write_be32(w, (uint32_t)id << 24);
	text_item(w, 0x30, abstract);
	for (; *syntaxes; syntaxes++)
		text_item(w, 0x40, *syntaxes);
	fill(w, at, 2);
}

static void answer(struct writer *w, uint8_t id, uint8_t result, const char *syntax)
{
	size_t at = open_item(w, 0x21);

	write_be32(w, (uint32_t)id << 24 | (uint32_t)result << 8);
	text_item(w, 0x40, syntax);
	fill(w, at, 2);
}

static void user_information(struct writer *w, uint32_t max)
{
	size_t at = open_item(w, 0x50);
	uint8_t length[4] = {(uint8_t)(max >> 24), (uint8_t)(max >> 16), (uint8_t)(max >> 8),
			     (uint8_t)max};

	item(w, 0x51, length, 4);
	text_item(w, 0x52, "1.2.276.0.7230010.3.0.3.6.7");
	text_item(w, 0x55, "OFFIS_DCMTK_367");
	fill(w, at, 2);
}

static const char *const both[] = {EXPLICIT, IMPLICIT, NULL};
static const char *const one[] = {IMPLICIT, NULL};

/* An association with Verification as 1 and CT as 3; `max` is what the acceptor takes. */
static void associate(struct script *s, uint32_t max)
{
	size_t from = s->w.len, at = open_pdu(&s->w, 1);

	fixed(&s->w, "ARCHIVE", "CT1");
	text_item(&s->w, 0x10, "1.2.840.10008.3.1.1.1");
	offer(&s->w, 1, VERIFICATION, one);
	offer(&s->w, 3, CT, both);
	user_information(&s->w, 16384);
	fill(&s->w, at, 4);
	say(s, 0, from);
	from = s->w.len;
	at = open_pdu(&s->w, 2);
	fixed(&s->w, "ARCHIVE", "CT1");
	text_item(&s->w, 0x10, "1.2.840.10008.3.1.1.1");
	answer(&s->w, 1, 0, IMPLICIT);
	answer(&s->w, 3, 0, EXPLICIT);
	user_information(&s->w, max);
	fill(&s->w, at, 4);
	say(s, 1, from);
}

#define TITLES "\"calling_ae\":\"CT1\",\"called_ae\":\"ARCHIVE\","
#define OFFIS                                                           \
	"\"implementation_class_uid\":\"1.2.276.0.7230010.3.0.3.6.7\"," \
	"\"implementation_version\":\"OFFIS_DCMTK_367\","
#define ASSOCIATED                                                                            \
	"{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RQ\"," TITLES OFFIS                                \
	"\"max_pdu_length\":16384,\"presentation_contexts\":["                                \
	"{\"id\":1,\"abstract_syntax\":\"Verification SOP Class\","                           \
	"\"transfer_syntaxes\":[\"Implicit VR Little Endian\"]},"                             \
	"{\"id\":3,\"abstract_syntax\":\"CT Image Storage\",\"transfer_syntaxes\":"           \
	"[\"Implicit VR Little Endian\",\"Explicit VR Little Endian\"]}]}}\n"                 \
	"{\"dicom\":{\"pdu\":\"A-ASSOCIATE-AC\"," TITLES "\"result\":\"accepted\"," OFFIS     \
	"\"max_pdu_length\":32768,\"presentation_contexts\":["                                \
	"{\"id\":1,\"abstract_syntax\":\"Verification SOP Class\",\"result\":\"acceptance\"," \
	"\"transfer_syntax\":\"Implicit VR Little Endian\"},"                                 \
	"{\"id\":3,\"abstract_syntax\":\"CT Image Storage\",\"result\":\"acceptance\","       \
	"\"transfer_syntax\":\"Explicit VR Little Endian\"}]}}\n"

static void le16(struct writer *w, uint16_t v)
{
	write_u8(w, (uint8_t)v);
	write_u8(w, (uint8_t)(v >> 8));
}

static void element(struct writer *w, uint16_t number, const void *data, size_t len)
{
	size_t padded = len + (len & 1);

	le16(w, 0);
	le16(w, number);
	le16(w, (uint16_t)padded);
	le16(w, 0);
	write_bytes(w, data, len);
	if (len & 1)
		write_u8(w, 0);
}

static void number(struct writer *w, uint16_t at, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

	element(w, at, b, 2);
}

/* A command set; status below zero: none. */
static struct bytes command(uint8_t buf[512], const char *sop_class, uint16_t field, uint16_t id,
			    int status, bool data_set)
{
	struct writer w = writer_new(buf, 512);
	static const uint8_t length[4];

	element(&w, 0x0000, length, 4);
	if (sop_class)
		element(&w, 0x0002, sop_class, strlen(sop_class));
	number(&w, 0x0100, field);
	number(&w, field & 0x8000 || field == 0x0fff ? 0x0120 : 0x0110, id);
	if (field == 0x0021)
		element(&w, 0x0600, "WORKSTATION", 11);
	if (field == 0x0001)
		number(&w, 0x0700, 0);
	number(&w, 0x0800, data_set ? 1 : 0x0101);
	if (status >= 0)
		number(&w, 0x0900, (uint16_t)status);
	if (field == 0x8021)
		for (uint16_t i = 0; i < 4; i++)
			number(&w, (uint16_t)(0x1020 + i), i);
	assert_false(w.bad);
	return (struct bytes){buf, w.len};
}

static void pdv(struct writer *w, uint8_t context, uint8_t control, const void *data, size_t len)
{
	write_be32(w, (uint32_t)len + 2);
	write_u8(w, context);
	write_u8(w, control);
	write_bytes(w, data, len);
}

static void say_pdv(struct script *s, unsigned end, uint8_t context, uint8_t control,
		    struct bytes b)
{
	size_t from = s->w.len, at = open_pdu(&s->w, 4);

	pdv(&s->w, context, control, b.data, b.len);
	fill(&s->w, at, 4);
	say(s, end, from);
}

static void say_short(struct script *s, unsigned end, uint8_t type, uint32_t body)
{
	size_t from = s->w.len;

	write_be16(&s->w, (uint16_t)(type << 8));
	write_be32(&s->w, 4);
	write_be32(&s->w, body);
	say(s, end, from);
}

static void expect(struct script *s, const char *said)
{
	talk_expect("dicom", false, s->pieces, s->count, said);
	free(s);
}

#define PART(pdu) "{\"dicom\":{\"pdu\":\"" pdu "\"," TITLES
#define ECHO_RQ                                                               \
	PART("P-DATA-TF")                                                     \
	"\"command\":\"C-ECHO-RQ\",\"sop_class\":\"Verification SOP Class\"," \
	"\"sop_class_uid\":\"1.2.840.10008.1.1\","                            \
	"\"transfer_syntax\":\"Implicit VR Little Endian\","                  \
	"\"presentation_context\":1,\"message_id\":7,\"data_set\":false}}\n"
#define BARE(pdu) \
	"{\"dicom\":{\"pdu\":\"" pdu "\",\"calling_ae\":\"CT1\",\"called_ae\":\"ARCHIVE\"}}\n"

static void an_echo_is_told(void **state)
{
	struct script *s = script_new();
	uint8_t buf[512];

	associate(s, 32768);
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_pdv(s, 1, 1, 3, command(buf, VERIFICATION, 0x8030, 7, 0, false));
	say_short(s, 0, 5, 0);
	say_short(s, 1, 6, 0);
	expect(s,
	       ASSOCIATED ECHO_RQ PART(
		       "P-DATA-TF") "\"command\":\"C-ECHO-RSP\",\"sop_class\":\"Verification SOP "
				    "Class\","
				    "\"sop_class_uid\":\"1.2.840.10008.1.1\",\"status\":\"0x0000\","
				    "\"status_name\":\"Success\",\"transfer_syntax\":\"Implicit VR "
				    "Little Endian\","
				    "\"presentation_context\":1,\"message_id_responded_to\":7,"
				    "\"data_set\":false}}\n" BARE("A-RELEASE-RQ")
					    BARE("A-RELEASE-RP"));
}

#define STORE_RQ                                                         \
	PART("P-DATA-TF")                                                \
	"\"command\":\"C-STORE-RQ\",\"sop_class\":\"CT Image Storage\"," \
	"\"sop_class_uid\":\"1.2.840.10008.5.1.4.1.1.2\","               \
	"\"transfer_syntax\":\"Explicit VR Little Endian\",\"priority\":\"MEDIUM\","

/* A command in three fragments, two of them in one PDU; a data set in several of several sizes. */
static void fragments_make_one_message(void **state)
{
	struct script *s = script_new();
	uint8_t buf[512], data[20000];
	struct bytes c = command(buf, CT, 0x0001, 9, -1, true);
	size_t from, at;

	memset(data, 0x55, sizeof(data));
	associate(s, 32768);
	say_pdv(s, 0, 3, 1, (struct bytes){c.data, 20});
	from = s->w.len;
	at = open_pdu(&s->w, 4);
	pdv(&s->w, 3, 1, c.data + 20, 5);
	pdv(&s->w, 3, 1, c.data + 25, 0);
	pdv(&s->w, 3, 3, c.data + 25, c.len - 25);
	pdv(&s->w, 3, 0, data, 6);
	fill(&s->w, at, 4);
	say(s, 0, from);
	say_pdv(s, 0, 3, 0, (struct bytes){data, 0});
	say_pdv(s, 0, 3, 0, (struct bytes){data, sizeof(data)});
	say_pdv(s, 0, 3, 2, (struct bytes){data, 0});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	expect(s, ASSOCIATED STORE_RQ
	       "\"presentation_context\":3,\"message_id\":9,\"data_set\":true}}\n" ECHO_RQ);
}

/* Every service, asked and answered, by the names that PS3.7 §E.1 gives them. */
static void every_command_has_its_name(void **state)
{
	static const struct {
		uint16_t field;
		const char *name;
		bool control;
	} all[] = {
		{0x0001, "C-STORE", false}, {0x0010, "C-GET", false},
		{0x0020, "C-FIND", false},  {0x0021, "C-MOVE", true},
		{0x0030, "C-ECHO", false},  {0x0100, "N-EVENT-REPORT", false},
		{0x0110, "N-GET", false},   {0x0120, "N-SET", true},
		{0x0130, "N-ACTION", true}, {0x0140, "N-CREATE", true},
		{0x0150, "N-DELETE", true}, {0x0fff, "C-CANCEL", false},
	};
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512];
	char want[64];

	for (unsigned i = 0; i < 2 * sizeof(all) / sizeof(all[0]); i++) {
		bool response = i & 1;
		uint16_t field = all[i / 2].field | (response ? 0x8000 : 0);
		struct script *s = script_new();

		if (field == 0x8fff)
			snprintf(want, sizeof(want), "\"reason\":\"dicom.malformed\"");
		else
			snprintf(want, sizeof(want), "\"command\":\"%s-%s\"", all[i / 2].name,
				 response ? "RSP" : "RQ");
		associate(s, 32768);
		say_pdv(s, response, 3, 3, command(buf, CT, field, 1, response ? 0 : -1, false));
		talk_play(r, "dicom", false, s->pieces, s->count, 0);
		assert_non_null(strstr(r->said, want));
		assert_int_equal(!!strstr(r->said, "\"control\":true"),
				 all[i / 2].control && !response);
		free(s);
	}
	free(r);
}

static void a_move_says_where_to(void **state)
{
	struct script *s = script_new();
	uint8_t buf[512];

	associate(s, 32768);
	say_pdv(s, 0, 3, 3, command(buf, PRIVATE, 0x0021, 1, -1, false));
	say_pdv(s, 1, 3, 3, command(buf, NULL, 0x8021, 1, 0xff00, false));
	expect(s,
	       ASSOCIATED PART(
		       "P-DATA-TF") "\"command\":\"C-MOVE-RQ\",\"sop_class\":\"" PRIVATE
				    "\",\"sop_class_uid\":\"" PRIVATE
				    "\",\"transfer_syntax\":\"Explicit VR Little Endian\","
				    "\"move_destination\":\"WORKSTATION\",\"presentation_context\":"
				    "3,\"message_id\":1,"
				    "\"data_set\":false,\"control\":true}}\n" PART(
					    "P-DATA-TF") "\"command\":\"C-MOVE-RSP\",\"sop_class\":"
							 "\"" PRIVATE "\","
							 "\"sop_class_uid\":\"" PRIVATE
							 "\",\"status\":\"0xff00\","
							 "\"status_name\":\"Pending\",\"transfer_"
							 "syntax\":\"Explicit VR Little Endian\","
							 "\"presentation_context\":3,\"message_id_"
							 "responded_to\":1,\"data_set\":false,"
							 "\"suboperations\":{\"remaining\":0,"
							 "\"completed\":1,\"failed\":2,\"warning\":"
							 "3}}}\n");
}

/* Roles, window and identity are told; who it is and the passcode are not. */
static void negotiation_is_told_and_no_secret(void **state)
{
	static const char *const many[] = {JPEG, PRIVATE, NULL};
	static const uint8_t window[] = {0, 5, 0, 1};
	struct script *s = script_new();
	size_t at, user, sub;

	at = open_pdu(&s->w, 1);
	fixed(&s->w, "  ARCHIVE", "CT1");
	offer(&s->w, 5, CT, many);
	offer(&s->w, 255, PRIVATE, one);
	user = open_item(&s->w, 0x50);
	item(&s->w, 0x53, window, 4);
	sub = open_item(&s->w, 0x54);
	write_be16(&s->w, sizeof(CT) - 1);
	write_bytes(&s->w, CT, sizeof(CT) - 1);
	write_be16(&s->w, 1);
	fill(&s->w, sub, 2);
	sub = open_item(&s->w, 0x58);
	write_be16(&s->w, 0x0201);
	write_be16(&s->w, 5);
	write_bytes(&s->w, "alice", 5);
	write_be16(&s->w, 6);
	write_bytes(&s->w, "secret", 6);
	fill(&s->w, sub, 2);
	item(&s->w, 0x7f, "of later editions", 17);
	fill(&s->w, user, 2);
	text_item(&s->w, 0x66, "ignored");
	fill(&s->w, at, 4);
	say(s, 0, 0);
	say_short(s, 1, 3, 0x00010103);
	expect(s, "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RQ\"," TITLES
		  "\"user_identity\":\"username-and-passcode\","
		  "\"asynchronous_operations\":{\"invoked\":5,\"performed\":1},"
		  "\"presentation_contexts\":[{\"id\":5,\"abstract_syntax\":\"CT Image Storage\","
		  "\"transfer_syntaxes\":[\"JPEG Baseline (Process 1)\",\"" PRIVATE "\"],"
		  "\"scu\":false,\"scp\":true},{\"id\":255,\"abstract_syntax\":\"" PRIVATE "\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"]}]}}\n"
		  "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RJ\"," TITLES
		  "\"result\":\"rejected-permanent\",\"source\":\"service-user\","
		  "\"diagnostic\":\"calling-AE-title-not-recognized\"}}\n");
}

/* As many as a maker's own workstation offers, with roles; a name too long; no limit. */
static void makers_have_classes_of_their_own(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), user, sub;
	char uid[40];

	fixed(&s->w, "ARCHIVE", "CT1");
	for (uint8_t i = 0; i < 18; i++) {
		snprintf(uid, sizeof(uid), "1.3.46.670589.11.0.0.12.%u", i);
		offer(&s->w, (uint8_t)(2 * i + 1), uid, one);
	}
	user = open_item(&s->w, 0x50);
	item(&s->w, 0x51, "\0\0\0", 4);
	sub = open_item(&s->w, 0x54);
	write_be16(&s->w, (uint16_t)strlen(uid));
	write_bytes(&s->w, uid, strlen(uid));
	write_be16(&s->w, 0x0101);
	fill(&s->w, sub, 2);
	text_item(&s->w, 0x55, "WORKSTATION VERSION 12");
	fill(&s->w, user, 2);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "\"implementation_version\":\"WORKSTATION VERS\","));
	assert_non_null(strstr(r->said, "\"max_pdu_length\":0,"));
	assert_non_null(strstr(r->said,
			       "{\"id\":35,\"abstract_syntax\":\"1.3.46.670589.11.0.0.12.17\","
			       "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"],"
			       "\"scu\":true,\"scp\":true}"));
	free(s);
	free(r);
}

static void an_abort_says_whose_fault(void **state)
{
	struct script *s = script_new();

	associate(s, 32768);
	say_short(s, 1, 7, 0x00000202);
	expect(s,
	       ASSOCIATED "{\"dicom\":{\"pdu\":\"A-ABORT\"," TITLES
			  "\"source\":\"service-provider\",\"diagnostic\":\"unexpected-PDU\"}}\n");
}

/* All 128 contexts: the event says what has room, and how many had none. */
static void every_context_counts(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1);

	fixed(&s->w, "ARCHIVE", "CT1");
	for (unsigned id = 1; id < 256; id += 2)
		offer(&s->w, (uint8_t)id, CT, both);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 100);
	assert_non_null(strstr(r->said, "{\"id\":255,"));
	assert_null(strstr(r->said, "omitted"));
	free(s);
	free(r);
}

static void contexts_that_do_not_fit(void *arg, const struct talk *t, const struct proto_input *in,
				     const struct msg *m)
{
	char small[4096];
	struct json j = json_new(small, sizeof(small) - 1);
	unsigned told = 0, omitted = 0;
	char *at;

	proto_write(t->proto, m, &j);
	assert_false(j.out.bad);
	small[j.out.len] = 0;
	assert_true(j.out.len < sizeof(small) - 200);
	for (at = small; (at = strstr(at, "\"id\":")); at++)
		told++;
	at = strstr(small, "_omitted\":");
	assert_non_null(at);
	omitted = (unsigned)strtoul(at + 10, NULL, 10);
	assert_int_equal(told + omitted, 128);
	*(unsigned *)arg = omitted;
}

static void a_line_has_an_end(void **state)
{
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), used;
	struct talk *t = talk_new(proto_find("dicom"));
	struct proto_input in = {0};
	unsigned omitted = 0;

	fixed(&s->w, "ARCHIVE", "CT1");
	for (unsigned id = 1; id < 256; id += 2)
		offer(&s->w, (uint8_t)id, CT, both);
	fill(&s->w, at, 4);
	in.data = (struct bytes){s->buf, s->w.len};
	assert_int_equal(talk_read(t, &in, contexts_that_do_not_fit, &omitted, &used), PARSE_OK);
	assert_true(omitted > 0);
	free(t);
	free(s);
}

/* Lists and private UIDs beyond those that are kept: not told, and nothing else is lost. */
static void what_is_not_kept_is_not_told(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), from;

	fixed(&s->w, "ARCHIVE", "CT1");
	for (unsigned i = 0; i < 40; i++) {
		char uid[32], syntax[32];
		const char *const list[] = {syntax, IMPLICIT, NULL};

		snprintf(uid, sizeof(uid), "1.3.4.%u", i);
		snprintf(syntax, sizeof(syntax), "1.2.840.10008.1.2.4.%u", 50 + i % 17);
		offer(&s->w, (uint8_t)(2 * i + 1), uid, list);
	}
	fill(&s->w, at, 4);
	say(s, 0, 0);
	from = s->w.len;
	at = open_pdu(&s->w, 2);
	fixed(&s->w, "ARCHIVE", "CT1");
	for (unsigned i = 0; i < 40; i++)
		answer(&s->w, (uint8_t)(2 * i + 1), 0, IMPLICIT);
	fill(&s->w, at, 4);
	say(s, 1, from);
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "{\"id\":1,\"abstract_syntax\":\"1.3.4.0\","
					"\"transfer_syntaxes\":[\"Implicit VR Little Endian\","
					"\"JPEG Baseline (Process 1)\"]}"));
	assert_non_null(strstr(r->said, "{\"id\":67}"));
	assert_non_null(strstr(r->said, "\"1.3.4.17\""));
	assert_null(strstr(r->said, "\"1.3.4.18\""));
	assert_non_null(strstr(r->said, "{\"id\":67,\"result\":\"acceptance\","
					"\"transfer_syntax\":\"Implicit VR Little Endian\"}"));
	free(s);
	free(r);
}

/* What breaks the protocol, each behind a good association or in its place. */
static void refused(struct script *s, const char *reason)
{
	static const size_t cuts[] = {0, 1, 5};
	struct talk_record *r = malloc(sizeof(*r));
	char want[64];

	snprintf(want, sizeof(want), "},\"reason\":\"%s\"}\n", reason);
	for (unsigned i = 0; i < 3; i++) {
		char *at;

		talk_play(r, "dicom", false, s->pieces, s->count, cuts[i]);
		at = strstr(r->said, "\"reason\"");
		assert_non_null(at);
		assert_string_equal(at - 2, want);
		assert_int_equal(r->last, PARSE_BAD);
	}
	free(s);
	free(r);
}

static struct script *associated(void)
{
	struct script *s = script_new();

	associate(s, 32768);
	return s;
}

static struct script *saying(struct script *s, unsigned end, const void *data, size_t len)
{
	size_t from = s->w.len;

	write_bytes(&s->w, data, len);
	say(s, end, from);
	return s;
}

#define SAYING(s, end, bytes) saying(s, end, bytes, sizeof(bytes) - 1)

static void lies_about_lengths_are_refused(void **state)
{
	uint8_t buf[512];
	struct bytes c;
	struct script *s;

	refused(SAYING(script_new(), 0, "\x08\0\0\0\0\4"), "dicom.malformed");
	refused(SAYING(script_new(), 0, "\0\0\0\0\0\0"), "dicom.malformed");
	refused(SAYING(script_new(), 0, "\1\0\0\0\0\x43"), "dicom.malformed");
	refused(SAYING(script_new(), 0, "\1\0\xff\xff\xff\xff"), "dicom.too_long");
	refused(SAYING(script_new(), 0, "\1\0\0\x10\0\1"), "dicom.too_long");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\5\0\0\0\1\1"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\x0a\0\0\0\x07\1\3"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\x0a\xff\xff\xff\xff\1\3"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\x0a\0\0\0\1\1\3"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\4\0\0\0\0\x0b\0\0\0\2\1\1\0\0\0\0\0"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\5\0\0\0\0\3"), "dicom.malformed");
	refused(SAYING(associated(), 0, "\7\0\xff\xff\xff\xff"), "dicom.malformed");

	c = command(buf, VERIFICATION, 0x0030, 7, -1, false);
	for (size_t n = 0; n < c.len; n++) { /* no element may be cut */
		s = associated();
		say_pdv(s, 0, 1, 3, (struct bytes){c.data, n});
		refused(s, "dicom.malformed");
	}
}

static void broken_associations_are_refused(void **state)
{
	static const struct {
		const char *what;
		size_t len;
	} items[] = {
#define ITEM(bytes) {bytes, sizeof(bytes) - 1}
		ITEM("\x20\0\0\x08\2\0\0\0\x30\0\0\0"), /* an even number */
		ITEM("\x20\0\0\x04\1\0\0\0"),		/* no abstract syntax */
		ITEM("\x20\0\0\x03\1\0\0"),		/* too short */
		ITEM("\x20\0\0\x0b\1\0\0\0\x30\0\0\x04"
		     "1.2"), /* beyond its item */
		ITEM("\x20\0\0\x0b\1\0\0\0\x30\0\0\x03"
		     "1;2"), /* no UID */
		ITEM("\x20\0\0\x0b\1\0\0\0\x30\0\0\x03"
		     "1.2\x20\0\0\x0b\1\0\0\0\x30\0\0\x03"
		     "1.2"), /* one number twice */
		ITEM("\x20\0\0\x12\1\0\0\0\x30\0\0\x03"
		     "1.2\x30\0\0\x03"
		     "1.3"),				  /* two abstract syntaxes */
		ITEM("\x50\0\0\x08\x51\0\0\x05\0\0\0\0"), /* beyond user information */
		ITEM("\x50\0\0\x06\x51\0\0\x02\0\0"),	  /* too short a number */
		ITEM("\x50\0\0\x06\x58\0\0\x02\1\0"),	  /* no identity */
		ITEM("\x50\0\xff\xff"),			  /* beyond the PDU */
		ITEM("\x50\0\0"),			  /* no whole item */
	};

	for (unsigned i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		struct script *s = script_new();
		size_t at = open_pdu(&s->w, 1);

		fixed(&s->w, "ARCHIVE", "CT1");
		write_bytes(&s->w, items[i].what, items[i].len);
		fill(&s->w, at, 4);
		say(s, 0, 0);
		refused(s, "dicom.malformed");
	}
}

/* Titles that would write into a log or a terminal: told, and read on. */
static void titles_hold_no_control_characters(void **state)
{
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1);

	fixed(&s->w, "A\x1b[2J", "CT1");
	offer(&s->w, 1, VERIFICATION, one);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	say_short(s, 0, 7, 0);
	expect(s, "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RQ\",\"calling_ae\":\"CT1\","
		  "\"called_ae\":\"A\\u001b[2J\",\"presentation_contexts\":[{\"id\":1,"
		  "\"abstract_syntax\":\"Verification SOP Class\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"]}]},"
		  "\"reason\":\"dicom.malformed\"}\n"
		  "{\"dicom\":{\"pdu\":\"A-ABORT\",\"calling_ae\":\"CT1\","
		  "\"called_ae\":\"A\\u001b[2J\",\"source\":\"service-user\"}}\n");
}

static void role(struct writer *w, const char *uid, uint8_t scu, uint8_t scp)
{
	size_t at = open_item(w, 0x54);

	write_be16(w, (uint16_t)strlen(uid));
	write_bytes(w, uid, strlen(uid));
	write_u8(w, scu);
	write_u8(w, scp);
	fill(w, at, 2);
}

/* PS3.7 §D.3.3.4: a role holds for every context of its SOP class, and for no other one. */
static void a_role_is_of_a_sop_class(void **state)
{
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), user;

	fixed(&s->w, "ARCHIVE", "CT1");
	offer(&s->w, 1, CT, one);
	offer(&s->w, 3, VERIFICATION, one);
	offer(&s->w, 5, CT, one);
	offer(&s->w, 7, PRIVATE, one);
	user = open_item(&s->w, 0x50);
	role(&s->w, CT, 1, 0);
	role(&s->w, PRIVATE, 0, 1);
	role(&s->w, CT, 0, 1);
	fill(&s->w, user, 2);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	say_short(s, 1, 3, 0x00010103);
	expect(s, "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RQ\"," TITLES "\"presentation_contexts\":["
		  "{\"id\":1,\"abstract_syntax\":\"CT Image Storage\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"],"
		  "\"scu\":true,\"scp\":true},"
		  "{\"id\":3,\"abstract_syntax\":\"Verification SOP Class\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"]},"
		  "{\"id\":5,\"abstract_syntax\":\"CT Image Storage\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"],"
		  "\"scu\":true,\"scp\":true},"
		  "{\"id\":7,\"abstract_syntax\":\"" PRIVATE "\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"],"
		  "\"scu\":false,\"scp\":true}]}}\n"
		  "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RJ\"," TITLES
		  "\"result\":\"rejected-permanent\",\"source\":\"service-user\","
		  "\"diagnostic\":\"calling-AE-title-not-recognized\"}}\n");
}

/* The order of items says nothing: roles may come ahead of what they are for, and in two items. */
static void roles_may_come_first(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), user;

	fixed(&s->w, "ARCHIVE", "CT1");
	user = open_item(&s->w, 0x50);
	role(&s->w, CT, 1, 0);
	role(&s->w, PRIVATE, 1, 1);
	fill(&s->w, user, 2);
	offer(&s->w, 1, CT, one);
	offer(&s->w, 3, PRIVATE, one);
	user = open_item(&s->w, 0x50);
	role(&s->w, CT, 0, 1);
	fill(&s->w, user, 2);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	for (unsigned i = 0; i < 2; i++) {
		const char *context = strstr(r->said, i ? "{\"id\":3" : "{\"id\":1");

		assert_non_null(context);
		context = strchr(context, ']');
		assert_memory_equal(context, "],\"scu\":true,\"scp\":true}", 24);
	}
	free(s);
	free(r);
}

static void order_is_kept(void **state)
{
	uint8_t buf[512], data[200] = {0};
	struct bytes echo = command(buf, VERIFICATION, 0x0030, 7, -1, false);
	uint8_t store_buf[512];
	struct bytes store = command(store_buf, CT, 0x0001, 7, -1, true);
	struct script *s;

	s = script_new(); /* a command before there is an association */
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = script_new();
	associate(s, 0);
	s->count = 1; /* and before it is accepted */
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = script_new();
	say_short(s, 0, 5, 0);
	refused(s, "dicom.out_of_order");
	s = script_new(); /* who asked does not answer */
	associate(s, 0);
	s->pieces[1].end = 0;
	refused(s, "dicom.out_of_order");
	s = associated();
	associate(s, 0);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_short(s, 1, 3, 0x00010101);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_short(s, 1, 6, 0);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_short(s, 0, 5, 0);
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_short(s, 0, 7, 0);
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = associated(); /* released once is enough */
	say_short(s, 0, 5, 0);
	say_short(s, 1, 6, 0);
	say_short(s, 1, 6, 0);
	refused(s, "dicom.out_of_order");
	s = associated(); /* a data set nobody announced */
	say_pdv(s, 0, 3, 2, (struct bytes){data, 200});
	refused(s, "dicom.out_of_order");
	s = associated(); /* a command within a data set */
	say_pdv(s, 0, 3, 3, store);
	say_pdv(s, 0, 3, 0, (struct bytes){data, 200});
	say_pdv(s, 0, 3, 3, store);
	refused(s, "dicom.out_of_order");
	s = associated(); /* another's fragment in between */
	say_pdv(s, 0, 3, 1, (struct bytes){store.data, 20});
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_pdv(s, 0, 3, 3, store);
	say_pdv(s, 0, 1, 2, (struct bytes){data, 200});
	refused(s, "dicom.out_of_order");
}

/* A client that asks to be released twice at once is answered twice. */
static void who_asks_twice_is_answered_twice(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = associated();

	say_short(s, 0, 5, 0);
	say_short(s, 0, 5, 0);
	say_short(s, 1, 6, 0);
	say_short(s, 1, 6, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_int_equal(r->last, PARSE_OK);
	assert_null(strstr(r->said, "reason"));
	say_short(s, 1, 6, 0);
	refused(s, "dicom.out_of_order");
	free(r);
}

/* What one end says while the other's abort is on its way (PS3.8 §9.2, Sta13). */
static void who_is_aborted_hears_of_it_later(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512], data[200] = {0};
	struct script *s = associated();
	struct talk_piece accepted;

	say_pdv(s, 0, 3, 3, command(buf, CT, 0x0001, 9, -1, true));
	say_short(s, 1, 7, 0);
	say_pdv(s, 0, 3, 2, (struct bytes){data, 200});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_short(s, 0, 7, 0x0206);
	talk_play(r, "dicom", false, s->pieces, s->count, 5);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "C-ECHO-RQ"));
	assert_null(strstr(r->said, "reason"));
	free(s);
	s = script_new(); /* an acceptance that crosses it */
	associate(s, 0);
	say_short(s, 0, 7, 0);
	accepted = s->pieces[1];
	s->pieces[1] = s->pieces[2];
	s->pieces[2] = accepted;
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "A-ASSOCIATE-AC"));
	assert_null(strstr(r->said, "reason"));
	free(s);
	free(r);
}

/* Both ends may speak at once, and both may ask to be released. */
static void ends_do_not_disturb_each_other(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512], event_buf[512];
	struct bytes echo = command(buf, VERIFICATION, 0x0030, 7, -1, false);
	struct bytes event = command(event_buf, CT, 0x0100, 1, -1, false);
	struct script *s = associated();
	unsigned lines = 0;

	say_pdv(s, 0, 1, 1, (struct bytes){echo.data, 31});
	say_pdv(s, 1, 3, 1, (struct bytes){event.data, 11});
	say_pdv(s, 0, 1, 3, (struct bytes){echo.data + 31, echo.len - 31});
	say_pdv(s, 1, 3, 3, (struct bytes){event.data + 11, event.len - 11});
	say_short(s, 0, 5, 0);
	say_short(s, 1, 5, 0);
	say_short(s, 0, 6, 0);
	say_short(s, 1, 6, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 3);
	for (char *at = r->said; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 8);
	assert_non_null(strstr(r->said, "N-EVENT-REPORT-RQ"));
	assert_null(strstr(r->said, "reason"));
	free(s);
	free(r);
}

static void only_what_was_negotiated(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512];
	struct script *s = associated();
	size_t from, at;

	say_pdv(s, 0, 5, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	expect(s, ASSOCIATED PART("P-DATA-TF") "\"command\":\"C-ECHO-RQ\",\"sop_class\":"
					       "\"Verification SOP Class\","
					       "\"sop_class_uid\":\"1.2.840.10008.1.1\","
					       "\"presentation_context\":5,"
					       "\"message_id\":7,\"data_set\":false},\"reason\":"
					       "\"dicom.not_negotiated\"}\n" ECHO_RQ);

	for (unsigned i = 0; i < 4; i++) {
		s = script_new();
		associate(s, 0);
		s->count = 1;
		from = s->w.len;
		at = open_pdu(&s->w, 2);
		fixed(&s->w, "ARCHIVE", "CT1");
		if (i == 0)
			answer(&s->w, 9, 0, IMPLICIT); /* a context that was not offered */
		if (i == 1)
			answer(&s->w, 1, 0, JPEG); /* a syntax that was not offered */
		if (i == 2)
			answer(&s->w, 1, 5, IMPLICIT); /* no result there is */
		if (i == 3)
			answer(&s->w, 1, 3, ""); /* not accepted, so its syntax means nothing */
		fill(&s->w, at, 4);
		say(s, 1, from);
		if (i < 3) {
			refused(s, i < 2 ? "dicom.not_negotiated" : "dicom.malformed");
			continue;
		}
		say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
		talk_play(r, "dicom", false, s->pieces, s->count, 0);
		assert_non_null(strstr(r->said, "\"result\":\"abstract-syntax-not-supported\"}"));
		assert_non_null(strstr(r->said, "\"reason\":\"dicom.not_negotiated\"}"));
		free(s);
	}
	free(r);
}

/* The receiver said how much it takes at once. Told once, and read on. */
static void a_pdu_longer_than_agreed(void **state)
{
	struct script *s = script_new();
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512], data[2000] = {0};

	associate(s, 1000);
	say_pdv(s, 0, 3, 3, command(buf, CT, 0x0001, 7, -1, true));
	say_pdv(s, 0, 3, 0, (struct bytes){data, 994});
	say_pdv(s, 0, 3, 0, (struct bytes){data, 995});
	say_pdv(s, 0, 3, 2, (struct bytes){data, 2000});
	say_pdv(s, 1, 3, 3, command(buf, CT, 0x8001, 7, 0, false));
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_non_null(strstr(r->said, PART("P-DATA-TF") ""));
	assert_non_null(
		strstr(r->said, "\"called_ae\":\"ARCHIVE\"},\"reason\":\"dicom.too_long\"}"));
	assert_null(strstr(strstr(r->said, "dicom.too_long") + 1, "dicom.too_long"));
	assert_non_null(strstr(r->said, "\"command\":\"C-STORE-RSP\""));
	assert_int_equal(r->last, PARSE_OK);
	free(s);
	free(r);
}

static void command_sets_are_kept_in_order(void **state)
{
	static const uint8_t bad[][20] = {
		{0, 0, 0, 1, 2, 0, 0, 0, 0x30, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0x30, 0}, /* twice */
		{8, 0, 0, 1, 2, 0, 0, 0, 0x30, 0},	      /* of another group */
		{0, 0, 0, 1, 1, 0, 0, 0, 0x30},		      /* a number of one byte */
		{0, 0, 0, 1, 4, 0, 0, 0, 0x30, 0, 0, 0},      /* and of four */
		{0, 0, 0, 1, 2, 0, 0, 0, 0x31, 0},	      /* no command there is */
		{0, 0, 2, 0, 4, 0, 0, 0, 'a', '.', 'b', 'c'}, /* no UID */
		{0, 0, 0, 8, 2, 0, 0, 0, 1, 1},		      /* no command at all */
	};
	static const size_t lens[] = {20, 10, 9, 12, 10, 12, 10};
	struct script *s;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		s = associated();
		say_pdv(s, 0, 1, 3, (struct bytes){bad[i], lens[i]});
		refused(s, "dicom.malformed");
	}
	s = associated(); /* an attribute list of 2 GiB */
	say_pdv(s, 0, 1, 3, (struct bytes){(const uint8_t *)"\0\0\5\x10\0\0\0\x80....", 12});
	refused(s, "dicom.too_long");
	s = associated(); /* elements without end: the others keep below 32 KiB a PDU */
	for (unsigned i = 0; i < 3; i++) {
		static uint8_t much[32000] = {0, 0, 0, 0x50, 0xf8, 0x7c};

		much[2] = (uint8_t)i;
		say_pdv(s, 0, 1, 1, (struct bytes){much, sizeof(much)});
	}
	refused(s, "dicom.too_long");
}

static void explicit_element(struct writer *w, uint16_t number, const char *vr, const void *data,
			     size_t len)
{
	bool is_long = !strcmp(vr, "UN") || !strcmp(vr, "OB");

	le16(w, 0);
	le16(w, number);
	write_bytes(w, vr, 2);
	if (is_long)
		le16(w, 0);
	le16(w, (uint16_t)len);
	if (is_long)
		le16(w, 0);
	write_bytes(w, data, len);
}

/* PS3.7 §6.3.1 forbids a command in Explicit VR; pydicom reads it, so what it says is told. */
static void a_command_in_explicit_vr_is_read(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = associated();
	uint8_t buf[512];
	struct writer w = writer_new(buf, sizeof(buf));
	const char *said;

	explicit_element(&w, 0x0000, "UL", "\0\0\0\0", 4);
	explicit_element(&w, 0x0002, "UI", CT "\0", sizeof(CT) - 1 + (sizeof(CT) - 1) % 2);
	explicit_element(&w, 0x0100, "US", "\x20\0", 2);
	explicit_element(&w, 0x0110, "US", "\1\0", 2);
	explicit_element(&w, 0x0700, "UN", "\2\0", 2);
	explicit_element(&w, 0x0800, "US", "\1\1", 2);
	say_pdv(s, 0, 3, 3, (struct bytes){buf, w.len});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	for (size_t cut = 0; cut < 3; cut++) {
		talk_play(r, "dicom", false, s->pieces, s->count, cut);
		said = strstr(r->said, "\"command\":\"C-FIND-RQ\"");
		assert_non_null(said);
		assert_non_null(strstr(said, "\"priority\":\"LOW\""));
		assert_non_null(strstr(said, "\"reason\":\"dicom.command_coding\""));
		assert_non_null(strstr(said, "\"command\":\"C-ECHO-RQ\""));
		assert_null(strstr(strstr(said, "C-ECHO-RQ"), "reason"));
	}
	free(s);
	s = associated(); /* one among them that is not */
	w = writer_new(buf, sizeof(buf));
	explicit_element(&w, 0x0000, "UL", "\0\0\0\0", 4);
	number(&w, 0x0100, 0x0030);
	say_pdv(s, 0, 1, 3, (struct bytes){buf, w.len});
	refused(s, "dicom.malformed");
	free(r);
}

/* One that a receiver goes by, and another for who stands in between. */
static void a_message_is_of_one_class(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));

	for (unsigned same = 0; same < 2; same++) {
		struct script *s = associated();
		uint8_t buf[512];
		struct writer w = writer_new(buf, sizeof(buf));

		element(&w, 0x0002, same ? CT : VERIFICATION, strlen(same ? CT : VERIFICATION));
		element(&w, 0x0003, CT, strlen(CT));
		number(&w, 0x0100, 0x0001);
		number(&w, 0x0110, 1);
		number(&w, 0x0700, 9);
		number(&w, 0x0800, 0x0001);
		say_pdv(s, 0, 3, 3, (struct bytes){buf, w.len});
		if (!same) {
			refused(s, "dicom.malformed");
			continue;
		}
		talk_play(r, "dicom", false, s->pieces, s->count, 0);
		assert_non_null(strstr(r->said, "\"sop_class\":\"CT Image Storage\""));
		assert_non_null(strstr(r->said, "\"priority\":\"unknown\""));
		assert_null(strstr(r->said, "reason"));
		free(s);
	}
	free(r);
}

static struct script *storing(const char *preamble, size_t len, const char *mark)
{
	struct script *s = associated();
	uint8_t buf[512], data[400] = {0};

	memcpy(data, preamble, len);
	memcpy(data + 128, mark, 4);
	say_pdv(s, 0, 3, 3, command(buf, CT, 0x0001, 9, -1, true));
	say_pdv(s, 0, 3, 0, (struct bytes){data, 100});
	say_pdv(s, 0, 3, 0, (struct bytes){data + 100, 31});
	say_pdv(s, 0, 3, 2, (struct bytes){data + 131, 269});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	return s;
}

#define STORED STORE_RQ "\"presentation_context\":3,\"message_id\":9,\"data_set\":true}}\n"

/* A file sent as it is, and one that would start; in a data set there is room for neither. */
static void a_preamble_that_starts_is_told(void **state)
{
	expect(storing("MZ\x90", 3, "DICM"), ASSOCIATED STORED STORE_RQ
	       "\"preamble\":\"PE\",\"presentation_context\":3,\"message_id\":9,"
	       "\"data_set\":true},\"reason\":\"dicom.preamble_executable\"}\n" ECHO_RQ);
	expect(storing("MZ\x90", 3, "DICN"), ASSOCIATED STORED ECHO_RQ);
	expect(storing("", 0, "DICM"), ASSOCIATED STORED ECHO_RQ);
	expect(storing("II*\0", 4, "DICM"), ASSOCIATED STORED ECHO_RQ);
}

/* In the middle of a conversation there is neither order nor context to judge by. */
static void a_conversation_is_picked_up(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	uint8_t buf[512], data[300] = {0};

	say_pdv(s, 0, 3, 2, (struct bytes){data, 300});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_short(s, 0, 5, 0);
	talk_begin(r, "dicom", false);
	r->in.midstream = true;
	for (size_t i = 0; i < s->count; i++)
		talk_feed(r, 0, s->pieces[i].data, s->pieces[i].len);
	talk_finish(r);
	assert_string_equal(r->said,
			    "{\"dicom\":{\"pdu\":\"P-DATA-TF\",\"command\":\"C-ECHO-RQ\","
			    "\"sop_class\":\"Verification SOP Class\","
			    "\"sop_class_uid\":\"1.2.840.10008.1.1\",\"presentation_context\":1,"
			    "\"message_id\":7,\"data_set\":false}}\n"
			    "{\"dicom\":{\"pdu\":\"A-RELEASE-RQ\"}}\n");
	free(s);
	free(r);
}

/* Where the answers take another way, what is asked is read all the same. */
static void one_end_alone_is_read(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = associated();
	uint8_t buf[512];

	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_short(s, 0, 5, 0);
	for (unsigned end = 0; end < 2; end++) {
		talk_begin(r, "dicom", false);
		r->in.alone = true;
		for (size_t i = 0; i < s->count; i++)
			if (s->pieces[i].end == end)
				talk_feed(r, end, s->pieces[i].data, s->pieces[i].len);
		talk_finish(r);
		assert_null(strstr(r->said, "reason"));
		assert_non_null(strstr(r->said, end ? "A-ASSOCIATE-AC" : "A-RELEASE-RQ"));
	}
	free(s);
	free(r);
}

/* Behind a hole reading goes on where a PDU begins; a hole in what is passed over is none. */
static void holes_are_survived(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = associated();
	uint8_t buf[512], data[3000] = {0};
	struct bytes echo = command(buf, VERIFICATION, 0x0030, 7, -1, false);
	uint8_t store[512];

	say_pdv(s, 0, 3, 3, command(store, CT, 0x0001, 9, -1, true));
	say_pdv(s, 0, 3, 2, (struct bytes){data, 3000});
	say_pdv(s, 0, 1, 3, echo);
	talk_begin(r, "dicom", false);
	talk_feed(r, 0, s->pieces[0].data, s->pieces[0].len);
	talk_feed(r, 1, s->pieces[1].data, s->pieces[1].len);
	talk_feed(r, 0, s->pieces[2].data, s->pieces[2].len);
	talk_feed(r, 0, s->pieces[3].data, 500);
	talk_gap(r->talk, 0, s->pieces[3].len - 500);
	talk_feed(r, 0, s->pieces[4].data, s->pieces[4].len);
	assert_string_equal(r->said, ASSOCIATED STORED ECHO_RQ);
	talk_gap(r->talk, 0, 40);
	talk_feed(r, 0, "of what was lost", 16);
	talk_feed(r, 0, s->pieces[4].data, s->pieces[4].len);
	assert_string_equal(r->said, ASSOCIATED STORED ECHO_RQ ECHO_RQ);
	talk_finish(r);
	free(s);
	free(r);
}

static enum parse probed(const void *data, size_t len, bool midstream)
{
	struct bytes b = unit_exact(data, len);
	struct proto_input in = {.data = b, .midstream = midstream};
	enum parse got = proto_find("dicom")->probe(&in);

	free((void *)b.data);
	return got;
}

static void it_is_known_by_its_first_bytes(void **state)
{
	static const char *const others[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
					     "\x16\3\1\2\0\1\0",
					     "SSH-2.0-OpenSSH\r\n",
					     "\x0bMSH|^~\\&|",
					     "\x10\x0f\0\4MQTT",
					     "\3\1\1\1\1\1",
					     "\1\2\3\4\5\6\7"};
	struct script *s = associated();
	uint8_t buf[512], *first = s->buf;
	size_t rest = s->w.len;

	for (size_t n = 0; n < 78; n++)
		assert_int_equal(probed(first, n, false), PARSE_MORE);
	assert_int_equal(probed(first, 92, false), PARSE_OK);
	assert_int_equal(probed(s->pieces[1].data, s->pieces[1].len, false), PARSE_OK);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_int_equal(probed(others[i], strlen(others[i]), true), PARSE_BAD);
	first[12] = 1; /* a control character hides nothing */
	assert_int_equal(probed(first, 92, false), PARSE_OK);
	first[2] = 0xff; /* nor does a length that nobody believes */
	assert_int_equal(probed(first, 92, false), PARSE_OK);
	first[80] = 'x'; /* but with the application context gone too, what is left of it? */
	assert_int_equal(probed(first, 92, false), PARSE_BAD);

	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	assert_int_equal(probed(s->buf + rest, s->w.len - rest, false), PARSE_OK);
	rest = s->w.len;
	say_pdv(s, 0, 1, 2, (struct bytes){buf, 100});
	assert_int_equal(probed(s->buf + rest, s->w.len - rest, false), PARSE_BAD);
	assert_int_equal(probed(s->buf + rest, s->w.len - rest, true), PARSE_OK);
	rest = s->w.len;
	say_short(s, 0, 7, 0);
	assert_int_equal(probed(s->buf + rest, 9, true), PARSE_MORE);
	assert_int_equal(probed(s->buf + rest, 10, true), PARSE_OK);
	assert_int_equal(probed(s->buf + rest, 10, false), PARSE_BAD);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_echo_is_told),
		cmocka_unit_test(fragments_make_one_message),
		cmocka_unit_test(every_command_has_its_name),
		cmocka_unit_test(a_move_says_where_to),
		cmocka_unit_test(negotiation_is_told_and_no_secret),
		cmocka_unit_test(an_abort_says_whose_fault),
		cmocka_unit_test(every_context_counts),
		cmocka_unit_test(a_line_has_an_end),
		cmocka_unit_test(what_is_not_kept_is_not_told),
		cmocka_unit_test(lies_about_lengths_are_refused),
		cmocka_unit_test(broken_associations_are_refused),
		cmocka_unit_test(titles_hold_no_control_characters),
		cmocka_unit_test(a_role_is_of_a_sop_class),
		cmocka_unit_test(roles_may_come_first),
		cmocka_unit_test(a_command_in_explicit_vr_is_read),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(ends_do_not_disturb_each_other),
		cmocka_unit_test(only_what_was_negotiated),
		cmocka_unit_test(makers_have_classes_of_their_own),
		cmocka_unit_test(who_asks_twice_is_answered_twice),
		cmocka_unit_test(who_is_aborted_hears_of_it_later),
		cmocka_unit_test(a_pdu_longer_than_agreed),
		cmocka_unit_test(command_sets_are_kept_in_order),
		cmocka_unit_test(a_message_is_of_one_class),
		cmocka_unit_test(a_preamble_that_starts_is_told),
		cmocka_unit_test(a_conversation_is_picked_up),
		cmocka_unit_test(one_end_alone_is_read),
		cmocka_unit_test(holes_are_survived),
		cmocka_unit_test(it_is_known_by_its_first_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
