#include "guard/proto/hl7_ack.h"

#include "base/fnv.h"

static uint32_t hash_id(struct bytes id)
{
	uint32_t h = fnv32(FNV32_START, id);

	return h ? h : 1;
}

void hl7_ack_await(struct hl7_acks *a, struct bytes id, uint64_t now_ns)
{
	unsigned i = a->next;

	if (!id.len)
		return;
	a->id[i] = hash_id(id);
	a->ns[i] = now_ns;
	a->done[0] &= ~(1u << i);
	a->done[1] &= ~(1u << i);
	a->next = (i + 1) % HL7_ACK_WAITING;
}

uint64_t hl7_ack_latency_us(struct hl7_acks *a, struct bytes code, struct bytes id, uint64_t now_ns)
{
	uint16_t *done = &a->done[code.data[0] == 'C'];
	uint32_t hash = hash_id(id);

	for (unsigned n = 0; id.len && n < HL7_ACK_WAITING; n++) {
		unsigned i = (a->next + n) % HL7_ACK_WAITING;

		if (a->id[i] != hash || *done >> i & 1)
			continue;
		*done |= 1u << i;
		return now_ns > a->ns[i] ? (now_ns - a->ns[i]) / 1000 : 0;
	}
	return 0;
}
