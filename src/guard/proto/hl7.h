#ifndef BEDWARDEN_GUARD_PROTO_HL7_H
#define BEDWARDEN_GUARD_PROTO_HL7_H
/*
 * HL7 version 2 messages over the minimal lower layer protocol (HL7 v2.9 §2.5
 * to 2.10; MLLP: HL7 Implementation Support Guide, appendix C): who sends what
 * to whom, and what a message says in numbers (OBX, IHE PCD-01). Any encoding
 * characters, batches, segments ended by CR or, as many senders do, by LF; or XML.
 *
 * Of a message only its header, its acknowledgement and its numeric
 * observations are kept, never a patient's name or number.
 */
#include "guard/proto/proto.h"

#define HL7_PATIENTS	 8	     /* of a message that are told apart */
#define HL7_OBSERVATIONS 28	     /* of a message that are kept */
#define HL7_SEGMENT_MAX	 (16u << 20) /* bytes; documents travel in one segment */
#define MDC_SCADA	 2	     /* the partition of vital signs */
#define HL7_FAHRENHEIT	 0x1140	     /* as `unit` */
#define HL7_WAVE_MAX	 65000 /* bytes of a segment of samples; of a longer one none is read */

/* A numeric OBX (IEEE 11073-10101), as IHE PCD-01, Philips' monitors ("0002-4182^HR^MDIL"), LOINC and
 * senders without codes name it. */
struct hl7_observation {
	double value;	/* OBX-5 */
	uint32_t code;	/* OBX-3: MDC partition << 16 and number */
	uint16_t unit;	/* OBX-6: MDC number in the partition of dimensions; 0 where it is none */
	uint8_t status; /* OBX-11: 'R' raw, 'F' final, 'X' none can be had, ... */
	bool abnormal : 1;   /* OBX-8 says anything but N, */
	bool off : 1;	     /* that it is invalid or cannot be had, */
	bool test : 1;	     /* or a test's, a demonstration's (IHE PCD TF-2) */
	bool vital : 1;	     /* a vital sign that is compared with others (proto/param.h) */
	uint8_t patient : 4; /* whose, of `subjects` */
};

/* Samples of a wave (NA), as IHE PCD's Waveform Content Module has them: `msg.part` is set. */
struct hl7_wave {
	uint32_t code;	    /* OBX-3, as above; 0: none */
	uint32_t period_ns; /* of all that come with this code; then there are no samples */
	uint64_t
		start_ns; /* OBX-14, else OBR-7: of the first sample, since 1970; 0: not said finely */
	struct bytes samples; /* OBX-5, for hl7_sample() */
	uint8_t component;
	bool off, test;
};

struct hl7_msg {
	struct msg msg;
	struct bytes type; /* MSH-9: "ORU^R01", by ^ whatever the sender's character is */
	struct bytes type_by_structure; /* MSH-9.3 so, where `type` is given another */
	struct bytes control_id;	/* MSH-10 */
	struct bytes version;		/* MSH-12.1 */
	struct bytes sending_application, sending_facility;	/* MSH-3.1, -4.1 */
	struct bytes receiving_application, receiving_facility; /* MSH-5.1, -6.1 */
	struct bytes ack_code;					/* MSA-1 */
	struct bytes acked_id;					/* MSA-2 */
	uint64_t latency_us; /* from the acknowledged message's last byte to this one's */
	uint32_t segments, observation_count;
	uint32_t sent_s; /* MSH-7, s since 1970; 0: not said to the minute */
	bool batch;	 /* of a batch (BHS) or file (FHS) */
	bool alert;	 /* IHE PCD-04: ORU^R40, ORA^R41 */
	bool unanswered; /* an alert whose receiver need not acknowledge it (MSH-15, MSH-16) */
	const char *
		encoding; /* "UTF-16", "UTF-32" or "XML", else NULL: what all others are is not told apart */
	unsigned kept;
	/* A number that is the same for the same patient (PID-3) or place (PV1-3), and says nothing of
	 * either; 0: none is named. */
	const uint64_t *subjects;
	unsigned patients;
	const struct hl7_observation *
		observations; /* `kept` numbers that have such a code, of those patients: the vital ones first to be kept */
	struct hl7_wave wave;
	uint64_t subject; /* whose it is, 0: of nobody who is named */
};

extern const struct proto hl7_proto;

/* The next sample, cut off from the front; NAN where its place is empty. False behind the last. */
bool hl7_sample(struct hl7_wave *w, double *ret_value);

#endif
