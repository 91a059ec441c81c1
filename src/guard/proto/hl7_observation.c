#include "guard/proto/hl7_observation.h"

#include <ctype.h>
#include <stdlib.h>

#define NUMBER_MAX 40

/*
 * Nearly all are a few digits with a point. Whole numbers below 2^53 and powers of ten up to
 * 10^22 are exact, so that their quotient is rounded once, as strtod() does.
 */
static bool read_plain(struct bytes b, double *ret_value)
{
	static const double tens[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,	1e6,  1e7,
				      1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	uint64_t whole = 0;
	size_t point = b.len;

	if (b.len > 15)
		return false;
	for (size_t i = 0; i < b.len; i++) {
		if (isdigit(b.data[i]))
			whole = whole * 10 + (b.data[i] - '0');
		else if (b.data[i] == '.' && point == b.len && b.len > 1)
			point = i;
		else
			return false;
	}
	*ret_value = (double)whole / tens[point == b.len ? 0 : b.len - 1 - point];
	return true;
}

static bool read_number(struct bytes b, double *ret_value)
{
	char text[NUMBER_MAX], *end;

	if (!b.len || b.len >= sizeof(text))
		return false;
	if (read_plain(b, ret_value))
		return true;
	for (size_t i = 0; i < b.len; i++)
		if (!isdigit(b.data[i]) && !memchr("+-.eE", b.data[i], 5))
			return false;
	memcpy(text, b.data, b.len);
	text[b.len] = 0;
	*ret_value = strtod(text, &end);
	return *end == 0;
}

static unsigned digit_of(uint8_t c)
{
	unsigned digit = c - (unsigned)'0', letter = (c | 0x20) - (unsigned)'a';

	return digit <= 9 ? digit : letter < 6 ? letter + 10 : 16;
}

/* Digits of a base up to `stop`, 0: all there are; 0 where it is no such number. */
static uint32_t read_digits(struct bytes b, unsigned base, uint8_t stop)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < b.len && b.data[i] != stop; i++) {
		unsigned digit = digit_of(b.data[i]);

		if (digit >= base || v > UINT32_MAX)
			return 0;
		v = v * base + digit;
	}
	return (i < b.len) == (stop != 0) && v <= UINT32_MAX ? (uint32_t)v : 0;
}

/* What is no MDC number has no partition. */
static uint32_t read_mdc(struct bytes id)
{
	uint32_t mdc;

	if (id.len == 9 && id.data[4] == '-')
		mdc = read_digits(id, 16, '-') << 16 |
		      read_digits((struct bytes){id.data + 5, 4}, 16, 0);
	else
		mdc = read_digits(id, 10, 0);
	return mdc >> 16 && mdc & 0xffff ? mdc : 0;
}

/* The identifier or its alternate, in MDC, else in LOINC. */
static uint32_t read_code(struct bytes field, uint8_t c, bool *ret_loinc)
{
	uint32_t code = 0;

	for (unsigned n = 1; n <= 4 && !code; n += 3)
		code = read_mdc(hl7_component(field, c, n));
	*ret_loinc = !code;
	for (unsigned n = 1; n <= 4 && !code; n += 3) {
		struct bytes system = hl7_component(field, c, n + 2);

		if (system.len == 2 && !memcmp(system.data, "LN", 2))
			code = read_digits(hl7_component(field, c, n), 10, '-');
	}
	return code;
}

/* UCUM's [degF], and what people write for it: of all others none needs to be known. */
static uint16_t read_dimension(struct bytes id)
{
	uint32_t mdc = read_mdc(id);
	size_t n = id.len && id.data[id.len - 1] == ']' ? id.len - 1 : id.len;

	if (mdc)
		return (uint16_t)mdc;
	return n && n <= 6 && id.data[n - 1] == 'F' ? HL7_FAHRENHEIT : 0;
}

bool hl7_observation_read(const struct hl7_fields *f, uint8_t component,
			  struct hl7_observation *ret_o)
{
	struct bytes status = f->at[11], flag = f->at[8];
	bool loinc;

	if (f->at[2].len != 2 || memcmp(f->at[2].data, "NM", 2) ||
	    !read_number(f->at[5], &ret_o->value))
		return false;
	ret_o->code = read_code(f->at[3], component, &loinc);
	ret_o->loinc = loinc;
	ret_o->unit = read_dimension(hl7_component(f->at[6], component, 1));
	ret_o->status = status.len ? status.data[0] : 0;
	ret_o->abnormal = flag.len && !(flag.len == 1 && flag.data[0] == 'N');
	return ret_o->code != 0;
}
