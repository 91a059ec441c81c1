#ifndef BEDWARDEN_GUARD_IMPOSTOR_H
#define BEDWARDEN_GUARD_IMPOSTOR_H
/*
 * Who answers in others' place, where no policy says whose place it is: a machine
 * that claims one name after the other for its own address, or WPAD, a second server of DHCP,
 * of either kind, or router of IPv6 that would send traffic another way than the first one, and a
 * first one where machines have asked for one in vain.
 *
 * Attribution only. Bounded: tables of fixed size in which who comes later takes
 * the place. Time is an argument.
 */
#include "guard/behaviour.h"
#include "guard/proto/dhcp.h"
#include "guard/proto/dhcp6.h"
#include "guard/proto/router.h"

/* A machine of Windows may have its own, its domain's and its user's; one that is asked for many and
 * has them all is none. */
#define IMPOSTOR_NAMES	   5
#define IMPOSTOR_WINDOW_NS 3600000000000ull  /* in which it claims them; and is told once */
#define IMPOSTOR_SERVER_NS 86400000000000ull /* a server that says nothing for so long is gone */
#define IMPOSTOR_VAIN	   3		     /* questions without an answer, from a window ago on */

struct impostor;

/* NULL with errno ENOMEM. */
struct impostor *impostor_new(void);
void impostor_free(struct impostor *i);

/* Is the packet one that may claim a name? */
static inline bool impostor_may_claim(const struct packet *p)
{
	return p->proto == PROTO_UDP && p->has_ports && !p->fragment &&
	       (p->src_port == 137 || p->src_port == 5353 || p->src_port == 5355);
}

/* count: names, once they are IMPOSTOR_NAMES or one of them is WPAD. */
struct behaviour_finding impostor_claimed(struct impostor *i, const struct packet *p,
					  uint32_t segment, uint64_t now_ns);
/* Is the packet one that may say, or ask, which way traffic of IPv6 goes? */
static inline bool impostor_may_lead(const struct packet *p)
{
	return p->ip_version == 6 && !p->fragment &&
	       (p->has_ports ? p->proto == PROTO_UDP && (p->src_port == DHCP6_SERVER_PORT ||
							 p->dst_port == DHCP6_SERVER_PORT)
			     : p->proto == PROTO_ICMPV6 && (p->icmp_type == ROUTER_ADVERTISEMENT ||
							    p->icmp_type == ROUTER_SOLICITATION));
}

/*
 * What a DHCPv6 server gives, a router advertises, or somebody asks them, that no policy objects to; count: of servers.
 * `answered_here`: what answers a question comes by here, so that it is known whether one did.
 */
struct behaviour_finding impostor_led(struct impostor *i, const struct packet *p, uint32_t segment,
				      bool answered_here, uint64_t now_ns);
/* A question for an address, an offer or an acknowledgement that no policy objects to; count: servers. */
struct behaviour_finding impostor_offered(struct impostor *i, const struct packet *p,
					  const struct dhcp *d, uint32_t segment,
					  bool answered_here, uint64_t now_ns);

#endif
