/* A request line on the control socket: parsed whole or refused with a reason. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "keep/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char error[REQUEST_ERROR];
	struct request r;

	memset(error, 'x', sizeof(error));
	memset(&r, 'x', sizeof(r));
	r.object = NULL;
	if (request_parse((struct bytes){data, len}, &r, error) != 0) {
		if (!memchr(error, 0, sizeof(error)) || !*error)
			abort(); /* refused without a word */
		return 0;
	}
	if (r.command >= REQUEST_COMMANDS || !memchr(r.filter.device, 0, sizeof(r.filter.device)) ||
	    !memchr(r.filter.reason, 0, sizeof(r.filter.reason)) || r.filter.limit < 1 ||
	    r.filter.limit > REQUEST_LIMIT_MAX || r.filter.since_ns < 0)
		abort();
	if (r.command == REQUEST_CALL && (!r.object || !memchr(r.call, 0, sizeof(r.call))))
		abort();
	json_decref(r.object);
	return 0;
}
