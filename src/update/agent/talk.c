#include "update/agent/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"

static const char *const states[TALK_STATES] = {
	[TALK_IDLE] = "idle",
	[TALK_RECEIVED] = "received",
	[TALK_TRIAL] = "trial",
	[TALK_FAILED] = "failed",
};

static const char *const orders[TALK_ORDERS] = {
	[TALK_WAIT] = "wait", [TALK_GET] = "get",   [TALK_INSTALL] = "install",
	[TALK_KEEP] = "keep", [TALK_BACK] = "back", [TALK_BYTES] = "bytes",
};

const char *talk_state_name(enum talk_state s)
{
	return states[s];
}

/* --- reading ------------------------------------------------------------------ */

/* The object of a whole message; NULL where `ret` is not OK. */
static json_t *frame(struct bytes in, enum parse *ret, size_t *ret_used)
{
	struct reader r = reader_new(in.data, in.len);
	uint32_t len = read_be32(&r);
	json_t *o;

	*ret = PARSE_MORE;
	if (r.bad)
		return NULL;
	*ret = PARSE_BAD;
	if (len < 2 || len > TALK_MAX)
		return NULL;
	if (in.len - 4 < len) {
		*ret = PARSE_MORE;
		return NULL;
	}
	o = json_loadb((const char *)in.data + 4, len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return NULL;
	}
	*ret = PARSE_OK;
	*ret_used = 4 + len;
	return o;
}

/* Absent is empty. False: it has another type, is too long, or holds what no name has. */
static bool text(const json_t *o, const char *key, char *ret_text, size_t max)
{
	const json_t *v = json_object_get(o, key);
	size_t len = json_string_length(v);

	*ret_text = 0;
	if (!v)
		return true;
	if (!json_is_string(v) || len >= max)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)json_string_value(v)[i] < ' ')
			return false;
	memcpy(ret_text, json_string_value(v), len + 1);
	return true;
}

static bool number(const json_t *o, const char *key, uint64_t max, uint64_t *ret)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    (uint64_t)json_integer_value(v) > max)
		return false;
	*ret = (uint64_t)json_integer_value(v);
	return true;
}

static int index_of(const char *const *names, unsigned count, const json_t *v)
{
	const char *s = json_string_value(v);

	for (unsigned i = 0; s && i < count; i++)
		if (strcmp(names[i], s) == 0)
			return (int)i;
	return -1;
}

static bool take_report(const json_t *o, struct talk_report *r)
{
	const json_t *healthy = json_object_get(o, "healthy");
	int state = index_of(states, TALK_STATES, json_object_get(o, "state"));
	uint64_t version;

	if (!number(o, "agent", UINT32_MAX, &version) || version != TALK_VERSION || state < 0 ||
	    (healthy && !json_is_boolean(healthy)))
		return false;
	r->state = (enum talk_state)state;
	r->healthy = json_is_true(healthy);
	r->asks = json_object_get(o, "from") != NULL;
	if (r->asks && !number(o, "from", INT64_MAX, &r->from))
		return false;
	return text(o, "vendor", r->vendor, sizeof(r->vendor)) &&
	       text(o, "model", r->model, sizeof(r->model)) &&
	       text(o, "hardware", r->hardware, sizeof(r->hardware)) &&
	       text(o, "serial", r->serial, sizeof(r->serial)) &&
	       text(o, "version", r->version, sizeof(r->version)) &&
	       text(o, "target", r->target, sizeof(r->target)) &&
	       text(o, "text", r->text, sizeof(r->text));
}

enum parse talk_read_report(struct bytes in, struct talk_report *ret_report, size_t *ret_used)
{
	struct talk_report r = {.state = TALK_IDLE};
	enum parse got;
	json_t *o = frame(in, &got, ret_used);

	if (got == PARSE_OK && !take_report(o, &r))
		got = PARSE_BAD;
	json_decref(o);
	if (got == PARSE_OK)
		*ret_report = r;
	return got;
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hash(const json_t *v, uint8_t ret_hash[32])
{
	const char *s = json_string_value(v);

	if (json_string_length(v) != 64)
		return false;
	for (unsigned i = 0; i < 32; i++) {
		int high = nibble(s[2 * i]), low = nibble(s[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret_hash[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool take_order(const json_t *json, struct talk_order *o)
{
	int what = index_of(orders, TALK_ORDERS, json_object_get(json, "do"));
	uint64_t seconds = 0;

	if (what < 0 || !text(json, "target", o->target, sizeof(o->target)) ||
	    !text(json, "version", o->version, sizeof(o->version)))
		return false;
	o->what = (enum talk_do)what;
	if (o->what == TALK_WAIT && !number(json, "seconds", 86400, &seconds))
		return false;
	o->seconds = (uint32_t)seconds;
	if (o->what == TALK_BYTES)
		return number(json, "length", TALK_PIECE, &o->length);
	if (o->what == TALK_GET)
		return *o->target && *o->version && number(json, "length", INT64_MAX, &o->length) &&
		       take_hash(json_object_get(json, "sha256"), o->sha256);
	return o->what != TALK_INSTALL || *o->target;
}

enum parse talk_read_order(struct bytes in, struct talk_order *ret_order, size_t *ret_used)
{
	struct talk_order o = {.what = TALK_WAIT};
	enum parse got;
	json_t *json = frame(in, &got, ret_used);

	if (got == PARSE_OK && !take_order(json, &o))
		got = PARSE_BAD;
	json_decref(json);
	if (got == PARSE_OK)
		*ret_order = o;
	return got;
}

/* --- writing ---------------------------------------------------------------------- */

static size_t finish(struct json *j, uint8_t *data)
{
	json_close(j);
	if (j->out.bad)
		return 0;
	data[0] = (uint8_t)(j->out.len >> 24);
	data[1] = (uint8_t)(j->out.len >> 16);
	data[2] = (uint8_t)(j->out.len >> 8);
	data[3] = (uint8_t)j->out.len;
	return 4 + j->out.len;
}

static void put(struct json *j, const char *key, const char *v)
{
	if (*v)
		json_str(j, key, v);
}

size_t talk_write_report(const struct talk_report *r, uint8_t ret_data[TALK_MAX + 4])
{
	struct json j = json_new((char *)ret_data + 4, TALK_MAX);

	json_open(&j, NULL);
	json_u64(&j, "agent", TALK_VERSION);
	put(&j, "vendor", r->vendor);
	put(&j, "model", r->model);
	put(&j, "hardware", r->hardware);
	put(&j, "serial", r->serial);
	put(&j, "version", r->version);
	json_str(&j, "state", states[r->state]);
	put(&j, "target", r->target);
	put(&j, "text", r->text);
	json_bool(&j, "healthy", r->healthy);
	if (r->asks)
		json_u64(&j, "from", r->from);
	return finish(&j, ret_data);
}

static void put_hash(struct json *j, const uint8_t hash[32])
{
	char hex[HEX_LEN(32)];

	hex_write(hash, 32, hex);
	json_str(j, "sha256", hex);
}

size_t talk_write_order(const struct talk_order *o, uint8_t ret_data[TALK_MAX + 4])
{
	struct json j = json_new((char *)ret_data + 4, TALK_MAX);

	json_open(&j, NULL);
	json_str(&j, "do", orders[o->what]);
	if (o->what == TALK_WAIT)
		json_u64(&j, "seconds", o->seconds);
	put(&j, "target", o->target);
	put(&j, "version", o->version);
	if (o->what == TALK_GET || o->what == TALK_BYTES)
		json_u64(&j, "length", o->length);
	if (o->what == TALK_GET)
		put_hash(&j, o->sha256);
	return finish(&j, ret_data);
}
