#ifndef BEDWARDEN_GUARD_VITALS_VITALS_H
#define BEDWARDEN_GUARD_VITALS_VITALS_H
/*
 * Integrity of physiological streams. Fed with what a gateway reads on its way
 * from a bedside monitor to whoever displays it, it tells where that cannot be
 * what the monitor measured: samples seen before, two senders in one name, a
 * flat ECG over a pulse that goes on. It reports and nothing else: no verdict
 * depends on a value, and nothing waits for it.
 *
 * Pure: no clock, files or globals; times are the caller's, and memory is
 * bounded by the options. A full table forgets the monitor longest unheard.
 * One message at a time: vitals_heard() says whose it is and where it stands
 * among the others, then vitals_wave(), vitals_numeric() and vitals_alarm() what
 * it holds, vitals_ended() that this was all. Findings are told from within these calls and from vitals_tick().
 * Method and measurements: doc/integrity.md.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "bpf/shared.h"

struct json;

struct vitals_options {
	uint32_t streams; /* waves watched at once; half as many monitors */
};

/* Who says it. Address, segment and subject are the monitor. */
struct vitals_source {
	struct gate_ip ip;
	uint32_t segment;
	uint64_t subject; /* which of many that one machine speaks for; 0: for itself */
	uint8_t mac[6];	  /* all zero: not known */
	bool bound;	  /* the policy says that this machine belongs at this address */
	uint64_t system;  /* what the monitor calls itself in the protocol; 0: nothing */
	bool passed_on;	  /* others may pass on what it says, in its name */
	uint32_t device, peer, generation; /* the caller's, given back with every finding */
};

/* Where a message stands among the others of its source. */
struct vitals_place {
	uint64_t time_ns;      /* when it came */
	uint32_t channel;      /* each counts for itself, as every poll of IntelliVue does */
	uint8_t sequence_bits; /* 0: messages are not numbered */
	uint8_t part;	       /* of several messages that share a number */
	uint32_t sequence;
	uint32_t clock_hz; /* of the monitor's own clock, 32 bits wide; 0: it says no time */
	uint32_t clock;
	uint32_t
		sent_s; /* when the sender says it was sent, s since 1970; 0: it does not, or counts */
	uint32_t print; /* the same for the same message; needs sent_s */
};

#define VITALS_INVALID INT32_MIN /* no value at that instant */

/* Codes are ISO/IEEE 11073-10101 partition 2 (SCADA), which IntelliVue's and HL7's are. */
struct vitals_wave {
	uint16_t code;
	uint32_t period_ns; /* between two samples; 0: as last time */
	uint64_t start_ns; /* of the first, by the sender's clock; 0: the message's place says it */
	const int32_t *values; /* or VITALS_INVALID */
	unsigned count;
	bool off;  /* the monitor itself says: invalid, unavailable, calibrating */
	bool test; /* the monitor itself says: a test signal */
	bool has_range;
	int32_t low, high; /* where the converter saturates; needs has_range */
};

struct vitals_numeric {
	uint16_t code;
	double value; /* in the parameter's usual unit; NAN where it has none */
	bool off, test;
	bool in_alarm; /* the monitor says that this measurement is */
};

struct vitals_alarm {
	uint64_t id;	       /* the same for everything said of one alarm */
	uint16_t source, code; /* what it is about, and the alarm itself */
	bool technical;	       /* an INOP: the measurement, not the patient */
	bool over;	       /* it has ended */
	bool withheld;	       /* it did not pass this gateway */
	uint32_t answer_ms;    /* the receiver has to answer within; 0: it never answers */
};

#define VITALS_EVIDENCE 8
#define VITALS_DOUBT	0.3 /* no more than this: it may be a body, too; the patient first */

/* One small fact; text is static or NULL, then it is the number. */
struct vitals_fact {
	const char *name, *text;
	double number;
};

struct vitals_finding {
	enum reason reason;
	double confidence; /* above 0, below 1: nothing here is proof */
	uint64_t time_ns, since_ns;
	struct gate_ip ip;
	uint32_t segment, device, peer, generation;
	uint8_t mac[6];
	unsigned facts;
	struct vitals_fact fact[VITALS_EVIDENCE];
};

typedef void (*vitals_fn)(void *arg, const struct vitals_finding *f);

struct vitals;
struct vitals_monitor;

/* NULL with errno ENOMEM. */
struct vitals *vitals_new(const struct vitals_options *o, vitals_fn fn, void *arg);
void vitals_free(struct vitals *v);

/*
 * A message begins. NULL where what it holds is not to be taken: a copy of one
 * that was. The pointer is good until the next call of vitals_heard().
 */
struct vitals_monitor *vitals_heard(struct vitals *v, const struct vitals_source *s,
				    const struct vitals_place *p);
void vitals_wave(struct vitals *v, struct vitals_monitor *m, const struct vitals_wave *w);
void vitals_numeric(struct vitals *v, struct vitals_monitor *m, const struct vitals_numeric *n);
void vitals_alarm(struct vitals *v, struct vitals_monitor *m, const struct vitals_alarm *a);
/* The message has ended: what its numbers say together. */
void vitals_ended(struct vitals *v, struct vitals_monitor *m);
/* A whole list of the alarms that are on: how many; `silent`: the monitor suspends or inhibits them. */
void vitals_alarm_list(struct vitals *v, struct vitals_monitor *m, unsigned count, bool silent);
/* The receiver has answered; `taken`: and has said that it has the alarm. */
void vitals_answer(struct vitals *v, const struct vitals_source *s, uint64_t id, bool taken,
		   uint64_t time_ns);
/* What the monitor counts begins anew: an association, a new poll, at that time. */
void vitals_restart(struct vitals *v, const struct vitals_source *s, uint32_t channel,
		    uint64_t time_ns);
#define VITALS_EVERY_CHANNEL UINT32_MAX
/* Alarms whose time is up. Call it about ten times a second. */
void vitals_tick(struct vitals *v, uint64_t time_ns);

/* The object `vitals` of an event: device, finding, confidence, evidence. */
void vitals_write(const struct vitals_finding *f, const char *device, struct json *j);

#endif
