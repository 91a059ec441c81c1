#ifndef BEDWARDEN_ROLE_DESK_H
#define BEDWARDEN_ROLE_DESK_H
/*
 * The keeper's end of its pair with the console: questions (IPC_CALL) taken in
 * whole, answers handed out as fast as the console takes them, and events as
 * they are stored (IPC_LIVE) while somebody there is looking. The console reads
 * the network: whatever it sends, it costs the keeper no more than its bounds.
 */
#include <poll.h>

#include "base/ipc.h"
#include "people/console/self.h"

struct desk;
struct keeper;

#define DESK_ASK_MAX  (1u << 20)  /* bytes of a question */
#define DESK_OUT_MAX  (32u << 20) /* of answers waiting; what finds no room is dropped */
#define DESK_LIVE_MAX 2000	  /* events at a time; older ones are skipped and counted */

/* Owns `sock`. NULL: no memory, and the socket stays the caller's. */
struct desk *desk_new(int sock);
void desk_free(struct desk *d);
struct pollfd desk_poll(const struct desk *d);
/* What poll() said. 0; -EPIPE, -EBADMSG: it is of no more use. */
int desk_turn(struct keeper *k, struct desk *d, short revents);
/* The answer to a question. */
void desk_answer(struct desk *d, uint32_t question, struct bytes text);
/* What the answer that follows tells of, to be read from there to its end; `fd` stays the caller's.
 * false: no room, or no memory. */
bool desk_content(struct desk *d, uint32_t question, int fd);
/* New events are stored. */
void desk_wake(struct keeper *k, struct desk *d);
/* The fingerprint of the console's certificate; false: it has none yet. */
bool desk_print(const struct keeper *k, char ret_print[SELF_PRINT]);
/* Is somebody looking at events as they come? */
bool desk_live(const struct desk *d);

#endif
