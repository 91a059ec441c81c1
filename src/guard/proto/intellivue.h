#ifndef BEDWARDEN_GUARD_PROTO_INTELLIVUE_H
#define BEDWARDEN_GUARD_PROTO_INTELLIVUE_H
/*
 * Philips IntelliVue Data Export ("Data Export Interface Programming Guide",
 * rev. G.0, chapter 5): association, MDS create, single and extended polls with
 * linked results, numerics, waves, alarms, get and set. Over UDP (24105, the
 * connection indication on 24005), and behind a terminal server over TCP in the
 * frames of the MIB/RS-232 port. Everything is big-endian.
 *
 * What a patient is called or is like is passed over: of demographics only that
 * somebody asked for them is told.
 */
#include "guard/proto/proto.h"

#define INTELLIVUE_WAVES    12 /* of a message that are kept; more are counted */
#define INTELLIVUE_NUMERICS 24
#define INTELLIVUE_ALARMS   16
#define INTELLIVUE_SAMPLES  640	 /* of all waves of a message */
#define INTELLIVUE_HZ	    8000 /* of relative times */

#define INTELLIVUE_NO_VALUE INT32_MIN

/* MeasurementState: valid where the first octet is zero. */
enum intellivue_state {
	INTELLIVUE_OFF = 0xf000,  /* invalid, questionable, unavailable, calibrating */
	INTELLIVUE_TEST = 0x0c00, /* test or demo data */
	INTELLIVUE_IN_ALARM = 0x0002,
};

struct intellivue_wave {
	uint16_t code; /* physiological identifier, SCADA partition */
	uint16_t state;
	uint16_t first, count; /* of the message's samples */
	uint32_t period_us;
	bool has_range;
	int32_t low, high; /* the ends of the scale */
};

struct intellivue_numeric {
	uint16_t code, state, unit;
	double value; /* NAN where it has none */
};

struct intellivue_alarm {
	uint16_t source, code, state;
	uint16_t priority; /* AlertType */
	bool technical;
};

struct intellivue_msg {
	struct msg msg;
	const char *message; /* "extended_poll_result" */
	const char *object;  /* what is polled: "waves"; NULL where none is */
	const char *linked;  /* one of several results; NULL: the last, or the only one */
	const char *error;
	struct bytes access;		      /* what a get or set is of, encoded */
	bool access_operators, access_values; /* that each attribute there has */
	char number[8];			      /* of an attribute without a name here */
	const char *framing;		      /* "mib"; NULL: a datagram */
	struct bytes manufacturer, model;
	uint16_t invoke_id, poll_number;
	bool has_sequence, has_time;
	uint16_t sequence;
	uint32_t time;	 /* relative, in 1/8 ms */
	uint64_t system; /* the hardware address that the monitor says it has; 0: did not say */
	bool restart;	 /* what it counts begins anew */
	bool is_poll;	 /* a request for that object */
	bool extended;	 /* such a poll, or a result of one: which are numbered */
	bool has_alarms; /* a list of all alarms that are on, maybe empty */
	uint16_t alert_state;
	uint8_t part;	 /* of linked results: 1 the first; 0 the one that ends them */
	uint16_t class_; /* of what is polled; */
	uint16_t row;	 /* which extended poll of that class: each is numbered for itself */
	uint16_t wave_count, numeric_count, alarm_count;
	uint16_t waves, numerics, alarms, samples; /* kept */
	struct intellivue_wave wave[INTELLIVUE_WAVES];
	struct intellivue_numeric numeric[INTELLIVUE_NUMERICS];
	struct intellivue_alarm alarm[INTELLIVUE_ALARMS];
	int32_t sample[INTELLIVUE_SAMPLES];
};

extern const struct proto intellivue_proto;

#endif
