#include "role/parcels.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct parcel {
	struct parcel *next;
	enum ipc_type type;
	uint32_t id;
	int fd; /* -1 none */
	size_t len;
	uint8_t data[];
};

static void drop_first(struct parcels *p)
{
	struct parcel *one = p->first;

	p->first = one->next;
	if (!p->first)
		p->last = NULL;
	p->waiting -= sizeof(*one) + one->len;
	if (one->fd >= 0)
		close(one->fd);
	free(one);
}

void parcels_clear(struct parcels *p)
{
	while (p->first)
		drop_first(p);
}

bool parcels_empty(const struct parcels *p)
{
	return !p->first;
}

bool parcels_room(const struct parcels *p, size_t len)
{
	size_t pieces = len / IPC_BODY_MAX + 2;

	return p->waiting + len + pieces * sizeof(struct parcel) <= p->max;
}

static bool keep(struct parcels *p, enum ipc_type type, uint32_t id, struct bytes body, int fd)
{
	struct parcel *one;

	if (!parcels_room(p, body.len))
		return false;
	one = malloc(sizeof(*one) + body.len);
	if (!one)
		return false;
	*one = (struct parcel){.type = type, .id = id, .fd = -1, .len = body.len};
	if (fd >= 0)
		one->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0 && one->fd < 0) {
		free(one);
		return false;
	}
	if (body.len)
		memcpy(one->data, body.data, body.len);
	if (p->last)
		p->last->next = one;
	else
		p->first = one;
	p->last = one;
	p->waiting += sizeof(*one) + body.len;
	return true;
}

bool parcels_put(struct parcels *p, int sock, enum ipc_type type, uint32_t id, struct bytes body,
		 int fd)
{
	return (!p->first && ipc_send(sock, type, id, body, fd) == 0) ||
	       keep(p, type, id, body, fd);
}

bool parcels_put_text(struct parcels *p, int sock, enum ipc_type type, uint32_t id,
		      struct bytes text)
{
	if (!parcels_room(p, text.len))
		return false;
	while (text.len > 0) {
		size_t n = text.len < IPC_BODY_MAX ? text.len : IPC_BODY_MAX;

		if (!parcels_put(p, sock, type, id, (struct bytes){text.data, n}, -1))
			return false;
		text = (struct bytes){text.data + n, text.len - n};
	}
	return parcels_put(p, sock, type, id, (struct bytes){(const uint8_t *)"", 0}, -1);
}

void parcels_send(struct parcels *p, int sock)
{
	while (p->first) {
		struct parcel *one = p->first;
		struct bytes body = {one->data, one->len};

		if (ipc_send(sock, one->type, one->id, body, one->fd) == -EAGAIN)
			return;
		drop_first(p);
	}
}
