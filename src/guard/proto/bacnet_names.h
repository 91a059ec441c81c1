#ifndef BEDWARDEN_GUARD_PROTO_BACNET_NAMES_H
#define BEDWARDEN_GUARD_PROTO_BACNET_NAMES_H
/*
 * BACnet's numbers (ASHRAE 135) by the names that the standard gives them, and which of them change
 * a device. All are static; NULL where a number has no name.
 */
#include <stdbool.h>
#include <stdint.h>

enum bacnet_bvlc {
	BACNET_BVLC_RESULT,
	BACNET_BVLC_WRITE_TABLE,
	BACNET_BVLC_READ_TABLE,
	BACNET_BVLC_READ_TABLE_ACK,
	BACNET_BVLC_FORWARDED,
	BACNET_BVLC_REGISTER,
	BACNET_BVLC_READ_FOREIGN,
	BACNET_BVLC_READ_FOREIGN_ACK,
	BACNET_BVLC_DELETE_FOREIGN,
	BACNET_BVLC_DISTRIBUTE,
	BACNET_BVLC_UNICAST,
	BACNET_BVLC_BROADCAST,
	BACNET_BVLC_SECURE,
};

enum bacnet_pdu { /* §20.1 */
		  BACNET_CONFIRMED,
		  BACNET_UNCONFIRMED,
		  BACNET_SIMPLE_ACK,
		  BACNET_COMPLEX_ACK,
		  BACNET_SEGMENT_ACK,
		  BACNET_ERROR,
		  BACNET_REJECT,
		  BACNET_ABORT,
};

/* Services by their choice, as far as more than their names is read. */
#define BACNET_READ_SEVERAL  14
#define BACNET_WRITE_SEVERAL 16
#define BACNET_DCC	     17
#define BACNET_REINITIALIZE  20
#define BACNET_COV_PROPERTY  28

/* Where a service says which objects it is about. */
enum bacnet_about {
	BACNET_ABOUT_NONE,
	BACNET_ABOUT_NAMES, /* an object and a property are its first two parameters */
	BACNET_ABOUT_FIRST, /* its first parameter, of no context */
	BACNET_ABOUT_NEW,   /* its first: a type, or an object, within a pair of tags */
	BACNET_ABOUT_MANY,  /* in lists of its own, which are not read */
	BACNET_ABOUT_TAG,   /* behind it, plus n: its parameter n */
};

struct bacnet_service {
	const char *name;
	bool controls;
	uint8_t about; /* enum bacnet_about */
};

const char *bacnet_bvlc_name(uint8_t function); /* Annex J.2: "Forwarded-NPDU" */
const char *bacnet_pdu_name(uint8_t pdu);	/* "confirmed_request" */
const struct bacnet_service *bacnet_confirmed(uint8_t choice);
const struct bacnet_service *bacnet_unconfirmed(uint8_t choice);
/* Of a network layer message; *ret_controls is set where there is a name. */
const char *bacnet_network_name(uint8_t type, bool *ret_controls);
const char *bacnet_object_name(uint32_t type);	     /* "analog-input" */
const char *bacnet_property_name(uint32_t property); /* of some: "present-value" */
const char *bacnet_reinitialized_name(uint32_t n);   /* reinitializeDevice: "coldstart" */
const char *bacnet_enabling_name(uint32_t n);	     /* deviceCommunicationControl: "disable" */

#endif
