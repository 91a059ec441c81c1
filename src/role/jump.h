#ifndef BEDWARDEN_ROLE_JUMP_H
#define BEDWARDEN_ROLE_JUMP_H
/*
 * Notices that somebody set the wall clock, forwards or back: by a timer that
 * never ends by itself and that the kernel cancels when the clock is set
 * (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). How far it was set is what the
 * distance to the monotonic clock then says.
 */
#include <stdint.h>

#define JUMP_TEXT 96

struct jump {
	int timer; /* to be polled for input, then jump_take(); -1 none */
	int64_t wall_minus_mono;
};

/* 0 or -errno. */
int jump_open(struct jump *ret_j);
void jump_close(struct jump *j);
/* By how many nanoseconds the clock was set since the last call. 0: not at all, or by less than a
 * second, which is no news. */
int64_t jump_take(struct jump *j);
/* For a person. */
void jump_text(int64_t ns, char ret_text[JUMP_TEXT]);

#endif
