#include "cli/meter.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/text.h"

#define FIRST_NS (500 * NSEC_PER_MSEC)
#define EVERY_NS (100 * NSEC_PER_MSEC)
#define WIDTH	 30

static struct {
	bool on, drawn;
	uint64_t bytes, files; /* all of it */
	uint64_t began_ns, next_ns;
} meter;

int meter_watched(void)
{
	return isatty(STDERR_FILENO);
}

void meter_begin(uint64_t bytes, uint64_t files)
{
	memset(&meter, 0, sizeof(meter));
	meter.on = meter_watched();
	meter.bytes = bytes;
	meter.files = files;
	meter.began_ns = clock_mono_ns();
	meter.next_ns = meter.began_ns + FIRST_NS;
}

static void draw(uint64_t bytes, uint64_t files, uint64_t ns)
{
	char done[TEXT_SHORT], rate[TEXT_SHORT], count[64] = "", bar[WIDTH + 1];
	uint64_t n = meter.bytes ? bytes * WIDTH / meter.bytes : 0;

	n = n < WIDTH ? n : WIDTH;
	memset(bar, '.', WIDTH);
	memset(bar, '#', n);
	bar[WIDTH] = 0;
	if (meter.files)
		snprintf(count, sizeof(count), "  %llu of %llu files", (unsigned long long)files,
			 (unsigned long long)meter.files);
	fprintf(stderr, "\r[%s] %s  %s/s%s\033[K", meter.bytes ? bar : "", text_bytes(bytes, done),
		text_bytes(ns ? (uint64_t)((double)bytes * NSEC_PER_SEC / (double)ns) : 0, rate),
		count);
	meter.drawn = true;
}

void meter_tell(uint64_t bytes, uint64_t files)
{
	uint64_t now;

	if (!meter.on)
		return;
	now = clock_mono_ns();
	if (now < meter.next_ns)
		return;
	meter.next_ns = now + EVERY_NS;
	draw(bytes, files, now - meter.began_ns);
}

void meter_clear(void)
{
	if (meter.drawn)
		fputs("\r\033[K", stderr);
	meter.drawn = false;
}
