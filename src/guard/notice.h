#ifndef BEDWARDEN_GUARD_NOTICE_H
#define BEDWARDEN_GUARD_NOTICE_H
/*
 * What is worth saying of a packet, and how often: the reason of its verdict
 * and its anomalies, counted by topic (tally) and told as events (report).
 */
#include "guard/report.h"

struct notice {
	struct report report;
	struct tally *tally;
	uint64_t reasons[REASON_COUNT];
	bool name_strays; /* events of what belongs to no flow have a flow_id, too: notice_stray() */
};

/* `n` must not move afterwards. -ENOMEM or 0. */
int notice_init(struct notice *n, uint32_t topics);
void notice_free(struct notice *n); /* says nothing */

/* What all packets of no flow between the same two machines are called, as flow_id() does. */
uint64_t notice_stray(const struct packet *p, uint32_t segment);

/* What the packet was judged for; `f` NULL where it belongs to no flow. */
void notice_verdict(struct notice *n, const struct packet *p, const struct gate_verdict *v,
		    uint32_t segment, const struct flow *f, uint64_t now_ns) __attribute__((cold));
/* What is wrong with it: `set`, those of its anomalies that are worth an event. */
void notice_anomalies(struct notice *n, const struct packet *p, anomaly_set set,
		      const struct gate_verdict *v, uint32_t segment, const struct flow *f,
		      uint64_t now_ns) __attribute__((cold));
/* A DHCP message that goes on. */
void notice_dhcp(struct notice *n, const struct packet *p, const struct dhcp *d,
		 const struct gate_verdict *v, uint32_t segment, const struct flow *f,
		 uint64_t now_ns) __attribute__((cold));
/* A machine of the inventory; strangers that are new, up to a bound. */
void notice_machine(struct notice *n, const struct inventory *inv, const struct machine *m,
		    bool is_new, uint64_t now_ns) __attribute__((cold));
/* A message, told by its own event whatever was decided. */
void notice_message(struct notice *n, const struct report_message *m);
/* Weaknesses that a machine showed for the first time. */
void notice_exposure(struct notice *n, const struct packet *p, const struct flow *f, unsigned end,
		     const struct machine *m, weakness_set fresh, bool by);
/* A finding about vital signs; `m` is the message that brought it, NULL where time did. */
void notice_vitals(struct notice *n, const struct vitals_finding *f,
		   const struct session_message *m) __attribute__((cold));
/* What somebody does, and it is something; `v` NULL without a policy. */
void notice_behaviour(struct notice *n, const struct packet *p, const struct gate_verdict *v,
		      struct behaviour_finding found);

#endif
