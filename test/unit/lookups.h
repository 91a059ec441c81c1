#ifndef BEDWARDEN_TEST_LOOKUPS_H
#define BEDWARDEN_TEST_LOOKUPS_H
/*
 * What the kernel's headers (bpf/parse.h, bpf/floor.h) want to have before them: look-ups in tables. Whoever
 * includes this wants their layout or their parser alone; floor.c has the look-ups of user space.
 */
#include "bpf/shared.h"

struct floor_tables;
const struct gate_device *floor_device(struct floor_tables *t, __u32 id);
const struct gate_rule *floor_rule(struct floor_tables *t, __u32 index);
const struct gate_bind *floor_mac(struct floor_tables *t, const struct gate_mac_key *key);
const struct gate_bind *floor_ip(struct floor_tables *t, const struct gate_ip_key *key);
const struct gate_net *floor_net(struct floor_tables *t, const struct gate_net_key *key);
struct gate_learned *floor_learned(struct floor_tables *t, const struct gate_ip_key *key);
void floor_learn(struct floor_tables *t, const struct gate_ip_key *key,
		 const struct gate_learned *l);
struct gate_flow *floor_flow(struct floor_tables *t, const struct gate_flow_key *key);
void floor_flow_add(struct floor_tables *t, const struct gate_flow_key *key,
		    const struct gate_flow *f);
const struct gate_grant *floor_door(struct floor_tables *t, const struct gate_grant_key *key);
__u64 floor_boot_ns(struct floor_tables *t);
#define FLOOR_ADD(p, n)			(*(p) += (n))
#define FLOOR_BYPASS(flow, sender, len) ((void)0)

#endif
