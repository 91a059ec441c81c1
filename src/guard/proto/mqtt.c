#include "guard/proto/mqtt.h"

#include "guard/proto/head.h"
#include "guard/proto/logins.h"

#include <strings.h>

#define PORT	    1883
#define TOPIC_ALIAS 35
#define ALIAS_LIMIT 34
#define ANSWER_TO   8
#define BRIDGE	    0x80 /* mosquitto and RSMB mark a bridge's CONNECT in the level */
#define ALIAS_ROOM \
	760 /* of both ends: ten topics of 70 bytes, as many aliases as most brokers allow */
#define ALIAS_HEAD 4
#define TOPIC_KEPT UINT8_MAX

/* What every packet looks at comes first. */
struct state {
	uint8_t version;
	bool connected;
	bool answered;	    /* the server sent its CONNACK */
	bool asked_default; /* by a login that everybody knows */
	bool knows_client;  /* `client` is right */
	uint8_t client;	    /* which end */
	bool agreed[2];	    /* alias_max of this end's own messages was said by the other */
	uint16_t alias_max[2];
	/* What an end called a topic, one behind the other, the oldest first: the alias, whose it is, how
	 * long the topic is, the topic. What is not kept (one too long, the oldest of too many) is control
	 * when it is used. */
	uint16_t aliases_len;
	uint8_t aliases[ALIAS_ROOM];
};
_Static_assert(sizeof(struct state) <= MQTT_STATE, "a state has its bound");

static const char *const packet_names[] = {
	NULL,	   "connect",  "connack",    "publish", "puback",      "pubrec",
	"pubrel",  "pubcomp",  "subscribe",  "suback",	"unsubscribe", "unsuback",
	"pingreq", "pingresp", "disconnect", "auth",
};

bool mqtt_topic_commands(struct bytes topic)
{
	/* The last three are Azure's: $iothub/methods/POST/..., twin/PATCH/properties/desired, and messages. */
	static const char *const levels[] = {
		"set",	   "cmnd", "command", "commands", "cmd",     "ncmd",	"dcmd",	      "rpc",
		"control", "ctrl", "actuate", "downlink", "methods", "desired", "devicebound"};
	struct bytes before = {NULL, 0};
	size_t at = 0;

	while (at < topic.len) {
		const uint8_t *level = topic.data + at;
		const uint8_t *end = memchr(level, '/', topic.len - at);
		size_t len = end ? (size_t)(end - level) : topic.len - at;

		for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
			if (strlen(levels[i]) == len &&
			    !strncasecmp((const char *)level, levels[i], len))
				return true;
		if (len > 4 && !strncasecmp((const char *)level, "set_", 4))
			return true;
		/* What a thing of AWS is to become: $aws/things/NAME/shadow/update/delta. */
		if (head_is((struct bytes){level, len}, "delta") && head_is(before, "update"))
			return true;
		/* What The Things Stack is to send: v3/APPLICATION/devices/NAME/down/push. */
		if ((head_is((struct bytes){level, len}, "push") ||
		     head_is((struct bytes){level, len}, "replace")) &&
		    head_is(before, "down"))
			return true;
		before = (struct bytes){level, len};
		at += len + 1;
	}
	return false;
}

struct bytes mqtt_next_filter(const struct mqtt *m, size_t *at, uint8_t *ret_options)
{
	struct reader r = reader_new(m->list.data, m->list.len);
	struct bytes filter;

	if (*at >= m->list.len)
		return (struct bytes){NULL, 0};
	read_skip(&r, *at);
	filter = mqtt_read_text(&r);
	*ret_options = m->type == MQTT_SUBSCRIBE ? read_u8(&r) : 0;
	*at = r.off;
	return r.bad ? (struct bytes){NULL, 0} : filter;
}

/* §4.7.1: `#` alone in the last level, `+` alone in its level. */
static bool is_filter(struct bytes f)
{
	for (size_t i = 0; i < f.len; i++) {
		bool alone =
			(!i || f.data[i - 1] == '/') && (i + 1 == f.len || f.data[i + 1] == '/');

		if ((f.data[i] == '#' && (!alone || i + 1 != f.len)) ||
		    (f.data[i] == '+' && !alone))
			return false;
	}
	return f.len;
}

/* v5 §4.8.2: "$share/", a name, "/" and a filter. What is behind the name; else the filter itself. */
static struct bytes unshared(struct bytes f, bool *ret_shared)
{
	static const char prefix[] = "$share/";
	struct bytes name = {f.data + sizeof(prefix) - 1, f.len - sizeof(prefix) + 1};
	const uint8_t *end;

	*ret_shared = f.len >= sizeof(prefix) - 1 && !memcmp(f.data, prefix, sizeof(prefix) - 1);
	if (!*ret_shared)
		return f;
	end = name.len ? memchr(name.data, '/', name.len) : NULL;
	if (!end || end == name.data ||
	    mqtt_has_wildcard((struct bytes){name.data, (size_t)(end - name.data)}))
		return (struct bytes){f.data, 0};
	return (struct bytes){end + 1, name.len - (size_t)(end + 1 - name.data)};
}

/* §3.8.3.1. Version 5 has four more bits; who shares a subscription cannot leave out his own. */
static bool is_subscription(const struct mqtt *m, struct bytes filter, uint8_t options)
{
	bool shared = false;
	uint8_t reserved = m->version == 5 ? 0xc0 : 0xfc;

	if (m->version == 5)
		filter = unshared(filter, &shared);
	return is_filter(filter) && (options & 3) != 3 && !(options & reserved) &&
	       (options & 0x30) != 0x30 && !(shared && options & 4);
}

/* v5: empty where the length is not there at all, as acknowledgements may be cut short. */
static struct bytes read_properties(struct reader *r, uint8_t type)
{
	struct bytes b = {NULL, 0};
	uint32_t len;

	if (!reader_left(r))
		return b;
	if (mqtt_read_length(r, &len) != PARSE_OK) {
		r->bad = true;
		return b;
	}
	b = read_bytes(r, len);
	if (!mqtt_properties_fit(b, type))
		r->bad = true;
	return b;
}

static void read_will(struct reader *r, struct mqtt *m, uint8_t flags)
{
	m->will = flags & 0x04;
	m->will_qos = flags >> 3 & 3;
	m->will_retain = flags & 0x20;
	if (m->will_qos == 3 || (!m->will && (m->will_qos || m->will_retain)))
		r->bad = true;
	if (!m->will)
		return;
	if (m->version == 5)
		m->will_properties = read_properties(r, MQTT_WILL);
	m->will_topic = mqtt_read_text(r);
	m->message_length = read_be16(r);
	read_skip(r, m->message_length);
	m->msg.control = mqtt_topic_commands(m->will_topic) ||
			 mqtt_topic_commands(mqtt_property_text(m->will_properties, ANSWER_TO));
	if (!m->will_topic.len || mqtt_has_wildcard(m->will_topic))
		r->bad = true;
}

static bool is_version(struct bytes name, uint8_t level)
{
	if (name.len == 6 && !memcmp(name.data, "MQIsdp", 6))
		return level == 3;
	return name.len == 4 && !memcmp(name.data, "MQTT", 4) && (level == 4 || level == 5);
}

/* In MQTT 3.1 (§3.1, of the flags of user and password) what is said to come may be missing: the packet's
 * length goes before the flag. */
static bool has_login(const struct reader *r, const struct mqtt *m, uint8_t flag)
{
	return flag && (m->version > 3 || reader_left(r));
}

/* §3.1 */
static void read_connect(struct reader *r, struct mqtt *m)
{
	struct bytes password = {NULL, 0};
	uint8_t flags;

	m->protocol = mqtt_read_text(r);
	m->version = read_u8(r) & (uint8_t)~BRIDGE;
	flags = read_u8(r);
	m->clean_session = flags & 0x02;
	m->keep_alive_s = read_be16(r);
	if (!is_version(m->protocol, m->version) || flags & 0x01) {
		r->bad = true;
		return;
	}
	if (m->version == 5)
		m->properties = read_properties(r, MQTT_CONNECT);
	m->client_id = mqtt_read_text(r);
	read_will(r, m, flags);
	m->has_username = has_login(r, m, flags & 0x80);
	m->username = m->has_username ? mqtt_read_text(r) : (struct bytes){r->in.data, 0};
	m->has_password = has_login(r, m, flags & 0x40);
	if (m->has_password)
		password = read_bytes(r, read_be16(r));
	m->default_login = m->has_username && login_is_default(m->username, password);
	if (m->has_password && !m->has_username && m->version < 5)
		r->bad = true;
}

/* §3.2 */
static void read_connack(struct reader *r, struct mqtt *m)
{
	uint8_t flags = read_u8(r);

	m->session_present = flags & 1;
	m->has_code = true;
	m->code = read_u8(r);
	if (flags & 0xfe)
		r->bad = true;
	if (m->version == 5)
		m->properties = read_properties(r, MQTT_CONNACK);
}

static void read_id(struct reader *r, struct mqtt *m)
{
	m->has_id = true;
	m->id = read_be16(r);
	if (!m->id)
		r->bad = true;
}

/* PUBACK, PUBREC, PUBREL, PUBCOMP (v5 §3.4 and on): what is 0 may be left out. */
static void read_ack(struct reader *r, struct mqtt *m)
{
	read_id(r, m);
	if (m->version != 5 || !reader_left(r))
		return;
	m->has_code = true;
	m->code = read_u8(r);
	m->properties = read_properties(r, m->type);
}

static void read_filters(struct reader *r, struct mqtt *m)
{
	struct bytes filter;
	uint8_t options;
	size_t at = 0;

	read_id(r, m);
	if (m->version == 5)
		m->properties = read_properties(r, m->type);
	m->list = read_bytes(r, reader_left(r));
	while (at < m->list.len) {
		filter = mqtt_next_filter(m, &at, &options);
		if (!filter.data || !is_subscription(m, filter, options)) {
			r->bad = true;
			return;
		}
	}
	if (!m->list.len)
		r->bad = true;
}

/* SUBACK, UNSUBACK: a code a filter; none in an UNSUBACK before v5. */
static void read_codes(struct reader *r, struct mqtt *m)
{
	read_id(r, m);
	if (m->version == 5)
		m->properties = read_properties(r, m->type);
	if (m->type == MQTT_UNSUBACK && m->version != 5)
		return;
	m->list = read_bytes(r, reader_left(r));
	if (m->type == MQTT_SUBACK && !m->list.len)
		r->bad = true;
}

/* DISCONNECT (§3.14), AUTH (v5 §3.15): empty means code 0. */
static void read_code(struct reader *r, struct mqtt *m)
{
	if (m->version != 5 || !reader_left(r))
		return;
	m->has_code = true;
	m->code = read_u8(r);
	m->properties = read_properties(r, m->type);
}

/* Everything but PUBLISH. False where the body is not what the packet's type asks for. */
static bool read_body(struct bytes body, struct mqtt *m)
{
	struct reader r = reader_new(body.data, body.len);

	switch (m->type) {
	case MQTT_CONNECT:
		read_connect(&r, m);
		break;
	case MQTT_CONNACK:
		read_connack(&r, m);
		break;
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP:
		read_ack(&r, m);
		break;
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
		read_filters(&r, m);
		break;
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		read_codes(&r, m);
		break;
	case MQTT_DISCONNECT:
	case MQTT_AUTH:
		read_code(&r, m);
		break;
	}
	return !r.bad && !reader_left(&r);
}

/* Codes of a SUBACK that there are, in either version (v5 §3.9.3): others show that it is none. */
static bool are_codes_known(const struct mqtt *m)
{
	for (size_t i = 0; m->type == MQTT_SUBACK && i < m->list.len; i++)
		if (m->list.data[i] > 2 && (m->list.data[i] < 0x80 || m->list.data[i] > 0xa2))
			return false;
	return true;
}

/* Picked up in the middle, a packet must be tried as either version. */
static bool read_packet(struct bytes body, struct mqtt *m, struct state *s)
{
	const struct mqtt head = *m;

	m->version = s->version;
	if (read_body(body, m) && (s->version || are_codes_known(m)))
		return true;
	if (s->version || m->type == MQTT_CONNECT)
		return false;
	*m = head;
	m->version = 5;
	if (!read_body(body, m) || !are_codes_known(m))
		return false;
	s->version = 5;
	return true;
}

/* §2.1.3: what the flags of a fixed header must be. MQTT 3.1 lets dup be set where QoS is 1. */
static bool are_flags_good(uint8_t type, uint8_t flags, uint8_t version)
{
	switch (type) {
	case MQTT_PUBLISH:
		return (flags & 6) != 6;
	case MQTT_PUBREL:
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
		return flags == 2 || (flags == 10 && version == 3);
	default:
		return !flags;
	}
}

#define FROM_CLIENT \
	(1u << MQTT_CONNECT | 1u << MQTT_SUBSCRIBE | 1u << MQTT_UNSUBSCRIBE | 1u << MQTT_PINGREQ)
#define FROM_SERVER \
	(1u << MQTT_CONNACK | 1u << MQTT_SUBACK | 1u << MQTT_UNSUBACK | 1u << MQTT_PINGRESP)

/* CONNECT comes first and once, CONNACK before the server's others, and each from its side. */
static bool is_in_turn(struct state *s, const struct proto_input *in, uint8_t type)
{
	unsigned bit = 1u << type;
	bool client;

	if (!s->knows_client && !in->midstream) {
		s->client = 0;
		s->knows_client = true;
	} else if (!s->knows_client && (FROM_CLIENT | FROM_SERVER) & bit) {
		s->client = bit & FROM_CLIENT ? in->end : !in->end;
		s->knows_client = true;
	}
	if (!s->knows_client)
		return true;
	client = in->end == s->client;
	if (bit & (client ? FROM_SERVER : FROM_CLIENT))
		return false;
	if (type == MQTT_CONNECT && s->connected)
		return false;
	if (!in->midstream && !s->connected && type != MQTT_CONNECT)
		return false;
	if (type == MQTT_CONNACK && s->answered)
		return false;
	return client || !s->connected || s->answered || type == MQTT_CONNACK ||
	       type == MQTT_AUTH || type == MQTT_DISCONNECT;
}

/* Where it stands in `aliases`; behind the last where it does not. */
static size_t alias_at(const struct state *s, unsigned end, uint16_t alias)
{
	size_t at = 0;

	while (at < s->aliases_len) {
		const uint8_t *a = s->aliases + at;

		if (a[0] == alias >> 8 && a[1] == (alias & 0xff) && a[2] == end)
			break;
		at += ALIAS_HEAD + a[3];
	}
	return at;
}

static void drop_alias(struct state *s, size_t at)
{
	size_t next;

	if (at >= s->aliases_len)
		return;
	next = at + ALIAS_HEAD + s->aliases[at + 3];
	memmove(s->aliases + at, s->aliases + next, s->aliases_len - next);
	s->aliases_len = (uint16_t)(s->aliases_len - (next - at));
}

static void keep_alias(struct state *s, unsigned end, uint16_t alias, struct bytes topic)
{
	uint8_t *to;

	drop_alias(s, alias_at(s, end, alias));
	if (topic.len > TOPIC_KEPT)
		return;
	while (ALIAS_HEAD + topic.len > sizeof(s->aliases) - s->aliases_len)
		drop_alias(s, 0);
	to = s->aliases + s->aliases_len;
	to[0] = (uint8_t)(alias >> 8);
	to[1] = (uint8_t)alias;
	to[2] = (uint8_t)end;
	to[3] = (uint8_t)topic.len;
	memcpy(to + ALIAS_HEAD, topic.data, topic.len);
	s->aliases_len = (uint16_t)(s->aliases_len + ALIAS_HEAD + topic.len);
}

static struct bytes find_alias(const struct state *s, unsigned end, uint16_t alias)
{
	size_t at = alias_at(s, end, alias);

	if (at < s->aliases_len)
		return (struct bytes){s->aliases + at + ALIAS_HEAD, s->aliases[at + 3]};
	return (struct bytes){(const uint8_t *)"", 0}; /* there, and like no pattern */
}

/* v5 §3.3.2.3.4: not 0, and no more than the other end said it would remember. */
static bool is_alias_agreed(const struct state *s, unsigned end, uint16_t alias)
{
	return alias && (!s->agreed[end] || alias <= s->alias_max[end]);
}

/* NONE, or why the topic is none: no text and no alias, or an alias that cannot be. */
static enum reason resolve(struct state *s, const struct proto_input *in, struct mqtt *m)
{
	uint16_t alias = 0;
	bool has_alias = mqtt_property_u16(m->properties, TOPIC_ALIAS, &alias);

	if (has_alias && !is_alias_agreed(s, in->end, alias))
		return REASON_MQTT_TOPIC_ALIAS;
	if (!m->topic.len && !has_alias)
		return REASON_MQTT_MALFORMED;
	if (m->topic.len && has_alias)
		keep_alias(s, in->end, alias, m->topic);
	if (!m->topic.len)
		m->topic = find_alias(s, in->end, alias);
	if (!s->knows_client || in->end == s->client)
		m->to_broker = m->topic;
	if (!s->knows_client || in->end != s->client)
		m->to_client = m->topic;
	m->msg.control = !m->topic.len || mqtt_topic_commands(m->topic) ||
			 mqtt_topic_commands(mqtt_property_text(m->properties, ANSWER_TO));
	return REASON_NONE;
}

/* What a packet's reader says of bytes it can't take. */
static enum parse refuse(struct mqtt *m, enum reason why, struct proto_output *out)
{
	m->msg.reason = why;
	out->has_msg = true;
	return PARSE_BAD;
}

/*
 * §3.3. Taken without its payload. `r` stands behind the fixed header, `len` is
 * the packet's remaining length.
 */
static enum parse read_publish(struct reader *r, uint32_t len, struct mqtt *m, struct state *s,
			       const struct proto_input *in, struct proto_output *out)
{
	size_t start = r->off, head;
	enum reason why;

	m->version = s->version;
	m->topic = mqtt_read_text(r);
	if (m->qos)
		read_id(r, m);
	if (s->version == 5) {
		struct reader length = *r;
		uint32_t n;

		if (mqtt_read_length(&length, &n) == PARSE_OK && n <= reader_left(&length))
			m->properties = read_properties(r, MQTT_PUBLISH);
		else
			r->bad = true;
	}
	head = r->off - start;
	if (r->bad || head > len || mqtt_has_wildcard(m->topic))
		return refuse(m, REASON_MQTT_MALFORMED, out);
	why = resolve(s, in, m);
	if (why)
		return refuse(m, why, out);
	m->message_length = len - head;
	out->used = r->off;
	out->skip = len - head;
	out->has_msg = true;
	return PARSE_OK;
}

/* How much of a PUBLISH must be there before it is read. MORE: not even that can be told. */
static enum parse size_head(struct reader r, uint32_t len, const struct mqtt *m,
			    const struct state *s, size_t *ret_size)
{
	size_t start = r.off;
	uint32_t properties = 0;
	enum parse got;

	read_skip(&r, read_be16(&r));
	if (m->qos)
		read_skip(&r, 2);
	if (s->version == 5 && !r.bad) {
		got = mqtt_read_length(&r, &properties);
		if (got != PARSE_OK)
			return got;
	}
	if (r.bad)
		return PARSE_MORE;
	*ret_size = r.off - start + properties;
	return *ret_size > len ? PARSE_BAD : PARSE_OK;
}

static enum parse take_publish(struct reader *r, uint32_t len, struct mqtt *m, struct state *s,
			       const struct proto_input *in, struct proto_output *out)
{
	size_t size = 0, there = reader_left(r) < len ? reader_left(r) : len;
	struct reader head = reader_new(r->in.data, r->off + there), topic;
	enum parse got;

	head.off = r->off;
	topic = head;
	/* Only in version 5 is one empty (§3.3.2.3.4): an alias stands for it. */
	if (!s->version && !read_be16(&topic) && !topic.bad)
		s->version = 5;
	got = size_head(head, len, m, s, &size);
	if (got == PARSE_MORE && there == len)
		got = PARSE_BAD;
	if (got == PARSE_BAD)
		return refuse(m, REASON_MQTT_MALFORMED, out);
	if (size + r->off > PROTO_UNIT_MAX || (got == PARSE_MORE && r->in.len >= PROTO_UNIT_MAX))
		return refuse(m, REASON_MQTT_TOO_LONG, out);
	if (got == PARSE_MORE || size > there)
		return PARSE_MORE;
	return read_publish(&head, len, m, s, in, out);
}

/* How many aliases the other end may use from now on: none where nothing is said of it. */
static void agree(struct state *s, const struct mqtt *m, unsigned end)
{
	uint16_t most = 0;

	mqtt_property_u16(m->properties, ALIAS_LIMIT, &most);
	s->alias_max[!end] = most;
	s->agreed[!end] = true;
}

static enum parse take_packet(struct reader *r, uint32_t len, struct mqtt *m, struct state *s,
			      const struct proto_input *in, struct proto_output *out)
{
	struct bytes body;

	if (len + r->off > PROTO_UNIT_MAX)
		return refuse(m, REASON_MQTT_TOO_LONG, out);
	if (reader_left(r) < len)
		return PARSE_MORE;
	body = read_bytes(r, len);
	if (!read_packet(body, m, s))
		return refuse(m, REASON_MQTT_MALFORMED, out);
	if (m->type == MQTT_CONNECT) {
		s->connected = true;
		s->version = m->version;
		s->asked_default = m->default_login;
	} else if (m->type == MQTT_CONNACK) {
		s->answered = true;
		m->default_login = s->asked_default && !m->code;
	}
	if (m->version == 5 && (m->type == MQTT_CONNECT || m->type == MQTT_CONNACK))
		agree(s, m, in->end);
	out->used = r->off;
	out->has_msg = true;
	return PARSE_OK;
}

/* Or what only keeps a connection up, or ends it: it asks for nothing. */
static bool is_answer(uint8_t type)
{
	return type == MQTT_CONNACK || type == MQTT_SUBACK || type == MQTT_UNSUBACK ||
	       type == MQTT_PINGREQ || type == MQTT_PINGRESP || type == MQTT_DISCONNECT ||
	       (type >= MQTT_PUBACK && type <= MQTT_PUBCOMP);
}

enum parse mqtt_packet_size(struct bytes b, uint64_t *ret_size)
{
	struct reader r = reader_new(b.data, b.len);
	uint32_t len;
	enum parse got;

	read_skip(&r, 1);
	got = r.bad ? PARSE_MORE : mqtt_read_length(&r, &len);
	if (got == PARSE_OK)
		*ret_size = r.off + (uint64_t)len;
	return got;
}

static enum parse mqtt_read(void *state, const struct proto_input *in, struct msg *ret_m,
			    struct proto_output *ret_out)
{
	struct mqtt *m = (struct mqtt *)ret_m;
	struct reader r = reader_new(in->data.data, in->data.len);
	struct state *s = state;
	uint8_t first = read_u8(&r), flags = first & 0x0f;
	uint32_t len;
	enum parse got;

	m->type = first >> 4;
	m->packet = packet_names[m->type];
	m->qos = flags >> 1 & 3;
	m->retain = flags & 1;
	m->dup = flags & 8;
	m->msg.answer = is_answer(m->type);
	if (!m->packet || (m->type == MQTT_AUTH && s->version && s->version != 5) ||
	    !are_flags_good(m->type, flags, s->version))
		return refuse(m, REASON_MQTT_MALFORMED, ret_out);
	got = mqtt_read_length(&r, &len);
	if (got == PARSE_MORE)
		return got;
	if (got == PARSE_BAD)
		return refuse(m, REASON_MQTT_LENGTH, ret_out);
	if (!is_in_turn(s, in, m->type))
		return refuse(m, REASON_MQTT_OUT_OF_TURN, ret_out);
	if (m->type == MQTT_PUBLISH)
		return take_publish(&r, len, m, s, in, ret_out);
	return take_packet(&r, len, m, s, in, ret_out);
}

/* OK, BAD, or MORE as far as the bytes go; `r` stands behind the remaining length. */
static enum parse probe_name(const struct reader *r)
{
	static const char *const names[] = {"\0\4MQTT", "\0\6MQIsdp"};
	static const size_t lens[] = {6, 8};
	enum parse got = PARSE_BAD;

	for (unsigned i = 0; i < 2; i++) {
		size_t n = reader_left(r) < lens[i] ? reader_left(r) : lens[i];

		if (n && memcmp(r->in.data + r->off, names[i], n))
			continue;
		got = n == lens[i] ? PARSE_OK : PARSE_MORE;
	}
	return got;
}

/*
 * A CONNECT says its name. What else there is of MQTT is two bytes long at its
 * shortest and looks like much: it is believed where a broker's port is, too.
 */
static enum parse mqtt_probe(const struct proto_input *in)
{
	bool port = in->port[1] == PORT || (in->midstream && (in->port[0] == PORT || in->expected));
	struct reader r = reader_new(in->data.data, in->data.len);
	uint8_t first = read_u8(&r);
	enum parse got;
	uint32_t len;

	if (r.bad)
		return PARSE_MORE;
	if (first != MQTT_CONNECT << 4)
		return port && packet_names[first >> 4] &&
				       are_flags_good(first >> 4, first & 0x0f, 3)
			       ? PARSE_OK
			       : PARSE_BAD;
	got = mqtt_read_length(&r, &len);
	if (got == PARSE_OK)
		got = probe_name(&r);
	return got == PARSE_BAD && port ? PARSE_OK : got;
}

static struct bytes next_filter(const struct msg *m, size_t *at)
{
	uint8_t options;
	bool shared;
	struct bytes filter = mqtt_next_filter((const struct mqtt *)m, at, &options);

	/* Who else takes a part of it makes no difference to what is subscribed to. */
	return filter.data ? unshared(filter, &shared) : filter;
}

static struct bytes next_subscribed(const struct msg *m, size_t *at)
{
	return ((const struct mqtt *)m)->type == MQTT_SUBSCRIBE ? next_filter(m, at)
								: (struct bytes){NULL, 0};
}

#define FIELD(name, member, type, flags)                                    \
	{                                                                   \
		PROTO_KEY(name), offsetof(struct mqtt, member), type, flags \
	}
const struct proto_field mqtt_fields[] = {
	FIELD("packet", packet, FIELD_NAME, FIELD_MATCH | FIELD_SILENT | FIELD_KEY),
	FIELD("connect.protocol_version", version, FIELD_U8, FIELD_MATCH | FIELD_SILENT),
	FIELD("connect.client_id", client_id, FIELD_TEXT, FIELD_MATCH | FIELD_SILENT),
	FIELD("connect.username", username, FIELD_TEXT, FIELD_MATCH | FIELD_SILENT | FIELD_MUST),
	/* A will is published as well, only later. */
	{PROTO_KEY("connect.will.topic"),
	 offsetof(struct mqtt, will_topic),
	 FIELD_TEXT,
	 FIELD_MATCH | FIELD_SILENT,
	 NULL,
	 {"publish.to_broker", "publish.topic"}},
	FIELD("publish.topic", topic, FIELD_TEXT, FIELD_MATCH | FIELD_SILENT),
	FIELD("publish.to_broker", to_broker, FIELD_TEXT, FIELD_MATCH | FIELD_SILENT),
	FIELD("publish.to_client", to_client, FIELD_TEXT, FIELD_MATCH | FIELD_SILENT),
	{PROTO_KEY("subscribe.topics"), 0, FIELD_LIST, FIELD_MATCH | FIELD_SILENT | FIELD_FILTER,
	 next_subscribed},
	{""},
};

const struct proto mqtt_proto = {
	.name = "mqtt",
	.over = PROTO_OVER_TCP,
	.framed = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct mqtt),
	.fields = mqtt_fields,
	.probe = mqtt_probe,
	.read = mqtt_read,
	.write = mqtt_write,
};
