#include "role/console.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/evp.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "people/console/client_cert.h"
#include "people/console/self.h"
#include "people/console/web.h"
#include "role/front.h"
#include "role/lock_in.h"
#include "role/neighbour.h"
#include "role/parcels.h"
#include "role/port.h"
#include "role/setup.h"
#include "role/tls_key.h"
#include "seal/pki/signer.h"

enum { FROM_PARENT, FROM_KEEPER };

/* Who may say what to the console. */
static const struct ipc_right rights[] = {
	{FROM_PARENT, IPC_PEER},			     /* 0: calls, 1: signatures */
	{FROM_PARENT, IPC_STOP},    {FROM_KEEPER, IPC_CALL}, /* an answer */
	{FROM_KEEPER, IPC_LIVE},    {FROM_KEEPER, IPC_CERT}, /* an answer */
	{FROM_KEEPER, IPC_CONTENT},			     /* and what one tells of */
};

/* Besides what every role lives on: connections that come. */
static const char *const calls[] = {
	"accept", "accept4", "fcntl", "getpeername", "getsockname", "getsockopt", "setsockopt",
};

#define NAMES_MAX   8
#define CLIENTS_MAX (1u << 20) /* bytes of console.client_ca */
#define TURN_MAX    4	       /* messages before what they brought is handed on */
#define CERT_MS	    3000
#define AGAIN_S	    5  /* between attempts to have a certificate signed */
#define RENEW_S	    60 /* between looks whether there is another certificate */
#define COUNTS_S    60
#define ASKING_MAX  (8u << 20) /* bytes of questions that wait for the keeper */

struct console {
	struct event_base *base;
	struct event *parent_event, *keeper_event, *keeper_room, *tick;
	int parent, keeper; /* sockets; keeper -1 none yet */
	struct parcels out; /* to the keeper */
	struct tls_key *key;
	struct asks *asks;
	struct web *web;	       /* NULL: nobody is served yet */
	struct neighbours *neighbours; /* NULL: none can be asked */
	EVP_PKEY *pkey, *public;
	SSL_CTX *tls;
	X509 *cert;
	struct bytes clients; /* PEM: who vouches for workstations; empty: none are asked */
	const char *user;
	const char *names[NAMES_MAX + 2], *ats[FRONT_MAX];
	char ips[FRONT_MAX][ADDRESS_IP_LEN];
	const char *hosts[NAMES_MAX + FRONT_MAX + 3];
	unsigned name_count, at_count;
	uint32_t shut[PORTS_MAX]; /* interfaces that nobody may come in by */
	unsigned shut_count;
	uint32_t connections, per_source, requests, subscribers;
	uint64_t again_ns, renew_ns, counts_ns, dropped_told, refused_told;
	char pem[SELF_PEM_MAX];
	size_t pem_len;
	bool pem_there; /* the keeper has answered */
	bool watching, told_locked;
	char buf[IPC_BUF];
};

static void hear_keeper(evutil_socket_t fd, short what, void *arg);

/* --- what the keeper is asked ------------------------------------------------ */

static int send_call(void *arg, uint32_t id, struct bytes text)
{
	struct console *c = arg;

	if (c->keeper < 0)
		return -EPIPE;
	if (!parcels_put_text(&c->out, c->keeper, IPC_CALL, id, text))
		return -EAGAIN;
	if (!parcels_empty(&c->out))
		event_add(c->keeper_room, NULL);
	return 0;
}

/* What found no room in the keeper's socket before. */
static void send_more(evutil_socket_t fd, short what, void *arg)
{
	struct console *c = arg;

	parcels_send(&c->out, c->keeper);
	if (!parcels_empty(&c->out))
		event_add(c->keeper_room, NULL);
}

static void tell_watching(struct console *c)
{
	uint32_t on = c->watching;

	if (c->keeper >= 0)
		parcels_put(&c->out, c->keeper, IPC_LIVE, 0,
			    (struct bytes){(const uint8_t *)&on, sizeof(on)}, -1);
	if (!parcels_empty(&c->out))
		event_add(c->keeper_room, NULL);
}

static void watching(void *arg, bool on)
{
	struct console *c = arg;

	c->watching = on;
	tell_watching(c);
}

static bool find_mac(void *arg, const struct sockaddr *who, char ret_mac[ADDRESS_MAC_LEN])
{
	struct console *c = arg;
	uint8_t mac[6];

	if (!c->neighbours || !neighbour_mac(c->neighbours, who, clock_mono_ns(), mac))
		return false;
	address_mac_text(mac, ret_mac);
	return true;
}

/* A ward's port is no way in, even to an address of the management network. */
static bool welcome(void *arg, int sock)
{
	const struct console *c = arg;
	uint32_t came_by = c->shut_count ? front_interface(sock) : 0;

	for (unsigned i = 0; i < c->shut_count; i++)
		if (c->shut[i] == came_by)
			return false;
	return true;
}

/* --- TLS ---------------------------------------------------------------------- */

/* While a signature is waited for nothing else comes by that socket. */
static void other(void *arg, struct ipc_message *m)
{
	if (m->fd >= 0)
		close(m->fd);
}

static struct self_names names_of(const struct console *c)
{
	static const char *ips[FRONT_MAX];
	struct self_names n = {c->names, c->name_count, ips, 0};

	for (unsigned i = 0; i < c->at_count; i++)
		if (strcmp(c->ips[i], "0.0.0.0") != 0 && strcmp(c->ips[i], "::") != 0)
			ips[n.ip_count++] = c->ips[i];
	return n;
}

/* The certificate that the keeper keeps for us, as far as it has one; false: no answer. */
static bool fetch_pem(struct console *c, struct bytes keep)
{
	uint64_t end = clock_mono_ns() + CERT_MS * NSEC_PER_MSEC;

	c->pem_there = false;
	if (ipc_send(c->keeper, IPC_CERT, 0, keep, -1) != 0)
		return false;
	while (!c->pem_there && c->keeper >= 0 && clock_mono_ns() < end) {
		struct pollfd p = {.fd = c->keeper, .events = POLLIN};

		if (poll(&p, 1, 100) == 1)
			hear_keeper(c->keeper, 0, c);
	}
	return c->pem_there;
}

static bool ask_pem(struct console *c, const struct self_names *n)
{
	json_t *list = json_array();
	char *text;
	bool ok;

	for (unsigned i = 0; i < n->name_count; i++)
		json_array_append_new(list, json_string(n->names[i]));
	for (unsigned i = 0; i < n->ip_count; i++)
		json_array_append_new(list, json_string(n->ips[i]));
	text = json_dumps(list, JSON_COMPACT);
	ok = text && fetch_pem(c, (struct bytes){(const uint8_t *)text, strlen(text)});
	free(text);
	json_decref(list);
	return ok;
}

static X509 *certificate(struct console *c)
{
	struct self_names n = names_of(c);
	uint64_t now_s = clock_wall_ns() / NSEC_PER_SEC;
	char pem[SELF_PEM_MAX];
	X509 *x;

	if (!ask_pem(c, &n))
		return NULL;
	x = self_parse((struct bytes){(const uint8_t *)c->pem, c->pem_len});
	if (x && (self_is_issued(x, c->public) || self_serves(x, c->public, &n, now_s)))
		return x;
	X509_free(x);
	x = self_make(c->pkey, c->public, &n, now_s);
	if (x)
		fetch_pem(c, (struct bytes){(const uint8_t *)pem, self_pem(x, pem)});
	return x;
}

/* A descriptor a connection, for as many as the options allow. */
static void raise_limits(const struct console *c)
{
	rlim_t need = c->connections + 64;
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur < need) {
		most.rlim_cur = need < most.rlim_max ? need : most.rlim_max;
		setrlimit(RLIMIT_NOFILE, &most);
	}
}

/* Before the sandbox. Where there is none, who needs a certificate does not come in. */
static void read_clients(struct console *c, const char *path)
{
	int err = *path ? file_read(path, CLIENTS_MAX, &c->clients) : 0;

	if (err < 0)
		log_error("console.client_ca: %s: %s; nobody is asked for a certificate", path,
			  strerror(-err));
}

static SSL_CTX *context(struct console *c)
{
	STACK_OF(X509) *issuers = self_issuers((struct bytes){(const uint8_t *)c->pem, c->pem_len});
	SSL_CTX *tls = self_context(c->pkey, c->cert, issuers);

	int err = tls && c->clients.len ? client_cert_ask(tls, c->clients) : 0;

	sk_X509_pop_free(issuers, X509_free);
	if (err < 0)
		log_error("console.client_ca: %s; nobody is asked for a certificate",
			  err == -EBADMSG ? "something in it is no certificate" : strerror(-err));
	return tls;
}

static void say_where(const struct console *c)
{
	char print[SELF_PRINT];

	self_print(c->cert, print);
	for (unsigned i = 0; i < c->at_count; i++)
		log_info("https://%s, certificate SHA-256 %s", c->ats[i], print);
}

static bool open_tls(struct console *c)
{
	uint8_t point[P256_POINT];
	int err = tls_key_fetch(c->key, point);

	if (err < 0) {
		if (err == -ENOKEY && !c->told_locked)
			log_warn("nobody is served while the keys are locked");
		c->told_locked |= err == -ENOKEY;
		return false;
	}
	c->pkey = tls_key_pkey(c->key, point);
	c->public = signer_public(point);
	if (c->pkey && c->public)
		c->cert = certificate(c);
	if (c->cert)
		c->tls = context(c);
	return c->tls != NULL;
}

/* An authority may have come, a name or the time changed: who connects from now on sees it. */
static void renew_tls(struct console *c, uint64_t now_ns)
{
	X509 *x, *was = c->cert;
	SSL_CTX *tls;

	if (!c->web || c->keeper < 0 || now_ns < c->renew_ns)
		return;
	c->renew_ns = now_ns + RENEW_S * NSEC_PER_SEC;
	x = certificate(c);
	if (!x || X509_cmp(x, was) == 0) {
		X509_free(x);
		return;
	}
	c->cert = x;
	tls = context(c);
	if (!tls) {
		c->cert = was;
		X509_free(x);
		return;
	}
	web_set_tls(c->web, tls);
	SSL_CTX_free(c->tls); /* conversations under way keep it */
	c->tls = tls;
	X509_free(was);
	say_where(c);
}

static void close_tls(struct console *c)
{
	SSL_CTX_free(c->tls);
	X509_free(c->cert);
	EVP_PKEY_free(c->public);
	EVP_PKEY_free(c->pkey);
	c->tls = NULL;
	c->cert = NULL;
	c->public = c->pkey = NULL;
}

/* Serves, once the keeper signs. */
static void open_web(struct console *c)
{
	struct web_options o = {.base = c->base,
				.asks = c->asks,
				.hosts = c->hosts,
				.connections = c->connections,
				.per_source = c->per_source,
				.requests = c->requests,
				.subscribers = c->subscribers,
				.watching = watching,
				.mac = find_mac,
				.welcome = welcome,
				.arg = c};

	if (c->web || c->keeper < 0 || clock_mono_ns() < c->again_ns)
		return;
	c->again_ns = clock_mono_ns() + AGAIN_S * NSEC_PER_SEC;
	if (!open_tls(c)) {
		close_tls(c);
		return;
	}
	o.tls = c->tls;
	c->web = web_new(&o);
	if (!c->web)
		fatal("no memory");
	for (unsigned i = 0; i < c->at_count; i++)
		if (web_listen(c->web, CONSOLE_LISTEN_FD + (int)i) < 0)
			fatal("no memory");
	c->renew_ns = clock_mono_ns() + RENEW_S * NSEC_PER_SEC;
	say_where(c);
}

/* --- messages ----------------------------------------------------------------- */

static void lose_keeper(struct console *c)
{
	if (c->keeper < 0)
		return;
	if (c->keeper_event)
		event_free(c->keeper_event);
	if (c->keeper_room)
		event_free(c->keeper_room);
	c->keeper_event = c->keeper_room = NULL;
	parcels_clear(&c->out);
	close(c->keeper);
	c->keeper = -1;
	ask_fail_all(c->asks);
}

static bool from_keeper(struct console *c, struct ipc_message *m)
{
	if (m->type == IPC_CONTENT) {
		ask_content(c->asks, m->id, m->fd);
		m->fd = -1; /* it is theirs now */
		return true;
	}
	if (m->type == IPC_CALL)
		return ask_piece(c->asks, m->id, m->body);
	if (m->type == IPC_LIVE) {
		if (c->web)
			web_events(c->web, m->body);
		return true;
	}
	if (m->body.len >= sizeof(c->pem))
		return false;
	if (m->body.len)
		memcpy(c->pem, m->body.data, m->body.len);
	c->pem_len = m->body.len;
	return c->pem_there = true;
}

static void hear_keeper(evutil_socket_t fd, short what, void *arg)
{
	struct console *c = arg;
	struct ipc_message m;

	for (unsigned i = 0; i < TURN_MAX && c->keeper >= 0; i++) {
		int err = ipc_hear(c->keeper, c->buf, rights, sizeof(rights) / sizeof(*rights),
				   FROM_KEEPER, &m);

		if (err == -EAGAIN)
			return;
		if (err != 0 || !from_keeper(c, &m)) {
			if (err == 0 && m.fd >= 0)
				close(m.fd);
			if (err == 0 || err == -EBADMSG)
				log_error("the keeper sent a malformed message");
			lose_keeper(c); /* the parent introduces the next one */
		}
	}
}

static void take_peer(struct console *c, struct ipc_message *m)
{
	static int signing = -1;
	uint32_t which;

	if (!ipc_u32(m, &which) || which > 1)
		fatal("the parent sent a malformed message");
	if (which == 1) {
		tls_key_socket(c->key, m->fd);
		if (signing >= 0)
			close(signing);
		signing = m->fd;
	} else {
		lose_keeper(c);
		c->keeper = m->fd;
		c->keeper_event = event_new(c->base, m->fd, EV_READ | EV_PERSIST, hear_keeper, c);
		c->keeper_room = event_new(c->base, m->fd, EV_WRITE, send_more, c);
		if (!c->keeper_event || !c->keeper_room || event_add(c->keeper_event, NULL) < 0)
			fatal("no memory");
		tell_watching(c);
	}
	m->fd = -1; /* it is ours now */
	c->again_ns = 0;
}

static void hear_parent(evutil_socket_t fd, short what, void *arg)
{
	static char buf[IPC_BUF];
	struct console *c = arg;
	struct ipc_message m;

	for (;;) {
		int err = ipc_hear(c->parent, buf, rights, sizeof(rights) / sizeof(*rights),
				   FROM_PARENT, &m);

		if (err == -EAGAIN)
			return;
		if (err != 0 || m.type == IPC_STOP) {
			event_base_loopbreak(c->base);
			return;
		}
		take_peer(c, &m);
		if (m.fd >= 0)
			close(m.fd);
	}
}

/* --- the process -------------------------------------------------------------- */

static void say_counts(struct console *c, uint64_t now_ns)
{
	struct web_counts n;

	if (!c->web || now_ns < c->counts_ns)
		return;
	c->counts_ns = now_ns + COUNTS_S * NSEC_PER_SEC;
	web_counts(c->web, &n);
	if (n.dropped > c->dropped_told)
		log_info("%llu live views could not keep up and were dropped",
			 (unsigned long long)(n.dropped - c->dropped_told));
	if (n.refused > c->refused_told)
		log_info("%llu connections or requests were beyond the limits and refused",
			 (unsigned long long)(n.refused - c->refused_told));
	c->dropped_told = n.dropped;
	c->refused_told = n.refused;
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct console *c = arg;
	uint64_t now = clock_mono_ns();

	ask_turn(c->asks, now);
	open_web(c);
	renew_tls(c, now);
	say_counts(c, now);
}

static uint32_t number_of(const char *text)
{
	uint64_t n;

	if (!number_read(text, 1, 1000000, &n))
		fatal("console: started by hand? 'bedwarden run' starts it");
	return (uint32_t)n;
}

static void read_options(struct console *c, int argc, char **argv)
{
	uint16_t port;
	int letter;

	while ((letter = getopt(argc, argv, "u:a:n:c:s:r:l:w:C:")) != -1) {
		if (letter == 'u')
			c->user = optarg;
		else if (letter == 'a' && c->at_count < FRONT_MAX &&
			 address_endpoint(optarg, c->ips[c->at_count], &port))
			c->ats[c->at_count++] = optarg;
		else if (letter == 'n' && c->name_count < NAMES_MAX)
			c->names[c->name_count++] = optarg;
		else if (letter == 'w' && c->shut_count < PORTS_MAX)
			c->shut[c->shut_count++] = number_of(optarg);
		else if (letter == 'c')
			c->connections = number_of(optarg);
		else if (letter == 's')
			c->per_source = number_of(optarg);
		else if (letter == 'r')
			c->requests = number_of(optarg);
		else if (letter == 'l')
			c->subscribers = number_of(optarg);
		else if (letter == 'C')
			read_clients(c, optarg);
		else
			fatal("console: started by hand? 'bedwarden run' starts it");
	}
	if (!c->user || !c->at_count || !c->connections || !c->per_source || !c->requests ||
	    !c->subscribers || optind != argc)
		fatal("console: started by hand? 'bedwarden run' starts it");
}

/* What it may be called by: its names and its addresses. */
static void name_hosts(struct console *c)
{
	unsigned n = 0;
	bool here = false;

	for (unsigned i = 0; i < c->at_count; i++)
		here |= strncmp(c->ips[i], "127.", 4) == 0 || strcmp(c->ips[i], "::1") == 0;
	if (c->name_count == 0 || here)
		c->names[c->name_count++] = "localhost";
	for (unsigned i = 0; i < c->name_count; i++)
		c->hosts[n++] = c->names[i];
	for (unsigned i = 0; i < c->at_count; i++)
		c->hosts[n++] = c->ips[i];
}

static void open_all(struct console *c)
{
	static const struct tls_key_calls key_calls = {.other = other};
	struct timeval half = {0, 500000};

	c->base = event_base_new();
	c->asks = asks_new(send_call, c);
	c->key = tls_key_new(-1, "tls.console", &key_calls);
	c->neighbours = neighbours_new();
	if (!c->base || !c->asks || !c->key)
		fatal("no memory");
	c->parent_event = event_new(c->base, c->parent, EV_READ | EV_PERSIST, hear_parent, c);
	c->tick = event_new(c->base, -1, EV_PERSIST, tick, c);
	if (!c->parent_event || !c->tick || event_add(c->parent_event, NULL) < 0 ||
	    event_add(c->tick, &half) < 0)
		fatal("no memory");
}

int console_main(int argc, char **argv)
{
	static struct console c = {.parent = CONSOLE_IPC_FD, .keeper = -1, .out.max = ASKING_MAX};

	log_init("console", LOG_INFO);
	read_options(&c, argc, argv);
	name_hosts(&c);
	signal(SIGPIPE, SIG_IGN);
	/* What libraries would read from files later. */
	tzset();
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
	json_object_seed(0);
	raise_limits(&c);
	open_all(&c);
	lock_in(c.user, false, calls, sizeof(calls) / sizeof(*calls));
	if (ipc_send(c.parent, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("the parent is gone");
	event_base_dispatch(c.base);
	web_free(c.web);
	lose_keeper(&c);
	close_tls(&c);
	tls_key_free(c.key);
	asks_free(c.asks);
	neighbours_free(c.neighbours);
	event_free(c.tick);
	event_free(c.parent_event);
	event_base_free(c.base);
	return 0;
}
