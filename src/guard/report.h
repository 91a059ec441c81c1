#ifndef BEDWARDEN_GUARD_REPORT_H
#define BEDWARDEN_GUARD_REPORT_H
/*
 * Turns what the rooms found into EVE lines: flows that ended, packets judged,
 * anomalies, searches, totals. Decides nothing and remembers nothing; how often
 * something is said is tally's business.
 *
 * `device` and `peer` are the policy's names. A machine that the policy does
 * not name goes by its hardware address as a device, by its IP as a peer, so
 * that nothing blocked is nameless.
 */
#include "guard/behaviour.h"
#include "guard/engine.h"
#include "guard/flow/app.h"
#include "guard/proto/dhcp.h"
#include "guard/roster.h"
#include "guard/session.h"
#include "guard/tally.h"
#include "guard/vitals/vitals.h"

/* A message of an application protocol, and what was decided about it. */
struct report_message {
	const struct session_message *said;
	enum reason reason; /* NONE: nothing against it */
	bool drop, would_drop;
	bool by_rule;	       /* it is the rule that does not let it pass, */
	const char *unmatched; /* for this member; NULL: it is none of them */
	uint16_t opens;	       /* the port of the door for data that it announced; 0: none */
};

struct report {
	const struct policy *policy; /* NULL: names nobody */
	const struct roster *roster; /* NULL together with it */
	const struct app *app;
	engine_sink_fn sink;
	engine_room_fn room; /* NULL: lines are written here */
	void *sink_arg;
	uint64_t events; /* lines given to the sink */
};

/* A bit of flow->flags that the engine sets: the device did not start it, it is end 1. */
#define REPORT_FLOW_TO_DEVICE 0x80
/* Another: its second tag names a VLAN. What is told need not look where that stands, else. */
#define REPORT_FLOW_TAGGED 0x40
/* Another: it is data that a conversation announced which the flow's rule allows. */
#define REPORT_FLOW_DATA 0x20

/* No machine that the policy names. */
bool report_is_stranger(const struct report *r, uint32_t device);

/* `untold`: conversations of the same source before it that have no event of their own. */
void report_flow(struct report *r, const struct flow *f, enum flow_end how, uint32_t untold);

/* What the conversation speaks, by our parsers or by nDPI; NULL where neither knows. */
const char *report_protocol(const struct report *r, const struct flow *f);

/* What a topic is about; tally_topic.kind. For an anomaly, `reason` holds the enum anomaly, for
 * DHCP the enum dhcp_type. */
enum report_kind { REPORT_POLICY, REPORT_BINDING, REPORT_ANOMALY, REPORT_DHCP };
enum report_kind report_kind_of(enum reason why);

/* One packet of a topic, said at once. */
void report_case(struct report *r, const struct tally_topic *t, const struct tally_case *c,
		 uint64_t time_ns);
/* The same of a DHCP message, in Suricata's words. */
void report_dhcp(struct report *r, const struct tally_topic *t, const struct tally_case *c,
		 const struct dhcp *d, uint64_t time_ns);
/* The count of a topic's period; tally_due_fn with the report as its argument. */
void report_count(void *report, const struct tally_row *row);

/* More is known of a machine: an event "inventory", and binding.new_device where it is a
 * stranger's first. `m` is of the inventory. */
void report_machine(struct report *r, const struct inventory *inv, const struct machine *m,
		    bool is_new);
/* The table of conversations was full: so many were forgotten. */
void report_full(struct report *r, uint64_t evicted, uint64_t time_ns);
/* A search or a flood. `v` says who it is; NULL without a policy. */
void report_behaviour(struct report *r, const struct packet *p, const struct gate_verdict *v,
		      const struct behaviour_finding *found);

/*
 * An event "exposure": a machine of the ward's side showed a weakness for the first time. `end` of
 * the flow said the message that shows it; `by`: the machine itself did.
 */
void report_exposure(struct report *r, const struct packet *p, const struct flow *f, unsigned end,
		     const struct machine *m, enum weakness w, bool by);
/* One event a message, of the type of its protocol. */
void report_message(struct report *r, const struct report_message *m);
/* An event "vitals": what cannot be what a monitor measured. Whatever it says, the message passed
 * or not for other reasons. */
void report_vitals(struct report *r, const struct vitals_finding *f,
		   const struct session_message *m);

void report_stats(struct report *r, const struct engine_stats *s, uint32_t flows_alive,
		  uint64_t time_ns);

#endif
