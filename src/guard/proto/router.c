#include "guard/proto/router.h"

#define PREFIX	     3
#define PREFIX_LEN   32
#define RESOLVERS    25
#define RESOLVER_LEN 24 /* of one, at least */
#define ADDRESS	     16

static bool is_zero(const struct gate_ip *ip)
{
	static const struct gate_ip none;

	return !memcmp(ip, &none, sizeof(none));
}

static bool read_option(struct router *ret_r, uint8_t type, struct bytes option)
{
	if (type == PREFIX && option.len != PREFIX_LEN - 2)
		return false;
	if (type == RESOLVERS && (option.len < RESOLVER_LEN - 2 || (option.len + 2) % ADDRESS != 8))
		return false;
	if (type == PREFIX && is_zero(&ret_r->network))
		memcpy(&ret_r->network, option.data + option.len - ADDRESS, ADDRESS);
	if (type == RESOLVERS && !ret_r->has_resolver) {
		ret_r->has_resolver = true;
		memcpy(&ret_r->resolver, option.data + RESOLVER_LEN - 2 - ADDRESS, ADDRESS);
	}
	return true;
}

enum parse router_read(struct bytes icmp, struct router *ret_r)
{
	struct reader r = reader_new(icmp.data, icmp.len);

	*ret_r = (struct router){0};
	if (read_u8(&r) != ROUTER_ADVERTISEMENT || read_u8(&r) != 0)
		return PARSE_BAD;
	read_skip(&r, 4); /* checksum, hop limit, flags */
	ret_r->lifetime_s = read_be16(&r);
	read_skip(&r, 8);
	while (!r.bad && reader_left(&r)) {
		uint8_t type = read_u8(&r), eights = read_u8(&r);
		struct bytes option = read_bytes(&r, eights ? eights * 8u - 2 : 0);

		if (r.bad || !eights || !read_option(ret_r, type, option))
			return PARSE_BAD;
	}
	return r.bad ? PARSE_BAD : PARSE_OK;
}
