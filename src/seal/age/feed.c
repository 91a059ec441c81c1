#include "seal/age/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "seal/age/armor.h"

#define RAW 65536u

struct age_feed {
	const struct age_input *in;
	bool armored, ended; /* the input has ended */
	struct armor_reader armor;
	size_t raw_off, raw_len;
	uint8_t raw[RAW]; /* read ahead, as it comes */
	/* Read ahead, out of the armor: the header, and what was read with it. */
	uint8_t *ahead;
	size_t ahead_off, ahead_len, ahead_room;
};

static ssize_t read_once(const struct age_input *in, void *data, size_t len)
{
	ssize_t n;

	if (in->read)
		return in->read(in->arg, data, len);
	do
		n = read(in->fd, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int input_read(const struct age_input *in, void *data, size_t len, size_t *ret_len)
{
	size_t off = 0;
	ssize_t n = 1;

	while (off < len && n > 0) {
		n = read_once(in, (uint8_t *)data + off, len - off);
		off += n > 0 ? (size_t)n : 0;
	}
	*ret_len = off;
	return n < 0 ? (int)n : 0;
}

struct age_feed *feed_new(const struct age_input *in)
{
	struct age_feed *f = malloc(sizeof(*f));

	if (!f)
		return NULL;
	memset(f, 0, offsetof(struct age_feed, raw));
	f->ahead = NULL;
	f->ahead_off = f->ahead_len = f->ahead_room = 0;
	f->in = in;
	return f;
}

void feed_free(struct age_feed *f)
{
	if (!f)
		return;
	free(f->ahead);
	free(f);
}

/* One read more behind what is there. 0, also at the end, or -errno. */
static int fill_raw(struct age_feed *f)
{
	ssize_t n;

	if (f->raw_off) {
		memmove(f->raw, f->raw + f->raw_off, f->raw_len - f->raw_off);
		f->raw_len -= f->raw_off;
		f->raw_off = 0;
	}
	n = read_once(f->in, f->raw + f->raw_len, RAW - f->raw_len);
	if (n < 0)
		return (int)n;
	f->ended = n == 0;
	f->raw_len += (size_t)n;
	return 0;
}

static struct bytes raw_left(const struct age_feed *f)
{
	return (struct bytes){f->raw + f->raw_off, f->raw_len - f->raw_off};
}

/* Into a buffer with room for a line. Bytes, 0 at the end, -EILSEQ, or -errno. */
static ssize_t read_armored(struct age_feed *f, uint8_t *data, size_t max)
{
	struct writer w = writer_new(data, max);

	for (;;) {
		size_t used = 0;
		enum parse p = armor_read(&f->armor, raw_left(f), f->ended, &w, &used);

		if (p == PARSE_BAD)
			return -EILSEQ;
		f->raw_off += used;
		if (w.len || (f->ended && f->raw_off == f->raw_len))
			return (ssize_t)w.len;
		if (!f->ended) {
			int r = fill_raw(f);

			if (r < 0)
				return r;
		}
	}
}

/* Without regard to what was read ahead of the header. */
static ssize_t read_some(struct age_feed *f, uint8_t *data, size_t max)
{
	struct bytes left = raw_left(f);
	ssize_t n;

	if (f->armored)
		return read_armored(f, data, max);
	if (left.len) {
		max = max < left.len ? max : left.len;
		memcpy(data, left.data, max);
		f->raw_off += max;
		return (ssize_t)max;
	}
	if (f->ended)
		return 0;
	n = read_once(f->in, data, max);
	f->ended = n == 0;
	return n;
}

/* More of the file behind what was read ahead. 1, 0 at the end, or -errno. */
static int fill_ahead(struct age_feed *f)
{
	ssize_t n;

	if (f->ahead_room - f->ahead_len < RAW) {
		size_t room = f->ahead_room ? f->ahead_room * 2 : RAW;
		uint8_t *more = realloc(f->ahead, room);

		if (!more)
			return -ENOMEM;
		f->ahead = more;
		f->ahead_room = room;
	}
	n = read_some(f, f->ahead + f->ahead_len, f->ahead_room - f->ahead_len);
	if (n <= 0)
		return (int)n;
	f->ahead_len += (size_t)n;
	return 1;
}

/* After white space, only armor begins with a dash. */
static int find_armor(struct age_feed *f)
{
	do {
		struct bytes left;
		size_t i = 0;
		int r = fill_raw(f);

		if (r < 0)
			return r;
		left = raw_left(f);
		while (i < left.len && left.data[i] && strchr(" \t\n\v\f\r", left.data[i]))
			i++;
		if (i < left.len) {
			f->armored = left.data[i] == '-';
			return 0;
		}
	} while (!f->ended && f->raw_len <= ARMOR_SPACE_MAX);
	return 0;
}

int feed_header(struct age_feed *f, struct age_header *ret_header, const char **ret_why)
{
	enum parse p = PARSE_MORE;
	size_t tried = 0;
	int r = find_armor(f);

	while (r == 0 && p == PARSE_MORE) {
		r = fill_ahead(f);
		if (r == 0) {
			*ret_why = f->ahead_len ? "it ends within its header" : "it is empty";
			return -EPROTO;
		}
		/* Not at every few bytes that a pipe gives: that would take the square of it. */
		if (r > 0 && (f->ahead_len >= tried + tried / 2 ||
			      memchr(f->ahead + tried, '\n', f->ahead_len - tried))) {
			tried = f->ahead_len;
			p = age_header_read((struct bytes){f->ahead, f->ahead_len}, ret_header);
		}
		r = r < 0 ? r : 0;
	}
	if (r == -EILSEQ)
		*ret_why = "its armor is broken";
	if (r < 0)
		return r;
	if (p == PARSE_BAD) {
		*ret_why = "it is no age file, or its header is damaged";
		return -EPROTO;
	}
	f->ahead_off = ret_header->text.len;
	return 0;
}

/* Less room than a line of armor takes: by way of what is read ahead, which is used up. */
static ssize_t read_less(struct age_feed *f, uint8_t *data, size_t max)
{
	ssize_t n = read_some(f, f->ahead, f->ahead_room);

	f->ahead_off = f->ahead_len = 0;
	if (n <= 0)
		return n;
	max = max < (size_t)n ? max : (size_t)n;
	memcpy(data, f->ahead, max);
	f->ahead_len = (size_t)n;
	f->ahead_off = max;
	return (ssize_t)max;
}

int feed_read(struct age_feed *f, void *data, size_t len, size_t *ret_len)
{
	uint8_t *to = data;
	size_t off = f->ahead_len - f->ahead_off;
	ssize_t n = 1;

	off = off < len ? off : len;
	if (off)
		memcpy(to, f->ahead + f->ahead_off, off);
	f->ahead_off += off;
	while (off < len && n > 0) {
		n = f->armored && len - off < AGE_LINE_BYTES ? read_less(f, to + off, len - off)
							     : read_some(f, to + off, len - off);
		off += n > 0 ? (size_t)n : 0;
	}
	*ret_len = off;
	return n < 0 ? (int)n : 0;
}
