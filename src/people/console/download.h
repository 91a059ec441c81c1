#ifndef BEDWARDEN_PEOPLE_CONSOLE_DOWNLOAD_H
#define BEDWARDEN_PEOPLE_CONSOLE_DOWNLOAD_H
/*
 * An answer that is read from a descriptor, a pipe or a file: a piece is read when the one before
 * was taken, so that no more than that is ever held for it, and whoever writes into the
 * pipe is as fast as whoever downloads. One that ends before its size is cut off, so that
 * nobody takes it for whole.
 */
#include <stdbool.h>

#include <event2/http.h>
#include <jansson.h>

#define DOWNLOAD_PIECE 65536

struct download;

/*
 * Begins to answer `req` with what `fd`, which is taken, holds. `file`: {"type","name","size"}, of
 * the keeper's answer; without a size it is as long as it is. `moved` is called with `arg` each
 * time something was taken. *slot leads to the download for as long as it lasts. false: no memory,
 * and nothing was answered; the descriptor is closed.
 */
bool download_open(struct event_base *base, struct evhttp_request *req, const json_t *file, int fd,
		   void (*moved)(void *arg), void *arg, struct download **slot);
/* Its connection goes down. */
void download_lost(struct download *d);

#endif
