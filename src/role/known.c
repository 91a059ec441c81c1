#include "role/known.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const registries[] = {
	"/usr/share/ieee-data/oui.txt",
	"/usr/share/ieee-data/mam.txt",
	"/usr/share/ieee-data/oui36.txt",
};

/* How many assignments, or -ENOMEM. */
static int add_registry(struct oui *o, FILE *f)
{
	char line[LINE_MAX];
	int all = 0, n = 0;

	while (n >= 0 && fgets(line, sizeof(line), f)) {
		n = oui_add(o, (struct bytes){(const uint8_t *)line, strcspn(line, "\n")});
		all += n;
	}
	return n < 0 ? n : all;
}

int known_makers(struct oui *o)
{
	int all = 0, n = 0;

	for (size_t i = 0; n >= 0 && i < sizeof(registries) / sizeof(*registries); i++) {
		FILE *f = fopen(registries[i], "re");

		if (!f)
			continue;
		n = add_registry(o, f);
		fclose(f);
		all += n;
	}
	oui_sort(o);
	return n < 0 ? n : all;
}

static int load_profiles(const char *file, const char *profiles_dir, struct known *k)
{
	struct config where = {.gateway.profiles_dir = (char *)profiles_dir};
	int err = config_profiles(&where, file, &k->profiles, &k->profile_count);

	if (err < 0)
		return err;
	k->rows = calloc(k->profile_count + 1, sizeof(*k->rows));
	if (!k->rows)
		return -ENOMEM;
	for (unsigned i = 0; i < k->profile_count; i++)
		k->rows[i] =
			(struct inventory_profile){k->profiles[i].name, k->profiles[i].identify};
	return 0;
}

static void forget(struct known *k)
{
	oui_free(k->oui);
	free(k->rows);
	if (k->profiles)
		config_profiles_free(k->profiles, k->profile_count);
	*k = (struct known){0};
}

int known_load(const char *file, const char *profiles_dir, struct known *ret_known)
{
	struct known k = {.oui = oui_new()};
	int n = k.oui ? known_makers(k.oui) : -ENOMEM;
	int err = n < 0 ? n : load_profiles(file, profiles_dir, &k);

	if (err < 0) {
		forget(&k);
		return err;
	}
	k.makers = (unsigned)n;
	*ret_known = k;
	return 0;
}
