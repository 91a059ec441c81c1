#include "base/check_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conform.h"

static const char *const own_peers[] = {"any", "broadcast", "multicast", "dhcp", NULL};

static int name_order(const void *a, const void *b)
{
	const struct check_name *x = a, *y = b;
	int r = strcmp(x->text, y->text);

	return r			? r
	       : x->device != y->device ? x->device - y->device
	       : x->index < y->index	? -1
					: 1;
}

const struct check_name *check_name_find(const struct check_name *names, size_t count,
					 const char *text)
{
	size_t lo = 0, hi = count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int r = strcmp(names[mid].text, text);

		if (r == 0)
			return &names[mid];
		if (r < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

void check_name_hint(const struct check_name *names, size_t count, const char *text,
		     const char *expected, char *ret_hint, size_t size)
{
	struct nearest near = {.text = text};

	for (size_t i = 0; i < count && i < 4096; i++)
		nearest_offer(&near, names[i].text);
	if (near.best)
		snprintf(ret_hint, size, "; did you mean '%.63s'?", near.best);
	else
		snprintf(ret_hint, size, "; expected %s", expected);
}

bool check_is_own_peer(const char *name)
{
	for (const char *const *p = own_peers; *p; p++)
		if (strcmp(*p, name) == 0)
			return true;
	return false;
}

void check_role_add(struct checking *k, const char *path, const char *role)
{
	if (strcmp(role, "dhcp") == 0)
		return;
	if (check_is_own_peer(role)) {
		check_wrong(k, path,
			    "'%s' has a meaning of its own; expected another name for a role",
			    role);
		return;
	}
	for (unsigned i = 0; i < k->roles_count; i++)
		if (strcmp(k->roles[i], role) == 0)
			return;
	if (k->roles_count == CHECK_ROLES) {
		check_wrong(k, path,
			    "'%.60s' is one role too many; expected at most %u different ones",
			    role, CHECK_ROLES);
		return;
	}
	k->roles[k->roles_count++] = role;
}

bool check_names_gather(struct checking *k)
{
	const struct config *c = k->c;
	size_t n = 0;

	k->names_count = (size_t)c->hosts_count + c->devices_count;
	k->names = calloc(k->names_count + 1, sizeof(*k->names));
	k->segments = calloc(c->segments_count + 1, sizeof(*k->segments));
	if (!k->names || !k->segments)
		return false;
	for (unsigned i = 0; i < c->segments_count; i++)
		k->segments[i] = (struct check_name){.text = c->segments[i].name, .index = i};
	for (unsigned i = 0; i < c->hosts_count; i++)
		k->names[n++] = (struct check_name){.text = c->hosts[i].name, .index = i};
	for (unsigned i = 0; i < c->devices_count; i++)
		k->names[n++] = (struct check_name){c->devices[i].name, i, true};
	qsort(k->segments, c->segments_count, sizeof(*k->segments), name_order);
	qsort(k->names, n, sizeof(*k->names), name_order);
	return true;
}

void check_names(struct checking *k)
{
	char at[64];

	for (size_t i = 0; i < k->names_count; i++) {
		const struct check_name *n = &k->names[i];

		snprintf(at, sizeof(at), "%s[%u].name", n->device ? "devices" : "hosts", n->index);
		if (i && strcmp(n->text, n[-1].text) == 0)
			check_wrong(
				k, at,
				"a second host or device is called '%s'; expected a name of its "
				"own",
				n->text);
		else if (check_is_own_peer(n->text))
			check_wrong(k, at, "'%s' has a meaning of its own; expected another name",
				    n->text);
	}
}
