#ifndef BEDWARDEN_BASE_SHARE_H
#define BEDWARDEN_BASE_SHARE_H
/*
 * Memory that two processes have of frames: the frames themselves, in chunks, and the four
 * queues by which a guard and the link hand chunks to each other. The parent makes both as
 * memfds whose size is sealed, so that nobody can make the other fault, and gives them away.
 *
 *   guard → link   SHARE_SEAL    a frame to be sealed
 *   link → guard   SHARE_SEALED  its chunk again: the frame is on its way, or could not be sent
 *   guard → link   SHARE_EMPTY   a chunk for a frame that comes in (offset of its start)
 *   link → guard   SHARE_OPENED  such a frame; or, with len 0, its chunk unused
 */
#include "base/spsc.h"

#define SHARE_CHUNK 4096u
#define SHARE_HEAD  256u		       /* before a frame that comes in: the guard's own */
#define SHARE_FRAME (SHARE_CHUNK - SHARE_HEAD) /* the longest */
#define SHARE_INBOX 2048u /* chunks for frames that come in, behind all others */
#define SHARE_QUEUE 8192u /* entries of each queue, as most are under way */

enum share_queue { SHARE_SEAL, SHARE_SEALED, SHARE_EMPTY, SHARE_OPENED, SHARE_QUEUES };

/* Memory of `size` bytes, zeroed, that two processes are to share. A descriptor, the caller's, or
 * -errno. `name` is what /proc shows. */
int share_make(const char *name, size_t size);
/* Maps it. NULL with errno; EBADMSG: it is not of that size, or it could still shrink. */
void *share_map(int fd, size_t size);

/* Of so many chunks, SHARE_INBOX of them included. A descriptor, the caller's, or -errno. */
int share_make_memory(uint32_t chunks);
/* Empty queues. The same. */
int share_make_queues(void);

/*
 * Maps memory: its size is that of the memfd, which must be whole chunks, more than SHARE_INBOX,
 * and sealed. 0 or -errno.
 */
int share_map_memory(int fd, uint8_t **ret_at, uint32_t *ret_chunks);
void share_unmap_memory(uint8_t *at, uint32_t chunks);

struct share_queues {
	void *at;
	struct spsc q[SHARE_QUEUES];
};
/* 0; -EBADMSG the memfd is none of these; -errno. */
int share_map_queues(int fd, struct share_queues *ret_queues);
void share_unmap_queues(struct share_queues *queues);

#endif
