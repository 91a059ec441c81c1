#include "guard/capture/checksum.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/sum.h"

#define ETH_LEN 14

enum { HOP_BY_HOP = 0, TCP = 6, UDP = 17, DESTINATION = 60 };

static uint16_t load(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool finish(uint8_t *l4, size_t len, uint8_t proto, uint64_t addresses)
{
	size_t at = proto == TCP ? 16 : 6;
	uint16_t field, sum;

	if (len < at + 2)
		return false;
	memcpy(&field, l4 + at, 2);
	sum = sum_fold(addresses + htons(proto) + htons((uint16_t)len) +
		       htons((uint16_t)(len >> 16)));
	if (field != sum)
		return false;
	sum = (uint16_t)~sum_fold(sum_add(0, l4, len));
	if (proto == UDP && sum == 0)
		sum = 0xffff; /* RFC 768: zero means that there is none */
	memcpy(l4 + at, &sum, 2);
	return sum != field;
}

static bool finish_ip4(uint8_t *ip, size_t len)
{
	size_t head, total;

	if (len < 20)
		return false;
	head = (size_t)(ip[0] & 15) * 4;
	total = load(ip + 2);
	if (ip[0] >> 4 != 4 || head < 20 || total < head || total > len)
		return false;
	if ((load(ip + 6) & 0x3fff) || (ip[9] != TCP && ip[9] != UDP))
		return false;
	return finish(ip + head, total - head, ip[9], sum_add(0, ip + 12, 8));
}

static bool finish_ip6(uint8_t *ip, size_t len)
{
	size_t at = 40, end;
	uint8_t next;

	if (len < 40 || ip[0] >> 4 != 6)
		return false;
	end = 40 + (size_t)load(ip + 4);
	next = ip[6];
	if (end > len)
		return false;
	while (next == HOP_BY_HOP || next == DESTINATION) {
		if (end - at < 8)
			return false;
		next = ip[at];
		at += (size_t)(ip[at + 1] + 1) * 8;
		if (at > end)
			return false;
	}
	if (next != TCP && next != UDP)
		return false;
	return finish(ip + at, end - at, next, sum_add(0, ip + 8, 32));
}

bool checksum_finish(uint8_t *frame, size_t len)
{
	size_t at = ETH_LEN;
	uint16_t type;

	if (len < ETH_LEN)
		return false;
	type = load(frame + 12);
	for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); tags++) {
		if (len - at < 4)
			return false;
		type = load(frame + at + 2);
		at += 4;
	}
	if (type == 0x0800)
		return finish_ip4(frame + at, len - at);
	if (type == 0x86dd)
		return finish_ip6(frame + at, len - at);
	return false;
}
