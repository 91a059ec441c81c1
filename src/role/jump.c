#include "role/jump.h"

#include <errno.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

#define LEAST_NS ((int64_t)NSEC_PER_SEC)

static int64_t distance(void)
{
	return (int64_t)(clock_wall_ns() - clock_mono_ns());
}

static int arm(const struct jump *j)
{
	struct itimerspec far = {.it_value.tv_sec = INT32_MAX};

	return timerfd_settime(j->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL)
		       ? -errno
		       : 0;
}

int jump_open(struct jump *ret_j)
{
	struct jump j = {.timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)};
	int err;

	if (j.timer < 0)
		return -errno;
	j.wall_minus_mono = distance();
	err = arm(&j);
	if (err < 0) {
		close(j.timer);
		return err;
	}
	*ret_j = j;
	return 0;
}

void jump_close(struct jump *j)
{
	if (j->timer >= 0)
		close(j->timer);
	j->timer = -1;
}

int64_t jump_take(struct jump *j)
{
	int64_t now, jump;
	uint64_t ticks;

	if (read(j->timer, &ticks, sizeof(ticks)) < 0 && errno != ECANCELED)
		return 0;
	(void)arm(j);
	now = distance();
	jump = now - j->wall_minus_mono;
	j->wall_minus_mono = now;
	return jump > -LEAST_NS && jump < LEAST_NS ? 0 : jump;
}

void jump_text(int64_t ns, char ret_text[JUMP_TEXT])
{
	snprintf(ret_text, JUMP_TEXT, "the clock was set %s by %.1f seconds",
		 ns < 0 ? "back" : "forward", (double)(ns < 0 ? -ns : ns) / 1e9);
}
