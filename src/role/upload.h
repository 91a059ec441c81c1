#ifndef BEDWARDEN_ROLE_UPLOAD_H
#define BEDWARDEN_ROLE_UPLOAD_H
/*
 * What people send by the API and what is longer than a request: it comes in pieces, and
 * is spooled to a file without a name in state_dir, of whoever began it, bounded in number, bytes
 * and time. The calls update.upload, vault.upload and update.import.
 */
#include "role/keeper.h"

#define UPLOADS_MOST   4
#define UPLOAD_BYTES   (2ull << 30)   /* of one, at most */
#define UPLOAD_RESERVE (256ull << 20) /* of the disk, that stay free */
#define UPLOAD_IDLE_S  900	      /* without a piece, after which it is forgotten */
#define UPLOAD_PIECE   (256u << 10)

struct uploads *uploads_new(const char *state_dir); /* NULL: no memory */
void uploads_free(struct uploads *u);
/* The file of the upload that `args` names, whole and the caller's from here on, who reads it from its
 * beginning; it is forgotten here. -1: there is none of theirs, and ret_error says so. */
int upload_take(struct keeper *k, const struct call_asker *by, const json_t *args,
		struct call_error *ret_error);
/* Forgets those nobody goes on with. */
void uploads_turn(struct keeper *k, uint64_t now_ns);

#endif
