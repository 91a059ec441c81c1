/*
 * The kernel's parser (bpf/parse.h), compiled for user space: it reads nothing
 * beyond the frame, and where it finds nothing wrong it reads what the floor in
 * user space reads, for an attacker would look for the place where they differ.
 */
#include <assert.h>
#include <stdlib.h>

#include "guard/policy/floor.h"

#include "test/unit/lookups.h"

#include "bpf/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What both find whole they read alike. */
static void compare(const struct floor_packet *k, const struct floor_packet *u)
{
	assert(floor_mac_equal(k->src_mac, u->src_mac) && floor_mac_equal(k->dst_mac, u->dst_mac));
	assert(k->vlan == u->vlan && k->ethertype == u->ethertype);
	assert(k->flags == u->flags);
	if (k->flags & FLOOR_IS_ARP)
		assert(k->arp_op == u->arp_op && floor_ip_equal(&k->arp_sender, &u->arp_sender));
	assert(floor_ip_equal(&k->target, &u->target) && floor_mac_equal(k->said_mac, u->said_mac));
	assert(k->ip_version == u->ip_version && k->proto == u->proto);
	assert(floor_ip_equal(&k->src, &u->src) && floor_ip_equal(&k->dst, &u->dst));
	assert(k->fragment_offset == u->fragment_offset);
	if (k->flags & FLOOR_IS_FRAGMENT)
		assert(k->fragment_id == u->fragment_id);
	assert(k->sport == u->sport && k->dport == u->dport);
	assert((k->tcp_flags & 0x3f) == u->tcp_flags); /* ECN decides nothing */
	assert(k->icmp_type == u->icmp_type && k->quote_proto == u->quote_proto);
	assert(floor_ip_equal(&k->quote_src, &u->quote_src));
	assert(floor_ip_equal(&k->quote_dst, &u->quote_dst));
	assert(k->quote_sport == u->quote_sport && k->quote_dport == u->quote_dport);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct floor_packet fp = {0}, again = {0}, guards;
	uint8_t *frame;
	struct packet p;
	__u16 l3, l4, l3_again, l4_again;

	if (len > 9000 || !(frame = malloc(len ? len : 1)))
		return 0;
	memcpy(frame, data, len);
	parse_frame(NULL, &fp, frame, frame + len, &l3, &l4);
	assert(l3 <= len && l4 <= len && (!l4 || l4 >= l3 + 20));
	parse_frame(NULL, &again, frame, frame + len, &l3_again, &l4_again);
	assert(!memcmp(&fp, &again, sizeof(fp)) && l3 == l3_again && l4 == l4_again);
	packet_decode((struct bytes){frame, len}, LINK_ETHERNET, 0, (uint32_t)len, &p);
	floor_read(&p, &guards);
	if (!((fp.flags | guards.flags) & (FLOOR_BROKEN | FLOOR_TINY | FLOOR_ND_BROKEN)))
		compare(&fp, &guards);
	free(frame);
	return 0;
}
