/*
 * mix [-l TIMES] FILE MB CONVERSATIONS CAPTURE[:WEIGHT[:OPEN:CLOSE[t]]]...: a capture of a
 * busy ward out of recorded conversations.
 *
 * Every TCP and UDP conversation of the captures that carries something is a template. CONVERSATIONS of
 * them go on at once, each with a client address and port of its own, their
 * frames interleaved as on an uplink; where one ends, another begins, a
 * capture's templates as often as its weight says. What is said is what real
 * peers said, and checksums are right. Always the same for the same arguments.
 *
 * -l: conversations last. What their ends say is repeated TIMES times, with the sequence numbers
 * and time stamps that follow, but for the first OPEN and the last CLOSE packets that carry something.
 * A `t` behind CLOSE counts turns instead: all that one end says until the other does. A capture
 * without OPEN and CLOSE is not repeated, nor is a conversation with nothing between them.
 *
 * MB 0: every conversation as far as both ends have spoken, and no further, so that
 * all of them stand open at the end.
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sum.h"
#include "guard/decode/packet.h"

#define TEMPLATES 4096
#define FRAME_MAX 2048

struct part {
	uint8_t *data;
	uint32_t len;
	bool back; /* from the server */
};

struct template
{
	struct gate_ip client, server;
	uint16_t client_port, server_port;
	uint8_t proto;
	struct part *parts;
	uint32_t count, cap;
	bool speaks;	       /* some frame carries something */
	uint32_t again, until; /* the parts that are repeated; the same: none */
	uint32_t bytes[2];     /* so much each end says in them; 0 the client */
	uint32_t ticks[2];     /* and so far its time stamps go */
};

struct source {
	uint32_t first, count; /* its templates */
	uint32_t weight;
	uint32_t open, close; /* packets that are not repeated; close UINT32_MAX: none is */
	bool turns;	      /* they count turns */
};

struct conversation {
	const struct template *t;
	uint32_t client;
	uint16_t port;
	uint32_t next, pass; /* its part, and how often it was repeated */
};

static struct template templates[TEMPLATES];
static uint32_t template_count;
static uint32_t times = 1;
static uint64_t seed = 0x9e3779b97f4a7c15;

static uint32_t draw(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 32) * below >> 32);
}

static bool same(const struct gate_ip *a, const struct gate_ip *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* The template that a frame belongs to, begun where need be. */
static struct template *template_of(const struct packet *p, uint32_t from, bool *ret_back)
{
	struct template *t;

	for (uint32_t i = from; i < template_count; i++) {
		t = &templates[i];
		if (t->proto != p->proto)
			continue;
		*ret_back = same(&t->client, &p->dst_ip) && t->client_port == p->dst_port;
		if ((*ret_back && same(&t->server, &p->src_ip) && t->server_port == p->src_port) ||
		    (same(&t->client, &p->src_ip) && t->client_port == p->src_port &&
		     same(&t->server, &p->dst_ip) && t->server_port == p->dst_port))
			return t;
	}
	if (template_count == TEMPLATES)
		return NULL;
	t = &templates[template_count++];
	*t = (struct template){.client = p->src_ip,
			       .server = p->dst_ip,
			       .client_port = p->src_port,
			       .server_port = p->dst_port,
			       .proto = p->proto};
	*ret_back = false;
	return t;
}

static void take(const struct packet *p, uint32_t from)
{
	struct template *t;
	struct part *part;
	bool back;

	if (p->ip_version != 4 || p->vlan_count || p->fragment || p->anomalies || !p->has_ports ||
	    (p->proto != PROTO_TCP && p->proto != PROTO_UDP) || p->frame.len > FRAME_MAX ||
	    packet_ip_is_group(&p->dst_ip))
		return;
	t = template_of(p, from, &back);
	if (!t)
		return;
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->parts = realloc(t->parts, t->cap * sizeof(*t->parts));
	}
	part = &t->parts[t->count++];
	part->data = malloc(p->frame.len);
	if (!t->parts || !part->data)
		exit(1);
	memcpy(part->data, p->frame.data, p->frame.len);
	part->len = (uint32_t)p->frame.len;
	part->back = back;
	t->speaks |= p->payload.len > 0;
}

/* A port scan's answers are no conversations. */
static void drop_silent(struct source *s)
{
	uint32_t kept = s->first;

	for (uint32_t i = s->first; i < template_count; i++)
		if (templates[i].speaks)
			templates[kept++] = templates[i];
	template_count = kept;
	s->count = kept - s->first;
}

static bool decode(const struct part *part, struct packet *ret_p)
{
	return packet_decode((struct bytes){part->data, part->len}, LINK_ETHERNET, 0, part->len,
			     ret_p);
}

/* Where a packet's time stamp option is in its frame (RFC 7323 §3.2); 0: it has none. */
static size_t stamp_at(const struct packet *p)
{
	const uint8_t *o = p->tcp_options.data;

	for (size_t i = 0; i + 1 < p->tcp_options.len && o[i]; i += o[i] == 1 ? 1 : o[i + 1]) {
		if (o[i] == 8 && i + 10 <= p->tcp_options.len)
			return (size_t)(o + i + 2 - p->frame.data);
		if (o[i] != 1 && o[i + 1] < 2)
			break;
	}
	return 0;
}

static uint32_t get_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* How far each end is, by a conversation's parts up to one of them. */
struct place {
	uint32_t next[2], stamp[2];
	bool known[2];
};

static void move_on(struct place *w, const struct packet *p, unsigned end)
{
	uint32_t next = p->tcp_seq + (uint32_t)p->payload.len + !!(p->tcp_flags & TCP_SYN);
	size_t at = stamp_at(p);

	if (!w->known[end] || (int32_t)(next - w->next[end]) > 0)
		w->next[end] = next;
	if (at && (!w->known[end] || (int32_t)(get_be32(p->frame.data + at) - w->stamp[end]) > 0))
		w->stamp[end] = get_be32(p->frame.data + at);
	w->known[end] = true;
}

/* The parts [from, to) between the first `open` and the last `close` of those that carry something. */
static bool find_body(const struct template *t, const struct source *s, uint32_t *ret_from,
		      uint32_t *ret_to)
{
	uint32_t at[4096], count = 0, behind = 0;
	struct packet p;
	bool back = false;

	for (uint32_t i = 0; i < t->count && count < 4096; i++) {
		if (!decode(&t->parts[i], &p) || !p.payload.len)
			continue;
		if (!count || !s->turns || t->parts[i].back != back)
			at[count++] = i;
		back = t->parts[i].back;
		behind = i + 1;
	}
	if (count <= s->open + s->close)
		return false;
	*ret_from = at[s->open];
	*ret_to = s->close ? at[count - s->close] : behind;
	return true;
}

/* What of a conversation is repeated, and what follows for what comes behind it. */
static void find_again(struct template *t, const struct source *s)
{
	struct place first = {0}, last = {0};
	uint32_t from, to;
	struct packet p;

	if (s->close == UINT32_MAX || !find_body(t, s, &from, &to))
		return;
	for (uint32_t i = 0; i < to && t->proto == PROTO_TCP; i++) {
		if (!decode(&t->parts[i], &p) ||
		    (i >= from && p.tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)))
			return;
		if (i == from)
			first = last;
		move_on(&last, &p, t->parts[i].back);
	}
	if (t->proto == PROTO_TCP && !(first.known[0] && first.known[1]))
		return;
	t->again = from;
	t->until = to;
	for (unsigned end = 0; end < 2; end++) {
		t->bytes[end] = last.next[end] - first.next[end];
		t->ticks[end] = last.stamp[end] - first.stamp[end];
	}
}

static void load(const char *arg, struct source *s)
{
	char path[512], error[PCAP_ERRBUF_SIZE], unit;
	const char *colon = strchr(arg, ':');
	struct pcap_pkthdr *h;
	const uint8_t *data;
	struct packet p;
	pcap_t *in;

	snprintf(path, sizeof(path), "%.*s", (int)(colon ? colon - arg : (long)strlen(arg)), arg);
	s->weight = 1;
	s->close = UINT32_MAX;
	if (colon)
		s->turns =
			sscanf(colon, ":%u:%u:%u%c", &s->weight, &s->open, &s->close, &unit) == 4;
	s->first = template_count;
	in = pcap_open_offline(path, error);
	if (!in) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	while (pcap_next_ex(in, &h, &data) == 1)
		if (packet_decode((struct bytes){data, h->caplen}, LINK_ETHERNET, 0, h->len, &p))
			take(&p, s->first);
	pcap_close(in);
	drop_silent(s);
	for (uint32_t i = s->first; i < template_count; i++)
		find_again(&templates[i], s);
}

static void begin(struct conversation *c, const struct source *sources, unsigned count,
		  uint32_t weights)
{
	uint32_t pick = draw(weights);
	unsigned i = 0;

	while (pick >= sources[i].weight || !sources[i].count)
		pick -= sources[i].count ? sources[i].weight : 0, i++;
	c->t = &templates[sources[i].first + draw(sources[i].count)];
	c->client = 0x0a100000 | draw(1u << 20);
	c->port = c->t->client_port == c->t->server_port ? c->t->client_port
							 : (uint16_t)(1024 + draw(64000));
	c->next = c->pass = 0;
}

/* False where that was its last part. */
static bool go_on(struct conversation *c)
{
	c->next++;
	if (c->next == c->t->until && c->next > c->t->again && c->pass + 1 < times) {
		c->next = c->t->again;
		c->pass++;
	}
	return c->next < c->t->count;
}

static void put_be16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void add_be32(uint8_t *at, uint32_t more)
{
	uint32_t v = get_be32(at) + more;

	put_be16(at, (uint16_t)(v >> 16));
	put_be16(at + 2, (uint16_t)v);
}

/* A part that is repeated, or stands behind such: its numbers go on. */
static void renumber(const struct conversation *c, uint8_t *frame)
{
	const struct template *t = c->t;
	const struct part *part = &t->parts[c->next];
	struct packet p;
	size_t at;
	uint8_t *tcp;

	if (t->proto != PROTO_TCP || !c->pass || !decode(part, &p))
		return;
	tcp = frame + (p.l4.data - part->data);
	add_be32(tcp + 4, c->pass * t->bytes[part->back]);
	if (p.tcp_flags & TCP_ACK)
		add_be32(tcp + 8, c->pass * t->bytes[!part->back]);
	at = stamp_at(&p);
	if (!at)
		return;
	add_be32(frame + at, c->pass * t->ticks[part->back]);
	add_be32(frame + at + 4, c->pass * t->ticks[!part->back]);
}

static void put_sum(uint8_t *at, uint64_t sum)
{
	uint16_t folded = (uint16_t)~sum_fold(sum);

	memcpy(at, &folded, 2);
}

/* The frame with the conversation's client in it, checksums made right again. */
static uint32_t frame_of(const struct conversation *c, uint8_t *frame)
{
	const struct part *part = &c->t->parts[c->next];
	uint8_t *ip = frame + 14, *l4, *field;
	uint8_t pseudo[4] = {0, c->t->proto};
	uint16_t len;

	memcpy(frame, part->data, part->len);
	renumber(c, frame);
	for (int i = 0; i < 4; i++)
		ip[(part->back ? 16 : 12) + i] = (uint8_t)(c->client >> (24 - 8 * i));
	ip[10] = ip[11] = 0;
	put_sum(ip + 10, sum_add(0, ip, (size_t)(ip[0] & 15) * 4));
	l4 = ip + (ip[0] & 15) * 4;
	len = (uint16_t)((ip[2] << 8 | ip[3]) - (l4 - ip));
	put_be16(l4 + (part->back ? 2 : 0), c->port);
	field = l4 + (c->t->proto == PROTO_TCP ? 16 : 6);
	put_be16(field, 0);
	put_be16(pseudo + 2, len);
	put_sum(field, sum_add(sum_add(sum_add(0, pseudo, 4), ip + 12, 8), l4, len));
	return part->len;
}

/* When a packet is sent: 20,000 a second. */
static void stamp(struct pcap_pkthdr *h, uint64_t packets)
{
	h->ts.tv_sec = 1700000000 + (time_t)(packets / 20000);
	h->ts.tv_usec = (suseconds_t)(packets % 20000 * 50);
}

static bool carries(const struct part *part)
{
	struct packet p;

	return decode(part, &p) && p.payload.len;
}

/* The conversation up to the first thing that its second speaker says: how many frames. */
static uint64_t begin_only(pcap_dumper_t *out, struct conversation *c, uint64_t packets)
{
	bool spoke[2] = {false, false};
	uint64_t first = packets;

	for (; c->next < c->t->count && !(spoke[0] && spoke[1]); c->next++, packets++) {
		const struct part *part = &c->t->parts[c->next];
		struct pcap_pkthdr h = {0};
		uint8_t frame[FRAME_MAX];

		stamp(&h, packets);
		h.caplen = h.len = frame_of(c, frame);
		pcap_dump((uint8_t *)out, &h, frame);
		spoke[part->back] |= carries(part);
	}
	return packets - first;
}

static int mix(const char *path, uint64_t bytes, struct conversation *c, uint32_t flows,
	       const struct source *sources, unsigned count)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);
	pcap_dumper_t *out = p ? pcap_dump_open(p, path) : NULL;
	uint64_t written = 24, packets = 0;
	uint32_t weights = 0;

	for (unsigned i = 0; i < count; i++)
		weights += sources[i].count ? sources[i].weight : 0;
	if (!out || !weights) {
		fprintf(stderr, "%s: nothing to write, or nowhere to\n", path);
		return 1;
	}
	for (uint32_t i = 0; i < flows; i++) {
		begin(&c[i], sources, count, weights);
		packets += bytes ? 0 : begin_only(out, &c[i], packets);
	}
	while (written < bytes) {
		/* A tenth of the conversations carry most packets, as they do on a wire. */
		struct conversation *now =
			&c[draw(10) ? draw(flows / 10 + 1) % flows : draw(flows)];
		uint8_t frame[FRAME_MAX];
		struct pcap_pkthdr h = {0};

		stamp(&h, packets);
		h.caplen = h.len = frame_of(now, frame);
		pcap_dump((uint8_t *)out, &h, frame);
		written += 16 + h.len;
		packets++;
		if (!go_on(now))
			begin(now, sources, count, weights);
	}
	if (pcap_dump_flush(out) != 0) {
		perror(path);
		return 1;
	}
	pcap_dump_close(out);
	pcap_close(p);
	printf("%llu\n", (unsigned long long)packets);
	return 0;
}

int main(int argc, char **argv)
{
	static struct source sources[64];
	unsigned count = 0;
	struct conversation *c;
	uint32_t flows;

	if (argc > 2 && !strcmp(argv[1], "-l")) {
		times = (uint32_t)strtoul(argv[2], NULL, 10);
		argc -= 2;
		argv += 2;
	}
	flows = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	c = calloc(flows ? flows : 1, sizeof(*c));
	if (argc < 5 || !flows || argc - 4 > 64 || !c) {
		fprintf(stderr, "usage: bench-mix [-l TIMES] FILE MB CONVERSATIONS "
				"CAPTURE[:WEIGHT[:OPEN:CLOSE[t]]]...\n");
		return 2;
	}
	for (int i = 4; i < argc; i++)
		load(argv[i], &sources[count++]);
	return mix(argv[1], strtoull(argv[2], NULL, 10) << 20, c, flows, sources, count);
}
