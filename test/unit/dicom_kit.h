#ifndef BEDWARDEN_TEST_DICOM_KIT_H
#define BEDWARDEN_TEST_DICOM_KIT_H
/* What the tests of DICOM share: two ends that say PDUs, and what is said of those. */
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

static inline struct script *script_new(void)
{
	struct script *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->w = writer_new(s->buf, sizeof(s->buf));
	return s;
}

static inline void say(struct script *s, unsigned end, size_t from)
{
	assert_false(s->w.bad);
	s->pieces[s->count++] = (struct talk_piece){end, s->buf + from, s->w.len - from};
}

/* Lengths are written when what they count is there. */
static inline size_t hold(struct writer *w, size_t n)
{
	static const uint8_t zeros[4];

	write_bytes(w, zeros, n);
	return w->len;
}

static inline void fill(struct writer *w, size_t at, size_t n)
{
	size_t len = w->len - at;

	for (size_t i = 1; i <= n; i++, len >>= 8)
		w->data[at - i] = (uint8_t)len;
}

static inline size_t open_pdu(struct writer *w, uint8_t type)
{
	write_u8(w, type);
	write_u8(w, 0);
	return hold(w, 4);
}

static inline size_t open_item(struct writer *w, uint8_t type)
{
	write_u8(w, type);
	write_u8(w, 0);
	return hold(w, 2);
}

static inline void item(struct writer *w, uint8_t type, const void *data, size_t len)
{
	size_t at = open_item(w, type);

	write_bytes(w, data, len);
	fill(w, at, 2);
}

static inline void text_item(struct writer *w, uint8_t type, const char *text)
{
	item(w, type, text, strlen(text));
}

static inline void fixed(struct writer *w, const char *called, const char *calling)
{
	char titles[33];

	write_be16(w, 1);
	write_be16(w, 0);
	snprintf(titles, sizeof(titles), "%-16s%-16s", called, calling);
	write_bytes(w, titles, 32);
	for (int i = 0; i < 8; i++)
		write_be32(w, 0);
}

static inline void offer(struct writer *w, uint8_t id, const char *abstract,
			 const char *const *syntaxes)
{
	size_t at = open_item(w, 0x20);

	write_be32(w, (uint32_t)id << 24);
	text_item(w, 0x30, abstract);
	for (; *syntaxes; syntaxes++)
		text_item(w, 0x40, *syntaxes);
	fill(w, at, 2);
}

static inline void answer(struct writer *w, uint8_t id, uint8_t result, const char *syntax)
{
	size_t at = open_item(w, 0x21);

	write_be32(w, (uint32_t)id << 24 | (uint32_t)result << 8);
	text_item(w, 0x40, syntax);
	fill(w, at, 2);
}

static inline void user_information(struct writer *w, uint32_t max)
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
static inline void associate(struct script *s, uint32_t max)
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

static inline void le16(struct writer *w, uint16_t v)
{
	write_u8(w, (uint8_t)v);
	write_u8(w, (uint8_t)(v >> 8));
}

static inline void element(struct writer *w, uint16_t number, const void *data, size_t len)
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

static inline void number(struct writer *w, uint16_t at, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

	element(w, at, b, 2);
}

/* A command set; status below zero: none. */
static inline struct bytes command(uint8_t buf[512], const char *sop_class, uint16_t field,
				   uint16_t id, int status, bool data_set)
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

static inline void pdv(struct writer *w, uint8_t context, uint8_t control, const void *data,
		       size_t len)
{
	write_be32(w, (uint32_t)len + 2);
	write_u8(w, context);
	write_u8(w, control);
	write_bytes(w, data, len);
}

static inline void say_pdv(struct script *s, unsigned end, uint8_t context, uint8_t control,
			   struct bytes b)
{
	size_t from = s->w.len, at = open_pdu(&s->w, 4);

	pdv(&s->w, context, control, b.data, b.len);
	fill(&s->w, at, 4);
	say(s, end, from);
}

static inline void say_short(struct script *s, unsigned end, uint8_t type, uint32_t body)
{
	size_t from = s->w.len;

	write_be16(&s->w, (uint16_t)(type << 8));
	write_be32(&s->w, 4);
	write_be32(&s->w, body);
	say(s, end, from);
}

static inline void expect(struct script *s, const char *said)
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

#define STORE_RQ                                                         \
	PART("P-DATA-TF")                                                \
	"\"command\":\"C-STORE-RQ\",\"sop_class\":\"CT Image Storage\"," \
	"\"sop_class_uid\":\"1.2.840.10008.5.1.4.1.1.2\","               \
	"\"transfer_syntax\":\"Explicit VR Little Endian\",\"priority\":\"MEDIUM\","

/* What breaks the protocol, each behind a good association or in its place. */
static inline void refused(struct script *s, const char *reason)
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

static inline struct script *associated(void)
{
	struct script *s = script_new();

	associate(s, 32768);
	return s;
}

static inline struct script *saying(struct script *s, unsigned end, const void *data, size_t len)
{
	size_t from = s->w.len;

	write_bytes(&s->w, data, len);
	say(s, end, from);
	return s;
}

#define SAYING(s, end, bytes) saying(s, end, bytes, sizeof(bytes) - 1)

#endif
