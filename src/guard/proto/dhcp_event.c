#include "guard/proto/dhcp.h"

#include <stdio.h>

#include "base/json.h"
#include "guard/decode/packet.h"
#include "guard/proto/proto.h"

#define ADDRESSES 8  /* of a list, as many as are of use */
#define CLIENT_ID 32 /* bytes of one */

static void put_ip(struct json *j, const char *key, const struct gate_ip *ip)
{
	char text[PACKET_IP_LEN];

	if (!packet_ip_is_zero(ip))
		json_str(j, key, packet_ip_text(ip, text));
}

static void put_bytes(struct json *j, const char *key, struct bytes v)
{
	if (v.len)
		proto_text(j, key, v);
}

static void put_addresses(struct json *j, const char *key, struct bytes list)
{
	struct gate_ip ip;

	if (list.len < 4)
		return;
	json_list(j, key);
	for (unsigned i = 0; i < ADDRESSES && list.len >= 4 * (i + 1); i++) {
		packet_ip_map(list.data + 4 * i, &ip);
		put_ip(j, NULL, &ip);
	}
	json_end(j);
}

/* RFC 2132 §9.14: behind the kind of hardware. Without one it is a text, which may be somebody's name. */
static void put_client_id(struct json *j, struct bytes id)
{
	char text[3 * CLIENT_ID];
	size_t len = 0;

	for (size_t i = 1; i < id.len && i <= CLIENT_ID && id.data[0]; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%02x", i > 1 ? ":" : "",
					id.data[i]);
	if (len)
		json_str(j, "client_id", text);
}

static const char *const dhcp_types[] = {
	[DHCP_DISCOVER] = "discover", [DHCP_OFFER] = "offer",	[DHCP_REQUEST] = "request",
	[DHCP_DECLINE] = "decline",   [DHCP_ACK] = "ack",	[DHCP_NAK] = "nak",
	[DHCP_RELEASE] = "release",   [DHCP_INFORM] = "inform",
};

const char *dhcp_type_name(uint8_t type)
{
	bool known = type < sizeof(dhcp_types) / sizeof(dhcp_types[0]) && dhcp_types[type];

	return known ? dhcp_types[type] : "unknown";
}

static void put_dhcp_addresses(struct json *j, const struct dhcp *d)
{
	put_ip(j, "assigned_ip", &d->yours);
	put_ip(j, "client_ip", &d->client);
	put_ip(j, "relay_ip", &d->relay);
	put_ip(j, "next_server_ip", &d->next);
	put_ip(j, "requested_ip", &d->requested);
	put_ip(j, "server_identifier", &d->server);
	put_ip(j, "subnet_mask", &d->mask);
	put_addresses(j, "routers", d->routers);
	put_addresses(j, "dns_servers", d->resolvers);
}

static void put_seconds(struct json *j, const char *key, uint32_t s)
{
	if (s)
		json_u64(j, key, s);
}

void dhcp_write(const struct dhcp *d, struct json *j)
{
	json_str(j, "type", d->reply ? "reply" : "request");
	json_u64(j, "id", d->xid);
	put_dhcp_addresses(j, d);
	put_client_id(j, d->client_id);
	put_bytes(j, "hostname", d->host_name);
	put_bytes(j, "vendor_class_identifier", d->vendor_class);
	put_seconds(j, "lease_time", d->lease_s);
	put_seconds(j, "renewal_time", d->renewal_s);
	put_seconds(j, "rebinding_time", d->rebinding_s);
}
