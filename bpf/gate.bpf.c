// SPDX-License-Identifier: GPL-2.0
/*
 * The floor: an XDP program on every guarded port, pinned with its maps, so
 * that it goes on judging while no daemon runs. It parses a frame (parse.h),
 * asks the policy of the current slot (floor.h) and then forwards the frame out
 * of the segment's other port, hands it up to a guard over AF_XDP with the
 * verdict in front of it, answers it for a neighbour, or drops it. What all of
 * it looks into stands in gate_maps.h.
 *
 * A whole generation of the policy stands in one of two slots; `config.slot` is
 * read once a packet, so no packet sees half of one and half of another.
 */
#include "gate_floor.h"
#include "gate_ways.h"
#include "gate_word.h"

SEC("xdp")
int gate(struct xdp_md *ctx)
{
	struct gate_wire_key wire_key = {.ifindex = ctx->ingress_ifindex};
	struct floor_tables t;
	struct gate_config *cfg;
	struct gate_wire *wire;
	struct gate_work *g;

	cfg = config_get();
	g = work();
	if (!cfg || !g)
		return XDP_ABORTED;
	t.slot = *(volatile __u32 *)&cfg->slot & 1;
	wire_key.slot = t.slot;
	wire = bpf_map_lookup_elem(&wires, &wire_key);
	if (!wire) {
		count_total(GATE_TOTAL_NO_POLICY, ctx->data_end - ctx->data);
		return XDP_DROP;
	}
	gate_parse(ctx);
	g->index = wire->index;
	g->floor.port = wire->port;
	g->floor.ifindex = ctx->ingress_ifindex;
	g->floor.generation = cfg->generation[t.slot & 1];
	g->floor.now_ns = bpf_ktime_get_ns();
	gate_decide(t.slot);
	count_rule(cfg, t.slot, g->floor.verdict.rule, g->floor.packet.len);
	/* What has come by a link, only the guard has seen: on answers to it, it has the word. */
	if (g->floor.verdict.action == GATE_DROP && g->floor.verdict.link &&
	    wire->port.side == GATE_WARD)
		g->floor.verdict.action = GATE_SEAL;
	switch (g->floor.verdict.action) {
	case GATE_PASS:
		return pass(ctx, cfg, g, t.slot);
	case GATE_SEAL:
		return seal(ctx, cfg, g, t.slot);
	case GATE_INSPECT:
		return inspect(ctx, cfg, g, t.slot);
	}
	return drop(ctx, cfg, g, t.slot, 0);
}

char gate_license[] SEC("license") = "GPL";
