#include "guard/proto/hl7_time.h"

#include <ctype.h>

#include "base/clock.h"

#define TO_MINUTE 12
#define TO_SECOND 14
#define TO_MILLI  17

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

	if (digits != TO_MINUTE && digits != TO_SECOND && digits != TO_MILLI)
		return 0;
	s = clock_days(pair(dtm, 0) * 100 + pair(dtm, 2), pair(dtm, 4), pair(dtm, 6)) * 86400 +
	    pair(dtm, 8) * 3600 + pair(dtm, 10) * 60 - zone_s(dtm, digits);
	if (digits >= TO_SECOND)
		s += pair(dtm, 12);
	return s > 0 && s <= UINT32_MAX ? (uint32_t)s : 0;
}

uint64_t hl7_time_fine(struct bytes dtm)
{
	size_t digits = digits_from(dtm, 0), at = TO_SECOND + (digits == TO_SECOND);
	uint64_t s, tenth = NSEC_PER_SEC / 10, ns = 0;

	if (digits != TO_MILLI &&
	    (digits != TO_SECOND || dtm.len <= at || dtm.data[TO_SECOND] != '.'))
		return 0;
	s = hl7_time(dtm);
	if (!s || !digits_from(dtm, at))
		return 0;
	for (; at < dtm.len && isdigit(dtm.data[at]); at++, tenth /= 10)
		ns += (uint64_t)(dtm.data[at] - '0') * tenth;
	return s * NSEC_PER_SEC + ns;
}
