#include "guard/proto/lldp.h"

enum tlv {
	TLV_END = 0,
	TLV_CHASSIS = 1,
	TLV_PORT = 2,
	TLV_TTL = 3,
	TLV_SYSTEM_NAME = 5,
	TLV_SYSTEM_DESCRIPTION = 6,
	TLV_ORGANISATION = 127,
};

#define CHASSIS_MAC	 4
#define MED_OUI		 0x0012bb
#define MED_MANUFACTURER 9
#define MED_MODEL	 10

static void read_organisation(struct lldp *l, struct reader r)
{
	uint32_t head = read_be32(&r);
	struct bytes text = read_bytes(&r, reader_left(&r));

	if (r.bad || head >> 8 != MED_OUI)
		return;
	if ((head & 0xff) == MED_MANUFACTURER)
		l->manufacturer = text;
	else if ((head & 0xff) == MED_MODEL)
		l->model = text;
}

/* §8.2: chassis, port and time to live come first, in this order. */
static bool order_holds(unsigned n, uint8_t type)
{
	static const uint8_t first[] = {TLV_CHASSIS, TLV_PORT, TLV_TTL};

	return n < 3 ? type == first[n] : type > TLV_TTL || type == TLV_END;
}

enum parse lldp_read(struct bytes payload, struct lldp *ret_l)
{
	struct reader r = reader_new(payload.data, payload.len);
	struct lldp l = {0};

	for (unsigned n = 0; reader_left(&r); n++) {
		uint16_t head = read_be16(&r);
		struct reader v = read_sub(&r, head & 0x1ff);

		if (r.bad || !order_holds(n, (uint8_t)(head >> 9)))
			return PARSE_BAD;
		switch (head >> 9) {
		case TLV_END:
			*ret_l = l;
			return PARSE_OK;
		case TLV_CHASSIS:
			if (read_u8(&v) == CHASSIS_MAC && reader_left(&v) == 6)
				l.chassis_mac = read_bytes(&v, 6);
			break;
		case TLV_SYSTEM_NAME:
			l.system_name = v.in;
			break;
		case TLV_SYSTEM_DESCRIPTION:
			l.system_description = v.in;
			break;
		case TLV_ORGANISATION:
			read_organisation(&l, v);
			break;
		}
	}
	/* Padding hides the end only in frames that were cut; without it the unit is not whole. */
	return PARSE_BAD;
}
