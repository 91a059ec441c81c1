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

static char *put_ends(char *at, const struct event_common *e)
{
	bool src = e->src_ip || e->src_addr, dest = e->dest_ip || e->dest_addr;

	if (src)
		at = put_ip(PUT(at, ",\"src_ip\":\""), e->src_ip, e->src_addr);
	if (e->src_port >= 0 && src)
		at = digits_decimal(PUT(at, ",\"src_port\":"), (unsigned)e->src_port);
	if (dest)
		at = put_ip(PUT(at, ",\"dest_ip\":\""), e->dest_ip, e->dest_addr);
	if (e->dest_port >= 0 && dest)
		at = digits_decimal(PUT(at, ",\"dest_port\":"), (unsigned)e->dest_port);
	if (e->proto)
		at = put_text(PUT(at, ",\"proto\":\""), e->proto);
	return at;
}

static char *put_verdict(char *at, const struct event_common *e)
{
	if (e->reason != REASON_NONE)
		at = put_text(PUT(at, ",\"reason\":\""), reason_name(e->reason));
	if (!e->verdict)
		return at;
	at = put_text(PUT(at, ",\"verdict\":{\"action\":\""), e->verdict);
	if (e->would_drop)
		at = PUT(at, ",\"would\":\"drop\"");
	*at = '}';
	return at + 1;
}

struct json event_begin(const struct event_common *e, char buf[EVENT_MAX])
{
	struct json j = {.out = {.data = (uint8_t *)buf, .cap = EVENT_MAX}};
	char *at = PUT(buf, "{\"timestamp\":\"");

	clock_eve(e->time_ns, at);
	at = PUT(at + CLOCK_EVE_LEN - 1, "\"");
	if (e->flow_id)
		at = digits_decimal(PUT(at, ",\"flow_id\":"), e->flow_id);
	if (e->in_iface) {
		json_resume(&j, at);
		name(&j, "in_iface", e->in_iface);
		at = buf + j.out.len;
	}
	at = put_text(PUT(at, ",\"event_type\":\""), e->type);
	at = put_ends(at, e);
	if (e->app_proto)
		at = put_text(PUT(at, ",\"app_proto\":\""), e->app_proto);
	json_resume(&j, at);
	name(&j, "device", e->device);
	name(&j, "peer", e->peer);
	if (EVENT_MAX - j.out.len < FIXED_MAX)
		j.out.bad = true;
	if (!j.out.bad)
		json_resume(&j, put_verdict(buf + j.out.len, e));
	return j;
}

size_t event_end(struct json *j)
{
	json_close(j);
	return j->out.bad ? 0 : j->out.len;
}
