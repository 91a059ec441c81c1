#include "update/repo/body.h"

#include <errno.h>
#include <string.h>

#include "base/hex.h"
#include "update/tuf/metadata.h"

#define SPEC "1.0.31"

static json_t *whole(json_t *body)
{
	return json_pack("{s:o,s:[]}", "signed", body, "signatures");
}

static json_t *signed_part(const json_t *w)
{
	return json_object_get(w, "signed");
}

json_t *body_new_root(void)
{
	json_t *roles = json_object();

	for (unsigned i = 0; i < TUF_TYPES; i++)
		if (json_object_set_new(roles, tuf_type_name((enum tuf_type)i),
					json_pack("{s:[],s:i}", "keyids", "threshold", 1)) < 0)
			return NULL;
	return whole(json_pack("{s:s,s:s,s:i,s:s,s:b,s:{},s:o}", "_type", "root", "spec_version",
			       SPEC, "version", 1, "expires", "", "consistent_snapshot", 1, "keys",
			       "roles", roles));
}

json_t *body_new_targets(void)
{
	return whole(json_pack("{s:s,s:s,s:i,s:s,s:{}}", "_type", "targets", "spec_version", SPEC,
			       "version", 1, "expires", "", "targets"));
}

json_t *body_new_online(const char *type)
{
	return whole(json_pack("{s:s,s:s,s:i,s:s,s:{}}", "_type", type, "spec_version", SPEC,
			       "version", 1, "expires", "", "meta"));
}

int body_expire(json_t *w, int64_t at)
{
	char text[TUF_TIME_LEN];

	tuf_time_write(at, text);
	return json_object_set_new(signed_part(w), "expires", json_string(text)) < 0 ? -ENOMEM : 0;
}

json_t *body_keys(const json_t *w)
{
	json_t *keys = json_object_get(signed_part(w), "keys");

	return keys ? keys
		    : json_object_get(json_object_get(signed_part(w), "delegations"), "keys");
}

json_t *body_find_role(const json_t *w, const char *name)
{
	json_t *roles = json_object_get(signed_part(w), "roles"), *role;
	size_t i;

	if (roles)
		return json_object_get(roles, name);
	roles = json_object_get(json_object_get(signed_part(w), "delegations"), "roles");
	json_array_foreach (roles, i, role) {
		const char *n = json_string_value(json_object_get(role, "name"));

		if (n && strcmp(n, name) == 0)
			return role;
	}
	return NULL;
}

static size_t find_id(const json_t *role, const char *id)
{
	const json_t *ids = json_object_get(role, "keyids");
	json_t *entry;
	size_t i;

	json_array_foreach (ids, i, entry)
		if (strcmp(json_string_value(entry), id) == 0)
			return i;
	return SIZE_MAX;
}

int body_add_key(json_t *keys, json_t *role, const char *id, json_t *key)
{
	if (json_object_set(keys, id, key) < 0)
		return -ENOMEM;
	if (find_id(role, id) != SIZE_MAX)
		return 0;
	return json_array_append_new(json_object_get(role, "keyids"), json_string(id)) < 0 ? -ENOMEM
											   : 0;
}

int body_remove_key(json_t *role, const char *id)
{
	size_t at = find_id(role, id);

	if (at == SIZE_MAX)
		return -ENOENT;
	return json_array_remove(json_object_get(role, "keyids"), at) < 0 ? -ENOMEM : 0;
}

static bool is_used(const json_t *roles, const char *id)
{
	json_t *role;
	const char *name;
	size_t i;

	if (json_is_array(roles)) {
		json_array_foreach (roles, i, role)
			if (find_id(role, id) != SIZE_MAX)
				return true;
		return false;
	}
	json_object_foreach ((json_t *)roles, name, role)
		if (find_id(role, id) != SIZE_MAX)
			return true;
	return false;
}

void body_tidy_keys(json_t *keys, const json_t *roles)
{
	const char *id;
	json_t *key;
	void *next;

	json_object_foreach_safe(keys, next, id, key) if (!is_used(roles, id))
		json_object_del(keys, id);
}

int body_delegate(json_t *w, const char *name, const json_t *paths, bool terminating,
		  json_t **ret_role)
{
	json_t *delegations = json_object_get(signed_part(w), "delegations"), *role;

	if (!delegations) {
		delegations = json_pack("{s:{},s:[]}", "keys", "roles");
		if (json_object_set_new(signed_part(w), "delegations", delegations) < 0)
			return -ENOMEM;
	}
	role = json_pack("{s:s,s:[],s:i,s:b,s:O}", "name", name, "keyids", "threshold", 1,
			 "terminating", terminating, "paths", paths);
	if (json_array_append_new(json_object_get(delegations, "roles"), role) < 0)
		return -ENOMEM;
	*ret_role = role;
	return 0;
}

int body_add_target(json_t *w, const char *name, const struct tuf_file *file, json_t *custom)
{
	char hex[HASH_HEX_MAX];
	json_t *entry;

	if (!file->known[HASH_SHA256])
		return -EINVAL;
	hex_write(file->hash[HASH_SHA256], 32, hex);
	entry = json_pack("{s:I,s:{s:s}}", "length", (json_int_t)file->length, "hashes", "sha256",
			  hex);
	if (entry && custom && json_object_set(entry, "custom", custom) < 0) {
		json_decref(entry);
		return -ENOMEM;
	}
	return json_object_set_new(json_object_get(signed_part(w), "targets"), name, entry) < 0
		       ? -ENOMEM
		       : 0;
}
