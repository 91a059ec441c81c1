#include "demo/wfdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_LEN 512

/* The next line that is no comment, without its end. */
static bool next_line(struct bytes *text, char line[LINE_MAX_LEN])
{
	while (text->len) {
		const uint8_t *end = memchr(text->data, '\n', text->len);
		size_t len = end ? (size_t)(end - text->data) : text->len;
		size_t used = end ? len + 1 : len;
		size_t keep = len < LINE_MAX_LEN - 1 ? len : LINE_MAX_LEN - 1;

		memcpy(line, text->data, keep);
		line[keep] = 0;
		text->data += used;
		text->len -= used;
		line[strcspn(line, "\r")] = 0;
		if (line[0] && line[0] != '#')
			return true;
	}
	return false;
}

/* How samples are packed: `samples` of them in `bytes`. */
static const struct packing {
	unsigned format, samples, bytes;
} packings[] = {{0, 1, 1},  {16, 1, 2},	 {24, 1, 3},  {32, 1, 4},  {61, 1, 2},
		{80, 1, 1}, {160, 1, 2}, {212, 2, 3}, {310, 3, 4}, {311, 3, 4}};

static const struct packing *packing_of(unsigned format)
{
	for (unsigned i = 0; i < sizeof(packings) / sizeof(packings[0]); i++)
		if (packings[i].format == format)
			return &packings[i];
	return NULL;
}

/* "16", "212x4", "16+24", "212:3"; format 0 stands in layouts, where nothing was recorded. */
static int read_format(const char *word, struct wfdb_signal *s)
{
	char *end;

	s->format = (unsigned)strtoul(word, &end, 10);
	s->per_frame = 1;
	if (*end == 'x')
		s->per_frame = (unsigned)strtoul(end + 1, &end, 10);
	if (*end == ':')
		s->skew = (unsigned)strtoul(end + 1, &end, 10);
	if (*end == '+')
		s->offset = (unsigned)strtoul(end + 1, &end, 10);
	if (*end || !packing_of(s->format) || s->offset > 1u << 20 || s->skew > 1u << 20 ||
	    s->per_frame == 0 || s->per_frame > WFDB_FRAME)
		return -ENOTSUP;
	return 0;
}

/* "200", "2963.77/mV", "12.84(-1605)/mmHg" */
static void read_gain(const char *word, struct wfdb_signal *s, bool *ret_baseline)
{
	char *end;
	double gain = strtod(word, &end);

	s->gain = gain > 0 ? gain : 200; /* header(5): the default */
	*ret_baseline = *end == '(';
	if (*ret_baseline) {
		s->baseline = (int)strtol(end + 1, &end, 10);
		if (*end == ')')
			end++;
	}
	snprintf(s->units, sizeof(s->units), "%.15s", *end == '/' ? end + 1 : "mV");
}

static int read_signal(char *line, struct wfdb_signal *s)
{
	char *save = NULL, *word[8] = {0};
	bool baseline = false;
	unsigned n = 0;
	int zero = 0, err;

	word[0] = strtok_r(line, " \t", &save);
	while (word[n] && ++n < 8)
		word[n] = strtok_r(NULL, " \t", &save);
	if (n < 2)
		return -EBADMSG;
	err = read_format(word[1], s);
	if (err)
		return err;
	if (strchr(word[0], '/'))
		return -ENOTSUP;
	snprintf(s->file, sizeof(s->file), "%.63s", word[0]);
	read_gain(n > 2 ? word[2] : "", s, &baseline);
	if (n > 4)
		zero = atoi(word[4]);
	if (!baseline)
		s->baseline = zero;
	/* what stands behind the eight fields is the name, blanks and all */
	snprintf(s->name, sizeof(s->name), "%.31s", n == 8 ? save : "");
	while (s->name[0] && s->name[strlen(s->name) - 1] == ' ')
		s->name[strlen(s->name) - 1] = 0;
	return 0;
}

static int read_segments(struct bytes text, struct wfdb_record *r)
{
	char line[LINE_MAX_LEN];

	for (unsigned i = 0; i < r->segments; i++) {
		struct wfdb_segment *s = &r->segment[i];

		if (!next_line(&text, line) || sscanf(line, "%63s %lu", s->name, &s->count) != 2)
			return -EBADMSG;
		if (strchr(s->name, '/'))
			return -ENOTSUP;
	}
	return 0;
}

static int read_signals(struct bytes text, struct wfdb_record *r)
{
	char line[LINE_MAX_LEN];
	int err = 0;

	for (unsigned i = 0; !err && i < r->signals; i++)
		err = next_line(&text, line) ? read_signal(line, &r->signal[i]) : -EBADMSG;
	return err;
}

int wfdb_header(struct bytes text, struct wfdb_record *ret_record)
{
	char line[LINE_MAX_LEN], name[64], rate[32] = "250", *slash, *end;
	struct wfdb_record r = {0};
	int err;

	if (!next_line(&text, line))
		return -EBADMSG;
	if (sscanf(line, "%63s %u %31s %lu", name, &r.signals, rate, &r.count) < 2 ||
	    r.signals == 0)
		return -EBADMSG;
	slash = strchr(name, '/');
	if (slash) {
		r.segments = (unsigned)strtoul(slash + 1, &end, 10);
		if (*end || !r.segments)
			return -EBADMSG;
	}
	if (r.signals > WFDB_SIGNALS || r.segments > WFDB_SEGMENTS)
		return -ENOTSUP;
	r.rate_hz = strtod(rate, NULL);
	if (!(r.rate_hz > 0 && r.rate_hz < 100000))
		return -EBADMSG;
	err = r.segments ? read_segments(text, &r) : read_signals(text, &r);
	if (!err)
		*ret_record = r;
	return err;
}

int wfdb_find(const struct wfdb_record *r, const char *name)
{
	for (unsigned i = 0; i < r->signals; i++)
		if (strncmp(r->signal[i].name, name, strlen(name)) == 0)
			return (int)i;
	return -1;
}

static int32_t extend(uint32_t v, unsigned bits)
{
	return (int32_t)(v << (32 - bits)) >> (32 - bits);
}

/* signal(5), 310: two words of two bytes hold 11 bits and half of the third sample each. */
static uint32_t third310(const uint8_t *b)
{
	return (uint32_t)(b[1] >> 3) | (uint32_t)(b[3] & 0xf8) << 2;
}

/* One of the samples packed in the bytes at b; those are there as far as it needs them. */
static int32_t unpack(unsigned format, const uint8_t *b, unsigned i)
{
	switch (format) {
	case 16:
		return extend((uint32_t)(b[1] << 8 | b[0]), 16);
	case 61:
		return extend((uint32_t)(b[0] << 8 | b[1]), 16);
	case 24:
		return extend((uint32_t)(b[2] << 16 | b[1] << 8 | b[0]), 24);
	case 32:
		return (int32_t)((uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 |
				 b[0]);
	case 80:
		return b[0] - 128;
	case 160:
		return (b[1] << 8 | b[0]) - 32768;
	case 212:
		return extend(i ? (uint32_t)((b[1] & 0xf0) << 4 | b[2])
				: (uint32_t)((b[1] & 0x0f) << 8 | b[0]),
			      12);
	case 310:
		return extend(i == 2 ? third310(b)
				     : (uint32_t)(b[2 * i + 1] & 7) << 7 | b[2 * i] >> 1,
			      10);
	default: /* 311: 10 bits each from the lowest on */
		return extend((uint32_t)(b[3] << 24 | b[2] << 16 | b[1] << 8 | b[0]) >> (10 * i),
			      10);
	}
}

/* signal(5): the least value of a format stands for none. */
static bool is_invalid(unsigned format, int32_t v)
{
	static const struct {
		unsigned format;
		int32_t least;
	} marks[] = {{16, -32768}, {61, -32768}, {160, -32768}, {24, -8388608}, {32, INT32_MIN},
		     {80, -128},   {212, -2048}, {310, -512},	{311, -512}};

	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (marks[i].format == format)
			return v == marks[i].least;
	return false;
}

/* The bytes that sample i of a packed group needs: the last ones of a file may be cut short. */
static size_t needed(const struct packing *p, unsigned i)
{
	if (p->format == 212)
		return i ? 3 : 2;
	if (p->format == 310)
		return i == 0 ? 2 : 4;
	return p->bytes;
}

/* Where a signal's samples stand in a frame of its file, and how long that is. */
static unsigned frame_of(const struct wfdb_record *r, unsigned signal, unsigned *ret_length)
{
	unsigned before = 0, length = 0;

	for (unsigned i = 0; i < r->signals; i++) {
		if (strcmp(r->signal[i].file, r->signal[signal].file) != 0)
			continue;
		before += i < signal ? r->signal[i].per_frame : 0;
		length += r->signal[i].per_frame;
	}
	*ret_length = length;
	return before;
}

size_t wfdb_samples(const struct wfdb_record *r, struct bytes data, unsigned signal,
		    int32_t *ret_samples, size_t max)
{
	const struct wfdb_signal *s = &r->signal[signal];
	const struct packing *p;
	unsigned length, before;
	size_t n = 0;

	if (signal >= r->signals || data.len < s->offset || !(p = packing_of(s->format)) ||
	    p->format == 0)
		return 0;
	before = frame_of(r, signal, &length);
	data.data += s->offset;
	data.len -= s->offset;
	while (n < max && (!r->count || n < r->count * s->per_frame)) {
		size_t frame = n / s->per_frame + s->skew;
		size_t k = frame * length + before + n % s->per_frame;
		size_t at = k / p->samples * p->bytes;
		int32_t v;

		if (at + needed(p, k % p->samples) > data.len)
			break;
		v = unpack(s->format, data.data + at, k % p->samples);
		ret_samples[n++] = is_invalid(s->format, v) ? WFDB_INVALID : v;
	}
	return n;
}
