#include "seal/age/identity.h"
#include "seal/age/stanza.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct age_identities *ids;

/* A header that was read is written again, stanza by stanza, and must be what it was. */
static void write_again(const struct age_header *h)
{
	static const uint8_t key[AGE_FILE_KEY];
	size_t room = h->text.len + 64;
	struct writer w = writer_new(malloc(room), room);
	struct reader r = {.in = h->stanzas};
	struct age_stanza s;
	unsigned count = 0;

	age_header_begin(&w);
	for (; age_stanza_next(&r, &s); count++) {
		char *args = malloc(s.args.len + 1);
		uint8_t *body = malloc(s.body_len + 1);

		memcpy(args, s.args.data, s.args.len);
		args[s.args.len] = 0;
		if (age_stanza_body(&s, body, s.body_len) < 0)
			__builtin_trap();
		for (unsigned i = 0; i < s.arg_count; i++)
			if (!age_stanza_arg(&s, i).len)
				__builtin_trap();
		age_header_stanza(&w, args, body, s.body_len);
		free(body);
		free(args);
	}
	if (r.bad || count != h->stanza_count || age_header_end(&w, key) < 0 ||
	    w.len != h->text.len || memcmp(w.data, h->text.data, h->sealed.len) != 0)
		__builtin_trap();
	free(w.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char key[] =
		"AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
	uint8_t file_key[AGE_FILE_KEY];
	struct age_header h;
	unsigned log_n = 0;

	if (!ids) {
		ids = age_identities_new();
		age_identities_add(ids, (struct bytes){(const uint8_t *)key, sizeof(key) - 1});
		/* A limit that lets one input take no time worth mentioning. */
		age_identities_passphrase(ids, (struct bytes){(const uint8_t *)"x", 1}, 4);
	}
	if (age_header_read((struct bytes){data, len}, &h) != PARSE_OK)
		return 0;
	write_again(&h);
	if (age_header_work(&h, &log_n) == 0 && h.stanza_count < 100 &&
	    age_identities_unwrap(ids, &h, file_key) == 0)
		(void)age_header_check(&h, file_key);
	return 0;
}
