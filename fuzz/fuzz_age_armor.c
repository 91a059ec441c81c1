#include "seal/age/armor.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* All of it at once, or in pieces; gives what came out, -1 for what is refused. */
static long take_off(const uint8_t *data, size_t len, size_t piece, uint8_t *out, size_t room)
{
	struct armor_reader a = {.state = ARMOR_BEFORE};
	size_t off = 0, have = 0, total = 0, used = 0;

	while (off < len || have < len) {
		uint8_t line[64];
		struct writer w = writer_new(line, sizeof(line));
		enum parse p;

		have = have + piece < len ? have + piece : len;
		do {
			w.len = 0;
			p = armor_read(&a, (struct bytes){data + off, have - off}, have == len, &w,
				       &used);
			if (p == PARSE_BAD)
				return -1;
			if (used > have - off || w.len > room - total)
				__builtin_trap();
			off += used;
			memcpy(out + total, line, w.len);
			total += w.len;
		} while (p == PARSE_OK && (used || w.len));
		if (have == len && off < len)
			__builtin_trap();
	}
	return a.state == ARMOR_AFTER ? (long)total : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct armor_writer a = {.held_len = 0};
	size_t room = len + 64;
	uint8_t *once = malloc(room), *pieces = malloc(room), *again;
	struct writer w;
	long n, m, back;

	n = take_off(data, len, len, once, room);
	m = take_off(data, len, 7, pieces, room);
	if (n != m || (n > 0 && memcmp(once, pieces, (size_t)n) != 0))
		__builtin_trap();
	/* Put on again, it comes off as the same. */
	if (n >= 0) {
		w = writer_new(malloc(ARMOR_ROOM((size_t)n)), ARMOR_ROOM((size_t)n));
		armor_begin(&w);
		armor_write(&a, (struct bytes){once, (size_t)n}, &w);
		armor_end(&a, &w);
		again = malloc((size_t)n + 64);
		back = take_off(w.data, w.len, w.len, again, (size_t)n + 64);
		if (w.bad || back != n || memcmp(again, once, (size_t)n) != 0)
			__builtin_trap();
		free(again);
		free(w.data);
	}
	free(pieces);
	free(once);
	return 0;
}
