#include "guard/capture/dump.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The file in one piece, and in pieces that hold no more than what was asked for. */
static void read_all(const uint8_t *data, size_t len, bool exact)
{
	struct dump *d = dump_new();
	struct dump_record r;
	size_t off = 0, have = exact ? 0 : len;

	for (;;) {
		uint8_t *piece = NULL;
		struct bytes in = {data + off, have - off};
		enum dump_step step;

		if (exact) {
			piece = malloc(in.len ? in.len : 1);
			memcpy(piece, in.data, in.len);
			in.data = piece;
		}
		step = dump_next(d, in, &r);
		if (step == DUMP_FRAME &&
		    (r.data.data < in.data || r.data.data + r.data.len > in.data + in.len ||
		     r.wire_len < r.data.len))
			__builtin_trap();
		free(piece);
		if (step == DUMP_BAD ||
		    (step == DUMP_MORE && (have == len || r.used <= have - off)))
			break;
		if (step == DUMP_MORE)
			have = r.used < len - off ? off + r.used : len;
		else
			off += r.used;
	}
	dump_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	read_all(data, len, false);
	read_all(data, len, true);
	return 0;
}
