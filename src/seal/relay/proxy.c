#include "seal/relay/proxy.h"

#include <netinet/in.h>

#define TCP4 0x11
#define TCP6 0x21

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
				      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void read_ip(struct reader *r, bool four, uint8_t ret_ip[16])
{
	struct bytes b = read_bytes(r, four ? 4 : 16);

	if (r->bad)
		return;
	memcpy(ret_ip, mapped, sizeof(mapped));
	memcpy(ret_ip + (four ? 12 : 0), b.data, b.len);
}

static void read_addresses(struct reader *r, uint8_t family, struct proxy_header *h)
{
	bool four = family == TCP4;

	if (h->local || (family != TCP4 && family != TCP6))
		return; /* as §2.2 has it: whatever is there is passed over */
	read_ip(r, four, h->from);
	read_ip(r, four, h->to);
	h->from_port = read_be16(r);
	h->to_port = read_be16(r);
	h->known = !r->bad;
}

enum parse proxy_read(struct bytes in, struct proxy_header *ret_h, size_t *ret_used)
{
	struct reader r = reader_new(in.data, in.len), body;
	size_t known = in.len < sizeof(signature) ? in.len : sizeof(signature);
	struct proxy_header h = {0};
	uint8_t version, family;
	uint16_t len;

	if (memcmp(in.data, signature, known) != 0)
		return PARSE_BAD;
	read_skip(&r, sizeof(signature));
	version = read_u8(&r);
	family = read_u8(&r);
	len = read_be16(&r);
	if (r.bad)
		return PARSE_MORE;
	if (version >> 4 != 2 || (version & 15) > 1 || len > PROXY_MAX - PROXY_HEAD)
		return PARSE_BAD;
	h.local = (version & 15) == 0;
	body = read_sub(&r, len);
	if (r.bad)
		return PARSE_MORE;
	read_addresses(&body, family, &h);
	if (body.bad)
		return PARSE_BAD; /* shorter than its addresses */
	*ret_h = h;
	*ret_used = PROXY_HEAD + len;
	return PARSE_OK;
}

size_t proxy_write(const struct proxy_header *h, uint8_t ret_data[PROXY_OURS])
{
	struct writer w = writer_new(ret_data, PROXY_OURS);
	bool four =
		!memcmp(h->from, mapped, sizeof(mapped)) && !memcmp(h->to, mapped, sizeof(mapped));
	size_t skip = four ? sizeof(mapped) : 0;

	write_bytes(&w, signature, sizeof(signature));
	write_u8(&w, h->local ? 0x20 : 0x21);
	write_u8(&w, !h->known ? 0 : four ? TCP4 : TCP6);
	write_be16(&w, !h->known ? 0 : four ? 12 : 36);
	if (h->known) {
		write_bytes(&w, h->from + skip, 16 - skip);
		write_bytes(&w, h->to + skip, 16 - skip);
		write_be16(&w, h->from_port);
		write_be16(&w, h->to_port);
	}
	return w.len;
}

bool proxy_address(const struct sockaddr *sa, uint8_t ret_ip[16], uint16_t *ret_port)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)sa;

	if (sa->sa_family == AF_INET) {
		memcpy(ret_ip, mapped, sizeof(mapped));
		memcpy(ret_ip + sizeof(mapped), &four->sin_addr, 4);
		*ret_port = ntohs(four->sin_port);
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	memcpy(ret_ip, &six->sin6_addr, 16);
	*ret_port = ntohs(six->sin6_port);
	return true;
}
