#ifndef BEDWARDEN_ROLE_OUTBOX_H
#define BEDWARDEN_ROLE_OUTBOX_H
/*
 * A guard's events on their way to the keeper: lines wait here, in memory of a
 * fixed size, and leave in batches. Who writes never waits: where the keeper is
 * slow or gone, lines that find no room are dropped and counted, and once there
 * is room again the count is told as gateway.events_lost.
 */
#include "base/ipc.h"

struct outbox {
	uint8_t *data;
	size_t cap, first, end; /* waiting: data[first .. end) */
	uint64_t lines, lost, told;
};

int outbox_init(struct outbox *o, size_t cap); /* 0 or -ENOMEM */
/* One line, without its newline; an engine_sink_fn with the outbox as its argument. */
void outbox_put(void *outbox, const char *line, size_t len);
bool outbox_empty(const struct outbox *o);
/* Many enough to be sent before their time? */
bool outbox_urgent(const struct outbox *o);
/* Sends as IPC_EVENTS what the socket takes. 0; -EAGAIN some is left; -errno. */
int outbox_flush(struct outbox *o, int sock);

/* Cuts waiting lines into messages of another type: 0 all gone; -EAGAIN; -errno. */
int outbox_flush_as(struct outbox *o, int sock, enum ipc_type type, uint32_t id);

#endif
