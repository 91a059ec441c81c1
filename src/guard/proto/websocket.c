#include "guard/proto/websocket.h"

#include "guard/proto/mqtt.h"

#define FIN	    0x80
#define RESERVED    0x70
#define MASKED	    0x80
#define CONTROL	    0x08
#define CONTROL_MAX 125
#define LENGTH_16   126
#define LENGTH_64   127

enum opcode { GOES_ON = 0, BINARY = 2, CLOSE = 8, PING, PONG };

struct side {
	uint64_t left; /* of the frame's payload */
	uint64_t pass; /* of the packet: nobody wants to see them */
	uint16_t len;  /* of the packet's beginning, in the side's room */
	bool told;     /* the packet was, whose texts are in the room */
	bool fragmented, closed, masked;
	uint8_t key[4], turn;
};

struct state {
	struct side side[2];
	uint64_t mqtt[MQTT_STATE / 8];
	uint8_t client[WEBSOCKET_ROOM_CLIENT], server[WEBSOCKET_ROOM_SERVER];
};
_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "a state has its bound");

static enum parse refuse(struct msg *m, enum reason why, struct proto_output *out)
{
	m->reason = why;
	out->has_msg = true;
	return PARSE_BAD;
}

/* §5.2: as few bytes as it takes. */
static uint64_t read_length(struct reader *r, uint8_t first)
{
	uint64_t len = first & 0x7f, least = 0;

	if (len == LENGTH_16) {
		len = read_be16(r);
		least = LENGTH_16;
	} else if (len == LENGTH_64) {
		len = (uint64_t)read_be32(r) << 32;
		len |= read_be32(r);
		least = UINT16_MAX + 1;
	}
	return len < least ? UINT64_MAX : len;
}

/* §§5.4, 5.5; MQTT-6.0.0-1: binary frames alone. */
static bool fits(const struct side *s, uint8_t head, uint64_t len)
{
	uint8_t opcode = head & 0x0f;

	if (head & RESERVED || s->closed || len > INT64_MAX)
		return false;
	if (opcode & CONTROL)
		return opcode <= PONG && head & FIN && len <= CONTROL_MAX;
	return opcode == (s->fragmented ? GOES_ON : BINARY);
}

static enum parse read_head(struct side *s, const struct proto_input *in, struct msg *m,
			    struct proto_output *out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	uint8_t head = read_u8(&r), second = read_u8(&r);
	uint64_t len = read_length(&r, second);
	bool masked = second & MASKED, client = !in->end;
	struct bytes key = read_bytes(&r, masked ? sizeof(s->key) : 0);

	if (r.bad)
		return PARSE_MORE;
	/* Picked up in its middle, who opened it is not surely the client. */
	if (!fits(s, head, len) || (masked != client && !in->midstream))
		return refuse(m, REASON_WEBSOCKET_MALFORMED, out);
	out->used = r.off;
	if (head & CONTROL) {
		s->closed = (head & 0x0f) == CLOSE;
		out->skip = len;
		return PARSE_OK;
	}
	s->fragmented = !(head & FIN);
	s->left = len;
	s->masked = masked;
	s->turn = 0;
	if (masked)
		memcpy(s->key, key.data, sizeof(s->key));
	return PARSE_OK;
}

/* How many bytes of the packet must be there, of which `s->len` are. */
static size_t wanted(const struct side *s, const uint8_t *room, size_t cap)
{
	uint64_t size;

	switch (mqtt_packet_size((struct bytes){room, s->len}, &size)) {
	case PARSE_OK:
		return size < cap ? (size_t)size : cap;
	case PARSE_MORE:
		return s->len + 1u;
	default:
		return s->len;
	}
}

/* As much of the packet's beginning as there is; how many bytes were taken of `b`. */
static size_t fill(struct side *s, struct bytes b, uint8_t *room, size_t cap)
{
	size_t n = b.len < s->left ? b.len : (size_t)s->left, at = 0;

	for (size_t to = wanted(s, room, cap); at < n && s->len < to; to = wanted(s, room, cap))
		for (; at < n && s->len < to; at++, s->turn++)
			room[s->len++] = b.data[at] ^ (s->masked ? s->key[s->turn % 4] : 0);
	s->left -= at;
	return at;
}

static enum parse read_packet(struct state *st, const struct proto_input *in, struct msg *m,
			      struct proto_output *out)
{
	struct side *s = &st->side[in->end];
	uint8_t *room = in->end ? st->server : st->client;
	size_t cap = in->end ? sizeof(st->server) : sizeof(st->client);
	struct proto_input packet = *in;
	struct proto_output of = {0};
	enum parse got;

	if (s->told)
		s->len = 0;
	s->told = false;
	out->used = fill(s, in->data, room, cap);
	if (s->len < wanted(s, room, cap))
		return PARSE_OK;
	packet.data = (struct bytes){room, s->len};
	got = mqtt_proto.read(st->mqtt, &packet, m, &of);
	if (got == PARSE_MORE)
		return refuse(m, REASON_MQTT_TOO_LONG, out);
	s->told = true;
	s->pass = of.used + of.skip - s->len;
	out->has_msg = of.has_msg;
	return got;
}

static enum parse websocket_read(void *state, const struct proto_input *in, struct msg *ret_m,
				 struct proto_output *ret_out)
{
	struct state *st = state;
	struct side *s = &st->side[in->end];

	if (!s->left)
		return read_head(s, in, ret_m, ret_out);
	if (!s->pass)
		return read_packet(st, in, ret_m, ret_out);
	ret_out->skip = s->pass < s->left ? s->pass : s->left;
	s->pass -= ret_out->skip;
	s->left -= ret_out->skip;
	s->turn = (uint8_t)(s->turn + ret_out->skip);
	return PARSE_OK;
}

static bool amid(const void *state, unsigned end)
{
	const struct side *s = &((const struct state *)state)->side[end];

	return s->left || s->pass || s->fragmented || (s->len && !s->told);
}

const struct proto websocket_proto = {
	.name = "mqtt",
	.over = PROTO_OVER_TCP,
	.speaks = &mqtt_proto,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct mqtt),
	.fields = mqtt_fields,
	.read = websocket_read,
	.amid = amid,
	.write = mqtt_write,
};
