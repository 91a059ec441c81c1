#include "base/event.h"

#include "base/clock.h"

static inline void optional(struct json *j, const char *key, const char *v)
{
	if (v && *v)
		json_str(j, key, v);
}

struct json event_begin(const struct event_common *e, char buf[EVENT_MAX])
{
	struct json j = json_new(buf, EVENT_MAX);
	char when[CLOCK_EVE_LEN];

	clock_eve(e->time_ns, when);
	json_open(&j, NULL);
	json_text(&j, "timestamp", (struct bytes){(const uint8_t *)when, CLOCK_EVE_LEN - 1});
	if (e->flow_id)
		json_u64(&j, "flow_id", e->flow_id);
	optional(&j, "in_iface", e->in_iface);
	json_str(&j, "event_type", e->type);
	optional(&j, "src_ip", e->src_ip);
	if (e->src_port >= 0 && e->src_ip)
		json_i64(&j, "src_port", e->src_port);
	optional(&j, "dest_ip", e->dest_ip);
	if (e->dest_port >= 0 && e->dest_ip)
		json_i64(&j, "dest_port", e->dest_port);
	optional(&j, "proto", e->proto);
	optional(&j, "app_proto", e->app_proto);
	optional(&j, "device", e->device);
	optional(&j, "peer", e->peer);
	if (e->reason != REASON_NONE)
		json_str(&j, "reason", reason_name(e->reason));
	if (e->verdict) {
		json_open(&j, "verdict");
		json_str(&j, "action", e->verdict);
		if (e->would_drop)
			json_str(&j, "would", "drop");
		json_close(&j);
	}
	return j;
}

size_t event_end(struct json *j)
{
	json_close(j);
	return j->out.bad ? 0 : j->out.len;
}
