#ifndef BEDWARDEN_BASE_EVENT_H
#define BEDWARDEN_BASE_EVENT_H
/*
 * EVE JSON, Suricata's own field names wherever it has one. An event is begun
 * with what all have in common and ended into one line; between the two its
 * own object is written with json_*().
 *
 * Common: timestamp, flow_id, in_iface, event_type, src_ip, src_port, dest_ip,
 * dest_port, proto, app_proto, device, peer, reason, and verdict as Suricata 7
 * has it, {"action":"pass"|"drop"}, with "would":"drop" where the mode is
 * `simulate` or `observe`. Patient identifiers never appear.
 */
#include "base/json.h"
#include "base/reason.h"

#define EVENT_MAX 16384 /* bytes of one line */

struct event_common {
	uint64_t time_ns; /* wall clock */
	const char *type;
	uint64_t flow_id; /* 0: left out */
	const char *in_iface;
	const char *src_ip, *dest_ip;	     /* NULL: left out */
	const uint8_t *src_addr, *dest_addr; /* the same as address_ip_text() takes it */
	int src_port, dest_port;	     /* -1: left out */
	const char *proto, *app_proto;
	const char *device, *peer; /* NULL or "": left out */
	enum reason reason;	   /* NONE: left out */
	const char *verdict;	   /* "pass", "drop"; NULL: left out */
	bool would_drop;
};

struct json event_begin(const struct event_common *e, char buf[EVENT_MAX]);
/* The finished line's length, 0 where it did not fit. */
size_t event_end(struct json *j);

#endif
