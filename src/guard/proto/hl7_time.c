#include "guard/proto/hl7_time.h"

#include <ctype.h>

#include "base/clock.h"

#define TO_MINUTE 12
#define TO_SECOND 14

/* The two digits at that place; they are digits. */
static int pair(struct bytes b, size_t at)
{
	return (b.data[at] - '0') * 10 + (b.data[at + 1] - '0');
}

static size_t digits_from(struct bytes b, size_t at)
{
	size_t n = 0;

	while (at + n < b.len && isdigit(b.data[at + n]))
		n++;
	return n;
}

/* Behind the digits: a fraction, which is passed over, and how far the zone is ahead of UTC. */
static int zone_s(struct bytes b, size_t at)
{
	int s;

	if (at < b.len && b.data[at] == '.')
		at += 1 + digits_from(b, at + 1);
	if (at >= b.len || (b.data[at] != '+' && b.data[at] != '-') || digits_from(b, at + 1) != 4)
		return 0;
	s = pair(b, at + 1) * 3600 + pair(b, at + 3) * 60;
	return b.data[at] == '-' ? -s : s;
}

uint32_t hl7_time(struct bytes dtm)
{
	size_t digits = digits_from(dtm, 0);
	int64_t s;

	if (digits != TO_MINUTE && digits != TO_SECOND)
		return 0;
	s = clock_days(pair(dtm, 0) * 100 + pair(dtm, 2), pair(dtm, 4), pair(dtm, 6)) * 86400 +
	    pair(dtm, 8) * 3600 + pair(dtm, 10) * 60 - zone_s(dtm, digits);
	if (digits == TO_SECOND)
		s += pair(dtm, 12);
	return s > 0 && s <= UINT32_MAX ? (uint32_t)s : 0;
}
