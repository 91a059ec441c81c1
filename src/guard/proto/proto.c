#include "guard/proto/proto.h"

#include <stdio.h>

#include "guard/proto/astm.h"
#include "guard/proto/bacnet.h"
#include "guard/proto/broadcast.h"
#include "guard/proto/coap.h"
#include "guard/proto/dicom.h"
#include "guard/proto/dns.h"
#include "guard/proto/ftp.h"
#include "guard/proto/hl7.h"
#include "guard/proto/http.h"
#include "guard/proto/intellivue.h"
#include "guard/proto/modbus.h"
#include "guard/proto/mqtt.h"
#include "guard/proto/poct1a.h"
#include "guard/proto/rdp.h"
#include "guard/proto/rfb.h"
#include "guard/proto/sdc.h"
#include "guard/proto/sip.h"
#include "guard/proto/smb.h"
#include "guard/proto/snmp.h"
#include "guard/proto/ssh.h"
#include "guard/proto/syslog.h"
#include "guard/proto/telnet.h"
#include "guard/proto/tftp.h"
#include "guard/proto/tls.h"

/* Those that their first bytes give away come first; by ports alone goes who is asked last. */
const struct proto *const protos[] = {
	&hl7_proto,	  &dicom_proto,	 &tls_proto,  &dtls_proto, &ssh_proto,	  &smb_proto,
	&rfb_proto,	  &rdp_proto,	 &sdc_proto,  &http_proto, &sip_proto,	  &mqtt_proto,
	&poct1a_proto,	  &modbus_proto, &snmp_proto, &dns_proto,  &coap_proto,	  &bacnet_proto,
	&astm_proto,	  &syslog_proto, &tftp_proto, &ftp_proto,  &telnet_proto, &intellivue_proto,
	&broadcast_proto, NULL,
};
const unsigned proto_count = sizeof(protos) / sizeof(protos[0]) - 1;

const struct proto *proto_find(const char *name)
{
	for (unsigned i = 0; i < proto_count; i++)
		if (!strcmp(protos[i]->name, name))
			return protos[i];
	return NULL;
}

const struct proto_field *proto_field(const struct proto *p, const char *name)
{
	for (const struct proto_field *f = p->fields; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

static uint64_t number(const struct proto_field *f, const struct msg *m)
{
	const char *at = (const char *)m + f->at;

	switch (f->type) {
	case FIELD_U8:
		return *(const uint8_t *)at;
	case FIELD_U16:
		return *(const uint16_t *)at;
	case FIELD_U32:
		return *(const uint32_t *)at;
	case FIELD_U64:
		return *(const uint64_t *)at;
	default:
		return *(const bool *)at;
	}
}

static struct bytes text(const struct proto_field *f, const struct msg *m)
{
	const char *at = (const char *)m + f->at;
	const char *name;

	if (f->type == FIELD_TEXT)
		return *(const struct bytes *)at;
	name = *(const char *const *)at;
	return (struct bytes){(const uint8_t *)name, name ? strlen(name) : 0};
}

static bool is_text(const struct proto_field *f)
{
	return f->type == FIELD_TEXT || f->type == FIELD_NAME;
}

struct bytes proto_value(const struct proto_field *f, const struct msg *m,
			 char buf[PROTO_VALUE_MAX])
{
	size_t at = 0;
	uint64_t n;
	int len;

	if (is_text(f))
		return text(f, m);
	if (f->type == FIELD_LIST)
		return f->next(m, &at);
	n = number(f, m);
	if (!n && !(f->flags & FIELD_ZERO))
		return (struct bytes){NULL, 0};
	if (f->type == FIELD_BOOL)
		len = snprintf(buf, PROTO_VALUE_MAX, "%s", n ? "yes" : "no");
	else
		len = snprintf(buf, PROTO_VALUE_MAX, "%llu", (unsigned long long)n);
	return (struct bytes){(const uint8_t *)buf, (size_t)len};
}

struct bytes proto_next(const struct proto_field *f, const struct msg *m, size_t *at,
			char buf[PROTO_VALUE_MAX])
{
	if (f->type == FIELD_LIST)
		return f->next(m, at);
	return (*at)++ ? (struct bytes){NULL, 0} : proto_value(f, m, buf);
}

static struct bytes clipped(struct bytes v)
{
	return (struct bytes){v.data, v.len < PROTO_TEXT_MAX ? v.len : PROTO_TEXT_MAX};
}

void proto_text(struct json *j, const char *key, struct bytes v)
{
	if (v.data)
		json_text(j, key, clipped(v));
}

/* A byte takes up to six, as an escape. */
bool proto_room(const struct json *j)
{
	return !j->out.bad && j->out.cap - j->out.len > 6 * PROTO_TEXT_MAX + 512;
}

static void write_list(const struct proto_field *f, struct json_key key, const struct msg *m,
		       struct json *j)
{
	struct bytes v;
	size_t at = 0;

	json_begin(j, key, '[');
	while (proto_room(j) && (v = f->next(m, &at)).data)
		proto_text(j, NULL, v);
	json_end(j);
}

static void write_field(const struct proto_field *f, struct json_key key, const struct msg *m,
			struct json *j)
{
	if (is_text(f))
		json_put_text(j, key, clipped(text(f, m)));
	else if (f->type == FIELD_LIST)
		write_list(f, key, m, j);
	else if (f->type == FIELD_BOOL)
		json_put_bool(j, key, number(f, m));
	else
		json_put_u64(j, key, number(f, m));
}

static bool is_present(const struct proto_field *f, const struct msg *m)
{
	const char *v = (const char *)m + f->at;
	size_t at = 0;

	switch (f->type) {
	case FIELD_TEXT:
		return ((const struct bytes *)v)->data;
	case FIELD_NAME:
		return *(const char *const *)v;
	case FIELD_LIST:
		return f->next(m, &at).data;
	default:
		return f->flags & FIELD_ZERO || number(f, m);
	}
}

/* How much of the path that is open the name shares, up to a dot. */
static size_t shared(const char *path, size_t len, const char *name)
{
	size_t same = 0;

	for (size_t i = 0; i < len && path[i] == name[i]; i++)
		if (path[i] == '.')
			same = i + 1;
	return same;
}

/* Closes and opens objects until the name's own one is open; `to` is how long its path is. */
static void enter(struct json *j, const char *path, size_t len, const char *name, size_t to)
{
	size_t at = shared(path, len, name), dot;

	for (size_t i = at; i < len; i++)
		if (path[i] == '.')
			json_close(j);
	for (; at < to; at = dot + 1) {
		for (dot = at; name[dot] != '.'; dot++)
			;
		json_begin(j, (struct json_key){name + at, dot - at}, '{');
	}
}

/* A name in one pass: its own part as a key, and how long the path before that is. */
static struct json_key split(const char *name, size_t *ret_path)
{
	size_t path = 0, len = 0;

	for (; name[len]; len++)
		if (name[len] == '.')
			path = len + 1;
	*ret_path = path;
	return (struct json_key){name + path, len - path};
}

/* Fields of one inner object stand together; it is opened with the first that is present. */
void proto_write(const struct proto *p, const struct msg *m, struct json *j)
{
	const char *path = "";
	size_t len = 0, own;

	json_open(j, p->name);
	for (const struct proto_field *f = p->fields; f->name; f++) {
		struct json_key key;

		if (f->flags & FIELD_SILENT || !is_present(f, m))
			continue;
		key = split(f->name, &own);
		if (own | len)
			enter(j, path, len, f->name, own);
		path = f->name;
		len = own;
		write_field(f, key, m, j);
	}
	enter(j, path, len, "", 0);
	if (p->write)
		p->write(m, j);
	if (m->control)
		json_bool(j, "control", true);
	json_close(j);
}

const char *proto_name(const struct proto_name *table, size_t count, uint32_t n)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].n == n)
			return table[i].name;
	return NULL;
}
