#ifndef BEDWARDEN_PEOPLE_AUTH_SMS_H
#define BEDWARDEN_PEOPLE_AUTH_SMS_H
/*
 * A message for a telephone, as Kannel's `sendsms` and those that imitate it take it: one
 * GET over HTTP. What its answer is worth: that the gateway took it, never that it arrived.
 */
#include "base/bytes.h"

#define SMS_URL_MAX 1024

struct sms_gateway {
	const char *url; /* "http://10.0.0.20:13013/cgi-bin/sendsms" */
	const char *user, *password;
	const char *from; /* "" its own */
};

/* What is asked, everything percent-encoded, the text as UTF-8. -ENAMETOOLONG. */
int sms_url(const struct sms_gateway *g, const char *to, const char *text, char *ret_url,
	    size_t cap);

#define SMS_DENIED 299 /* for a status: a yes whose text is a no, or has no end */

enum sms_state {
	SMS_QUEUED,	 /* 202: taken, to be sent now or later */
	SMS_REFUSED,	 /* wrong name or password, or not a number that it sends to */
	SMS_UNAVAILABLE, /* nobody answered, or it cannot just now */
};
/* `status` is HTTP's; 0: nobody answered. Whatever is not plainly a yes is none. */
enum sms_state sms_answer(unsigned status);
/*
 * Does the text of an answer deny what its status says? Kannel's begins with "0: " where a message was
 * accepted and "3: " where it was queued; another number, or a word like "error", is a no.
 */
bool sms_denies(struct bytes said);

#endif
