#include "guard/proto/dhcp.h"

#include "guard/decode/packet.h"

#define COOKIE	    0x63825363 /* RFC 2131 §3 */
#define BOOTREQUEST 1
#define BOOTREPLY   2
#define ETHERNET    1
#define SNAME_LEN   64
#define FILE_LEN    128

enum option {
	OPTION_PAD = 0,
	OPTION_ROUTER = 3,
	OPTION_HOST_NAME = 12,
	OPTION_REQUESTED = 50,
	OPTION_LEASE = 51,
	OPTION_OVERLOAD = 52,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_PARAMS = 55,
	OPTION_CLASS = 60,
	OPTION_END = 255,
};

static void read_ip(struct reader *r, struct gate_ip *ret_ip)
{
	static const uint8_t none[4];
	struct bytes b = read_bytes(r, 4);

	packet_ip_map(b.len ? b.data : none, ret_ip);
}

/* RFC 2132 §2: texts end without a NUL, and receivers are to take off those that others put there. */
static struct bytes read_text(const struct reader *r)
{
	struct bytes b = r->in;

	while (b.len && !b.data[b.len - 1])
		b.len--;
	return b;
}

/* A reader confined to the option's value; `r` goes on behind it. */
static void read_option(struct dhcp *d, uint8_t code, struct reader r, uint8_t *overload)
{
	switch (code) {
	case OPTION_ROUTER:
		read_ip(&r, &d->router);
		break;
	case OPTION_HOST_NAME:
		d->host_name = read_text(&r);
		break;
	case OPTION_REQUESTED:
		read_ip(&r, &d->requested);
		break;
	case OPTION_LEASE:
		d->lease_s = read_be32(&r);
		break;
	case OPTION_OVERLOAD:
		*overload = read_u8(&r);
		break;
	case OPTION_TYPE:
		d->type = read_u8(&r);
		break;
	case OPTION_SERVER:
		read_ip(&r, &d->server);
		break;
	case OPTION_PARAMS:
		d->params = r.in;
		break;
	case OPTION_CLASS:
		d->vendor_class = read_text(&r);
		break;
	}
}

/* Without the end option the field's end is the end, as many clients leave it. */
static bool read_options(struct dhcp *d, struct reader *r, uint8_t *overload)
{
	while (reader_left(r)) {
		uint8_t code = read_u8(r);

		if (code == OPTION_PAD)
			continue;
		if (code == OPTION_END)
			break;
		read_option(d, code, read_sub(r, read_u8(r)), overload);
	}
	return !r->bad;
}

enum parse dhcp_read(struct bytes payload, struct dhcp *ret_d)
{
	struct reader r = reader_new(payload.data, payload.len), sname, file;
	struct dhcp d = {0};
	uint8_t op = read_u8(&r), type = read_u8(&r), len = read_u8(&r), overload = 0, ignored = 0;
	struct bytes mac;

	read_u8(&r); /* hops */
	d.xid = read_be32(&r);
	read_skip(&r, 4); /* seconds, flags */
	read_ip(&r, &d.client);
	read_ip(&r, &d.yours);
	read_skip(&r, 4); /* next server */
	read_ip(&r, &d.relay);
	mac = read_bytes(&r, 16);
	sname = read_sub(&r, SNAME_LEN);
	file = read_sub(&r, FILE_LEN);
	if (read_be32(&r) != COOKIE || (op != BOOTREQUEST && op != BOOTREPLY) || len > 16)
		return PARSE_BAD;
	d.reply = op == BOOTREPLY;
	if (type == ETHERNET && len == 6)
		memcpy(d.mac, mac.data, 6);
	d.requested = d.server = d.router = (struct gate_ip){0};
	if (!read_options(&d, &r, &overload))
		return PARSE_BAD;
	/* RFC 2132 §9.3: the options go on in fields that are otherwise unused. */
	if (overload & 1 && !read_options(&d, &file, &ignored))
		return PARSE_BAD;
	if (overload & 2 && !read_options(&d, &sname, &ignored))
		return PARSE_BAD;
	*ret_d = d;
	return PARSE_OK;
}
