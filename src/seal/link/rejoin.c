#include "seal/link/rejoin.h"

static struct rejoin_slot *slot_of(struct rejoin *j, const struct framing *f)
{
	return &j->slots[f->id % LINK_REJOIN];
}

static bool is_its(const struct rejoin_slot *s, const struct framing *f)
{
	return s->data && s->id == f->id;
}

static bool agrees(const struct rejoin_slot *s, const struct framing *f)
{
	return s->total == f->total && s->pieces == f->pieces && s->channel == f->channel &&
	       s->form == f->form;
}

static bool has(const struct rejoin_slot *s, unsigned index)
{
	return s->came[index / 64] >> index % 64 & 1;
}

uint8_t *rejoin_place(struct rejoin *j, const struct framing *f, const struct links_calls *calls,
		      uint64_t now_ns, uint8_t **ret_fresh, bool *ret_none)
{
	struct rejoin_slot *s = slot_of(j, f);

	*ret_fresh = NULL;
	*ret_none = false;
	if (is_its(s, f))
		return agrees(s, f) && !has(s, f->index) ? s->data + f->offset : NULL;
	/* A straggler of an earlier frame does not end one that is being put together. */
	if (s->data && (int32_t)(f->id - s->id) < 0 && now_ns - s->begun_ns < REJOIN_NS)
		return NULL;
	*ret_fresh = calls->take(calls->arg, f->total);
	*ret_none = !*ret_fresh;
	return *ret_fresh ? *ret_fresh + f->offset : NULL;
}

bool rejoin_add(struct rejoin *j, const struct framing *f, const struct links_calls *calls,
		uint8_t *fresh, uint64_t now_ns, struct link_frame *ret_frame, unsigned *ret_lost)
{
	struct rejoin_slot *s = slot_of(j, f);

	*ret_lost = 0;
	if (fresh) {
		if (s->data) {
			calls->give(calls->arg, s->data);
			*ret_lost = 1;
		}
		*s = (struct rejoin_slot){.data = fresh,
					  .id = f->id,
					  .total = f->total,
					  .channel = f->channel,
					  .form = f->form,
					  .pieces = f->pieces,
					  .begun_ns = now_ns};
	}
	s->came[f->index / 64] |= 1ull << f->index % 64;
	if (++s->have < s->pieces)
		return false;
	*ret_frame = (struct link_frame){
		.data = s->data, .len = s->total, .channel = s->channel, .form = s->form};
	s->data = NULL;
	return true;
}

unsigned rejoin_expire(struct rejoin *j, const struct links_calls *calls, uint64_t now_ns, bool all)
{
	unsigned lost = 0;

	for (struct rejoin_slot *s = j->slots; s < j->slots + LINK_REJOIN; s++) {
		if (!s->data || (!all && now_ns - s->begun_ns < REJOIN_NS))
			continue;
		calls->give(calls->arg, s->data);
		s->data = NULL;
		lost++;
	}
	return lost;
}
