#include "guard/proto/hl7_observation.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "guard/proto/hl7_time.h"
#include "guard/proto/param.h"

#define NUMBER_MAX 40
#define FLAGS	   5	/* that OBX-8 may have (HL7 v2.6 §7.4.2.8) */
#define RATE_MIN   20.0 /* samples a second */
#define RATE_MAX   5000.0

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

/* Some of Philips' monitors write "0002^SpO2^MDIL", the partition alone and their label. */
static bool is_partition(struct bytes id)
{
	return id.len == 4 && !memcmp(id.data, "0002", 4);
}

/* What has no number has a name, or is LOINC's; `n`: the first component of identifier, text and system. */
static uint32_t read_name(struct bytes field, uint8_t c, unsigned n)
{
	struct bytes id = hl7_component(field, c, n), system = hl7_component(field, c, n + 2);
	uint16_t code = param_ref_id(id);

	if (!code)
		code = param_ref_id(hl7_component(field, c, n + 1));
	if (!code && system.len == 2 && !memcmp(system.data, "LN", 2))
		code = param_loinc(read_digits(id, 10, '-'));
	if (!code)
		code = param_local(is_partition(id) ? hl7_component(field, c, n + 1) : id);
	return code ? MDC_SCADA << 16 | code : 0;
}

/* By the identifier or its alternate; by numbers of MDC, else by what they are called. */
static uint32_t read_code(struct bytes field, uint8_t c)
{
	uint32_t code = 0;

	for (unsigned n = 1; n <= 4 && !code; n += 3)
		code = read_mdc(hl7_component(field, c, n));
	for (unsigned n = 1; n <= 4 && !code; n += 3)
		code = read_name(field, c, n);
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

static bool is_among(struct bytes b, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (b.len == strlen(words[i]) && !memcmp(b.data, words[i], b.len))
			return true;
	return false;
}

static bool is_type(const struct hl7_fields *f, const char type[2])
{
	return f->at[2].len == 2 && !memcmp(f->at[2].data, type, 2);
}

/* IHE PCD TF-2, OBX-8: several of a list, by ~. */
static void read_validity(struct bytes flags, bool *ret_off, bool *ret_test)
{
	static const char *const off[] = {"INV", "NAV", "OFF", "NI", "NAN", "CALIB"};
	static const char *const test[] = {"TEST", "DEMO"};

	*ret_off = *ret_test = false;
	for (unsigned n = 0; flags.len > 1 && n < FLAGS; n++) {
		struct bytes flag = hl7_field(flags, '~', n);

		*ret_off |= is_among(flag, off, sizeof(off) / sizeof(off[0]));
		*ret_test |= is_among(flag, test, sizeof(test) / sizeof(test[0]));
	}
}

bool hl7_observation_read(const struct hl7_fields *f, uint8_t component,
			  struct hl7_observation *ret_o)
{
	struct bytes status = f->at[11], flag = f->at[8];
	bool off, test;

	/* Some write numbers as text. */
	if ((!is_type(f, "NM") && !is_type(f, "ST")) || !read_number(f->at[5], &ret_o->value))
		return false;
	ret_o->code = read_code(f->at[3], component);
	ret_o->vital = ret_o->code >> 16 == MDC_SCADA &&
		       param_numeric((uint16_t)ret_o->code) != PARAM_NUMBER_OTHER;
	ret_o->unit = read_dimension(hl7_component(f->at[6], component, 1));
	ret_o->status = status.len ? status.data[0] : 0;
	ret_o->abnormal = flag.len && !(flag.len == 1 && flag.data[0] == 'N');
	read_validity(flag, &off, &test);
	ret_o->off = off;
	ret_o->test = test;
	return ret_o->code != 0;
}

bool hl7_is_samples(const struct hl7_fields *f)
{
	return is_type(f, "NA");
}

bool hl7_is_rate(const struct hl7_fields *f, uint8_t component)
{
	static const char name[] = "MDC_ATTR_SAMP_RATE";

	for (unsigned n = 2; n <= 3 && is_type(f, "NM"); n++) {
		struct bytes text = hl7_component(f->at[3], component, n);

		if (text.len == sizeof(name) - 1 && !memcmp(text.data, name, text.len))
			return true;
	}
	return false;
}

bool hl7_rate_read(const struct hl7_fields *f, struct hl7_wave *ret_w)
{
	double hz;

	if (!read_number(f->at[5], &hz) || !(hz >= RATE_MIN && hz <= RATE_MAX))
		return false;
	ret_w->period_ns = (uint32_t)(NSEC_PER_SEC / hz);
	return true;
}

bool hl7_samples_read(const struct hl7_fields *f, uint8_t component, struct hl7_wave *ret_w)
{
	uint8_t status = f->at[11].len ? f->at[11].data[0] : 0;

	ret_w->code = read_code(f->at[3], component);
	if (!ret_w->code || !f->at[5].len)
		return false;
	ret_w->samples = f->at[5];
	ret_w->component = component;
	read_validity(f->at[8], &ret_w->off, &ret_w->test);
	ret_w->off |= status == 'X' || status == 'D' || status == 'W';
	return true;
}

/* Rows of an array of more than one are told apart by repetition, which some use for every sample. */
bool hl7_sample(struct hl7_wave *w, double *ret_value)
{
	struct bytes one = w->samples;
	size_t n = 0;

	if (!one.data)
		return false;
	while (n < one.len && one.data[n] != w->component && one.data[n] != '~')
		n++;
	w->samples = n < one.len ? (struct bytes){one.data + n + 1, one.len - n - 1}
				 : (struct bytes){NULL, 0};
	one.len = n;
	if (!read_number(one, ret_value))
		*ret_value = NAN;
	return true;
}
