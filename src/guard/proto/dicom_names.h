#ifndef BEDWARDEN_GUARD_PROTO_DICOM_NAMES_H
#define BEDWARDEN_GUARD_PROTO_DICOM_NAMES_H
/*
 * DICOM's numbers by the names that the standard gives them. All are static;
 * NULL where a number has no name.
 */
#include <stdint.h>

enum dicom_pdu { /* PS3.8 §9.3.1 */
		 DICOM_ASSOCIATE_RQ = 1,
		 DICOM_ASSOCIATE_AC,
		 DICOM_ASSOCIATE_RJ,
		 DICOM_DATA,
		 DICOM_RELEASE_RQ,
		 DICOM_RELEASE_RP,
		 DICOM_ABORT,
};

enum dicom_field { /* PS3.7 §E.1; a response has DICOM_RESPONSE besides */
		   DICOM_C_STORE = 0x0001,
		   DICOM_C_GET = 0x0010,
		   DICOM_C_FIND = 0x0020,
		   DICOM_C_MOVE = 0x0021,
		   DICOM_C_ECHO = 0x0030,
		   DICOM_N_EVENT_REPORT = 0x0100,
		   DICOM_N_GET = 0x0110,
		   DICOM_N_SET = 0x0120,
		   DICOM_N_ACTION = 0x0130,
		   DICOM_N_CREATE = 0x0140,
		   DICOM_N_DELETE = 0x0150,
		   DICOM_C_CANCEL = 0x0fff,
};

#define DICOM_RESPONSE 0x8000

const char *dicom_pdu_name(uint8_t type);	/* "A-ASSOCIATE-RQ" */
const char *dicom_command_name(uint16_t field); /* "C-STORE-RQ" */
const char *dicom_priority_name(uint16_t n);	/* PS3.7 §E.1: "MEDIUM"; else "unknown" */
const char *dicom_context_result(uint8_t n);	/* PS3.8 §9.3.3.2: "user-rejection" */
const char *dicom_reject_result(uint8_t n);	/* PS3.8 §9.3.4: "rejected-permanent" */
const char *dicom_reject_source(uint8_t n);	/* the same: "service-user" */
const char *dicom_reject_reason(uint8_t source, uint8_t n);
const char *dicom_abort_source(uint8_t n); /* PS3.8 §9.3.8: "service-provider" */
const char *dicom_abort_reason(uint8_t n); /* of the provider alone */
/* PS3.7 §D.3.3.7: "username"; NULL for 0, which is none, else "unknown". */
const char *dicom_identity_name(uint8_t n);

/*
 * What a status says in the response `field`: PS3.7 annex C, and by service
 * PS3.4 §B.2.3 (C-STORE), §C.4 (C-FIND, C-MOVE, C-GET), §H.4 (print) and others.
 */
const char *dicom_status_name(uint16_t field, uint16_t status);

#endif
