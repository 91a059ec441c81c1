/* The head of a DICOM file, and what follows one, in two pieces: the first byte says where it is cut. */
#include <stdlib.h>

#include "guard/proto/part10.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static enum parse take(struct part10 *p, struct bytes b)
{
	const char *program = NULL;
	uint8_t *exact = malloc(b.len + !b.len);
	enum parse got;

	if (b.len)
		memcpy(exact, b.data, b.len);
	got = part10_take(p, (struct bytes){exact, b.len}, &program);
	free(exact);
	if (p->seen > PART10_HEAD || (program && (got != PARSE_OK || !*program)))
		abort();
	return got;
}

/* How many bytes of the two were taken. */
static size_t take_meta(struct part10_meta *m, struct bytes first, struct bytes second,
			enum parse *ret_got)
{
	struct bytes uid = {NULL, 0};
	size_t used, more = 0;

	*ret_got = part10_meta_take(m, first, &used, &uid);
	if (*ret_got == PARSE_MORE && used == first.len)
		*ret_got = part10_meta_take(m, second, &more, &uid);
	if (used > first.len || more > second.len || m->len > PART10_META ||
	    (*ret_got == PARSE_OK) != (uid.len > 0))
		abort();
	return used + more;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct bytes nothing = {NULL, 0};
	struct part10_meta in_one = {0}, in_two = {0};
	enum parse one, two;
	struct reader r = reader_new(data, len);
	size_t cut = read_u8(&r), left = reader_left(&r);
	struct part10 whole = {0}, cut_up = {0};
	struct reader again = r;
	struct bytes all = read_bytes(&again, left);
	struct bytes first = read_bytes(&r, cut < left ? cut : left);
	struct bytes second = read_bytes(&r, reader_left(&r));
	size_t used = take_meta(&in_one, all, nothing, &one);

	take(&cut_up, first);
	if (take(&cut_up, second) != take(&whole, all))
		abort();
	if (used != take_meta(&in_two, first, second, &two) || one != two)
		abort();
	return 0;
}
