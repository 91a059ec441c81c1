#ifndef BEDWARDEN_GUARD_ARCHIVE_H
#define BEDWARDEN_GUARD_ARCHIVE_H
/*
 * Messages and images of devices that are archived, on their way to the keeper
 * (base/archive.h): taken piece by piece as packets pass, queued, whole only when
 * the packet that completes one passed. Nothing here blocks and nothing grows:
 * one that finds no room, or whose end is never seen, is given up and counted.
 */
#include "base/archive.h"
#include "guard/proto/talk.h"

#define ARCHIVE_OBJECTS 256 /* under way at once */

struct archive_counts {
	uint64_t objects; /* whole, and queued */
	uint64_t lost;	  /* that found no room, or of which a part was not seen */
};

struct archive;

/* NULL with errno ENOMEM. */
struct archive *archive_new(size_t queue_bytes);
void archive_free(struct archive *a);

/* Something of `end` begins; a number for it, 0: it is not kept. */
uint32_t archive_begin(struct archive *a, const struct talk *t, unsigned end);
void archive_more(struct archive *a, uint32_t number, struct bytes data);
/* It is whole, if the packet passes: archive_settle(). Borrowed for the call. */
struct archive_ending {
	const struct talk *talk;
	unsigned end; /* who said it */
	uint64_t flow_id, time_ns;
	const char *device; /* whose it is */
};
void archive_end(struct archive *a, uint32_t number, const struct archive_ending *ending);
/* It never will be. */
void archive_lose(struct archive *a, uint32_t number);
/* The packet at hand passed, or not. */
void archive_settle(struct archive *a, bool passed);

/* Whoever took the records is gone: what was begun, and what still waits, is lost. */
void archive_interrupt(struct archive *a);
/* About ten times a second: what was lost is told, too. */
void archive_tick(struct archive *a);

/* Records to be sent, whole ones, `max` bytes at most; then archive_sent() of them. */
struct bytes archive_waiting(const struct archive *a, size_t max);
void archive_sent(struct archive *a, size_t len);
/* More than should wait for the next tick? */
bool archive_urgent(const struct archive *a);
void archive_counts(const struct archive *a, struct archive_counts *ret_counts);

#endif
