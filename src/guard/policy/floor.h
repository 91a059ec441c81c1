#ifndef BEDWARDEN_GUARD_POLICY_FLOOR_H
#define BEDWARDEN_GUARD_POLICY_FLOOR_H
/*
 * The floor in user space: the same decision that bpf/gate.bpf.c makes in the
 * kernel, compiled from the same source (bpf/floor.h), over hash tables built
 * from a compiled policy. Used where the kernel has not judged already: files
 * and AF_PACKET. Holds its own bounded table of conversations.
 */
#include "guard/decode/packet.h"
#include "guard/policy/policy.h"

struct floor;
struct floor_packet; /* bpf/floor.h */

/* The policy is borrowed. NULL with errno ENOMEM. */
struct floor *floor_new(const struct policy *p, uint32_t max_flows);
void floor_free(struct floor *f);
/* Swaps the policy between two packets; conversations are judged anew at their next packet. */
int floor_set_policy(struct floor *f, const struct policy *p);

struct floor_hint;

/* Judges one packet that came in by `ifindex`. `now_ns` is monotonic, or a file's time. */
void floor_judge(struct floor *f, const struct packet *p, uint32_t ifindex, uint64_t now_ns,
		 struct gate_verdict *ret_verdict);
/* The same of one that came by the sealed link of that number and counts as coming in by `ifindex`. */
void floor_judge_sealed(struct floor *f, const struct packet *p, uint32_t ifindex, uint8_t link,
			uint64_t now_ns, struct gate_verdict *ret_verdict);
/* The same of a packet that there is a hint for. */
void floor_judge_hinted(struct floor *f, const struct floor_hint *h, const struct packet *p,
			uint32_t ifindex, uint64_t now_ns, struct gate_verdict *ret_verdict);

/*
 * For bursts, ahead of floor_judge_hinted(): hint for every packet, then prefetch for
 * every one, twice where that is cheap. By then what the floor remembers of the
 * conversation is in the cache.
 */
struct floor_hint {
	const struct gate_flow_key *key; /* the caller's, until the packet is judged */
	uint64_t hash;
	uint32_t bucket[2];
	uint16_t tag;
	bool known; /* likely; and without a result compilers would drop the prefetch */
};
void floor_hint(const struct floor *f, const struct gate_flow_key *key, struct floor_hint *ret_h);
void floor_prefetch(const struct floor *f, struct floor_hint *h);
void floor_prefetch_again(const struct floor *f, struct floor_hint *h);

/* What a decision is made from, read as the kernel's parser (bpf/parse.h) reads it. */
void floor_read(const struct packet *p, struct floor_packet *fp);

/*
 * The doors that are open from now on, copied, at most GATE_GRANTS; they outlive a
 * policy. Whether one's time is over is judged by the clock that floor_set_boot() gives,
 * CLOCK_BOOTTIME: without it none ever is.
 */
void floor_set_grants(struct floor *f, const struct gate_grant_row *rows, uint32_t count);
void floor_set_boot(struct floor *f, uint64_t boot_ns);

#endif
