#include "base/clock.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/digits.h"
#include "base/hex.h"

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_boot_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

void clock_boot_id(char ret_id[CLOCK_BOOT_ID])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_id, CLOCK_BOOT_ID - 1);
	uint8_t random[12];

	if (fd >= 0)
		close(fd);
	ret_id[n > 0 ? n : 0] = 0;
	ret_id[strcspn(ret_id, "\n")] = 0;
	if (!*ret_id && crypto_random(random, sizeof(random)) == 0)
		hex_write(random, sizeof(random), ret_id);
}

/*
 * The Gregorian date of a day since 1970-01-01. Counted from 1 March, so that
 * the day a leap year adds is a year's last: months then begin at fixed days.
 */
static void date_of(uint64_t day, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	uint64_t since = day + 719468; /* 0000-03-01 */
	unsigned in_era = (unsigned)(since % 146097);
	unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * in_year + 2) / 153; /* 0 is March */

	*ret_day = in_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = (unsigned)(since / 146097 * 400) + year + (month >= 10);
}

int64_t clock_days(int year, int month, int day)
{
	int y = year - (month <= 2), m = month + (month > 2 ? -3 : 9);

	return 365ll * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* With zeroes for what is less than a minute. */
static void put_minute(uint64_t minute, char text[CLOCK_EVE_LEN])
{
	unsigned year, month, day, in_day = (unsigned)(minute % 1440);

	date_of(minute / 1440, &year, &month, &day);
	memcpy(text, "yyyy-mm-ddThh:mm:00.000000+0000", CLOCK_EVE_LEN);
	digits_pair(text, year / 100);
	digits_pair(text + 2, year % 100);
	digits_pair(text + 5, month);
	digits_pair(text + 8, day);
	digits_pair(text + 11, in_day / 60);
	digits_pair(text + 14, in_day % 60);
}

void clock_eve(uint64_t wall_ns, char ret_text[CLOCK_EVE_LEN])
{
	/* Most events come within the minute of the one before. */
	static _Thread_local struct {
		uint64_t minute;
		char text[CLOCK_EVE_LEN];
	} last = {.text = "1970-01-01T00:00:00.000000+0000"};
	uint64_t s = wall_ns / NSEC_PER_SEC, minute = s / 60; /* 64 bits of ns end in 2554 */
	unsigned us = (unsigned)(wall_ns % NSEC_PER_SEC) / 1000;

	if (minute != last.minute) {
		put_minute(minute, last.text);
		last.minute = minute;
	}
	memcpy(ret_text, last.text, CLOCK_EVE_LEN);
	digits_pair(ret_text + 17, (unsigned)(s - minute * 60));
	digits_pair(ret_text + 20, us / 10000);
	digits_pair(ret_text + 22, us / 100 % 100);
	digits_pair(ret_text + 24, us % 100);
}
