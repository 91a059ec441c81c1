#include "base/check_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"

struct claim {
	uint8_t key[20]; /* IP and segment, or a MAC */
	uint32_t index, item;
	bool device;
};

/* IPv4 in its mapped form. Not: nobody, oneself, a group, or everybody (RFC 6890). */
static bool is_one_machine(const uint8_t ip[16])
{
	static const uint8_t v4[12] = {[10] = 0xff, 0xff}, none[15];

	if (memcmp(ip, v4, 12) == 0)
		return ip[12] != 0 && ip[12] != 127 && ip[12] < 224;
	return ip[0] != 0xff && !(memcmp(ip, none, 15) == 0 && ip[15] <= 1);
}

void check_prefix(struct checking *k, const char *path, const char *text, bool single)
{
	char canonical[ADDRESS_IP_LEN];
	uint8_t ip[16], masked[16];
	unsigned len;
	bool v4;

	if (!address_prefix(text, ip, &len)) {
		check_wrong(k, path, "'%.60s' is no address; expected %s", text,
			    single ? "one as 10.1.1.12 or fd00::12"
				   : "one as 10.1.0.5, or a prefix as 10.2.0.0/16 or fd00::/8");
		return;
	}
	if (single && len != 128) {
		check_wrong(k, path, "'%.60s' is a prefix; expected a single address", text);
		return;
	}
	if (single && !is_one_machine(ip)) {
		check_wrong(
			k, path,
			"'%.60s' is the address of no single machine; expected the device's own",
			text);
		return;
	}
	memcpy(masked, ip, 16);
	address_mask(masked, len, false);
	if (memcmp(masked, ip, 16) == 0)
		return;
	v4 = !strchr(text, ':');
	check_wrong(k, path, "'%.60s' has bits set behind its prefix; expected %s/%u", text,
		    address_ip_text(masked, canonical), v4 ? len - 96 : len);
}

bool check_mac(struct checking *k, const char *path, const char *text)
{
	static const uint8_t none[6];
	uint8_t mac[6];

	if (!address_mac(text, mac)) {
		check_wrong(k, path,
			    "'%.40s' is no hardware address; expected one as 00:09:fb:01:02:03",
			    text);
		return false;
	}
	if (mac[0] & 1 || memcmp(mac, none, 6) == 0) {
		check_wrong(k, path,
			    "'%.40s' is the address of no single machine; expected the one "
			    "printed on the device",
			    text);
		return false;
	}
	return true;
}

static int claim_order(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = memcmp(x->key, y->key, sizeof(x->key));

	if (r)
		return r;
	if (x->device != y->device)
		return x->device - y->device;
	return x->index != y->index ? (x->index < y->index ? -1 : 1) : (int)x->item - (int)y->item;
}

static const char *claimant(const struct checking *k, const struct claim *m)
{
	return m->device ? k->c->devices[m->index].name : k->c->hosts[m->index].name;
}

static void twice(struct checking *k, const struct claim *m, const struct claim *first, bool mac)
{
	const char *value = !mac	? (m->device ? k->c->devices[m->index].ip[m->item]
						     : k->c->hosts[m->index].ip[m->item])
			    : m->device ? k->c->devices[m->index].mac
					: k->c->hosts[m->index].mac;
	char at[64];

	if (mac)
		snprintf(at, sizeof(at), "%s[%u].mac", m->device ? "devices" : "hosts", m->index);
	else
		snprintf(at, sizeof(at), "%s[%u].ip[%u]", m->device ? "devices" : "hosts", m->index,
			 m->item);
	check_wrong(k, at, "'%s' belongs to '%s' already; expected an address of its own", value,
		    claimant(k, first));
}

/* The same claim twice, or a single address of a host, which is one in every segment. */
static bool clash(const struct claim *a, const struct claim *b)
{
	return memcmp(a->key, b->key, sizeof(a->key)) == 0 ||
	       (!a->device && a->key[16] == 128 && b->key[16] == 128);
}

/* In order of address, hosts before devices. */
static void check_claims(struct checking *k, struct claim *claims, size_t count, bool mac)
{
	size_t group = 0;

	if (count)
		qsort(claims, count, sizeof(*claims), claim_order);
	for (size_t i = 1; i < count; i++) {
		if (memcmp(claims[i].key, claims[group].key, 16) != 0) {
			group = i;
			continue;
		}
		for (size_t j = group; j < i; j++)
			if (clash(&claims[j], &claims[i])) {
				twice(k, &claims[i], &claims[j], mac);
				break;
			}
	}
}

static size_t claim_ips(const struct checking *k, struct claim *to)
{
	size_t n = 0;
	unsigned len;

	for (unsigned i = 0; i < k->c->hosts_count; i++)
		for (unsigned j = 0; j < k->c->hosts[i].ip_count; j++) {
			struct claim m = {.index = i, .item = j};

			if (!address_prefix(k->c->hosts[i].ip[j], m.key, &len))
				continue;
			m.key[16] = (uint8_t)len; /* prefixes of different length may overlap */
			to[n++] = m;
		}
	for (unsigned i = 0; i < k->c->devices_count; i++) {
		const struct config_device *d = &k->c->devices[i];
		const struct check_name *s =
			check_name_find(k->segments, k->c->segments_count, d->segment);

		for (unsigned j = 0; j < d->ip_count; j++) {
			struct claim m = {.index = i, .item = j, .device = true};

			if (!address_prefix(d->ip[j], m.key, &len) || len != 128)
				continue;
			m.key[16] = 128;
			m.key[17] = 1;
			m.key[18] = s ? (uint8_t)s->index : 0xff;
			to[n++] = m;
		}
	}
	return n;
}

static size_t claim_macs(const struct checking *k, struct claim *to)
{
	size_t n = 0;

	for (unsigned i = 0; i < k->c->hosts_count; i++) {
		struct claim m = {.index = i};

		if (k->c->hosts[i].mac && address_mac(k->c->hosts[i].mac, m.key))
			to[n++] = m;
	}
	for (unsigned i = 0; i < k->c->devices_count; i++) {
		struct claim m = {.index = i, .device = true};

		if (address_mac(k->c->devices[i].mac, m.key))
			to[n++] = m;
	}
	return n;
}

void check_addresses(struct checking *k)
{
	size_t most = (size_t)k->c->hosts_count + k->c->devices_count;
	struct claim *claims;

	for (unsigned i = 0; i < k->c->hosts_count; i++)
		most += k->c->hosts[i].ip_count;
	for (unsigned i = 0; i < k->c->devices_count; i++)
		most += k->c->devices[i].ip_count;
	claims = calloc(most + 1, sizeof(*claims));
	if (!claims) {
		check_wrong(k, "", "out of memory");
		return;
	}
	check_claims(k, claims, claim_ips(k, claims), false);
	memset(claims, 0, most * sizeof(*claims));
	check_claims(k, claims, claim_macs(k, claims), true);
	free(claims);
}
