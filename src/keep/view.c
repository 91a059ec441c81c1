#include "keep/view.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"

#define SWEEP_NS (5 * NSEC_PER_SEC) /* no oftener all names are held against the vault */

struct view {
	struct vault *v;
	const char *class;
	struct view_node root;
	struct view_node **by_name, **by_id;
	size_t buckets, count; /* buckets: a power of two */
	uint64_t next_ino;
	int64_t last_id, last_put_ns; /* the newest name that was seen */
	int64_t version, sweep_ns;
	struct hash_key key;
};

/* --- tables -------------------------------------------------------------------------------- */

static size_t name_bucket(const struct view *t, const struct view_node *folder, const char *name)
{
	struct hash_key k = t->key;

	k.k[0] ^= folder->ino;
	return hash_bytes(&k, name, strlen(name)) & (t->buckets - 1);
}

static size_t id_bucket(const struct view *t, int64_t id)
{
	return hash_bytes(&t->key, &id, sizeof(id)) & (t->buckets - 1);
}

static void link_name(struct view *t, struct view_node *n)
{
	struct view_node **b = &t->by_name[name_bucket(t, n->parent, n->name)];

	n->bucket = *b;
	*b = n;
}

static void unlink_name(struct view *t, struct view_node *n)
{
	struct view_node **b = &t->by_name[name_bucket(t, n->parent, n->name)];

	while (*b != n)
		b = &(*b)->bucket;
	*b = n->bucket;
}

static void link_id(struct view *t, struct view_node *n)
{
	struct view_node **b = &t->by_id[id_bucket(t, n->id)];

	n->bucket_id = *b;
	*b = n;
}

static void unlink_id(struct view *t, struct view_node *n)
{
	struct view_node **b = &t->by_id[id_bucket(t, n->id)];

	while (*b != n)
		b = &(*b)->bucket_id;
	*b = n->bucket_id;
}

static struct view_node *next_of(const struct view *t, struct view_node *n)
{
	if (n->first)
		return n->first;
	while (n != &t->root && !n->after)
		n = n->parent;
	return n == &t->root ? NULL : n->after;
}

static int grow(struct view *t)
{
	size_t more = t->buckets ? t->buckets * 2 : 1024;
	struct view_node **names = calloc(more, sizeof(*names));
	struct view_node **ids = calloc(more, sizeof(*ids));

	if (!names || !ids) {
		free(names);
		free(ids);
		return -ENOMEM;
	}
	free(t->by_name);
	free(t->by_id);
	t->by_name = names;
	t->by_id = ids;
	t->buckets = more;
	for (struct view_node *n = next_of(t, &t->root); n; n = next_of(t, n)) {
		link_name(t, n);
		if (n->id)
			link_id(t, n);
	}
	return 0;
}

struct view_node *view_find(struct view *t, struct view_node *folder, const char *name)
{
	struct view_node *n = t->by_name[name_bucket(t, folder, name)];

	while (n && (n->parent != folder || strcmp(n->name, name) != 0))
		n = n->bucket;
	return n;
}

static struct view_node *find_id(struct view *t, int64_t id)
{
	struct view_node *n = t->by_id[id_bucket(t, id)];

	while (n && n->id != id)
		n = n->bucket_id;
	return n;
}

/* --- nodes ---------------------------------------------------------------------------------- */

static void free_node(struct view_node *n)
{
	free(n->name);
	free(n);
}

/* Takes `name`, which is malloc()ed. NULL: no memory. */
static struct view_node *add_node(struct view *t, struct view_node *folder, char *name,
				  const struct view_node *like)
{
	struct view_node *n = malloc(sizeof(*n));

	if (!n || !name || (t->count >= t->buckets && grow(t) < 0)) {
		free(n);
		free(name);
		return NULL;
	}
	*n = *like;
	n->parent = folder;
	n->name = name;
	n->ino = t->next_ino++;
	n->before = folder->last;
	*(folder->last ? &folder->last->after : &folder->first) = n;
	folder->last = n;
	link_name(t, n);
	if (n->id)
		link_id(t, n);
	t->count++;
	return n;
}

/* And the folders that are empty then. */
static void remove_node(struct view *t, struct view_node *n)
{
	while (n != &t->root && !n->first) {
		struct view_node *folder = n->parent;

		unlink_name(t, n);
		if (n->id)
			unlink_id(t, n);
		*(n->before ? &n->before->after : &folder->first) = n->after;
		*(n->after ? &n->after->before : &folder->last) = n->before;
		n->gone = true;
		n->parent = NULL;
		t->count--;
		if (!n->refs)
			free_node(n);
		n = folder;
	}
}

void view_drop(struct view *t, struct view_node *n, uint64_t count)
{
	if (n == &t->root)
		return;
	n->refs -= count < n->refs ? count : n->refs;
	if (n->gone && !n->refs)
		free_node(n);
}

/* NAME~15fc7a0c, and if even that is taken NAME~17. */
static char *other_name(struct view *t, const struct view_node *folder, const char *name,
			const uint8_t address[8], int64_t id)
{
	char text[NAME_MAX + 1];
	int most = (int)strnlen(name, NAME_MAX - 21);

	snprintf(text, sizeof(text), "%.*s~%02x%02x%02x%02x", most, name, address[0], address[1],
		 address[2], address[3]);
	if (view_find(t, (struct view_node *)folder, text))
		snprintf(text, sizeof(text), "%.*s~%lld", most, name, (long long)id);
	return strdup(text);
}

/* Makes room for a newer one of its name, or for a folder. */
static int give_way(struct view *t, struct view_node *n)
{
	char *name = other_name(t, n->parent, n->name, n->address, n->id);

	if (!name)
		return -ENOMEM;
	unlink_name(t, n);
	free(n->name);
	n->name = name;
	link_name(t, n);
	return 0;
}

/* --- a name's place ---------------------------------------------------------------------------- */

/* Its folder of that name, made if need be; NULL: no memory. */
static struct view_node *folder_in(struct view *t, struct view_node *folder, const char *name)
{
	struct view_node *n = view_find(t, folder, name);

	if (n && n->id && give_way(t, n) < 0)
		return NULL;
	if (n && !n->id)
		return n;
	return add_node(t, folder, strdup(name), &(struct view_node){.mtime_ns = 0});
}

static int file_in(struct view *t, struct view_node *folder, const char *name,
		   const struct view_node *like)
{
	struct view_node *n = view_find(t, folder, name);
	char *mine = NULL;
	int err = 0;

	if (n && !n->id)
		mine = other_name(t, folder, name, like->address, like->id);
	else if (n)
		err = give_way(t, n);
	if (err == 0 && !mine)
		mine = strdup(name);
	return err == 0 && add_node(t, folder, mine, like) ? 0 : -ENOMEM;
}

static struct view_node *day_folder(struct view *t, const struct vault_entry *e)
{
	struct view_node *class = folder_in(t, &t->root, e->meta.class);
	time_t s = (time_t)(e->meta.put_ns / (int64_t)NSEC_PER_SEC);
	char day[32] = "undated";
	struct tm tm;

	if (gmtime_r(&s, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	return class ? folder_in(t, class, day) : NULL;
}

static int add(void *arg, const struct vault_entry *e)
{
	struct view *t = arg;
	struct view_node like = {.id = e->id,
				 .size = e->size,
				 .mtime_ns = e->meta.mtime_ns,
				 .put_ns = e->meta.put_ns,
				 .until_ns = e->meta.until_ns};
	char part[NAME_MAX + 1] = "unnamed", next[NAME_MAX + 1];
	struct bytes rest = e->meta.name;
	struct view_node *folder;

	t->last_id = e->id;
	t->last_put_ns = e->meta.put_ns;
	if (e->meta.until_ns <= (int64_t)clock_wall_ns() ||
	    (t->class && strcmp(t->class, e->meta.class) != 0) || !*e->meta.class ||
	    find_id(t, e->id))
		return 0;
	memcpy(like.address, e->address, sizeof(like.address));
	folder = day_folder(t, e);
	object_name_part(&rest, part);
	while (folder && object_name_part(&rest, next)) {
		folder = folder_in(t, folder, part);
		memcpy(part, next, sizeof(part));
	}
	if (!folder || file_in(t, folder, part, &like) < 0)
		return -ENOMEM;
	for (; folder; folder = folder->parent)
		if (folder->mtime_ns < like.put_ns)
			folder->mtime_ns = like.put_ns;
	return 0;
}

/* --- following the vault ------------------------------------------------------------------------ */

bool view_alive(struct view *t, struct view_node *n)
{
	if (n->gone)
		return false;
	if (!n->id)
		return n == &t->root || n->first;
	if (n->until_ns > (int64_t)clock_wall_ns() && vault_has(t->v, n->id, n->put_ns))
		return true;
	remove_node(t, n);
	return false;
}

/* A node may go, and empty folders with it: the one behind is the next file that stays. */
static struct view_node *next_file(struct view *t, struct view_node *n)
{
	do
		n = next_of(t, n);
	while (n && !n->id);
	return n;
}

static void sweep(struct view *t)
{
	struct view_node *n = next_file(t, &t->root);

	while (n) {
		struct view_node *after = next_file(t, n);

		view_alive(t, n);
		n = after;
	}
	t->sweep_ns = (int64_t)clock_mono_ns();
}

/* Numbers are given again only where the highest are gone. */
static void step_back(struct view *t)
{
	sweep(t);
	t->last_id = 0;
	t->last_put_ns = 0;
	for (struct view_node *n = next_file(t, &t->root); n; n = next_file(t, n))
		if (n->id > t->last_id) {
			t->last_id = n->id;
			t->last_put_ns = n->put_ns;
		}
}

int view_follow(struct view *t)
{
	int64_t version = t->version;
	int err = vault_version(t->v, &version);

	if (err < 0)
		return err;
	if ((int64_t)clock_mono_ns() - t->sweep_ns > (int64_t)SWEEP_NS)
		sweep(t);
	if (version == t->version && t->version)
		return 0;
	if (t->last_id && !vault_has(t->v, t->last_id, t->last_put_ns))
		step_back(t);
	while ((err = vault_next(t->v, t->last_id, add, t)) == 0)
		;
	if (err == -ENOENT)
		t->version = version;
	return err == -ENOENT ? 0 : err;
}

struct view_node *view_root(struct view *t)
{
	return &t->root;
}

struct view *view_new(struct vault *v, const char *class)
{
	struct view *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	if (!t)
		return NULL;
	t->v = v;
	t->class = class;
	t->next_ino = 2;
	t->root.ino = 1;
	t->key = hash_key_random();
	err = grow(t);
	if (err == 0)
		err = vault_version(v, &t->version);
	if (err == 0)
		err = vault_each(v, add, t);
	t->sweep_ns = (int64_t)clock_mono_ns();
	if (err == 0)
		return t;
	view_free(t);
	errno = -err;
	return NULL;
}

void view_free(struct view *t)
{
	struct view_node *n;

	if (!t)
		return;
	/* From the leaves: what has been seen to the end is freed on the way up. */
	while ((n = t->root.first) != NULL) {
		while (n->first)
			n = n->first;
		n->refs = 0;
		remove_node(t, n);
	}
	free(t->by_name);
	free(t->by_id);
	free(t);
}
