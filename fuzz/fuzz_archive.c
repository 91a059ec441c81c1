/* What a guard, which may have been taken over, says that is to be archived. */
#include <stdlib.h>

#include "base/archive.h"

#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes in = {data, len}, body;
	struct archive_about about;
	struct archive_record r;

	while (archive_next(&in, &r, &body)) {
		touch(body);
		if (body.len > ARCHIVE_PIECE_MAX)
			abort();
		if (r.what == ARCHIVE_END && archive_about(body, &about) &&
		    !memchr(about.label, 0, sizeof(about.label)))
			abort();
	}
	if (in.len > len)
		abort();
	return 0;
}
