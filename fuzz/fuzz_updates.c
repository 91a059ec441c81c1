/*
 * What the keeper is told of updates, line after line; the first letter says by whom: the updater, which reads
 * the internet, of what it has fetched (F), how rollouts stand (R) and what became of a person's word (W);
 * the parent, of what is in place (P) or why another release is not started (X). Whatever it is, "update status"
 * can be answered afterwards, also by a keeper that begins with what was kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/ipc.h"
#include "base/log.h"
#include "folder.h"
#include "keep/store.h"
#include "role/call.h"
#include "role/keeper.h"
#include "role/updates_internal.h"
#include "role/wave.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
extern const struct call_row update_calls[];

#define LINES_MOST 16

static char folder[FUZZ_FOLDER];

static void leave(void)
{
	folder_drop(folder);
}

static void begin(void)
{
	folder_new(folder);
	atexit(leave);
	log_init("fuzz", LOG_ERROR);
}

static void forget(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

static void open_keeper(struct keeper *k)
{
	k->calls = calls_new();
	k->waves = waves_new(folder);
	k->updates = updates_new(k, "0 1 3 1 1.2.0 00:00-23:59");
	if (!k->calls || !k->waves || !k->updates)
		abort();
}

static void close_keeper(struct keeper *k)
{
	updates_free(k->updates);
	waves_free(k->waves);
	calls_free(k->calls);
}

/* As it comes by the updater's socket; one that is closed for it is replaced, as the parent does. */
static void from_updater(struct keeper *k, enum ipc_type type, struct bytes body, int fd)
{
	static int other = -1;
	int pair[2];

	if (updates_sock(k->updates) < 0) {
		if (other >= 0)
			close(other);
		if (ipc_pair(pair) < 0)
			abort();
		other = pair[0];
		updates_meet(k, pair[1]);
	}
	if (ipc_send(other, type, 0, body, fd) < 0)
		return; /* what it was told fills it up */
	updates_hear(k);
}

static void line(struct keeper *k, struct bytes text)
{
	struct bytes body = {text.data + 1, text.len - 1};
	struct ipc_message m = {.body = body, .fd = -1};
	int fd = -1;

	switch (*text.data) {
	case 'F':
		from_updater(k, IPC_FETCHED, body, -1);
		break;
	case 'W':
		from_updater(k, IPC_ROLLOUT, body, -1);
		break;
	case 'R':
		fd = file_memory("rollouts", body);
		if (fd < 0)
			abort();
		from_updater(k, IPC_ROLLOUTS, (struct bytes){0}, fd);
		close(fd);
		break;
	case 'P':
		m.type = IPC_INSTALL;
		m.id = k->updates->ask;
		updates_placed(k, &m);
		break;
	case 'X':
		m.type = IPC_SWITCH;
		m.id = k->updates->ask;
		updates_switched(k, &m);
		break;
	}
}

static void look(struct keeper *k)
{
	static const char *const lists[] = {"waiting", "targets", "warnings", "rollouts",
					    "devices"};
	struct call_asker by = {.user = "anna"};
	struct call_error e = {0};
	json_t *o = update_calls[0].fn(k, &by, NULL, &e);

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		if (!json_is_array(json_object_get(o, lists[i])))
			abort();
	json_decref(o);
	updates_tick(k);
	waves_tick(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct keeper k;
	static int parent[2];
	char buf[IPC_BUF];
	struct ipc_message m;

	if (!*folder) {
		begin();
		k.state_dir = folder;
		k.store = store_new(":memory:", 1000); /* for what is told as events */
		for (unsigned i = 0; i < KEEPER_GUARDS_MAX; i++)
			k.guards[i] = -1;
		if (!k.store || ipc_pair(parent) < 0)
			abort();
		k.parent = parent[0];
	}
	forget("updates.json");
	forget("rollouts.json");
	open_keeper(&k);
	for (unsigned n = 0; n < LINES_MOST && len; n++) {
		const uint8_t *end = memchr(data, '\n', len);
		size_t part = end ? (size_t)(end - data) : len;

		if (part && part <= IPC_BODY_MAX)
			line(&k, (struct bytes){data, part});
		data += part + !!end;
		len -= part + !!end;
	}
	look(&k);
	close_keeper(&k);
	open_keeper(&k); /* by what is on the disk */
	look(&k);
	close_keeper(&k);
	while (ipc_recv(parent[1], buf, &m) == 0)
		if (m.fd >= 0)
			close(m.fd);
	return 0;
}
