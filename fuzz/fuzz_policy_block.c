/* A policy block from another process: refused, or everything in it can be followed. */
#include <stdlib.h>
#include <string.h>

#include "guard/policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void follow(const struct policy *p)
{
	const struct gate_device *devices;
	const struct gate_rule *rules;
	const struct policy_port_row *ports;
	const struct policy_mac_row *macs;
	const struct policy_ip_row *ips;
	const struct policy_net_row *nets;
	uint32_t device_count, rule_count, count;
	uint64_t sum = 0;

	devices = policy_devices(p, &device_count);
	rules = policy_rules(p, &rule_count);
	for (uint32_t d = 0; d < device_count; d++) {
		sum += strlen(policy_device_name(p, d)) + strlen(policy_device_profile(p, d));
		sum += strlen(policy_segment_name(p, devices[d].segment));
		for (uint32_t r = 0; r < devices[d].rule_count; r++) {
			const struct gate_rule *rule = &rules[devices[d].rule_first + r];

			sum += strlen(policy_rule_service(p, devices[d].rule_first + r)) +
			       strlen(policy_rule_messages(p, devices[d].rule_first + r));
			if (rule->peer_kind == GATE_PEER_ID)
				sum += strlen(policy_peer_name(p, (uint32_t)rule->peer));
		}
	}
	ports = policy_ports(p, &count);
	for (uint32_t i = 0; i < count; i++)
		sum += devices[ports[i].port.segment].mode;
	macs = policy_macs(p, &count);
	for (uint32_t i = 0; i < count; i++)
		sum += strlen(policy_peer_name(p, macs[i].bind.peer));
	ips = policy_ips(p, &count);
	for (uint32_t i = 0; i < count; i++)
		sum += strlen(policy_peer_name(p, ips[i].bind.peer));
	nets = policy_nets(p, &count);
	for (uint32_t i = 0; i < count; i++)
		sum += strlen(policy_peer_name(p, nets[i].net.peer));
	if (sum == UINT64_MAX)
		abort(); /* what was read counts, so it is read */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *block = malloc(len ? len : 1);
	const struct policy *p;

	if (!block)
		return 0;
	if (len)
		memcpy(block, data, len);
	p = policy_open((struct bytes){block, len});
	if (p)
		follow(p);
	free(block);
	return 0;
}
