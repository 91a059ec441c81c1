/*
 * What a console in foreign hands could say at the keeper's desk: messages of two bytes of type, four of id and two
 * of length, and a body. Nobody has signed in; a certificate may be left, live events be asked for, and calls
 * be made, in pieces or not. Each answer is whole JSON, an "ok" or an "error", one after the other.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ipc.h"
#include "folder.h"
#include "keep/store.h"
#include "role/desk.h"
#include "role/keeper.h"
#include "role/staff.h"
#include "touch.h"

#define STEPS 32

static char folder[FUZZ_FOLDER];
static struct keeper k;

static void tell(void *arg, enum reason why, const char *user, const char *text, uint64_t count)
{
	if (!user || !text || !*reason_name(why))
		abort();
}

static void leave(void)
{
	store_free(k.store);
	calls_free(k.calls);
	staff_free(k.staff);
	folder_drop(folder);
}

static void begin(void)
{
	static const struct staff_options o = {.site = "Ward 3"};
	char path[FUZZ_FOLDER + 16];

	folder_new(folder);
	atexit(leave);
	snprintf(path, sizeof(path), "%s/events.db", folder);
	k.courier = k.parent = -1;
	k.state_dir = folder;
	k.store = store_new(path, 1000);
	k.calls = calls_new();
	k.staff = staff_new(&o, tell, NULL);
	if (!k.store || !k.calls || !k.staff)
		abort();
	staff_open(k.staff, folder, NULL);
}

/* Answers come in pieces of one id, an empty one last. */
struct answer {
	uint32_t id;
	uint8_t *text;
	size_t len;
};

static void hear(struct answer *a, const struct ipc_message *m)
{
	json_t *o;

	if (m->type != IPC_CALL) {
		touch(m->body);
		return;
	}
	if (a->len && m->id != a->id)
		abort();
	a->id = m->id;
	if (m->body.len) {
		a->text = realloc(a->text, a->len + m->body.len);
		if (!a->text)
			abort();
		memcpy(a->text + a->len, m->body.data, m->body.len);
		a->len += m->body.len;
		return;
	}
	o = json_loadb((const char *)a->text, a->len, 0, NULL);
	if (!json_object_get(o, "ok") == !json_object_get(o, "error"))
		abort();
	json_decref(o);
	a->len = 0;
}

static void drain(int sock, struct answer *a)
{
	static uint8_t buf[IPC_BUF];
	struct ipc_message m;

	while (ipc_recv(sock, buf, &m) == 0) {
		hear(a, &m);
		if (m.fd >= 0)
			close(m.fd);
	}
}

/* False: the socket is closed on whoever says that. */
static bool step(struct reader *r, int sock)
{
	uint16_t type = read_be16(r);
	uint32_t id = read_be32(r);
	struct bytes body = read_bytes(r, read_be16(r));

	if (r->bad)
		return false;
	/* What no sender of ours would let through is fuzz_ipc.c's. */
	(void)ipc_send(sock, (enum ipc_type)type, id, body, -1);
	return desk_turn(&k, k.desk, POLLIN | POLLOUT) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reader r = reader_new(data, len);
	struct answer a = {0};
	int pair[2];

	if (!k.store)
		begin();
	if (ipc_pair(pair) < 0)
		abort();
	k.desk = desk_new(pair[0]);
	if (!k.desk)
		abort();
	for (unsigned n = 0; n < STEPS && reader_left(&r); n++) {
		if (!step(&r, pair[1]))
			break;
		drain(pair[1], &a);
	}
	desk_free(k.desk);
	k.desk = NULL;
	calls_free(k.calls);
	k.calls = calls_new();
	free(a.text);
	close(pair[1]);
	return 0;
}
