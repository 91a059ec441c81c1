#ifndef BEDWARDEN_GUARD_ENGINE_INTERNAL_H
#define BEDWARDEN_GUARD_ENGINE_INTERNAL_H
/* The engine, shared by its own files: engine.c, the row of rooms; conclude.c, what a packet with
 * a verdict comes to; await.c, what came too early; piece.c, what waits for the rest of its datagram;
 * hear.c, what it says; hold.c, what waits for a door; seal.c, what goes by a link; shut.c, doors that
 * shut; bypass.c, what needs no more inspection. */
#include "guard/bedside.h"
#include "guard/engine.h"
#include "guard/mirror.h"
#include "guard/notice.h"
#include "guard/conduct.h"
#include "guard/patients.h"
#include "guard/policy/floor.h"
#include "guard/policy/message.h"
#include "guard/policy/shield.h"
#include "guard/ration.h"

#define ENGINE_GROUP 8
#define ENGINE_SLOTS (4 * ENGINE_GROUP) /* so many groups are under way at once */

/* One packet on its way through the rooms. */
struct work {
	struct packet p;
	struct gate_verdict v;
	struct flow_hint hint;
	struct floor_hint floor_hint; /* key NULL: none */
	uint32_t ifindex, segment;
	uint8_t sealed; /* by whose link it came; 0: in the clear */
	bool kernels;	/* the verdict is the kernel's */
};

#define ENGINE_HELD	16 /* frames that wait for a door at once */
#define ENGINE_CONTROLS 32 /* conversations that announced one */

/* A frame that is to go on when the door that it announces is open. */
struct engine_held {
	struct frame frame;
	uint32_t out;
	uint64_t due_ns; /* CLOCK_BOOTTIME: then it goes on in any case */
};

struct engine {
	struct engine_options o;
	const struct policy *policy; /* NULL: everything is observed */
	struct roster *roster;
	struct floor *floor;
	struct mirror *mirror;	   /* of a file; NULL: no packet is on the wire twice */
	struct awaiting *awaiting; /* of a file; NULL: packets come in order */
	struct fragment_table *fragments;
	struct fragment_table
		*carried_fragments; /* in tunnels of a file; NULL: none is looked into */
	bool in_carried;	    /* what that table has put together is read */
	struct flow_table *flows;
	struct app *app;
	struct sessions *sessions;
	struct bedside *bedside;
	struct patients *patients;	      /* NULL: no policy */
	struct conduct *conduct;	      /* the same */
	const struct work *heard;	      /* the packet that is being read, */
	const struct session_message *saying; /* and its message; NULL: none */
	enum reason found;		      /* in what it says, whatever its verdict */
	struct message_rules *messages;	      /* NULL: no policy */
	struct shields *shields;	      /* NULL: there are none */
	struct behaviour *behaviour;
	struct impostor *impostor;
	struct ration *ration;	     /* of events about conversations; NULL: all are told */
	struct inventory *inventory; /* NULL: not kept */
	struct doors *doors;	     /* conversations under grants */
	struct weaknesses shown[2];  /* by what each end says, as the packet that is on shows it */
	struct notice notice;
	struct engine_stats stats;
	struct bypasses *bypasses; /* under way; NULL: there are none to be */
	struct gate_grant_row grants[GATE_GRANTS];
	uint32_t grant_count;
	bool alone;	/* engine_begin_alone() */
	bool announced; /* a door, by the packet that is on */
	struct engine_held held[ENGINE_HELD];
	unsigned held_count;
	struct {
		uint64_t flow_id; /* 0: free */
		struct gate_grant_row row;
	} controls[ENGINE_CONTROLS]; /* what they announced last */
	unsigned control_count;
	struct announced *own;	     /* of a file: the doors of its conversations; NULL: none */
	bool own_busy, own_changed;  /* there are any; the floor was not told yet */
	uint64_t boot_ns;	     /* CLOCK_BOOTTIME, as last told */
	struct capture *capture;     /* of the call that is on */
	uint64_t now_ns;	     /* never goes back */
	uint64_t wall_ns;	     /* last seen, may jump */
	uint64_t began_ns;	     /* now_ns at first */
	uint64_t marked_ns;	     /* when a conversation was last marked in the kernel */
	uint64_t forgot_ns;	     /* when one was last evicted amid a message; 0: never */
	uint64_t full_told, full_ns; /* evictions that were told; when more of them may be */
	struct work work[ENGINE_SLOTS];
	struct work whole;			/* a datagram out of fragments, … */
	const struct fragment_datagram *pieces; /* … which are these, as it ends */
	struct work late;			/* what had to wait */
	struct work carried;			/* by a tunnel */
};

/* The device that a packet or a conversation counts as; NULL without a policy. */
const struct gate_device *engine_device(const struct engine *e, uint32_t device);
void engine_count_anomalies(struct engine *e, anomaly_set set);

/* Is a device's mode one that withholds? */
bool engine_enforces(const struct engine *e, uint32_t device);
/* Judges a packet and settles its frame. */
void engine_take(struct engine *e, const struct frame *f, struct work *w);
/* Of that: at which port, and in which segment, it came in; does it not go on; and its frame, which is
 * not the caller's any more. */
void engine_place(struct engine *e, const struct frame *f, struct work *w);
bool engine_refuses(const struct engine *e, const struct work *w);
void engine_settle(struct engine *e, const struct frame *f, const struct work *w);
/* A piece, judged by itself, is part of a datagram that is still to be whole: true, and its frame is not the
 * caller's any more. What the tables of pieces call, whose argument is the engine. */
bool engine_take_piece(struct engine *e, const struct frame *f, struct work *w);
void engine_pieces_ended(void *arg, const struct fragment_datagram *d);
void engine_carried_ended(void *arg, const struct fragment_datagram *d);
/* Tells what a packet of a file carries in tunnels. */
void engine_take_carried(struct engine *e, const struct frame *f, const struct packet *p);
struct awaiting *awaiting_new(void); /* NULL: no memory */
void awaiting_free(struct awaiting *a);
/* Does it confirm what is still to come? Then it is held: true, and it is not the caller's any more.
 * Released: those that wait for nothing more or have waited for too long, or `all`. */
bool engine_await(struct engine *e, const struct frame *f, struct work *w);
void engine_awaited(struct engine *e, bool all);
/* Gives the packet its verdict: the kernel's, NULL where it has not judged, or the floor's. */
void engine_judge(struct engine *e, const struct gate_verdict *kernels, struct work *w);
/* The conversation of a packet from `end`, as shields see it. */
struct shield_talk engine_talk(const struct flow *f, const struct gate_verdict *v, unsigned end);
/* The packet should not pass, and does not where its device's mode says so. */
void engine_refuse(const struct engine *e, struct work *w, enum reason why) __attribute__((cold));
/* From the verdict on: who did what, and what is to be said of it. */
void engine_conclude(struct engine *e, struct work *w);
/* For the evidence, which is kept, as it was on the wire; `f` NULL: it belongs to no flow. */
void engine_witness(struct engine *e, const struct work *w, const struct flow *f,
		    enum reason found);
/* The same of a packet that the kernel dropped: it belongs to no flow here. */
void engine_conclude_blocked(struct engine *e, struct work *w);

/* The verdict on a packet that is to go by a link, as it stands: where the link is down, by the
 * device's fail mode. */
void engine_judge_seal(const struct engine *e, struct work *w);
/* What came by a link and is for a device bears the device's own hardware address from here on. */
void engine_last_hop(const struct engine *e, const struct frame *f, struct work *w);
/* A frame with a verdict of GATE_SEAL is on its way, or has been dropped. `out`: by which port in
 * the clear, where that may be. */
void engine_seal(struct engine *e, const struct frame *f, const struct work *w, uint32_t out);
/* A frame of our own that answers `w`, or goes on in its place, out of a port. */
void engine_say(struct engine *e, const struct work *w, struct bytes frame, uint32_t out);

/* Reads what the packet says; true where somebody was told of the verdict already. */
bool engine_hear(struct engine *e, struct work *w, struct flow *f, unsigned end);
/* Resets the packet's receiver, or `back` its sender, which expects `seq` next. */
void engine_reset(struct engine *e, const struct work *w, bool back, uint32_t seq);
/* Of a conversation that was cut off: who sends on has not heard it, and says himself where he stands. */
void engine_reset_again(struct engine *e, const struct work *w);
/* Cuts the conversations whose grant has ended, by both ends. */
void engine_shut_doors(struct engine *e);
/*
 * Doors that are announced (guard/announce.h). The message's is asked for, and its packet is then
 * held: true, and it is not the caller's any more. Released: those whose time is over, or `all`.
 * Where a control conversation ends, so does its last door.
 */
/* ret_port: at which one, where it is asked for. Why it is not, where that is to be told. */
enum reason engine_announced(struct engine *e, const struct session_message *m, uint16_t *ret_port);
/* Is it said where doors open, and hides from here on what is announced? Then why that is told. */
enum reason engine_hidden(const struct engine *e, const struct session_message *m);
/* The rule that permits a door of this id, GATE_GRANT_RULE; ~0 it is not open. */
uint32_t engine_door_rule(const struct engine *e, uint32_t id);
/* The doors of a file's conversations: an engine_announce_fn, whose argument is the engine; and what
 * became of them, before the next packet is judged. */
int engine_announce_here(void *arg, const struct gate_grant_row *row, enum engine_door what,
			 uint64_t by, uint16_t other_port);
void engine_own_doors(struct engine *e);
bool engine_hold(struct engine *e, const struct frame *f, uint32_t out);
/* A packet that passed under a grant: does its conversation meet a door that was announced? */
void engine_door_met(struct engine *e, const struct flow *f, uint32_t grant);
/* A conversation has ended by itself, which may have met one. */
void engine_door_left(struct engine *e, const struct flow *f);
void engine_release(struct engine *e, bool all);
void engine_control_ended(struct engine *e, const struct flow *f);
/* A packet that the kernel handed up has been read; is there more to read of its conversation? */
void engine_may_bypass(struct engine *e, const struct work *w, struct flow *f);
/* Asks about bypasses whose time is over. */
void engine_bypass_tick(struct engine *e);
/* What the rooms call back; `arg` is the engine. */
enum reason engine_message_said(void *arg, const struct session_message *m);
void engine_keep(void *arg, const struct session_kept *k, uint32_t *number);
enum reason engine_unread(void *arg, struct flow *f);
const struct proto *engine_expected(void *arg, const struct flow *f);
void engine_patient_seen(void *arg, const struct bedside_message *m);
void engine_vitals_found(void *arg, const struct vitals_finding *f);

#endif
