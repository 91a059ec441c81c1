#include "keep/vault_choice.h"

#include <stdio.h>

#define ADDRESS	      (2 * CRYPTO_HASH + 1)
#define ADDRESS_LEAST 8 /* digits; fewer could be those of another */

static bool is_named(struct vault_choice *c, const struct vault_entry *e)
{
	char address[ADDRESS];
	bool named = false;

	for (unsigned i = 0; i < CRYPTO_HASH; i++)
		snprintf(address + 2 * i, 3, "%02x", e->address[i]);
	for (size_t i = 0; i < c->count; i++) {
		const char *what = c->names[i];
		size_t len = strlen(what);

		if ((len == e->meta.name.len && memcmp(what, e->meta.name.data, len) == 0) ||
		    (len >= ADDRESS_LEAST && len < ADDRESS && memcmp(what, address, len) == 0))
			named = c->found[i] = true;
	}
	return named;
}

bool vault_choice_picks(void *choice, const struct vault_entry *e)
{
	struct vault_choice *c = choice;
	bool expired = e->meta.until_ns <= c->now_ns;

	if (c->class && strcmp(c->class, e->meta.class) != 0)
		return false;
	if (c->expired)
		return expired;
	if (!c->all && !is_named(c, e))
		return false;
	if (expired || c->force)
		return true;
	c->kept++;
	return false;
}
