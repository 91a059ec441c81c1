#ifndef BEDWARDEN_GUARD_PROTO_CLAIM_H
#define BEDWARDEN_GUARD_PROTO_CLAIM_H
/*
 * Names that a machine gives its own address in answer to questions that go to
 * everybody: LLMNR (RFC 4795), mDNS (RFC 6762), NetBIOS (RFC 1002 §4.2.13). What it
 * says of others, as a server of names does, is no claim.
 */
#include "base/bytes.h"
#include "bpf/shared.h"

#define CLAIM_NETBIOS 137
#define CLAIM_MDNS    5353
#define CLAIM_LLMNR   5355
#define CLAIMS	      8 /* of one message */

/*
 * The first CLAIMS of them, as hashes of the name's first label, in small letters and without
 * NetBIOS's suffix, so that one machine's name is one whatever the protocol. How many; 0 for what is
 * broken or no answer.
 */
unsigned claim_read(struct bytes payload, const struct gate_ip *ip, uint32_t ret_names[CLAIMS]);
/*
 * WPAD, the name of whoever tells all browsers of a network by which proxy to go, and as whom to log in
 * there (draft-ietf-wrec-wpad §4.4). Where one is meant to be, DHCP or DNS say so.
 */
bool claim_is_proxy(uint32_t name);

#endif
