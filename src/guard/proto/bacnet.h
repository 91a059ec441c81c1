#ifndef BEDWARDEN_GUARD_PROTO_BACNET_H
#define BEDWARDEN_GUARD_PROTO_BACNET_H
/*
 * BACnet/IP (ANSI/ASHRAE 135): the virtual link control of Annex J, the network
 * layer of §6.2 and the application layer's header of §20.1, with every service
 * by the name the standard gives it. Of services that name an object and a
 * property, those are told; values, and passwords of DeviceCommunicationControl
 * and ReinitializeDevice, are not.
 *
 * Of an APDU in segments (§5.4) each is told with its number and what it names, tags that are cut
 * put together again. One whose predecessors were not seen names what is like no pattern, and so
 * does one that comes again after more than 16 others.
 *
 * `control` are services that write, create, delete, set the time, restart or
 * silence a device, what is private to a maker, and messages that change a
 * router's or a broadcast device's tables.
 */
#include "guard/proto/proto.h"

struct bacnet {
	struct msg msg;
	const char *bvlc;    /* "Original-Unicast-NPDU" */
	const char *network; /* a network layer message; NULL: it carries an APDU */
	const char *pdu;     /* "confirmed_request"; NULL: there is none */
	const char *service; /* "readProperty" */
	bool has_invoke, segmented, more_follows;
	bool unnamed; /* a segment of what names objects, out of order: the texts below are empty */
	uint8_t invoke_id;
	bool has_sequence;
	uint8_t sequence_number; /* of a segment, or of the one that is acknowledged */
	bool has_object, has_property, has_index;
	uint16_t object_type;
	uint32_t instance, property, array_index;
	/* Their names, or numbers where they have none here; of several, the first one's. */
	struct bytes object_type_text, property_text;
	struct bytes several; /* what a Multiple, or its answer, says of objects, encoded */
	uint8_t depth;	      /* in pairs of tags, where that begins */
	uint8_t joint_len;    /* of the tag before that, which began in the segment before */
	uint8_t joint[12];
	bool duplicate;	      /* of a segment: it was here before */
	bool gap;	      /* of a segment: the one before it was not seen */
	uint8_t property_tag; /* that a property has there */
	char numbers[2][12];
	const char *state; /* of ReinitializeDevice and DeviceCommunicationControl */
	bool password;
	bool has_error;
	uint16_t error_class, error_code; /* of an error; of a reject or an abort its reason */
	bool has_dnet, has_snet;
	uint16_t dnet, snet;
};

extern const struct proto bacnet_proto;

#endif
