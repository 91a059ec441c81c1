#include "guard/proto/dns_record.h"

#include <stdio.h>

#include "base/digits.h"
#include "guard/decode/packet.h"
#include "guard/proto/dns_name.h"
#include "guard/proto/proto.h"

#define WORD_MAX   32 /* of what is short: a protocol's name, a service, a tag */
#define WORDS_MAX  8  /* of a list */
#define PRINT_MAX  64 /* bytes of a fingerprint */
#define BIGGEST	   4  /* texts of full length, a record's own name among them (NAPTR) */
#define KEY_ALPN   1
#define KEY_NO_DEF 2
#define KEY_PORT   3
#define KEY_IPV4   4
#define KEY_ECH	   5
#define KEY_IPV6   6

enum rr {
	RR_A = 1,
	RR_NS = 2,
	RR_CNAME = 5,
	RR_SOA = 6,
	RR_PTR = 12,
	RR_HINFO = 13,
	RR_MX = 15,
	RR_TXT = 16,
	RR_AAAA = 28,
	RR_SRV = 33,
	RR_NAPTR = 35,
	RR_DNAME = 39,
	RR_OPT = 41,
	RR_DS = 43,
	RR_SSHFP = 44,
	RR_RRSIG = 46,
	RR_NSEC = 47,
	RR_DNSKEY = 48,
	RR_TLSA = 52,
	RR_SVCB = 64,
	RR_HTTPS = 65,
	RR_TSIG = 250,
	RR_URI = 256,
	RR_CAA = 257,
};

static const struct proto_name types[] = {
	{1, "A"},	{2, "NS"},	{5, "CNAME"},	  {6, "SOA"},	      {10, "NULL"},
	{11, "WKS"},	{12, "PTR"},	{13, "HINFO"},	  {14, "MINFO"},      {15, "MX"},
	{16, "TXT"},	{17, "RP"},	{18, "AFSDB"},	  {19, "X25"},	      {20, "ISDN"},
	{21, "RT"},	{22, "NSAP"},	{24, "SIG"},	  {25, "KEY"},	      {26, "PX"},
	{28, "AAAA"},	{29, "LOC"},	{30, "NXT"},	  {33, "SRV"},	      {35, "NAPTR"},
	{36, "KX"},	{37, "CERT"},	{39, "DNAME"},	  {41, "OPT"},	      {42, "APL"},
	{43, "DS"},	{44, "SSHFP"},	{45, "IPSECKEY"}, {46, "RRSIG"},      {47, "NSEC"},
	{48, "DNSKEY"}, {49, "DHCID"},	{50, "NSEC3"},	  {51, "NSEC3PARAM"}, {52, "TLSA"},
	{53, "SMIMEA"}, {55, "HIP"},	{59, "CDS"},	  {60, "CDNSKEY"},    {61, "OPENPGPKEY"},
	{62, "CSYNC"},	{63, "ZONEMD"}, {64, "SVCB"},	  {65, "HTTPS"},      {99, "SPF"},
	{104, "NID"},	{105, "L32"},	{106, "L64"},	  {107, "LP"},	      {108, "EUI48"},
	{109, "EUI64"}, {249, "TKEY"},	{250, "TSIG"},	  {251, "IXFR"},      {252, "AXFR"},
	{253, "MAILB"}, {254, "MAILA"}, {255, "ANY"},	  {256, "URI"},	      {257, "CAA"},
	{32768, "TA"},	{32769, "DLV"},
};

const char *dns_type_text(uint16_t type, char buf[12])
{
	const char *name = PROTO_NAME(types, type);

	if (name)
		return name;
	snprintf(buf, 12, "TYPE%u", type);
	return buf;
}

/* Of a text every byte may take six as an escape. */
bool dns_record_room(const struct json *j)
{
	return !j->out.bad && j->out.cap - j->out.len > BIGGEST * 6 * PROTO_TEXT_MAX + 1024;
}

void dns_record_name(struct json *j, const char *key, struct reader *r)
{
	struct dns_name name;
	char text[DNS_NAME_MAX];
	struct writer w = writer_new(text, sizeof(text));

	if (!dns_name_read(r, &name))
		return;
	dns_name_write(&name, &w);
	json_text(j, key, (struct bytes){w.data, w.len});
}

static struct bytes rest(struct reader *r)
{
	return read_bytes(r, reader_left(r));
}

/* RFC 1035 §3.3: a byte of length, then so many. */
static struct bytes read_string(struct reader *r)
{
	return read_bytes(r, read_u8(r));
}

static void write_word(struct json *j, const char *key, struct bytes b)
{
	if (b.data)
		json_text(j, key, (struct bytes){b.data, b.len < WORD_MAX ? b.len : WORD_MAX});
}

static void write_address(struct json *j, const char *key, struct bytes b)
{
	char text[PACKET_IP_LEN];
	struct gate_ip ip;

	if (b.len == 4)
		packet_ip_map(b.data, &ip);
	else if (b.len == 16)
		memcpy(ip.b, b.data, 16);
	else
		return;
	json_name(j, key, packet_ip_text(&ip, text));
}

/* §3.3.14: a record's text is one or more strings, which belong together. */
static void write_strings(struct json *j, struct reader *r)
{
	char text[PROTO_TEXT_MAX];
	struct writer w = writer_new(text, sizeof(text));

	while (reader_left(r)) {
		struct bytes one = read_string(r);
		size_t room = w.cap - w.len;

		write_bytes(&w, one.data, one.len < room ? one.len : room);
	}
	if (w.len)
		json_text(j, "rdata", (struct bytes){w.data, w.len});
}

/* §3.3.13 */
static void write_authority(struct json *j, struct reader *r)
{
	static const char *const numbers[] = {"serial", "refresh", "retry", "expire", "minimum"};

	json_open(j, "soa");
	dns_record_name(j, "mname", r);
	dns_record_name(j, "rname", r);
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		json_u64(j, numbers[i], read_be32(r));
	json_close(j);
}

/* RFC 2782 */
static void write_service(struct json *j, struct reader *r)
{
	json_open(j, "srv");
	json_u64(j, "priority", read_be16(r));
	json_u64(j, "weight", read_be16(r));
	json_u64(j, "port", read_be16(r));
	dns_record_name(j, "name", r);
	json_close(j);
}

/* RFC 3403 §4.1 */
static void write_naptr(struct json *j, struct reader *r)
{
	json_open(j, "naptr");
	json_u64(j, "order", read_be16(r));
	json_u64(j, "preference", read_be16(r));
	write_word(j, "flags", read_string(r));
	write_word(j, "service", read_string(r));
	proto_text(j, "regexp", read_string(r));
	dns_record_name(j, "replacement", r);
	json_close(j);
}

static void write_alpns(struct json *j, struct reader r)
{
	json_list(j, "alpn");
	for (unsigned i = 0; i < WORDS_MAX && reader_left(&r); i++)
		write_word(j, NULL, read_string(&r));
	json_end(j);
}

static void write_hints(struct json *j, const char *key, struct reader r, size_t len)
{
	json_list(j, key);
	for (unsigned i = 0; i < WORDS_MAX && reader_left(&r) >= len; i++)
		write_address(j, NULL, read_bytes(&r, len));
	json_end(j);
}

/* RFC 9460 §2.2: a priority (0: an alias), a target, then keys in ascending order, each once. */
static void write_binding(struct json *j, struct reader *r)
{
	int last = -1;

	json_open(j, "svcb");
	json_u64(j, "priority", read_be16(r));
	dns_record_name(j, "target", r);
	while (reader_left(r)) {
		uint16_t key = read_be16(r);
		struct reader value = read_sub(r, read_be16(r));

		if (r->bad || key <= last)
			break;
		last = key;
		switch (key) {
		case KEY_ALPN:
			write_alpns(j, value);
			break;
		case KEY_NO_DEF:
			json_bool(j, "no_default_alpn", true);
			break;
		case KEY_PORT:
			json_u64(j, "port", read_be16(&value));
			break;
		case KEY_IPV4:
			write_hints(j, "ipv4hint", value, 4);
			break;
		case KEY_ECH:
			json_bool(j, "ech", true);
			break;
		case KEY_IPV6:
			write_hints(j, "ipv6hint", value, 16);
			break;
		}
	}
	json_close(j);
}

/* RFC 8659 §4.1 */
static void write_caa(struct json *j, struct reader *r)
{
	json_open(j, "caa");
	json_u64(j, "flags", read_u8(r));
	write_word(j, "tag", read_string(r));
	proto_text(j, "value", rest(r));
	json_close(j);
}

/* RFC 7553 §4.4 */
static void write_uri(struct json *j, struct reader *r)
{
	json_open(j, "uri");
	json_u64(j, "priority", read_be16(r));
	json_u64(j, "weight", read_be16(r));
	proto_text(j, "target", rest(r));
	json_close(j);
}

/* RFC 4255 §3.1 */
static void write_sshfp(struct json *j, struct reader *r)
{
	char text[3 * PRINT_MAX];
	struct bytes print;
	size_t at = 0;

	json_open(j, "sshfp");
	json_u64(j, "algo", read_u8(r));
	json_u64(j, "type", read_u8(r));
	print = rest(r);
	for (size_t i = 0; i < print.len && i < PRINT_MAX; i++, at += 3) {
		digits_hex(text + at, print.data[i], 2);
		text[at + 2] = ':';
	}
	if (at)
		json_text(j, "fingerprint", (struct bytes){(uint8_t *)text, at - 1});
	json_close(j);
}

/* RFC 4034 §3.1 */
static void write_signature(struct json *j, struct reader *r)
{
	char buf[12];

	json_open(j, "rrsig");
	json_name(j, "type_covered", dns_type_text(read_be16(r), buf));
	json_u64(j, "algorithm", read_u8(r));
	json_u64(j, "labels", read_u8(r));
	json_u64(j, "original_ttl", read_be32(r));
	json_u64(j, "expiration", read_be32(r));
	json_u64(j, "inception", read_be32(r));
	json_u64(j, "key_tag", read_be16(r));
	dns_record_name(j, "signer", r);
	json_close(j);
}

/* Numbers alone: RFC 4034 §2.1 and §5.1, RFC 6698 §2.1. */
static void write_dnskey(struct json *j, struct reader *r)
{
	json_open(j, "dnskey");
	json_u64(j, "flags", read_be16(r));
	json_u64(j, "protocol", read_u8(r));
	json_u64(j, "algorithm", read_u8(r));
	json_close(j);
}

static void write_ds(struct json *j, struct reader *r)
{
	json_open(j, "ds");
	json_u64(j, "key_tag", read_be16(r));
	json_u64(j, "algorithm", read_u8(r));
	json_u64(j, "digest_type", read_u8(r));
	json_close(j);
}

static void write_tlsa(struct json *j, struct reader *r)
{
	json_open(j, "tlsa");
	json_u64(j, "usage", read_u8(r));
	json_u64(j, "selector", read_u8(r));
	json_u64(j, "matching_type", read_u8(r));
	json_close(j);
}

static void write_host(struct json *j, struct reader *r)
{
	json_open(j, "hinfo");
	proto_text(j, "cpu", read_string(r));
	proto_text(j, "os", read_string(r));
	json_close(j);
}

static const struct {
	uint16_t type;
	void (*write)(struct json *j, struct reader *r);
} writers[] = {
	{RR_SOA, write_authority}, {RR_HINFO, write_host},	{RR_TXT, write_strings},
	{RR_SRV, write_service},   {RR_NAPTR, write_naptr},	{RR_DS, write_ds},
	{RR_SSHFP, write_sshfp},   {RR_RRSIG, write_signature}, {RR_DNSKEY, write_dnskey},
	{RR_TLSA, write_tlsa},	   {RR_SVCB, write_binding},	{RR_HTTPS, write_binding},
	{RR_URI, write_uri},	   {RR_CAA, write_caa},
};

/* `r` stands at the data and ends there. */
static void write_data(struct json *j, uint16_t type, struct reader r)
{
	switch (type) {
	case RR_A:
	case RR_AAAA:
		write_address(j, "rdata", rest(&r));
		return;
	case RR_MX:
		read_skip(&r, 2);
		/* fall through */
	case RR_NS:
	case RR_CNAME:
	case RR_PTR:
	case RR_DNAME:
	case RR_NSEC:
		dns_record_name(j, "rdata", &r);
		return;
	}
	for (unsigned i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
		if (writers[i].type == type && reader_left(&r))
			writers[i].write(j, &r);
}

void dns_record_skip(struct reader *r)
{
	if (!dns_name_skip(r))
		r->bad = true;
	read_skip(r, 8);
	read_skip(r, read_be16(r));
}

bool dns_record_is_about_itself(struct reader r)
{
	uint16_t type;

	if (!dns_name_skip(&r))
		return false;
	type = read_be16(&r);
	return type == RR_OPT || type == RR_TSIG;
}

void dns_record_write(struct json *j, struct reader *r)
{
	uint16_t type, len;
	uint32_t ttl;
	char buf[12];
	struct reader data, behind = *r;

	json_open(j, NULL);
	dns_record_name(j, "rrname", r);
	if (dns_name_skip(&behind))
		r->off = behind.off; /* also where it leads nowhere */
	type = read_be16(r);
	read_skip(r, 2);
	ttl = read_be32(r);
	len = read_be16(r);
	json_name(j, "rrtype", dns_type_text(type, buf));
	/* RFC 6891 §6.1.3: of an OPT those are flags. */
	json_u64(j, "ttl", type == RR_OPT ? 0 : ttl);
	data = (struct reader){.in = {r->in.data, r->off + len}, .off = r->off};
	read_skip(r, len);
	if (!r->bad)
		write_data(j, type, data);
	json_close(j);
}
