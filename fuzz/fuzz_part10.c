/* The head of a DICOM file, in two pieces: the first byte says where it is cut. */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_new(data, len);
	size_t cut = read_u8(&r), left = reader_left(&r);
	struct part10 whole = {0}, cut_up = {0};
	struct reader again = r;

	take(&cut_up, read_bytes(&r, cut < left ? cut : left));
	if (take(&cut_up, read_bytes(&r, reader_left(&r))) !=
	    take(&whole, read_bytes(&again, left)))
		abort();
	return 0;
}
