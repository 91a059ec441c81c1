#include "role/desk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "keep/query.h"
#include "keep/store.h"
#include "role/call.h"
#include "role/keeper.h"
#include "role/parcels.h"
#include "role/pki.h"

#define TURN_MAX  64
#define LIVE_PAGE 200 /* events between looks at whether the console keeps up */

/* Who may say what at the desk. */
enum { FROM_CONSOLE };
static const struct ipc_right rights[] = {
	{FROM_CONSOLE, IPC_CALL},
	{FROM_CONSOLE, IPC_LIVE},
	{FROM_CONSOLE, IPC_CERT},
};

struct desk {
	int sock;
	struct parcels out;
	uint32_t asking; /* the question that is coming in, in pieces */
	uint8_t *ask;
	size_t ask_len;
	bool live;
	int64_t live_at;	/* the last event that was handed out */
	char print[SELF_PRINT]; /* of the certificate that the console shows; "" none */
	char buf[IPC_BUF];
};

struct desk *desk_new(int sock)
{
	struct desk *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->sock = sock;
	d->out.max = DESK_OUT_MAX;
	return d;
}

void desk_free(struct desk *d)
{
	if (!d)
		return;
	parcels_clear(&d->out);
	free(d->ask);
	close(d->sock);
	free(d);
}

struct pollfd desk_poll(const struct desk *d)
{
	return (struct pollfd){.fd = d->sock,
			       .events = (short)(POLLIN | (parcels_empty(&d->out) ? 0 : POLLOUT))};
}

bool desk_live(const struct desk *d)
{
	return d->live;
}

static bool put(struct desk *d, enum ipc_type type, uint32_t id, struct bytes body)
{
	return parcels_put(&d->out, d->sock, type, id, body, -1);
}

bool desk_content(struct desk *d, uint32_t question, int fd)
{
	return parcels_put(&d->out, d->sock, IPC_CONTENT, question, (struct bytes){0}, fd);
}

void desk_answer(struct desk *d, uint32_t question, struct bytes text)
{
	static const char full[] = "{\"error\":{\"status\":503,\"type\":\"gateway.busy\",\"title\":"
				   "\"Too much is asked at once\",\"detail\":\"try again\"}}";

	if (!parcels_room(&d->out, text.len))
		text = (struct bytes){(const uint8_t *)full, sizeof(full) - 1};
	if (!parcels_put_text(&d->out, d->sock, IPC_CALL, question, text))
		log_warn(
			"an answer found no room, or no memory; who asked is told that it is late");
}

/* A whole question is there. */
static void asked(struct keeper *k, struct desk *d)
{
	static const char bad[] =
		"{\"error\":{\"status\":400,\"type\":\"call.malformed\",\"title\":"
		"\"The call is no JSON object\",\"detail\":\"\"}}";
	json_t *root = json_loadb((const char *)d->ask, d->ask_len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(root))
		call_from_console(k, d->asking, root);
	else
		desk_answer(d, d->asking, (struct bytes){(const uint8_t *)bad, sizeof(bad) - 1});
	json_decref(root);
	free(d->ask);
	d->ask = NULL;
	d->ask_len = 0;
}

static int take_piece(struct keeper *k, struct desk *d, const struct ipc_message *m)
{
	uint8_t *more;

	if (d->ask_len > 0 && m->id != d->asking)
		return -EBADMSG; /* one question after the other */
	d->asking = m->id;
	if (m->body.len == 0) {
		asked(k, d);
		return 0;
	}
	if (d->ask_len + m->body.len > DESK_ASK_MAX)
		return -EBADMSG;
	more = realloc(d->ask, d->ask_len + m->body.len);
	if (!more)
		return -ENOMEM;
	memcpy(more + d->ask_len, m->body.data, m->body.len);
	d->ask = more;
	d->ask_len += m->body.len;
	return 0;
}

static int take_live(struct keeper *k, struct desk *d, const struct ipc_message *m)
{
	uint32_t on;

	if (!ipc_u32(m, &on) || on > 1)
		return -EBADMSG;
	if (on && !d->live && query_newest(store_db(k->store), &d->live_at) != 0)
		d->live_at = 0;
	d->live = on;
	return 0;
}

static void cert_path(const struct keeper *k, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/console.pem", k->state_dir);
}

bool desk_print(const struct keeper *k, char ret_print[SELF_PRINT])
{
	if (!k->desk || !*k->desk->print)
		return false;
	memcpy(ret_print, k->desk->print, SELF_PRINT);
	return true;
}

static void note_print(struct desk *d, struct bytes pem)
{
	X509 *x = pem.len ? self_parse(pem) : NULL;

	*d->print = 0;
	if (x)
		self_print(x, d->print);
	X509_free(x);
}

/* One of an authority, if there is any; else the one that the console made itself. */
static int give_chain(struct keeper *k, struct desk *d, const struct ipc_message *m)
{
	json_t *names = json_loadb((const char *)m->body.data, m->body.len, 0, NULL);
	struct bytes pem = {0};
	char path[PATH_MAX], *chain = NULL;

	if (!json_is_array(names)) {
		json_decref(names);
		return -EBADMSG;
	}
	cert_path(k, path);
	if (pki_console(k, k->pki, names, &chain) == 0)
		pem = (struct bytes){(const uint8_t *)chain, strlen(chain)};
	else if (file_read(path, SELF_PEM_MAX, &pem) < 0)
		pem = (struct bytes){0};
	if (pem.len >= SELF_PEM_MAX)
		pem = (struct bytes){0};
	put(d, IPC_CERT, m->id, pem);
	note_print(d, pem);
	free(chain ? (void *)chain : (void *)pem.data);
	json_decref(names);
	return 0;
}

/* The console's certificate is no secret; here it outlives the console. */
static int take_cert(struct keeper *k, struct desk *d, const struct ipc_message *m)
{
	struct bytes pem = {0};
	char path[PATH_MAX];
	X509 *x;

	cert_path(k, path);
	if (m->body.len > 0 && *m->body.data == '[')
		return give_chain(k, d, m);
	if (m->body.len > 0) {
		x = m->body.len < SELF_PEM_MAX ? self_parse(m->body) : NULL;
		if (!x)
			return -EBADMSG;
		X509_free(x);
		file_replace(path, m->body, 0644); /* else the next one is new again */
	}
	if (file_read(path, SELF_PEM_MAX, &pem) < 0)
		pem = (struct bytes){0};
	put(d, IPC_CERT, m->id, pem);
	note_print(d, pem);
	free((void *)pem.data);
	return 0;
}

int desk_turn(struct keeper *k, struct desk *d, short revents)
{
	struct ipc_message m;
	int err = 0;

	if (revents & POLLOUT)
		parcels_send(&d->out, d->sock);
	for (unsigned i = 0; err == 0 && i < TURN_MAX; i++) {
		err = ipc_hear(d->sock, d->buf, rights, sizeof(rights) / sizeof(*rights),
			       FROM_CONSOLE, &m);
		if (err == -EAGAIN)
			return 0;
		if (err != 0)
			return err;
		if (m.fd >= 0)
			close(m.fd);
		if (m.type == IPC_CALL)
			err = take_piece(k, d, &m);
		else if (m.type == IPC_LIVE)
			err = take_live(k, d, &m);
		else
			err = take_cert(k, d, &m);
	}
	return err;
}

/* --- events as they are stored -------------------------------------------- */

struct live {
	struct desk *desk;
	char body[IPC_BODY_MAX];
	size_t len;
};

static void send_live(struct live *l)
{
	if (l->len)
		put(l->desk, IPC_LIVE, 0, (struct bytes){(const uint8_t *)l->body, l->len});
	l->len = 0;
}

/* "NUMBER LINE\n" */
static void add_live(void *arg, struct bytes line)
{
	struct live *l = arg;
	char id[24];
	int n = snprintf(id, sizeof(id), "%lld ", (long long)l->desk->live_at);

	if ((size_t)n + line.len + 1 > sizeof(l->body))
		return;
	if (l->len + (size_t)n + line.len + 1 > sizeof(l->body))
		send_live(l);
	memcpy(l->body + l->len, id, (size_t)n);
	memcpy(l->body + l->len + n, line.data, line.len);
	l->len += (size_t)n + line.len;
	l->body[l->len++] = '\n';
}

void desk_wake(struct keeper *k, struct desk *d)
{
	static struct live l;
	struct query_filter all = {0};
	int64_t newest = d->live_at;
	uint32_t rows = LIVE_PAGE;

	if (!d->live || d->out.waiting > DESK_OUT_MAX / 2)
		return; /* it comes with the next commit */
	if (query_newest(store_db(k->store), &newest) != 0 || newest <= d->live_at)
		return;
	if (newest - d->live_at > DESK_LIVE_MAX)
		d->live_at = newest - DESK_LIVE_MAX; /* the gap in the numbers says so */
	l = (struct live){.desk = d};
	while (rows == LIVE_PAGE)
		if (query_events(store_db(k->store), &all, &d->live_at, LIVE_PAGE, add_live, &l,
				 &rows) != 0)
			break;
	send_live(&l);
}
