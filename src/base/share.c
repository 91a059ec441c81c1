#include "base/share.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

int share_make(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int share_make_memory(uint32_t chunks)
{
	return share_make("frames", (size_t)chunks * SHARE_CHUNK);
}

int share_make_queues(void)
{
	return share_make("queues", SHARE_QUEUES * spsc_bytes(SHARE_QUEUE));
}

/* The whole of it, if nobody can make it smaller any more. */
static int map(int fd, void **ret_at, size_t *ret_size)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size <= 0 || (fcntl(fd, F_GET_SEALS) & SEALS) != SEALS)
		return -EBADMSG;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*ret_at = at;
	*ret_size = (size_t)st.st_size;
	return 0;
}

void *share_map(int fd, size_t size)
{
	size_t got;
	void *at;
	int r = map(fd, &at, &got);

	if (r == 0 && got == size)
		return at;
	if (r == 0)
		munmap(at, got);
	errno = r ? -r : EBADMSG;
	return NULL;
}

int share_map_memory(int fd, uint8_t **ret_at, uint32_t *ret_chunks)
{
	size_t size;
	void *at;
	int r = map(fd, &at, &size);

	if (r)
		return r;
	if (size % SHARE_CHUNK || size > UINT32_MAX || size / SHARE_CHUNK <= SHARE_INBOX) {
		munmap(at, size);
		return -EBADMSG;
	}
	*ret_at = at;
	*ret_chunks = (uint32_t)(size / SHARE_CHUNK);
	return 0;
}

void share_unmap_memory(uint8_t *at, uint32_t chunks)
{
	if (at)
		munmap(at, (size_t)chunks * SHARE_CHUNK);
}

int share_map_queues(int fd, struct share_queues *ret_queues)
{
	struct share_queues s;
	size_t size;
	int r = map(fd, &s.at, &size);

	if (r)
		return r;
	if (size != SHARE_QUEUES * spsc_bytes(SHARE_QUEUE)) {
		munmap(s.at, size);
		return -EBADMSG;
	}
	for (unsigned i = 0; i < SHARE_QUEUES; i++)
		spsc_open(&s.q[i], (uint8_t *)s.at + i * spsc_bytes(SHARE_QUEUE), SHARE_QUEUE);
	*ret_queues = s;
	return 0;
}

void share_unmap_queues(struct share_queues *queues)
{
	if (queues->at)
		munmap(queues->at, SHARE_QUEUES * spsc_bytes(SHARE_QUEUE));
	*queues = (struct share_queues){0};
}
