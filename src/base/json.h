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

struct json {
	struct writer out;
	bool comma;
};

struct json json_new(char *buf, size_t cap);

void json_open(struct json *j, const char *key); /* "key":{ ; key NULL: { */
void json_close(struct json *j);		 /* } */
void json_list(struct json *j, const char *key); /* "key":[ ; key NULL: [ */
void json_end(struct json *j);			 /* ] */
void json_str(struct json *j, const char *key, const char *v);
void json_text(struct json *j, const char *key, struct bytes v);
void json_u64(struct json *j, const char *key, uint64_t v);
void json_i64(struct json *j, const char *key, int64_t v);
void json_dbl(struct json *j, const char *key, double v);
void json_bool(struct json *j, const char *key, bool v);
/* Is it UTF-8 throughout (RFC 3629 §4)? */
bool json_is_utf8(struct bytes v);
/* A value that is JSON already, copied as it is. */
void json_raw(struct json *j, const char *key, struct bytes v);

#endif
