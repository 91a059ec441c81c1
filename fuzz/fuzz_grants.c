/*
 * The book of grants as a disk may give it back: it is taken whole or not at all,
 * and what was taken is written the same. Time may pass over it.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "people/grant/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void changed(void *arg, const struct grant *g, enum grant_change what)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct grant_clock now = {1790000000 * NSEC_PER_SEC, NSEC_PER_SEC, "boot"};
	json_t *book = json_loadb((const char *)data, len, 0, NULL), *once, *twice;
	struct grants *g = grants_new(), *again = grants_new();

	if (g && again && grants_load(g, book) == 0) {
		once = grants_save(g);
		assert(grants_load(again, once) == 0);
		twice = grants_save(again);
		assert(json_equal(once, twice));
		json_decref(once);
		json_decref(twice);
		for (unsigned i = 0; i < 3; i++) {
			grants_tick(g, &now, changed, NULL);
			(void)grants_due(g, &now);
			now.boot_ns += 3600 * NSEC_PER_SEC;
			now.wall_ns += 1800 * NSEC_PER_SEC;
		}
	}
	grants_free(g);
	grants_free(again);
	json_decref(book);
	return 0;
}
