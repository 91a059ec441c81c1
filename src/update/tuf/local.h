#ifndef BEDWARDEN_UPDATE_TUF_LOCAL_H
#define BEDWARDEN_UPDATE_TUF_LOCAL_H
/*
 * The folder of trusted metadata: "ROLE.json", byte for byte as it was signed, the role's name
 * escaped so that it stays inside. A file is replaced in one step and is on the disk when
 * local_put() returns. Whoever opens the folder holds it alone.
 */
#include "base/bytes.h"

/* Made where there is none. Waits for whoever has it. A descriptor to close(), or -errno. */
int local_open(const char *dir);
/* Any folder, made where there is none, and not held. */
int local_folder(const char *dir);
/* 0, the block is the caller's to free(); -ENOENT; -EFBIG longer than max. */
int local_get(int store, const char *role, size_t max, struct bytes *ret_data);
int local_put(int store, const char *role, struct bytes data);
/* 0, also where there is none. */
int local_drop(int store, const char *role);
/* A file's name for any text, at most 255 bytes, and a different one for each. NULL: no memory. */
char *local_name(const char *text, const char *suffix);

#endif
