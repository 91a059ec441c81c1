#ifndef BEDWARDEN_GUARD_PROTO_DICOM_INTERNAL_H
#define BEDWARDEN_GUARD_PROTO_DICOM_INTERNAL_H
/*
 * What the files of the DICOM parser share: dicom.c reads PDUs and keeps their
 * order, dicom_association.c what is negotiated, dicom_command.c command sets;
 * dicom_probe.c knows the protocol when it sees it.
 */
#include "guard/proto/dicom.h"
#include "guard/proto/dicom_names.h"
#include "guard/proto/dicom_uid.h"
#include "guard/proto/part10.h"

#define DICOM_HEAD	   6 /* of a PDU, and of a PDV with its message control header */
#define DICOM_AE	   16
#define DICOM_CONTEXTS	   128 /* odd numbers of a byte */
#define DICOM_LISTS	   12
#define DICOM_PRIVATE	   18
#define DICOM_PRIVATE_TEXT 460 /* bytes of them all: most have 20 to 26 */
#define DICOM_BEFORE	   4
#define DICOM_FIXED	   68	     /* of an A-ASSOCIATE-RQ or -AC, before its items */
#define DICOM_ASSOCIATE	   0x100000u /* bytes, at most */
#define DICOM_SET	   0x10000u

#define DICOM_COMMAND_FRAGMENT 1 /* PS3.8 §E.2: bits of the message control header */
#define DICOM_LAST_FRAGMENT    2

/* Elements of a command set that are kept (PS3.7 §E.1): a bit each in `have`. */
enum dicom_element {
	DICOM_AFFECTED_SOP_CLASS,
	DICOM_REQUESTED_SOP_CLASS,
	DICOM_AFFECTED_SOP_INSTANCE,
	DICOM_COMMAND_FIELD,
	DICOM_MESSAGE_ID,
	DICOM_RESPONDED_ID,
	DICOM_MOVE_DESTINATION,
	DICOM_PRIORITY,
	DICOM_DATA_SET_TYPE,
	DICOM_STATUS,
	DICOM_EVENT_TYPE,
	DICOM_ACTION_TYPE,
	DICOM_REMAINING,
	DICOM_COMPLETED,
	DICOM_FAILED,
	DICOM_WARNING,
	DICOM_ELEMENTS,
};

/*
 * A command set as far as it came, in whatever pieces: Implicit VR Little Endian (PS3.7 §6.3.1) or, as
 * pydicom reads it all the same, Explicit.
 */
struct dicom_command {
	uint16_t have;
	uint16_t number[DICOM_ELEMENTS]; /* of those that are numbers */
	uint8_t sop_len, move_len, instance_len, head_len;
	bool is_explicit;
	char sop[DICOM_UID_MAX], move[DICOM_AE], instance[DICOM_UID_MAX];
	uint32_t total;
	/* The element being read: its head, then its value as far as that is kept. */
	uint8_t head[12];
	uint32_t len, got;
	uint32_t element, next; /* number, and the least that may follow */
	uint8_t value[DICOM_UID_MAX];
};

bool dicom_has(const struct dicom_command *c, enum dicom_element e);
/* NONE, MALFORMED or TOO_LONG. */
enum reason dicom_command_take(struct dicom_command *c, struct bytes fragment);
/* Is it whole? NONE or MALFORMED. */
enum reason dicom_command_end(const struct dicom_command *c);

enum dicom_phase {
	DICOM_IDLE,
	DICOM_REQUESTED,
	DICOM_OPEN,
	DICOM_CLOSED,
	DICOM_UNKNOWN, /* picked up in its middle */
};

enum dicom_stage { /* what an end says next */
		   DICOM_AT_PDU,
		   DICOM_AT_FIXED,
		   DICOM_AT_ITEM,
		   DICOM_AT_PDV,
		   DICOM_IN_COMMAND,
		   DICOM_IN_HEAD, /* of a data set */
};

enum dicom_expect { DICOM_COMMAND, DICOM_MORE_COMMAND, DICOM_DATA_SET, DICOM_MORE_DATA };

/* PS3.7 §D.3.3.4: what is said of a SOP class holds for every context of it; a bit for its number. */
struct dicom_roles {
	uint8_t scu[(DICOM_SOP_CLASS_MAX + DICOM_PRIVATE + 8) / 8];
	uint8_t scp[(DICOM_SOP_CLASS_MAX + DICOM_PRIVATE + 8) / 8];
};

struct dicom_side {
	uint32_t left;	   /* of the PDU */
	uint32_t fragment; /* of the PDV */
	uint32_t max;	   /* P-DATA-TF it takes; 0: any */
	uint8_t pdu;	   /* enum dicom_pdu */
	uint8_t stage, expect;
	uint8_t context;	    /* of the message that is under way, or was last */
	bool last;		    /* the fragment ends its command or data set */
	uint8_t released, answered; /* how often it asked to be released, and released the other */
	bool aborted;
	bool lost, exceeded;
	bool accepted; /* `context` is */
	struct part10 head;
	union {
		struct dicom_command command;
		struct dicom_roles roles; /* while an A-ASSOCIATE is read */
	};
};

#define DICOM_OFFERED  1
#define DICOM_ANSWERED 2
#define DICOM_SCU      4
#define DICOM_SCP      8

struct dicom_context {
	uint16_t sop_class; /* number; DICOM_SYNTAX_MAX.. and so on for private ones */
	uint8_t syntax;	    /* offered: which list; accepted: number */
	uint8_t flags : 4, result : 4;
};

struct dicom {
	uint8_t phase, requester;
	bool known; /* what was offered was seen */
	bool bad_title;
	bool titled; /* the titles were seen, be they blank */
	struct dicom_side side[2];
	char calling[DICOM_AE], called[DICOM_AE];
	/* Of the A-ASSOCIATE being read, for its message. */
	uint32_t max;
	uint16_t invoked, performed;
	bool asynchronous, has_max;
	uint8_t identity;
	uint8_t uid_len, version_len;
	char uid[DICOM_UID_MAX], version[DICOM_AE];
	/* Lists of transfer syntaxes that are offered, a bit each: most contexts offer the same. */
	uint8_t lists;
	uint64_t list[DICOM_LISTS][2];
	uint8_t before[DICOM_BEFORE]; /* registered ones of the context before, in their order */
	/* UIDs that are not registered, one behind the other: where each ends. */
	uint8_t owns;
	uint16_t own_end[DICOM_PRIVATE];
	char own[DICOM_PRIVATE_TEXT];
	uint8_t contexts_end; /* none from here on was offered or answered */
	struct dicom_context contexts[DICOM_CONTEXTS];
};

/* An A-ASSOCIATE-RQ or -AC of `end`: its fixed part, then every item. NONE or MALFORMED. */
void dicom_read_fixed(struct dicom *d, unsigned end, struct bytes fixed);
enum reason dicom_read_item(struct dicom *d, unsigned end, uint8_t type, struct reader item);
/* All items were read. */
void dicom_end_association(struct dicom *d, unsigned end);
void dicom_tell_association(const struct dicom *d, struct dicom_msg *m);
void dicom_write_association(const struct dicom_msg *m, struct json *j);

/* Does a PDU begin here? `anywhere`: one that begins no conversation, too. */
enum parse dicom_recognise(struct bytes b, bool anywhere);

bool dicom_is_uid(struct bytes b);
/* Without the spaces around it, or zeros behind it. */
struct bytes dicom_trim(const char *text, size_t len);
/* dicom_object.c: proto.object. */
bool dicom_object(const void *state, unsigned end, bool whole, struct proto_object *ret_o);
struct bytes dicom_syntax_uid(const struct dicom *d, unsigned n);
/* Names, or the UIDs of what is private; data NULL where neither is known. */
struct bytes dicom_sop_class_name(const struct dicom *d, const struct dicom_context *c);
struct bytes dicom_sop_class_uid(const struct dicom *d, const struct dicom_context *c);
struct bytes dicom_syntax_name(const struct dicom *d, unsigned n);

#endif
