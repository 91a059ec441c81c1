#include "guard/reset.h"

#include "base/sum.h"

#define TCP_LEN 20
#define HOPS	64

static void write_link(struct writer *w, const struct packet *p, bool back)
{
	write_bytes(w, back ? p->src_mac : p->dst_mac, 6);
	write_bytes(w, back ? p->dst_mac : p->src_mac, 6);
	for (unsigned i = 0; i < p->vlan_count; i++) {
		write_be16(w, p->vlan_count > 1 && i == 0 ? 0x88a8 : 0x8100);
		write_be16(w, p->vlan[i]);
	}
	write_be16(w, p->ip_version == 4 ? 0x0800 : 0x86dd);
}

/* The checksum's place, two bytes that are zero so far. */
static void put_sum(uint8_t *at, uint64_t sum)
{
	uint16_t folded = (uint16_t)~sum_fold(sum);

	memcpy(at, &folded, sizeof(folded));
}

static void write_ip(struct writer *w, const struct packet *p, const struct gate_ip *from,
		     const struct gate_ip *to, uint8_t len)
{
	size_t at = w->len;

	if (p->ip_version == 4) {
		const uint8_t head[] = {0x45, 0, 0, 20 + len, 0, 0, 0x40, 0, HOPS, PROTO_TCP, 0, 0};

		write_bytes(w, head, sizeof(head));
		write_bytes(w, from->b + 12, 4);
		write_bytes(w, to->b + 12, 4);
		if (!w->bad)
			put_sum(w->data + at + 10, sum_add(0, w->data + at, 20));
	} else {
		const uint8_t head[] = {0x60, 0, 0, 0, 0, len, PROTO_TCP, HOPS};

		write_bytes(w, head, sizeof(head));
		write_bytes(w, from->b, 16);
		write_bytes(w, to->b, 16);
	}
}

struct segment {
	bool back;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window;
	struct bytes options; /* whole words */
};

static void write_tcp(struct writer *w, const struct packet *p, const struct segment *s)
{
	size_t at = w->len, addresses = p->ip_version == 4 ? 8 : 32;
	const uint8_t len = (uint8_t)(TCP_LEN + s->options.len);
	const uint8_t length[] = {0, PROTO_TCP, 0, len};
	uint64_t pseudo;

	write_be16(w, s->back ? p->dst_port : p->src_port);
	write_be16(w, s->back ? p->src_port : p->dst_port);
	write_be32(w, s->seq);
	write_be32(w, s->ack);
	write_u8(w, (uint8_t)(len / 4 << 4));
	write_u8(w, s->flags);
	write_be16(w, s->window);
	write_be32(w, 0); /* checksum, urgent pointer */
	write_bytes(w, s->options.data, s->options.len);
	if (w->bad)
		return;
	pseudo = sum_add(sum_add(0, length, 4), w->data + at - addresses, addresses);
	put_sum(w->data + at + 16, sum_add(pseudo, w->data + at, len));
}

static size_t make(const struct packet *p, const struct segment *s, uint8_t ret_frame[RESET_MAX])
{
	struct writer w = writer_new(ret_frame, RESET_MAX);

	if (!p->has_mac || p->proto != PROTO_TCP || !p->has_ports)
		return 0;
	write_link(&w, p, s->back);
	write_ip(&w, p, s->back ? &p->dst_ip : &p->src_ip, s->back ? &p->src_ip : &p->dst_ip,
		 (uint8_t)(TCP_LEN + s->options.len));
	write_tcp(&w, p, s);
	return w.bad ? 0 : w.len;
}

size_t reset_make(const struct packet *p, bool back, uint32_t seq, uint8_t ret_frame[RESET_MAX])
{
	const struct segment s = {
		.back = back,
		.seq = seq,
		.ack = back ? p->tcp_seq + (uint32_t)p->payload.len : p->tcp_ack,
		.flags = TCP_RST | TCP_ACK,
	};

	return make(p, &s, ret_frame);
}

size_t reset_ask(const struct packet *p, uint8_t ret_frame[RESET_MAX])
{
	const struct segment s = {
		.seq = p->tcp_seq - 1,
		.ack = p->tcp_ack,
		.flags = TCP_ACK,
		.window = p->tcp_window,
		.options = p->tcp_options,
	};

	return make(p, &s, ret_frame);
}
