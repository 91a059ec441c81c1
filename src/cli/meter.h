#ifndef BEDWARDEN_CLI_METER_H
#define BEDWARDEN_CLI_METER_H
/*
 * A bar on standard error for who watches: drawn only where that is a terminal,
 * and not before half a second has passed. One at a time.
 */
#include <stdint.h>

/* Nothing is drawn where standard error is no terminal. `files` 0: a single one. */
void meter_begin(uint64_t bytes, uint64_t files);
/* Bytes and files so far; from any thread, one at a time. */
void meter_tell(uint64_t bytes, uint64_t files);
/* Takes it away, before a message or at the end. */
void meter_clear(void);
/* Whether anybody would see it. */
int meter_watched(void);

#endif
