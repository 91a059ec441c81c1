#ifndef BEDWARDEN_CLI_TABLE_H
#define BEDWARDEN_CLI_TABLE_H
/*
 * Aligned tables for a person. Cells are cleaned (cli/text.h) as they come in.
 * A column is as wide as its widest cell; what does not fit on the terminal is
 * taken from the last column, which is wrapped, or put below its row where
 * hardly anything would be left of it. A pipe has no width: every row is a line.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table;

struct table_column {
	const char *head;
	bool right; /* numbers */
};

/* Borrows the columns. Memory that is missing ends the program. */
struct table *table_new(const struct table_column *columns, unsigned count);
void table_free(struct table *t);
/* The next cell, row by row; NULL is an empty one. */
void table_cell(struct table *t, const char *text);
/* `width` in terminal columns; 0: unlimited. */
void table_print(const struct table *t, FILE *out, int width);
/* Prints the rows so far and forgets them; what comes after stands below them, in columns as wide
 * or wider. */
void table_page(struct table *t, FILE *out, int width);
/* Of the terminal that `out` is; 0 where it is none. */
int table_width(FILE *out);

#endif
