#ifndef BEDWARDEN_UPDATE_FETCH_WARNING_H
#define BEDWARDEN_UPDATE_FETCH_WARNING_H
/*
 * What a person should hear of before updates cease to come: nothing was fetched for days, or what
 * vouches for them expires. Pure; wall clock seconds.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WARNING_DAY_S 86400

/* `fetched`: when that last went well. `error`: what the last try said; "" nothing. ret_text only with true. */
bool warning_stale(int64_t fetched, int64_t now, unsigned warn_days, const char *error,
		   char *ret_text, size_t size);
/* `expires`: of the metadata, the first of its roles; 0 not known. */
bool warning_expires(int64_t expires, int64_t now, unsigned warn_days, char *ret_text, size_t size);

#endif
