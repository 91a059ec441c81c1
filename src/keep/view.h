#ifndef BEDWARDEN_KEEP_VIEW_H
#define BEDWARDEN_KEEP_VIEW_H
/*
 * What a vault holds as a tree of folders: class, day it was put (UTC), and below
 * that its name, whose slashes make folders. It follows the vault: what others put
 * comes, what they destroy or what was kept long enough goes. In memory: some 150
 * bytes and the last part of its name for each.
 *
 * Names may hold what no file name can. Empty parts and "." are left out, ".."
 * stands as "__", a part that is longer than 255 bytes is cut. Where two things
 * would have the same name the newest has it, and the others, or one where a
 * folder has to be, end in '~' and the beginning of their address.
 */
#include "keep/vault.h"

struct view_node {
	struct view_node *parent, *first, *last, *before, *after; /* NULL: none */
	struct view_node *bucket, *bucket_id;
	int64_t id;   /* of the vault's name; 0: a folder */
	uint64_t ino; /* never used again */
	uint64_t size;
	int64_t mtime_ns, put_ns, until_ns;
	uint8_t address[8]; /* its beginning */
	uint64_t refs;	    /* who else holds it: it stays, though it may be gone */
	bool gone, complained;
	char *name;
};

struct view;
/* `class` NULL: all. Everything that is in the vault now is in it. NULL with errno. */
struct view *view_new(struct vault *v, const char *class);
void view_free(struct view *t);
struct view_node *view_root(struct view *t);
/* What changed in the vault meanwhile. 0 or -errno. */
int view_follow(struct view *t);
/* Whether the vault has it still; if not, it is taken out. */
bool view_alive(struct view *t, struct view_node *n);
struct view_node *view_find(struct view *t, struct view_node *folder, const char *name);
/* Gives back `count` references, and frees a node that is gone with the last. */
void view_drop(struct view *t, struct view_node *n, uint64_t count);

#endif
