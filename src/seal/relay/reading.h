#ifndef BEDWARDEN_SEAL_RELAY_READING_H
#define BEDWARDEN_SEAL_RELAY_READING_H
/*
 * What passes a relay, read by the parsers that read it on the wire
 * (guard/proto/proto.h) and judged message by message. Bytes go on as they come, but
 * those that complete a message only once it was judged: one that is refused never
 * goes on whole.
 */
#include "guard/proto/talk.h"

struct reading;

/* Why a message must not pass; REASON_NONE: it may. */
typedef enum reason (*reading_said_fn)(void *arg, unsigned end, const struct proto *p,
				       const struct msg *m);

/* NULL with errno ENOMEM. `ports` of ends 0 and 1. */
struct reading *reading_new(const struct proto *p, const uint16_t ports[2]);
void reading_free(struct reading *r);
/*
 * More of what an end says. How many bytes at its front may go on; REASON_NONE in *ret_why:
 * all of them, else the conversation is to be ended.
 */
size_t reading_take(struct reading *r, unsigned end, struct bytes data, uint64_t wall_ns,
		    reading_said_fn said, void *arg, enum reason *ret_why);
/* An end says no more: why what it left unfinished must not count as said; REASON_NONE: it may. */
enum reason reading_close(struct reading *r, unsigned end, uint64_t wall_ns, reading_said_fn said,
			  void *arg);
/*
 * As it stands, to be read by reading_load() in a process of the same version; a conversation whose
 * protocol is read otherwise by now is refused there.
 */
void reading_save(const struct reading *r, struct writer *w);
/* Bytes that reading_save() writes. */
size_t reading_size(const struct reading *r);
/* NULL: it was not of this protocol or version, or there is no memory. */
struct reading *reading_load(const struct proto *p, const uint16_t ports[2], struct reader *r);

#endif
