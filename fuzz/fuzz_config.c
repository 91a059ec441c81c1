/* A policy file: read, checked, compiled; what comes out must be a block that opens. */
#include <stdlib.h>

#include "base/config.h"
#include "guard/policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config_error errors[8];
	struct config_profile *profile;
	struct config *c;
	struct policy *p;
	char error[256];
	size_t count = 0;

	c = config_parse("/nonexistent/fuzz.yaml", (struct bytes){data, len}, errors, 8, &count);
	if (!c && !count)
		abort(); /* refused without a word */
	if (c) {
		p = policy_compile(c, NULL, 0, 1, error);
		if (p && policy_open(policy_bytes(p)) != p)
			abort();
		policy_free(p);
	}
	config_free(c);
	profile = config_profile_parse("fuzz.yaml", (struct bytes){data, len}, errors, 8, &count);
	if (!profile && !count)
		abort();
	config_profile_free(profile);
	return 0;
}
