#include "guard/proto/broadcast.h"

#include <stdio.h>

#define PORTS	     3
#define TIME_LENGTH  64
#define TIME_ADDRESS 6 /* bytes before it */

static const struct proto_name ports[PORTS] = {
	{2000, "time"}, {7000, "discovery"}, {7001, "alarm"}};

struct broadcast {
	struct {
		uint32_t count;
		uint64_t last_ns;
	} kind[PORTS];
};

static const struct proto_field fields[] = {
	{PROTO_KEY("message"), offsetof(struct broadcast_msg, message), FIELD_NAME, FIELD_MATCH},
	{PROTO_KEY("length"), offsetof(struct broadcast_msg, length), FIELD_U32, 0},
	{PROTO_KEY("number"), offsetof(struct broadcast_msg, number), FIELD_U32, 0},
	{PROTO_KEY("since_us"), offsetof(struct broadcast_msg, since_us), FIELD_U64, 0},
	{""},
};

static enum parse probe(const struct proto_input *in)
{
	return in->to_all && PROTO_NAME(ports, in->port[1]) ? PARSE_OK : PARSE_BAD;
}

static enum parse read_proto(void *state, const struct proto_input *in, struct msg *ret_m,
			     struct proto_output *ret_out)
{
	struct broadcast_msg *m = (struct broadcast_msg *)ret_m;
	struct broadcast *s = state;
	unsigned k = 0;

	while (k < PORTS - 1 && ports[k].n != in->port[1])
		k++;
	m->message = ports[k].name;
	m->port = in->port[1];
	m->length = (uint32_t)in->data.len;
	m->number = ++s->kind[k].count;
	if (s->kind[k].last_ns && in->time_ns > s->kind[k].last_ns)
		m->since_us = (in->time_ns - s->kind[k].last_ns) / 1000;
	s->kind[k].last_ns = in->time_ns;
	if (k == 0 && in->data.len == TIME_LENGTH) {
		m->has_address = true;
		memcpy(m->address, in->data.data + TIME_ADDRESS, 4);
	}
	ret_out->used = in->data.len;
	ret_out->has_msg = true;
	return PARSE_OK;
}

static void write_address(const struct msg *msg, struct json *j)
{
	const struct broadcast_msg *m = (const struct broadcast_msg *)msg;
	char text[16];

	if (!m->has_address)
		return;
	snprintf(text, sizeof(text), "%u.%u.%u.%u", m->address[0], m->address[1], m->address[2],
		 m->address[3]);
	json_str(j, "address", text);
}

const struct proto broadcast_proto = {
	.name = "broadcast",
	.over = PROTO_OVER_UDP,
	.unmarked = true,
	.state_size = sizeof(struct broadcast),
	.msg_size = sizeof(struct broadcast_msg),
	.fields = fields,
	.probe = probe,
	.read = read_proto,
	.write = write_address,
};
