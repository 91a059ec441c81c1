#ifndef BEDWARDEN_DEMO_MLLP_H
#define BEDWARDEN_DEMO_MLLP_H
/*
 * HL7 v2 over MLLP (HL7 v2.5.1 appendix C; "Transport Specification: MLLP,
 * release 1"): a message between <VT> and <FS><CR>, as a socket carries them.
 */
#include "base/bytes.h"

#define MLLP_MESSAGE_MAX 65536

struct mllp_link {
	int sock;
	uint8_t buf[MLLP_MESSAGE_MAX];
	size_t len, used; /* used: of the message handed out last, dropped at the next turn */
};

/* Connected within five seconds, which is also the patience of every read; NULL. close() its
 * sock, then free() it. */
struct mllp_link *mllp_reach(const char *ip, uint16_t port);
bool mllp_send_message(int sock, struct bytes m);
/* The next message, borrowed from the link until the next call; data NULL at the end. */
struct bytes mllp_next_message(struct mllp_link *l);
/* Field n of the first segment that begins with `name`; MSH counts its separator as a field. */
void mllp_field(struct bytes m, const char *name, unsigned n, char *ret, size_t cap);
/* Says that the message was taken (MSA-1 AA). */
bool mllp_acknowledge(int sock, struct bytes m);

#endif
