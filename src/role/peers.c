#include "role/peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "base/share.h"
#include "base/will.h"
#include "bpf/shared.h"
#include "role/setup.h"
#include "role/steer.h"
#include "role/tls_key.h"
#include "seal/link/link.h"
#include "seal/pki/tls.h"

#define LINKS_BYTES ((GATE_LINKS + 1) * sizeof(struct gate_link))
#define BEAT_NS	    (25 * NSEC_PER_MSEC)
#define BATCH	    64
#define DEVICES_MAX 65536u
#define GRAVES	    16
#define GRAVE_NS    (30 * NSEC_PER_SEC) /* the core lets go of what it rejoins long before */
#define READS_TURN  8			/* of the socket, before guards get their turn */

/* One guard's memory and queues. */
struct party {
	uint8_t *memory; /* NULL: no such guard yet */
	uint32_t chunks;
	struct share_queues queues; /* at NULL: none */
	int wakes;		    /* the guard */
	uint8_t *fresh;		    /* memory that comes with the next queues */
	uint32_t fresh_chunks;
	int fresh_wakes;
	/* Taken from SHARE_SEAL, and the peer's socket was full. */
	struct spsc_entry held[BATCH];
	unsigned held_first, held_count;
	uint32_t spare[SHARE_INBOX]; /* empty chunks */
	unsigned spares;
	bool opened; /* something to publish */
};

struct peer {
	struct link_peer *core;
	json_t *setup; /* what it was made of */
	uint32_t ifindex;
	uint64_t too_late;
};

/* Memory of a guard that is gone, in which a frame may still be under way to be whole. */
struct grave {
	uint8_t *memory;
	uint32_t chunks;
	uint64_t since_ns;
};

struct peers {
	struct link *link;
	struct links *core;
	struct gate_link *links; /* shared with guards and kernel; NULL: not told yet */
	int wake;		 /* by which guards wake us; -1 */
	struct peer list[GATE_LINKS];
	struct party *parties[SETUP_GUARDS_MAX];
	unsigned party_count;
	struct grave graves[GRAVES];
	struct steer *steer; /* used where there are several */
	json_t *setup;	     /* what was told of the link itself */
	char *trust;
	EVP_PKEY *key;
	STACK_OF(X509) * chain;
	struct setup_sealed *sealed;		 /* by device */
	uint32_t generation;
	uint64_t beat_ns;
	struct setup_peers report;
};

static const char *text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "";
}

static uint32_t number(const json_t *o, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(o, key));
}

/* --- which peer takes frames, told to kernel and guards ---------------------------- */

static void beat(struct peers *ps, uint64_t now)
{
	if (!ps->links)
		return;
	ps->beat_ns = now;
	for (unsigned i = 0; i < GATE_LINKS; i++) {
		const struct peer *p = &ps->list[i];

		__atomic_store_n(&ps->links[i + 1].beat_ns,
				 p->core && link_is_up(p->core) ? now : 0, __ATOMIC_RELEASE);
	}
}

/* --- events -------------------------------------------------------------------------- */

static const char *const states[] = {
	[LINK_UP] = "up",	[LINK_DOWN] = "down", [LINK_RENEWED] = "renewed",
	[LINK_MOVED] = "moved", [LINK_MTU] = "mtu",   [LINK_REFUSED] = "refused",
};

static const char *address_text(const struct sockaddr *a, char ret_text[ADDRESS_IP_LEN],
				uint16_t *ret_port)
{
	uint8_t ip[16] = {[10] = 0xff, 0xff};

	if (!a || (a->sa_family != AF_INET && a->sa_family != AF_INET6))
		return NULL;
	if (a->sa_family == AF_INET) {
		memcpy(ip + 12, &((const struct sockaddr_in *)a)->sin_addr, 4);
		*ret_port = ntohs(((const struct sockaddr_in *)a)->sin_port);
	} else {
		memcpy(ip, &((const struct sockaddr_in6 *)a)->sin6_addr, 16);
		*ret_port = ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
	}
	return address_ip_text(ip, ret_text);
}

/* As the policy calls it. */
static const char *name_of(const struct link_peer *core)
{
	const struct peer *p = link_arg(core);

	return text(p->setup, "name");
}

static void tell(void *arg, const struct link_fact *f)
{
	struct peers *ps = arg;
	char ip[ADDRESS_IP_LEN], buf[EVENT_MAX];
	uint16_t port = 0;
	struct event_common e = {
		.time_ns = clock_wall_ns(),
		.type = "seal",
		.src_ip = address_text(f->address, ip, &port),
		.src_port = port ? port : -1,
		.dest_port = -1,
		.proto = "UDP",
		.app_proto = "dtls",
		.peer = f->peer ? name_of(f->peer) : NULL,
		.reason = f->reason,
		.verdict = f->what == LINK_REFUSED ? "drop" : NULL,
	};
	struct link_status st;
	struct json j;
	size_t len;

	if (f->what == LINK_UP || f->what == LINK_DOWN)
		beat(ps, clock_mono_ns());
	j = event_begin(&e, buf);
	json_open(&j, "seal");
	if (f->peer)
		json_str(&j, "link", name_of(f->peer));
	json_str(&j, "state", states[f->what]);
	if (f->subject)
		json_str(&j, "subject", f->subject);
	if (f->text)
		json_str(&j, "message", f->text);
	if (f->peer && f->what != LINK_REFUSED && f->what != LINK_DOWN) {
		link_status(f->peer, &st);
		if (st.cipher)
			json_str(&j, "cipher", st.cipher);
		if (st.mtu)
			json_u64(&j, "mtu", st.mtu);
	}
	if (f->repeats)
		json_u64(&j, "repeats", f->repeats);
	json_close(&j);
	len = event_end(&j);
	if (len)
		link_tell(ps->link, buf, len);
}

/* --- signatures ------------------------------------------------------------------------ */

static void driving(void *arg, struct link_shake *s)
{
	struct peers *ps = arg;

	tls_key_for(ps->link->key, s);
}

static bool forget(void *arg, struct link_shake *s)
{
	struct peers *ps = arg;

	return tls_key_forget(ps->link->key, s);
}

bool peers_resume(struct peers *ps, void *who)
{
	return links_resume(ps->core, who);
}

/* --- frames that come in ------------------------------------------------------------------ */

static bool refill(struct party *y)
{
	struct spsc_entry e[BATCH];
	int n;

	while (y->spares + BATCH <= SHARE_INBOX &&
	       (n = spsc_take(&y->queues.q[SHARE_EMPTY], e, BATCH)) != 0) {
		if (n < 0)
			return false;
		for (int i = 0; i < n; i++) {
			if (e[i].offset % SHARE_CHUNK || e[i].offset / SHARE_CHUNK >= y->chunks)
				return false;
			y->spare[y->spares++] = e[i].offset;
		}
	}
	return true;
}

static void bury(struct peers *ps, uint8_t *memory, uint32_t chunks)
{
	struct grave *g = &ps->graves[0];

	for (unsigned i = 1; i < GRAVES; i++)
		if (ps->graves[i].since_ns < g->since_ns)
			g = &ps->graves[i];
	share_unmap_memory(g->memory, g->chunks);
	*g = (struct grave){memory, chunks, clock_mono_ns()};
}

static void weed(struct peers *ps, uint64_t now)
{
	for (unsigned i = 0; i < GRAVES; i++) {
		struct grave *g = &ps->graves[i];

		if (!g->memory || now - g->since_ns < GRAVE_NS)
			continue;
		share_unmap_memory(g->memory, g->chunks);
		*g = (struct grave){0};
	}
}

static void forsake(struct peers *ps, struct party *y)
{
	share_unmap_queues(&y->queues);
	if (y->memory)
		bury(ps, y->memory, y->chunks);
	y->memory = NULL;
	y->spares = 0;
	y->held_count = y->held_first = 0;
	if (y->wakes >= 0)
		close(y->wakes);
	y->wakes = -1;
}

static void distrust(struct peers *ps, struct party *y, const char *of)
{
	log_error("a guard says of %s what cannot be; it is not heard until it is started anew",
		  of);
	forsake(ps, y);
}

static struct party *party_of(struct peers *ps, const uint8_t *data)
{
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++) {
		struct party *y = ps->parties[i];

		if (y && y->memory && data >= y->memory &&
		    data < y->memory + (size_t)y->chunks * SHARE_CHUNK)
			return y;
	}
	return NULL;
}

/* An empty chunk's frame; NULL: none. */
static uint8_t *chunk(struct peers *ps, struct party *y)
{
	if (!y || !y->queues.at)
		return NULL;
	if (y->spares == 0 && !refill(y)) {
		distrust(ps, y, "empty memory");
		return NULL;
	}
	return y->spares ? y->memory + y->spare[--y->spares] + SHARE_HEAD : NULL;
}

static struct party *any_party(struct peers *ps)
{
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++)
		if (ps->parties[i] && ps->parties[i]->queues.at)
			return ps->parties[i];
	return NULL;
}

static uint8_t *take(void *arg, uint32_t len)
{
	struct peers *ps = arg;

	return len <= SHARE_FRAME ? chunk(ps, any_party(ps)) : NULL;
}

static void put_back(struct party *y, uint8_t *data)
{
	if (y->spares < SHARE_INBOX)
		y->spare[y->spares++] = (uint32_t)(data - y->memory) / SHARE_CHUNK * SHARE_CHUNK;
}

static void give(void *arg, uint8_t *data)
{
	struct party *y = party_of(arg, data);

	if (y)
		put_back(y, data);
}

/* To the guard that sees the other direction, which may mean another guard's memory. */
static void deliver(void *arg, struct link_peer *core, const struct link_frame *f)
{
	struct peers *ps = arg;
	const struct peer *p = link_arg(core);
	struct party *from = party_of(ps, f->data), *to;
	unsigned guard =
		ps->party_count > 1 ? steer_find(ps->steer, (struct bytes){f->data, f->len}) : 0;
	uint8_t *data = f->data;
	struct spsc_entry e;

	if (!from)
		return;
	to = guard < SETUP_GUARDS_MAX ? ps->parties[guard] : NULL;
	if (!to || !to->queues.at)
		to = from;
	if (to != from) {
		data = chunk(ps, to);
		if (data)
			memcpy(data, f->data, f->len);
		put_back(from, f->data);
	}
	if (!data || f->form != LINK_FORM_ETHERNET)
		return;
	e = (struct spsc_entry){.offset = (uint32_t)(data - to->memory),
				.len = (uint16_t)f->len,
				.peer = (uint16_t)(p - ps->list + 1),
				.port = p->ifindex,
				.device = SPSC_NO_DEVICE};
	if (!spsc_put(&to->queues.q[SHARE_OPENED], &e))
		put_back(to, data);
	to->opened = true;
}

/* --- frames that go out ---------------------------------------------------------------------- */

/* Whether an entry's frame lies where it says. */
static bool lies_well(const struct party *y, const struct spsc_entry *e)
{
	return e->len && e->offset / SHARE_CHUNK < y->chunks &&
	       e->offset % SHARE_CHUNK + e->len <= SHARE_CHUNK && e->peer && e->peer <= GATE_LINKS;
}

static void hand_back(struct party *y, const struct spsc_entry *e, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)spsc_put(&y->queues.q[SHARE_SEALED], &e[i]); /* as long as SHARE_SEAL */
}

static void count(struct peers *ps, const struct spsc_entry *e, unsigned n)
{
	for (unsigned i = 0; ps->sealed && i < n; i++)
		if (e[i].device < DEVICES_MAX) {
			ps->sealed[e[i].device].frames++;
			ps->sealed[e[i].device].bytes += e[i].len;
		}
}

/* A run of frames for one peer. How many are done with; fewer than n: its socket is full. */
static unsigned send_run(struct peers *ps, struct party *y, const struct spsc_entry *e, unsigned n)
{
	struct peer *p = &ps->list[e->peer - 1];
	struct link_frame frames[BATCH];
	int sent;

	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct link_frame){.data = y->memory + e[i].offset,
						.len = e[i].len,
						.device = LINK_NO_DEVICE,
						.form = LINK_FORM_ETHERNET};
	sent = p->core ? link_send(p->core, frames, n) : -ENOTCONN;
	if (sent < 0) {
		p->too_late += n;
		return n;
	}
	count(ps, e, (unsigned)sent);
	return (unsigned)sent;
}

/* What is held, from the first. True: all of it is gone. */
static bool send_held(struct peers *ps, struct party *y)
{
	while (y->held_count) {
		const struct spsc_entry *e = &y->held[y->held_first];
		unsigned run = 1, done;

		while (run < y->held_count && e[run].peer == e->peer)
			run++;
		done = send_run(ps, y, e, run);
		hand_back(y, e, done);
		y->held_first += done;
		y->held_count -= done;
		if (done < run)
			return false;
	}
	y->held_first = 0;
	return true;
}

/* At most a few batches of one guard, then the next gets its turn. True: there may be more. */
static bool send_of(struct peers *ps, struct party *y, unsigned guard)
{
	bool more = false;

	for (unsigned turn = 0; turn < 8 && send_held(ps, y); turn++) {
		int n = spsc_take(&y->queues.q[SHARE_SEAL], y->held, BATCH);

		more = n > 0;
		for (int i = 0; i < n; i++) {
			if (!lies_well(y, &y->held[i])) {
				n = -EBADMSG;
				break;
			}
			if (ps->party_count > 1)
				steer_learn(ps->steer,
					    (struct bytes){y->memory + y->held[i].offset,
							   y->held[i].len},
					    guard);
		}
		if (n < 0) {
			distrust(ps, y, "frames");
			return false;
		}
		y->held_count = (unsigned)n;
		if (n == 0)
			break;
	}
	return more;
}

static void publish(struct party *y)
{
	(void)spsc_publish(&y->queues.q[SHARE_SEALED]); /* it looks there itself */
	if (!y->opened)
		return;
	y->opened = false;
	if (spsc_publish(&y->queues.q[SHARE_OPENED]))
		(void)!write(y->wakes, &(uint64_t){1}, sizeof(uint64_t));
}

/* --- what the parent says ----------------------------------------------------------------------- */

static struct trust *trust_all(const struct peers *ps)
{
	const char *ca = text(ps->setup, "ca");
	struct trust *t = trust_new();
	int err = 0;

	if (t && ps->trust)
		err = trust_add(t, (struct bytes){(const uint8_t *)ps->trust, strlen(ps->trust)});
	if (t && err >= 0 && *ca)
		err = trust_add(t, (struct bytes){(const uint8_t *)ca, strlen(ca)});
	if (t && err >= 0 && trust_count(t))
		return t;
	trust_free(t);
	return NULL;
}

static void refresh(struct peers *ps)
{
	char error[TLS_ERROR] = "ca: no certificates that could be trusted in it";
	struct tls_options o = {.datagram = true,
				.mutual = true,
				.key = ps->key,
				.chain = ps->chain,
				.trust = ps->key ? trust_all(ps) : NULL};
	SSL_CTX *client = NULL, *server = NULL;

	if (!ps->key)
		return;
	if (o.trust)
		client = tls_context_new(&o, error);
	o.server = true;
	if (client)
		server = tls_context_new(&o, error);
	if (!server)
		log_error("the sealed link: %s; no gateway is believed", error);
	links_context(ps->core, server ? client : NULL, server, true);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	trust_free((struct trust *)(uintptr_t)o.trust);
}

void peers_identity(struct peers *ps, EVP_PKEY *key, STACK_OF(X509) * chain, const char *trust)
{
	char *copy = strdup(trust);

	if (!copy)
		return;
	free(ps->trust);
	ps->trust = copy;
	EVP_PKEY_up_ref(key);
	EVP_PKEY_free(ps->key);
	ps->key = key;
	sk_X509_pop_free(ps->chain, X509_free);
	ps->chain = X509_chain_up_ref(chain);
	refresh(ps);
}

static bool set_address(const json_t *setup, struct link_options *o)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&o->address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&o->address;
	uint16_t port = htons((uint16_t)number(setup, "port"));
	const char *ip = text(setup, "ip");

	if (!*ip)
		return true;
	if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = port;
		o->address_len = sizeof(*four);
		return true;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = port;
	o->address_len = sizeof(*six);
	return inet_pton(AF_INET6, ip, &six->sin6_addr) == 1;
}

static void remove_peer(struct peers *ps, struct peer *p)
{
	if (p->core)
		link_remove(p->core);
	json_decref(p->setup);
	*p = (struct peer){0};
	beat(ps, clock_mono_ns());
}

static void add_peer(struct peers *ps, struct peer *p, json_t *setup)
{
	struct link_options o = {.name = text(setup, "certificate"), .arg = p};

	p->setup = json_incref(setup);
	p->ifindex = number(setup, "ifindex");
	p->core = set_address(setup, &o) ? link_add(ps->core, &o) : NULL;
	if (!p->core)
		log_error("the peer %s cannot be linked to: %s", text(setup, "name"),
			  strerror(errno));
}

/* What the core is told of us: our certificate's name, by which two gateways know who of them begins. */
static void tune(struct peers *ps, const json_t *root)
{
	const char *name = json_string_value(json_array_get(json_object_get(root, "names"), 0));
	struct links_options o = {.name = name && *name ? name : "bedwarden",
				  .dead_ms = number(ps->setup, "dead_ms"),
				  .renew_s = number(ps->setup, "renew_s")};

	o.keepalive_ms = o.dead_ms * 2 / 7;
	links_tune(ps->core, &o);
}

static void reset_counts(struct peers *ps, uint32_t generation)
{
	if (ps->generation == generation && ps->sealed)
		return;
	ps->generation = generation;
	free(ps->sealed);
	ps->sealed = calloc(DEVICES_MAX, sizeof(*ps->sealed));
}

void peers_take(struct peers *ps, const json_t *root)
{
	json_t *list = json_object_get(root, "peers"), *link = json_object_get(root, "link"), *one;
	bool ca = ps->setup && strcmp(text(link, "ca"), text(ps->setup, "ca")) != 0;
	json_t *wanted[GATE_LINKS] = {NULL};
	size_t i;

	json_decref(ps->setup);
	ps->setup = json_incref(link);
	tune(ps, root);
	reset_counts(ps, number(root, "generation"));
	json_array_foreach (list, i, one) {
		if (number(one, "number") >= 1 && number(one, "number") <= GATE_LINKS)
			wanted[number(one, "number") - 1] = one;
	}
	for (unsigned n = 0; n < GATE_LINKS; n++)
		if (ps->list[n].setup && !(wanted[n] && json_equal(wanted[n], ps->list[n].setup)))
			remove_peer(ps, &ps->list[n]);
	for (unsigned n = 0; n < GATE_LINKS; n++)
		if (wanted[n] && !ps->list[n].setup)
			add_peer(ps, &ps->list[n], wanted[n]);
	if (ca)
		refresh(ps);
}

static void readable(void *arg)
{
	struct peers *ps = arg;

	for (unsigned i = 0; i < READS_TURN && links_read(ps->core); i++)
		;
}

void peers_socket(struct peers *ps, int fd)
{
	static int watched = -1;

	if (watched >= 0)
		relays_unwatch(ps->link->relays, watched);
	watched = fd;
	if (links_socket(ps->core, fd) < 0 || relays_watch(ps->link->relays, fd, readable, ps) < 0)
		log_error("the sealed link cannot use its socket");
}

static int take_links(struct peers *ps, int fd)
{
	void *at = mmap(NULL, LINKS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	if (ps->links)
		munmap(ps->links, LINKS_BYTES);
	ps->links = at;
	beat(ps, clock_mono_ns());
	return will_make(&ps->links[0].owner);
}

/* Guards wake us; what there is to do is found by looking. */
static void woken(void *arg)
{
	struct peers *ps = arg;
	uint64_t times;

	(void)!read(ps->wake, &times, sizeof(times));
}

static struct party *party(struct peers *ps, uint32_t guard)
{
	struct party *y;

	if (guard >= SETUP_GUARDS_MAX)
		return NULL;
	if (ps->parties[guard])
		return ps->parties[guard];
	y = calloc(1, sizeof(*y));
	if (y) {
		y->wakes = y->fresh_wakes = -1;
		ps->party_count++;
	}
	return ps->parties[guard] = y;
}

/* A guard with new queues. What the last one had handed over still goes. */
static bool begin(struct peers *ps, struct party *y, uint32_t guard, int queues)
{
	struct share_queues q;
	int err;

	if (y->queues.at) {
		while (send_of(ps, y, guard))
			;
		links_flush(ps->core);
	}
	if (!y->fresh && !y->memory)
		return false;
	err = share_map_queues(queues, &q);
	if (err) {
		log_error("queues of guard %u cannot be used: %s", guard, strerror(-err));
		return err != -EBADMSG;
	}
	if (!y->fresh) { /* the same guard again */
		y->fresh = y->memory;
		y->fresh_chunks = y->chunks;
		y->memory = NULL;
	}
	forsake(ps, y);
	y->memory = y->fresh;
	y->chunks = y->fresh_chunks;
	y->wakes = y->fresh_wakes;
	y->queues = q;
	y->fresh = NULL;
	y->fresh_wakes = -1;
	return true;
}

bool peers_message(struct peers *ps, struct ipc_message *m)
{
	uint32_t guard;
	struct party *y;

	if (m->type == IPC_LINKS)
		return take_links(ps, m->fd) == 0;
	if (!ipc_u32(m, &guard))
		return false;
	if (m->type == IPC_WAKE && !(guard & IPC_WAKE_GUARD)) {
		if (ps->wake >= 0)
			return true; /* it is the same for every guard */
		ps->wake = m->fd;
		m->fd = -1;
		return relays_watch(ps->link->relays, ps->wake, woken, ps) == 0;
	}
	y = party(ps, guard & ~IPC_WAKE_GUARD);
	if (!y)
		return false;
	if (m->type == IPC_FRAMES) {
		share_unmap_memory(y->fresh, y->fresh_chunks);
		y->fresh = NULL;
		return share_map_memory(m->fd, &y->fresh, &y->fresh_chunks) == 0;
	}
	if (m->type == IPC_WAKE) {
		if (y->fresh_wakes >= 0)
			close(y->fresh_wakes);
		y->fresh_wakes = m->fd;
		m->fd = -1;
		return true;
	}
	return begin(ps, y, guard, m->fd);
}

/* --- the loop's turn -------------------------------------------------------------------------------- */

int peers_turn(struct peers *ps, int most)
{
	bool more = false;
	uint64_t now, next;

	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++) {
		struct party *y = ps->parties[i];

		if (y && y->queues.at)
			more |= send_of(ps, y, i);
	}
	if (links_wants_write(ps->core))
		links_write(ps->core);
	links_flush(ps->core);
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++)
		if (ps->parties[i] && ps->parties[i]->queues.at)
			publish(ps->parties[i]);
	now = clock_mono_ns();
	next = links_turn(ps->core, now);
	if (now - ps->beat_ns >= BEAT_NS) {
		beat(ps, now);
		weed(ps, now);
	}
	if (more)
		return 0;
	if (links_wants_write(ps->core) && most > 1)
		most = 1;
	if (ps->links && most > (int)(BEAT_NS / NSEC_PER_MSEC))
		most = (int)(BEAT_NS / NSEC_PER_MSEC);
	if (next <= now)
		return 0;
	return (next - now) / NSEC_PER_MSEC < (uint64_t)most
		       ? (int)((next - now) / NSEC_PER_MSEC) + 1
		       : most;
}

bool peers_sleep(struct peers *ps)
{
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++) {
		struct party *y = ps->parties[i];

		if (y && y->queues.at && !y->held_count && !spsc_sleep(&y->queues.q[SHARE_SEAL]))
			return false;
	}
	return true;
}

void peers_wake(struct peers *ps)
{
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++)
		if (ps->parties[i] && ps->parties[i]->queues.at)
			spsc_wake(&ps->parties[i]->queues.q[SHARE_SEAL]);
}

/* --- how they are ------------------------------------------------------------------------------------- */

static void report_peer(const struct peer *p, uint32_t number, struct setup_peer *ret)
{
	struct link_status s = {.up = false};
	struct link_counts c = {0};
	char ip[ADDRESS_IP_LEN];
	uint16_t port;

	if (p->core) {
		link_status(p->core, &s);
		link_counts(p->core, &c);
	}
	*ret = (struct setup_peer){
		.number = number,
		.up = s.up,
		.since_ns = s.since_ns,
		.handshake_ns = s.handshake_ns,
		.heard_ns = s.heard_ns,
		.rtt_ns = s.rtt_ns,
		.not_after_s = s.not_after_s,
		.mtu = s.mtu,
		.frames_out = c.frames_out,
		.bytes_out = c.bytes_out,
		.frames_in = c.frames_in,
		.bytes_in = c.bytes_in,
		.datagrams_out = c.datagrams_out,
		.wire_out = c.wire_out,
		.wire_in = c.wire_in,
		.split = c.split,
		.rejoined = c.rejoined,
		.unfit = c.unfit,
		.replayed = c.replayed,
		.forged = c.forged,
		.malformed = c.malformed,
		.missing = c.missing,
		.incomplete = c.incomplete,
		.no_memory = c.no_memory,
		.clamped = c.clamped,
		.handshakes = c.handshakes,
		.failed = c.failed,
		.moved = c.moved,
		.too_late = p->too_late,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", text(p->setup, "name"));
	snprintf(ret->subject, sizeof(ret->subject), "%s", s.subject);
	snprintf(ret->cipher, sizeof(ret->cipher), "%s", s.cipher ? s.cipher : "");
	if (address_text((const struct sockaddr *)&s.address, ip, &port))
		snprintf(ret->address, sizeof(ret->address), strchr(ip, ':') ? "[%s]:%u" : "%s:%u",
			 ip, port);
}

_Static_assert(sizeof(struct setup_peers) <= IPC_BODY_MAX, "one message");

void peers_report(struct peers *ps)
{
	struct setup_peers *r = &ps->report;

	memset(r, 0, sizeof(*r));
	for (uint32_t i = 0; i < GATE_LINKS; i++)
		if (ps->list[i].setup)
			report_peer(&ps->list[i], i + 1, &r->peers[r->peer_count++]);
	for (uint32_t i = 0; ps->sealed && i < DEVICES_MAX && r->sealed_count < SETUP_SEALED_MAX;
	     i++) {
		if (!ps->sealed[i].frames)
			continue;
		r->sealed[r->sealed_count] = ps->sealed[i];
		r->sealed[r->sealed_count++].device = i;
	}
	ipc_send(ps->link->parent, IPC_PEERS, 0, (struct bytes){(const uint8_t *)r, sizeof(*r)},
		 -1);
}

/* --- begin and end --------------------------------------------------------------------------------------- */

struct peers *peers_new(struct link *l)
{
	struct links_calls calls = {.take = take,
				    .give = give,
				    .deliver = deliver,
				    .tell = tell,
				    .driving = driving,
				    .forget = forget};
	struct links_options o = {.name = "bedwarden"};
	struct peers *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return NULL;
	calls.arg = ps;
	ps->link = l;
	ps->wake = -1;
	ps->steer = steer_new();
	ps->core = links_new(&o, &calls);
	if (ps->core && ps->steer)
		return ps;
	peers_free(ps);
	errno = ENOMEM;
	return NULL;
}

void peers_free(struct peers *ps)
{
	if (!ps)
		return;
	if (ps->core)
		links_free(ps->core);
	for (unsigned i = 0; i < GATE_LINKS; i++)
		json_decref(ps->list[i].setup);
	memset(ps->list, 0, sizeof(ps->list));
	beat(ps, clock_mono_ns());
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++) {
		if (!ps->parties[i])
			continue;
		forsake(ps, ps->parties[i]);
		share_unmap_memory(ps->parties[i]->fresh, ps->parties[i]->fresh_chunks);
		free(ps->parties[i]);
	}
	for (unsigned i = 0; i < GRAVES; i++)
		share_unmap_memory(ps->graves[i].memory, ps->graves[i].chunks);
	if (ps->links) {
		(void)will_make(NULL);
		munmap(ps->links, LINKS_BYTES);
	}
	EVP_PKEY_free(ps->key);
	sk_X509_pop_free(ps->chain, X509_free);
	steer_free(ps->steer);
	json_decref(ps->setup);
	free(ps->trust);
	free(ps->sealed);
	free(ps);
}
