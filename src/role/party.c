#include "role/peers_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define GRAVE_NS (30 * NSEC_PER_SEC) /* the core lets go of what it rejoins long before */

/* --- frames that come in ------------------------------------------------------------------ */

static bool refill(struct party *y)
{
	struct spsc_entry e[PARTY_BATCH];
	int n;

	while (y->spares + PARTY_BATCH <= SHARE_INBOX &&
	       (n = spsc_take(&y->queues.q[SHARE_EMPTY], e, PARTY_BATCH)) != 0) {
		if (n < 0)
			return false;
		for (int i = 0; i < n; i++) {
			if (e[i].offset % SHARE_CHUNK || e[i].offset / SHARE_CHUNK >= y->chunks)
				return false;
			y->spare[y->spares++] = e[i].offset;
		}
	}
	return true;
}

static void bury(struct peers *ps, uint8_t *memory, uint32_t chunks)
{
	struct grave *g = &ps->graves[0];

	for (unsigned i = 1; i < PEERS_GRAVES; i++)
		if (ps->graves[i].since_ns < g->since_ns)
			g = &ps->graves[i];
	share_unmap_memory(g->memory, g->chunks);
	*g = (struct grave){memory, chunks, clock_mono_ns()};
}

void party_weed(struct peers *ps, uint64_t now)
{
	for (unsigned i = 0; i < PEERS_GRAVES; i++) {
		struct grave *g = &ps->graves[i];

		if (!g->memory || (now != UINT64_MAX && now - g->since_ns < GRAVE_NS))
			continue;
		share_unmap_memory(g->memory, g->chunks);
		*g = (struct grave){0};
	}
}

static void forsake(struct peers *ps, struct party *y)
{
	share_unmap_queues(&y->queues);
	if (y->memory)
		bury(ps, y->memory, y->chunks);
	y->memory = NULL;
	y->spares = 0;
	y->held_count = y->held_first = 0;
	if (y->wakes >= 0)
		close(y->wakes);
	y->wakes = -1;
}

static void distrust(struct peers *ps, struct party *y, const char *of)
{
	log_error("a guard says of %s what cannot be; it is not heard until it is started anew",
		  of);
	forsake(ps, y);
}

static struct party *party_of(struct peers *ps, const uint8_t *data)
{
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++) {
		struct party *y = ps->parties[i];

		if (y && y->memory && data >= y->memory &&
		    data < y->memory + (size_t)y->chunks * SHARE_CHUNK)
			return y;
	}
	return NULL;
}

/* An empty chunk's frame; NULL: none. */
static uint8_t *chunk(struct peers *ps, struct party *y)
{
	if (!y || !y->queues.at)
		return NULL;
	if (y->spares == 0 && !refill(y)) {
		distrust(ps, y, "empty memory");
		return NULL;
	}
	return y->spares ? y->memory + y->spare[--y->spares] + SHARE_HEAD : NULL;
}

static struct party *any_party(struct peers *ps)
{
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++)
		if (ps->parties[i] && ps->parties[i]->queues.at)
			return ps->parties[i];
	return NULL;
}

uint8_t *party_take(void *arg, uint32_t len)
{
	struct peers *ps = arg;

	return len <= SHARE_FRAME ? chunk(ps, any_party(ps)) : NULL;
}

static void put_back(struct party *y, uint8_t *data)
{
	if (y->spares < SHARE_INBOX)
		y->spare[y->spares++] = (uint32_t)(data - y->memory) / SHARE_CHUNK * SHARE_CHUNK;
}

unsigned party_room(struct peers *ps)
{
	struct party *y = any_party(ps);
	uint8_t *data = chunk(ps, y);

	if (!data)
		return 0;
	put_back(y, data);
	if (refill(y))
		return y->spares;
	distrust(ps, y, "empty memory");
	return 0;
}

void party_give(void *arg, uint8_t *data)
{
	struct party *y = party_of(arg, data);

	if (y)
		put_back(y, data);
}

/* To the guard that sees the other direction, which may mean another guard's memory. */
void party_deliver(void *arg, struct link_peer *core, const struct link_frame *f)
{
	struct peers *ps = arg;
	const struct peer *p = link_arg(core);
	struct party *from = party_of(ps, f->data), *to;
	unsigned guard =
		ps->party_count > 1 ? steer_find(ps->steer, (struct bytes){f->data, f->len}) : 0;
	uint8_t *data = f->data;
	struct spsc_entry e;

	if (!from)
		return;
	to = guard < SETUP_GUARDS_MAX ? ps->parties[guard] : NULL;
	if (!to || !to->queues.at)
		to = from;
	if (to != from) {
		data = chunk(ps, to);
		if (data)
			memcpy(data, f->data, f->len);
		put_back(from, f->data);
	}
	if (!data || f->form != LINK_FORM_ETHERNET)
		return;
	e = (struct spsc_entry){.offset = (uint32_t)(data - to->memory),
				.len = (uint16_t)f->len,
				.peer = (uint16_t)(p - ps->list + 1),
				.port = p->ifindex,
				.device = SPSC_NO_DEVICE};
	if (!spsc_put(&to->queues.q[SHARE_OPENED], &e))
		put_back(to, data);
	to->opened = true;
}

/* --- frames that go out ---------------------------------------------------------------------- */

/* Whether an entry's frame lies where it says. */
static bool lies_well(const struct party *y, const struct spsc_entry *e)
{
	return e->len && e->offset / SHARE_CHUNK < y->chunks &&
	       e->offset % SHARE_CHUNK + e->len <= SHARE_CHUNK && e->peer && e->peer <= GATE_LINKS;
}

static void hand_back(struct party *y, const struct spsc_entry *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)spsc_put(&y->queues.q[SHARE_SEALED], &e[i]); /* as long as SHARE_SEAL */
}

static void count(struct peers *ps, const struct spsc_entry *e, unsigned n)
{
	for (unsigned i = 0; ps->sealed && i < n; i++)
		if (e[i].device < PEERS_DEVICES) {
			ps->sealed[e[i].device].frames++;
			ps->sealed[e[i].device].bytes += e[i].len;
		}
}

/* A run of frames for one peer. How many are done with; fewer than n: its socket is full. */
static unsigned send_run(struct peers *ps, struct party *y, const struct spsc_entry *e, unsigned n)
{
	struct peer *p = &ps->list[e->peer - 1];
	struct link_frame frames[PARTY_BATCH];
	int sent;

	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct link_frame){.data = y->memory + e[i].offset,
						.len = e[i].len,
						.form = LINK_FORM_ETHERNET};
	sent = p->core ? link_send(p->core, frames, n) : -ENOTCONN;
	if (sent < 0) {
		p->too_late += n;
		return n;
	}
	count(ps, e, (unsigned)sent);
	return (unsigned)sent;
}

/* What is held, from the first. True: all of it is gone. */
static bool send_held(struct peers *ps, struct party *y)
{
	while (y->held_count) {
		const struct spsc_entry *e = &y->held[y->held_first];
		unsigned run = 1, done;

		while (run < y->held_count && e[run].peer == e->peer)
			run++;
		done = send_run(ps, y, e, run);
		hand_back(y, e, done);
		y->held_first += done;
		y->held_count -= done;
		if (done < run)
			return false;
	}
	y->held_first = 0;
	return true;
}

bool party_send(struct peers *ps, struct party *y, uint32_t guard)
{
	bool more = false;

	for (unsigned turn = 0; turn < 8 && send_held(ps, y); turn++) {
		int n = spsc_take(&y->queues.q[SHARE_SEAL], y->held, PARTY_BATCH);

		more = n > 0;
		for (int i = 0; i < n; i++) {
			if (!lies_well(y, &y->held[i])) {
				n = -EBADMSG;
				break;
			}
			if (ps->party_count > 1)
				steer_learn(ps->steer,
					    (struct bytes){y->memory + y->held[i].offset,
							   y->held[i].len},
					    guard);
		}
		if (n < 0) {
			distrust(ps, y, "frames");
			return false;
		}
		y->held_count = (unsigned)n;
		if (n == 0)
			break;
	}
	return more;
}

void party_publish(struct party *y)
{
	(void)spsc_publish(&y->queues.q[SHARE_SEALED]); /* it looks there itself */
	if (!y->opened)
		return;
	y->opened = false;
	if (spsc_publish(&y->queues.q[SHARE_OPENED]))
		(void)!write(y->wakes, &(uint64_t){1}, sizeof(uint64_t));
}

struct party *party_of_guard(struct peers *ps, uint32_t guard)
{
	struct party *y;

	if (guard >= SETUP_GUARDS_MAX)
		return NULL;
	if (ps->parties[guard])
		return ps->parties[guard];
	y = calloc(1, sizeof(*y));
	if (y) {
		y->wakes = y->fresh_wakes = -1;
		ps->party_count++;
	}
	return ps->parties[guard] = y;
}

bool party_begin(struct peers *ps, struct party *y, uint32_t guard, int queues)
{
	struct share_queues q;
	int err;

	if (y->queues.at) {
		/* No more than the queue holds: who fills it meanwhile does not hold us up. */
		for (unsigned n = 0; n < SHARE_QUEUE / PARTY_BATCH && party_send(ps, y, guard); n++)
			;
		links_flush(ps->core);
	}
	if (!y->fresh && !y->memory)
		return false;
	err = share_map_queues(queues, &q);
	if (err) {
		log_error("queues of guard %u cannot be used: %s", guard, strerror(-err));
		return err != -EBADMSG;
	}
	if (!y->fresh) { /* the same guard again */
		y->fresh = y->memory;
		y->fresh_chunks = y->chunks;
		y->memory = NULL;
	}
	forsake(ps, y);
	y->memory = y->fresh;
	y->chunks = y->fresh_chunks;
	y->wakes = y->fresh_wakes;
	y->queues = q;
	y->fresh = NULL;
	y->fresh_wakes = -1;
	return true;
}

void party_free(struct peers *ps, struct party *y)
{
	if (!y)
		return;
	forsake(ps, y);
	share_unmap_memory(y->fresh, y->fresh_chunks);
	if (y->fresh_wakes >= 0)
		close(y->fresh_wakes);
	free(y);
}
