#ifndef BEDWARDEN_UPDATE_ADVISORY_ACCEPT_H
#define BEDWARDEN_UPDATE_ADVISORY_ACCEPT_H
/*
 * Weaknesses that somebody decided to live with: for which device and advisory, why, and until when. A
 * decision ends by itself; then the match is back. One file of JSON, written by the keeper alone.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#define ACCEPT_FILE "accepted.json" /* in state_dir */

enum { ACCEPT_MAX = 10000, ACCEPT_REASON_MAX = 500 };

struct accept {
	const char *device, *advisory, *reason, *who;
	const char *until;	 /* "2027-03-01": the day's end, UTC */
	int64_t until_s, made_s; /* seconds since 1970 */
};

/* The file's list, empty where there is none. 0, to json_decref(); -EBADMSG; -errno. */
int accept_load(const char *state_dir, json_t **ret_list);
/* On the disk when it returns. 0 or -errno. */
int accept_save(const char *state_dir, const json_t *list);
/*
 * Adds or replaces. 0; -EINVAL: `until` is no date, is over or is more than two years away; -ENAMETOOLONG: no
 * reason, or a long one; -ENOSPC.
 */
int accept_add(json_t *list, const struct accept *a, int64_t now_s);
/* 0 or -ENOENT. */
int accept_remove(json_t *list, const char *device, const char *advisory);
/* The decision that holds now; false: none does. Borrowed from the list. */
bool accept_find(const json_t *list, const char *device, const char *advisory, int64_t now_s,
		 struct accept *ret_accept);

#endif
