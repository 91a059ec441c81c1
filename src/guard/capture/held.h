#ifndef BEDWARDEN_GUARD_CAPTURE_HELD_H
#define BEDWARDEN_GUARD_CAPTURE_HELD_H
/*
 * The floor's ring of frames that waited for a guard's successor (struct
 * gate_held), oldest first. A frame is read where the kernel put it.
 */
#include "bpf/shared.h"

struct held;

/* By a descriptor of the map `held`, borrowed for the call. NULL with errno. */
struct held *held_open(int map_fd);
void held_close(struct held *h);
/* The oldest, its frame behind it; borrowed until held_release(). NULL: none is there. */
const struct gate_held *held_peek(struct held *h);
/* The one that was peeked at last is done with. */
void held_release(struct held *h);
/* Readable when one is there. */
int held_fd(const struct held *h);

#endif
