#ifndef BEDWARDEN_GUARD_ENGINE_H
#define BEDWARDEN_GUARD_ENGINE_H
/*
 * Puts the guard's rooms in a row: frame → packet → (fragments) → floor →
 * flow → identity → verdict → event. The same for a live pair of ports and for
 * a file. One engine per receive queue, nothing shared, no clock of its own:
 * time comes with the frames, and from engine_tick() when none come.
 */
#include "guard/capture/capture.h"
#include "guard/flow/flow.h"
#include "guard/policy/inventory.h"
#include "guard/policy/policy.h"
#include "guard/session.h"

struct archive;
struct evidence;
struct roster;

/* Where finished EVE lines go (no newline, no zero). */
typedef void (*engine_sink_fn)(void *arg, const char *line, size_t len);
/* Where a line may be written that the sink gets next, EVENT_MAX bytes: what lies there already need
 * not be copied. It may get another line, from elsewhere, or none. */
typedef char *(*engine_room_fn)(void *arg);

/* The port of the policy that a frame without one came in by: an ifindex. */
typedef uint32_t (*engine_place_fn)(void *arg, const struct frame *f, const struct packet *p,
				    const struct roster *r);

/* Nothing more of a conversation passes here, for `for_ns`. */
typedef void (*engine_block_fn)(void *arg, const struct gate_flow_key *key, enum reason why,
				uint64_t for_ns);

/*
 * Nothing more of a conversation can be read: the kernel may let it pass for `for_ns`. 0: no more, and
 * how much has passed is to be told. The answer is engine_bypassed(). -errno: nobody was told.
 */
typedef int (*engine_bypass_fn)(void *arg, const struct gate_flow_key *key, uint64_t for_ns);

/*
 * Doors for data that a conversation under a grant announces, one after the other. Where one stands
 * that has not been met, the next one takes its place; one that was met is of the conversation that
 * did, whose other end has `other_port`, until that has ended.
 */
enum engine_door {
	ENGINE_DOOR_OPEN,
	ENGINE_DOOR_MET,
	ENGINE_DOOR_DONE, /* what had met it has closed, and hardly sends any more */
	ENGINE_DOOR_LEFT, /* what had met it has ended */
	ENGINE_DOOR_OVER, /* what announced it has ended */
};
/* `by` is the conversation that announced it (its flow_id): another one may have announced the same
 * since. Of ENGINE_DOOR_OPEN 0: it is being opened, and engine_set_grants() comes. */
typedef int (*engine_announce_fn)(void *arg, const struct gate_grant_row *row,
				  enum engine_door what, uint64_t by, uint16_t other_port);

/*
 * Sealed links, by the number of the peer gateway: whether it takes frames, and a frame for it,
 * which is no longer the engine's where the answer is 0; -errno: it still is. A frame without a
 * handle, `own`, is the engine's own and to be copied.
 */
struct engine_seal {
	bool (*up)(void *arg, uint8_t link);
	int (*frame)(void *arg, const struct frame *f, const struct gate_verdict *v);
	int (*own)(void *arg, struct bytes frame, const struct gate_verdict *v);
	void *arg;
};

#define ENGINE_STREAM_BYTES (64u << 20)
#define ENGINE_STREAM_END   (1u << 20) /* held of one end of one conversation, at most */

struct engine_options {
	uint32_t max_flows;
	uint32_t max_fragments;
	uint32_t vitals_streams; /* waves of monitors watched at once; 0: as many as are usual */
	size_t stream_bytes; /* held of all TCP conversations together; 0: ENGINE_STREAM_BYTES */
	struct flow_timeouts timeouts;
	bool inline_;	   /* a dropped packet is not seen by what follows */
	bool packet_times; /* time is the frames', as for a file; else the caller's ticks */
	struct inventory_options inventory; /* who is there; no machines: not kept */
	struct evidence *evidence;	    /* told of every frame; borrowed, NULL: none is kept */
	struct archive *archive;	    /* takes what is archived; borrowed, NULL: nothing is */
	uint32_t
		flow_events; /* about conversations of one source, at once; a tenth more each second;
			       * 0: all. What a verdict was given on is always told. */
	stream_reread_fn reread; /* of frames' places; NULL: what they carry is copied */
	void *reread_arg;
	engine_place_fn place; /* NULL: frames say themselves where they came in */
	void *place_arg;
	engine_sink_fn sink;
	engine_room_fn room; /* with the sink's argument; NULL: it has none */
	void *sink_arg;
	engine_block_fn block; /* told of what is cut off; NULL: nobody is */
	void *block_arg;
	engine_bypass_fn bypass; /* NULL: everything is looked at */
	void *bypass_arg;
	engine_announce_fn announce; /* NULL: no further door opens */
	void *announce_arg;
	struct engine_seal seal; /* up NULL: as for a file, what is to be sealed passes */
	struct gate_ip
		agents; /* where agents call us: that they do shows nothing of a device's work */
	uint16_t agents_port; /* 0: nowhere */
};

struct engine_stats {
	uint64_t packets, bytes, dropped, would_drop, held, malformed;
	uint64_t copies; /* a file's packets that a mirror port showed once more */
	uint64_t sealed, opened,
		in_clear; /* packets to and by links; passed without, for one was down */
	uint64_t events, flows, flows_evicted, flows_untold, fragments_reassembled, fragments_lost;
	struct session_counts sessions;
	uint64_t anomalies[ANOMALY_COUNT];
	uint64_t reasons[REASON_COUNT];
};

struct engine;

/* `policy` is borrowed and may be NULL: everything is observed. NULL with errno ENOMEM. */
struct engine *engine_new(const struct policy *policy, const struct engine_options *o);
/* Reports what is still open: flows end, counts are said, held frames are dropped. Afterwards
 * only the stats may be asked for. */
void engine_finish(struct engine *e, struct capture *c);
/*
 * No engine went before it in order. Where a rule narrows messages, the rest of one whose beginning was not
 * seen is for the fail mode to decide on from here on, and not only from a minute after the first packet on.
 */
void engine_begin_alone(struct engine *e);
void engine_free(struct engine *e); /* reports nothing */
int engine_set_policy(struct engine *e, const struct policy *p);
/*
 * The grants in force from now on, at most GATE_GRANTS, copied. Conversations under others are cut
 * at once: both ends are reset. `boot_ns` is CLOCK_BOOTTIME now, by which grants end; engine_boot()
 * tells it again, before every burst and tick.
 */
void engine_set_grants(struct engine *e, struct capture *c, const struct gate_grant_row *rows,
		       uint32_t count, uint64_t boot_ns);
void engine_boot(struct engine *e, uint64_t boot_ns);

/*
 * Takes a burst and settles every frame of it with the capture (forward, drop,
 * or hold for reassembly and settle later).
 */
void engine_burst(struct engine *e, struct capture *c, const struct frame *frames, unsigned count);
/* A frame that a link was given and left when it died: the device's fail mode decides on it. */
void engine_left(struct engine *e, struct capture *c, const struct frame *f,
		 const struct gate_verdict *v);
/* A packet that the kernel's floor dropped: named, counted, reported; never forwarded. */
void engine_blocked(struct engine *e, const struct gate_sample *s, uint64_t wall_ns);
/* What has passed of a conversation by all bypasses of it so far, by the key's ends, the last of it
 * at `seen_wall_ns`; `passes`: it goes on doing so. */
void engine_bypassed(struct engine *e, const struct gate_flow_key *key, bool passes,
		     const struct gate_count passed[2], uint64_t seen_wall_ns);
/* Timeouts, inventory reports, grouped counters. Call it about ten times a second. */
void engine_tick(struct engine *e, struct capture *c, uint64_t wall_ns);
/* The closing "stats" event, also sent on demand. */
void engine_stats_event(struct engine *e, uint64_t wall_ns);
void engine_stats(const struct engine *e, struct engine_stats *ret_stats);
struct flow_table *engine_flows(struct engine *e);
/* How devices of the policy at hand conducted themselves after `since_ns` (guard/conduct.h). */
void engine_conduct(const struct engine *e, uint64_t since_ns,
		    void (*fn)(void *arg, uint32_t device, uint64_t talked_ns,
			       uint64_t misbehaved_ns),
		    void *arg);
/* Devices of the policy at hand that said a vital sign after `since_ns` (guard/patients.h). */
void engine_patients(const struct engine *e, uint64_t since_ns,
		     void (*fn)(void *arg, uint32_t device, uint64_t wall_ns), void *arg);
/* Every conversation alive, as an EVE line each, at most `max`. How many. */
unsigned engine_tell_flows(struct engine *e, unsigned max, engine_sink_fn sink, void *arg);

#endif
