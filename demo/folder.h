#ifndef BEDWARDEN_DEMO_FOLDER_H
#define BEDWARDEN_DEMO_FOLDER_H
/*
 * The demo's own folder under /tmp, and the files in it. A folder whose demo
 * is gone (its lock is free) is swept away by the next one.
 */
#include "base/bytes.h"

#define FOLDER_MAX 160

/* Makes /tmp/bedwarden-demo.PID, locked. The lock's descriptor, or -errno. */
int folder_new(char ret_path[FOLDER_MAX]);
/* Removes a tree; never leaves the file system it starts in, never follows a link. */
void folder_remove(const char *path);
/* PATH/NAME into a static ring of buffers, good for a few calls. */
const char *folder_path(const char *dir, const char *name);
int folder_make(const char *path);

/* The whole file, free() its data; data NULL where there is none. */
struct bytes folder_read(const char *path);
int folder_write(const char *path, struct bytes data);
bool folder_same(const char *a, const char *b);

#endif
