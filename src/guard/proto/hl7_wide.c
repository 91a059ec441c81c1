#include "guard/proto/hl7_wide.h"

#define START	    0x0b
#define END	    0x1c
#define CR	    0x0d
#define LF	    0x0a
#define REPLACEMENT 0xfffd

static bool is(struct bytes b, const char *text)
{
	return !memcmp(b.data, text, 4);
}

/* Zero bytes are what ASCII has besides itself; no text of one byte a character has any. */
enum parse hl7_wide_probe(struct bytes b, struct hl7_wide *ret_w)
{
	uint8_t first = b.len ? b.data[0] : 0;
	bool lone = first && first != 0xfe && first != 0xff;

	*ret_w = (struct hl7_wide){0};
	if (lone && (first == START || first == END || (b.len > 1 && b.data[1])))
		return PARSE_OK;
	if (b.len < 4)
		return PARSE_MORE;
	if (is(b, "\xff\xfe\0\0") || is(b, "\0\0\xfe\xff"))
		*ret_w = (struct hl7_wide){4, !first, true};
	else if ((first == 0xff && b.data[1] == 0xfe) || (first == 0xfe && b.data[1] == 0xff))
		*ret_w = (struct hl7_wide){2, first == 0xfe, true};
	else if (!first && !b.data[2]) /* else a zero that stands in front of text as it is */
		*ret_w = (struct hl7_wide){b.data[1] ? 2 : 4, true, false};
	else if (lone)
		*ret_w = (struct hl7_wide){b.data[2] || b.data[3] ? 2 : 4, false, false};
	return PARSE_OK;
}

static uint32_t unit_at(const struct hl7_wide *w, const uint8_t *at)
{
	uint32_t c = 0;

	for (unsigned i = 0; i < w->width; i++)
		c = c << 8 | at[w->big ? i : w->width - 1u - i];
	return c;
}

/* What stops a segment within the unit at `at`, which may be torn at the end of the bytes, and where. */
static enum hl7_stop find_frame_byte(const struct hl7_wide *w, struct bytes b, size_t at,
				     size_t *ret_at)
{
	size_t to = at + w->width < b.len ? at + w->width : b.len;

	for (size_t i = at; i < to; i++) {
		*ret_at = i;
		if (b.data[i] == START)
			return HL7_STOP_START;
		if (b.data[i] != END)
			continue;
		if (at + w->width <= b.len && unit_at(w, b.data + at) == END)
			return HL7_STOP_WIDE;
		if (i + 1 == b.len)
			return HL7_STOP_MAYBE;
		if (b.data[i + 1] == CR)
			return HL7_STOP_END;
	}
	return HL7_STOP_NONE;
}

struct hl7_wide_cut hl7_wide_cut(const struct hl7_wide *w, struct bytes b, size_t *scanned)
{
	struct hl7_wide_cut c = {.stop = HL7_STOP_NONE};
	size_t at = *scanned, found;

	for (; at < b.len; at += w->width) {
		uint32_t unit;

		c.stop = find_frame_byte(w, b, at, &found);
		if (c.stop != HL7_STOP_NONE || at + w->width > b.len)
			break;
		unit = unit_at(w, b.data + at);
		if (unit == CR || unit == LF) {
			c.stop = HL7_STOP_LINE;
			break;
		}
	}
	c.len = c.end = *scanned = at;
	c.used = at;
	if (c.stop == HL7_STOP_LINE || c.stop == HL7_STOP_WIDE)
		c.used = at + w->width;
	if (c.stop == HL7_STOP_END || c.stop == HL7_STOP_START) {
		c.end = found; /* behind the zeros of a unit, or within a character */
		c.used = found + 1;
	}
	return c;
}

size_t hl7_wide_half(const struct hl7_wide *w, struct bytes b)
{
	uint32_t u;

	if (w->width != 2 || b.len < 2)
		return 0;
	u = unit_at(w, b.data + b.len - 2);
	return u >= 0xd800 && u < 0xdc00 ? 2 : 0;
}

/* One character; its bytes, which are at least one unit. */
static size_t next_character(const struct hl7_wide *w, struct bytes b, uint32_t *ret_c)
{
	uint32_t c = unit_at(w, b.data), low;

	*ret_c = c;
	if (c < 0xd800 || (c > 0xdfff && c <= 0x10ffff))
		return w->width;
	*ret_c = REPLACEMENT;
	if (w->width != 2 || c > 0xdbff || b.len < 4)
		return w->width;
	low = unit_at(w, b.data + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return w->width;
	*ret_c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	return 4;
}

static size_t put_utf8(uint8_t *at, uint32_t c)
{
	static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		at[i] = (uint8_t)(0x80 | (c & 0x3f));
	at[0] = (uint8_t)(leads[n] | c);
	return n;
}

size_t hl7_wide_text(const struct hl7_wide *w, struct bytes b, uint8_t *ret_text, size_t cap,
		     bool *ret_broken, bool *ret_far)
{
	bool full = false;
	size_t n = 0;

	while (b.len >= w->width) {
		uint8_t utf8[4];
		uint32_t c;
		size_t used = next_character(w, b, &c), len;

		*ret_broken |= c == REPLACEMENT && unit_at(w, b.data) != REPLACEMENT;
		*ret_far |= c > 0xff;
		b.data += used;
		b.len -= used;
		len = put_utf8(utf8, c);
		full |= len > cap - n;
		if (full)
			continue;
		memcpy(ret_text + n, utf8, len);
		n += len;
	}
	return n;
}
