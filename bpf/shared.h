/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef BEDWARDEN_BPF_SHARED_H
#define BEDWARDEN_BPF_SHARED_H
/*
 * The whole contract between kernel and user space: what a compiled policy
 * looks like, what the floor decides from it, and what travels with a packet
 * that goes up to a guard. Everything is in host byte order unless it says so,
 * has explicit padding (map keys are compared as bytes: zero them first), and
 * changes its size only together with GATE_ABI.
 */
#include <linux/types.h>

#include "../src/base/reason.h"
#include "../src/base/terms.h"

#define GATE_ABI 4

enum gate_side { GATE_WARD = 0, GATE_HOSPITAL = 1 };

/* IPv6, or IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2); network byte order. */
struct gate_ip {
	union {
		__u8 b[16];
		__u32 w[4];
	};
};

/* A port of the gateway, by ifindex: whose it is and where its frames go. */
struct gate_port {
	__u32 segment;
	__u32 partner; /* ifindex of the segment's other port */
	__u8 side;     /* enum gate_side: what is plugged into this port */
	__u8 flags;    /* GATE_PORT_* */
	__u8 mac[6];   /* the port's own address */
	/* Where the sealed link is heard, on the hospital's side; own_port 0: nowhere. */
	struct gate_ip own;
	__u16 own_port; /* UDP */
	__u16 pad;
};

#define GATE_PORT_ISOLATED     1 /* the ward's switch isolates its ports: answer and hairpin */
#define GATE_PORT_BIND_REPORT  2 /* binding violations are reported only, never blocked */
#define GATE_PORT_STRANGERS_OK 4 /* unregistered devices are inspected instead of blocked */
#define GATE_PORT_DHCP_ANY     8 /* no host holds the role dhcp: any on the hospital side serves */

/*
 * A device, by its id. Ids are dense. Ids [0, nsegments) are each segment's
 * stranger: what an unregistered machine on the ward side of it counts as. The
 * stranger's mode is the segment's. Its rules are asked about broadcast and
 * multicast that come from the hospital for nobody in particular: they hold the
 * union of the segment's `towards` rules whose peer is BROADCAST or MULTICAST.
 */
struct gate_device {
	__u32 segment;
	__u32 rule_first; /* rules[rule_first .. rule_first + rule_count) in order, first match wins */
	__u32 rule_count;
	__u8 mac[6];
	__u8 mode;  /* enum gate_mode */
	__u8 fail;  /* enum gate_fail */
	__u8 flags; /* GATE_DEVICE_* */
	__u8 pad[3];
};

#define GATE_DEVICE_STRANGER 1
#define GATE_DEVICE_ARCHIVE  4 /* what it says is archived; the kernel does not care */
#define GATE_DEVICE_ANY_IP   2 /* no address listed: learned from use, if nobody else owns it */

#define GATE_MAX_RULES_PER_DEVICE 64

/*
 * One line of a profile for one device. `peer` is matched against the other
 * end: anyone, one host or device, or anyone holding one of some roles.
 */
struct gate_rule {
	__u64 peer;	/* by peer_kind: unused, a peer id, or a mask of roles */
	__u16 port_lo;	/* the server's port (destination of the starter); 0..65535 for all; */
	__u16 port_hi;	/* for ICMP and ICMPv6 the type */
	__u8 proto;	/* IP protocol number; 0 any */
	__u8 peer_kind; /* enum gate_peer_kind */
	__u8 towards;	/* 0 the device starts, 1 the peer starts towards the device */
	__u8 action;	/* enum gate_action */
};

enum gate_peer_kind { GATE_PEER_ANY = 0, GATE_PEER_ID = 1, GATE_PEER_ROLES = 2 };

/* Peer ids: a host's index, or a device's id with this bit. */
#define GATE_PEER_DEVICE 0x80000000u
#define GATE_PEER_NONE	 0x7fffffffu /* an address that the policy does not name */

/* Every role a host can have is one bit; these are the gateway's own. */
#define GATE_ROLE_BROADCAST (1ull << 63)
#define GATE_ROLE_MULTICAST (1ull << 62)
#define GATE_ROLE_DHCP	    (1ull << 61)
#define GATE_ROLES_OWN	    61 /* the first 61 bits are the site's roles */

/* Which machine owns a hardware address; key of `macs`. */
struct gate_mac_key {
	__u32 segment;
	__u8 mac[6];
	__u8 pad[2];
};

/*
 * Which machine owns a network address; key of `ips` and `learned`. Devices are
 * listed under their segment; a host is here only where it has a MAC to be
 * bound to, otherwise it stands in `nets`, whatever its prefix.
 */
struct gate_ip_key {
	__u32 segment;
	struct gate_ip ip;
};

struct gate_bind {
	__u32 peer;  /* peer id */
	__u8 mac[6]; /* meaningful with GATE_BIND_MAC */
	__u8 side;   /* enum gate_side */
	__u8 flags;  /* GATE_BIND_* */
	__u32 link;  /* of a host: the peer gateway it is behind, 1 to GATE_LINKS; 0 none */
	__u64 roles; /* hosts only */
};

#define GATE_BIND_MAC 1 /* the address is bound to this hardware address */

/* Host networks, longest prefix first; key of the LPM trie `nets`. Segments share hosts. */
struct gate_net_key {
	__u32 prefix_len; /* 0..128, over the mapped form */
	struct gate_ip ip;
};

struct gate_net {
	__u32 peer;
	__u16 flags; /* GATE_NET_* */
	__u16 link;  /* the peer gateway it is behind, 1 to GATE_LINKS; 0 none */
	__u64 roles;
};

#define GATE_NET_HOST 1 /* prefix 128: one machine's address, which nobody else may use */

/*
 * An address seen in use and named by no policy; value of `learned`. It names
 * the owner by hardware address, since device ids change with the policy.
 */
struct gate_learned {
	__u64 seen_ns; /* CLOCK_MONOTONIC */
	__u8 mac[6];
	__u8 side; /* enum gate_side */
	__u8 pad;
};

/*
 * A conversation the floor has judged. The two ends are ordered by address,
 * then by port number, so both directions find the same entry: make it with
 * gate_flow_key_make(). The same table remembers what became of the first
 * fragment of a datagram (kind GATE_KEY_FRAGMENT: ip[0] sends, ip[1] receives,
 * the ports hold the identification), and what was searched for in a group (GATE_KEY_SEARCH: ip[0]
 * and port[0] ask; `rule` is the port asked, `starter` says that the group is no broadcast's).
 */
struct gate_flow_key {
	__u32 segment;
	struct gate_ip ip[2];
	__u16 port[2]; /* host order; ICMP echo: identifier in both; other protocols 0 */
	__u16 vlan;    /* outer tag's VID, 0 untagged */
	__u8 proto;
	__u8 kind; /* enum gate_key_kind */
};

enum gate_key_kind { GATE_KEY_FLOW = 0, GATE_KEY_FRAGMENT = 1, GATE_KEY_SEARCH = 2 };

struct gate_flow {
	__u64 seen_ns;	/* last packet, CLOCK_MONOTONIC */
	__u64 until_ns; /* for blocked and bypassed: when the mark ends; 0 never by itself */
	__u32 device;
	__u32 peer;
	__u32 generation; /* of the policy that judged it; older: judge again */
	__u32 rule;	  /* index into rules, ~0 none; with GATE_FLOW_GRANTED the door's id */
	__u8 action;	  /* enum gate_action, before the mode softens it */
	__u8 starter : 1; /* index 0|1 into the key's ends: who sent the first packet */
	__u8 link : 7;	  /* of GATE_SEAL: by which peer gateway */
	__u8 reason;	  /* enum reason: why GATE_DROP, or why a guard blocked it */
	__u8 flags;	  /* GATE_FLOW_* */
	/* Hardware address and side of an end whose binding was checked in `generation`. */
	__u8 mac[2][6];
};

#define GATE_FLOW_BYPASSED   1		    /* by a guard: needs no further inspection */
#define GATE_FLOW_BLOCKED    2		    /* by a guard */
#define GATE_FLOW_BOUND(end) (4u << (end))  /* mac[end] holds */
#define GATE_FLOW_WARD(end)  (16u << (end)) /* that end is on the ward's side */
#define GATE_FLOW_OPEN	     64		    /* passes when nobody inspects */
#define GATE_FLOW_GRANTED    128	    /* lives as long as the grant that `rule` names */

/* Packets and bytes. */
struct gate_count {
	__u64 packets;
	__u64 bytes;
};

/*
 * Conversations, as the map `flows` keeps them (flows.h): sets of 31, seven to a block. Set 0
 * holds none: what all need stands there, which whoever makes the map fills in.
 */
#define GATE_SET_SLOTS 31
#define GATE_SET_SHARE \
	19 /* so many each is all of them: chance fills some sets fuller than others */

struct gate_slot {
	struct gate_flow_key key;
	__u32 pad;
	struct gate_flow flow;
	struct gate_count bypassed[2]; /* what passed by GATE_FLOW_BYPASSED, by sender */
};

struct gate_set {
	__u16 tag[GATE_SET_SLOTS + 1]; /* by slot, from 1 on; 0 it is free */
	__u32 lock;		       /* 1: somebody changes which conversations are here */
	__u32 count;		       /* set 0: sets beside this one */
	__u64 secret[2];	       /* set 0: of the hash */
	__u32 at;		       /* scratch, of who holds the lock */
	__u8 pad[36];
	struct gate_slot slot[GATE_SET_SLOTS];
};

/*
 * A map of its own, as large as the kernel still takes from memory that it maps in large pages
 * (32 KiB): a look-up in a table of small ones waits for the page's address as well. `skew`, of
 * which as much is left out as puts the sets on lines of their own, depends on the kernel.
 */
#define GATE_BLOCK_SETS 7

struct gate_block {
	__u8 skew[64];
	struct gate_set set[GATE_BLOCK_SETS];
};

/*
 * A guard's word on one conversation: what goes into the program `gate_say` and comes back, by
 * bpf(2)'s BPF_PROG_RUN. So the kernel alone ever writes `flows`, and no process that dies can
 * leave a set locked.
 */
enum gate_word_kind {
	GATE_WORD_BLOCK = 1, /* whether it is known or not */
	GATE_WORD_BYPASS,    /* one that is inspected, and under no grant */
	GATE_WORD_INSPECT,   /* no bypass any more */
};

enum gate_word_answer {
	GATE_WORD_DONE,
	GATE_WORD_UNKNOWN, /* there is no such conversation, or it may not be bypassed */
	GATE_WORD_AGAIN,   /* its set is being changed right now */
};

struct gate_word {
	struct gate_flow_key key;
	__u8 kind;   /* enum gate_word_kind */
	__u8 reason; /* of GATE_WORD_BLOCK, enum reason */
	__u8 answer; /* back: enum gate_word_answer */
	__u8 pad;
	__u64 now_ns, until_ns; /* CLOCK_MONOTONIC; until 0: for as long as it is remembered */
	struct gate_flow flow;	/* back: as it stands now */
	struct gate_count bypassed[2];
};

/*
 * A door that is open for one workstation for a while: what no rule of the device
 * allows, this does. Key and value of `grants`, which outlives a policy. Every
 * packet of a conversation under it is looked up anew, so that its end is the
 * kernel's own, whoever is still alive then. A service of several ports has an entry
 * for each, one of a range the entry whose key says port 0.
 */
struct gate_grant_key {
	__u32 segment;
	struct gate_ip peer; /* the workstation */
	__u8 device_mac[6];  /* numbers of devices change with the policy */
	__u16 port;	     /* the device's; 0: a range; of GATE_DOOR_BACK the workstation's */
	__u8 proto;
	__u8 kind;   /* enum gate_door_kind */
	__u16 other; /* of GATE_GRANT_MET the other end's port; else 0: for whoever comes */
};

/* Who begins: the workstation; or, of data that it asked for, the device (active FTP, TFTP). */
enum gate_door_kind { GATE_DOOR_SERVICE = 0, GATE_DOOR_BACK = 1 };

struct gate_grant {
	__u64 until_ns;		/* CLOCK_BOOTTIME, which goes on while the machine sleeps */
	__u32 id;		/* never 0 */
	__u16 port_lo, port_hi; /* of GATE_GRANT_MET port_hi is the other end's */
	union {
		__u8 mac[6];   /* the workstation's, which it must send from and be sent to */
		__u16 rule[2]; /* of GATE_GRANT_RULE: which one, low half first */
	};
	__u8 flags; /* GATE_GRANT_* */
	__u8 pad;
};

#define GATE_GRANT_ANY_MAC 1 /* behind a router: known by its address alone */
#define GATE_GRANT_RECORD  2 /* kept as evidence: must not pass where nobody inspects */
#define GATE_GRANT_DATA	   4 /* a guard may announce further doors, for data (FTP, TFTP) */
#define GATE_GRANT_MET	   8 /* announced, and met: of that conversation alone from then on */

/*
 * An id with this bit is no person's: the door is for data (FTP, TFTP) that a conversation announced
 * which a rule permits, between the two whose addresses the rule binds. With the other one, a rule
 * about what the peer begins. The rest is the conversation's.
 */
#define GATE_GRANT_RULE	   0x80000000u
#define GATE_GRANT_TOWARDS 0x40000000u

#define GATE_GRANTS 1024 /* entries at most */

struct gate_grant_row {
	struct gate_grant_key key;
	struct gate_grant grant;
};

static inline __attribute__((always_inline)) __u32 gate_grant_rule(const struct gate_grant *g)
{
	return g->rule[0] | (__u32)g->rule[1] << 16;
}

/* Says which end of the key sends: 0 or 1. Zeroes every byte of the key it does not use. */
static inline __attribute__((always_inline)) __u8
gate_flow_key_make(struct gate_flow_key *ret_key, __u32 segment, __u16 vlan, __u8 proto,
		   const struct gate_ip *src, __u16 sport, const struct gate_ip *dst, __u16 dport)
{
	__u8 sender = 0;
	int i;

	for (i = 0; i < 4; i++) {
		__u32 s = __builtin_bswap32(src->w[i]), d = __builtin_bswap32(dst->w[i]);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		s = src->w[i], d = dst->w[i];
#endif
		if (s != d) {
			sender = s > d;
			break;
		}
	}
	if (i == 4)
		sender = sport > dport;
	ret_key->segment = segment;
	if (sender) {
		ret_key->ip[1] = *src;
		ret_key->port[1] = sport;
		ret_key->ip[0] = *dst;
		ret_key->port[0] = dport;
	} else {
		ret_key->ip[0] = *src;
		ret_key->port[0] = sport;
		ret_key->ip[1] = *dst;
		ret_key->port[1] = dport;
	}
	ret_key->vlan = vlan;
	ret_key->proto = proto;
	ret_key->kind = GATE_KEY_FLOW;
	return sender;
}

/* What the floor made of a packet. Travels ahead of the frame to the guard. */
struct gate_verdict {
	__u16 abi; /* GATE_ABI */
	__u8 link; /* the peer gateway it goes to or came from by a sealed link; 0 none */
	__u8 pad;
	__u32 ifindex;	  /* where it came in */
	__u32 device;	  /* the device it is from, or else the one it is for */
	__u32 peer;	  /* peer id of the other end */
	__u32 rule;	  /* index into rules, ~0 none */
	__u32 generation; /* of the policy that judged */
	__u8 action;	  /* what is to happen now, mode already taken into account */
	__u8 would;	  /* what `enforce` would have done: GATE_DROP in simulate and observe */
	__u8 reason;	  /* enum reason; REASON_NONE where it is allowed */
	__u8 flags;	  /* GATE_VERDICT_* */
	__u32 grant;	  /* the id of the grant under which it passes; 0 none */
};

#define GATE_VERDICT_TO_DEVICE 1  /* the device is the receiver */
#define GATE_VERDICT_HAIRPIN   2  /* goes back out of the port it came in by */
#define GATE_VERDICT_FIRST     4  /* opened a new conversation */
#define GATE_VERDICT_ANSWERED  8  /* the floor answered it itself (ARP, ND) */
#define GATE_VERDICT_FRAGMENT  16 /* a piece without its first: judge after reassembly */
#define GATE_VERDICT_OPEN      32 /* passes when nobody inspects, whatever the device's fail mode */
#define GATE_VERDICT_RECORD    64 /* does not pass when nobody inspects, whatever the fail mode */
#define GATE_VERDICT_LOCAL     128 /* for the gateway itself: its own sealed link */

/* A blocked packet, told to user space; a bounded ring that drops when full. */
#define GATE_SAMPLE_BYTES 512 /* a DHCP request, which says who a stranger is, whole */
struct gate_sample {
	__u64 time_ns;
	struct gate_verdict verdict;
	__u32 wire_len;
	__u32 captured;
	__u32 count; /* packets alike since the last sample of them, this one included */
	__u32 pad;
	__u8 data[GATE_SAMPLE_BYTES];
};

struct gate_device_count {
	struct gate_count passed, inspected, dropped;
	struct gate_count uninspected; /* passed by fail mode `open` while nobody inspected */
	struct gate_count failed;      /* dropped by fail mode `closed` */
};

/*
 * One a guard, in memory that kernel and guard share: the map `hearts`, by the
 * receive queue that the guard serves on every port. `taken` counts frames the
 * guard has finished with, `given` those sent up to it; a guard that finds its
 * ring empty stores taken = given, so that frames which the ring refused are not
 * owed for ever.
 */
struct gate_heart {
	__u64 beat_ns;	/* CLOCK_MONOTONIC, by the guard at every turn of its loop; 0 gone */
	__u64 taken;	/* written by the guard */
	__u64 given;	/* written by the kernel */
	__u64 since_ns; /* by the kernel: when frames began to wait */
	__u32 owner;	/* the guard's thread, by number: a robust futex (set_robust_list(2)) */
	__u32 pad32;
	__u64 hold_until_ns; /* by a guard that makes way for a successor: see gate_held */
	__u64 seal_until_ns; /* the same of frames to be sealed, until the successor's link takes them */
	__u64 pad;
};

/* So the kernel sets this bit of `owner` the moment the guard dies, long before its sockets go. */
#define GATE_OWNER_DIED 0x40000000u

/*
 * A guard that lets this many frames wait for this long hangs: its ring takes
 * what it holds along. Devices that fail open are not put there any more, long
 * before its heart counts as stale.
 */
#define GATE_LATE_FRAMES 32
#define GATE_LATE_NS	 8000000ull

/*
 * The sealed links, in memory that kernel, guards and link share: the map `links`, by
 * the peer gateway's number, or what the parent gives them where there is no map. [0] is
 * the link's process itself; its `owner` as that of a heart.
 */
#define GATE_LINKS 64 /* most peer gateways */

struct gate_link {
	__u64 beat_ns; /* CLOCK_MONOTONIC: by the link while the peer takes frames; 0 it does not */
	__u32 owner;
	__u32 pad;
};

/* Does the peer gateway take frames? The link's silence, and its death, count as no. */
static inline __attribute__((always_inline)) int gate_link_up(const struct gate_link *process,
							      const struct gate_link *peer,
							      __u64 now_ns, __u64 stale_ns)
{
	__u64 beat = *(volatile const __u64 *)&peer->beat_ns;

	return beat && !(*(volatile const __u32 *)&process->owner & GATE_OWNER_DIED) &&
	       (now_ns <= beat || now_ns - beat <= stale_ns);
}

/*
 * A frame that may not pass uninspected, kept while one guard makes way for the
 * next in order; a bounded ring, which the guard of queue 0 empties for all. The
 * frame follows. A guard that dies leaves no such wish behind: then the fail mode
 * holds with the very next packet.
 */
struct gate_held {
	__u64 time_ns;
	struct gate_verdict verdict;
	__u32 len;
	__u32 pad;
};

#define GATE_HELD_BYTES (4u << 20)
#define GATE_HELD_MAX	3584	      /* a frame's length; larger than any that a guard takes */
#define GATE_HOLD_NS	5000000000ull /* how long a successor is waited for, and a frame kept */

#define GATE_PORTS  64 /* most ports of one gateway */
#define GATE_QUEUES 64 /* most receive queues of one port */
/* Index into `xsks`; `port` is the value of the map `indexes` for the port's ifindex. */
#define GATE_SLOT(port, queue) ((port)*GATE_QUEUES + (queue))

/*
 * What the program reads first; the map `config`, one entry. Two slots hold two
 * generations of every table: storing `slot` switches all of them at once.
 */
struct gate_config {
	__u32 abi; /* GATE_ABI */
	__u32 slot;
	__u32 generation[2];
	__u64 stale_ns;	     /* a heart silent for longer has stopped */
	__u32 backlog;	     /* most frames owed by one guard's queue */
	__u32 frame_max;     /* larger frames do not fit a guard's buffer */
	__u32 samples_per_s; /* per CPU */
	__u32 stripes;	     /* copies of each policy counter */
	__u32 block_skew;    /* where a block's sets begin in it */
	__u32 device_count[2], rule_count[2];
};

/* A guarded port in one generation; key and value of `wires`. */
struct gate_wire_key {
	__u32 ifindex;
	__u32 slot;
};

struct gate_wire {
	struct gate_port port;
	__u32 index; /* of the port, for GATE_SLOT() */
	__u32 pad;
};

/* What became of packets, all devices together; one set a CPU. */
enum gate_total {
	GATE_TOTAL_PASSED,
	GATE_TOTAL_INSPECTED,	/* given to a guard */
	GATE_TOTAL_DROPPED,	/* by policy or binding */
	GATE_TOTAL_UNINSPECTED, /* passed by fail mode `open` */
	GATE_TOTAL_FAILED,	/* dropped by fail mode `closed` */
	GATE_TOTAL_HAIRPINNED,	/* of the passed and uninspected: back out of the same port */
	GATE_TOTAL_ANSWERED,	/* ARP and ND, for a neighbour */
	GATE_TOTAL_LOCAL,	/* copies of what the ward's switch delivered itself */
	GATE_TOTAL_TOO_BIG,	/* of uninspected and failed: no guard's buffer holds them */
	GATE_TOTAL_NO_POLICY,	/* came in by a port that no policy names; dropped */
	GATE_TOTAL_SAMPLES,	/* told to user space */
	GATE_TOTAL_UNSAMPLED,	/* dropped and only counted: alike, too many, or ring full */
	GATE_TOTAL_HELD,	/* kept for a guard's successor */
	GATE_TOTAL_COUNT,
};

/*
 * A compiled policy as rows, the way user space hands it over: keys are unique
 * within a table, devices and rules are arrays by index.
 */
struct policy_port_row {
	__u32 ifindex;
	struct gate_port port;
};

struct policy_mac_row {
	struct gate_mac_key key;
	struct gate_bind bind;
};

struct policy_ip_row {
	struct gate_ip_key key;
	struct gate_bind bind;
};

struct policy_net_row {
	struct gate_net_key key;
	struct gate_net net;
};

#endif
