#include "role/link.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/ssl.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/log.h"
#include "guard/proto/proto.h"
#include "role/child.h"
#include "role/lock_in.h"
#include "role/peers.h"
#include "role/setup.h"
#include "role/tls_key.h"
#include "seal/pki/library.h"

#define EVENTS_WAITING (1u << 20)
#define SETUP_MAX      (64u << 20)
#define TURN_MAX       64
#define TICK_NS	       NSEC_PER_SEC
#define REPORT_NS      (NSEC_PER_SEC / 2)

/* Who may say what to the link. */
enum { FROM_PARENT, FROM_KEEPER };
static const struct ipc_right rights[] = {
	{FROM_PARENT, IPC_LINK},     {FROM_PARENT, IPC_RELAYS},	  {FROM_PARENT, IPC_LISTEN},
	{FROM_PARENT, IPC_STOP},     {FROM_KEEPER, IPC_PKI},	  {FROM_KEEPER, IPC_TLS_KEY},
	{FROM_KEEPER, IPC_TLS_SIGN}, {FROM_PARENT, IPC_LINKS},	  {FROM_PARENT, IPC_FRAMES},
	{FROM_PARENT, IPC_WAKE},     {FROM_PARENT, IPC_QUEUES},	  {FROM_PARENT, IPC_ESTATE},
	{FROM_PARENT, IPC_AGENTS},   {FROM_PARENT, IPC_HANDOVER},
};

/* Besides what every role lives on: connections in and out. No file, no name lookup. */
static const char *const calls[] = {
	"accept4", "connect",	 "fcntl",	 "getpeername", "getsockname",	 "getsockopt",
	"pread64", "setsockopt", "socket",	 "socketpair",	"epoll_create1", "set_robust_list",
	"mlock",   "io_submit",	 "io_getevents", "io_destroy",	"io_setup",
};

static struct link link_state;
static volatile sig_atomic_t told; /* SIGTERM: give way to another process */
static uint8_t ipc_buf[IPC_BUF];

/* --- the keeper ------------------------------------------------------------------ */

uint32_t link_ask(struct link *l, const char *json)
{
	struct bytes body = {(const uint8_t *)json, strlen(json)};

	if (l->keeper < 0 || ipc_send(l->keeper, IPC_PKI, l->asked + 1, body, -1) < 0)
		return 0;
	return ++l->asked;
}

void link_tell(struct link *l, const char *line, size_t len)
{
	outbox_put(&l->events, line, len);
}

static void heard_keeper(void *arg, struct ipc_message *m)
{
	struct link *l = arg;

	if (m->fd >= 0)
		close(m->fd);
	if (tls_key_take(l->key, m) || m->type != IPC_PKI)
		return;
	if (!lines_answer(l->lines, m))
		est_answer(l->est, m);
}

static void lose_keeper(struct link *l)
{
	relays_unwatch(l->relays, l->keeper);
	close(l->keeper);
	l->keeper = -1;
	tls_key_socket(l->key, -1);
}

static void hear_keeper(void *arg)
{
	struct link *l = arg;
	uint8_t *buf = malloc(IPC_BUF); /* an answer may lead to another question */
	struct ipc_message m;

	for (unsigned i = 0; buf && i < TURN_MAX && l->keeper >= 0; i++) {
		int err = ipc_hear(l->keeper, buf, rights, sizeof(rights) / sizeof(*rights),
				   FROM_KEEPER, &m);

		if (err == -EAGAIN)
			break;
		if (err == 0)
			heard_keeper(l, &m);
		else
			lose_keeper(l); /* the parent gives us another */
	}
	free(buf);
}

static void take_keeper(struct link *l, struct ipc_message *m)
{
	if (l->keeper >= 0)
		lose_keeper(l);
	l->keeper = m->fd;
	l->state_len = 0; /* this one was not told */
	m->fd = -1;
	tls_key_socket(l->key, l->keeper);
	if (relays_watch(l->relays, l->keeper, hear_keeper, l) < 0)
		fatal("the keeper cannot be heard");
	lines_ask(l->lines);
}

/* --- events ------------------------------------------------------------------------- */

static const char *const states[] = {
	[RELAY_OPENED] = "opened",
	[RELAY_CLOSED] = "closed",
	[RELAY_REFUSED] = "refused",
	[RELAY_LATE] = "late",
};

static void put_relay(struct json *j, const struct relay_fact *f)
{
	json_open(j, "seal");
	json_str(j, "relay", f->relay);
	if (f->what != RELAY_MESSAGE)
		json_str(j, "state", states[f->what]);
	if (f->subject)
		json_str(j, "subject", f->subject);
	if (f->version)
		json_str(j, "version", f->version);
	if (f->cipher)
		json_str(j, "cipher", f->cipher);
	if (f->text)
		json_str(j, "message", f->text);
	if (f->what == RELAY_CLOSED) {
		json_u64(j, "bytes_toserver", f->bytes[0]);
		json_u64(j, "bytes_toclient", f->bytes[1]);
		json_u64(j, "duration_ms", f->duration_ms);
	}
	if (f->repeats)
		json_u64(j, "repeats", f->repeats);
	json_close(j);
}

static void tell(void *arg, const struct relay_fact *f)
{
	struct link *l = arg;
	bool bad = f->reason != REASON_NONE, message = f->what == RELAY_MESSAGE;
	char from[ADDRESS_IP_LEN], to[ADDRESS_IP_LEN], buf[EVENT_MAX];
	struct event_common e = {
		.time_ns = clock_wall_ns(),
		.type = message ? f->proto->name : "seal",
		.flow_id = f->id,
		.src_ip = address_ip_text(f->from, from),
		.dest_ip = f->to_port ? address_ip_text(f->to, to) : NULL,
		.src_port = f->from_port,
		.dest_port = f->to_port ? f->to_port : -1,
		.proto = "TCP",
		.app_proto = message ? f->proto->name : NULL,
		.reason = f->reason,
		.verdict = bad && (f->what == RELAY_REFUSED || message) ? "drop"
			   : f->what == RELAY_CLOSED			? NULL
									: "pass",
	};
	struct json j;
	size_t len;

	if (message && f->end == 1) { /* the answer's way */
		const char *ip = e.src_ip;

		e.src_ip = e.dest_ip;
		e.dest_ip = ip;
		e.src_port = f->to_port;
		e.dest_port = f->from_port;
	}
	j = event_begin(&e, buf);
	put_relay(&j, f);
	if (message)
		proto_write(f->proto, f->msg, &j);
	len = event_end(&j);
	if (len)
		link_tell(l, buf, len);
}

static void driving(void *arg, struct conn *c)
{
	struct link *l = arg;

	tls_key_for(l->key, c);
}

static bool forget(void *arg, struct conn *c)
{
	struct link *l = arg;

	return tls_key_forget(l->key, c);
}

static void resume(void *arg, void *who)
{
	struct link *l = arg;

	if (!peers_resume(l->peers, who))
		relays_resume(l->relays, who);
}

/* How things stand, for status; once a second, where it is not what was said before. */
static void tell_state(struct link *l)
{
	static char buf[IPC_BODY_MAX];
	struct json j = json_new(buf, sizeof(buf));
	struct bytes text;

	json_open(&j, NULL);
	lines_state(l->lines, &j);
	json_close(&j);
	text = (struct bytes){(uint8_t *)buf, j.out.len};
	if (l->keeper < 0 || j.out.bad ||
	    (text.len == l->state_len && memcmp(buf, l->state, text.len) == 0) ||
	    ipc_send(l->keeper, IPC_LINK_STATE, 0, text, -1) < 0)
		return;
	memcpy(l->state, buf, text.len);
	l->state_len = text.len;
}

/* --- the parent ------------------------------------------------------------------------ */

static void take_relays(struct link *l, int fd)
{
	struct bytes text = {0};

	if (file_read_memory(fd, SETUP_MAX, &text) < 0 || lines_take(l->lines, text) < 0)
		log_error("the parent's list of relays cannot be read");
	free((void *)text.data);
}

static void take_listener(struct link *l, struct ipc_message *m)
{
	char name[64];

	if (m->body.len >= sizeof(name))
		return;
	if (!m->body.len) {
		peers_socket(l->peers, m->fd);
		m->fd = -1;
		return;
	}
	memcpy(name, m->body.data, m->body.len);
	name[m->body.len] = 0;
	lines_listen(l->lines, name, m->fd);
	m->fd = -1;
}

/* What the last link left goes on; or where to leave it. */
static void take_handover(struct link *l, struct ipc_message *m)
{
	uint32_t leave;
	unsigned lost, count;

	if (!ipc_u32(m, &leave))
		return;
	if (leave) {
		if (l->leave >= 0)
			close(l->leave);
		l->leave = m->fd;
		m->fd = -1;
		return;
	}
	count = relays_take_over(l->relays, m->fd, &lost);
	if (count)
		log_info("%u connections go on that another link's process had", count);
	if (lost)
		log_error(
			"%u connections of another link's process could not go on: their relay is "
			"gone or another, or it was killed",
			lost);
}

static void stop(struct link *l, const struct ipc_message *m)
{
	uint32_t how;

	l->stop = ipc_u32(m, &how) ? how : SETUP_STOP_ALONE;
	if (l->stop != SETUP_STOP_REST) {
		l->stopping = true;
		return;
	}
	peers_rest(l->peers);
	if (ipc_send(l->parent, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		l->stopping = true; /* nobody hears that guards may go */
}

static void from_parent(struct link *l, struct ipc_message *m)
{
	if (m->type == IPC_LINK)
		take_keeper(l, m);
	else if (m->type == IPC_RELAYS)
		take_relays(l, m->fd);
	else if (m->type == IPC_LISTEN)
		take_listener(l, m);
	else if (m->type == IPC_STOP)
		stop(l, m);
	else if (m->type == IPC_HANDOVER)
		take_handover(l, m);
	else if (m->type == IPC_AGENTS) {
		agent_peer(l, m->fd);
		m->fd = -1; /* it is ours now */
	} else if (!peers_message(l->peers, m))
		log_error("memory shared with a guard cannot be used");
	if (m->fd >= 0)
		close(m->fd);
}

static void hear_parent(void *arg)
{
	struct link *l = arg;
	struct ipc_message m;

	for (unsigned i = 0; i < TURN_MAX; i++) {
		int err = ipc_hear(l->parent, ipc_buf, rights, sizeof(rights) / sizeof(*rights),
				   FROM_PARENT, &m);

		if (err == -EAGAIN)
			return;
		if (err == -EBADMSG)
			fatal("the parent says what it may not");
		if (err < 0)
			exit(1); /* the parent is gone, and so are we */
		from_parent(l, &m);
	}
}

/* --- the process ------------------------------------------------------------------------- */

/* Two descriptors a connection, for as many as a relay may have. */
static void raise_limits(void)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
		most.rlim_cur = most.rlim_max;
		setrlimit(RLIMIT_NOFILE, &most);
	}
}

static void prepare(struct link *l)
{
	struct relay_calls rc = {.tell = tell, .driving = driving, .forget = forget, .arg = l};
	struct tls_key_calls kc = {.other = heard_keeper, .resume = resume, .arg = l};

	/* What would be read from files later. */
	json_object_seed(0);
	tzset();
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
				 OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ASYNC,
			 NULL);
	library_tls();
	/* Buffers come and go with every message. */
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	l->relays = relays_new(&rc);
	l->key = tls_key_new(-1, "tls.link", &kc);
	l->lines = lines_new(l);
	l->est = est_new(l);
	l->peers = peers_new(l);
	if (!l->relays || !l->key || !l->lines || !l->est || !l->peers ||
	    outbox_init(&l->events, EVENTS_WAITING) < 0)
		fatal("no memory");
	if (relays_watch(l->relays, l->parent, hear_parent, l) < 0)
		fatal("the parent cannot be heard");
}

static void flush(struct link *l)
{
	if (l->keeper >= 0 && !outbox_empty(&l->events))
		outbox_flush(&l->events, l->keeper);
}

static void run(struct link *l)
{
	uint64_t tick = clock_mono_ns(), report = tick, now;

	while (!l->stopping && !told) {
		int ms = peers_turn(l->peers, outbox_empty(&l->events) ? 1000 : 50);

		relays_turn(l->relays, peers_sleep(l->peers) ? ms : 0);
		peers_wake(l->peers);
		now = clock_mono_ns();
		flush(l);
		if (now - report >= REPORT_NS) {
			report = now;
			peers_report(l->peers);
		}
		if (now - tick < TICK_NS)
			continue;
		tick = now;
		lines_tick(l->lines);
		relays_tick(l->relays);
		est_tick(l->est);
		tell_state(l);
	}
}

/* Handshakes that are on have a moment to be done; then all that stands is left to the next link. */
static void leave(struct link *l)
{
	uint64_t end = clock_mono_ns() + LINK_SHAKE_MS * NSEC_PER_MSEC;
	unsigned count;

	while (relays_shaking(l->relays) && clock_mono_ns() < end) {
		relays_turn(l->relays, 20);
		flush(l);
	}
	count = relays_hand_over(l->relays, l->leave);
	log_info("%u connections are handed over", count);
}

/* No new connections; those that nobody takes over have a moment to end. The parent's sockets go on
 * listening: who comes meanwhile waits for the next link. */
static void drain(struct link *l)
{
	uint64_t end = clock_mono_ns() + LINK_DRAIN_MS * NSEC_PER_MSEC;

	lines_close(l->lines);
	for (unsigned i = 0; i < TURN_MAX && peers_turn(l->peers, 1) == 0; i++)
		;
	/* Who goes on by our keys is not to be taken for gone. */
	if (l->stopping && l->stop != SETUP_STOP_HEIR)
		peers_free(l->peers);
	if (l->leave >= 0 && (!l->stopping || l->stop != SETUP_STOP_ALONE))
		leave(l);
	while (relays_open(l->relays) && clock_mono_ns() < end) {
		relays_turn(l->relays, 50);
		flush(l);
	}
	est_free(l->est);
	relays_free(l->relays);
	l->relays = NULL;
	lines_free(l->lines);
	flush(l);
}

static void hear_term(int signal)
{
	told = 1;
}

int link_main(int argc, char **argv)
{
	struct link *l = &link_state;

	if (argc != 1) {
		fputs("bedwarden: _link is started by 'bedwarden run'\n", stderr);
		return 2;
	}
	*l = (struct link){.parent = CHILD_IPC_FD, .keeper = -1, .updater = -1, .leave = -1};
	log_init("link", LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, hear_term);
	raise_limits();
	prepare(l);
	lock_in(SETUP_USER, true, calls, sizeof(calls) / sizeof(*calls));
	if (ipc_send(l->parent, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("the parent is gone");
	run(l);
	drain(l);
	return 0;
}
