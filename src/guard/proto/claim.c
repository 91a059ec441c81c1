#include "guard/proto/claim.h"

#include "guard/proto/dns_name.h"

#define RECORDS	    64 /* of one message */
#define NETBIOS_LEN 32 /* a name of 15 characters and a suffix, half a byte a letter */
#define NB_GROUP    0x8000

enum rr { RR_A = 1, RR_AAAA = 28, RR_NB = 32 };

static uint32_t hash_more(uint32_t hash, uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		c |= 0x20;
	return (hash ^ c) * 16777619u;
}

/* RFC 1001 §14.1: filled up with blanks. */
static uint32_t hash_netbios(struct bytes label)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i + 3 < label.len; i += 2) {
		/* What is no letter of it is a name all the same. */
		unsigned high = (label.data[i] - 'A') & 15u, low = (label.data[i + 1] - 'A') & 15u;
		uint8_t c = (uint8_t)(high << 4 | low);

		if (c == ' ')
			break;
		hash = hash_more(hash, c);
	}
	return hash;
}

static uint32_t hash_label(struct bytes label)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < label.len; i++)
		hash = hash_more(hash, label.data[i]);
	return hash;
}

bool claim_is_proxy(uint32_t name)
{
	static const uint8_t wpad[] = {'w', 'p', 'a', 'd'};

	return name == hash_label((struct bytes){wpad, sizeof(wpad)});
}

/* Does the record say that the name is the address's? A group's is many machines'. */
static bool is_own(uint16_t type, struct bytes data, const struct gate_ip *ip)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (type == RR_AAAA)
		return data.len == 16 && !memcmp(data.data, ip->b, 16);
	if (type == RR_NB && data.len == 6 && !((data.data[0] << 8) & NB_GROUP))
		data = (struct bytes){data.data + 2, 4};
	else if (type != RR_A)
		return false;
	return data.len == 4 && !memcmp(ip->b, mapped, 12) && !memcmp(data.data, ip->b + 12, 4);
}

unsigned claim_read(struct bytes payload, const struct gate_ip *ip, uint32_t ret_names[CLAIMS])
{
	struct reader r = reader_new(payload.data, payload.len);
	unsigned questions, answers, n = 0;
	struct dns_name name;

	read_skip(&r, 2);
	if (!(read_be16(&r) & 0x8000))
		return 0;
	questions = read_be16(&r);
	answers = read_be16(&r);
	read_skip(&r, 4);
	if (r.bad || questions > RECORDS || answers > RECORDS)
		return 0;
	for (; questions; questions--) {
		if (!dns_name_skip(&r))
			return 0;
		read_skip(&r, 4);
	}
	for (; answers && n < CLAIMS; answers--) {
		uint16_t type;
		struct bytes data;

		if (!dns_name_read(&r, &name))
			return 0;
		type = read_be16(&r);
		read_skip(&r, 6); /* class, time to live */
		data = read_bytes(&r, read_be16(&r));
		if (r.bad)
			return 0;
		if (name.count && is_own(type, data, ip))
			ret_names[n++] = type == RR_NB && name.label[0].len == NETBIOS_LEN
						 ? hash_netbios(name.label[0])
						 : hash_label(name.label[0]);
	}
	return n;
}
