#ifndef BEDWARDEN_UPDATE_ROLLOUT_AGENTS_H
#define BEDWARDEN_UPDATE_ROLLOUT_AGENTS_H
/*
 * Devices with an agent (update/agent/talk.h): what each said last, what is wanted of it, and so
 * what to answer. The connection is somebody else's, and so is the proof of who speaks: a
 * certificate with the device's name.
 */
#include "update/agent/talk.h"

struct agents;

struct agents *agents_new(void); /* NULL: no memory */
void agents_free(struct agents *a);

/* A firmware as it lies on our disk, verified. */
struct agents_file {
	char target[TALK_TEXT], version[64];
	uint64_t length;
	uint8_t sha256[32];
};

/* What is wanted of a device, until something else is; the same again changes nothing: to run `f` on
 * trial, and to take back or keep `target` while it is on trial. 0 or -ENOMEM. */
int agents_want(struct agents *a, const char *device, const struct agents_file *f);
int agents_want_back(struct agents *a, const char *device, const char *target);
int agents_want_kept(struct agents *a, const char *device, const char *target);
/* As it is. */
void agents_want_nothing(struct agents *a, const char *device);

/* It speaks. What to answer; with BYTES, `length` of them from the report's `from` on. 0 or -ENOMEM. */
int agents_report(struct agents *a, const char *device, const struct talk_report *r, int64_t now,
		  struct talk_order *ret_order);

/* How a file that is wanted stands. */
enum agents_stand { AGENTS_AT_IT, AGENTS_DONE, AGENTS_REFUSED };
/* `ret_text`: why it is refused; the device's own words. */
enum agents_stand agents_stand(const struct agents *a, const char *device,
			       char ret_text[TALK_TEXT]);
/* What it said last, with when; NULL it never spoke. Borrowed until the next report. */
const struct talk_report *agents_last(const struct agents *a, const char *device,
				      int64_t *ret_when);

#endif
