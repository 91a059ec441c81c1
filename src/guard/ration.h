#ifndef BEDWARDEN_GUARD_RATION_H
#define BEDWARDEN_GUARD_RATION_H
/*
 * How often one source may be told of: so many times at once, and so many more
 * a second. What it may not be told of is counted, and the count goes with what
 * is told next. Bounded: the source longest silent makes room for a new one.
 * Time is an argument.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bpf/shared.h"

struct ration;

/* `rows` sources at once. NULL with errno ENOMEM. */
struct ration *ration_new(uint32_t rows, uint32_t at_once, uint32_t per_s);
void ration_free(struct ration *r);
/* May the source be told of now? If so, *ret_untold is how often it was not, since last time. */
bool ration_take(struct ration *r, uint32_t segment, const struct gate_ip *source, uint64_t now_ns,
		 uint32_t *ret_untold);

#endif
