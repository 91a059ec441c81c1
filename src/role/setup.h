#ifndef BEDWARDEN_ROLE_SETUP_H
#define BEDWARDEN_ROLE_SETUP_H
/*
 * What the parent tells a guard that it has just started (IPC_SETUP), and what
 * the guard tells it back every half second (IPC_COUNTS). The keeper needs none:
 * its command line says it all (role/keeper.h). Both ends are the same
 * binary, so these are plain structs; a receiver takes one by setup_take(),
 * which refuses another size. The parent ends every string.
 */
#include <stdint.h>

#include "base/ipc.h"
#include "bpf/shared.h"

#define SETUP_USER	 "bedwarden" /* whom children become, and whose the state is */
#define SETUP_PORTS_MAX	 64
#define SETUP_GUARDS_MAX 64
#define SETUP_PATH	 256

enum setup_capture { SETUP_XDP = 0, SETUP_PACKET = 1 };

/* The body of IPC_STOP, u32, to guards and the link; an empty one is SETUP_STOP_ALONE. */
enum setup_stop {
	SETUP_STOP_ALONE,
	SETUP_STOP_FOLLOWED, /* another gateway's link takes over connections of relays */
	SETUP_STOP_HEIR,     /* and the sealed links, with their keys and their socket */
	SETUP_STOP_REST,     /* to the link: an heir comes; what peers send is left to it from now
			      * on, which IPC_READY answers */
};

struct setup_port {
	char name[16];
	uint32_t ifindex;
};

struct setup_guard {
	uint32_t number; /* 0 .. guards - 1 */
	uint32_t queue;	 /* the receive queue that is its own */
	uint32_t guards;
	uint32_t capture; /* enum setup_capture */
	uint32_t max_flows;
	uint32_t max_fragments;
	uint32_t streams_mb;
	uint32_t vitals;
	uint32_t evidence; /* 1: frames around findings go to the keeper */
	uint32_t bypass;   /* 1: what can be read no further passes in the kernel */
	uint32_t stale_ms;
	uint32_t chunks;    /* of memory shared with the link (base/share.h); 0: none is */
	uint8_t agents[16]; /* where agents of devices call this gateway; port 0: nowhere */
	uint16_t agents_port, pad;
	uint32_t coalesce_us; /* how long at most to gather frames for the link; 0 not at all */
	uint32_t port_count;  /* only ports that are there */
	struct setup_port ports[SETUP_PORTS_MAX];
	char bpf_dir[SETUP_PATH]; /* for SETUP_XDP: where the floor's maps are pinned */
	/* Where profiles are, by which machines are recognised; read once, as a guard starts. */
	char config_file[SETUP_PATH], profiles_dir[SETUP_PATH];
};

/* Totals since the guard started. */
struct setup_counts {
	uint64_t received, forwarded, dropped, lost_receive, lost_send;
	uint64_t would_drop, events, events_lost, flows_untold, flows; /* flows: alive now */
	uint64_t evidence_lost; /* frames of it that found no room */
	uint64_t archive_lost;	/* things to be archived that found none, or were not seen whole */
};

/* How a peer gateway is, as the link knows it; zeroed first. */
struct setup_peer {
	char name[64];
	char address[64];  /* where it was heard; "" nowhere */
	char cipher[48];   /* "" none */
	char subject[128]; /* of its certificate */
	uint32_t number;   /* 1 … GATE_LINKS; 0: there is no such peer */
	uint32_t up;
	uint64_t since_ns, handshake_ns, heard_ns; /* monotonic; 0 never */
	uint64_t rtt_ns, not_after_s;
	uint64_t frames_out, bytes_out, frames_in, bytes_in;
	uint64_t datagrams_out, wire_out, wire_in;
	uint64_t split, rejoined, unfit, replayed, forged, malformed, missing, incomplete;
	uint64_t no_memory, clamped, handshakes, failed, moved;
	uint64_t too_late; /* frames that a guard handed over and the peer did not take any more */
	uint32_t mtu, pad;
};

/* What was sealed of a device since the policy came into force. */
struct setup_sealed {
	uint32_t device, pad;
	uint64_t frames, bytes;
};

#define SETUP_SEALED_MAX 1024 /* devices told of */
struct setup_peers {
	uint32_t peer_count, sealed_count;
	struct setup_peer peers[GATE_LINKS];
	struct setup_sealed sealed[SETUP_SEALED_MAX];
};

/* Nothing more of a conversation passes, for so long; zeroed first. */
#define SETUP_BLOCK_MAX_NS (600 * 1000000000ull)
struct setup_block {
	struct gate_flow_key key;
	uint32_t reason; /* enum reason */
	uint64_t for_ns;
};

/* A door for data under a grant that is open (guard/announce.h), and what became of it; zeroed first. */
struct setup_announced {
	struct gate_grant_key key;
	uint32_t grant;	     /* its id */
	uint32_t what;	     /* enum engine_door */
	uint64_t by;	     /* flow_id of what announced it; of ENGINE_DOOR_MET and _LEFT 0 */
	uint32_t other_port; /* of those two: the other end's */
	uint32_t pad;
};

/*
 * Of a conversation that a guard can read nothing more of: let it pass in the kernel for so long;
 * 0: only say what passed so far. Both zeroed first.
 */
#define SETUP_BYPASS_MAX_NS (60 * 1000000000ull)
struct setup_bypass {
	struct gate_flow_key key;
	uint32_t pad;
	uint64_t for_ns;
};

struct setup_bypassed {
	struct gate_flow_key key;
	uint32_t
		passes; /* 1: it passes in the kernel now; 0: it does not, or was only asked about */
	uint64_t seen_ns;	     /* monotonic: its last packet */
	struct gate_count passed[2]; /* by all bypasses of it so far, by the key's ends */
};

/* What the rules of a policy counted: `rules` of struct gate_count follow. */
struct setup_counted {
	uint32_t generation;
	uint32_t rules;
};

/* A device of that policy said a vital sign then. */
struct setup_patient {
	uint32_t device, generation;
	uint64_t wall_ns;
};

/* A device of that policy last sent what its policy allows, and what it does not; 0 never. */
struct setup_conduct {
	uint32_t device, generation;
	uint64_t talked_ns, misbehaved_ns; /* wall clock */
};

/*
 * What is seen of a device, in seconds since 1970; 0 never. `since`: from then on somebody has
 * looked at its packets without a gap; 0: nobody does now.
 */
struct setup_sight {
	char name[64];
	int64_t since, vitals, talked, misbehaved;
};

/* The message's body as *ret_setup of exactly `size` bytes. */
static inline bool setup_take(const struct ipc_message *m, void *ret_setup, size_t size)
{
	if (m->body.len != size)
		return false;
	memcpy(ret_setup, m->body.data, size);
	return true;
}

#endif
