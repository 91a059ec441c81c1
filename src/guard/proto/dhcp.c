#include "guard/proto/dhcp.h"

#include "guard/decode/packet.h"

#define COOKIE	    0x63825363 /* RFC 2131 §3 */
#define BOOTREQUEST 1
#define BOOTREPLY   2
#define ETHERNET    1
#define SNAME_LEN   64
#define FILE_LEN    128

/* In the order in which an option goes on (RFC 3396 §5). */
enum field { OPTIONS, FILE_FIELD, SNAME, FIELDS };

enum option {
	OPTION_PAD = 0,
	OPTION_MASK = 1,
	OPTION_ROUTER = 3,
	OPTION_RESOLVER = 6,
	OPTION_HOST_NAME = 12,
	OPTION_REQUESTED = 50,
	OPTION_LEASE = 51,
	OPTION_OVERLOAD = 52,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_PARAMS = 55,
	OPTION_RENEWAL = 58,
	OPTION_REBINDING = 59,
	OPTION_CLASS = 60,
	OPTION_CLIENT_ID = 61,
	OPTION_END = 255,
};

/* 0.0.0.0 where there are no four bytes. */
static void take_ip(struct bytes b, struct gate_ip *ret_ip)
{
	static const uint8_t none[4];

	packet_ip_map(b.len >= 4 ? b.data : none, ret_ip);
}

/* RFC 2132 §2: texts end without a NUL, and receivers are to take off those that others put there. */
static struct bytes text(struct bytes b)
{
	while (b.len && !b.data[b.len - 1])
		b.len--;
	return b;
}

static uint32_t number(struct bytes b, size_t len)
{
	struct reader r = reader_new(b.data, b.len);

	return b.len < len ? 0 : len == 1 ? read_u8(&r) : read_be32(&r);
}

/* False where there is none left. Without the end option the field's end is the end, as many clients
 * leave it. */
static bool next_option(struct reader *r, uint8_t *ret_code, struct bytes *ret_value)
{
	do
		*ret_code = reader_left(r) ? read_u8(r) : OPTION_END;
	while (*ret_code == OPTION_PAD);
	if (*ret_code == OPTION_END)
		return false;
	*ret_value = read_bytes(r, read_u8(r));
	return !r->bad;
}

/* Behind what was found before, in room of the message's own. What does not fit is left out. */
static struct bytes join(struct dhcp *d, struct bytes found, struct bytes more)
{
	struct writer w = writer_new(d->room + d->room_used, sizeof(d->room) - d->room_used);
	size_t left;

	if (found.data + found.len != w.data) {
		write_bytes(&w, found.data, found.len);
		found.data = d->room + d->room_used;
	}
	left = w.bad ? 0 : w.cap - w.len;
	write_bytes(&w, more.data, more.len < left ? more.len : left);
	d->room_used += w.len;
	found.len = (size_t)(d->room + d->room_used - found.data);
	return found;
}

/* RFC 3396 §7: an option that comes again goes on, in another field as well. */
static struct bytes find(struct dhcp *d, const struct bytes fields[FIELDS], uint8_t code)
{
	struct bytes found = {NULL, 0}, value;
	uint8_t is;

	for (unsigned i = 0; i < FIELDS; i++) {
		struct reader r = reader_new(fields[i].data, fields[i].len);

		while (next_option(&r, &is, &value))
			if (is == code)
				found = found.data ? join(d, found, value) : value;
	}
	return found;
}

static void take_options(struct dhcp *d, const struct bytes fields[FIELDS])
{
	d->routers = find(d, fields, OPTION_ROUTER);
	take_ip(d->routers, &d->router);
	d->resolvers = find(d, fields, OPTION_RESOLVER);
	take_ip(d->resolvers, &d->resolver);
	take_ip(find(d, fields, OPTION_MASK), &d->mask);
	take_ip(find(d, fields, OPTION_REQUESTED), &d->requested);
	take_ip(find(d, fields, OPTION_SERVER), &d->server);
	d->host_name = text(find(d, fields, OPTION_HOST_NAME));
	d->vendor_class = text(find(d, fields, OPTION_CLASS));
	d->params = find(d, fields, OPTION_PARAMS);
	d->client_id = find(d, fields, OPTION_CLIENT_ID);
	d->lease_s = number(find(d, fields, OPTION_LEASE), 4);
	d->renewal_s = number(find(d, fields, OPTION_RENEWAL), 4);
	d->rebinding_s = number(find(d, fields, OPTION_REBINDING), 4);
	d->type = (uint8_t)number(find(d, fields, OPTION_TYPE), 1);
}

/* Do the lengths hold? *ret_overload: which of the other fields hold options, too (RFC 2132 §9.3). */
static bool holds(struct bytes field, uint8_t *ret_overload)
{
	struct reader r = reader_new(field.data, field.len);
	struct bytes value;
	uint8_t code;

	while (next_option(&r, &code, &value))
		if (code == OPTION_OVERLOAD && value.len)
			*ret_overload = value.data[0];
	return !r.bad;
}

enum parse dhcp_read(struct bytes payload, struct dhcp *ret_d)
{
	struct reader r = reader_new(payload.data, payload.len);
	uint8_t op = read_u8(&r), type = read_u8(&r), len = read_u8(&r), overload = 0, ignored = 0;
	struct bytes mac, client, yours, next, relay, fields[FIELDS];
	uint32_t xid;

	read_u8(&r); /* hops */
	xid = read_be32(&r);
	read_skip(&r, 4); /* seconds, flags */
	client = read_bytes(&r, 4);
	yours = read_bytes(&r, 4);
	next = read_bytes(&r, 4);
	relay = read_bytes(&r, 4);
	mac = read_bytes(&r, 16);
	fields[SNAME] = read_bytes(&r, SNAME_LEN);
	fields[FILE_FIELD] = read_bytes(&r, FILE_LEN);
	if (read_be32(&r) != COOKIE || (op != BOOTREQUEST && op != BOOTREPLY) || len > 16)
		return PARSE_BAD;
	fields[OPTIONS] = read_bytes(&r, reader_left(&r));
	if (!holds(fields[OPTIONS], &overload))
		return PARSE_BAD;
	fields[FILE_FIELD].len = overload & 1 ? FILE_LEN : 0;
	fields[SNAME].len = overload & 2 ? SNAME_LEN : 0;
	if (!holds(fields[FILE_FIELD], &ignored) || !holds(fields[SNAME], &ignored))
		return PARSE_BAD;
	memset(ret_d, 0, offsetof(struct dhcp, room));
	ret_d->reply = op == BOOTREPLY;
	ret_d->xid = xid;
	take_ip(client, &ret_d->client);
	take_ip(yours, &ret_d->yours);
	take_ip(next, &ret_d->next);
	take_ip(relay, &ret_d->relay);
	if (type == ETHERNET && len == 6)
		memcpy(ret_d->mac, mac.data, 6);
	take_options(ret_d, fields);
	return PARSE_OK;
}
