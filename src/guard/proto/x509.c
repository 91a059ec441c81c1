#include "guard/proto/x509.h"

#include <stdio.h>

#include "guard/decode/packet.h"

#define RELATIVE_NAMES 32 /* attributes of one name; more are passed over */

enum tag {
	TAG_BOOLEAN = 0x01,
	TAG_INTEGER = 0x02,
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_UTC_TIME = 0x17,
	TAG_GENERAL_TIME = 0x18,
	TAG_BMP_STRING = 0x1e,
	TAG_SEQUENCE = 0x30,
	TAG_SET = 0x31,
	TAG_MAIL = 0x81,
	TAG_HOST = 0x82,
	TAG_URI = 0x86,
	TAG_ADDRESS = 0x87,
	TAG_VERSION = 0xa0,
	TAG_EXTENSIONS = 0xa3,
};

/* X.690 §8.1: a tag, a length, that many bytes. DER has no indefinite length. */
static struct reader read_tlv(struct reader *r, uint8_t *ret_tag)
{
	size_t len, more;

	*ret_tag = read_u8(r);
	len = read_u8(r);
	if (len >= 0x80) {
		more = len & 0x7f;
		if (more == 0 || more > 3)
			r->bad = true;
		for (len = 0; more && !r->bad; more--)
			len = len << 8 | read_u8(r);
	}
	return read_sub(r, len);
}

static struct reader read_tag(struct reader *r, uint8_t wanted)
{
	uint8_t tag;
	struct reader v = read_tlv(r, &tag);

	if (tag != wanted)
		r->bad = v.bad = true;
	return v;
}

/* A value with its tag and length. */
static struct bytes read_whole(struct reader *r, uint8_t tag)
{
	size_t start = r->off;

	read_tag(r, tag);
	if (r->bad)
		return (struct bytes){NULL, 0};
	return (struct bytes){r->in.data + start, r->off - start};
}

static unsigned read_digits(struct reader *r, unsigned count)
{
	unsigned n = 0;

	for (; count; count--) {
		uint8_t c = read_u8(r);

		if (c < '0' || c > '9')
			r->bad = true;
		n = n * 10 + (unsigned)(c - '0');
	}
	return r->bad ? 0 : n;
}

/* Days since 1970 of a date of the Gregorian calendar; years begin in March here. */
static int64_t days(int64_t y, unsigned m, unsigned d)
{
	int64_t of_year, era;

	y -= m <= 2;
	era = y / 400;
	of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	y -= era * 400;
	return era * 146097 + y * 365 + y / 4 - y / 100 + of_year - 719468;
}

/* RFC 5280 §4.1.2.5: YYMMDDHHMMSSZ until 2049, YYYYMMDDHHMMSSZ from 2050. */
static int64_t read_time(struct reader *r)
{
	uint8_t tag;
	struct reader v = read_tlv(r, &tag);
	unsigned y = read_digits(&v, tag == TAG_GENERAL_TIME ? 4 : 2);
	unsigned mon = read_digits(&v, 2), day = read_digits(&v, 2);
	unsigned h = read_digits(&v, 2), min = read_digits(&v, 2), s = read_digits(&v, 2);

	if (tag == TAG_UTC_TIME)
		y += y < 50 ? 2000 : 1900;
	else if (tag != TAG_GENERAL_TIME)
		v.bad = true;
	if (v.bad || mon < 1 || mon > 12 || day < 1 || day > 31 || h > 23 || min > 59 || s > 60) {
		r->bad = true;
		return 0;
	}
	return ((days(y, mon, day) * 24 + h) * 60 + min) * 60 + s;
}

/* §4.2: what stands behind the key. An extension that lies about its length says nothing. */
static struct bytes find_names(struct reader tbs)
{
	struct reader list, one, value;
	uint8_t tag = 0;

	while (reader_left(&tbs) && tag != TAG_EXTENSIONS)
		list = read_tlv(&tbs, &tag);
	if (tag != TAG_EXTENSIONS)
		return (struct bytes){NULL, 0};
	list = read_tag(&list, TAG_SEQUENCE);
	while (reader_left(&list)) {
		struct bytes oid;

		one = read_tag(&list, TAG_SEQUENCE);
		oid = read_tag(&one, TAG_OID).in;
		if (oid.len != 3 || memcmp(oid.data, "\x55\x1d\x11", 3))
			continue;
		if (reader_left(&one) && one.in.data[one.off] == TAG_BOOLEAN)
			read_tag(&one, TAG_BOOLEAN);
		value = read_tag(&one, TAG_OCTETS);
		value = read_tag(&value, TAG_SEQUENCE);
		return value.bad ? (struct bytes){NULL, 0} : value.in;
	}
	return (struct bytes){NULL, 0};
}

struct bytes x509_next_name(struct bytes names, size_t *at, char address[X509_ADDRESS_LEN])
{
	struct reader r = {.in = names, .off = *at};
	struct gate_ip ip;

	while (reader_left(&r)) {
		uint8_t tag;
		struct bytes name = read_tlv(&r, &tag).in;

		*at = r.off;
		if (r.bad)
			break;
		if (tag == TAG_HOST || tag == TAG_MAIL || tag == TAG_URI)
			return name;
		if (tag != TAG_ADDRESS || (name.len != 4 && name.len != 16))
			continue;
		if (name.len == 4)
			packet_ip_map(name.data, &ip);
		else
			memcpy(ip.b, name.data, 16);
		packet_ip_text(&ip, address);
		return (struct bytes){(uint8_t *)address, strlen(address)};
	}
	*at = names.len;
	return (struct bytes){NULL, 0};
}

enum parse x509_read(struct bytes der, struct x509 *ret_x)
{
	struct reader r = reader_new(der.data, der.len), whole, tbs, validity;
	struct x509 x = {0};

	whole = read_tag(&r, TAG_SEQUENCE);
	tbs = read_tag(&whole, TAG_SEQUENCE);
	if (reader_left(&tbs) && tbs.in.data[0] == TAG_VERSION)
		read_tag(&tbs, TAG_VERSION);
	x.serial = read_tag(&tbs, TAG_INTEGER).in;
	read_tag(&tbs, TAG_SEQUENCE); /* the signature's algorithm */
	x.issuer = read_whole(&tbs, TAG_SEQUENCE);
	validity = read_tag(&tbs, TAG_SEQUENCE);
	x.not_before = read_time(&validity);
	x.not_after = read_time(&validity);
	x.subject = read_whole(&tbs, TAG_SEQUENCE);
	if (tbs.bad || validity.bad || !x.serial.len)
		return PARSE_BAD;
	x.names = find_names(tbs);
	x.self_signed = x.issuer.len == x.subject.len &&
			!memcmp(x.issuer.data, x.subject.data, x.issuer.len);
	*ret_x = x;
	return PARSE_OK;
}

/* The names of RFC 4519 and what OpenSSL adds to them. */
static const char *attribute(struct bytes oid)
{
	static const struct {
		const char *oid, *name;
		size_t len;
	} known[] = {
		{"\x55\x04\x03", "CN", 3},
		{"\x55\x04\x04", "SN", 3},
		{"\x55\x04\x05", "serialNumber", 3},
		{"\x55\x04\x06", "C", 3},
		{"\x55\x04\x07", "L", 3},
		{"\x55\x04\x08", "ST", 3},
		{"\x55\x04\x09", "street", 3},
		{"\x55\x04\x0a", "O", 3},
		{"\x55\x04\x0b", "OU", 3},
		{"\x55\x04\x0c", "title", 3},
		{"\x55\x04\x0d", "description", 3},
		{"\x55\x04\x0f", "businessCategory", 3},
		{"\x55\x04\x11", "postalCode", 3},
		{"\x55\x04\x29", "name", 3},
		{"\x55\x04\x2a", "GN", 3},
		{"\x55\x04\x2b", "initials", 3},
		{"\x55\x04\x2c", "generationQualifier", 3},
		{"\x55\x04\x2e", "dnQualifier", 3},
		{"\x55\x04\x41", "pseudonym", 3},
		{"\x55\x04\x61", "organizationIdentifier", 3},
		{"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01", "emailAddress", 9},
		{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "UID", 10},
		{"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", "DC", 10},
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (oid.len == known[i].len && !memcmp(oid.data, known[i].oid, oid.len))
			return known[i].name;
	return NULL;
}

static void put(struct writer *w, const void *data, size_t len)
{
	write_bytes(w, data, len < w->cap - w->len ? len : w->cap - w->len);
}

/* X.690 §8.19: "2.5.4.17". */
static void put_oid(struct writer *w, struct bytes oid)
{
	uint32_t n = 0;
	bool first = true;

	for (size_t i = 0; i < oid.len; i++) {
		char text[24];

		n = n << 7 | (oid.data[i] & 0x7f);
		if (oid.data[i] & 0x80)
			continue;
		if (first)
			snprintf(text, sizeof(text), "%u.%u", n < 80 ? n / 40 : 2,
				 n < 80 ? n % 40 : n - 80);
		else
			snprintf(text, sizeof(text), ".%u", n);
		put(w, text, strlen(text));
		first = false;
		n = 0;
	}
}

/* UTF-16 of the old days: its Latin part as it is, the rest as what it is, foreign. */
static void put_bmp(struct writer *w, struct bytes text)
{
	for (size_t i = 0; i + 1 < text.len; i += 2)
		put(w,
		    !text.data[i] && text.data[i + 1] < 0x80 ? &text.data[i + 1]
							     : (const uint8_t *)"?",
		    1);
}

/* One of a set: `before`, its type, its value. */
static bool put_attribute(struct writer *w, struct reader *set, const char *before)
{
	struct reader pair = read_tag(set, TAG_SEQUENCE);
	struct bytes oid = read_tag(&pair, TAG_OID).in, text;
	const char *type = attribute(oid);
	uint8_t tag;

	text = read_tlv(&pair, &tag).in;
	if (pair.bad)
		return false;
	put(w, before, strlen(before));
	if (type)
		put(w, type, strlen(type));
	else
		put_oid(w, oid);
	put(w, "=", 1);
	if (tag == TAG_BMP_STRING)
		put_bmp(w, text);
	else
		put(w, text.data, text.len);
	return true;
}

void x509_name(struct bytes name, struct writer *w)
{
	struct reader r = reader_new(name.data, name.len), all = read_tag(&r, TAG_SEQUENCE);

	for (unsigned n = 0; n < RELATIVE_NAMES && reader_left(&all);) {
		struct reader set = read_tag(&all, TAG_SET);
		const char *before = n ? ", " : "";

		for (bool more = true; more; more = n < RELATIVE_NAMES && reader_left(&set)) {
			if (!put_attribute(w, &set, before))
				return;
			before = " + "; /* RFC 4514 §2.2: of one set */
			n++;
		}
	}
}

void x509_time(int64_t t, char ret_text[X509_TIME_LEN])
{
	int64_t day = t / 86400 - (t % 86400 < 0), second = t - day * 86400;
	int64_t era, of_era, year, of_year, month;

	day += 719468;
	era = (day < 0 ? day - 146096 : day) / 146097;
	of_era = day - era * 146097;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	year += era * 400 + (month >= 10);
	snprintf(ret_text, X509_TIME_LEN, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)year % 10000,
		 (unsigned)(month < 10 ? month + 3 : month - 9) % 100,
		 (unsigned)(of_year - (153 * month + 2) / 5 + 1) % 100,
		 (unsigned)(second / 3600) % 100, (unsigned)(second / 60 % 60) % 100,
		 (unsigned)(second % 60) % 100);
}
