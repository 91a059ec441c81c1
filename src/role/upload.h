#ifndef BEDWARDEN_ROLE_UPLOAD_H
#define BEDWARDEN_ROLE_UPLOAD_H
/*
 * What people send by the API and what is longer than a request: it comes in pieces, and
 * is spooled to a file without a name in state_dir, of whoever began it, bounded in number, bytes
 * and time. The calls update.upload and update.import.
 */
#include "role/keeper.h"

#define UPLOADS_MOST   4
#define UPLOAD_BYTES   (2ull << 30)   /* of one, at most */
#define UPLOAD_RESERVE (256ull << 20) /* of the disk, that stay free */
#define UPLOAD_IDLE_S  900	      /* without a piece, after which it is forgotten */
#define UPLOAD_PIECE   (256u << 10)

struct uploads *uploads_new(const char *state_dir); /* NULL: no memory */
void uploads_free(struct uploads *u);
/* Forgets those nobody goes on with. */
void uploads_turn(struct keeper *k, uint64_t now_ns);

#endif
