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

/* "16", "212", "16+24"; a frame of several samples ("212x4") or a skew is not for us. */
static int read_format(const char *word, unsigned *ret_format, unsigned *ret_offset)
{
	char *end;
	unsigned long format = strtoul(word, &end, 10), offset = 0;

	if (*end == '+')
		offset = strtoul(end + 1, &end, 10);
	if (*end || (format != 16 && format != 212) || offset > 1u << 20)
		return -ENOTSUP;
	*ret_format = (unsigned)format;
	*ret_offset = (unsigned)offset;
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

static int read_signal(char *line, struct wfdb_record *r, unsigned i)
{
	struct wfdb_signal *s = &r->signal[i];
	char *save = NULL, *word[8] = {0};
	unsigned n = 0, format, offset;
	bool baseline = false;
	int zero = 0, err;

	word[0] = strtok_r(line, " \t", &save);
	while (word[n] && ++n < 8)
		word[n] = strtok_r(NULL, " \t", &save);
	if (n < 2)
		return -EBADMSG;
	err = read_format(word[1], &format, &offset);
	if (err)
		return err;
	if (i == 0) {
		snprintf(r->file, sizeof(r->file), "%.63s", word[0]);
		r->format = format;
		r->offset = offset;
	} else if (strcmp(r->file, word[0]) != 0 || r->format != format) {
		return -ENOTSUP;
	}
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

int wfdb_header(struct bytes text, struct wfdb_record *ret_record)
{
	struct wfdb_record r = {0};
	char line[LINE_MAX_LEN], name[64], rate[32] = "250";
	unsigned long count = 0;
	int fields, err;

	if (!next_line(&text, line))
		return -EBADMSG;
	fields = sscanf(line, "%63s %u %31s %lu", name, &r.signals, rate, &count);
	if (fields < 2 || r.signals == 0)
		return -EBADMSG;
	if (strchr(name, '/') || r.signals > WFDB_SIGNALS)
		return -ENOTSUP;
	r.rate_hz = strtod(rate, NULL);
	r.count = count;
	if (!(r.rate_hz > 0 && r.rate_hz < 100000))
		return -EBADMSG;
	for (unsigned i = 0; i < r.signals; i++) {
		if (!next_line(&text, line))
			return -EBADMSG;
		err = read_signal(line, &r, i);
		if (err)
			return err;
	}
	if (strchr(r.file, '/') || strcmp(r.file, "~") == 0)
		return -ENOTSUP;
	*ret_record = r;
	return 0;
}

int wfdb_find(const struct wfdb_record *r, const char *name)
{
	for (unsigned i = 0; i < r->signals; i++)
		if (strncmp(r->signal[i].name, name, strlen(name)) == 0)
			return (int)i;
	return -1;
}

static bool sample16(struct bytes d, size_t k, int16_t *ret_v)
{
	if (k >= d.len / 2)
		return false;
	*ret_v = (int16_t)(d.data[2 * k + 1] << 8 | d.data[2 * k]);
	return true;
}

/* signal(5): two 12-bit samples in three bytes, the high nibbles in the middle one. */
static bool sample212(struct bytes d, size_t k, int16_t *ret_v)
{
	size_t at = k / 2 * 3;
	int v;

	if (at / 3 != k / 2 || at + (k & 1 ? 2 : 1) >= d.len)
		return false;
	v = k & 1 ? (d.data[at + 1] & 0xf0) << 4 | d.data[at + 2]
		  : (d.data[at + 1] & 0x0f) << 8 | d.data[at];
	v = v & 0x800 ? v - 0x1000 : v;
	*ret_v = v == -2048 ? WFDB_INVALID : (int16_t)v;
	return true;
}

size_t wfdb_samples(const struct wfdb_record *r, struct bytes data, unsigned signal,
		    int16_t *ret_samples, size_t max)
{
	struct bytes d = {NULL, 0};
	size_t n = 0;

	if (signal >= r->signals || data.len < r->offset)
		return 0;
	d.data = data.data + r->offset;
	d.len = data.len - r->offset;
	while (n < max && (!r->count || n < r->count)) {
		size_t k = n * r->signals + signal;

		if (!(r->format == 16 ? sample16(d, k, &ret_samples[n])
				      : sample212(d, k, &ret_samples[n])))
			break;
		n++;
	}
	return n;
}
