#ifndef BEDWARDEN_GUARD_PROTO_POCT1A_H
#define BEDWARDEN_GUARD_PROTO_POCT1A_H
/*
 * Point-of-care devices and their observation reviewer (CLSI POCT1-A2, the
 * Device Messaging Layer): XML messages one behind the other, each a document
 * whose root is the message's type: HEL.R01, DST.R01, OBS.R01, DTV.R01, ACK.R01
 * and so on (appendix B §6). Of each is told who it is, which device speaks,
 * what it acknowledges and what a directive asks for; observations are counted.
 * Nothing of patients, operators or results.
 *
 * `control` are directives (DTV.*), the lists of operators and patients that are
 * written into a device (OPL.*, PTL.*), and what is of none of the standard's types:
 * by messages of their own (NOVA.REAG, NOVA.FRM) makers send lots, settings and firmware.
 */
#include "guard/proto/proto.h"

#define POCT1A_TEXT 48 /* of a value; what is longer is cut */

/* What a message says of itself, in its elements' V attributes. */
enum poct1a_value {
	POCT1A_TYPE,	    /* HDR.message_type */
	POCT1A_CONTROL_ID,  /* HDR.control_id */
	POCT1A_VERSION,	    /* HDR.version_id */
	POCT1A_ACK_CODE,    /* ACK.type_cd */
	POCT1A_ACK_CONTROL, /* ACK.ack_control_id */
	POCT1A_DEVICE_ID,   /* DEV.device_id */
	POCT1A_VENDOR_ID,   /* DEV.vendor_id */
	POCT1A_MODEL_ID,    /* DEV.model_id */
	POCT1A_SERIAL_ID,   /* DEV.serial_id */
	POCT1A_SW_VERSION,  /* DEV.sw_version */
	POCT1A_COMMAND,	    /* DTV.command_cd */
	POCT1A_REQUEST,	    /* REQ.request_cd */
	POCT1A_VALUES,
};

struct poct1a {
	struct msg msg;
	struct bytes type; /* the root's name */
	struct bytes value[POCT1A_VALUES];
	uint32_t observations;
};

extern const struct proto poct1a_proto;

#endif
