#include "update/fetch/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "update/fetch/listing.h"
#include "update/fetch/mirror.h"
#include "update/place/deb_version.h"
#include "update/tuf/client.h"
#include "update/tuf/local.h"

struct look {
	const struct fetch_options *o;
	char metadata[PATH_MAX], targets[PATH_MAX];
	int store;
	json_t *report;
};

static void name_folders(const char *dir, char ret_metadata[PATH_MAX], char ret_targets[PATH_MAX])
{
	snprintf(ret_metadata, PATH_MAX, "%s/metadata", dir);
	snprintf(ret_targets, PATH_MAX, "%s/targets", dir);
}

int fetch_begin(const char *dir, struct bytes root, struct tuf_error *e)
{
	char metadata[PATH_MAX], targets[PATH_MAX], path[PATH_MAX + 16];

	name_folders(dir, metadata, targets);
	snprintf(path, sizeof(path), "%s/root.json", metadata);
	return access(path, F_OK) == 0 ? 0 : tuf_init(metadata, root, e);
}

static void note_error(struct look *l, const char *where, const struct tuf_error *e)
{
	char text[sizeof(e->text) + 300];

	snprintf(text, sizeof(text), "%.280s%s%s", where, *where ? ": " : "", e->text);
	json_object_set_new(l->report, "error", json_string(text));
}

/* --- targets ------------------------------------------------------------------ */

/* Of the releases only the newest that this machine can run. */
static bool is_superseded(const json_t *list, const json_t *target)
{
	const json_t *other;
	size_t i;

	json_array_foreach (list, i, other)
		if (listing_is_gateway(listing_text(other, "kind")) && listing_fits(other) &&
		    deb_version_compare(listing_text(other, "version"),
					listing_text(target, "version")) > 0)
			return true;
	return false;
}

static bool is_wanted(const struct fetch_options *o, const json_t *list, const json_t *target)
{
	const char *kind = listing_text(target, "kind");

	if (listing_is_gateway(kind))
		return listing_fits(target) && !is_superseded(list, target);
	if (listing_is_firmware(kind))
		return o->wants && o->wants(o->arg, list, target);
	return listing_is_content(kind);
}

static int fetch_target(struct look *l, struct tuf *t, struct tuf_source *source, json_t *target,
			struct tuf_error *e)
{
	const char *name = listing_text(target, "name");
	struct tuf_file file;
	bool cached;
	int err = tuf_find(t, name, &file, NULL, NULL, e);

	if (err == 0)
		err = tuf_download(t, name, &file, source, l->targets, &cached, NULL, e);
	json_object_set_new(target, "there", json_boolean(err == 0));
	return err;
}

/* Each has its try, so that one that is broken keeps no other from coming. */
static void fetch_targets(struct look *l, struct tuf *t, const char *mirror, json_t *list)
{
	char url[PATH_MAX];
	struct tuf_source *source = NULL;
	struct tuf_error e;
	json_t *target;
	size_t i;

	snprintf(url, sizeof(url), "%s/targets", mirror);
	if (tuf_http_new(url, &source, &e) < 0) {
		note_error(l, "", &e);
		return;
	}
	tuf_http_limit(source, l->o->bytes_per_s, l->o->stop, l->o->arg);
	json_array_foreach (list, i, target) {
		if (!is_wanted(l->o, list, target))
			continue;
		if (fetch_target(l, t, source, target, &e) < 0)
			note_error(l, "", &e);
		if (l->o->stop && l->o->stop(l->o->arg))
			break;
	}
	tuf_source_free(source);
	listing_sweep(l->targets, list);
}

/* Firmware that a stick brought: verified once more while it is copied. */
static void copy_targets(struct look *l, struct tuf *t, json_t *list)
{
	char path[2 * PATH_MAX], *name;
	struct tuf_source *source;
	struct tuf_error e;
	json_t *target;
	size_t i;
	int fd;

	json_array_foreach (list, i, target) {
		if (!listing_is_firmware(listing_text(target, "kind")) ||
		    !is_wanted(l->o, list, target))
			continue;
		name = local_name(listing_text(target, "name"), "");
		snprintf(path, sizeof(path), "%s/targets/%s", l->o->place, name ? name : "");
		free(name);
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		source = fd < 0 ? NULL : mirror_of_file(fd);
		if (source && fetch_target(l, t, source, target, &e) < 0)
			note_error(l, path, &e);
		tuf_source_free(source);
		if (fd >= 0)
			close(fd);
	}
}

/* `mirror` NULL: of what a stick brought. */
static void take_stock(struct look *l, struct tuf *t, const char *mirror)
{
	const struct listing_ask ask = {l->targets, l->o->roles, l->o->role_count};
	struct tuf_error e;
	bool more = false;
	json_t *list = listing_make(t, &ask, &more, &e);

	json_object_set_new(l->report, "expires", json_integer(tuf_expires(t)));
	if (!list) {
		note_error(l, mirror ? mirror : l->o->place, &e);
		return;
	}
	if (mirror)
		fetch_targets(l, t, mirror, list);
	else
		copy_targets(l, t, list);
	json_object_set_new(l->report, "targets", list);
	json_object_set_new(l->report, "more", json_boolean(more));
}

/* --- a mirror ------------------------------------------------------------------ */

/* Takes `of` over; what comes out of it in *ret_source and *ret_tuf is the caller's in any case. */
static int refresh(struct look *l, struct tuf_source *of, struct tuf_source **ret_source,
		   struct tuf **ret_tuf, struct tuf_error *e)
{
	struct tuf_source *source = of ? mirror_keep_roots(of, l->store) : NULL;
	int64_t versions[4];
	int err;

	if (!source) {
		tuf_source_free(of);
		return tuf_fail(e, -ENOMEM, "out of memory");
	}
	*ret_source = source;
	err = tuf_open(l->metadata, source, tuf_now(l->metadata), ret_tuf, e);
	if (err < 0)
		return err;
	err = tuf_refresh(*ret_tuf, e);
	tuf_versions(*ret_tuf, versions);
	mirror_settle(l->store, versions[0]);
	return err;
}

static int refresh_from(struct look *l, const char *mirror, struct tuf_source **ret_source,
			struct tuf **ret_tuf, struct tuf_error *e)
{
	struct tuf_source *http;
	char url[PATH_MAX];
	int err;

	snprintf(url, sizeof(url), "%s/metadata", mirror);
	err = tuf_http_new(url, &http, e);
	if (err < 0)
		return err;
	tuf_http_limit(http, l->o->bytes_per_s, l->o->stop, l->o->arg);
	return refresh(l, http, ret_source, ret_tuf, e);
}

static bool try_mirror(struct look *l, const char *mirror)
{
	struct tuf_source *source = NULL;
	struct tuf *t = NULL;
	struct tuf_error e;
	int err = refresh_from(l, mirror, &source, &t, &e);

	if (err == 0) {
		json_object_set_new(l->report, "fresh", json_true());
		json_object_set_new(l->report, "mirror", json_string(mirror));
		json_object_del(l->report, "error"); /* of mirrors before it */
		take_stock(l, t, mirror);
	} else {
		note_error(l, "", &e);
	}
	tuf_close(t);
	tuf_source_free(source);
	return err == 0;
}

/* What a stick brought to this machine is a mirror like any other; where it is older than what is
 * known it is passed over. */
static void try_stick(struct look *l)
{
	struct tuf_source *source = NULL;
	struct tuf *t = NULL;
	struct tuf_error e;
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/metadata", l->o->place);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (refresh(l, mirror_of_folder(fd), &source, &t, &e) == 0) {
		json_object_set_new(l->report, "fresh", json_true());
		take_stock(l, t, NULL);
	} else if (!l->o->mirror_count) {
		note_error(l, l->o->place, &e);
	}
	tuf_close(t);
	tuf_source_free(source);
	close(fd);
}

json_t *fetch_look(const struct fetch_options *o)
{
	struct look l = {.o = o, .report = json_object()};
	struct tuf_error e;

	if (!l.report)
		return NULL;
	json_object_set_new(l.report, "at", json_integer((json_int_t)time(NULL)));
	json_object_set_new(l.report, "fresh", json_false());
	name_folders(o->dir, l.metadata, l.targets);
	l.store = local_folder(l.metadata);
	if (l.store < 0) {
		tuf_fail(&e, l.store, "%s: %s", l.metadata, strerror(-l.store));
		note_error(&l, "", &e);
		return l.report;
	}
	for (unsigned i = 0; i < o->mirror_count; i++)
		if (try_mirror(&l, o->mirrors[i]) || (o->stop && o->stop(o->arg)))
			break;
	if (o->place && !(o->stop && o->stop(o->arg)))
		try_stick(&l);
	close(l.store);
	return l.report;
}
