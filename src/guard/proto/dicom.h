#ifndef BEDWARDEN_GUARD_PROTO_DICOM_H
#define BEDWARDEN_GUARD_PROTO_DICOM_H
/*
 * The DICOM upper layer over TCP (PS3.8 §9.3) and the messages it carries
 * (DIMSE, PS3.7). What is read:
 *
 *   A-ASSOCIATE-RQ, -AC	§9.3.2, §9.3.3 and annex D: titles, presentation contexts,
 *				maximum length; PS3.7 annex D: implementation, asynchronous
 *				operations, roles, the kind of user identity and never its value
 *   A-ASSOCIATE-RJ, A-ABORT	§9.3.4, §9.3.8: who refuses, and why
 *   A-RELEASE-RQ, -RP		§9.3.6, §9.3.7
 *   P-DATA-TF			§9.3.5, annex E: any fragments in any number of PDUs; of command
 *				sets every C- and N- service (PS3.7 §9.3, §10.3, annex E); data sets
 *				are passed over but for their first 132 bytes (PS3.10 §7.1)
 *
 * One message for every association request, answer, release and abort, and one
 * for every command set once it is complete, in front of its data set.
 *
 * Malformed is what lies about a length or cannot be read; of another coding a command
 * set in Explicit VR, which pydicom reads, and PS3.7 §6.3.1 forbids; out of order what
 * §9.2 or annex E does not allow now, fragments of two messages mixed among it;
 * not negotiated what uses a presentation context that was not accepted; too
 * long a P-DATA-TF above what its receiver announced, an association of more
 * than 1 MiB, a command set of more than 64 KiB. There is no bound on data sets.
 *
 * Of a conversation picked up in its middle, or of which one end alone comes by,
 * order and contexts are not judged.
 */
#include "guard/proto/proto.h"

struct dicom;
struct dicom_command;

struct dicom_msg {
	struct msg msg;
	const char *pdu;		    /* "P-DATA-TF" */
	struct bytes calling_ae, called_ae; /* of the association, trimmed; with every message */
	const char *result;		    /* "accepted", "rejected-permanent" */
	const char *source, *diagnostic;    /* of a rejection or abort */
	const char *command;		    /* "C-STORE-RQ" */
	struct bytes sop_class;		    /* its name; its UID where that is private */
	struct bytes sop_class_uid;
	/* Of the presentation context; and where that is for another class than the command says. */
	struct bytes context_class, context_class_uid;
	struct bytes abstract_syntax, abstract_syntax_uid;
	struct bytes status;	      /* "0xff00" */
	const char *status_name;      /* "Pending" */
	struct bytes transfer_syntax; /* of the presentation context, named likewise */
	const char *priority;
	struct bytes move_destination; /* AE title */
	const char *user_identity;     /* "username-and-passcode" */
	struct bytes implementation_class_uid, implementation_version;
	uint32_t max_pdu_length; /* bytes; 0: no limit */
	const char *preamble;	 /* what the data set would start: "PE" */
	uint8_t context;	 /* presentation context of a command; 0: none */
	uint8_t type;		 /* enum dicom_pdu */
	bool whole;		 /* all of an A-ASSOCIATE was read */
	char status_text[8];
	const struct dicom *state;
	const struct dicom_command *set; /* NULL: not a command */
};

extern const struct proto dicom_proto;

#endif
