#ifndef BEDWARDEN_GUARD_PROTO_HL7_INTERNAL_H
#define BEDWARDEN_GUARD_PROTO_HL7_INTERNAL_H
/* A conversation of HL7, shared by its own files: hl7.c, what stands around messages and ends their
 * segments; hl7_message.c, what those say, and when it is told. */
#include "guard/proto/hl7.h"
#include "guard/proto/hl7_ack.h"
#include "guard/proto/hl7_wide.h"
#include "guard/proto/hl7_xml.h"

/* A text of a header, kept until the message ends. */
#define HL7_TEXT(name, size)     \
	struct {                 \
		uint8_t len;     \
		char data[size]; \
	} name

/* What one end says. */
struct hl7_side {
	uint8_t phase, framing;
	uint8_t behind;		   /* bytes behind ETX */
	uint8_t ends;		   /* the character that ends segments; 0 not known yet */
	uint8_t field, component;  /* separators */
	bool batch, header, alert; /* header: an MSH was seen and not told yet */
	bool control;
	bool unanswered; /* of the message: no acknowledgement is asked for */
	bool hybrid;	 /* the frame is one of the hybrid lower layer protocol */
	bool bad_name;
	bool worth; /* of the frame: more than bare acknowledgements */
	bool more;  /* of the message: than what an acknowledgement is made of */
	bool begun; /* a frame was seen */
	bool odd; /* of the frame: it is no proper one, and it is known all the same what it says */
	bool owes : 1;	  /* the frame before ended without its CR, */
	bool twice : 1;	  /* or its end came again */
	bool opening;	  /* of the frame: how it is written is not known yet */
	bool told;	  /* the message, by what may have been its end, */
	bool told_answer; /* and as a bare acknowledgement */
	bool ahead;	  /* it was asked for by what had been said of it, */
	bool ahead_answer;
	bool broken;  /* of the message: no characters, or a type that two readings differ in */
	bool far;     /* characters that are read in two ways */
	bool refused; /* the header at hand: what it opened is passed over, up to the next one */
	bool led;     /* zeros stood before the first frame: high bytes come first */
	bool in_xml;  /* the frame is */
	struct hl7_xml xml;
	struct hl7_wide wide;
	uint16_t scanned; /* of the segment at hand, without an end */
	uint32_t length;  /* of the segment at hand, as far as it was passed */
	uint32_t segments, observations;
	uint32_t sent_s;
	bool samples;	      /* the segment at hand says them, or how many a second */
	uint32_t wave;	      /* the code of those that were said last in the message; 0: of none */
	uint64_t observed_ns; /* OBR-7 */
	HL7_TEXT(type, 23);
	HL7_TEXT(structure, 23); /* as a type, where it is that of another */
	HL7_TEXT(control_id, 63);
	HL7_TEXT(version, 11);
	HL7_TEXT(sending_application, 47);
	HL7_TEXT(sending_facility, 47);
	HL7_TEXT(receiving_application, 47);
	HL7_TEXT(receiving_facility, 47);
	HL7_TEXT(ack_code, 3);
	HL7_TEXT(acked_id, 63);
	struct hl7_acks acks;
};

struct hl7 {
	struct hl7_side side[2];
	uint8_t kept, kept_end; /* whose message the observations are of */
	uint8_t patient;	/* whose follow, from 0 on */
	bool named, others;	/* there was a PID; more than are told apart */
	uint64_t subjects[HL7_PATIENTS];
	struct hl7_observation observations[HL7_OBSERVATIONS];
};

_Static_assert(sizeof(struct hl7) <= PROTO_STATE_MAX, "a state has its bound");

extern const struct proto_field hl7_fields[];

/* One segment, or the front of a long one. False with a reason where it cannot be. */
bool hl7_read_segment(struct hl7 *h, unsigned end, struct bytes segment, enum reason *ret_why);
/* The same of a unit of XML; false where it may be read in two ways. */
bool hl7_take_xml(struct hl7 *h, unsigned end, const struct hl7_xml_unit *u);
/* Does the segment end the message before it: the next header, or a trailer of the batch? */
bool hl7_ends_message(const struct hl7_side *s, struct bytes segment);
/* The samples that a segment says, or their period: part of the message at hand. False where nothing is. */
bool hl7_tell_samples(const struct hl7 *h, struct hl7_side *s, unsigned end, struct bytes segment,
		      struct hl7_msg *m);
/* Is it a segment of samples, as far as its beginning tells? */
bool hl7_has_samples(const struct hl7_side *s, struct bytes segment);
/* The message at hand is whole: describes it. False where there is none, or it was told already. */
bool hl7_tell(struct hl7 *h, struct hl7_side *s, const struct proto_input *in, struct hl7_msg *m);
/* What may have been its end tells the message, which may go on all the same. */
bool hl7_tell_maybe(struct hl7 *h, struct hl7_side *s, const struct proto_input *in,
		    struct hl7_msg *m);
/* Was the message told, and is still what it was told as? */
bool hl7_is_told(const struct hl7_side *s);
/*
 * Without a frame a message has no end but silence, which comes behind any byte: whether it may pass
 * is asked before the first packet of it does. `begun`: what there is of its next segment.
 */
enum parse hl7_ask_ahead(struct hl7 *h, unsigned end, struct bytes begun, struct hl7_msg *m,
			 struct proto_output *out);

#endif
