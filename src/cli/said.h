#ifndef BEDWARDEN_CLI_SAID_H
#define BEDWARDEN_CLI_SAID_H
/*
 * What was said inside conversations, as far as a policy can name it: for each
 * pair of ends, service and protocol, the values of those members that `allow`
 * narrows, and whether a message changed a device. Filled from message events
 * of any protocol that is read; bounded in conversations, members and values.
 *
 * A message does not say who opened its conversation. Both its ports may be the
 * service's until a second conversation shows which of them stays.
 */
#include <jansson.h>

#include "guard/proto/proto.h"

#define SAID_TALKS   4096
#define SAID_MEMBERS 24
#define SAID_VALUES  8	/* of a member; with more it is not to be narrowed */
#define SAID_LEN     96 /* bytes of a value and its zero; a longer one is odd */

struct said_member {
	const struct proto_field *field;
	char *value[SAID_VALUES]; /* printable ASCII that stands for nothing but itself */
	unsigned count;
	bool many; /* there were more */
	bool odd;  /* there was one that could not be kept so */
};

struct said {
	const struct proto *app;
	uint8_t ip[2][16]; /* the lower one first */
	uint16_t port[2];
	bool serves[2]; /* may `port` be the service's? */
	uint8_t proto;	/* IP's */
	bool control;	/* a message changed a device */
	uint64_t messages;
	uint64_t broken; /* messages that broke the protocol */
	struct said_member *members;
	unsigned member_count;
	uint32_t next; /* of the same hash, 1 + index */
};

struct saids {
	struct said *list;
	uint32_t count;
	uint32_t *heads; /* by hash, 1 + index */
	uint64_t forgotten;
};

/* The ends of one message, as address_prefix() gives them. */
struct said_ends {
	uint8_t from[16], to[16];
	uint16_t from_port, to_port;
	uint8_t proto;
};

/* 0 or -ENOMEM. */
int saids_new(struct saids *ret_s);
void saids_free(struct saids *s);
/*
 * A message event of the protocol. One that a policy refused, or would have, is
 * not taken: what is forbidden must not be learned.
 */
void said_take(struct saids *s, const struct said_ends *ends, const struct proto *app,
	       const json_t *event);
/*
 * What was said with the service `port` of `to`; NULL: nothing, or in more than one protocol. Of what goes
 * on encrypted it is what was said by `app`: ahead of that, or within it.
 */
const struct said *said_with(const struct saids *s, const uint8_t from[16], const uint8_t to[16],
			     uint8_t proto, uint16_t port, const struct proto *app);

#endif
