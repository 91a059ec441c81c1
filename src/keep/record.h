#ifndef BEDWARDEN_KEEP_RECORD_H
#define BEDWARDEN_KEEP_RECORD_H
/*
 * One EVE line, taken apart as far as the store sorts by it. A line is one JSON
 * object of at most EVENT_MAX bytes with a `timestamp` and an `event_type`;
 * anything else is refused whole. The line itself is kept as it came.
 */
#include <stdbool.h>

#include "base/bytes.h"
#include "base/reason.h"

/* For people, as Suricata's alert.severity counts: 1 act now, 2 look today, 3 note, 4 for information. */
enum { SEVERITY_ACT = 1, SEVERITY_LOOK = 2, SEVERITY_NOTE = 3, SEVERITY_INFO = 4 };

/* What became of what an event tells of. */
enum record_verdict { RECORD_PASSED, RECORD_WOULD, RECORD_BLOCKED };

struct record {
	struct record *next;
	int64_t time_ns; /* wall clock */
	uint32_t count;	 /* how often it happened; 0 for a summary that adds nothing */
	uint8_t severity;
	bool routine;	/* a flow's end, statistics: no finding of its own */
	bool audit;	/* about the gateway itself */
	bool inventory; /* carries an `inventory` object */
	bool blocked, would;
	/* In the record's own memory, ended by a zero; "" where the line has none. */
	const char *type, *device, *peer, *reason;
	/* Who it is about: device, else the hardware address, else the source address. */
	const char *who;
	struct bytes line;
	char text[];
};

/* The caller frees it with free(). NULL with errno EBADMSG or ENOMEM. */
struct record *record_parse(struct bytes line);

/* "2026-01-31T07:15:02.000123+0000" (any offset) as nanoseconds since 1970; false: no such form. */
bool record_time(const char *text, int64_t *ret_ns);

#endif
