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
#define COLUMNS	  32

struct table {
	const struct table_column *columns;
	unsigned count;
	bool paged;	     /* a page of it was printed, and the head with that */
	int widths[COLUMNS]; /* of the pages so far */
	char **cells;	     /* rows × count, row by row, clean */
	size_t used, cap;
};

struct table *table_new(const struct table_column *columns, unsigned count)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		fatal("out of memory");
	if (count > COLUMNS)
		fatal("a table of more than 32 columns");
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

static void find_widths(const struct table *t, int ret_widths[COLUMNS])
{
	for (unsigned i = 0; i < t->count; i++)
		ret_widths[i] = t->paged ? t->widths[i] : text_width(t->columns[i].head);
	for (size_t i = 0; i < t->used; i++) {
		int w = text_width(t->cells[i]);

		if (w > ret_widths[i % t->count])
			ret_widths[i % t->count] = w;
	}
}

static void print_head(const struct table *t, const int *widths, int indent, int room, FILE *out)
{
	char *heads[COLUMNS];

	for (unsigned i = 0; i < t->count; i++)
		heads[i] = (char *)t->columns[i].head;
	print_row(t, heads, widths, indent, room, out);
}

void table_print(const struct table *t, FILE *out, int width)
{
	int widths[COLUMNS], indent = 0, room = 1 << 20;

	find_widths(t, widths);
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
	if (!t->paged)
		print_head(t, widths, indent, room, out);
	for (size_t i = 0; i + t->count <= t->used; i += t->count)
		print_row(t, t->cells + i, widths, indent, room, out);
}

void table_page(struct table *t, FILE *out, int width)
{
	int widths[COLUMNS];

	table_print(t, out, width);
	find_widths(t, widths);
	memcpy(t->widths, widths, sizeof(widths));
	t->paged = true;
	for (size_t i = 0; i < t->used; i++)
		free(t->cells[i]);
	t->used = 0;
}

int table_width(FILE *out)
{
	struct winsize w;

	if (ioctl(fileno(out), TIOCGWINSZ, &w) < 0 || w.ws_col == 0)
		return 0;
	return w.ws_col;
}
