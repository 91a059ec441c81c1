#include "base/event.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/digits.h"

/* Everything that is not a name: what it takes is known, and none of it needs an escape. */
#define FIXED_MAX 512

static inline char *put(char *at, const char *s, size_t n)
{
	bytes_copy_short(at, s, n);
	return at + n;
}

#define PUT(at, literal) ((char *)memcpy(at, literal, sizeof(literal) - 1) + sizeof(literal) - 1)

static inline char *put_text(char *at, const char *s)
{
	at = put(at, s, strlen(s));
	*at = '"';
	return at + 1;
}

static void name(struct json *j, const char *key, const char *v)
{
	if (v && *v)
		json_str(j, key, v);
}

static inline char *put_ip(char *at, const char *text, const uint8_t *addr)
{
	if (text)
		return put_text(at, text);
	at = address_put_ip(at, addr);
	*at = '"';
	return at + 1;
}

/* Of three letters mostly: a call would cost more than they do. */
static inline char *put_protocol(char *at, const char *s)
{
	at = PUT(at, ",\"proto\":\"");
	while (*s)
		*at++ = *s++;
	*at = '"';
	return at + 1;
}

static inline char *put_ends(char *at, const struct event_common *e)
{
	if (e->src_ip || e->src_addr) {
		at = put_ip(PUT(at, ",\"src_ip\":\""), e->src_ip, e->src_addr);
		if (e->src_port >= 0)
			at = digits_port(PUT(at, ",\"src_port\":"), (uint16_t)e->src_port);
	}
	if (e->dest_ip || e->dest_addr) {
		at = put_ip(PUT(at, ",\"dest_ip\":\""), e->dest_ip, e->dest_addr);
		if (e->dest_port >= 0)
			at = digits_port(PUT(at, ",\"dest_port\":"), (uint16_t)e->dest_port);
	}
	return e->proto ? put_protocol(at, e->proto) : at;
}

static inline bool is_pass(const char *v)
{
	return v[0] == 'p' && v[1] == 'a' && v[2] == 's' && v[3] == 's' && !v[4];
}

static inline char *put_verdict(char *at, const struct event_common *e)
{
	if (e->reason != REASON_NONE)
		at = put_text(PUT(at, ",\"reason\":\""), reason_name(e->reason));
	if (!e->verdict)
		return at;
	if (is_pass(e->verdict) && !e->would_drop)
		return PUT(at, ",\"verdict\":{\"action\":\"pass\"}");
	at = put_text(PUT(at, ",\"verdict\":{\"action\":\""), e->verdict);
	if (e->would_drop)
		at = PUT(at, ",\"would\":\"drop\"");
	*at = '}';
	return at + 1;
}

/* Names may be of any length, and hold anything. NULL where they leave too little room. */
static char *put_parties(char *at, const struct event_common *e, struct json *j)
{
	json_resume(j, at);
	name(j, "device", e->device);
	name(j, "peer", e->peer);
	if (EVENT_MAX - j->out.len < FIXED_MAX)
		json_fail(j);
	return j->out.bad ? NULL : (char *)j->out.data + j->out.len;
}

struct json event_begin(const struct event_common *e, char buf[EVENT_MAX])
{
	struct json j = {.out = {.data = (uint8_t *)buf, .cap = EVENT_MAX}};
	char *at = PUT(buf, "{\"timestamp\":\"");
	size_t type = strlen(e->type);

	clock_eve(e->time_ns, at);
	at = PUT(at + CLOCK_EVE_LEN - 1, "\"");
	if (e->flow_id)
		at = digits_decimal(PUT(at, ",\"flow_id\":"), e->flow_id);
	if (e->in_iface) {
		json_resume(&j, at);
		name(&j, "in_iface", e->in_iface);
		at = buf + j.out.len;
	}
	at = put(PUT(at, ",\"event_type\":\""), e->type, type);
	at = put_ends(PUT(at, "\""), e);
	if (e->app_proto)
		at = put(PUT(at, ",\"app_proto\":\""), e->app_proto,
			 e->app_proto == e->type ? type : strlen(e->app_proto));
	if (e->app_proto)
		at = PUT(at, "\"");
	if (e->device || e->peer)
		at = put_parties(at, e, &j);
	if (at)
		json_resume(&j, put_verdict(at, e));
	return j;
}

size_t event_end(struct json *j)
{
	json_close(j);
	return j->out.bad ? 0 : j->out.len;
}
