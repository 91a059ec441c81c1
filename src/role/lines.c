#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "base/pin.h"
#include "guard/policy/message.h"
#include "role/link.h"
#include "role/doors.h"
#include "role/peers.h"
#include "role/tls_key.h"
#include "seal/pki/certificate.h"
#include "seal/pki/tls.h"

#define AGAIN_NS  (5 * NSEC_PER_SEC) /* between questions for a certificate */
#define NAMES_MAX 64

/* A relay and what it was made of. */
struct line {
	struct line *next;
	struct lines *all;
	struct relay *relay;
	json_t *setup;
	char *messages; /* what the rules borrow */
	struct message_rules *rules;
	bool gone; /* the policy has it no longer: its connections go on */
};

struct lines {
	struct link *link;
	struct line *list;
	json_t *setup;
	uint32_t asked;	   /* for our certificate; 0 nothing is */
	uint64_t asked_ns; /* when */
	char *trust;	   /* our authority's */
	STACK_OF(X509) * chain;
	EVP_PKEY *key; /* NULL: no certificate yet */
};

struct lines *lines_new(struct link *l)
{
	struct lines *s = calloc(1, sizeof(*s));

	if (s)
		s->link = l;
	return s;
}

static void line_free(struct line *n)
{
	message_rules_free(n->rules);
	free(n->messages);
	json_decref(n->setup);
	free(n);
}

void lines_free(struct lines *s)
{
	while (s->list) {
		struct line *n = s->list;

		s->list = n->next;
		line_free(n);
	}
	json_decref(s->setup);
	free(s->trust);
	sk_X509_pop_free(s->chain, X509_free);
	EVP_PKEY_free(s->key);
	free(s);
}

/* --- what a relay asks of us ------------------------------------------------------ */

static const char *text(const json_t *o, const char *key)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : "";
}

static bool admits(void *arg, const uint8_t ip[16])
{
	const struct line *n = arg;
	const json_t *from;
	size_t i;

	if (json_is_true(json_object_get(n->setup, "anybody")))
		return true;
	json_array_foreach (json_object_get(n->setup, "from"), i, from) {
		const char *prefix = json_string_value(from);

		if (prefix && address_within(ip, prefix))
			return true;
	}
	return false;
}

static enum reason judge(void *arg, const struct proto *p, const struct msg *m)
{
	const struct line *n = arg;

	return message_judge(n->rules, 0, p, m);
}

/* --- contexts ----------------------------------------------------------------------- */

static unsigned list_of(const json_t *list, const char *ret_names[NAMES_MAX])
{
	const json_t *v;
	unsigned count = 0;
	size_t i;

	json_array_foreach (list, i, v) {
		const char *t = json_string_value(v);

		if (t && count < NAMES_MAX)
			ret_names[count++] = t;
	}
	return count;
}

static unsigned pins_of(const json_t *list, uint8_t (*ret_pins)[CRYPTO_HASH])
{
	const char *texts[NAMES_MAX];
	unsigned count = list_of(list, texts), n = 0;

	/* One that is none fits nobody: a typing error must not open a door. */
	for (unsigned i = 0; i < count; i++) {
		memset(ret_pins[n], 0, CRYPTO_HASH);
		if (!pin_parse(texts[i], ret_pins[n]))
			log_error("pin '%.60s' is none", texts[i]);
		n++;
	}
	return n;
}

/* Whom a relay trusts: our authority, those of a file, or nobody. NULL with errno; 0: nobody. */
static struct trust *trust_of(const struct lines *s, const json_t *setup)
{
	const json_t *ca = json_object_get(setup, "ca");
	const char *pem = json_is_null(ca) ? s->trust : json_string_value(ca);
	struct trust *t;

	errno = 0;
	if (pem && !*pem)
		return NULL;
	errno = EINVAL;
	t = pem ? trust_new() : NULL;
	if (!t)
		return NULL;
	if (trust_add(t, (struct bytes){(const uint8_t *)pem, strlen(pem)}) < 0 ||
	    trust_count(t) == 0) {
		trust_free(t);
		errno = EINVAL;
		return NULL;
	}
	return t;
}

static SSL_CTX *context_of(const struct lines *s, const json_t *setup, char error[TLS_ERROR])
{
	uint8_t pins[NAMES_MAX][CRYPTO_HASH];
	const char *names[NAMES_MAX];
	struct trust *trust = trust_of(s, setup);
	bool est = json_is_true(json_object_get(setup, "est"));
	struct tls_options o = {
		.server = json_is_true(json_object_get(setup, "tls_in")),
		.tls12 = json_is_true(json_object_get(setup, "tls12")),
		.mutual = json_is_true(json_object_get(setup, "mutual")),
		.optional = est,
		.late_ok = json_is_true(json_object_get(setup, "late_ok")),
		.key = s->key,
		.chain = s->chain,
		.trust = trust,
		.names = names,
		.pins = (const uint8_t(*)[CRYPTO_HASH])pins,
	};
	SSL_CTX *ctx = NULL;

	if (!trust && errno) {
		snprintf(error, TLS_ERROR, "ca: no certificates that could be trusted in it");
		return NULL;
	}
	if (!o.server && !o.mutual)
		o.key = NULL; /* the server shows a certificate, we do not */
	o.name_count = list_of(json_object_get(setup, "names"), names);
	o.pin_count = pins_of(json_object_get(setup, "pins"), pins);
	ctx = tls_context_new(&o, error);
	trust_free(trust);
	return ctx;
}

static void refresh(struct lines *s, struct line *n)
{
	char error[TLS_ERROR] = "there is no certificate yet";
	SSL_CTX *ctx = s->key ? context_of(s, n->setup, error) : NULL;

	if (!ctx && s->key)
		log_error("relay %s: %s; nobody is let in", relay_name(n->relay), error);
	relay_context(n->relay, ctx);
	SSL_CTX_free(ctx);
}

/* --- the relays the policy has ---------------------------------------------------------- */

static bool set_connect(const json_t *setup, struct relay_options *o)
{
	struct sockaddr_in *four = (struct sockaddr_in *)&o->connect;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&o->connect;
	uint16_t port = htons((uint16_t)json_integer_value(json_object_get(setup, "port")));
	const char *ip = text(setup, "ip");

	if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = port;
		o->connect_len = sizeof(*four);
		return true;
	}
	if (inet_pton(AF_INET6, ip, &six->sin6_addr) != 1)
		return false;
	six->sin6_family = AF_INET6;
	six->sin6_port = port;
	o->connect_len = sizeof(*six);
	return true;
}

static const char *server_name(const json_t *setup)
{
	const char *name = json_string_value(json_array_get(json_object_get(setup, "names"), 0));
	uint8_t ip[16];
	unsigned len;

	return name && !address_prefix(name, ip, &len) ? name : NULL; /* RFC 6066 §3 */
}

static bool add(struct lines *s, json_t *setup)
{
	struct line *n = calloc(1, sizeof(*n));
	bool est = json_is_true(json_object_get(setup, "est")),
	     agents = json_is_true(json_object_get(setup, "agents"));
	struct relay_options o = {
		.name = text(setup, "name"),
		.tls_in = json_is_true(json_object_get(setup, "tls_in")),
		.server_name = server_name(setup),
		.proxy = (enum relay_proxy)json_integer_value(json_object_get(setup, "proxy")),
		.connections = (uint32_t)json_integer_value(json_object_get(setup, "connections")),
		.idle_s = (uint32_t)json_integer_value(json_object_get(setup, "idle_s")),
		.admits = admits,
		.proto = proto_find(text(setup, "app")),
		.judge = judge,
		.arg = n,
	};

	if (!n)
		return false;
	n->all = s;
	n->setup = json_incref(setup);
	n->messages = strdup(text(setup, "messages"));
	n->rules = n->messages ? message_rules_of(n->messages) : NULL;
	if (est) {
		o.serve = est_serve;
		o.per_source = EST_PER_SOURCE;
		o.admits = NULL;
		o.arg = s->link->est;
	} else if (agents) {
		o.serve = agent_serve;
		o.admits = NULL;
		o.arg = s->link;
	} else if (!set_connect(setup, &o)) {
		log_error("relay %s: '%s' is no address to connect to", o.name, text(setup, "ip"));
	}
	n->relay = n->rules && (o.serve || o.connect_len) ? relay_add(s->link->relays, &o) : NULL;
	if (!n->relay) {
		line_free(n);
		return false;
	}
	n->next = s->list;
	s->list = n;
	refresh(s, n);
	return true;
}

static struct line *find(struct lines *s, const char *name)
{
	for (struct line *n = s->list; n; n = n->next)
		if (!n->gone && strcmp(relay_name(n->relay), name) == 0)
			return n;
	return NULL;
}

/* Enrolment is a relay without far side, to which nobody need show a certificate. */
static json_t *est_setup(void)
{
	return json_pack("{s:s,s:b,s:b,s:b,s:n,s:s,s:s,s:i,s:i}", "name", DOORS_EST, "tls_in", 1,
			 "est", 1, "anybody", 1, "ca", "app", "", "messages", "", "connections",
			 EST_CONNECTIONS, "idle_s", 30);
}

/* So are agents of devices, who have to show one of our own authority's. */
static json_t *agents_setup(void)
{
	return json_pack("{s:s,s:b,s:b,s:b,s:b,s:n,s:s,s:s,s:i,s:i}", "name", DOORS_AGENTS,
			 "tls_in", 1, "agents", 1, "mutual", 1, "anybody", 1, "ca", "app", "",
			 "messages", "", "connections", 256, "idle_s", 120);
}

int lines_take(struct lines *s, struct bytes json)
{
	json_t *root = json_loadb((const char *)json.data, json.len, 0, NULL), *list, *one;
	size_t i;

	list = json_object_get(root, "relays");
	if (!json_is_object(root) || !json_is_array(list)) {
		json_decref(root);
		return -EBADMSG;
	}
	if (json_is_true(json_object_get(root, "est")))
		json_array_append_new(list, est_setup());
	if (json_is_true(json_object_get(root, "agents")))
		json_array_append_new(list, agents_setup());
	/* What stays as it was goes on; what has changed is made anew beside its connections. */
	for (struct line *n = s->list; n; n = n->next) {
		bool same = false;

		json_array_foreach (list, i, one) {
			same = same || json_equal(one, n->setup);
		}
		if (n->gone || same)
			continue;
		relay_retire(n->relay);
		n->gone = true;
	}
	json_array_foreach (list, i, one) {
		if (!find(s, text(one, "name")) && !add(s, one))
			log_error("relay %s cannot be made", text(one, "name"));
	}
	json_decref(s->setup);
	s->setup = root;
	peers_take(s->link->peers, root);
	lines_ask(s);
	return 0;
}

void lines_listen(struct lines *s, const char *name, int fd)
{
	struct line *n = find(s, name);

	if (!n || relay_listen(n->relay, fd) < 0) {
		log_error("relay %s cannot listen", name);
		close(fd);
	}
}

static void put_line(const struct line *n, struct json *j)
{
	struct relay_counts c;
	char to[ADDRESS_IP_LEN + 8];

	relay_counts(n->relay, &c);
	json_open(j, NULL);
	json_str(j, "name", relay_name(n->relay));
	json_str(j, "tls", json_is_true(json_object_get(n->setup, "tls_in")) ? "in" : "out");
	if (*text(n->setup, "ip")) {
		snprintf(to, sizeof(to), strchr(text(n->setup, "ip"), ':') ? "[%s]:%d" : "%s:%d",
			 text(n->setup, "ip"),
			 (int)json_integer_value(json_object_get(n->setup, "port")));
		json_str(j, "connect", to);
	}
	if (*text(n->setup, "app"))
		json_str(j, "app", text(n->setup, "app"));
	json_bool(j, "ready", relay_ready(n->relay));
	json_bool(j, "retired", n->gone);
	json_u64(j, "open", c.open);
	json_u64(j, "accepted", c.accepted);
	json_u64(j, "refused", c.refused);
	json_u64(j, "messages", c.messages);
	json_u64(j, "bytes", c.bytes);
	json_close(j);
}

void lines_state(const struct lines *s, struct json *j)
{
	json_list(j, "relays");
	for (const struct line *n = s->list; n; n = n->next)
		put_line(n, j);
	json_end(j);
}

void lines_close(struct lines *s)
{
	for (struct line *n = s->list; n; n = n->next)
		relay_listen(n->relay, -1);
}

/* --- our certificate -------------------------------------------------------------------- */

void lines_ask(struct lines *s)
{
	json_t *q;
	char *t;

	/* Whoever was asked before may be gone with the question. */
	if (!s->setup || (s->asked && clock_mono_ns() - s->asked_ns < AGAIN_NS))
		return;
	q = json_pack("{s:s,s:s,s:O,s:O}", "call", "identity", "name", text(s->setup, "name"),
		      "names", json_object_get(s->setup, "names"), "days",
		      json_object_get(s->setup, "days"));
	t = json_dumps(q, JSON_COMPACT);
	s->asked = t ? link_ask(s->link, t) : 0;
	s->asked_ns = clock_mono_ns();
	free(t);
	json_decref(q);
}

/* The key as OpenSSL has it; asked for once, then compared. */
static bool take_key(struct lines *s, X509 *own)
{
	uint8_t point[P256_POINT];
	EVP_PKEY *key;
	int err;

	if (s->key && X509_check_private_key(own, s->key) == 1)
		return true;
	err = tls_key_fetch(s->link->key, point);
	key = err == 0 ? tls_key_pkey(s->link->key, point) : NULL;
	if (!key || X509_check_private_key(own, key) != 1) {
		log_error("the key of our certificate is not there: %s",
			  err < 0 ? strerror(-err) : "it is for another key");
		EVP_PKEY_free(key);
		return false;
	}
	EVP_PKEY_free(s->key); /* contexts in use have their own reference */
	s->key = key;
	return true;
}

static void take_identity(struct lines *s, const char *chain_pem, const char *trust)
{
	STACK_OF(X509) *chain =
		cert_chain((struct bytes){(const uint8_t *)chain_pem, strlen(chain_pem)});
	char *copy = strdup(trust);

	if (!chain || !copy || !take_key(s, sk_X509_value(chain, 0))) {
		sk_X509_pop_free(chain, X509_free);
		free(copy);
		return;
	}
	/* Whoever trusts our root need not be sent it. */
	if (sk_X509_num(chain) > 1) {
		X509 *last = sk_X509_value(chain, sk_X509_num(chain) - 1);

		if (X509_NAME_cmp(X509_get_subject_name(last), X509_get_issuer_name(last)) == 0)
			X509_free(sk_X509_pop(chain));
	}
	sk_X509_pop_free(s->chain, X509_free);
	free(s->trust);
	s->chain = chain;
	s->trust = copy;
	for (struct line *n = s->list; n; n = n->next)
		if (!n->gone)
			refresh(s, n);
	peers_identity(s->link->peers, s->key, s->chain, s->trust);
	log_debug("a certificate is in use");
}

bool lines_answer(struct lines *s, const struct ipc_message *m)
{
	json_t *a;
	const char *chain, *trust;

	if (m->id == 0) { /* something has changed */
		s->asked = 0;
		lines_ask(s);
		return true;
	}
	if (!s->asked || m->id != s->asked)
		return false;
	s->asked = 0;
	a = json_loadb((const char *)m->body.data, m->body.len, 0, NULL);
	chain = json_string_value(json_object_get(a, "chain"));
	trust = json_string_value(json_object_get(a, "trust"));
	if (chain && trust)
		take_identity(s, chain, trust);
	else
		log_error("no certificate from the keeper: %s",
			  text(json_object_get(a, "error"), "text"));
	json_decref(a);
	return true;
}

void lines_tick(struct lines *s)
{
	struct line **at = &s->list;
	struct relay_counts c;

	if ((!s->key || s->asked) && clock_mono_ns() - s->asked_ns > AGAIN_NS) {
		s->asked = 0;
		lines_ask(s);
	}
	while (*at) {
		struct line *n = *at;

		if (n->gone) {
			relay_counts(n->relay, &c);
			if (c.open == 0) { /* relays_tick() frees the relay itself */
				*at = n->next;
				line_free(n);
				continue;
			}
		}
		at = &n->next;
	}
}
