#include "guard/policy/oui.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The first six bytes are whom to look for, the rest is a registry, taken twice. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct oui *o = oui_new();
	int n;

	if (o && len > 6) {
		n = oui_add(o, (struct bytes){data + 6, len - 6});
		if (n < 0 || oui_add(o, (struct bytes){data + 6, len - 6}) != n)
			abort();
		if (strlen(oui_vendor(o, data)) > len)
			abort();
	}
	oui_free(o);
	return 0;
}
