#include "update/tuf/delegation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "base/hex.h"
#include "update/tuf/glob.h"

#define BITS_MAX 32

static bool is_name(const json_t *name, size_t max)
{
	return json_is_string(name) && json_string_length(name) > 0 &&
	       json_string_length(name) < max;
}

static bool are_strings(const json_t *list)
{
	json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry)
		if (!json_is_string(entry))
			return false;
	return json_is_array(list);
}

static const char *judge_role(const json_t *role)
{
	const json_t *name = json_object_get(role, "name"), *paths = json_object_get(role, "paths"),
		     *prefixes = json_object_get(role, "path_hash_prefixes"),
		     *terminating = json_object_get(role, "terminating");

	if (!is_name(name, DELEGATION_NAME_MAX) || tuf_type_is_name(json_string_value(name)))
		return "a delegated role has no name, or that of a top-level role";
	if (!json_is_boolean(terminating))
		return "a delegation does not say whether it is terminating";
	if (!paths == !prefixes || !are_strings(paths ? paths : prefixes))
		return "a delegation needs either paths or path_hash_prefixes";
	return tuf_role_judge(role);
}

static const char *judge_bins(const json_t *bins)
{
	const json_t *bits = json_object_get(bins, "bit_length"),
		     *prefix = json_object_get(bins, "name_prefix");

	if (!json_is_integer(bits) || json_integer_value(bits) < 1 ||
	    json_integer_value(bits) > BITS_MAX)
		return "bit_length of the hash bins is not from 1 to 32";
	if (!is_name(prefix, DELEGATION_NAME_MAX - sizeof("-ffffffff")))
		return "name_prefix of the hash bins is no name";
	return tuf_role_judge(bins);
}

const char *delegations_judge(const json_t *delegations)
{
	const json_t *roles = json_object_get(delegations, "roles"),
		     *bins = json_object_get(delegations, "succinct_roles");
	const char *wrong = NULL;
	json_t *role;
	size_t i;

	if (!json_is_object(json_object_get(delegations, "keys")))
		return "its delegations have no keys";
	if (!roles == !bins)
		return "its delegations need either roles or succinct_roles";
	if (bins)
		return judge_bins(bins);
	if (!json_is_array(roles))
		return "its delegated roles are no list";
	json_array_foreach (roles, i, role) {
		wrong = judge_role(role);
		if (wrong)
			break;
	}
	return wrong;
}

static bool is_entrusted(const json_t *role, const char *path, const char *hex)
{
	const json_t *paths = json_object_get(role, "paths");
	const json_t *list = paths ? paths : json_object_get(role, "path_hash_prefixes");
	json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry) {
		const char *text = json_string_value(entry);

		if (paths ? glob_match(text, path)
			  : strncasecmp(hex, text, json_string_length(entry)) == 0)
			return true;
	}
	return false;
}

static struct tuf_signers signers(const json_t *delegations, const json_t *role)
{
	return (struct tuf_signers){
		.keys = json_object_get(delegations, "keys"),
		.keyids = json_object_get(role, "keyids"),
		.threshold = json_integer_value(json_object_get(role, "threshold")),
	};
}

/* The first bits of the path's hash choose the bin; names have as many digits as the last one. */
static void name_bin(const json_t *bins, const uint8_t hash[CRYPTO_HASH],
		     char ret_name[DELEGATION_NAME_MAX])
{
	int bits = (int)json_integer_value(json_object_get(bins, "bit_length"));
	uint32_t first = (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 |
			 (uint32_t)hash[2] << 8 | hash[3];

	snprintf(ret_name, DELEGATION_NAME_MAX, "%s-%0*" PRIx32,
		 json_string_value(json_object_get(bins, "name_prefix")), (bits + 3) / 4,
		 first >> (32 - bits));
}

bool delegation_next(const json_t *delegations, const char *path, size_t *at,
		     struct tuf_delegation *ret_delegation)
{
	const json_t *roles = json_object_get(delegations, "roles"),
		     *bins = json_object_get(delegations, "succinct_roles"), *role;
	struct bytes text = {(const uint8_t *)path, strlen(path)};
	uint8_t hash[CRYPTO_HASH];
	char hex[2 * CRYPTO_HASH + 1];

	if (crypto_sha256(text, hash) < 0)
		return false;
	if (bins) {
		if ((*at)++ > 0)
			return false;
		name_bin(bins, hash, ret_delegation->name);
		ret_delegation->by = signers(delegations, bins);
		ret_delegation->terminating = true;
		return true;
	}
	hex_write(hash, sizeof(hash), hex);
	while (*at < json_array_size(roles)) {
		role = json_array_get(roles, (*at)++);
		if (!is_entrusted(role, path, hex))
			continue;
		snprintf(ret_delegation->name, DELEGATION_NAME_MAX, "%s",
			 json_string_value(json_object_get(role, "name")));
		ret_delegation->by = signers(delegations, role);
		ret_delegation->terminating = json_is_true(json_object_get(role, "terminating"));
		return true;
	}
	return false;
}

bool delegation_named(const json_t *delegations, const char *name, struct tuf_signers *ret_by)
{
	const json_t *role;
	size_t i;

	json_array_foreach (json_object_get(delegations, "roles"), i, role) {
		if (strcmp(json_string_value(json_object_get(role, "name")), name) != 0)
			continue;
		*ret_by = signers(delegations, role);
		return true;
	}
	return false;
}
