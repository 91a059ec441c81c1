#ifndef BEDWARDEN_CLI_TEXT_H
#define BEDWARDEN_CLI_TEXT_H
/*
 * Text for a terminal. What came from the network never reaches it as it is:
 * control characters, escape sequences, invisible and direction-changing
 * characters and bytes that are no UTF-8 each become one '?'.
 */
#include <stddef.h>
#include <stdint.h>

/* Call once, before any other: widths are those of UTF-8. */
void text_init(void);
/* A printable copy, the caller's to free(); never NULL. `len` bytes, zeros included. */
char *text_clean(const char *s, size_t len);
/* Prints a line, cleaned; at most 4,095 bytes of it. */
void text_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Terminal columns of a clean text. */
int text_width(const char *clean);
/* Bytes of the longest beginning of a clean text within `columns`; *ret_columns what it takes. */
size_t text_fit(const char *clean, int columns, int *ret_columns);

/* "07:15:02" for today, "31 Jan 07:15" this year, "31 Jan 2025" before; local time. "" for what
 * is no EVE time. */
#define TEXT_SHORT 32
const char *text_time(const char *eve, char ret_text[TEXT_SHORT]);
/* "12.3 MB", "3 days 4 h", "1,234,567". */
const char *text_bytes(uint64_t bytes, char ret_text[TEXT_SHORT]);
const char *text_span(uint64_t seconds, char ret_text[TEXT_SHORT]);
const char *text_count(uint64_t n, char ret_text[TEXT_SHORT]);

#endif
