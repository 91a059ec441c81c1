#ifndef BEDWARDEN_TEST_SITE_H
#define BEDWARDEN_TEST_SITE_H
/* The policy that a site's text compiles to. */
#include "unit.h"

#include "base/config.h"
#include "guard/policy/policy.h"

/* With `ports`, or those that policy_compile() gives; policy_free(). */
static inline struct policy *site_policy(const char *text, const struct policy_port *ports,
					 size_t port_count, uint32_t generation)
{
	struct config_error errors[4];
	char error[256];
	struct policy *p;
	size_t count = 0;
	struct config *c =
		config_parse("site.yaml", (struct bytes){(const uint8_t *)text, strlen(text)},
			     errors, 4, &count);

	if (!c)
		fail_msg("%u:%u: %s", errors[0].line, errors[0].column, errors[0].text);
	p = policy_compile(c, ports, port_count, generation, error);
	config_free(c);
	if (!p)
		fail_msg("%s", error);
	return p;
}

#endif
