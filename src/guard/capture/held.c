#include "guard/capture/held.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

/*
 * linux/bpf.h: one page that we write, one that the kernel writes, and the data
 * twice in a row, so that no record is cut in two where the ring ends.
 */
struct held {
	int fd;
	uint64_t size; /* of the data, a power of two */
	size_t page;
	uint64_t *consumer;
	const uint64_t *producer;
	const uint8_t *data;
	uint64_t next; /* behind what was peeked at */
};

struct held *held_open(int map_fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	struct held *h = calloc(1, sizeof(*h));
	void *mine, *theirs;
	int err;

	if (!h)
		return NULL;
	h->page = (size_t)sysconf(_SC_PAGESIZE);
	h->fd = fcntl(map_fd, F_DUPFD_CLOEXEC, 0);
	if (h->fd < 0 || bpf_obj_get_info_by_fd(h->fd, &info, &len))
		goto fail;
	h->size = info.max_entries;
	mine = mmap(NULL, h->page, PROT_READ | PROT_WRITE, MAP_SHARED, h->fd, 0);
	if (mine == MAP_FAILED)
		goto fail;
	h->consumer = mine;
	theirs = mmap(NULL, h->page + 2 * h->size, PROT_READ, MAP_SHARED, h->fd, (off_t)h->page);
	if (theirs == MAP_FAILED)
		goto fail;
	h->producer = theirs;
	h->data = (const uint8_t *)theirs + h->page;
	return h;

fail:
	err = errno;
	held_close(h);
	errno = err;
	return NULL;
}

void held_close(struct held *h)
{
	if (!h)
		return;
	if (h->consumer)
		munmap(h->consumer, h->page);
	if (h->producer)
		munmap((void *)(uintptr_t)h->producer, h->page + 2 * h->size);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

const struct gate_held *held_peek(struct held *h)
{
	uint64_t at = *h->consumer;

	while (at < __atomic_load_n(h->producer, __ATOMIC_ACQUIRE)) {
		const uint8_t *record = h->data + (at & (h->size - 1));
		uint32_t len = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);

		if (len & BPF_RINGBUF_BUSY_BIT)
			return NULL; /* being written: its end will be told */
		at += ((len & ~BPF_RINGBUF_DISCARD_BIT) + BPF_RINGBUF_HDR_SZ + 7) & ~7u;
		h->next = at;
		if (!(len & BPF_RINGBUF_DISCARD_BIT))
			return (const struct gate_held *)(record + BPF_RINGBUF_HDR_SZ);
		held_release(h);
	}
	return NULL;
}

void held_release(struct held *h)
{
	__atomic_store_n(h->consumer, h->next, __ATOMIC_RELEASE);
}

int held_fd(const struct held *h)
{
	return h->fd;
}
