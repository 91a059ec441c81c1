#ifndef BEDWARDEN_GUARD_PROTO_INTELLIVUE_INTERNAL_H
#define BEDWARDEN_GUARD_PROTO_INTELLIVUE_INTERNAL_H
/*
 * A conversation of IntelliVue, shared by its own files: intellivue.c, what a message asks and
 * answers; intellivue_attribute.c, what it says of an object.
 */
#include "guard/proto/intellivue.h"

#define INTELLIVUE_CONTEXTS 16
#define INTELLIVUE_POLLS    8

/* What a wave's samples mean; told now and then, needed always. */
struct intellivue_context {
	uint32_t handle; /* global: the measurement server's context and what it calls the object */
	uint32_t ticks;	 /* 0: not told yet */
	uint16_t array;
	uint16_t invalid; /* bits that mark a sample as none; 0: no such */
	uint16_t low, high;
	uint8_t size, significant; /* bits */
	bool ext_range : 1, has_scale : 1;
};

/* An extended poll that was asked for; class 0: none. */
struct intellivue_poll {
	uint16_t class_, number;
};

struct intellivue {
	uint8_t manufacturer_len, model_len;
	char manufacturer[32], model[32];
	unsigned next, next_poll; /* to be used next */
	struct intellivue_context context[INTELLIVUE_CONTEXTS];
	struct intellivue_poll poll[INTELLIVUE_POLLS];
};

/* "count, length" in front of every list; a reader for what it holds. */
static inline struct reader intellivue_list(struct reader *r, uint16_t *ret_count)
{
	*ret_count = read_be16(r);
	return read_sub(r, read_be16(r));
}

static inline void intellivue_inherit(struct reader *r, const struct reader *inner)
{
	r->bad |= inner->bad;
}

/* AttributeList of the object with that handle: waves, numerics, alarms, who the monitor is. */
void intellivue_read_attributes(struct intellivue *s, struct intellivue_msg *m, uint32_t handle,
				struct reader *r);

#endif
