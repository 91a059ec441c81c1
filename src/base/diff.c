#include "base/diff.h"

#include <stdio.h>
#include <stdlib.h>

#define AROUND 3

struct lines {
	struct bytes *line;
	size_t count;
};

/* A line of the script: which of the two it is of, ' ' both. */
struct step {
	char sign;
	size_t a, b; /* the next line of each, from 0 */
};

struct script {
	struct step *step;
	size_t count;
};

static bool split(struct bytes text, struct lines *ret_lines)
{
	size_t count = 0, n = 0;
	struct bytes *line;

	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] == '\n';
	line = calloc(count + 1, sizeof(*line));
	if (!line)
		return false;
	while (text.len > 0) {
		const uint8_t *newline = memchr(text.data, '\n', text.len);
		size_t len = newline ? (size_t)(newline - text.data) : text.len;

		line[n++] = (struct bytes){text.data, len};
		len += newline != NULL;
		text = (struct bytes){text.data + len, text.len - len};
	}
	*ret_lines = (struct lines){line, n};
	return true;
}

static bool alike(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Both without what they have in common at either end. */
struct middle {
	const struct bytes *a, *b;
	long n, m;
};

/*
 * Myers: for every number of edits d, the furthest x on each diagonal k = x - y.
 * `trace` keeps every round. The number of edits, -1 more than DIFF_EDITS.
 */
static long furthest(const struct middle *t, long *v, long **trace)
{
	long max = t->n + t->m < DIFF_EDITS ? t->n + t->m : DIFF_EDITS;

	for (long d = 0; d <= max; d++) {
		trace[d] = malloc(sizeof(long) * (size_t)(2 * d + 3));
		if (!trace[d])
			return -1;
		/* What the rounds before reached: diagonals -d-1 .. d+1. */
		for (long k = -d - 1; k <= d + 1; k++)
			trace[d][k + d + 1] = v[k];
		for (long k = -d; k <= d; k += 2) {
			long x = k == -d || (k != d && v[k - 1] < v[k + 1]) ? v[k + 1]
									    : v[k - 1] + 1;

			while (x < t->n && x - k < t->m && x >= 0 && x - k >= 0 &&
			       alike(t->a[x], t->b[x - k]))
				x++;
			v[k] = x;
			if (x >= t->n && x - k >= t->m)
				return d;
		}
	}
	return -1;
}

static void add(struct script *s, char sign)
{
	s->step[s->count++].sign = sign;
}

/* Back along the trace; steps come out last first. */
static void walk_back(const struct middle *t, long **trace, long d, struct script *s)
{
	long x = t->n, y = t->m;

	for (; d > 0; d--) {
		const long *v = trace[d] + d + 1;
		long k = x - y;
		long from = k == -d || (k != d && v[k - 1] < v[k + 1]) ? k + 1 : k - 1;

		for (; x > v[from] && y > v[from] - from; x--, y--)
			add(s, ' ');
		add(s, from > k ? '+' : '-');
		x = v[from];
		y = x - from;
	}
	for (; x > 0; x--)
		add(s, ' ');
}

/* The middle as steps; where it differs too much, all of it replaced. */
static bool compare(const struct middle *t, struct script *s)
{
	size_t span = (size_t)(2 * (t->n + t->m) + 8);
	long *v = calloc(span, sizeof(*v));
	long **trace = calloc(DIFF_EDITS + 1, sizeof(*trace));
	size_t from = s->count;
	long d = -1;

	if (v && trace)
		d = furthest(t, v + span / 2, trace);
	if (d >= 0) {
		walk_back(t, trace, d, s);
		for (size_t i = from, k = s->count; i + 1 < k; i++, k--) {
			struct step swap = s->step[i];

			s->step[i] = s->step[k - 1];
			s->step[k - 1] = swap;
		}
	} else {
		for (long i = 0; i < t->n; i++)
			add(s, '-');
		for (long i = 0; i < t->m; i++)
			add(s, '+');
	}
	for (long i = 0; trace && i <= DIFF_EDITS; i++)
		free(trace[i]);
	free(trace);
	free(v);
	return v && trace;
}

static bool make_script(const struct lines *a, const struct lines *b, struct script *s)
{
	size_t head = 0, tail = 0, x = 0, y = 0;
	struct middle t;
	bool ok;

	while (head < a->count && head < b->count && alike(a->line[head], b->line[head]))
		head++;
	while (tail < a->count - head && tail < b->count - head &&
	       alike(a->line[a->count - 1 - tail], b->line[b->count - 1 - tail]))
		tail++;
	t = (struct middle){a->line + head, b->line + head, (long)(a->count - head - tail),
			    (long)(b->count - head - tail)};
	s->step = calloc(a->count + b->count + 1, sizeof(*s->step));
	if (!s->step)
		return false;
	for (size_t i = 0; i < head; i++)
		add(s, ' ');
	ok = compare(&t, s);
	for (size_t i = 0; i < tail; i++)
		add(s, ' ');
	for (size_t i = 0; i < s->count; i++) {
		s->step[i].a = x;
		s->step[i].b = y;
		x += s->step[i].sign != '+';
		y += s->step[i].sign != '-';
	}
	return ok;
}

/* The end of the stretch that begins at `i`: past AROUND lines alike behind its last change. */
static size_t stretch(const struct script *s, size_t i)
{
	size_t quiet = 0;

	for (; i < s->count; i++) {
		quiet = s->step[i].sign == ' ' ? quiet + 1 : 0;
		if (quiet > 2 * AROUND)
			return i - AROUND;
	}
	return quiet > AROUND ? s->count - (quiet - AROUND) : s->count;
}

static void print(FILE *out, const struct lines *a, const struct lines *b, const struct script *s,
		  size_t from, size_t to)
{
	size_t of_a = 0, of_b = 0;

	for (size_t i = from; i < to; i++) {
		of_a += s->step[i].sign != '+';
		of_b += s->step[i].sign != '-';
	}
	fprintf(out, "@@ -%zu,%zu +%zu,%zu @@\n", s->step[from].a + (of_a > 0), of_a,
		s->step[from].b + (of_b > 0), of_b);
	for (size_t i = from; i < to; i++) {
		struct bytes l =
			s->step[i].sign == '+' ? b->line[s->step[i].b] : a->line[s->step[i].a];

		fputc(s->step[i].sign, out);
		fwrite(l.data, 1, l.len, out);
		fputc('\n', out);
	}
}

char *diff_unified(struct bytes a, struct bytes b)
{
	struct lines la = {0}, lb = {0};
	struct script s = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool ok = out && split(a, &la) && split(b, &lb) && make_script(&la, &lb, &s);

	for (size_t i = 0; ok && i < s.count;) {
		size_t from = i, to;

		if (s.step[i].sign == ' ') {
			i++;
			continue;
		}
		to = stretch(&s, i);
		for (unsigned n = 0; n < AROUND && from > 0 && s.step[from - 1].sign == ' '; n++)
			from--;
		print(out, &la, &lb, &s, from, to);
		i = to;
	}
	if (out)
		fclose(out);
	free(la.line);
	free(lb.line);
	free(s.step);
	if (ok)
		return text;
	free(text);
	return NULL;
}
