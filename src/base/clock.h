#ifndef BEDWARDEN_BASE_CLOCK_H
#define BEDWARDEN_BASE_CLOCK_H
/*
 * Three clocks. Wall time stamps events for people and may jump; monotonic time
 * measures ages and never does, nor does boot time. All in nanoseconds.
 */
#include <stddef.h>
#include <stdint.h>

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull

uint64_t clock_wall_ns(void); /* CLOCK_REALTIME since 1970 */
uint64_t
clock_boot_ns(void); /* CLOCK_BOOTTIME: as monotonic, and goes on while the machine sleeps */
uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC, the clock bpf_ktime_get_ns() reads */

/*
 * Which boot clock_boot_ns() counts from, as text: numbers of two boots are not to be compared. Where
 * the kernel does not say (/proc is shut out), one that is like no other: whatever was noted before
 * is of another boot, which is the safe mistake.
 */
#define CLOCK_BOOT_ID 40
void clock_boot_id(char ret_id[CLOCK_BOOT_ID]);

/* Days of the civil calendar (Gregorian, also before it was) from 1970-01-01 to that day: year from 0,
 * month from 1; a day beyond its month's last counts on. */
int64_t clock_days(int year, int month, int day);

/* EVE's form, "2026-01-31T07:15:02.000123+0000", always UTC; 32 bytes with the zero. */
#define CLOCK_EVE_LEN 32
void clock_eve(uint64_t wall_ns, char ret_text[CLOCK_EVE_LEN]);

#endif
