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

size_t hairpin_answer(const struct packet *p, const struct gate_port *port,
		      uint8_t ret_frame[HAIRPIN_ANSWER_MAX])
{
	struct writer w = writer_new(ret_frame, HAIRPIN_ANSWER_MAX);

	if (!p->has_arp || p->arp.op != 1 || !p->has_mac)
		return 0;
	write_bytes(&w, p->src_mac, 6);
	write_bytes(&w, port->mac, 6);
	for (unsigned i = 0; i < p->vlan_count; i++) {
		write_be16(&w, p->vlan_count > 1 && i == 0 ? 0x88a8 : 0x8100);
		write_be16(&w, p->vlan[i]);
	}
	write_be16(&w, 0x0806);
	write_be16(&w, 1); /* Ethernet */
	write_be16(&w, 0x0800);
	write_u8(&w, 6);
	write_u8(&w, 4);
	write_be16(&w, 2); /* reply */
	write_bytes(&w, port->mac, 6);
	write_bytes(&w, p->arp.target_ip.b + 12, 4);
	write_bytes(&w, p->arp.sender_mac, 6);
	write_bytes(&w, p->arp.sender_ip.b + 12, 4);
	return w.bad ? 0 : w.len;
}
