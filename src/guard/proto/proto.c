#include "guard/proto/proto.h"

#include <stdio.h>

#include "guard/proto/dicom.h"
#include "guard/proto/astm.h"
#include "guard/proto/bacnet.h"
#include "guard/proto/coap.h"
#include "guard/proto/hl7.h"
#include "guard/proto/modbus.h"
#include "guard/proto/mqtt.h"
#include "guard/proto/poct1a.h"
#include "guard/proto/sdc.h"
#include "guard/proto/snmp.h"

const struct proto *const protos[] = {
	&hl7_proto,
	&dicom_proto,
	&sdc_proto,
	&bacnet_proto,
	&coap_proto,
	&poct1a_proto,
	&hl7_proto, &mqtt_proto, &modbus_proto, &snmp_proto, &astm_proto, NULL,
#include "guard/proto/broadcast.h"
#include "guard/proto/hl7.h"
#include "guard/proto/intellivue.h"

const struct proto *const protos[] = {
	&hl7_proto,
	&intellivue_proto,
	&broadcast_proto, /* by its ports alone: the last to be asked */
	NULL,
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

void proto_text(struct json *j, const char *key, struct bytes v)
{
	if (!v.data)
		return;
	if (v.len > PROTO_TEXT_MAX)
		v.len = PROTO_TEXT_MAX;
	json_text(j, key, v);
}

/* A byte takes up to six, as an escape. */
bool proto_room(const struct json *j)
{
	return !j->out.bad && j->out.cap - j->out.len > 6 * PROTO_TEXT_MAX + 512;
}

static void write_list(const struct proto_field *f, const char *key, const struct msg *m,
		       struct json *j)
{
	struct bytes v;
	size_t at = 0;

	json_list(j, key);
	while (proto_room(j) && (v = f->next(m, &at)).data)
		proto_text(j, NULL, v);
	json_end(j);
}

static void write_field(const struct proto_field *f, const char *key, const struct msg *m,
			struct json *j)
{
	if (is_text(f))
		proto_text(j, key, text(f, m));
	else if (f->type == FIELD_LIST)
		write_list(f, key, m, j);
	else if (f->type == FIELD_BOOL)
		json_bool(j, key, number(f, m));
	else
		json_u64(j, key, number(f, m));
}

static bool is_present(const struct proto_field *f, const struct msg *m)
{
	size_t at = 0;

	if (is_text(f))
		return text(f, m).data;
	if (f->type == FIELD_LIST)
		return f->next(m, &at).data;
	return f->flags & FIELD_ZERO || number(f, m);
}

/* Fields of one inner object stand together; it is opened with the first that is present. */
void proto_write(const struct proto *p, const struct msg *m, struct json *j)
{
	char open[32] = "";

	json_open(j, p->name);
	for (const struct proto_field *f = p->fields; f->name; f++) {
		const char *dot = strchr(f->name, '.');
		size_t len = dot ? (size_t)(dot - f->name) : 0;

		if (f->flags & FIELD_SILENT || !is_present(f, m) || len >= sizeof(open))
			continue;
		if (*open && (strlen(open) != len || memcmp(open, f->name, len))) {
			json_close(j);
			*open = 0;
		}
		if (dot && !*open) {
			memcpy(open, f->name, len);
			open[len] = 0;
			json_open(j, open);
		}
		write_field(f, dot ? dot + 1 : f->name, m, j);
	}
	if (*open)
		json_close(j);
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
