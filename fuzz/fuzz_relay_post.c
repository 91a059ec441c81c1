/*
 * What an authentic peer of a relay says besides data, record by record: a first byte says which end
 * and version we are, then type, length and content of each. And the same bytes as a record that
 * nobody sealed, which nothing may come of.
 */
#include <stdlib.h>

#include "seal/relay/relay_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conn *conn_of(struct relay *r, bool is13)
{
	struct traffic_secret s = {.version = is13 ? TLS1_3_VERSION : TLS1_2_VERSION,
				   .suite = is13 ? 0x1301 : 0xc02b,
				   .len = is13 ? 32 : 20};
	struct conn *c = calloc(1, sizeof(*c));

	c->relay = r;
	c->is13 = is13;
	c->seal = traffic_new(&s, true);
	c->open = traffic_new(&s, false);
	return c;
}

static void forged(struct conn *c, struct bytes in)
{
	uint8_t *clear = malloc(in.len + 1), type;
	size_t len;

	if (in.len >= TRAFFIC_HEAD &&
	    traffic_open(c->open, in.data, in.len, clear, &type, &len) == 0)
		abort();
	free(clear);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct relays *rs;
	static struct relay_calls calls;
	struct reader r = reader_new(data, size);
	uint8_t first = read_u8(&r);
	struct relay relay = {.o.tls_in = first & 1};
	struct conn *c;

	if (!rs)
		rs = relays_new(&calls);
	relay.all = rs;
	c = conn_of(&relay, first & 2);
	forged(c, (struct bytes){data, size});
	while (reader_left(&r)) {
		uint8_t type = read_u8(&r);
		struct bytes content = read_bytes(&r, read_u8(&r));
		uint8_t *exact = malloc(content.len + 1);
		const char *text = NULL;
		enum post_said said;

		if (r.bad || c->post.without > 32) {
			free(exact);
			break;
		}
		if (content.len)
			memcpy(exact, content.data, content.len);
		said = post_take(c, type, (struct bytes){exact, content.len}, &text);
		free(exact);
		if (c->post.have > sizeof(c->post.head) || (said == POST_BAD) != (text != NULL) ||
		    rs->sealed_len > 4 * (TRAFFIC_OVER + 8))
			abort();
		rs->sealed_len = 0;
		if (said != POST_NOTHING)
			break;
	}
	traffic_free(c->seal);
	traffic_free(c->open);
	free(c);
	return 0;
}
