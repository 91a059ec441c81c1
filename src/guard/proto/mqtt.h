#ifndef BEDWARDEN_GUARD_PROTO_MQTT_H
#define BEDWARDEN_GUARD_PROTO_MQTT_H
/*
 * MQTT 3.1, 3.1.1 and 5.0 (OASIS mqtt-v3.1.1-os, mqtt-v5.0-os): every control
 * packet, read whole but for the payload of PUBLISH, which is passed over: what
 * devices and patients say to each other is no event's business. Passwords,
 * wills and authentication data are told as facts, never as values.
 *
 * Enforced: the shape of each packet and its flags (§2.1, §2.2), the length in
 * as few bytes as it takes (v5 §1.5.5), UTF-8 (§1.5.4), CONNECT first and once,
 * who may send what, wildcards in filters only (§4.7), and the properties each
 * packet may have (v5 §2.2.2.2). A topic alias (v5 §3.3.2.3.4) is resolved, so
 * that no rule on topics is evaded by one; one that was never agreed on is refused.
 * A subscription that is shared (§4.8.2) is held against rules by its filter.
 *
 * A PUBLISH to a topic that commands a device is marked `control`, see
 * mqtt_topic_commands(); so is a will of that kind, what is to be answered to such
 * a topic (v5 §3.3.2.3.5), and an alias nobody knows.
 *
 * Profiles may narrow what is published either way (publish.topic) or one way
 * (publish.to_broker, publish.to_client), and what is subscribed to.
 */
#include "guard/proto/proto.h"

enum mqtt_type {
	MQTT_CONNECT = 1,
	MQTT_CONNACK,
	MQTT_PUBLISH,
	MQTT_PUBACK,
	MQTT_PUBREC,
	MQTT_PUBREL,
	MQTT_PUBCOMP,
	MQTT_SUBSCRIBE,
	MQTT_SUBACK,
	MQTT_UNSUBSCRIBE,
	MQTT_UNSUBACK,
	MQTT_PINGREQ,
	MQTT_PINGRESP,
	MQTT_DISCONNECT,
	MQTT_AUTH,
};

struct mqtt {
	struct msg msg;
	const char *packet; /* "publish" */
	uint8_t type;	    /* enum mqtt_type */
	uint8_t version;    /* 3, 4, 5; 0 where the CONNECT was not seen */
	uint8_t qos;
	bool retain, dup;
	bool has_id, has_code;
	bool session_present;
	bool default_login; /* tried by a CONNECT, let in by a CONNACK */
	uint8_t code;	    /* return or reason code */
	uint16_t id;
	struct bytes protocol, client_id, username, will_topic, will_properties;
	bool has_username, has_password, will, will_retain, clean_session;
	uint8_t will_qos;
	uint16_t keep_alive_s;
	struct bytes topic;
	struct bytes to_broker, to_client; /* the same again, by the way it goes; both if unknown */
	uint64_t message_length;	   /* of a PUBLISH's payload */
	struct bytes list;		   /* filters with their options, or codes: as they came */
	struct bytes properties;	   /* data NULL where there are none */
};

extern const struct proto mqtt_proto;
extern const struct proto_field mqtt_fields[];
#define MQTT_STATE 800 /* bytes: mqtt_proto.state_size at most */

/* How long the packet is that begins here, all of it. As mqtt_read_length(). */
enum parse mqtt_packet_size(struct bytes b, uint64_t *ret_size);

/*
 * Does a message published here make a device do something? By convention a
 * level of the topic says so: `set` (Homie, Zigbee2MQTT), `cmnd` (Tasmota),
 * `command` (Shelly, ESPHome), `NCMD` and `DCMD` (Sparkplug), `rpc` (Shelly,
 * ThingsBoard), `cmd`, `control`. Upper and lower case are one.
 */
bool mqtt_topic_commands(struct bytes topic);

/* The next filter of a SUBSCRIBE or an UNSUBSCRIBE; *at is 0 at first. data NULL: no more. */
struct bytes mqtt_next_filter(const struct mqtt *m, size_t *at, uint8_t *ret_options);

/* v5 §2.2.2: whether a packet may have these properties, and they are well formed. */
#define MQTT_WILL 0 /* stands for a will's properties among the packets' types */
bool mqtt_properties_fit(struct bytes properties, uint8_t type);
/* False, and *ret_v untouched, where the property, one of a two-byte number, is not there. */
bool mqtt_property_u16(struct bytes properties, uint8_t id, uint16_t *ret_v);
/* data NULL where the property is not there. */
struct bytes mqtt_property_text(struct bytes properties, uint8_t id);
void mqtt_properties_write(struct bytes properties, struct json *j);
/* Variable byte integer, v5 §1.5.5. OK, MORE, or BAD where it is longer than it need be. */
enum parse mqtt_read_length(struct reader *r, uint32_t *ret_len);
bool mqtt_has_wildcard(struct bytes topic);
struct bytes mqtt_read_text(struct reader *r); /* a length of two bytes, then UTF-8 */

void mqtt_write(const struct msg *msg, struct json *j);

#endif
