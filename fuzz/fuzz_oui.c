#include "guard/policy/oui.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int add_registry(struct oui *o, const uint8_t *text, size_t len)
{
	int n = 0, r = 0;

	for (size_t at = 0; r >= 0 && at < len;) {
		const uint8_t *end = memchr(text + at, '\n', len - at);
		size_t line = end ? (size_t)(end - text) - at : len - at;

		r = oui_add(o, (struct bytes){text + at, line});
		n += r;
		at += line + 1;
	}
	oui_sort(o);
	return r < 0 ? r : n;
}

/* The first six bytes are whom to look for, the rest is a registry, taken twice. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct oui *o = oui_new();
	int n;

	if (o && len > 6) {
		n = add_registry(o, data + 6, len - 6);
		if (n < 0 || add_registry(o, data + 6, len - 6) != n)
			abort();
		if (strlen(oui_vendor(o, data)) > len)
			abort();
	}
	oui_free(o);
	return 0;
}
