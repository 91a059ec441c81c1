#include "cli/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/text.h"

#define GAP	  2
#define LAST_MIN  24 /* narrower than this, the last column goes below its row */
#define BELOW	  4  /* and is indented by that */
#define WIDTH_MIN 20

struct table {
	const struct table_column *columns;
	unsigned count;
	char **cells; /* rows × count, row by row, clean */
	size_t used, cap;
};

struct table *table_new(const struct table_column *columns, unsigned count)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		fatal("out of memory");
	t->columns = columns;
	t->count = count;
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->used; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

void table_cell(struct table *t, const char *text)
{
	if (t->used == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->cells = realloc(t->cells, t->cap * sizeof(*t->cells));
		if (!t->cells)
			fatal("out of memory");
	}
	t->cells[t->used++] = text_clean(text ? text : "", text ? strlen(text) : 0);
}

static void pad(FILE *out, int columns)
{
	if (columns > 0)
		fprintf(out, "%*s", columns, "");
}

/* Where a line of at most `room` columns ends: behind a word, if one fits. */
static size_t line_end(const char *text, int room)
{
	int columns;
	size_t n = text_fit(text, room, &columns), space;

	if (text[n] == 0 || text[n] == ' ')
		return n;
	for (space = n; space > 0 && text[space] != ' ';)
		space--;
	if (space > 0)
		return space;
	return n > 0 ? n : 1; /* a character wider than the room */
}

/* Text that may go on in further lines, each begun at column `indent`. */
static void print_wrapped(FILE *out, const char *text, int indent, int room)
{
	size_t n = line_end(text, room);

	fwrite(text, 1, n, out);
	for (text += n; *text == ' ';)
		text++;
	while (*text) {
		fputc('\n', out);
		pad(out, indent);
		n = line_end(text, room);
		fwrite(text, 1, n, out);
		for (text += n; *text == ' ';)
			text++;
	}
}

static void print_row(const struct table *t, char *const *cells, const int *widths, int indent,
		      int room, FILE *out)
{
	unsigned last = t->count - 1;

	for (unsigned i = 0; i < last; i++) {
		int rest = widths[i] - text_width(cells[i]);

		pad(out, t->columns[i].right ? rest : 0);
		fputs(cells[i], out);
		if (i + 1 < last || indent != BELOW)
			pad(out, (t->columns[i].right ? 0 : rest) + GAP);
	}
	if (indent == BELOW && *cells[last]) {
		fputc('\n', out);
		pad(out, indent);
	}
	print_wrapped(out, cells[last], indent, room);
	fputc('\n', out);
}

void table_print(const struct table *t, FILE *out, int width)
{
	int widths[32] = {0}, indent = 0, room = 1 << 20;
	char *heads[32];

	if (t->count > 32)
		fatal("a table of more than 32 columns");
	for (unsigned i = 0; i < t->count; i++) {
		heads[i] = (char *)t->columns[i].head;
		widths[i] = text_width(heads[i]);
	}
	for (size_t i = 0; i < t->used; i++) {
		int w = text_width(t->cells[i]);

		if (w > widths[i % t->count])
			widths[i % t->count] = w;
	}
	for (unsigned i = 0; i + 1 < t->count; i++)
		indent += widths[i] + GAP;
	if (width > 0) {
		width = width < WIDTH_MIN ? WIDTH_MIN : width;
		room = width - indent;
		if (room < LAST_MIN && room < widths[t->count - 1]) {
			indent = BELOW;
			room = width - BELOW;
		}
	}
	print_row(t, heads, widths, indent, room, out);
	for (size_t i = 0; i + t->count <= t->used; i += t->count)
		print_row(t, t->cells + i, widths, indent, room, out);
}

int table_width(FILE *out)
{
	struct winsize w;

	if (ioctl(fileno(out), TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return 0;
	return w.ws_col;
}
