#include "guard/proto/mqtt.h"

static void write_connect(const struct mqtt *m, struct json *j)
{
	proto_text(j, "protocol_string", m->protocol);
	json_u64(j, "protocol_version", m->version);
	proto_text(j, "client_id", m->client_id);
	json_open(j, "flags");
	json_bool(j, "username", m->has_username);
	json_bool(j, "password", m->has_password);
	json_bool(j, "will_retain", m->will_retain);
	json_bool(j, "will", m->will);
	json_bool(j, "clean_session", m->clean_session);
	json_close(j);
	json_u64(j, "keep_alive", m->keep_alive_s);
	if (m->has_username)
		proto_text(j, "username", m->username);
	if (!m->will)
		return;
	json_open(j, "will");
	proto_text(j, "topic", m->will_topic);
	json_u64(j, "qos", m->will_qos);
	json_u64(j, "message_length", m->message_length);
	mqtt_properties_write(m->will_properties, j);
	json_close(j);
}

static void write_filters(const struct mqtt *m, struct json *j)
{
	struct bytes filter;
	uint8_t options;
	size_t at = 0;

	json_list(j, "topics");
	while (proto_room(j) && (filter = mqtt_next_filter(m, &at, &options)).data) {
		if (m->type == MQTT_UNSUBSCRIBE) {
			proto_text(j, NULL, filter);
			continue;
		}
		json_open(j, NULL);
		proto_text(j, "topic", filter);
		json_u64(j, "qos", options & 3);
		json_close(j);
	}
	json_end(j);
}

static void write_codes(const struct mqtt *m, const char *key, struct json *j)
{
	if (!m->list.len)
		return;
	json_list(j, key);
	for (size_t i = 0; i < m->list.len && proto_room(j); i++)
		json_u64(j, NULL, m->list.data[i]);
	json_end(j);
}

void mqtt_write(const struct msg *msg, struct json *j)
{
	const struct mqtt *m = (const struct mqtt *)msg;

	if (!m->packet)
		return;
	json_open(j, m->packet);
	json_u64(j, "qos", m->qos);
	json_bool(j, "retain", m->retain);
	json_bool(j, "dup", m->dup);
	if (m->type == MQTT_CONNECT)
		write_connect(m, j);
	if (m->type == MQTT_CONNACK)
		json_bool(j, "session_present", m->session_present);
	if (m->default_login)
		json_bool(j, "default_login", true);
	if (m->type == MQTT_PUBLISH && m->topic.data)
		proto_text(j, "topic", m->topic);
	if (m->has_id)
		json_u64(j, "message_id", m->id);
	if (m->type == MQTT_PUBLISH)
		json_u64(j, "message_length", m->message_length);
	if (m->has_code)
		json_u64(j, m->type == MQTT_CONNACK ? "return_code" : "reason_code", m->code);
	if (m->type == MQTT_SUBSCRIBE || m->type == MQTT_UNSUBSCRIBE)
		write_filters(m, j);
	if (m->type == MQTT_SUBACK)
		write_codes(m, "qos_granted", j);
	if (m->type == MQTT_UNSUBACK)
		write_codes(m, "reason_codes", j);
	mqtt_properties_write(m->properties, j);
	json_close(j);
}
