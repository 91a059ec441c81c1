#include "keep/person.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/cipher.h"
#include "base/event.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/secret.h"
#include "keep/keys.h"
#include "base/base64.h"

#define SEALED	    "sealed:"
#define HASHED	    "hashed:"
#define WITHHELD    "withheld"
#define FOR_EVENTS  "events"
#define FOR_HASHES  "event-hashes"
#define VALUE_MAX   1024 /* bytes of one value; what is longer is withheld */
#define HASH_DIGITS 16

/*
 * Where in an event, of whatever type, a person may be named. A list stands for all
 * of its entries, an object for every text in it. What is not here names machines
 * and software: host names of servers, certificates, application entities. Those
 * of one object stand together.
 */
static const char *const places[] = {
	"http.url",
	"http.http_refer",
	"http.redirect",
	"coap.uri_path",
	"coap.uri_query",
	"coap.proxy_uri",
	"ftp.command_data",
	"ftp.reply",
	"smb.filename",
	"smb.share",
	"tftp.file",
	"sip.uri",
	"mqtt.connect.client_id",
	"mqtt.connect.username",
	"mqtt.connect.will",
	"mqtt.connect.properties",
	"mqtt.connack.properties",
	"mqtt.publish.topic",
	"mqtt.publish.properties",
	"mqtt.subscribe.topics",
	"mqtt.subscribe.properties",
	"mqtt.unsubscribe.topics",
	"mqtt.unsubscribe.properties",
	"snmp.usm",
	"rdp.cookie",
	"ldap.name",
	"rfb.framebuffer.name",
	"dhcp.hostname",
	"inventory.name",
	"fileinfo.filename",
};
#define PLACES (sizeof(places) / sizeof(*places))

struct person {
	struct keys *keys;
	uint8_t *plain; /* VALUE_MAX bytes of locked memory */
};

struct person *person_new(struct keys *keys)
{
	struct person *p = calloc(1, sizeof(*p));

	if (p)
		p->plain = secret_new(VALUE_MAX);
	if (p && p->plain) {
		p->keys = keys;
		return p;
	}
	person_free(p);
	errno = ENOMEM;
	return NULL;
}

void person_free(struct person *p)
{
	if (!p)
		return;
	secret_free(p->plain, VALUE_MAX);
	free(p);
}

/* --- hiding -------------------------------------------------------------------------- */

/* One line on its way; `tell`: for the event file. */
struct hiding {
	struct person *p;
	uint64_t wall_ns;
	bool tell, withhold;
	bool any;
};

static bool seal(struct hiding *h, struct bytes plain, char *ret_text)
{
	uint8_t sealed[VALUE_MAX + KEYS_WRAP];

	if (keys_wrap(h->p->keys, FOR_EVENTS, keys_day(h->wall_ns), plain, sealed) < 0)
		return false;
	memcpy(ret_text, SEALED, sizeof(SEALED));
	base64_write(sealed, plain.len + KEYS_WRAP, ret_text + sizeof(SEALED) - 1);
	ret_text[sizeof(SEALED) - 1 + BASE64_LEN(plain.len + KEYS_WRAP)] = 0;
	return true;
}

static bool hash(struct hiding *h, struct bytes plain, char *ret_text)
{
	uint8_t sum[CRYPTO_HASH];
	const uint8_t *key;
	uint32_t id;

	if (keys_sealing(h->p->keys, FOR_HASHES, KEYS_ALWAYS, &id, &key) < 0 ||
	    crypto_hmac((struct bytes){key, CRYPTO_KEY}, plain, sum) < 0)
		return false;
	memcpy(ret_text, HASHED, sizeof(HASHED));
	hex_write(sum, HASH_DIGITS / 2, ret_text + sizeof(HASHED) - 1);
	return true;
}

static json_t *hide_text(struct hiding *h, const json_t *value)
{
	static char text[sizeof(SEALED) + BASE64_LEN(VALUE_MAX + KEYS_WRAP) + 4];
	struct bytes plain = {(const uint8_t *)json_string_value(value), json_string_length(value)};
	bool done = false;

	h->any = true;
	if (h->p->keys && !h->withhold && plain.len <= VALUE_MAX)
		done = h->tell ? hash(h, plain, text) : seal(h, plain, text);
	return json_string(done ? text : WITHHELD);
}

/* The value with every text in it hidden: itself, or a new one; NULL: no memory. */
static json_t *hide_all(struct hiding *h, json_t *value)
{
	const char *key;
	json_t *v;
	size_t i;
	void *next;

	if (json_is_string(value))
		return json_string_length(value) ? hide_text(h, value) : json_incref(value);
	json_array_foreach (value, i, v) {
		json_t *hidden = hide_all(h, v);

		if (!hidden || json_array_set_new(value, i, hidden) < 0)
			return NULL;
	}
	json_object_foreach_safe(value, next, key, v)
	{
		json_t *hidden = hide_all(h, v);

		if (!hidden || json_object_set_new(value, key, hidden) < 0)
			return NULL;
	}
	return json_incref(value);
}

/* False: no memory, and the line must not be written anywhere. */
static bool hide_at(struct hiding *h, json_t *object, const char *path)
{
	const char *dot = strchr(path, '.');
	char key[64];
	json_t *value, *hidden;

	snprintf(key, sizeof(key), "%.*s", dot ? (int)(dot - path) : (int)strlen(path), path);
	value = json_object_get(object, key);
	if (!value)
		return true;
	if (dot)
		return hide_at(h, value, dot + 1);
	hidden = hide_all(h, value);
	return hidden && json_object_set_new(object, key, hidden) == 0;
}

static char *hidden_line(struct person *p, const json_t *event, uint64_t wall_ns, bool tell,
			 bool withhold, bool *ret_any)
{
	struct hiding h = {.p = p, .wall_ns = wall_ns, .tell = tell, .withhold = withhold};
	json_t *copy = json_deep_copy(event);
	bool whole = copy != NULL;
	char *line = NULL;

	for (size_t i = 0; whole && i < PLACES; i++)
		whole = hide_at(&h, copy, places[i]);
	*ret_any = h.any || !whole;
	if (whole && h.any)
		line = json_dumps(copy, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(copy);
	/* Sealed, a value is longer: what makes a line too long for the store is left out of it. */
	if (line && strlen(line) > EVENT_MAX && !withhold) {
		free(line);
		return hidden_line(p, event, wall_ns, tell, true, ret_any);
	}
	return line;
}

/* Most lines have none of the objects: those are not even parsed. */
static bool may_name(struct bytes line)
{
	char key[64];

	for (size_t i = 0; i < PLACES; i++) {
		int len = (int)strcspn(places[i], ".");

		if (i && strncmp(places[i], places[i - 1], (size_t)len + 1) == 0)
			continue;
		len = snprintf(key, sizeof(key), "\"%.*s\":", len, places[i]);
		if (memmem(line.data, line.len, key, (size_t)len))
			return true;
	}
	return false;
}

bool person_hide(struct person *p, struct bytes line, uint64_t wall_ns, char **ret_stored,
		 char **ret_told)
{
	json_t *event =
		may_name(line) ? json_loadb((const char *)line.data, line.len, JSON_ALLOW_NUL, NULL)
			       : NULL;
	char *stored = NULL, *told = NULL;
	bool any = false;

	if (json_is_object(event))
		stored = hidden_line(p, event, wall_ns, false, false, &any);
	if (any)
		told = hidden_line(p, event, wall_ns, true, false, &any);
	json_decref(event);
	if (!any)
		return false;
	*ret_stored = stored;
	*ret_told = told;
	return true;
}

/* --- opening --------------------------------------------------------------------------- */

/* The characters that base64_write() writes. */
static size_t span(struct bytes text)
{
	size_t n = 0;

	while (n < text.len && (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789+/",
				       text.data[n]) &&
				text.data[n]))
		n++;
	return n;
}

/* What was sealed, as it stands in a JSON text or by itself. */
static void write_opened(struct person *p, struct writer *w, struct bytes code, bool quoted)
{
	uint8_t sealed[VALUE_MAX + KEYS_WRAP];
	struct bytes plain = {(const uint8_t *)WITHHELD, sizeof(WITHHELD) - 1};
	char text[6 * VALUE_MAX + 8];
	struct json j = json_new(text, sizeof(text));
	size_t len;

	if (p && p->keys && base64_read(code, sealed, sizeof(sealed), &len) == 0 &&
	    len >= KEYS_WRAP &&
	    keys_unwrap(p->keys, FOR_EVENTS, (struct bytes){sealed, len}, p->plain) == 0)
		plain = (struct bytes){p->plain, len - KEYS_WRAP};
	if (!quoted) {
		write_bytes(w, plain.data, plain.len);
		return;
	}
	json_text(&j, NULL, plain); /* "…", its quotes with it */
	if (!j.out.bad)
		write_bytes(w, text + 1, j.out.len - 2);
	secret_wipe(text, sizeof(text));
}

static const uint8_t *find_sealed(struct bytes text)
{
	return memmem(text.data, text.len, SEALED, sizeof(SEALED) - 1);
}

/* A value begins there: behind a quote that is not itself part of a text, or at the start. */
static bool is_value(struct bytes all, const uint8_t *at)
{
	if (at == all.data)
		return true;
	return at[-1] == '"' && (at - 1 == all.data || at[-2] != '\\');
}

char *person_open(struct person *p, struct bytes text, size_t *ret_len)
{
	const uint8_t *at = find_sealed(text);
	struct bytes rest = text;
	struct writer w;

	if (!at)
		return NULL;
	w = writer_new(malloc(6 * text.len + 64), 6 * text.len + 64);
	for (; w.data && (at = find_sealed(rest)) != NULL;) {
		struct bytes code = {at + sizeof(SEALED) - 1, 0};

		write_bytes(&w, rest.data, (size_t)(at - rest.data));
		code.len = (size_t)(rest.data + rest.len - code.data);
		rest = code;
		code.len = span(code);
		if (is_value(text, at))
			write_opened(p, &w, code, at != text.data);
		else
			write_bytes(&w, at, sizeof(SEALED) - 1 + code.len);
		rest = (struct bytes){code.data + code.len, rest.len - code.len};
	}
	write_bytes(&w, rest.data, rest.len);
	if (!w.data || w.bad) {
		free(w.data);
		return NULL;
	}
	*ret_len = w.len;
	return (char *)w.data;
}

bool person_is_hidden(const char *value)
{
	return strcmp(value, WITHHELD) == 0 || strncmp(value, HASHED, sizeof(HASHED) - 1) == 0 ||
	       strncmp(value, SEALED, sizeof(SEALED) - 1) == 0;
}
