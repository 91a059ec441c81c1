#include "base/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digits.h"

static const struct {
	const char *name;
	uint8_t number;
} protos[] = {
	{"any", 0}, {"icmp", 1}, {"igmp", 2}, {"tcp", 6}, {"udp", 17}, {"icmpv6", 58},
};

/* A decimal number without sign or blanks, at most `max`; returns behind it, NULL where none is. */
static const char *number(const char *s, unsigned long max, unsigned long *ret_n)
{
	unsigned long n = 0;
	const char *p = s;

	for (; isdigit((unsigned char)*p); p++) {
		n = n * 10 + (unsigned long)(*p - '0');
		if (n > max)
			return NULL;
	}
	if (p == s)
		return NULL;
	*ret_n = n;
	return p;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool address_mac(const char *text, uint8_t ret_mac[6])
{
	uint8_t mac[6];

	if (strlen(text) != 17)
		return false;
	for (int i = 0; i < 6; i++) {
		int hi = nibble(text[3 * i]), lo = nibble(text[3 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		if (i < 5 && text[3 * i + 2] != ':' && text[3 * i + 2] != '-')
			return false;
		mac[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(ret_mac, mac, 6);
	return true;
}

const char *address_mac_text(const uint8_t mac[6], char ret_text[ADDRESS_MAC_LEN])
{
	char *at = ret_text;

	for (unsigned i = 0; i < 6; i++) {
		at = digits_hex(at, mac[i], 2);
		*at++ = i < 5 ? ':' : 0;
	}
	return ret_text;
}

bool address_prefix(const char *text, uint8_t ret_ip[16], unsigned *ret_len)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const char *slash = strchr(text, '/'), *end;
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long bits = 128;
	char host[ADDRESS_IP_LEN];
	uint8_t v4[4], v6[16];
	bool is_v4;

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = 0;
	is_v4 = inet_pton(AF_INET, host, v4) == 1;
	if (!is_v4 && inet_pton(AF_INET6, host, v6) != 1)
		return false;
	if (slash) {
		end = number(slash + 1, is_v4 ? 32 : 128, &bits);
		if (!end || *end)
			return false;
		bits += is_v4 ? 96 : 0;
	}
	if (is_v4) {
		memcpy(ret_ip, mapped, 12);
		memcpy(ret_ip + 12, v4, 4);
	} else {
		memcpy(ret_ip, v6, 16);
	}
	*ret_len = (unsigned)bits;
	return true;
}

void address_mask(uint8_t ip[16], unsigned len, bool set)
{
	for (unsigned bit = len; bit < 128; bit++) {
		uint8_t m = (uint8_t)(0x80 >> (bit % 8));

		ip[bit / 8] = set ? ip[bit / 8] | m : (uint8_t)(ip[bit / 8] & ~m);
	}
}

bool address_within(const uint8_t ip[16], const char *prefix)
{
	uint8_t net[16], masked[16];
	unsigned len;

	if (!address_prefix(prefix, net, &len))
		return false;
	memcpy(masked, ip, 16);
	address_mask(masked, len, false);
	address_mask(net, len, false);
	return memcmp(masked, net, 16) == 0;
}

char *address_put_ip(char *at, const uint8_t ip[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(ip, mapped, 12) != 0) {
		inet_ntop(AF_INET6, ip, at, ADDRESS_IP_LEN);
		return at + strlen(at);
	}
	at = digits_octet(at, ip[12], '.');
	at = digits_octet(at, ip[13], '.');
	at = digits_octet(at, ip[14], '.');
	return digits_octet(at, ip[15], 0) - 1;
}

const char *address_ip_text(const uint8_t ip[16], char ret_text[ADDRESS_IP_LEN])
{
	*address_put_ip(ret_text, ip) = 0;
	return ret_text;
}

bool address_ports(const char *text, uint16_t *ret_lo, uint16_t *ret_hi)
{
	unsigned long lo, hi;
	const char *p = number(text, 65535, &lo);

	if (!p)
		return false;
	hi = lo;
	if (*p == '-')
		p = number(p + 1, 65535, &hi);
	if (!p || *p || hi < lo)
		return false;
	*ret_lo = (uint16_t)lo;
	*ret_hi = (uint16_t)hi;
	return true;
}

bool address_proto(const char *text, uint8_t *ret_proto)
{
	unsigned long n;
	const char *p;

	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (strcmp(text, protos[i].name) == 0) {
			*ret_proto = protos[i].number;
			return true;
		}
	p = number(text, 255, &n);
	if (!p || *p)
		return false;
	*ret_proto = (uint8_t)n;
	return true;
}

const char *address_proto_name(uint8_t proto)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (protos[i].number == proto)
			return protos[i].name;
	return NULL;
}

bool address_endpoint(const char *text, char ret_ip[ADDRESS_IP_LEN], uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':'), *begin = text + (*text == '[');
	char ip[ADDRESS_IP_LEN], bits[16];
	bool v6 = *text == '[';
	uint16_t lo, hi;
	size_t len;

	if (!colon || colon <= begin || (v6 && colon[-1] != ']'))
		return false;
	len = (size_t)(colon - begin) - v6;
	if (len >= sizeof(ip) || !address_ports(colon + 1, &lo, &hi) || lo != hi || lo == 0)
		return false;
	memcpy(ip, begin, len);
	ip[len] = 0;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, ip, bits) != 1)
		return false;
	memcpy(ret_ip, ip, len + 1);
	*ret_port = lo;
	return true;
}
