#include "guard/proto/dhcp6.h"

#define TYPES	    36 /* numbers given out, by 2024 */
#define DNS_SERVERS 23

enum parse dhcp6_read(struct bytes payload, struct dhcp6 *ret_d)
{
	struct reader r = reader_new(payload.data, payload.len);
	bool relayed;

	*ret_d = (struct dhcp6){.type = read_u8(&r)};
	if (!ret_d->type || ret_d->type > TYPES)
		return PARSE_BAD;
	relayed = ret_d->type == DHCP6_RELAY_FORWARD || ret_d->type == DHCP6_RELAY_REPLY;
	read_skip(&r, relayed ? 1 + 2 * sizeof(struct gate_ip) : 3);
	while (!r.bad && reader_left(&r)) {
		uint16_t code = read_be16(&r), len = read_be16(&r);
		struct bytes option = read_bytes(&r, len);

		if (r.bad || code != DNS_SERVERS || ret_d->has_resolver)
			continue;
		if (!len || len % sizeof(struct gate_ip))
			return PARSE_BAD;
		ret_d->has_resolver = true;
		memcpy(&ret_d->resolver, option.data, sizeof(ret_d->resolver));
	}
	return r.bad ? PARSE_BAD : PARSE_OK;
}
