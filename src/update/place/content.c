#include "update/place/content.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/newfile.h"
#include "update/fetch/listing.h"
#include "update/place/place.h"
#include "update/place/release.h"

#define TEXT_MAX (8u << 20) /* bytes of a file */

struct content {
	int place, all, set; /* updates.dir, borrowed; content/; the set that is made */
	unsigned number;
	char part[32];
	bool changed;
	json_t *manifest;
};

static const char *folder_of(const char *kind)
{
	return strcmp(kind, "profile") == 0 ? "profiles"
	       : strcmp(kind, "rules") == 0 ? "rules"
					    : "advisories";
}

static unsigned number_of(const char *name)
{
	return strspn(name, "0123456789") == strlen(name) ? (unsigned)strtoul(name, NULL, 10) : 0;
}

static int open_all(int place)
{
	int fd;

	if (mkdirat(place, "content", 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(place, "content", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static unsigned linked(int place, const char *link)
{
	char path[32], name[PLACE_NAME];

	snprintf(path, sizeof(path), "content/%s", link);
	place_link(place, path, name);
	return number_of(name);
}

unsigned content_number(int place)
{
	return linked(place, "current");
}

json_t *content_manifest(int place)
{
	int fd = openat(place, "content/current/manifest.json", O_RDONLY | O_CLOEXEC);
	struct bytes text = {0};
	json_t *list = NULL;

	if (fd >= 0 && file_read_fd(fd, TEXT_MAX, &text) == 0)
		list = json_loadb((const char *)text.data, text.len, 0, NULL);
	free((void *)text.data);
	if (fd >= 0)
		close(fd);
	if (!json_is_array(list)) {
		json_decref(list);
		list = json_array();
	}
	return list;
}

static int point(int all, const char *link, unsigned number)
{
	char name[16] = "";

	if (number)
		snprintf(name, sizeof(name), "%u", number);
	return place_point(all, link, "", name);
}

int content_back(int place, unsigned number)
{
	int all = open_all(place), err;

	if (all < 0)
		return all;
	err = point(all, "current", number);
	close(all);
	return err;
}

/* --- making one ----------------------------------------------------------------- */

/* One above all that are there, whether in use or not. */
static unsigned next_number(int all)
{
	int fd = openat(all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	unsigned most = 0;

	while (d && (entry = readdir(d)))
		if (number_of(entry->d_name) > most)
			most = number_of(entry->d_name);
	if (d)
		closedir(d);
	return most + 1;
}

static int make_folders(struct content *c)
{
	static const char *const folders[] = {"profiles", "rules", "advisories"};

	release_remove(c->all, c->part); /* of a run that was interrupted */
	if (mkdirat(c->all, c->part, 0755) < 0)
		return -errno;
	c->set = openat(c->all, c->part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (c->set < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (mkdirat(c->set, folders[i], 0755) < 0)
			return -errno;
	return 0;
}

static int link_into(struct content *c, const char *from, const char *kind, const char *file)
{
	char to[PLACE_NAME + 32];

	snprintf(to, sizeof(to), "%s/%s", folder_of(kind), file);
	if (unlinkat(c->set, to, 0) < 0 && errno != ENOENT)
		return -errno;
	return linkat(c->place, from, c->set, to, 0) < 0 ? -errno : 0;
}

/* What is in use goes on. */
static int carry_over(struct content *c)
{
	const json_t *item;
	size_t i;
	int err = 0;

	json_array_foreach (c->manifest, i, item) {
		const char *kind = listing_text(item, "kind"), *file = listing_text(item, "file");
		char from[PLACE_NAME + 64];

		if (err < 0 || !place_name_is_good(file))
			break;
		snprintf(from, sizeof(from), "content/current/%s/%s", folder_of(kind), file);
		err = link_into(c, from, kind, file);
	}
	return err;
}

static void release(struct content *c)
{
	json_decref(c->manifest);
	if (c->set >= 0)
		close(c->set);
	if (c->all >= 0)
		close(c->all);
	free(c);
}

static void abandon(struct content *c)
{
	if (!c)
		return;
	if (c->all >= 0)
		release_remove(c->all, c->part);
	release(c);
}

int content_begin(int place, struct content **ret_content, struct tuf_error *e)
{
	struct content *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return tuf_fail(e, -ENOMEM, "out of memory");
	*c = (struct content){.place = place, .set = -1, .all = open_all(place)};
	err = c->all < 0 ? c->all : 0;
	if (err == 0) {
		c->number = next_number(c->all);
		snprintf(c->part, sizeof(c->part), NEWFILE_PREFIX "set");
		c->manifest = content_manifest(place);
		err = c->manifest ? make_folders(c) : -ENOMEM;
	}
	if (err == 0)
		err = carry_over(c);
	if (err < 0) {
		abandon(c);
		return tuf_fail(e, err, "a new set of profiles and rules cannot be made: %s",
				strerror(-err));
	}
	*ret_content = c;
	return 0;
}

/* A profile that nobody could load must not come so far that somebody tries. */
static int judge(int place, const char *from, const char *kind, const char *file,
		 struct tuf_error *e)
{
	struct config_error error = {0};
	struct bytes text = {0};
	size_t errors = 0, len = strlen(file);
	struct config_profile *p;
	int fd, err;

	if (strcmp(kind, "profile") != 0)
		return 0;
	if (len < 6 || strcmp(file + len - 5, ".yaml") != 0)
		return tuf_fail(e, -EINVAL, "profile %s: expected a name that ends with .yaml",
				file);
	fd = openat(place, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	err = fd < 0 ? -errno : file_read_fd(fd, TEXT_MAX, &text);
	if (fd >= 0)
		close(fd);
	if (err < 0)
		return tuf_fail(e, err, "profile %s: %s", file, strerror(-err));
	p = config_profile_parse(file, text, &error, 1, &errors);
	free((void *)text.data);
	if (!p)
		return tuf_fail(e, -EINVAL, "profile %s:%u:%u: %.300s", file, error.line,
				error.column, error.text);
	config_profile_free(p);
	return 0;
}

/* The item that a target replaces; or -1. *ret_taken: another has its file's name. */
static int find(const struct content *c, const char *name, const char *kind, const char *file,
		bool *ret_taken)
{
	const json_t *item;
	size_t i;
	int found = -1;

	*ret_taken = false;
	json_array_foreach (c->manifest, i, item) {
		if (strcmp(listing_text(item, "name"), name) == 0)
			found = (int)i;
		else if (strcmp(listing_text(item, "kind"), kind) == 0 &&
			 strcmp(listing_text(item, "file"), file) == 0)
			*ret_taken = true;
	}
	return found;
}

int content_put(struct content *c, const json_t *target, const char *file, struct tuf_error *e)
{
	const char *name = listing_text(target, "name"), *kind = listing_text(target, "kind");
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	char from[512];
	bool taken;
	json_t *item;
	int at, err;

	if (!place_name_is_good(base) || !listing_is_content(kind))
		return tuf_fail(e, -EINVAL,
				"'%.100s' has a name that is no file's: letters, digits and .+~-, "
				"less than %d of them",
				name, PLACE_NAME);
	at = find(c, name, kind, base, &taken);
	if (taken)
		return tuf_fail(e, -EINVAL, "'%.100s': another target's file has that name", name);
	snprintf(from, sizeof(from), "targets/%.300s", file);
	err = judge(c->place, from, kind, base, e);
	if (err < 0)
		return err;
	err = link_into(c, from, kind, base);
	if (err < 0)
		return tuf_fail(e, err, "'%.100s' cannot be put in place: %s", name,
				strerror(-err));
	item = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "kind", kind, "version",
			 listing_text(target, "version"), "role", listing_text(target, "role"),
			 "sha256", listing_text(target, "sha256"), "file", base);
	if (!item)
		return tuf_fail(e, -ENOMEM, "out of memory");
	c->changed = true;
	if (at >= 0)
		json_array_set_new(c->manifest, (size_t)at, item);
	else
		json_array_append_new(c->manifest, item);
	return 0;
}

/* All but the set in use and the one that may be next. */
static void tidy(int all, unsigned now, unsigned before)
{
	int fd = openat(all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		unsigned n = number_of(entry->d_name);

		if (n && n != now && n != before)
			release_remove(all, entry->d_name);
	}
	if (d)
		closedir(d);
}

static int finish(struct content *c)
{
	char *text = json_dumps(c->manifest, JSON_INDENT(1)), name[16];
	int err = text ? place_note(c->set, "manifest.json", text) : -ENOMEM;

	free(text);
	snprintf(name, sizeof(name), "%u", c->number);
	/* Links to files that are on the disk already; the folders that hold them are not. */
	if (err == 0 && syncfs(c->set) < 0)
		err = -errno;
	if (err == 0 && renameat(c->all, c->part, c->all, name) < 0)
		err = -errno;
	if (err == 0 && fsync(c->all) < 0)
		err = -errno;
	return err == 0 ? point(c->all, "next", c->number) : err;
}

int content_commit(struct content *c, unsigned *ret_number, struct tuf_error *e)
{
	int err;

	if (!c->changed) { /* nothing of it was any good */
		*ret_number = content_number(c->place);
		abandon(c);
		return 0;
	}
	err = finish(c);

	if (err < 0) {
		abandon(c);
		return tuf_fail(e, err, "a new set of profiles and rules cannot be kept: %s",
				strerror(-err));
	}
	tidy(c->all, c->number, content_number(c->place));
	*ret_number = c->number;
	release(c);
	return 0;
}

int content_adopt(int place, unsigned number)
{
	unsigned before = content_number(place);
	int all = open_all(place), err;

	if (all < 0)
		return all;
	err = point(all, "previous", before);
	if (err == 0)
		err = point(all, "current", number);
	close(all);
	return err;
}
