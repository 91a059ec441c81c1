/*
 * What the updater has written down of a rollout, as it may lie on a disk that went bad: read, carried on
 * for a while whatever is seen of its devices, and written so that it is read again the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "update/rollout/rollout.h"

#define TICKS 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct world {
	uint32_t x;
	int64_t now;
};

static uint32_t chance(struct world *w)
{
	w->x ^= w->x << 13;
	w->x ^= w->x >> 17;
	w->x ^= w->x << 5;
	return w->x;
}

static void see(void *arg, const char *device, struct rollout_seen *ret_seen)
{
	struct world *w = arg;
	uint32_t c = chance(w);

	ret_seen->known = c & 3;
	ret_seen->reachable = c & 12;
	ret_seen->blind = c & 0x70 ? NULL : "nobody looks";
	ret_seen->vitals = c & 0x80 ? w->now - (c >> 20) : 0;
	ret_seen->talked = c & 0x100 ? w->now : 0;
	ret_seen->misbehaved = c & 0xe00 ? 0 : w->now;
	ret_seen->said = w->now;
	ret_seen->unhealthy = (c & 0xf000) == 0;
	if (c & 0x10000)
		strcpy(ret_seen->version, "2.0");
}

static void read_again(const struct rollout *r)
{
	json_t *written = rollout_json(r), *twice;
	struct rollout *again = rollout_of(written);

	if (!written || !again)
		abort();
	twice = rollout_json(again);
	if (!json_equal(written, twice))
		abort();
	json_decref(twice);
	json_decref(written);
	rollout_free(again);
}

/* No more at a time than the plan says, unless they were when it was read. */
static unsigned at_work(const struct rollout *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->count; i++)
		n += r->devices[i].step == STEP_SENDING || r->devices[i].step == STEP_INSTALLING ||
		     r->devices[i].step == STEP_WATCHING || r->devices[i].step == STEP_UNDOING;
	return n;
}

static void carry_on(struct rollout *r, struct world *w)
{
	unsigned most = at_work(r);

	if (most < r->plan.parallel)
		most = r->plan.parallel;
	for (unsigned i = 0; i < TICKS; i++) {
		struct rollout_order o;

		w->now += chance(w) % 400;
		rollout_tick(r, see, w, w->now, (int)(w->now / 60 % 1440));
		if (r->state == ROLLOUT_RUNNING && at_work(r) > most)
			abort();
		for (unsigned k = 0; k < 8 && (o = rollout_next(r, 0)).what; k++) {
			char name[ROLLOUT_NAME];

			strcpy(name, o.device);
			rollout_told(r, name, chance(w) & 1, "it was so", w->now);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	json_t *o = json_loadb((const char *)data, len, 0, NULL);
	struct rollout *r = o ? rollout_of(o) : NULL;
	struct world w = {.x = 2463534242u, .now = 1800000000};

	json_decref(o);
	if (!r)
		return 0;
	for (size_t i = 0; i < len; i++)
		w.x = w.x * 31 + data[i];
	w.x |= 1;
	read_again(r);
	carry_on(r, &w);
	if (r->state == ROLLOUT_PROPOSED)
		rollout_approve(r, "somebody", w.now);
	carry_on(r, &w);
	rollout_undo(r, w.now);
	carry_on(r, &w);
	read_again(r);
	rollout_free(r);
	return 0;
}
