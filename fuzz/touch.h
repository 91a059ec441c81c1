#ifndef BEDWARDEN_FUZZ_TOUCH_H
#define BEDWARDEN_FUZZ_TOUCH_H
/* The frame of targets whose parser points into its input. */
#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Reads every byte, so that a range beyond the input is found. */
static inline void touch(struct bytes b)
{
	static volatile uint8_t sink;

	for (size_t i = 0; i < b.len; i++)
		sink = b.data[i];
	(void)sink;
}

#endif
