#include "guard/proto/mdns.h"

#include <strings.h>

#include "guard/proto/dns_name.h"

#define RECORDS 128 /* of one message */

enum rr { RR_A = 1, RR_PTR = 12, RR_AAAA = 28, RR_SRV = 33 };

static bool label_is(struct bytes b, const char *text)
{
	return b.len == strlen(text) && !strncasecmp((const char *)b.data, text, b.len);
}

/* Printable text only; the rest is no name to show to people. */
static void copy_label(struct writer *w, struct bytes b)
{
	for (size_t i = 0; i < b.len && w->len + 1 < w->cap; i++)
		write_u8(w, b.data[i] < 0x20 || b.data[i] == 0x7f ? '?' : b.data[i]);
}

static void set_text(char ret_text[MDNS_NAME], struct bytes first, struct bytes second)
{
	struct writer w = writer_new(ret_text, MDNS_NAME);

	copy_label(&w, first);
	if (second.len) {
		copy_label(&w, (struct bytes){(const uint8_t *)".", 1});
		copy_label(&w, second);
	}
	ret_text[w.len] = 0;
}

static void add_service(struct mdns *m, struct bytes kind, struct bytes transport)
{
	char text[MDNS_NAME];

	set_text(text, kind, transport);
	for (unsigned i = 0; i < m->service_count; i++)
		if (!strcasecmp(m->service[i], text))
			return;
	if (m->service_count < MDNS_SERVICES)
		memcpy(m->service[m->service_count++], text, sizeof(text));
}

/* [Instance.] _kind . _tcp|_udp . local */
static void note_service(struct mdns *m, const struct dns_name *n)
{
	unsigned i = n->count;

	if (i < 3 || !label_is(n->label[i - 1], "local") || n->label[i - 3].data[0] != '_')
		return;
	if (!label_is(n->label[i - 2], "_tcp") && !label_is(n->label[i - 2], "_udp"))
		return;
	if (label_is(n->label[i - 3], "_dns-sd"))
		return;
	add_service(m, n->label[i - 3], n->label[i - 2]);
	if (i == 4 && !m->instance[0])
		set_text(m->instance, n->label[0], (struct bytes){0});
}

static void note_host(struct mdns *m, const struct dns_name *n)
{
	if (n->count == 2 && label_is(n->label[1], "local") && !m->host[0])
		set_text(m->host, n->label[0], (struct bytes){0});
}

static void note_record(struct mdns *m, uint16_t type, const struct dns_name *owner,
			struct reader *message, size_t data, size_t len)
{
	struct reader r = {.in = {message->in.data, data + len}, .off = data};
	struct dns_name n;

	if (type == RR_A || type == RR_AAAA) {
		note_host(m, owner);
	} else if (type == RR_PTR) {
		note_service(m, owner);
		if (dns_name_read(&r, &n))
			note_service(m, &n);
	} else if (type == RR_SRV) {
		note_service(m, owner);
		read_skip(&r, 6);
		if (!r.bad && dns_name_read(&r, &n))
			note_host(m, &n);
	}
}

enum parse mdns_read(struct bytes payload, struct mdns *ret_m)
{
	struct reader r = reader_new(payload.data, payload.len);
	struct mdns m = {0};
	unsigned questions, records;
	struct dns_name n;

	read_skip(&r, 2);
	m.response = read_be16(&r) & 0x8000;
	questions = read_be16(&r);
	records = read_be16(&r);
	records += read_be16(&r);
	records += read_be16(&r);
	if (r.bad || questions > RECORDS || records > RECORDS)
		return PARSE_BAD;
	for (; questions; questions--) {
		if (!dns_name_read(&r, &n))
			return PARSE_BAD;
		read_skip(&r, 4);
	}
	for (; records; records--) {
		uint16_t type, len;
		size_t data;

		if (!dns_name_read(&r, &n))
			return PARSE_BAD;
		type = read_be16(&r);
		read_skip(&r, 6); /* class, time to live */
		len = read_be16(&r);
		data = r.off;
		read_skip(&r, len);
		if (r.bad)
			return PARSE_BAD;
		if (m.response)
			note_record(&m, type, &n, &r, data, len);
	}
	if (r.bad)
		return PARSE_BAD;
	*ret_m = m;
	return PARSE_OK;
}
