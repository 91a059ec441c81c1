#include "role/doors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "base/address.h"
#include "base/file.h"
#include "seal/link/link.h"

#define BACKLOG 4096
#define CA_MAX	(1u << 20)

typedef void (*told_fn)(void *arg, const char *name, const char *why);

/* --- sockets ----------------------------------------------------------------- */

static int listen_at(const char *text, int type)
{
	struct sockaddr_storage at = {0};
	struct sockaddr_in *four = (struct sockaddr_in *)&at;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&at;
	char host[ADDRESS_IP_LEN];
	uint16_t port;
	int on = 1, s, err;
	bool v6 = *text == '[';

	if (!address_endpoint(text, host, &port))
		return -EINVAL;
	at.ss_family = v6 ? AF_INET6 : AF_INET;
	inet_pton(at.ss_family, host, v6 ? (void *)&six->sin6_addr : (void *)&four->sin_addr);
	*(v6 ? &six->sin6_port : &four->sin_port) = htons(port);
	s = socket(at.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return -errno;
	if (type == SOCK_STREAM)
		setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(s, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)); /* a port may come up later */
	if (v6)
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(s, (struct sockaddr *)&at, v6 ? sizeof(*six) : sizeof(*four)) == 0 &&
	    (type == SOCK_DGRAM || listen(s, BACKLOG) == 0))
		return s;
	err = -errno;
	close(s);
	return err;
}

static int take_over(struct doors *d, const char *at)
{
	for (unsigned i = 0; i < d->count; i++) {
		int s = d->list[i].sock;

		if (s < 0 || strcmp(d->list[i].at, at) != 0)
			continue;
		d->list[i].sock = -1;
		return s;
	}
	return -1;
}

static void open_one(struct doors *was, struct doors *next, const char *name, const char *at,
		     told_fn fn, void *arg)
{
	struct door *d = &next->list[next->count];
	char why[DOORS_ERROR];
	int s = take_over(was, at);

	if (s < 0)
		s = listen_at(at, SOCK_STREAM);
	if (s < 0) {
		snprintf(why, sizeof(why),
			 "nobody can be listened to at %.60s: %s; set 'listen' to an address of "
			 "this machine's and a port that is free",
			 at, strerror(-s));
		fn(arg, name, why);
		return;
	}
	d->sock = s;
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(d->at, sizeof(d->at), "%s", at);
	next->count++;
}

/* The link's socket stays while its address does. */
static void open_link(struct doors *was, struct doors *next, const struct config *c, told_fn fn,
		      void *arg)
{
	const char *at = c->link.listen;
	const int room = LINK_SOCKET_ROOM;
	char why[DOORS_ERROR];
	int s = -1;

	if (!*at || !c->peers_count)
		return;
	if (*was->link.name && strcmp(was->link.at, at) == 0) {
		next->link = was->link;
		*was->link.name = 0;
		return;
	}
	s = listen_at(at, SOCK_DGRAM);
	if (s < 0) {
		snprintf(why, sizeof(why),
			 "no gateway can be heard at %.60s: %s; set 'listen' to an address of this "
			 "machine's and a port that is free",
			 at, strerror(-s));
		fn(arg, "link", why);
		return;
	}
	/* While one link's process gives way to the next, what peers send waits here. */
	(void)setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	(void)setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	snprintf(next->link.name, sizeof(next->link.name), "link");
	snprintf(next->link.at, sizeof(next->link.at), "%s", at);
	next->link.sock = s;
}

void doors_open(struct doors *d, const struct config *c, told_fn fn, void *arg)
{
	struct doors next = {.count = 0};

	open_link(d, &next, c, fn, arg);

	for (unsigned i = 0; i < c->relays_count && next.count < DOORS_MAX - 2; i++)
		open_one(d, &next, c->relays[i].name, c->relays[i].listen, fn, arg);
	if (*c->pki.est)
		open_one(d, &next, DOORS_EST, c->pki.est, fn, arg);
	if (*c->updates.agents)
		open_one(d, &next, DOORS_AGENTS, c->updates.agents, fn, arg);
	doors_close(d);
	*d = next;
}

void doors_close(struct doors *d)
{
	for (unsigned i = 0; i < d->count; i++)
		if (d->list[i].sock >= 0)
			close(d->list[i].sock);
	if (*d->link.name)
		close(d->link.sock);
	*d->link.name = 0;
	d->count = 0;
}

bool doors_wanted(const struct config *c)
{
	return c->relays_count > 0 || *c->pki.est || c->peers_count > 0 || *c->updates.agents;
}

/* --- what there is to know ------------------------------------------------------ */

static json_t *texts(char *const *list, unsigned count)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(a, json_string(list[i]));
	return a;
}

static const struct config_host *find_host(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->hosts_count; i++)
		if (strcmp(c->hosts[i].name, name) == 0)
			return &c->hosts[i];
	return NULL;
}

static const struct config_device *find_device(const struct config *c, const char *name)
{
	for (unsigned i = 0; i < c->devices_count; i++)
		if (strcmp(c->devices[i].name, name) == 0)
			return &c->devices[i];
	return NULL;
}

/* Addresses of a name, or the text itself. */
static void add_from(const struct config *c, const char *from, json_t *list)
{
	const struct config_host *h = find_host(c, from);
	const struct config_device *d = h ? NULL : find_device(c, from);
	char *const *ip = h ? h->ip : d ? d->ip : NULL;
	unsigned count = h ? h->ip_count : d ? d->ip_count : 0;

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, json_string(ip[i]));
	if (!h && !d)
		json_array_append_new(list, json_string(from));
}

static void set_connect(const struct config *c, const char *connect, json_t *o)
{
	char ip[ADDRESS_IP_LEN] = "", name[64] = "";
	const char *colon = strrchr(connect, ':');
	const struct config_host *h;
	const struct config_device *d;
	uint16_t port;

	if (!address_endpoint(connect, ip, &port)) {
		snprintf(name, sizeof(name), "%.*s", (int)(colon - connect), connect);
		h = find_host(c, name);
		d = h ? NULL : find_device(c, name);
		snprintf(ip, sizeof(ip), "%s",
			 h && h->ip_count   ? h->ip[0]
			 : d && d->ip_count ? d->ip[0]
					    : "");
		port = (uint16_t)strtoul(colon + 1, NULL, 10);
	}
	json_object_set_new(o, "ip", json_string(ip));
	json_object_set_new(o, "port", json_integer(port));
}

/* As the policy keeps a rule's (guard/policy/message.h). */
static json_t *messages_of(const struct config_relay *r)
{
	size_t room = strlen(r->app) + 32, len;
	json_t *text;
	char *buf;

	for (unsigned i = 0; i < r->allow_count; i++)
		room += strlen(r->allow[i]) + 1;
	buf = malloc(room);
	if (!buf)
		return NULL;
	len = (size_t)snprintf(buf, room, "%s\n%s", r->app, r->control ? "" : "control=no\n");
	for (unsigned i = 0; i < r->allow_count; i++)
		len += (size_t)snprintf(buf + len, room - len, "%s\n", r->allow[i]);
	text = json_string(buf);
	free(buf);
	return text;
}

static json_t *ca_text(const char *file, const char *name, told_fn fn, void *arg)
{
	char why[DOORS_ERROR];
	struct bytes text;
	json_t *t;
	int err = file_read(file, CA_MAX, &text);

	if (err < 0) {
		snprintf(why, sizeof(why),
			 "ca: %.120s cannot be read: %s; until it can, nobody is let in", file,
			 strerror(-err));
		fn(arg, name, why);
		return json_string("unreadable");
	}
	t = json_stringn((const char *)text.data, text.len);
	free((void *)text.data);
	return t ? t : json_string("unreadable");
}

static json_t *ca_of(const struct config_relay *r, told_fn fn, void *arg)
{
	if (!*r->ca)
		return json_null();
	if (strcmp(r->ca, "none") == 0)
		return json_string("");
	return ca_text(r->ca, r->name, fn, arg);
}

static json_t *link_json(const struct config *c, told_fn fn, void *arg)
{
	return json_pack("{s:i,s:i,s:o}", "dead_ms", (int)c->link.dead_ms, "renew_s",
			 (int)c->link.renew_minutes * 60, "ca",
			 *c->link.ca ? ca_text(c->link.ca, "link", fn, arg) : json_string(""));
}

/* The hospital port of its segment, by which its frames count as coming in. */
static uint32_t port_of(const struct config *c, const struct config_peer *p,
			const struct ports *ports)
{
	for (unsigned i = 0; i < ports->count; i++) {
		const struct port *at = &ports->list[i];

		if (!at->ward &&
		    (!*p->segment || strcmp(c->segments[at->segment].name, p->segment) == 0))
			return at->ifindex;
	}
	return 0;
}

static json_t *peers_json(const struct config *c, const struct ports *ports)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < c->peers_count; i++) {
		const struct config_peer *p = &c->peers[i];
		char ip[ADDRESS_IP_LEN] = "";
		uint16_t port = 0;

		if (*p->address)
			(void)address_endpoint(p->address, ip, &port);
		json_array_append_new(list, json_pack("{s:i,s:s,s:s,s:s,s:i,s:I}", "number",
						      (int)i + 1, "name", p->name, "certificate",
						      *p->certificate ? p->certificate : p->name,
						      "ip", ip, "port", (int)port, "ifindex",
						      (json_int_t)port_of(c, p, ports)));
	}
	return list;
}

static json_t *relay_json(const struct config *c, const struct config_relay *r, told_fn fn,
			  void *arg)
{
	json_t *o = json_object(), *from = json_array();

	for (unsigned i = 0; i < r->from_count; i++)
		add_from(c, r->from[i], from);
	json_object_set_new(o, "name", json_string(r->name));
	json_object_set_new(o, "tls_in", json_boolean(r->tls_in));
	set_connect(c, r->connect, o);
	json_object_set_new(o, "mutual", json_boolean(r->mutual));
	json_object_set_new(o, "names", texts(r->names, r->names_count));
	json_object_set_new(o, "pins", texts(r->pin, r->pin_count));
	json_object_set_new(o, "ca", ca_of(r, fn, arg));
	json_object_set_new(o, "tls12", json_boolean(r->tls12));
	json_object_set_new(o, "proxy", json_integer(r->proxy));
	json_object_set_new(o, "app", json_string(r->app));
	json_object_set_new(o, "messages", messages_of(r));
	json_object_set_new(o, "anybody", json_boolean(r->from_count == 0));
	json_object_set_new(o, "from", from);
	json_object_set_new(o, "late_ok", json_boolean(r->fail == GATE_OPEN));
	json_object_set_new(o, "connections", json_integer(r->connections));
	json_object_set_new(o, "idle_s", json_integer(r->idle_s));
	return o;
}

int doors_setup(const struct config *c, const struct ports *ports, uint32_t generation, told_fn fn,
		void *arg)
{
	json_t *root = json_object(), *list = json_array(), *names;
	char *text;
	int fd = -ENOMEM;

	names = texts(c->pki.names, c->pki.names_count);
	if (!c->pki.names_count)
		json_array_append_new(names, json_string(c->gateway.name));
	json_object_set_new(root, "name", json_string(c->gateway.name));
	json_object_set_new(root, "names", names);
	json_object_set_new(root, "days", json_integer(c->pki.days));
	for (unsigned i = 0; i < c->relays_count; i++)
		json_array_append_new(list, relay_json(c, &c->relays[i], fn, arg));
	json_object_set_new(root, "relays", list);
	json_object_set_new(root, "link", link_json(c, fn, arg));
	json_object_set_new(root, "peers", peers_json(c, ports));
	json_object_set_new(root, "generation", json_integer(generation));
	json_object_set_new(root, "est", json_boolean(*c->pki.est != 0));
	json_object_set_new(root, "agents", json_boolean(*c->updates.agents != 0));
	text = json_dumps(root, JSON_COMPACT);
	if (text)
		fd = file_memory("relays", (struct bytes){(const uint8_t *)text, strlen(text)});
	free(text);
	json_decref(root);
	return fd;
}
