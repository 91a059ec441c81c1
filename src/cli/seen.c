#include "cli/seen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "base/address.h"
#include "base/fnv.h"
#include "guard/policy/data.h"
#include "keep/person.h"

#define SLOTS 65536 /* of the indexes by MAC and of data; never more than half of them taken */

int seen_new(struct seen *ret_seen)
{
	struct seen s = {.machine_cap = 64, .talk_cap = 256};

	s.machines = calloc(s.machine_cap, sizeof(*s.machines));
	s.talks = calloc(s.talk_cap, sizeof(*s.talks));
	s.data = calloc(SEEN_DATA, sizeof(*s.data));
	s.data_slots = calloc(SLOTS, sizeof(*s.data_slots));
	s.slots = calloc(SLOTS, sizeof(*s.slots));
	if (!s.machines || !s.talks || !s.data || !s.data_slots || !s.slots ||
	    saids_new(&s.said) < 0) {
		seen_free(&s);
		return -ENOMEM;
	}
	*ret_seen = s;
	return 0;
}

void seen_free(struct seen *s)
{
	free(s->machines);
	free(s->talks);
	free(s->data);
	free(s->data_slots);
	free(s->slots);
	saids_free(&s->said);
}

/* Doubles a full list up to its bound; false where it stays full. */
static bool make_room(void **list, size_t *cap, size_t most, size_t size)
{
	size_t n = *cap * 2 < most ? *cap * 2 : most;
	void *p = n > *cap ? realloc(*list, n * size) : NULL;

	if (!p)
		return false;
	memset((char *)p + *cap * size, 0, (n - *cap) * size);
	*list = p;
	*cap = n;
	return true;
}

static struct seen_machine *machine(struct seen *s, const uint8_t mac[6])
{
	static const uint8_t none[6];
	uint32_t at = fnv32(FNV32_START, (struct bytes){mac, 6});

	if ((mac[0] & 1) || memcmp(mac, none, 6) == 0)
		return NULL;
	for (at ^= at >> 16; s->slots[at % SLOTS]; at++)
		if (memcmp(s->machines[s->slots[at % SLOTS] - 1].mac, mac, 6) == 0)
			return &s->machines[s->slots[at % SLOTS] - 1];
	if (s->machine_count == s->machine_cap && !make_room((void **)&s->machines, &s->machine_cap,
							     SEEN_MACHINES, sizeof(*s->machines))) {
		s->forgotten++;
		return NULL;
	}
	memcpy(s->machines[s->machine_count].mac, mac, 6);
	s->slots[at % SLOTS] = (uint32_t)++s->machine_count;
	return &s->machines[s->machine_count - 1];
}

static bool is_single(const uint8_t ip[16])
{
	static const uint8_t none[16], mapped[12] = {[10] = 0xff, 0xff};

	if (memcmp(ip, none, 16) == 0 || ip[0] == 0xff)
		return false;
	if (memcmp(ip, mapped, 12) != 0)
		return true;
	return ip[12] != 0 && ip[12] < 224 && ip[12] != 127 && !(ip[12] == 169 && ip[13] == 254);
}

void seen_broadcast(struct seen *s, const uint8_t ip[16])
{
	if (is_single(ip) && !seen_is_broadcast(s, ip) && s->broadcasts < SEEN_GROUPS)
		memcpy(s->broadcast[s->broadcasts++], ip, 16);
}

bool seen_is_broadcast(const struct seen *s, const uint8_t ip[16])
{
	for (unsigned i = 0; i < s->broadcasts; i++)
		if (memcmp(s->broadcast[i], ip, 16) == 0)
			return true;
	return false;
}

/* One more of a network of IPv6 in which it has one: of its own making, and not there for long. */
static bool is_passing(const struct seen_machine *m, const uint8_t ip[16])
{
	for (unsigned i = 0; (ip[0] & 0xe0) && ip[0] < 0xfe && i < m->ips; i++)
		if (memcmp(m->ip[i], ip, 8) == 0)
			return true;
	return false;
}

static void add_ip(struct seen *s, struct seen_machine *m, const uint8_t ip[16], bool announced)
{
	unsigned i = 0;
	bool passing;

	if (!is_single(ip))
		return;
	while (i < m->ips && memcmp(m->ip[i], ip, 16) != 0)
		i++;
	passing = i == m->ips && is_passing(m, ip);
	m->moves |= passing;
	if (i == SEEN_IPS) {
		m->router |= !passing;
		return;
	}
	memcpy(m->ip[i], ip, 16);
	m->announced[i] |= announced;
	if (i == m->ips)
		m->ips++;
}

void seen_sender(struct seen *s, const uint8_t mac[6], const uint8_t ip[16], bool announced)
{
	struct seen_machine *m = machine(s, mac);

	if (m)
		add_ip(s, m, ip, announced);
}

static void copy(char *to, size_t size, const char *from)
{
	if (from && *from && !*to)
		snprintf(to, size, "%s", from);
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* An `inventory` object, or a row of `devices`, which has names of its own for the same. */
static void take_machine(struct seen *s, const json_t *o)
{
	const json_t *ips = json_object_get(o, "ips");
	const json_t *why = json_object_get(o, "profile_reasons"), *item;
	struct seen_machine *m;
	uint8_t mac[6], ip[16];
	unsigned len;
	size_t i;

	if (!address_mac(text(o, "mac"), mac) || !(m = machine(s, mac)))
		return;
	m->listed = true;
	if (!person_is_hidden(text(o, "name")))
		copy(m->name, sizeof(m->name), text(o, "name"));
	copy(m->name, sizeof(m->name), text(o, "hostname"));
	copy(m->vendor, sizeof(m->vendor), text(o, "vendor"));
	copy(m->profile, sizeof(m->profile), text(o, "profile"));
	copy(m->profile, sizeof(m->profile), text(o, "likely_profile"));
	copy(m->segment, sizeof(m->segment), text(o, "segment"));
	json_array_foreach (why, i, item)
		if (json_is_string(item) && !m->reasons[0])
			copy(m->reasons, sizeof(m->reasons), json_string_value(item));
	json_array_foreach (ips, i, item) {
		const char *name = json_string_value(
			json_is_object(item) ? json_object_get(item, "ip") : item);

		if (name && address_prefix(name, ip, &len) && len == 128)
			add_ip(s, m, ip, true);
	}
}

static int talk_order(const void *a, const void *b)
{
	const struct seen_talk *x = a, *y = b;
	int r = memcmp(x->from, y->from, sizeof(x->from));

	if (!r)
		r = memcmp(x->to, y->to, sizeof(x->to));
	if (r)
		return r;
	return x->proto != y->proto ? x->proto - y->proto : (int)x->port - (int)y->port;
}

bool seen_covers(const char *named, const char *spoken)
{
	const struct proto *n = proto_find(named), *s = proto_find(spoken);

	return strcmp(named, spoken) == 0 || (n && s && proto_covers(n, s));
}

/* `app` becomes what covers both. Is there nothing that does? */
static bool merge_apps(char *app, size_t cap, const char *other)
{
	bool both = *app && *other, covers = both && seen_covers(app, other);
	bool mixed = both && !covers && !seen_covers(other, app);

	if (!covers && !mixed && *other)
		snprintf(app, cap, "%s", other);
	return mixed;
}

static void merge_talks(struct seen *s)
{
	size_t kept = 0;

	if (s->talk_count)
		qsort(s->talks, s->talk_count, sizeof(*s->talks), talk_order);
	for (size_t i = 0; i < s->talk_count; i++) {
		struct seen_talk *last = kept ? &s->talks[kept - 1] : NULL;

		if (last && talk_order(last, &s->talks[i]) == 0) {
			last->flows += s->talks[i].flows;
			last->bytes += s->talks[i].bytes;
			last->mixed |= s->talks[i].mixed;
			last->called &= s->talks[i].called;
			last->mixed |= merge_apps(last->app, sizeof(last->app), s->talks[i].app);
			continue;
		}
		s->talks[kept++] = s->talks[i];
	}
	s->talk_count = kept;
}

static void add_talk(struct seen *s, const struct seen_talk *t)
{
	if (s->talk_count == s->talk_cap)
		merge_talks(s);
	if (s->talk_count > s->talk_cap / 2 &&
	    !make_room((void **)&s->talks, &s->talk_cap, SEEN_TALKS, sizeof(*s->talks)) &&
	    s->talk_count == s->talk_cap) {
		s->forgotten++;
		return;
	}
	s->talks[s->talk_count++] = *t;
}

static uint8_t proto_number(const char *name)
{
	char lower[16];
	uint8_t n = 0;
	size_t i = 0;

	for (; name[i] && i < sizeof(lower) - 1; i++)
		lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
	lower[i] = 0;
	if (strcmp(lower, "ipv6-icmp") == 0)
		return 58;
	return address_proto(lower, &n) ? n : 0;
}

/* Of one packet a connection cannot be told from a search, unless something was said in it that could
 * be read, as where a recording begins or ends; a few datagrams may need no answer. */
static bool was_answered(const json_t *o, const json_t *flow, uint8_t proto)
{
	bool silent = proto == 6 && !*text(o, "app_proto");
	json_int_t there = json_integer_value(json_object_get(flow, "pkts_toserver"));
	json_int_t back = json_integer_value(json_object_get(flow, "pkts_toclient"));

	return back > silent || (proto != 6 && there >= 3);
}

/* What finds neighbours and says who listens to which group passes whatever a policy says (floor.h). */
static bool is_plumbing(const json_t *o, uint8_t proto)
{
	json_int_t type = json_integer_value(json_object_get(o, "icmp_type"));

	return proto == 2 ||
	       (proto == 58 && ((type >= 130 && type <= 137) || type == 143)); /* RFC 4861, 3810 */
}

/* Nobody knows a network's size from outside; but hardly any machine has such an address, and what is
 * sent to all is never answered from there. */
static bool is_for_all(const json_t *flow, const struct seen_talk *t)
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};

	return t->proto == 17 && memcmp(t->to, mapped, 12) == 0 && t->to[15] == 255 &&
	       !json_integer_value(json_object_get(flow, "pkts_toclient"));
}

/* Syslog by datagrams and traps of SNMP are never answered (RFC 5426 §3, RFC 3416 §4.2.6), and many
 * senders take a new port for each. What asks for a file by TFTP is answered from another port
 * (RFC 1350 §4). */
static bool needs_no_answer(const json_t *o, uint8_t proto, json_int_t port)
{
	const char *app = text(o, "app_proto");

	return proto == 17 &&
	       (strcmp(app, "syslog") == 0 || (strcmp(app, "snmp") == 0 && port == 162) ||
		(strcmp(app, "tftp") == 0 && port == 69));
}

/*
 * Of a conversation that was joined midway, the first packet may be an answer.
 * It is taken for one where it goes from a service's port to a client's
 * (RFC 6335 §6: those from 49152 are nobody's; common systems begin at 32768).
 */
static bool began_with_answer(const json_t *o, uint8_t proto)
{
	const char *flags = text(json_object_get(o, "tcp"), "tcp_flags_ts");
	json_int_t from = json_integer_value(json_object_get(o, "src_port"));
	json_int_t to = json_integer_value(json_object_get(o, "dest_port"));

	if (proto == 6 && (strtoul(flags, NULL, 16) & 2)) /* it sent a SYN */
		return false;
	return from > 0 && from < 32768 && to >= 32768;
}

static void turn(struct seen_talk *t, json_int_t *port, const json_t *o)
{
	uint8_t ip[16];

	memcpy(ip, t->from, 16);
	memcpy(t->from, t->to, 16);
	memcpy(t->to, ip, 16);
	*port = json_integer_value(json_object_get(o, "src_port"));
}

/* The addresses and the protocol of an event. */
static bool read_ends(const json_t *o, uint8_t ret_from[16], uint8_t ret_to[16], uint8_t *ret_proto)
{
	unsigned from_len, to_len;

	*ret_proto = proto_number(text(o, "proto"));
	return *ret_proto && address_prefix(text(o, "src_ip"), ret_from, &from_len) &&
	       address_prefix(text(o, "dest_ip"), ret_to, &to_len) && from_len == 128 &&
	       to_len == 128;
}

static bool read_port(const json_t *o, const char *key, json_int_t *ret_port)
{
	*ret_port = json_integer_value(json_object_get(o, key));
	return *ret_port >= 0 && *ret_port <= 65535;
}

/* Whoever speaks needs more packets than it takes to open and close. */
#define SILENT_PACKETS 8

/* Where it stands, or would. */
static uint32_t *data_slot(const struct seen *s, const struct seen_data *d)
{
	uint32_t at = fnv32(FNV32_START, (struct bytes){(const uint8_t *)d, sizeof(*d)});

	for (at ^= at >> 16; s->data_slots[at % SLOTS]; at++)
		if (memcmp(&s->data[s->data_slots[at % SLOTS] - 1], d, sizeof(*d)) == 0)
			break;
	return &s->data_slots[at % SLOTS];
}

static struct seen_data data_at(const uint8_t at[16], const uint8_t other[16], json_int_t port,
				uint8_t proto)
{
	struct seen_data d = {.port = port > 0 && port <= 65535 ? (uint16_t)port : 0,
			      .proto = proto};

	memcpy(d.at, at, sizeof(d.at));
	memcpy(d.other, other, sizeof(d.other));
	return d;
}

/* TFTP answers from a port of its own choice to the one that asked (RFC 1350 §4), FTP says where data is
 * to go, whoever listens there: the line for those stands for that as well. */
static void take_data(struct seen *s, const struct said_ends *e, const json_t *o)
{
	const char *packet = text(json_object_get(o, "tftp"), "packet");
	json_int_t port =
		json_integer_value(json_object_get(json_object_get(o, "ftp"), "dynamic_port"));
	bool asks = strcmp(packet, "read") == 0 || strcmp(packet, "write") == 0;
	struct seen_data d = data_at(e->from, e->to, asks ? e->from_port : port, e->proto);
	uint32_t *slot = data_slot(s, &d);

	if (!d.port || *slot || s->data_count == SEEN_DATA)
		return;
	s->data[s->data_count++] = d;
	*slot = (uint32_t)s->data_count;
}

static void take_flow(struct seen *s, const json_t *o)
{
	const json_t *flow = json_object_get(o, "flow");
	struct seen_talk t = {.flows = 1};
	struct seen_data data;
	json_int_t port;
	bool one;

	if (!read_ends(o, t.from, t.to, &t.proto) || !read_port(o, "dest_port", &port))
		return;
	data = data_at(t.to, t.from, port, t.proto);
	if (*data_slot(s, &data) || is_plumbing(o, t.proto))
		return;
	if (is_for_all(flow, &t))
		seen_broadcast(s, t.to);
	one = is_single(t.to) && !seen_is_broadcast(s, t.to);
	if (one && !was_answered(o, flow, t.proto) && !needs_no_answer(o, t.proto, port)) {
		s->unanswered++;
		return;
	}
	if (one && began_with_answer(o, t.proto)) {
		turn(&t, &port, o);
		t.called = t.proto == 17 &&
			   !json_integer_value(json_object_get(flow, "pkts_toclient"));
	}
	t.port = t.proto == 6 || t.proto == 17 ? (uint16_t)port : 0;
	t.bytes = (uint64_t)json_integer_value(json_object_get(flow, "bytes_toserver")) +
		  (uint64_t)json_integer_value(json_object_get(flow, "bytes_toclient"));
	copy(t.app, sizeof(t.app), text(o, "app_proto"));
	t.mixed = !*t.app &&
		  json_integer_value(json_object_get(flow, "pkts_toserver")) +
				  json_integer_value(json_object_get(flow, "pkts_toclient")) >
			  SILENT_PACKETS;
	add_talk(s, &t);
}

/* A message of a protocol that is read. */
static void take_message(struct seen *s, const json_t *o)
{
	const struct proto *app = proto_find(text(o, "event_type"));
	json_int_t from, to;
	struct said_ends e;

	if (!app || !read_ends(o, e.from, e.to, &e.proto) || !read_port(o, "src_port", &from) ||
	    !read_port(o, "dest_port", &to))
		return;
	e.from_port = (uint16_t)from;
	e.to_port = (uint16_t)to;
	if (data_is_app(app->name))
		take_data(s, &e, o);
	said_take(&s->said, &e, app, o);
}

/* A client asks for an address, and says its name. */
static void take_dhcp(struct seen *s, const json_t *o)
{
	struct seen_machine *m;
	uint8_t mac[6];

	if (strcmp(text(o, "type"), "request") != 0 ||
	    strcmp(text(o, "dhcp_type"), "inform") == 0 ||
	    !address_mac(text(o, "client_mac"), mac) || !(m = machine(s, mac)))
		return;
	m->leases = true;
	if (!person_is_hidden(text(o, "hostname")))
		copy(m->name, sizeof(m->name), text(o, "hostname"));
}

void seen_event(struct seen *s, const json_t *event)
{
	const json_t *inventory = json_object_get(event, "inventory");

	s->lines++;
	if (json_is_object(inventory))
		take_machine(s, inventory);
	else if (json_is_string(json_object_get(event, "mac")))
		take_machine(s, event);
	if (strcmp(text(event, "event_type"), "flow") == 0)
		take_flow(s, event);
	else if (strcmp(text(event, "event_type"), "dhcp") == 0)
		take_dhcp(s, json_object_get(event, "dhcp"));
	else
		take_message(s, event);
}

void seen_line(struct seen *s, const char *line, size_t len)
{
	json_t *event = json_loadb(line, len, JSON_ALLOW_NUL, NULL);

	if (json_is_object(event))
		seen_event(s, event);
	else
		s->refused += len > 0;
	json_decref(event);
}

static int machine_order(const void *a, const void *b)
{
	return memcmp(((const struct seen_machine *)a)->mac, ((const struct seen_machine *)b)->mac,
		      6);
}

void seen_name_vendors(struct seen *s, const struct oui *oui)
{
	for (size_t i = 0; i < s->machine_count; i++)
		copy(s->machines[i].vendor, sizeof(s->machines[i].vendor),
		     oui_vendor(oui, s->machines[i].mac));
}

/* What a router sends is mostly not its own: only what it announced stays. */
static void strike_guests(struct seen_machine *m)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < m->ips; i++)
		if (m->announced[i]) {
			memmove(m->ip[kept], m->ip[i], 16);
			m->announced[kept++] = true;
		}
	m->ips = kept;
}

/* Does a machine whose own address is known by ARP appear under this one's MAC as well? */
static bool sends_for_others(const struct seen *s, const struct seen_machine *m)
{
	for (size_t i = 0; i < s->machine_count; i++)
		for (unsigned j = 0; &s->machines[i] != m && j < s->machines[i].ips; j++)
			for (unsigned k = 0; s->machines[i].announced[j] && k < m->ips; k++)
				if (!m->announced[k] &&
				    memcmp(m->ip[k], s->machines[i].ip[j], 16) == 0)
					return true;
	return false;
}

void seen_settle(struct seen *s)
{
	merge_talks(s);
	if (s->machine_count)
		qsort(s->machines, s->machine_count, sizeof(*s->machines), machine_order);
	for (size_t i = 0; i < s->machine_count; i++)
		if (s->machines[i].router || sends_for_others(s, &s->machines[i]))
			strike_guests(&s->machines[i]);
}
