/* An event's line on its way to the disk, and a row on its way back. */
#include <stdlib.h>

#include "keep/person.h"

#include "touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct person *p;
	struct bytes in = {data, len};
	char *stored, *told, *opened;
	size_t n;

	if (!p && !(p = person_new(NULL)))
		abort();
	if (person_hide(p, in, 1, &stored, &told)) {
		if (stored)
			touch((struct bytes){(uint8_t *)stored, strlen(stored)});
		free(stored);
		free(told);
	}
	opened = person_open(p, in, &n);
	if (opened)
		touch((struct bytes){(uint8_t *)opened, n});
	free(opened);
	return 0;
}
