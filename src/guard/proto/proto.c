#include "guard/proto/proto.h"

#include <stdio.h>

#include "guard/proto/astm.h"
#include "guard/proto/bacnet.h"
#include "guard/proto/broadcast.h"
#include "guard/proto/coap.h"
#include "guard/proto/database.h"
#include "guard/proto/dicom.h"
#include "guard/proto/dns.h"
#include "guard/proto/ftp.h"
#include "guard/proto/hl7.h"
#include "guard/proto/http.h"
#include "guard/proto/intellivue.h"
#include "guard/proto/ldap.h"
#include "guard/proto/mail.h"
#include "guard/proto/modbus.h"
#include "guard/proto/mqtt.h"
#include "guard/proto/poct1a.h"
#include "guard/proto/print.h"
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
#include "guard/proto/websocket.h"

/* Those that their first bytes give away come first; by ports alone goes who is asked last. */
const struct proto *const protos[] = {
	&hl7_proto,    &dicom_proto,	  &tls_proto,	    &dtls_proto,      &ssh_proto,
	&smb_proto,    &rfb_proto,	  &rdp_proto,	    &sdc_proto,	      &http_proto,
	&sip_proto,    &mqtt_proto,	  &poct1a_proto,    &modbus_proto,    &ldap_proto,
	&snmp_proto,   &dns_proto,	  &coap_proto,	    &bacnet_proto,    &astm_proto,
	&syslog_proto, &tftp_proto,	  &smtp_proto,	    &pop3_proto,      &imap_proto,
	&pgsql_proto,  &mysql_proto,	  &tds_proto,	    &print_proto,     &ftp_proto,
	&telnet_proto, &intellivue_proto, &broadcast_proto, &websocket_proto, NULL,
};
const unsigned proto_count = sizeof(protos) / sizeof(protos[0]) - 2;

const struct proto *proto_find(const char *name)
{
	for (unsigned i = 0; i < proto_count; i++)
		if (!strcmp(protos[i]->name, name))
			return protos[i];
	return NULL;
}

const struct proto_field *proto_field(const struct proto *p, const char *name)
{
	for (const struct proto_field *f = p->fields; *f->name; f++)
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

static bool leads_up(const char *path, size_t len)
{
	size_t from = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && path[i] != '/' && path[i] != '\\')
			continue;
		if (i - from == 2 && !memcmp(path + from, "..", 2))
			return true;
		from = i + 1;
	}
	return false;
}

struct bytes proto_path(struct bytes value, const char *pattern, size_t len)
{
	if (leads_up((const char *)value.data, value.len) && !leads_up(pattern, len))
		value.len = 0;
	return value;
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

void proto_texts(struct json *j, const char *key,
		 struct bytes (*next)(const struct msg *m, size_t *at), const struct msg *m)
{
	uint8_t room[PROTO_TEXT_MAX];
	size_t at = 0;
	struct bytes first = clipped(next(m, &at)), other;

	if (!first.data)
		return;
	if (first.len)
		memcpy(room, first.data, first.len); /* the next one may be written where it is */
	first.data = room;
	do
		other = clipped(next(m, &at));
	while (other.data && other.len == first.len && !memcmp(other.data, room, first.len));
	if (!other.data) {
		proto_text(j, key, first);
		return;
	}
	json_list(j, key);
	for (at = 0; proto_room(j) && (other = next(m, &at)).data;)
		proto_text(j, NULL, other);
	json_end(j);
}

/* Begins a member of the field's own name and room for `room` bytes; NULL where the line is full. */
static inline char *begin_field(struct json *j, const struct proto_field *f, const char *name,
				size_t room)
{
	struct json_key key = {name, f->len - (size_t)(name - f->name)};
	char *at;

	if (name != f->name)
		return json_member(j, key, room);
	at = json_member(j, (struct json_key){NULL}, PROTO_KEY_MAX + 3 + room);
	if (!at)
		return NULL;
	*at = '"';
	memcpy(at + 1, name, PROTO_KEY_MAX);
	memcpy(at + 1 + key.len, "\":", 2);
	return at + key.len + 3;
}

static void write_text(const struct proto_field *f, const char *name, struct bytes v,
		       struct json *j)
{
	char *at;

	v = clipped(v);
	at = begin_field(j, f, name, v.len + 2);
	if (!at)
		return;
	if (f->type == FIELD_NAME)
		json_value_name(j, at, v);
	else
		json_value_text(j, at, v);
}

static void write_list(const struct proto_field *f, const char *name, const struct msg *m,
		       struct json *j)
{
	struct bytes v;
	size_t at = 0;

	json_begin(j, (struct json_key){name, f->len - (size_t)(name - f->name)}, '[');
	while (proto_room(j) && (v = f->next(m, &at)).data)
		proto_text(j, NULL, v);
	json_end(j);
}

static void write_number(const struct proto_field *f, const char *name, uint64_t n, struct json *j)
{
	char *at = begin_field(j, f, name, DIGITS_MAX);

	if (!at)
		return;
	if (f->type != FIELD_BOOL)
		json_resume(j, digits_decimal(at, n));
	else if (n)
		json_resume(j, (char *)memcpy(at, "true", 4) + 4);
	else
		json_resume(j, (char *)memcpy(at, "false", 5) + 5);
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

/* Behind the name's last dot. */
static const char *own_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* Where the objects that are open come from: the name of the last field, and how much of it. */
struct opened {
	const char *path;
	size_t len;
};

/* Opens and closes objects for the field. Its name in the one that is open then. */
static inline const char *place(const struct proto_field *f, struct opened *o, struct json *j)
{
	const char *own;

	if (!(f->flags & FIELD_INNER) && !o->len)
		return f->name;
	own = f->flags & FIELD_INNER ? own_part(f->name) : f->name;
	enter(j, o->path, o->len, f->name, (size_t)(own - f->name));
	o->path = f->name;
	o->len = (size_t)(own - f->name);
	return own;
}

static inline void write_field(const struct proto_field *f, const struct msg *m, struct opened *o,
			       struct json *j)
{
	struct bytes v;
	uint64_t n;

	if (is_text(f)) {
		v = text(f, m);
		if (v.data && (v.len || !(f->flags & FIELD_MUST)))
			write_text(f, place(f, o, j), v, j);
	} else if (f->type == FIELD_LIST) {
		if (f->next(m, &(size_t){0}).data)
			write_list(f, place(f, o, j), m, j);
	} else {
		n = number(f, m);
		if (n || f->flags & FIELD_ZERO)
			write_number(f, place(f, o, j), n, j);
	}
}

/* Fields of one inner object stand together; it is opened with the first that is present. */
void proto_write(const struct proto *p, const struct msg *m, struct json *j)
{
	struct opened o = {"", 0};

	json_open(j, p->name);
	for (const struct proto_field *f = p->fields; *f->name; f++)
		if (!(f->flags & FIELD_SILENT))
			write_field(f, m, &o, j);
	enter(j, o.path, o.len, "", 0);
	if (p->write)
		p->write(m, j);
	if (m->unread)
		json_bool(j, "unread", true);
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
