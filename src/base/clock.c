#include "base/clock.h"

#include <string.h>
#include <time.h>

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

uint64_t clock_boot_ns(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* Decimal, with leading zeroes. */
static void put_digits(char *at, unsigned count, unsigned v)
{
	while (count--) {
		at[count] = (char)('0' + v % 10);
		v /= 10;
	}
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

void clock_eve(uint64_t wall_ns, char ret_text[CLOCK_EVE_LEN])
{
	uint64_t s = wall_ns / NSEC_PER_SEC; /* 64 bits of ns end in 2554 */
	unsigned year, month, day;

	date_of(s / 86400, &year, &month, &day);
	memcpy(ret_text, "yyyy-mm-ddThh:mm:ss.uuuuuu+0000", CLOCK_EVE_LEN);
	put_digits(ret_text, 4, year);
	put_digits(ret_text + 5, 2, month);
	put_digits(ret_text + 8, 2, day);
	put_digits(ret_text + 11, 2, (unsigned)(s / 3600 % 24));
	put_digits(ret_text + 14, 2, (unsigned)(s / 60 % 60));
	put_digits(ret_text + 17, 2, (unsigned)(s % 60));
	put_digits(ret_text + 20, 6, (unsigned)(wall_ns % NSEC_PER_SEC / 1000));
}
