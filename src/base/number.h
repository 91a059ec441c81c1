#ifndef BEDWARDEN_BASE_NUMBER_H
#define BEDWARDEN_BASE_NUMBER_H
/* Whole numbers that a person, a page or another process wrote as text. */
#include <stdbool.h>
#include <stdint.h>

/* Decimal digits alone, no sign, no space, nothing behind them; from min to max. False: it is none,
 * and *ret_n is untouched. NULL is none. */
bool number_read(const char *text, uint64_t min, uint64_t max, uint64_t *ret_n);
/* A daily span of time, "22:30-02:00": minutes of the day from which and up to which, 24:00 being 1440.
 * Over midnight `to` is the smaller one; they are never equal. False: it is none, outputs untouched. */
bool number_window(const char *text, unsigned *ret_from, unsigned *ret_to);

#endif
