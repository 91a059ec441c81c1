#include "guard/flow/fragment.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned given;

static void ended(void *arg, const struct fragment_datagram *d)
{
	struct packet p;

	if (!d->count)
		__builtin_trap();
	given += d->count;
	if (d->how != FRAGMENT_WHOLE)
		return;
	packet_decode(d->whole.data, d->whole.link, 1, d->whole.wire_len, &p);
	if (p.fragment || !p.ip_version)
		__builtin_trap();
}

/* Frames, each behind two bytes: its length, and where it came in and whether time goes on. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fragment_limits limits = {.frames = 16, .timeout_ms = 100};
	struct fragment_table *t = fragment_table_new(&limits, ended, NULL);
	unsigned taken = 0;
	uint64_t now = 1000000000;

	given = 0;
	while (len >= 2) {
		size_t n = data[0];
		struct frame f = {.ifindex = data[1] & 1, .time_ns = now};
		struct packet p;

		now += (uint64_t)(data[1] >> 4) * 10000000;
		data += 2;
		len -= 2;
		n = n < len ? n : len;
		f.data = (struct bytes){data, n};
		f.wire_len = (uint32_t)n;
		f.link = LINK_RAW;
		if (packet_decode(f.data, f.link, now, f.wire_len, &p) && p.fragment)
			taken += fragment_add(t, &p, &f);
		fragment_expire(t, now, 4);
		if (fragment_count(t) + given != taken || fragment_count(t) > limits.frames)
			__builtin_trap();
		data += n;
		len -= n;
	}
	fragment_table_free(t);
	if (given != taken)
		__builtin_trap();
	return 0;
}
