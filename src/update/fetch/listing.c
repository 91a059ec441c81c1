#include "update/fetch/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/newfile.h"
#include "update/place/place.h"
#include "update/tuf/local.h"

#define NAME_BYTES 256 /* of a target's path, that we follow */
#define TEXT_BYTES 96

struct making {
	struct tuf *t;
	const struct listing_ask *ask;
	const char *role;
	json_t *list;
	bool more;
};

const char *listing_text(const json_t *target, const char *key)
{
	const char *s = json_string_value(json_object_get(target, key));

	return s ? s : "";
}

bool listing_is_content(const char *kind)
{
	return strcmp(kind, "profile") == 0 || strcmp(kind, "rules") == 0 ||
	       strcmp(kind, "advisory") == 0;
}

bool listing_is_gateway(const char *kind)
{
	return strcmp(kind, "gateway") == 0;
}

bool listing_is_firmware(const char *kind)
{
	return strcmp(kind, "firmware") == 0;
}

bool listing_fits(const json_t *target)
{
	const char *arch = listing_text(target, "arch");
	struct utsname u;

	return !*arch || (uname(&u) == 0 && strcmp(arch, u.machine) == 0);
}

static bool is_there(const char *dir, const char *target, int64_t length)
{
	char *name = dir ? local_name(target, "") : NULL, path[4096];
	struct stat st;
	bool there = false;

	if (name && snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path))
		there = lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == length;
	free(name);
	return there;
}

static void set_word(json_t *o, const char *key, const json_t *custom)
{
	const char *s = json_string_value(json_object_get(custom, key));

	if (s && place_name_is_good(s))
		json_object_set_new(o, key, json_string(s));
}

/* Of what a manufacturer calls things: any letters, but none that moves a terminal. */
static void set_text(json_t *o, const char *key, const json_t *custom)
{
	const json_t *v = json_object_get(custom, key);
	const char *s = json_string_value(v);

	if (!s || json_string_length(v) >= TEXT_BYTES || strlen(s) != json_string_length(v))
		return;
	for (const char *at = s; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return;
	json_object_set_new(o, key, json_string(s));
}

static void describe(struct making *m, const char *target, const struct tuf_file *file,
		     const json_t *custom)
{
	char hex[HASH_HEX_MAX];
	json_t *o =
		json_pack("{s:s, s:s, s:s*, s:I, s:b}", "name", target, "role", m->role, "sha256",
			  tuf_file_name(file, hex), "length", (json_int_t)file->length, "there",
			  is_there(m->ask->dir, target, file->length));

	if (!o)
		return;
	set_word(o, "kind", custom);
	set_word(o, "version", custom);
	if (listing_text(custom, "arch")[0]) /* has an underscore */
		json_object_set(o, "arch", json_object_get(custom, "arch"));
	if (listing_is_firmware(listing_text(o, "kind"))) {
		set_text(o, "vendor", custom);
		set_text(o, "model", custom);
		set_text(o, "hardware", custom);
		set_word(o, "needs", custom);
	}
	json_array_append_new(m->list, o);
}

/* Listed there, and is it that role who vouches for it? */
static void add(void *arg, const char *target)
{
	struct making *m = arg;
	struct tuf_file file;
	json_t *custom = NULL;
	char *role = NULL;

	if (strlen(target) >= NAME_BYTES)
		return;
	if (json_array_size(m->list) == LISTING_MAX) {
		m->more = true;
		return;
	}
	if (tuf_find(m->t, target, &file, &role, &custom, NULL) < 0)
		return;
	if (strcmp(role, m->role) == 0)
		describe(m, target, &file, custom);
	free(role);
	json_decref(custom);
}

json_t *listing_make(struct tuf *t, const struct listing_ask *a, bool *ret_more,
		     struct tuf_error *e)
{
	struct making m = {.t = t, .ask = a, .role = "targets", .list = json_array()};
	int err =
		m.list ? tuf_list(t, "targets", add, &m, e) : tuf_fail(e, -ENOMEM, "out of memory");

	for (unsigned i = 0; err == 0 && i < a->role_count; i++) {
		m.role = a->roles[i];
		err = tuf_list(t, m.role, add, &m, e);
	}
	if (err < 0) {
		json_decref(m.list);
		return NULL;
	}
	*ret_more = m.more;
	return m.list;
}

const json_t *listing_find(const json_t *listing, const char *key, const char *text)
{
	const json_t *o;
	size_t i;

	json_array_foreach (listing, i, o)
		if (strcmp(listing_text(o, key), text) == 0)
			return o;
	return NULL;
}

static bool is_same(const json_t *a, const json_t *b)
{
	return strcmp(listing_text(a, "name"), listing_text(b, "name")) == 0 &&
	       strcmp(listing_text(a, "sha256"), listing_text(b, "sha256")) == 0;
}

static bool has_same(const json_t *listing, const json_t *target)
{
	const json_t *o;
	size_t i;

	json_array_foreach (listing, i, o)
		if (is_same(o, target))
			return true;
	return false;
}

static json_t *marked(const json_t *target, const json_t *place)
{
	const json_t *same = listing_find(place, "name", listing_text(target, "name"));
	json_t *copy = json_copy((json_t *)target);

	if (!same || !is_same(same, target))
		return copy;
	json_object_set(copy, "installed", json_object_get(same, "installed"));
	if (json_is_true(json_object_get(same, "there")))
		json_object_set_new(copy, "there", json_true());
	return copy;
}

json_t *listing_merge(const json_t *fetched, const json_t *place, bool place_is_newer)
{
	json_t *list = json_array();
	const json_t *o;
	size_t i;

	for (unsigned round = 0; round < 2; round++)
		json_array_foreach ((round == 0) == place_is_newer ? place : fetched, i, o)
			if (!has_same(list, o))
				json_array_append_new(list, marked(o, place));
	return list;
}

static bool is_listed(const json_t *listing, const char *file)
{
	const json_t *target;
	size_t i;

	json_array_foreach (listing, i, target) {
		char *name = local_name(listing_text(target, "name"), "");
		bool same = name && strcmp(name, file) == 0;

		free(name);
		if (same)
			return true;
	}
	return false;
}

void listing_sweep(const char *dir, const json_t *listing)
{
	DIR *d = opendir(dir);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && !is_listed(listing, entry->d_name))
			unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
}
