#ifndef BEDWARDEN_PEOPLE_CONSOLE_PROBLEM_H
#define BEDWARDEN_PEOPLE_CONSOLE_PROBLEM_H
/*
 * What went wrong, as RFC 9457 has it (application/problem+json). `type` is a
 * stable dotted name, relative to nothing; a caller compares it and nothing else.
 */
#include <jansson.h>

/* NULL: no memory. */
json_t *problem_new(unsigned status, const char *type, const char *title, const char *detail, ...)
	__attribute__((format(printf, 4, 5)));
/* Its status; 500 where it has none that fits. */
unsigned problem_status(const json_t *problem);

#endif
