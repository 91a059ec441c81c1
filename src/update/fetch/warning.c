#include "update/fetch/warning.h"

#include <inttypes.h>
#include <stdio.h>

bool warning_stale(int64_t fetched, int64_t now, unsigned warn_days, const char *error,
		   char *ret_text, size_t size)
{
	int64_t days = (now - fetched) / WARNING_DAY_S;

	if (days < (int64_t)warn_days)
		return false;
	snprintf(ret_text, size, "nothing was fetched for %" PRId64 " days: %s", days,
		 *error ? error : "see the log");
	return true;
}

bool warning_expires(int64_t expires, int64_t now, unsigned warn_days, char *ret_text, size_t size)
{
	int64_t left = expires - now;

	if (!expires || left > (int64_t)warn_days * WARNING_DAY_S)
		return false;
	if (left <= 0)
		snprintf(ret_text, size,
			 "what vouches for updates has expired: nothing can be installed until "
			 "something newer comes");
	else
		snprintf(ret_text, size,
			 "what vouches for updates expires in %" PRId64
			 " hours, and nothing newer has come",
			 left / 3600);
	return true;
}
