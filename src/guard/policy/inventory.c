#include "guard/policy/inventory.h"

#include "base/clock.h"
#include "base/hash.h"
#include "guard/policy/likely.h"
#include "guard/proto/dhcp.h"
#include "guard/proto/http_head.h"
#include "guard/proto/lldp.h"
#include "guard/proto/mdns.h"
#include "guard/proto/tls_hello.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define NONE	       UINT32_MAX
#define DHCP_SERVER    67
#define DHCP_CLIENT    68
#define PORT_EPHEMERAL 32768 /* from here on a port says nothing about a service */
#define TLS_HANDSHAKE  22
#define TICK_NS	       (500 * NSEC_PER_MSEC)
#define WAIT_FIRST     16 /* the first wait is this part of the quiet time; each is then doubled */
#define STILL_THERE    20 /* quiet times between two words about a machine that does not change */

struct inventory {
	struct inventory_options o;
	struct machine *machines;
	uint32_t *buckets;
	uint32_t mask, count;
	uint32_t oldest, newest; /* by last_ns */
	uint64_t ticked_ns;
	struct hash_key key;
	inventory_fn changed;
	void *arg;
};

struct inventory *inventory_new(const struct inventory_options *o, inventory_fn changed, void *arg)
{
	struct inventory *inv;
	uint32_t buckets = 16;

	if (!o->machines || o->machines > 1u << 20) {
		errno = EINVAL;
		return NULL;
	}
	while (buckets < o->machines)
		buckets *= 2;
	inv = calloc(1, sizeof(*inv));
	if (!inv)
		return NULL;
	inv->machines = calloc(o->machines, sizeof(*inv->machines));
	inv->buckets = malloc(buckets * sizeof(*inv->buckets));
	if (!inv->machines || !inv->buckets) {
		inventory_free(inv);
		errno = ENOMEM;
		return NULL;
	}
	memset(inv->buckets, 0xff, buckets * sizeof(*inv->buckets));
	inv->o = *o;
	inv->mask = buckets - 1;
	inv->oldest = inv->newest = NONE;
	inv->key = hash_key_random();
	inv->changed = changed;
	inv->arg = arg;
	return inv;
}

void inventory_free(struct inventory *inv)
{
	if (!inv)
		return;
	free(inv->machines);
	free(inv->buckets);
	free(inv);
}

static uint32_t *bucket_of(const struct inventory *inv, uint32_t segment, const uint8_t mac[6])
{
	struct gate_mac_key k = {.segment = segment};

	memcpy(k.mac, mac, 6);
	return &inv->buckets[hash_bytes(&inv->key, &k, sizeof(k)) & inv->mask];
}

static struct machine *find(const struct inventory *inv, uint32_t segment, const uint8_t mac[6])
{
	uint32_t i = *bucket_of(inv, segment, mac);

	for (; i != NONE; i = inv->machines[i].next)
		if (inv->machines[i].segment == segment && !memcmp(inv->machines[i].mac, mac, 6))
			return &inv->machines[i];
	return NULL;
}

static void age_unlink(struct inventory *inv, struct machine *m)
{
	*(m->older == NONE ? &inv->oldest : &inv->machines[m->older].newer) = m->newer;
	*(m->newer == NONE ? &inv->newest : &inv->machines[m->newer].older) = m->older;
}

static void age_append(struct inventory *inv, struct machine *m)
{
	uint32_t i = (uint32_t)(m - inv->machines);

	m->older = inv->newest;
	m->newer = NONE;
	*(inv->newest == NONE ? &inv->oldest : &inv->machines[inv->newest].newer) = i;
	inv->newest = i;
}

static struct machine *take(struct inventory *inv)
{
	struct machine *m;
	uint32_t *at, i;

	if (inv->count < inv->o.machines)
		return &inv->machines[inv->count++];
	i = inv->oldest;
	m = &inv->machines[i];
	for (at = bucket_of(inv, m->segment, m->mac); *at != i; at = &inv->machines[*at].next)
		;
	*at = m->next;
	age_unlink(inv, m);
	return m;
}

static struct machine *start(struct inventory *inv, const struct packet *p, uint32_t segment,
			     enum gate_side side)
{
	struct machine *m = take(inv);
	uint32_t *at = bucket_of(inv, segment, p->src_mac);

	*m = (struct machine){.segment = segment,
			      .side = (uint8_t)side,
			      .first_ns = p->time_ns,
			      .weak_ns = p->time_ns};
	memcpy(m->mac, p->src_mac, 6);
	m->vendor = inv->o.oui ? oui_vendor(inv->o.oui, m->mac) : "";
	m->profile = -1;
	m->next = *at;
	*at = (uint32_t)(m - inv->machines);
	age_append(inv, m);
	return m;
}

/* The latest comes first; what falls out at the end was heard of longest ago. */
static bool note_ip(struct gate_ip *list, uint8_t *count, unsigned max, const struct gate_ip *ip)
{
	unsigned i;

	if (*count && !memcmp(&list[0], ip, sizeof(*ip)))
		return false;
	for (i = 0; i < *count; i++)
		if (!memcmp(&list[i], ip, sizeof(*ip)))
			break;
	if (i == *count && *count < max)
		(*count)++;
	else if (i == *count)
		i = max - 1;
	else {
		memmove(&list[1], &list[0], i * sizeof(*list));
		list[0] = *ip;
		return false; /* only the order changed */
	}
	memmove(&list[1], &list[0], i * sizeof(*list));
	list[0] = *ip;
	return true;
}

static void note_own_ip(struct machine *m, const struct gate_ip *ip)
{
	if (!packet_ip_is_zero(ip) && !packet_ip_is_group(ip))
		m->changed |= note_ip(m->ip, &m->ip_count, MACHINE_IPS, ip);
}

static void note_service(struct machine *m, uint8_t proto, uint16_t port, bool answers)
{
	if (!port || port >= PORT_EPHEMERAL || (proto != PROTO_TCP && proto != PROTO_UDP))
		return;
	for (unsigned i = 0; i < m->service_count; i++) {
		struct machine_service *s = &m->service[i];

		if (s->proto != proto || s->port != port)
			continue;
		m->changed |= answers && !s->answers;
		s->answers |= answers;
		return;
	}
	if (m->service_count == MACHINE_SERVICES)
		return;
	m->service[m->service_count++] = (struct machine_service){proto, answers, port};
	m->changed = true;
}

/* Text of the network: printable ASCII stays, the rest shows as what it is, foreign. */
static bool copy_text(char *ret, size_t cap, struct bytes b)
{
	char text[MACHINE_NAME];
	size_t n = 0;

	while (b.len && b.data[b.len - 1] == 0)
		b.len--;
	for (; n < b.len && n + 1 < cap; n++)
		text[n] = b.data[n] >= 0x20 && b.data[n] < 0x7f ? (char)b.data[n] : '?';
	text[n] = 0;
	if (!n || !strcmp(ret, text))
		return false;
	memcpy(ret, text, n + 1);
	return true;
}

static void note_name(struct machine *m, struct bytes name, enum machine_name from)
{
	if (from < m->name_from || !name.len)
		return;
	if (copy_text(m->name, sizeof(m->name), name)) {
		m->name_from = (uint8_t)from;
		m->changed = true;
	}
}

static void note_text(struct machine *m, char list[][MACHINE_NAME], uint8_t *count,
		      struct bytes heard)
{
	char text[MACHINE_NAME] = "";

	if (*count == MACHINE_NAMES || !copy_text(text, sizeof(text), heard))
		return;
	for (unsigned i = 0; i < *count; i++)
		if (strcasecmp(list[i], text) == 0)
			return;
	memcpy(list[(*count)++], text, sizeof(text));
	m->changed = true;
}

static void note_app(struct machine *m, const char *app)
{
	unsigned i;

	for (i = 0; i < m->app_count; i++)
		if (!strncasecmp(m->app[i], app, sizeof(m->app[i]) - 1))
			return;
	if (i == MACHINE_APPS)
		return;
	snprintf(m->app[m->app_count++], sizeof(m->app[0]), "%.23s", app);
	m->changed = true;
}

static void read_dhcp(struct machine *m, const struct packet *p)
{
	struct dhcp d;

	if (dhcp_read(p->payload, &d) != PARSE_OK || d.reply || memcmp(d.mac, m->mac, 6))
		return;
	note_name(m, d.host_name, MACHINE_NAME_DHCP);
	if (d.vendor_class.len)
		m->changed |= copy_text(m->dhcp_class, sizeof(m->dhcp_class), d.vendor_class);
	if (d.params.len > MACHINE_PARAMS)
		d.params.len = MACHINE_PARAMS;
	if (d.params.len && (d.params.len != m->dhcp_params_len ||
			     memcmp(d.params.data, m->dhcp_params, d.params.len))) {
		memcpy(m->dhcp_params, d.params.data, d.params.len);
		m->dhcp_params_len = (uint8_t)d.params.len;
		m->changed = true;
	}
}

static void read_mdns(struct machine *m, const struct packet *p)
{
	struct mdns d;

	if (mdns_read(p->payload, &d) != PARSE_OK || !d.response)
		return;
	note_name(m, (struct bytes){(const uint8_t *)d.host, strlen(d.host)}, MACHINE_NAME_MDNS);
	for (unsigned i = 0; i < d.service_count; i++)
		note_text(m, m->announced, &m->announced_count,
			  (struct bytes){(const uint8_t *)d.service[i], strlen(d.service[i])});
}

static void read_lldp(struct machine *m, const struct packet *p)
{
	struct lldp l;

	if (lldp_read(p->l3, &l) != PARSE_OK)
		return;
	note_name(m, l.model, MACHINE_NAME_MODEL);
	note_name(m, l.system_name, MACHINE_NAME_LLDP);
}

/* The protocol that it asks to speak (ALPN), unless it is one of RFC 8701's, made to mean nothing. */
static void note_alpn(struct machine *m, struct bytes alpn)
{
	char text[MACHINE_NAME] = "";

	if (copy_text(text, sizeof(m->app[0]), alpn) && !strchr(text, '?'))
		note_app(m, text);
}

static void read_tls(struct machine *m, const struct packet *p)
{
	struct tls_hello h;

	if (tls_hello_first(p->payload, &h) == PARSE_BAD || !h.client)
		return;
	note_text(m, m->asked, &m->asked_count, h.server_name);
	note_alpn(m, h.alpn);
}

static void read_http(struct machine *m, const struct packet *p)
{
	struct http_head h;

	if (http_head_read(p->payload, &h) == PARSE_BAD)
		return;
	note_name(m, h.request ? h.user_agent : h.server, MACHINE_NAME_MODEL);
	if (h.request)
		note_text(m, m->asked, &m->asked_count, h.host);
}

static void read_payload(struct machine *m, const struct packet *p)
{
	if (p->proto == PROTO_UDP && p->src_port == DHCP_CLIENT && p->dst_port == DHCP_SERVER)
		read_dhcp(m, p);
	else if (p->proto == PROTO_UDP && p->dst_port == MDNS_PORT)
		read_mdns(m, p);
	else if (p->proto == PROTO_TCP && p->payload.data[0] == TLS_HANDSHAKE)
		read_tls(m, p);
	else if (p->proto == PROTO_TCP)
		read_http(m, p);
}

/* What it serves: the port it answered from, and of datagrams also one it began from. */
static void note_ports(struct machine *m, const struct packet *p, bool answers)
{
	if (answers)
		note_service(m, p->proto, p->src_port, true);
	else
		note_service(m, p->proto, p->dst_port, false);
	if (p->proto == PROTO_UDP && !answers)
		note_service(m, p->proto, p->src_port, true);
}

/* Without a flow, a packet that went no further: TCP then tells by its opening who serves. */
static void read_talk(struct machine *m, const struct packet *p, const struct flow *f, unsigned end)
{
	bool tcp = p->proto == PROTO_TCP;

	if (!p->has_ports || (f && f->packets[end] > 1) || (tcp && p->tcp_flags & TCP_RST))
		return;
	if (f)
		note_ports(m, p, end == 1);
	else if (!tcp || p->tcp_flags & TCP_SYN)
		note_ports(m, p, tcp && p->tcp_flags & TCP_ACK);
	if (!packet_ip_is_group(&p->dst_ip) && !(p->dst_mac[0] & 1))
		m->changed |= note_ip(m->peer, &m->peer_count, MACHINE_PEERS, &p->dst_ip);
}

static void tell(struct inventory *inv, struct machine *m, uint64_t now_ns, bool is_new)
{
	m->profile = likely_profile(m, inv->o.profiles, inv->o.profile_count, &m->score);
	m->changed = false;
	m->told_ns = now_ns;
	m->wait_ms = is_new				? inv->o.quiet_ms / WAIT_FIRST
		     : m->wait_ms < inv->o.quiet_ms / 2 ? m->wait_ms * 2
							: inv->o.quiet_ms;
	if (inv->changed)
		inv->changed(inv->arg, m, is_new);
}

void inventory_see(struct inventory *inv, const struct packet *p, uint32_t segment,
		   enum gate_side side, const struct flow *f, unsigned end, const char *app)
{
	static const uint8_t none[6];
	struct machine *m;
	bool is_new;

	if (!p->has_mac || p->src_mac[0] & 1 || !memcmp(p->src_mac, none, 6))
		return;
	m = find(inv, segment, p->src_mac);
	is_new = !m;
	if (!m)
		m = start(inv, p, segment, side);
	m->last_ns = p->time_ns;
	if (inv->newest != (uint32_t)(m - inv->machines)) {
		age_unlink(inv, m);
		age_append(inv, m);
	}
	if (p->has_arp && !memcmp(p->arp.sender_mac, m->mac, 6))
		note_own_ip(m, &p->arp.sender_ip);
	else if (p->ip_version)
		note_own_ip(m, &p->src_ip);
	else if (p->ethertype == LLDP_ETHERTYPE)
		read_lldp(m, p);
	read_talk(m, p, f, end);
	if (app)
		note_app(m, app);
	if (p->payload.len)
		read_payload(m, p);
	if (is_new)
		tell(inv, m, p->time_ns, true);
}

weakness_set inventory_expose(struct inventory *inv, uint32_t segment, const uint8_t mac[6],
			      weakness_set seen, const struct machine **ret_m)
{
	struct machine *m = find(inv, segment, mac);
	weakness_set fresh;

	if (!m || m->side != GATE_WARD)
		return 0;
	fresh = seen & ~m->weak;
	m->weak |= seen;
	m->weak_anew |= seen;
	m->changed |= fresh != 0;
	*ret_m = m;
	return fresh;
}

static bool is_due(const struct inventory *inv, const struct machine *m, uint64_t now_ns)
{
	uint64_t still = STILL_THERE * inv->o.quiet_ms * NSEC_PER_MSEC;
	uint64_t since = now_ns - m->told_ns;

	if (now_ns < m->told_ns)
		return m->changed; /* the clock was set back */
	return m->changed ? since >= m->wait_ms * NSEC_PER_MSEC
			  : since >= still && m->last_ns > m->told_ns;
}

/* What was not seen anew in the whole of a time. */
static void forget_mended(struct machine *m, uint64_t now_ns)
{
	if (now_ns < m->weak_ns) /* the clock was set back */
		m->weak_ns = now_ns;
	if (now_ns - m->weak_ns < INVENTORY_WEAK_NS)
		return;
	m->changed |= m->weak != m->weak_anew;
	m->weak = m->weak_anew;
	m->weak_anew = 0;
	m->weak_ns = now_ns;
}

/* Only as far back as there can be something that was not told yet. */
void inventory_tick(struct inventory *inv, uint64_t wall_ns)
{
	uint64_t back = (STILL_THERE + 1) * inv->o.quiet_ms * NSEC_PER_MSEC + NSEC_PER_SEC;

	if (wall_ns >= inv->ticked_ns && wall_ns - inv->ticked_ns < TICK_NS)
		return;
	inv->ticked_ns = wall_ns;
	for (uint32_t i = inv->newest; i != NONE; i = inv->machines[i].older) {
		struct machine *m = &inv->machines[i];

		if (m->last_ns + back < wall_ns)
			break;
		forget_mended(m, wall_ns);
		if (is_due(inv, m, wall_ns))
			tell(inv, m, wall_ns, false);
	}
}

void inventory_flush(struct inventory *inv, uint64_t wall_ns)
{
	for (uint32_t i = inv->oldest; i != NONE; i = inv->machines[i].newer)
		if (inv->machines[i].changed)
			tell(inv, &inv->machines[i], wall_ns, false);
}

unsigned inventory_reasons(const struct inventory *inv, const struct machine *m,
			   char ret_reasons[MACHINE_REASONS][128])
{
	if (m->profile < 0)
		return 0;
	return likely_reasons(m, &inv->o.profiles[m->profile], ret_reasons);
}

static void write_ips(struct json *j, const char *key, const struct gate_ip *ip, unsigned n)
{
	char text[PACKET_IP_LEN];

	json_list(j, key);
	for (unsigned i = 0; i < n; i++)
		json_str(j, NULL, packet_ip_text(&ip[i], text));
	json_end(j);
}

static void write_list(struct json *j, const struct machine *m)
{
	json_list(j, "services");
	for (unsigned i = 0; i < m->service_count; i++) {
		const struct machine_service *s = &m->service[i];
		char text[16];

		if (s->answers) {
			likely_service_text(s, text);
			json_str(j, NULL, text);
		}
	}
	for (unsigned i = 0; i < m->announced_count; i++)
		json_str(j, NULL, m->announced[i]);
	json_end(j);
	json_list(j, "apps");
	for (unsigned i = 0; i < m->app_count; i++)
		json_str(j, NULL, m->app[i]);
	json_end(j);
}

static void write_weaknesses(struct json *j, weakness_set set)
{
	if (!set)
		return;
	json_list(j, "weaknesses");
	for (unsigned w = 0; w < WEAKNESS_COUNT; w++)
		if (set & 1u << w)
			json_str(j, NULL, weakness_name(w));
	json_end(j);
}

static const char *name_source(const struct machine *m)
{
	static const char *const names[] = {"", "model", "lldp", "mdns", "dhcp"};

	return names[m->name_from];
}

void inventory_write(const struct inventory *inv, const struct machine *m, const char *segment,
		     struct json *j)
{
	char reasons[MACHINE_REASONS][128], mac[PACKET_MAC_LEN];
	unsigned n = inventory_reasons(inv, m, reasons);

	json_open(j, "inventory");
	json_str(j, "mac", packet_mac_text(m->mac, mac));
	if (segment)
		json_str(j, "segment", segment);
	if (*m->name) {
		json_str(j, "name", m->name);
		json_str(j, "name_from", name_source(m));
	}
	if (*m->vendor)
		json_str(j, "vendor", m->vendor);
	if (*m->dhcp_class)
		json_str(j, "dhcp_class", m->dhcp_class);
	if (m->profile >= 0)
		json_str(j, "profile", inv->o.profiles[m->profile].name);
	json_list(j, "profile_reasons");
	for (unsigned i = 0; i < n; i++)
		json_str(j, NULL, reasons[i]);
	json_end(j);
	write_ips(j, "ips", m->ip, m->ip_count);
	write_ips(j, "peers", m->peer, m->peer_count);
	if (m->asked_count)
		json_list(j, "peer_names");
	for (unsigned i = 0; i < m->asked_count; i++)
		json_str(j, NULL, m->asked[i]);
	if (m->asked_count)
		json_end(j);
	write_list(j, m);
	write_weaknesses(j, m->weak);
	json_close(j);
}
