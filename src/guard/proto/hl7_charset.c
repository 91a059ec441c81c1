#include "guard/proto/hl7_charset.h"

#include <ctype.h>

#define ESC  0x1b /* ISO 2022: another set from here on */
#define SO   0x0e
#define SI   0x0f
#define TYPE 8 /* MSH-9 */

#define EVERY 0x0101010101010101u

/* Nothing but graphic characters of ASCII: no byte of another set, and no switch to one. */
static inline bool is_plain(struct bytes b)
{
	uint64_t odd = 0, eight;
	size_t i = 0;

	for (; i + sizeof(eight) <= b.len; i += sizeof(eight)) {
		memcpy(&eight, b.data + i, sizeof(eight));
		odd |= eight | (eight - ' ' * EVERY);
	}
	for (; i < b.len; i++)
		odd |= b.data[i] | (b.data[i] - (uint64_t)' ');
	return !(odd & 0x80 * EVERY);
}

/* Would a receiver take it for a type: three letters or digits, however written, and no more? */
static bool is_code(struct bytes field, uint8_t component)
{
	struct bytes code = hl7_component(field, component, 1);

	while (code.len && code.data[0] == ' ')
		code = (struct bytes){code.data + 1, code.len - 1};
	return code.len >= 3 && isalpha(code.data[0]) && isalnum(code.data[1]) &&
	       isalnum(code.data[2]) && (code.len == 3 || code.data[3] == ' ');
}

static bool has_letters(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (isalpha(b.data[i]) || b.data[i] & 0x80)
			return true;
	return false;
}

/* Switched away from ASCII ("ESC ( B", JIS's Latin "ESC ( J", SI) at `at`, having been so before or not? */
static bool is_switched(struct bytes b, size_t at, bool before)
{
	if (b.data[at] == ESC || b.data[at] == SO)
		return true;
	if (at >= 2 && b.data[at - 2] == ESC && b.data[at - 1] == '(')
		return b.data[at] != 'B' && b.data[at] != 'J';
	return before && b.data[at] != SI;
}

/* Field by field by bytes, and by characters, each of which may hide separators. */
struct walk {
	struct bytes field;
	unsigned n;	 /* by bytes */
	unsigned hidden; /* separators before it that may be half a character */
	bool last;
};

static void next_field(struct walk *w, struct bytes b, uint8_t separator, bool *switched)
{
	size_t at = w->field.data ? (size_t)(w->field.data - b.data) + w->field.len : 0;

	if (w->field.data) {
		w->n++;
		w->hidden += *switched || b.data[at - 1] & 0x80;
		at++;
	}
	w->field = (struct bytes){b.data + at, 0};
	for (; at < b.len && b.data[at] != separator; at++)
		*switched = is_switched(b, at, *switched);
	w->field.len = (size_t)(b.data + at - w->field.data);
	w->last = at == b.len;
}

/* Only what surely are separators; those that may be half a character are left within fields. */
static void split_sure(struct bytes b, uint8_t separator, struct hl7_fields *ret_f)
{
	struct walk w = {0};
	bool switched = false;
	unsigned n = 0, hidden = 0;

	*ret_f = (struct hl7_fields){0};
	do {
		next_field(&w, b, separator, &switched);
		n = w.n - w.hidden;
		if (n > HL7_FIELD_LAST)
			break;
		if (w.hidden == hidden || !w.n)
			ret_f->at[n] = w.field;
		else
			ret_f->at[n].len += 1 + w.field.len;
		hidden = w.hidden;
	} while (!w.last);
}

/* How many fields behind MSH-9, by bytes, are types to who hides that many separators before them. */
static unsigned count_types(struct bytes b, uint8_t separator, uint8_t component)
{
	struct walk w = {0};
	bool switched = false;
	unsigned types = 0;

	do {
		next_field(&w, b, separator, &switched);
		types += w.n > TYPE && w.hidden >= w.n - TYPE && is_code(w.field, component);
	} while (!w.last);
	return types;
}

static __attribute__((cold, noinline)) bool
split_doubtful(struct bytes header, uint8_t separator, uint8_t component, struct hl7_fields *ret_f)
{
	unsigned types = count_types(header, separator, component);
	struct hl7_fields sure;

	if (!types)
		return true;
	split_sure(header, separator, &sure);
	if (types > 1 || has_letters(ret_f->at[TYPE]) || !is_code(sure.at[TYPE], component))
		return false;
	*ret_f = sure;
	return true;
}

bool hl7_charset_split(struct bytes header, uint8_t separator, uint8_t component,
		       struct hl7_fields *ret_f)
{
	hl7_split(header, separator, ret_f);
	return is_plain(header) || split_doubtful(header, separator, component, ret_f);
}
