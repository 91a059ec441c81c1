#include "update/place/install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "update/fetch/listing.h"
#include "update/fetch/mirror.h"
#include "update/place/content.h"
#include "update/place/place.h"
#include "update/place/release.h"
#include "update/tuf/client.h"
#include "update/tuf/local.h"

struct install {
	const struct install_options *o;
	int place;
	char metadata[PATH_MAX], targets[PATH_MAX];
	struct tuf *tuf; /* refreshed; NULL: nothing can be verified */
	struct tuf_source *source;
	int source_fd;
	struct content *content; /* the set that is made; NULL: none yet */
	json_t *report, *failed, *took;
};

static int open_below(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* --- metadata ------------------------------------------------------------------- */

static void close_tuf(struct install *i)
{
	tuf_close(i->tuf);
	tuf_source_free(i->source);
	if (i->source_fd >= 0)
		close(i->source_fd);
	i->tuf = NULL;
	i->source = NULL;
	i->source_fd = -1;
}

/* Takes `fd`, a folder of metadata, as the mirror. */
static int refresh_from(struct install *i, int fd, struct tuf_error *e)
{
	int err;

	if (fd < 0)
		return tuf_fail(e, fd, "there is nothing that was fetched");
	i->source_fd = fd;
	i->source = mirror_of_folder(fd);
	err = i->source ? tuf_open(i->metadata, i->source, tuf_now(i->metadata), &i->tuf, e)
			: tuf_fail(e, -ENOMEM, "out of memory");
	if (err == 0)
		err = tuf_refresh(i->tuf, e);
	if (err < 0)
		close_tuf(i);
	return err;
}

/*
 * From what was fetched; where that is no good, older than what a stick brought, say, from what is
 * here: nothing newer is known then, and all of it is verified again.
 */
static int refresh(struct install *i, struct tuf_error *e)
{
	struct tuf_error first;
	int err = -ENOENT, fd;

	if (i->o->mirror >= 0)
		err = refresh_from(i, open_below(i->o->mirror, "metadata"), &first);
	if (err == 0)
		return 0;
	fd = open(i->metadata, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = refresh_from(i, fd < 0 ? -errno : fd, e);
	if (err < 0 && i->o->mirror >= 0)
		*e = first;
	return err;
}

static int begin(struct install *i, struct tuf_error *e)
{
	char path[PATH_MAX + 16];
	int err = local_folder(i->o->dir);

	if (err < 0)
		return tuf_fail(e, err, "%s: %s", i->o->dir, strerror(-err));
	i->place = err;
	snprintf(i->metadata, sizeof(i->metadata), "%s/metadata", i->o->dir);
	snprintf(i->targets, sizeof(i->targets), "%s/targets", i->o->dir);
	snprintf(path, sizeof(path), "%s/root.json", i->metadata);
	if (access(path, F_OK) == 0)
		return 0;
	if (!i->o->root.len)
		return tuf_fail(e, -ENOENT,
				"no root is trusted yet: put the repository's root.json where "
				"updates.root says");
	return tuf_init(i->metadata, i->o->root, e);
}

/* --- targets -------------------------------------------------------------------- */

/* Into our own folder of targets, verified while it is copied. */
static int take(struct install *i, const char *name, const char *file, struct tuf_error *e)
{
	int folder = i->o->mirror < 0 ? -ENOENT : open_below(i->o->mirror, "targets");
	int fd = folder < 0 ? -1
			    : openat(folder, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct tuf_source *source = mirror_of_file(fd);
	struct tuf_file known;
	bool cached;
	int err = source ? tuf_find(i->tuf, name, &known, NULL, NULL, e)
			 : tuf_fail(e, -ENOMEM, "out of memory");

	if (err == 0)
		err = tuf_download(i->tuf, name, &known, source, i->targets, &cached, NULL, e);
	tuf_source_free(source);
	if (fd >= 0)
		close(fd);
	if (folder >= 0)
		close(folder);
	return err;
}

static int unpack(struct install *i, const json_t *target, const char *file, struct tuf_error *e)
{
	const char *version = listing_text(target, "version");
	char path[PATH_MAX + 300];
	int fd, err;

	if (!listing_fits(target))
		return tuf_fail(e, -EINVAL, "release %s is for another kind of machine, %.32s",
				version, listing_text(target, "arch"));
	if (*i->o->running && strcmp(version, i->o->running) == 0)
		return tuf_fail(e, -EBUSY,
				"release %s runs: another of that name cannot take its "
				"place",
				version);
	snprintf(path, sizeof(path), "%s/%s", i->targets, file);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return tuf_fail(e, -errno, "%s: %s", path, strerror(errno));
	err = release_unpack(i->place, fd, version, listing_text(target, "sha256"), e);
	close(fd);
	return err;
}

static int put(struct install *i, const json_t *target, const char *file, struct tuf_error *e)
{
	int err = i->content ? 0 : content_begin(i->place, &i->content, e);

	return err == 0 ? content_put(i->content, target, file, e) : err;
}

static int install(struct install *i, const json_t *target, struct tuf_error *e)
{
	const char *name = listing_text(target, "name"), *kind = listing_text(target, "kind");
	char *file = local_name(name, "");
	int err = file ? take(i, name, file, e) : tuf_fail(e, -ENOMEM, "out of memory");

	if (err == 0 && listing_is_gateway(kind))
		err = unpack(i, target, file, e);
	else if (err == 0 && listing_is_content(kind))
		err = put(i, target, file, e);
	free(file);
	return err;
}

static void install_all(struct install *i, const json_t *names, const json_t *listing)
{
	const json_t *name, *target;
	struct tuf_error e;
	size_t n;

	json_array_foreach (names, n, name) {
		const char *text = json_string_value(name);
		int err;

		if (!text)
			continue;
		target = listing_find(listing, "name", text);
		err = target ? install(i, target, &e)
			     : tuf_fail(&e, -ENOENT, "the repository does not list it");
		if (err == 0)
			json_array_append_new(i->took, json_string(text));
		else
			json_array_append_new(
				i->failed,
				json_pack("{s:s, s:s, s:s, s:b}", "name", text, "sha256",
					  target ? listing_text(target, "sha256") : "", "error",
					  e.text, "final", err == -EINVAL || err == -EBADMSG));
	}
}

/* --- what is in place ------------------------------------------------------------ */

static bool is_installed(const struct install *i, const json_t *manifest, const json_t *target)
{
	const json_t *item = listing_find(manifest, "name", listing_text(target, "name"));

	if (listing_is_gateway(listing_text(target, "kind")))
		return release_is_there(i->place, listing_text(target, "version"),
					listing_text(target, "sha256"));
	return item && strcmp(listing_text(item, "sha256"), listing_text(target, "sha256")) == 0;
}

static json_t *releases(int place)
{
	int fd = openat(place, "releases", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	json_t *list = json_array();

	while (d && (entry = readdir(d)))
		if (place_name_is_good(entry->d_name))
			json_array_append_new(list, json_string(entry->d_name));
	if (d)
		closedir(d);
	return list;
}

static void report_outcome(struct install *i)
{
	char note[PLACE_NOTE], what[16], to[PLACE_NAME], from[PLACE_NAME], why[300];

	place_read(i->place, "outcome", note);
	if (!*note)
		return;
	place_line(note, 0, what, sizeof(what));
	place_line(note, 1, to, sizeof(to));
	place_line(note, 2, from, sizeof(from));
	place_line(note, 3, why, sizeof(why));
	json_object_set_new(i->report, "outcome",
			    json_pack("{s:s, s:s, s:s, s:s}", "what", what, "to", to, "from", from,
				      "why", why));
}

static void report(struct install *i, json_t *listing)
{
	json_t *manifest = content_manifest(i->place), *target;
	char current[PLACE_NAME];
	size_t n;

	json_array_foreach (listing, n, target)
		json_object_set_new(target, "installed",
				    json_boolean(is_installed(i, manifest, target)));
	json_decref(manifest);
	place_link(i->place, "current", current);
	json_object_set_new(i->report, "content", json_integer(content_number(i->place)));
	json_object_set_new(i->report, "releases", releases(i->place));
	json_object_set_new(i->report, "current", json_string(current));
	if (i->tuf)
		json_object_set_new(i->report, "expires", json_integer(tuf_expires(i->tuf)));
	report_outcome(i);
}

/* Releases that nobody goes back to any more. */
static void tidy(struct install *i, const json_t *listing)
{
	char current[PLACE_NAME], note[PLACE_NOTE], to[PLACE_NAME], from[PLACE_NAME];
	const char *keep[4 + LISTING_MAX];
	const json_t *target;
	unsigned count = 0;
	size_t n;

	place_link(i->place, "current", current);
	place_read(i->place, "outcome", note);
	place_line(note, 1, to, sizeof(to));
	place_line(note, 2, from, sizeof(from));
	keep[count++] = current;
	keep[count++] = to;
	keep[count++] = from;
	keep[count++] = i->o->running;
	json_array_foreach (listing, n, target)
		if (listing_is_gateway(listing_text(target, "kind")) && n < LISTING_MAX)
			keep[count++] = listing_text(target, "version");
	release_tidy(i->place, keep, count);
	listing_sweep(i->targets, listing);
}

static json_t *list(struct install *i, struct tuf_error *e)
{
	const struct listing_ask ask = {i->targets, i->o->roles, i->o->role_count};
	bool more = false;
	json_t *listing = listing_make(i->tuf, &ask, &more, e);

	if (listing)
		json_object_set_new(i->report, "targets", listing);
	return listing;
}

json_t *install_run(const struct install_options *o, const json_t *names,
		    struct install_sets *ret_sets)
{
	struct install i = {.o = o,
			    .place = -1,
			    .source_fd = -1,
			    .report = json_object(),
			    .failed = json_array(),
			    .took = json_array()};
	struct tuf_error e;
	json_t *listing = NULL;
	int err = begin(&i, &e);

	ret_sets->before = i.place < 0 ? 0 : content_number(i.place);
	if (err == 0)
		err = refresh(&i, &e);
	if (err == 0) {
		listing = list(&i, &e);
		err = listing ? 0 : -EIO;
	}
	if (err == 0)
		install_all(&i, names, listing);
	else
		json_object_set_new(i.report, "error", json_string(e.text));
	ret_sets->now = ret_sets->before;
	if (i.content && content_commit(i.content, &ret_sets->now, &e) < 0)
		json_object_set_new(i.report, "error", json_string(e.text));
	if (i.place >= 0) {
		if (listing)
			tidy(&i, listing);
		report(&i, listing);
		close_tuf(&i);
		close(i.place);
	}
	json_object_set_new(i.report, "took", i.took);
	json_object_set_new(i.report, "failed", i.failed);
	return i.report;
}
