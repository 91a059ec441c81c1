#include "people/auth/sms.h"

#include <errno.h>
#include <strings.h>

static void put(struct writer *w, const char *text)
{
	write_bytes(w, text, strlen(text));
}

/* RFC 3986 §2.1. */
static void put_encoded(struct writer *w, const char *key, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	put(w, key);
	for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || strchr("-._~", *p)) {
			write_u8(w, *p);
		} else {
			write_u8(w, '%');
			write_u8(w, (uint8_t)hex[*p >> 4]);
			write_u8(w, (uint8_t)hex[*p & 15]);
		}
	}
}

int sms_url(const struct sms_gateway *g, const char *to, const char *text, char *ret_url,
	    size_t cap)
{
	struct writer w = writer_new(ret_url, cap);

	put(&w, g->url);
	put_encoded(&w, strchr(g->url, '?') ? "&username=" : "?username=", g->user);
	put_encoded(&w, "&password=", g->password);
	put_encoded(&w, "&to=", to);
	if (*g->from)
		put_encoded(&w, "&from=", g->from);
	put_encoded(&w, "&charset=UTF-8&coding=0&text=", text);
	write_u8(&w, 0);
	return w.bad ? -ENAMETOOLONG : 0;
}

enum sms_state sms_answer(unsigned status)
{
	if (status == 202)
		return SMS_QUEUED;
	return status == 0 || status >= 500 ? SMS_UNAVAILABLE : SMS_REFUSED;
}

bool sms_denies(struct bytes said)
{
	static const char *const words[] = {"error", "fail", "denied", "reject", "invalid"};
	size_t digits = 0;

	while (digits < said.len && said.data[digits] >= '0' && said.data[digits] <= '9')
		digits++;
	if (digits && digits < said.len && said.data[digits] == ':' &&
	    (digits > 1 || (said.data[0] != '0' && said.data[0] != '3')))
		return true;
	for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++) {
		size_t len = strlen(words[w]);

		for (size_t i = 0; i + len <= said.len; i++)
			if (strncasecmp((const char *)said.data + i, words[w], len) == 0)
				return true;
	}
	return false;
}
