#ifndef BEDWARDEN_ROLE_STEER_H
#define BEDWARDEN_ROLE_STEER_H
/*
 * Which guard sees a conversation: frames that come by a link go to the one that its other
 * direction came from, as far as that is remembered. A table of fixed size, in which a newer
 * conversation takes an older one's place; a wrong guard only knows less.
 */
#include "base/bytes.h"

struct steer;

struct steer *steer_new(void); /* NULL: no memory */
void steer_free(struct steer *s);
/* The frame came from that guard. */
void steer_learn(struct steer *s, struct bytes frame, unsigned guard);
/* Where frames of its conversation came from last; 0 where nobody knows. */
unsigned steer_find(const struct steer *s, struct bytes frame);

#endif
