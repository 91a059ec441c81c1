#ifndef BEDWARDEN_UPDATE_ADVISORY_LIBRARY_H
#define BEDWARDEN_UPDATE_ADVISORY_LIBRARY_H
/*
 * All advisories that are at hand: the files of folders, read once. A file that cannot be used is a
 * refusal with its reason, and costs nothing else.
 */
#include "update/advisory/csaf.h"

enum { LIBRARY_FILES_MAX = 65536 };
#define LIBRARY_BYTES_MAX (1ull << 30) /* of memory, for all together */

struct library_refusal {
	char *file, *why;
};

struct library {
	struct csaf **list;
	size_t count, cap;
	struct library_refusal *refusals;
	size_t refusal_count, refusal_cap;
	size_t bytes;
	size_t superseded; /* older versions of an advisory that is there in a newer one */
};

/*
 * Adds every .json file below `path`, four folders deep. `content`: of an update's folder, where names
 * are escaped paths ("advisories%2F2024%2Fx.json") and other things lie beside: only what is
 * below advisories. 0, also where there is no such folder; -ENOMEM; -errno of the folder itself.
 */
int library_read(struct library *l, const char *path, bool content);
/* Of several versions of one advisory the newest stays. After the last library_read(). */
void library_settle(struct library *l);
void library_free(struct library *l);

#endif
