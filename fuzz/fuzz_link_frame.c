/* What is inside the sealed link's records: a head that is taken is written the same way again. */
#include <stdlib.h>

#include "seal/link/clamp.h"
#include "seal/link/framing.h"

static void check(const struct framing *f, const uint8_t *data, size_t size)
{
	uint8_t head[FRAMING_HEAD];
	size_t len = framing_write(f, head), sum = 0;

	if (len != f->head || len > size || framing_head(data) != len ||
	    memcmp(head, data, len) != 0)
		abort();
	for (unsigned i = 0; f->kind == FRAMING_WHOLE && i < f->count; i++)
		sum += f->frames[i].len;
	if (f->kind == FRAMING_WHOLE && sum != size - len)
		abort();
	if (f->kind == FRAMING_PART &&
	    (f->len != size - len || f->offset + f->len > f->total || f->total > LINK_FRAME_MAX))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct framing f, again;
	uint8_t *copy;

	if (size < 2)
		return 0;
	if (framing_read((struct bytes){data, size}, size, &f)) {
		check(&f, data, size);
		/* Its head alone says the same. */
		if (!framing_read((struct bytes){data, f.head}, size, &again) ||
		    again.head != f.head)
			abort();
	}
	/* The same bytes as a frame whose SYN may be clamped: twice is once. */
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	if (clamp_frame(copy, size, 1400, false) && clamp_frame(copy, size, 1400, false))
		abort();
	free(copy);
	return 0;
}
