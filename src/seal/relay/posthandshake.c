#include "seal/relay/relay_internal.h"

#define NEW_SESSION_TICKET 4
#define KEY_UPDATE	   24
#define TICKET_MAX	   (1u << 17) /* it is passed over; OpenSSL takes as much */
#define WITHOUT_MAX	   32	      /* records in a row that bring no data */
#define RENEW_RECORDS	   (1u << 22) /* of a key of ours: a new one costs nothing beside them */

void post_alert(struct conn *c, uint8_t alert)
{
	uint8_t text[2] = {SSL3_AL_FATAL, alert};

	(void)secure_put(c, SSL3_RT_ALERT, text, sizeof(text));
}

static enum post_said bad(struct conn *c, uint8_t alert, const char *why, const char **ret_text)
{
	post_alert(c, alert);
	*ret_text = why;
	return POST_BAD;
}

static bool put_update(struct conn *c)
{
	static const uint8_t update[] = {KEY_UPDATE, 0, 0, 1, 0 /* none is asked for */};

	return secure_put(c, SSL3_RT_HANDSHAKE, update, sizeof(update)) &&
	       traffic_renew(c->seal) == 0;
}

bool post_renew(struct conn *c)
{
	if (c->records < RENEW_RECORDS)
		return true;
	c->records = 0;
	return !c->is13 || put_update(c);
}

/* RFC 8446 §6, RFC 5246 §7.2: all but two end the conversation, as far as it is known. */
static enum post_said take_alert(struct conn *c, struct bytes content, const char **ret_text)
{
	if (content.len != 2)
		return bad(c, SSL_AD_DECODE_ERROR, "an alert has a wrong length", ret_text);
	if (content.data[1] == SSL_AD_CLOSE_NOTIFY)
		return POST_END;
	if (content.data[1] == SSL_AD_USER_CANCELLED ||
	    (content.data[0] == SSL3_AL_WARNING && !c->is13))
		return POST_NOTHING;
	*ret_text = SSL_alert_desc_string_long(content.data[1]);
	return POST_BAD;
}

/* RFC 8446 §4.6.3 */
static enum post_said take_update(struct conn *c, size_t behind, const char **ret_text)
{
	if (behind) /* by which key? §5.1 */
		return bad(c, SSL_AD_UNEXPECTED_MESSAGE, "more stands behind a KeyUpdate",
			   ret_text);
	if (c->post.wish > 1)
		return bad(c, SSL_AD_ILLEGAL_PARAMETER, "a KeyUpdate asks for nothing known",
			   ret_text);
	if (traffic_renew(c->open) < 0 || (c->post.wish == 1 && !c->farewell && !put_update(c)))
		return bad(c, SSL_AD_INTERNAL_ERROR, "the next key cannot be made", ret_text);
	return POST_NOTHING;
}

/* The four bytes that begin a message are there: may it come? */
static bool is_due(const struct conn *c)
{
	const struct post *p = &c->post;

	if (p->head[0] == KEY_UPDATE)
		return p->left == 1;
	return p->head[0] == NEW_SESSION_TICKET && !c->relay->o.tls_in && p->left &&
	       p->left <= TICKET_MAX;
}

/* Messages may lie across records, or several in one. */
static enum post_said take_messages(struct conn *c, struct bytes content, const char **ret_text)
{
	struct post *p = &c->post;
	enum post_said said = POST_NOTHING;

	for (size_t i = 0; i < content.len && said == POST_NOTHING;) {
		size_t n;

		if (p->have < sizeof(p->head)) {
			p->head[p->have++] = content.data[i++];
			p->left =
				(uint32_t)p->head[1] << 16 | (uint32_t)p->head[2] << 8 | p->head[3];
			if (p->have == sizeof(p->head) && !is_due(c))
				return bad(c, SSL_AD_UNEXPECTED_MESSAGE,
					   "a message of the handshake comes after it", ret_text);
			continue;
		}
		n = content.len - i < p->left ? content.len - i : p->left;
		p->wish = content.data[i];
		p->left -= (uint32_t)n;
		i += n;
		if (p->left)
			break;
		p->have = 0;
		if (p->head[0] == KEY_UPDATE)
			said = take_update(c, content.len - i, ret_text);
	}
	return said;
}

/* RFC 5746 §4: whoever wants to negotiate anew is told no. */
static enum post_said take_hello(struct conn *c, const char **ret_text)
{
	static const uint8_t no[] = {SSL3_AL_WARNING, SSL_AD_NO_RENEGOTIATION};

	if (c->farewell || secure_put(c, SSL3_RT_ALERT, no, sizeof(no)))
		return POST_NOTHING;
	*ret_text = "no record can be made";
	return POST_BAD;
}

enum post_said post_take(struct conn *c, uint8_t type, struct bytes content, const char **ret_text)
{
	if (++c->post.without > WITHOUT_MAX)
		return bad(c, SSL_AD_UNEXPECTED_MESSAGE, "records that bring nothing do not end",
			   ret_text);
	if (type == SSL3_RT_HANDSHAKE && content.len)
		return c->is13 ? take_messages(c, content, ret_text) : take_hello(c, ret_text);
	if (c->post.have) /* RFC 8446 §5.1 */
		return bad(c, SSL_AD_UNEXPECTED_MESSAGE,
			   "a message of the handshake is interrupted", ret_text);
	if (type == SSL3_RT_ALERT)
		return take_alert(c, content, ret_text);
	if (type == SSL3_RT_APPLICATION_DATA) /* empty: RFC 8446 §5.1 allows it */
		return POST_NOTHING;
	return bad(c, SSL_AD_UNEXPECTED_MESSAGE, "a record is of a kind that is over", ret_text);
}
