#include "demo/record.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX   (64u << 20)
#define FRAMES_MAX 20000000ul /* eleven hours at 500 Hz */

static struct bytes slurp(const char *dir, const char *name)
{
	char path[512];
	struct bytes b = {NULL, 0};
	ssize_t got = 0;
	off_t len;
	uint8_t *data;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return b;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return b;
	len = lseek(fd, 0, SEEK_END);
	data = len > 0 && len < (off_t)FILE_MAX ? malloc((size_t)len) : NULL;
	if (data)
		got = pread(fd, data, (size_t)len, 0);
	close(fd);
	if (got <= 0) {
		free(data);
		return b;
	}
	return (struct bytes){data, (size_t)got};
}

static int load_header(const char *dir, const char *name, struct wfdb_record *ret_r)
{
	struct bytes text = slurp(dir, name);
	int err = text.data ? wfdb_header(text, ret_r) : -ENOENT;

	free((void *)text.data);
	return err;
}

/* Room for `frames` more of a signal, empty. */
static int grow(struct record_signal *s, size_t samples)
{
	double *v = realloc(s->v, (s->n + samples + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < samples; i++)
		v[s->n + i] = NAN;
	s->v = v;
	s->n += samples;
	return 0;
}

static int fill(const char *dir, const struct wfdb_record *h, unsigned i, struct record_signal *s,
		size_t samples)
{
	const struct wfdb_signal *w = &h->signal[i];
	struct bytes data = slurp(dir, w->file);
	int32_t *raw = malloc((samples + 1) * sizeof(*raw));
	size_t n = 0, from = s->n - samples;
	int err = data.data ? 0 : -ENOENT;

	if (!raw)
		err = -ENOMEM;
	if (!err)
		n = wfdb_samples(h, data, i, raw, samples);
	for (size_t k = 0; k < n; k++)
		if (raw[k] != WFDB_INVALID)
			s->v[from + k] = (raw[k] - w->baseline) / w->gain;
	s->gain = w->gain;
	free(raw);
	free((void *)data.data);
	return err;
}

/* Appends one segment: all signals grow, those that it has are filled. */
static int add_segment(const char *dir, const struct wfdb_record *h, double seconds,
		       struct record *r)
{
	int err = 0;

	for (unsigned i = 0; !err && i < r->signals; i++) {
		struct record_signal *s = &r->signal[i];
		size_t samples = (size_t)llrint(s->rate_hz * seconds);
		int k = h ? wfdb_find(h, s->name) : -1;

		err = grow(s, samples);
		if (!err && k >= 0)
			err = fill(dir, h, (unsigned)k, s, samples);
	}
	return err;
}

/* Where the header does not say: as many as the first signal has in its file. */
static unsigned long frames_of(const char *dir, const struct wfdb_record *h)
{
	struct bytes data;
	int32_t *raw;
	size_t n = 0;

	if (h->count)
		return h->count;
	data = slurp(dir, h->signal[0].file);
	raw = malloc((data.len + 1) * 2 * sizeof(*raw)); /* no format packs more densely */
	if (raw)
		n = wfdb_samples(h, data, 0, raw, (data.len + 1) * 2);
	free(raw);
	free((void *)data.data);
	return n / h->signal[0].per_frame;
}

/* What the signals are: of the record itself, or of its layout or first segment. */
static void set_signals(const struct wfdb_record *h, struct record *r)
{
	r->signals = h->signals;
	for (unsigned i = 0; i < h->signals; i++) {
		struct record_signal *s = &r->signal[i];

		snprintf(s->name, sizeof(s->name), "%s", h->signal[i].name);
		snprintf(s->units, sizeof(s->units), "%s", h->signal[i].units);
		s->rate_hz = h->rate_hz * h->signal[i].per_frame;
		s->gain = h->signal[i].gain;
	}
}

static int load_segments(const char *dir, const struct wfdb_record *h, struct record *r)
{
	struct wfdb_record part;
	char name[80];
	int err = 0;

	snprintf(name, sizeof(name), "%s.hea", h->segment[0].name);
	err = load_header(dir, name, &part);
	if (!err)
		set_signals(&part, r);
	for (unsigned i = 0; !err && i < h->segments; i++) {
		unsigned long count = h->segment[i].count;
		bool there;

		if (!count)
			continue; /* the layout */
		snprintf(name, sizeof(name), "%s.hea", h->segment[i].name);
		there = load_header(dir, name, &part) == 0;
		/* a gap of hours, or a segment that is not at hand, is told as a short one */
		if (!there && count > (unsigned long)h->rate_hz * 10)
			count = (unsigned long)h->rate_hz * 10;
		err = add_segment(dir, there ? &part : NULL, (double)count / h->rate_hz, r);
	}
	return err;
}

int record_load(const char *dir, const char *header, struct record **ret_record)
{
	struct record *r = calloc(1, sizeof(*r));
	struct wfdb_record h;
	unsigned long frames;
	int err;

	if (!r)
		return -ENOMEM;
	err = load_header(dir, header, &h);
	if (!err && h.segments) {
		err = load_segments(dir, &h, r);
	} else if (!err) {
		set_signals(&h, r);
		frames = frames_of(dir, &h);
		frames = frames < FRAMES_MAX ? frames : FRAMES_MAX;
		err = frames ? add_segment(dir, &h, (double)frames / h.rate_hz, r) : -ENOENT;
	}
	if (err) {
		record_free(r);
		return err;
	}
	if (r->signals && r->signal[0].rate_hz > 0)
		r->seconds = (double)r->signal[0].n / r->signal[0].rate_hz;
	*ret_record = r;
	return 0;
}

void record_free(struct record *r)
{
	for (unsigned i = 0; r && i < r->signals; i++)
		free(r->signal[i].v);
	free(r);
}

const struct record_signal *record_find(const struct record *r, const char *name)
{
	for (unsigned i = 0; i < r->signals; i++)
		if (strncmp(r->signal[i].name, name, strlen(name)) == 0)
			return &r->signal[i];
	return NULL;
}
