#include "guard/proto/hl7_probe.h"

#include <ctype.h>

#include "guard/proto/hl7_xml.h"

#define START	   0x0b /* MLLP */
#define END	   0x1c
#define CR	   0x0d
#define LF	   0x0a
#define BLANKS	   8  /* before the first header */
#define WIDE	   24 /* bytes by which an encoding of two or four a character shows */
#define SEPARATORS 5  /* of MSH-2 at most */

/* The first bytes: OK a header's name, MORE as far as they go. */
static enum parse probe_name(struct bytes b)
{
	static const char *const first[] = {"MSH", "BHS", "FHS"};
	size_t n = b.len < 3 ? b.len : 3;

	for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (!n || !memcmp(b.data, first[i], n))
			return n == 3 ? PARSE_OK : PARSE_MORE;
	return PARSE_BAD;
}

enum parse hl7_probe_wide(struct bytes b)
{
	uint8_t narrow[3];
	size_t n = 0, wide = 0;
	enum parse got;

	for (size_t i = 0; i < b.len && i < WIDE && n < sizeof(narrow); i++) {
		uint8_t c = b.data[i];

		if (c == 0 || c == 0xfe || c == 0xff)
			wide++;
		else if (c != START || n)
			narrow[n++] = c;
	}
	if (!wide)
		return PARSE_BAD;
	got = probe_name((struct bytes){narrow, n});
	return got == PARSE_MORE && b.len >= WIDE ? PARSE_BAD : got;
}

enum parse hl7_probe_wide_start(struct bytes b)
{
	if (b.data[0] != 0 && b.data[0] != 0xfe && b.data[0] != 0xff)
		return PARSE_BAD;
	if (!memchr(b.data, START, b.len < 8 ? b.len : 8))
		return b.len < 8 ? PARSE_MORE : PARSE_BAD;
	return hl7_probe_wide(b);
}

bool hl7_has_mark(struct bytes b)
{
	return b.len >= 3 && !memcmp(b.data, "\xef\xbb\xbf", 3);
}

bool hl7_is_hybrid(struct bytes line)
{
	return line.len == 3 && (line.data[0] == 'D' || line.data[0] == 'N') &&
	       isdigit(line.data[1]) && isdigit(line.data[2]);
}

/* Behind a frame's first byte and blanks: what MLLP knows, and what is found instead of it. */
static enum parse probe_inside(struct bytes b)
{
	enum parse got = probe_name(b);

	if (got == PARSE_BAD)
		got = hl7_xml_probe(b);
	if (got != PARSE_BAD)
		return got;
	if (b.data[0] == 0xef)
		return hl7_has_mark(b) ? probe_name((struct bytes){b.data + 3, b.len - 3})
		       : b.len < 3     ? PARSE_MORE
				       : PARSE_BAD;
	if (hl7_is_hybrid((struct bytes){b.data, b.len < 3 ? b.len : 3}))
		return b.len == 3 ? PARSE_MORE : b.data[3] == CR ? PARSE_OK : PARSE_BAD;
	if (b.len < 3 && (b.data[0] == 'D' || b.data[0] == 'N') &&
	    (b.len == 1 || isdigit(b.data[1])))
		return PARSE_MORE;
	return hl7_probe_wide(b);
}

static bool is_blank(uint8_t c)
{
	return c == CR || c == LF || c == ' ' || c == '\t';
}

/* Some senders set blanks before the header or the frame, begin a frame twice, or try the line by one
 * of nothing. */
enum parse hl7_probe(const struct proto_input *in)
{
	struct bytes b = in->data;
	enum parse got;
	size_t at = 1;

	for (unsigned i = 0; i < BLANKS && b.len && is_blank(b.data[0]); i++)
		b = (struct bytes){b.data + 1, b.len - 1};
	if (!b.len)
		return PARSE_MORE;
	if (b.data[0] != START) {
		got = hl7_probe_bare(b);
		return got == PARSE_BAD ? hl7_probe_wide_start(b) : got;
	}
	while (at < b.len && at <= BLANKS && (is_blank(b.data[at]) || b.data[at] == START))
		at++;
	if (at < b.len && (b.data[at] == END || hl7_is_commit(b.data[at]))) {
		at += b.data[at] != END;
		if (at == b.len)
			return PARSE_MORE;
		return b.data[at] == END ? PARSE_OK : PARSE_BAD;
	}
	return probe_inside((struct bytes){b.data + at, b.len - at});
}

bool hl7_are_separators(uint8_t field, struct bytes others)
{
	if (!isgraph(field) || isalnum(field) || others.len < 1 || others.len > 5)
		return false;
	for (size_t i = 0; i < others.len; i++) {
		if (!isgraph(others.data[i]) || isalnum(others.data[i]))
			return false;
		if (others.data[i] == field || (i && others.data[i] == others.data[0]))
			return false;
	}
	return true;
}

enum parse hl7_probe_header(struct bytes b)
{
	enum parse got = probe_name(b);

	for (size_t i = 3; got == PARSE_OK && i < 5; i++)
		got = i == b.len				  ? PARSE_MORE
		      : isgraph(b.data[i]) && !isalnum(b.data[i]) ? PARSE_OK
								  : PARSE_BAD;
	return got;
}

enum parse hl7_probe_bare(struct bytes b)
{
	size_t at = b.len && b.data[0] == HL7_STX, n;
	enum parse got;

	b = (struct bytes){b.data + at, b.len - at};
	got = probe_name(b);
	if (got != PARSE_OK || b.len < 5)
		return got == PARSE_OK ? PARSE_MORE : got;
	for (n = 0; 4 + n < b.len && b.data[4 + n] != b.data[3]; n++)
		if (n == SEPARATORS)
			return PARSE_BAD;
	if (n && !hl7_are_separators(b.data[3], (struct bytes){b.data + 4, n}))
		return PARSE_BAD;
	return 4 + n == b.len ? PARSE_MORE : n ? PARSE_OK : PARSE_BAD;
}
