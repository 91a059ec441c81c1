#include "role/peers_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fips.h"
#include "base/log.h"
#include "base/will.h"
#include "role/tls_key.h"
#include "seal/pki/tls.h"

#define LINKS_BYTES ((GATE_LINKS + 1) * sizeof(struct gate_link))
#define BEAT_NS	    (25 * NSEC_PER_MSEC)
#define PATIENCE_NS (500 * NSEC_PER_MSEC) /* with a guard that has not come yet */
#define READS_TURN  8			  /* of the socket, before guards get their turn */
#define CATCH_UP_NS (3 * NSEC_PER_SEC)	  /* with what waited for us in the socket */
#define READ_ROOM   1536 /* chunks that one read may need, small frames being many in one */

const char *peers_text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "";
}

static uint32_t number(const json_t *o, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(o, key));
}

/* --- which peer takes frames, told to kernel and guards ---------------------------- */

void peers_beat(struct peers *ps, uint64_t now)
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

/* --- what the parent says ----------------------------------------------------------------------- */

static struct trust *trust_all(const struct peers *ps)
{
	const char *ca = peers_text(ps->setup, "ca");
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
	const char *ip = peers_text(setup, "ip");

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
	peers_beat(ps, clock_mono_ns());
}

static void add_peer(struct peers *ps, struct peer *p, json_t *setup)
{
	struct link_options o = {.name = peers_text(setup, "certificate"), .arg = p};

	p->setup = json_incref(setup);
	p->ifindex = number(setup, "ifindex");
	p->core = set_address(setup, &o) ? link_add(ps->core, &o) : NULL;
	if (!p->core)
		log_error("the peer %s cannot be linked to: %s", peers_text(setup, "name"),
			  strerror(errno));
	peers_beat(ps, clock_mono_ns()); /* a predecessor's keys may have it up already */
}

/* What the core is told of us: our certificate's name, by which two gateways know who of them begins. */
static void tune(struct peers *ps, const json_t *root)
{
	const char *name = json_string_value(json_array_get(json_object_get(root, "names"), 0));
	struct links_options o = {.name = name && *name ? name : "bedwarden",
				  .fips = fips_on(),
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
	ps->sealed = calloc(PEERS_DEVICES, sizeof(*ps->sealed));
}

void peers_take(struct peers *ps, const json_t *root)
{
	json_t *list = json_object_get(root, "peers"), *link = json_object_get(root, "link"), *one;
	bool ca = ps->setup && strcmp(peers_text(link, "ca"), peers_text(ps->setup, "ca")) != 0;
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
	links_disown(ps->core);
	if (ca)
		refresh(ps);
}

/* More may have waited for us than guards have memory for at once: the rest waits until they are through. */
static bool overtakes_guards(struct peers *ps)
{
	return clock_mono_ns() - ps->sock_ns < CATCH_UP_NS && party_room(ps) < READ_ROOM;
}

static void readable(void *arg)
{
	struct peers *ps = arg;

	for (unsigned i = 0; i < READS_TURN && !overtakes_guards(ps); i++)
		if (!links_read(ps->core))
			return;
}

/*
 * What waits in the socket may be for keys that a predecessor had: it is not read before a guard
 * has given memory to open it into, for a while at least.
 */
static void hear_socket(struct peers *ps, uint64_t now)
{
	bool carries = false;

	for (unsigned i = 0; i < GATE_LINKS; i++)
		carries = carries || (ps->list[i].core && link_is_up(ps->list[i].core));
	if (carries && now - ps->sock_ns < PATIENCE_NS && !party_room(ps))
		return;
	ps->hears = relays_watch(ps->link->relays, ps->sock, readable, ps) == 0;
	if (!ps->hears)
		fatal("the sealed link's socket cannot be watched");
}

void peers_socket(struct peers *ps, int fd)
{
	if (ps->hears)
		relays_unwatch(ps->link->relays, ps->sock);
	if (ps->sock < 0)
		ps->sock_ns = clock_mono_ns();
	ps->hears = false;
	ps->sock = fd;
	if (links_socket(ps->core, fd) < 0) {
		log_error("the sealed link cannot use its socket");
		close(fd);
		ps->sock = -1;
		return;
	}
	hear_socket(ps, clock_mono_ns());
}

void peers_rest(struct peers *ps)
{
	if (ps->hears)
		relays_unwatch(ps->link->relays, ps->sock);
	ps->hears = false;
	ps->rests = true;
}

static int take_links(struct peers *ps, int fd)
{
	void *at = mmap(NULL, LINKS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	if (ps->links)
		munmap(ps->links, LINKS_BYTES);
	ps->links = at;
	peers_beat(ps, clock_mono_ns());
	return will_make(&ps->links[0].owner);
}

/* The predecessor's keys, or room for ours. Where it cannot be used they end with this process. */
static bool take_estate(struct peers *ps, int fd)
{
	void *at = share_map(fd, links_estate_size());

	if (!at)
		return false;
	(void)mlock(at, links_estate_size()); /* out of swap, where that is allowed */
	(void)madvise(at, links_estate_size(), MADV_DONTDUMP);
	if (ps->estate || links_estate(ps->core, at) < 0) {
		munmap(at, links_estate_size());
		return false;
	}
	ps->estate = at;
	return true;
}

/* Guards wake us; what there is to do is found by looking. */
static void woken(void *arg)
{
	struct peers *ps = arg;
	uint64_t times;

	(void)!read(ps->wake, &times, sizeof(times));
}

bool peers_message(struct peers *ps, struct ipc_message *m)
{
	uint32_t guard;
	struct party *y;

	if (m->type == IPC_LINKS)
		return take_links(ps, m->fd) == 0;
	if (m->type == IPC_ESTATE)
		return take_estate(ps, m->fd);
	if (!ipc_u32(m, &guard))
		return false;
	if (m->type == IPC_WAKE && !(guard & IPC_WAKE_GUARD)) {
		if (ps->wake >= 0)
			return true; /* it is the same for every guard */
		ps->wake = m->fd;
		m->fd = -1;
		return relays_watch(ps->link->relays, ps->wake, woken, ps) == 0;
	}
	y = party_of_guard(ps, guard & ~IPC_WAKE_GUARD);
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
	return party_begin(ps, y, guard, m->fd);
}

/* --- the loop's turn -------------------------------------------------------------------------------- */

int peers_turn(struct peers *ps, int most)
{
	bool more = false;
	uint64_t now, next;

	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++) {
		struct party *y = ps->parties[i];

		if (y && y->queues.at)
			more |= party_send(ps, y, i);
	}
	if (links_wants_write(ps->core))
		links_write(ps->core);
	links_flush(ps->core);
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++)
		if (ps->parties[i] && ps->parties[i]->queues.at)
			party_publish(ps->parties[i]);
	now = clock_mono_ns();
	if (ps->sock >= 0 && !ps->hears && !ps->rests)
		hear_socket(ps, now);
	next = links_turn(ps->core, now);
	if (now - ps->beat_ns >= BEAT_NS) {
		peers_beat(ps, now);
		party_weed(ps, now);
	}
	if (more)
		return 0;
	if ((links_wants_write(ps->core) || (ps->sock >= 0 && !ps->hears && !ps->rests)) &&
	    most > 1)
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

/* --- begin and end --------------------------------------------------------------------------------------- */

struct peers *peers_new(struct link *l)
{
	struct links_calls calls = {.take = party_take,
				    .give = party_give,
				    .deliver = party_deliver,
				    .tell = peers_tell,
				    .driving = driving,
				    .forget = forget};
	struct links_options o = {.name = "bedwarden"};
	struct peers *ps = calloc(1, sizeof(*ps));

	if (!ps)
		return NULL;
	calls.arg = ps;
	ps->link = l;
	ps->wake = ps->sock = -1;
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
	if (ps->estate)
		munmap(ps->estate, links_estate_size());
	for (unsigned i = 0; i < GATE_LINKS; i++)
		json_decref(ps->list[i].setup);
	memset(ps->list, 0, sizeof(ps->list));
	peers_beat(ps, clock_mono_ns());
	for (unsigned i = 0; i < SETUP_GUARDS_MAX; i++)
		party_free(ps, ps->parties[i]);
	party_weed(ps, UINT64_MAX);
	if (ps->wake >= 0) {
		relays_unwatch(ps->link->relays, ps->wake);
		close(ps->wake);
	}
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
