#ifndef BEDWARDEN_DEMO_GATEWAY_H
#define BEDWARDEN_DEMO_GATEWAY_H
/*
 * A real gateway in a gateway's place: `bedwarden run` over its policy, and what
 * its events say. The events are read from the EVE file that any SIEM would read.
 */
#include <jansson.h>

#include "demo/ward.h"

struct gateway {
	pid_t pid;
	char dir[160];
	char config[200], eve[200], socket[200];
	const char *
		place; /* of its releases: it is supervised and can replace itself; NULL: it is not */
};

/* The folder of its files, there already, and what lies in it. 0 or -errno. */
int gateway_prepare(struct gateway *ret_g, const char *dir);
/* Starts it by the policy that lies at g->config. 0 or -errno. */
int gateway_start(struct gateway *g, const struct ward *w, enum ward_place place);
/* Waits until it says that it is guarding. 0; -errno with ret_why (256 bytes) for people. */
int gateway_await(struct gateway *g, char *ret_why);
/* What it answers to `status`, to be released; or NULL. */
json_t *gateway_status(const struct gateway *g);
void gateway_stop(struct gateway *g);
/* The back end it runs on, as its status says it. */
bool gateway_capture(const struct gateway *g, char *ret_name, size_t cap);
/* The release that runs; "" the one it was started with. */
bool gateway_release(const struct gateway *g, char *ret_release, size_t cap);

/* Where the events are now: what comes later is newer. */
struct gateway_mark {
	size_t offset;	/* in the EVE file */
	char since[40]; /* EVE's own form of time */
};
void gateway_mark(const struct gateway *g, struct gateway_mark *ret_mark);

/*
 * The reason that the gateway gave for most of what it blocked since the mark (type NULL), or of what
 * it reported of this type ("vitals") and let pass, and that has one of these in it: an address or a
 * machine's name (list ends with NULL). Waits up to wait_ms for the first. "" where there is none.
 */
#define GATEWAY_REASON 64
void gateway_reported(const struct gateway *g, const struct gateway_mark *mark,
		      const char *const *about, const char *type, int wait_ms,
		      char ret_reason[GATEWAY_REASON]);

/* Does the event tell of something that was blocked? */
bool gateway_dropped(const json_t *event);

/* Was an update's event with that reason told since the mark, about one of these (NULL: anything)? */
bool gateway_told(const struct gateway *g, const struct gateway_mark *mark,
		  const char *const *about, const char *reason, int wait_ms);

#endif
