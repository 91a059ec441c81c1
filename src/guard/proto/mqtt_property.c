#include "guard/proto/mqtt.h"

enum property_type { BYTE, TWO, FOUR, VARIABLE, TEXT, BINARY, PAIR };

#define IN(type) (1u << MQTT_##type)
#define ACKS	 (IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP) | IN(SUBACK) | IN(UNSUBACK))
#define EVERY	 0xffffu

#define USER_PROPERTY		38
#define SUBSCRIPTION_IDENTIFIER 11

/* mqtt-v5.0-os §2.2.2.2, table 2-4. */
static const struct property {
	uint8_t id;
	uint8_t type; /* enum property_type */
	bool secret;  /* told as a fact, not as a value */
	bool some;    /* 0 is a protocol error, and so is a topic with wildcards */
	uint16_t in;  /* a bit a packet type that may have it */
	const char *name;
} properties[] = {
	{1, BYTE, false, false, IN(PUBLISH) | IN(WILL), "payload_format_indicator"},
	{2, FOUR, false, false, IN(PUBLISH) | IN(WILL), "message_expiry_interval"},
	{3, TEXT, false, false, IN(PUBLISH) | IN(WILL), "content_type"},
	{8, TEXT, false, true, IN(PUBLISH) | IN(WILL), "response_topic"},
	{9, BINARY, true, false, IN(PUBLISH) | IN(WILL), "correlation_data"},
	{11, VARIABLE, false, true, IN(PUBLISH) | IN(SUBSCRIBE), "subscription_identifier"},
	{17, FOUR, false, false, IN(CONNECT) | IN(CONNACK) | IN(DISCONNECT),
	 "session_expiry_interval"},
	{18, TEXT, false, false, IN(CONNACK), "assigned_client_identifier"},
	{19, TWO, false, false, IN(CONNACK), "server_keep_alive"},
	{21, TEXT, false, false, IN(CONNECT) | IN(CONNACK) | IN(AUTH), "authentication_method"},
	{22, BINARY, true, false, IN(CONNECT) | IN(CONNACK) | IN(AUTH), "authentication_data"},
	{23, BYTE, false, false, IN(CONNECT), "request_problem_information"},
	{24, FOUR, false, false, IN(WILL), "will_delay_interval"},
	{25, BYTE, false, false, IN(CONNECT), "request_response_information"},
	{26, TEXT, false, false, IN(CONNACK), "response_information"},
	{28, TEXT, false, false, IN(CONNACK) | IN(DISCONNECT), "server_reference"},
	{31, TEXT, false, false, IN(CONNACK) | ACKS | IN(DISCONNECT) | IN(AUTH), "reason_string"},
	{33, TWO, false, true, IN(CONNECT) | IN(CONNACK), "receive_maximum"},
	{34, TWO, false, false, IN(CONNECT) | IN(CONNACK), "topic_alias_maximum"},
	{35, TWO, false, false, IN(PUBLISH), "topic_alias"},
	{36, BYTE, false, false, IN(CONNACK), "maximum_qos"},
	{37, BYTE, false, false, IN(CONNACK), "retain_available"},
	{38, PAIR, true, false, EVERY, "user_property"},
	{39, FOUR, false, true, IN(CONNECT) | IN(CONNACK), "maximum_packet_size"},
	{40, BYTE, false, false, IN(CONNACK), "wildcard_subscription_available"},
	{41, BYTE, false, false, IN(CONNACK), "subscription_identifier_available"},
	{42, BYTE, false, false, IN(CONNACK), "shared_subscription_available"},
};

struct value {
	uint32_t number;
	struct bytes text;
};

static const struct property *find(uint32_t id)
{
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		if (properties[i].id == id)
			return &properties[i];
	return NULL;
}

enum parse mqtt_read_length(struct reader *r, uint32_t *ret_len)
{
	uint32_t len = 0;
	uint8_t group;

	for (int shift = 0; shift <= 21; shift += 7) {
		group = read_u8(r);
		if (r->bad)
			return PARSE_MORE;
		len |= (uint32_t)(group & 0x7f) << shift;
		if (group & 0x80)
			continue;
		if (shift && !group)
			return PARSE_BAD;
		*ret_len = len;
		return PARSE_OK;
	}
	return PARSE_BAD;
}

struct bytes mqtt_read_text(struct reader *r)
{
	struct bytes b = read_bytes(r, read_be16(r));

	if (b.len && (memchr(b.data, 0, b.len) || !json_is_utf8(b)))
		r->bad = true;
	return b;
}

bool mqtt_has_wildcard(struct bytes topic)
{
	return topic.len &&
	       (memchr(topic.data, '#', topic.len) || memchr(topic.data, '+', topic.len));
}

/* NULL where the next property is none, or its value is not what it should be. */
static const struct property *read_property(struct reader *r, struct value *ret_v)
{
	struct value v = {0};
	const struct property *p;
	uint32_t id;

	if (mqtt_read_length(r, &id) != PARSE_OK || !(p = find(id)))
		return NULL;
	switch (p->type) {
	case BYTE:
		v.number = read_u8(r);
		if (v.number > 1)
			return NULL;
		break;
	case TWO:
		v.number = read_be16(r);
		break;
	case FOUR:
		v.number = read_be32(r);
		break;
	case VARIABLE:
		if (mqtt_read_length(r, &v.number) != PARSE_OK)
			return NULL;
		break;
	case TEXT:
		v.text = mqtt_read_text(r);
		break;
	case BINARY:
		v.text = read_bytes(r, read_be16(r));
		break;
	case PAIR:
		v.text = mqtt_read_text(r);
		mqtt_read_text(r);
		break;
	}
	if (p->some && (p->type == TEXT ? mqtt_has_wildcard(v.text) : !v.number))
		return NULL;
	*ret_v = v;
	return r->bad ? NULL : p;
}

bool mqtt_properties_fit(struct bytes b, uint8_t type)
{
	struct reader r = reader_new(b.data, b.len);
	uint64_t seen = 0;
	struct value v;

	while (reader_left(&r)) {
		const struct property *p = read_property(&r, &v);
		bool again;

		if (!p || !(p->in & 1u << type))
			return false;
		again = p->id == USER_PROPERTY ||
			(p->id == SUBSCRIPTION_IDENTIFIER && type == MQTT_PUBLISH);
		if (seen & 1ull << p->id && !again)
			return false;
		seen |= 1ull << p->id;
	}
	return true;
}

static bool find_value(struct bytes b, uint8_t id, struct value *ret_v)
{
	struct reader r = reader_new(b.data, b.len);
	const struct property *p;

	while (reader_left(&r) && (p = read_property(&r, ret_v)))
		if (p->id == id)
			return true;
	return false;
}

bool mqtt_property_u16(struct bytes b, uint8_t id, uint16_t *ret_v)
{
	struct value v;

	if (!find_value(b, id, &v))
		return false;
	*ret_v = (uint16_t)v.number;
	return true;
}

struct bytes mqtt_property_text(struct bytes b, uint8_t id)
{
	struct value v;

	return find_value(b, id, &v) ? v.text : (struct bytes){NULL, 0};
}

/* Some may stand in a packet several times: a key of JSON stands once, with the first. */
void mqtt_properties_write(struct bytes b, struct json *j)
{
	struct reader r = reader_new(b.data, b.len);
	const struct property *p;
	uint64_t seen = 0;
	struct value v;

	if (!b.data)
		return;
	json_open(j, "properties");
	while (proto_room(j) && reader_left(&r) && (p = read_property(&r, &v))) {
		if (seen & 1ull << p->id)
			continue;
		seen |= 1ull << p->id;
		if (p->secret)
			json_bool(j, p->name, true);
		else if (p->type == TEXT)
			proto_text(j, p->name, v.text);
		else
			json_u64(j, p->name, v.number);
	}
	json_close(j);
}
