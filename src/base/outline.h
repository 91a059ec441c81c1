#ifndef BEDWARDEN_BASE_OUTLINE_H
#define BEDWARDEN_BASE_OUTLINE_H
/*
 * A YAML text as a tree in which every node knows its line and column, so that
 * whatever is found wrong later can be shown to a person at its place. One
 * document; no aliases, so nothing unfolds into more than was written; depth
 * and number of nodes are bounded.
 */
#include "base/bytes.h"
#include "base/config.h"

/* Collects what is wrong. Beyond `max` errors are counted no further. */
struct errors {
	struct config_error *list; /* borrowed */
	size_t max, count;
	const char *file;
};

void errors_add(struct errors *e, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

enum outline_kind { OUTLINE_SCALAR, OUTLINE_LIST, OUTLINE_MAP };

#define OUTLINE_NONE UINT32_MAX

struct outline_node {
	uint8_t kind;	       /* enum outline_kind */
	bool plain;	       /* a scalar without quotes */
	uint32_t line, column; /* 1-based */
	uint32_t text;	       /* scalar: offset into the outline's text, zero-terminated */
	uint32_t first;	       /* first child or OUTLINE_NONE; in a map key and value alternate */
	uint32_t next;	       /* next sibling or OUTLINE_NONE */
	uint32_t count;	       /* of children */
};

struct outline;

/* Has the text a character that shows nothing and does something: a control character but for tabs
 * and ends of lines, or one that turns the direction of writing? */
bool outline_hides(struct bytes text);

/* NULL where the text is no YAML or out of bounds: then one error was added. */
struct outline *outline_read(struct bytes text, struct errors *e);
void outline_free(struct outline *o);

/* Node 0 is the root. Borrowed. */
const struct outline_node *outline_node(const struct outline *o, uint32_t node);
const char *outline_text(const struct outline *o, uint32_t node);
/*
 * The node that a path names ("devices[3].ip[0]", "gateway.flows"); where it
 * does not lead all the way, the last one it reached.
 */
uint32_t outline_find(const struct outline *o, const char *path);

/* As errors_add(), at the place that a path names; `o` NULL: at none. */
void errors_at(struct errors *e, const struct outline *o, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
