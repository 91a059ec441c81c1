#ifndef BEDWARDEN_BASE_JSON_H
#define BEDWARDEN_BASE_JSON_H
/*
 * A small JSON writer for the event path: one object into a caller's buffer,
 * no allocation, always valid UTF-8 JSON (RFC 8259). Bytes that are no UTF-8
 * are written as \u00XX, so that nothing a peer sends can break a log line.
 * A full buffer sets `bad` and the line is to be discarded. For reading JSON,
 * and off the hot path, use jansson.
 */
#include "base/bytes.h"
#include "base/digits.h"

/*
 * At out.len stands what the next member follows: a comma, or the bracket that was opened last. So no
 * member asks whether it is the first, and what closes an object is written over the comma. What is
 * whole is out.len bytes long. Of what is not begun yet, out.len is one below zero.
 */
struct json {
	struct writer out;
};

struct json json_new(char *buf, size_t cap);

/* A key with its length, which the compiler knows where the key is written out. */
struct json_key {
	const char *name; /* NULL: an item of a list */
	size_t len;
};

static inline struct json_key json_key(const char *name)
{
	return (struct json_key){name, name ? strlen(name) : 0};
}

/* A compiler that counts calls takes these for too large, and a key's length for unknown then. */
#define EVENT_INLINE static inline __attribute__((always_inline))

/* What does not fit any more leaves no room for anything else. */
static inline void json_fail(struct json *j)
{
	j->out.bad = true;
	j->out.cap = j->out.len;
}

/*
 * Begins a member: its key where it has one, and room for `room` bytes more and for a comma.
 * Where they go; NULL where the line is full. The value ends in json_resume().
 * Inline, so that a key that is written out costs a store or two and no length.
 */
EVENT_INLINE char *json_member(struct json *j, struct json_key key, size_t room)
{
	char *at = (char *)j->out.data + (j->out.len + 1);

	if (__builtin_expect(key.len + 5 + room > j->out.cap - j->out.len, 0)) {
		json_fail(j);
		return NULL;
	}
	if (!key.name)
		return at;
	*at = '"';
	if (__builtin_constant_p(key.len))
		memcpy(at + 1, key.name, key.len);
	else
		bytes_copy_short(at + 1, key.name, key.len);
	memcpy(at + 1 + key.len, "\":", 2);
	return at + key.len + 3;
}

/* Members of an object that is open were written up to `end` by the caller itself, at least one. */
EVENT_INLINE void json_resume(struct json *j, char *end)
{
	*end = ',';
	j->out.len = (size_t)(end - (const char *)j->out.data);
}

/* A text's value at `at`, where a member of v.len + 2 bytes was begun. */
void json_value_text(struct json *j, char *at, struct bytes v);

/* The same of a word of ours, in which nothing needs an escape. */
EVENT_INLINE void json_value_name(struct json *j, char *at, struct bytes v)
{
	*at = '"';
	bytes_copy_short(at + 1, v.data, v.len);
	at[v.len + 1] = '"';
	json_resume(j, at + v.len + 2);
}

void json_dbl(struct json *j, const char *key, double v);

EVENT_INLINE void json_begin(struct json *j, struct json_key key, char bracket)
{
	char *at = json_member(j, key, 1);

	if (!at)
		return;
	*at = bracket;
	j->out.len = (size_t)(at - (const char *)j->out.data);
}

EVENT_INLINE void json_finish(struct json *j, char bracket)
{
	char *at = (char *)j->out.data + j->out.len;

	if (__builtin_expect(j->out.cap - j->out.len < 3, 0)) {
		json_fail(j);
		return;
	}
	at += *at != ',';
	*at = bracket;
	json_resume(j, at + 1);
}

EVENT_INLINE void json_put_text(struct json *j, struct json_key key, struct bytes v)
{
	char *at = json_member(j, key, v.len + 2);

	if (at)
		json_value_text(j, at, v);
}

EVENT_INLINE void json_put_u64(struct json *j, struct json_key key, uint64_t v)
{
	char *at = json_member(j, key, DIGITS_MAX);

	if (at)
		json_resume(j, digits_decimal(at, v));
}

EVENT_INLINE void json_put_raw(struct json *j, struct json_key key, struct bytes v)
{
	char *at = json_member(j, key, v.len);

	if (!at)
		return;
	bytes_copy_short(at, v.data, v.len);
	json_resume(j, at + v.len);
}

EVENT_INLINE void json_open(struct json *j, const char *key) /* "key":{ ; key NULL: { */
{
	json_begin(j, json_key(key), '{');
}

EVENT_INLINE void json_close(struct json *j) /* } */
{
	json_finish(j, '}');
}

EVENT_INLINE void json_list(struct json *j, const char *key) /* "key":[ ; key NULL: [ */
{
	json_begin(j, json_key(key), '[');
}

EVENT_INLINE void json_end(struct json *j) /* ] */
{
	json_finish(j, ']');
}

EVENT_INLINE void json_text(struct json *j, const char *key, struct bytes v)
{
	json_put_text(j, json_key(key), v);
}

EVENT_INLINE void json_str(struct json *j, const char *key, const char *v)
{
	json_text(j, key, (struct bytes){(const uint8_t *)v, strlen(v)});
}

/* A word of ours, in which nothing needs an escape, as a table has them. */
#define WORD(text)                                        \
	{                                                 \
		(const uint8_t *)(text), sizeof(text) - 1 \
	}

EVENT_INLINE void json_word(struct json *j, const char *key, struct bytes word)
{
	char *at = json_member(j, json_key(key), word.len + 2);

	if (at)
		json_value_name(j, at, word);
}

/* A word of ours: the same by its name alone. */
EVENT_INLINE void json_name(struct json *j, const char *key, const char *v)
{
	json_word(j, key, (struct bytes){(const uint8_t *)v, strlen(v)});
}

EVENT_INLINE void json_u64(struct json *j, const char *key, uint64_t v)
{
	json_put_u64(j, json_key(key), v);
}

void json_i64(struct json *j, const char *key, int64_t v);

/* A value that is JSON already, copied as it is. */
EVENT_INLINE void json_raw(struct json *j, const char *key, struct bytes v)
{
	json_put_raw(j, json_key(key), v);
}

EVENT_INLINE void json_put_bool(struct json *j, struct json_key key, bool v)
{
	json_put_raw(j, key, (struct bytes){(const uint8_t *)(v ? "true" : "false"), v ? 4 : 5});
}

EVENT_INLINE void json_bool(struct json *j, const char *key, bool v)
{
	json_put_bool(j, json_key(key), v);
}

/* Is it UTF-8 throughout (RFC 3629 §4)? */
bool json_is_utf8(struct bytes v);

#endif
