#ifndef BEDWARDEN_ROLE_TALKS_H
#define BEDWARDEN_ROLE_TALKS_H
/*
 * Conversations with agents of devices (update/agent/talk.h) as the link hands them over, in the
 * clear, with the name that each proved. Bounded: so many at once, a message and a piece of a file
 * each; who is silent for a minute, or says what is none, is left.
 */
#include <poll.h>

#include "update/agent/talk.h"

#define TALKS_MAX 128

struct talks;

/*
 * Answers a report: 0; or -errno, and the conversation is over. For TALK_BYTES *ret_fd is the file, which
 * is closed for it.
 */
typedef int (*talks_answer_fn)(void *arg, const char *device, const struct talk_report *said,
			       struct talk_order *ret_order, int *ret_fd);

struct talks *talks_new(talks_answer_fn answer, void *arg); /* NULL: no memory */
void talks_free(struct talks *t);
/* Takes the descriptor over, whatever comes of it. */
void talks_begin(struct talks *t, const char *device, int fd, uint64_t now_ns);
/* What to wait for, at most TALKS_MAX; how many. */
unsigned talks_poll(const struct talks *t, struct pollfd *ret_fds);
/* After poll(), with the same list. */
void talks_turn(struct talks *t, const struct pollfd *fds, unsigned count, uint64_t now_ns);

#endif
