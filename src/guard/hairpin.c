#include "guard/hairpin.h"

bool hairpin_readdress(const struct frame *f, const struct policy *p, const struct gate_verdict *v,
		       const struct gate_port *port)
{
	const struct gate_device *d;
	uint8_t *frame = (uint8_t *)(uintptr_t)f->data.data;
	uint32_t count, id = v->peer & ~GATE_PEER_DEVICE;

	d = policy_devices(p, &count);
	if (!(v->peer & GATE_PEER_DEVICE) || id >= count || f->data.len < 14)
		return false;
	memcpy(frame, d[id].mac, 6);
	memcpy(frame + 6, port->mac, 6);
	return true;
}

static void write_link(struct writer *w, const struct packet *p, const struct gate_port *port,
		       uint16_t ethertype)
{
	write_bytes(w, p->src_mac, 6);
	write_bytes(w, port->mac, 6);
	for (unsigned i = 0; i < p->vlan_count; i++) {
		write_be16(w, p->vlan_count > 1 && i == 0 ? 0x88a8 : 0x8100);
		write_be16(w, p->vlan[i]);
	}
	write_be16(w, ethertype);
}

static void write_arp(struct writer *w, const struct packet *p, const struct gate_port *port)
{
	write_link(w, p, port, 0x0806);
	write_be16(w, 1); /* Ethernet */
	write_be16(w, 0x0800);
	write_u8(w, 6);
	write_u8(w, 4);
	write_be16(w, 2); /* reply */
	write_bytes(w, port->mac, 6);
	write_bytes(w, p->arp.target_ip.b + 12, 4);
	write_bytes(w, p->arp.sender_mac, 6);
	write_bytes(w, p->arp.sender_ip.b + 12, 4);
}

#define ND_ASK	   135
#define ND_SAY	   136
#define ND_ASK_LEN 24
#define ND_SAY_LEN 32 /* RFC 4861 §4.4, with one option, §4.6.1 */

/* RFC 1071 over whole words; `sum` is of what came before. */
static uint32_t add_words(uint32_t sum, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	return sum;
}

/* RFC 8200 §8.1. */
static uint16_t checksum(const uint8_t *src, const uint8_t *dst, const uint8_t *body, size_t len)
{
	uint32_t sum = (uint32_t)len + PROTO_ICMPV6;

	sum = add_words(add_words(add_words(sum, src, 16), dst, 16), body, len);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* Answered only where nothing stands between the headers. */
static bool asks_nd(const struct packet *p)
{
	return p->ip_version == 6 && p->proto == PROTO_ICMPV6 && p->icmp_type == ND_ASK &&
	       !p->fragment && p->l4.data == p->l3.data + 40 && p->l4.len >= ND_ASK_LEN;
}

/* Solicited, no router, not overriding (RFC 4861 §7.2.8). */
static void write_nd(struct writer *w, const struct packet *p, const struct gate_port *port)
{
	const uint8_t *target = p->l4.data + 8;
	uint8_t say[ND_SAY_LEN] = {ND_SAY, [4] = 0x40, [24] = 2, [25] = 1};
	uint16_t sum;

	memcpy(say + 8, target, 16);
	memcpy(say + 26, port->mac, 6);
	sum = checksum(target, p->src_ip.b, say, sizeof(say));
	say[2] = (uint8_t)(sum >> 8);
	say[3] = (uint8_t)sum;
	write_link(w, p, port, 0x86dd);
	write_bytes(w, p->l3.data, 4);
	write_be16(w, sizeof(say));
	write_u8(w, PROTO_ICMPV6);
	write_u8(w, 255);
	write_bytes(w, target, 16);
	write_bytes(w, p->src_ip.b, 16);
	write_bytes(w, say, sizeof(say));
}

size_t hairpin_answer(const struct packet *p, const struct gate_port *port,
		      uint8_t ret_frame[HAIRPIN_ANSWER_MAX])
{
	struct writer w = writer_new(ret_frame, HAIRPIN_ANSWER_MAX);

	if (!p->has_mac)
		return 0;
	if (p->has_arp && p->arp.op == 1)
		write_arp(&w, p, port);
	else if (asks_nd(p))
		write_nd(&w, p, port);
	return w.bad ? 0 : w.len;
}
