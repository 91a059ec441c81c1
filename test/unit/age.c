/* age v1: whole files, as they should be and as somebody altered them. */
#include "age_text.h"

#include <errno.h>
#include <stdio.h>

#include "base/crypto.h"
#include "seal/age/age.h"
#include "seal/age/armor.h"
#include "seal/age/identity.h"
#include "seal/age/stanza.h"
#include "seal/age/stream.h"

struct memory {
	struct bytes in;
	size_t off, step;
	size_t fail_at; /* where reading or writing gives an error */
	int error;
	uint8_t *out;
	size_t len, room;
};

static ssize_t read_memory(void *arg, void *data, size_t max)
{
	struct memory *m = arg;
	size_t n = m->in.len - m->off;

	if (m->error && m->off >= m->fail_at)
		return m->error;
	if (m->error && n > m->fail_at - m->off)
		n = m->fail_at - m->off;
	n = n < max ? n : max;
	if (m->step && n > m->step)
		n = m->step;
	if (n)
		memcpy(data, m->in.data + m->off, n);
	m->off += n;
	return (ssize_t)n;
}

static int write_memory(void *arg, const void *data, size_t len)
{
	struct memory *m = arg;

	if (m->error && m->len + len > m->fail_at)
		return m->error;
	if (m->len + len > m->room) {
		m->room = (m->len + len) * 2;
		m->out = realloc(m->out, m->room);
		assert_non_null(m->out);
	}
	if (len)
		memcpy(m->out + m->len, data, len);
	m->len += len;
	return 0;
}

struct fixture {
	struct age_engine *engine;
	struct age_recipients *to;
	struct age_identities *ids;
};

static int set_up(void **state)
{
	static struct fixture f;

	f.engine = age_engine_new(3);
	f.to = age_recipients_new();
	f.ids = age_identities_new();
	assert_int_equal(age_identities_add(f.ids, text_of(SPEC_IDENTITY)), 0);
	assert_int_equal(age_recipients_add(f.to, text_of(SPEC_RECIPIENT)), 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	age_engine_free(f->engine);
	age_recipients_free(f->to);
	age_identities_free(f->ids);
	return 0;
}

/* The caller frees its data. */
static struct bytes seal(struct fixture *f, struct bytes plain, bool armor)
{
	struct memory in = {.in = plain}, out = {.len = 0};
	struct age_seal_options o = {.recipients = f->to, .armor = armor};
	struct age_result result;

	assert_int_equal(
		age_seal(f->engine, &o, &(struct age_input){.read = read_memory, .arg = &in},
			 &(struct age_output){.write = write_memory, .arg = &out}, &result),
		0);
	assert_int_equal(result.plain, plain.len);
	return (struct bytes){out.out, out.len};
}

static int open_from(struct fixture *f, struct memory *in, struct memory *out)
{
	struct age_open_options o = {.unwrap = age_identities_unwrap, .unwrap_arg = f->ids};
	struct age_result result;
	int r = age_open(f->engine, &o, &(struct age_input){.read = read_memory, .arg = in},
			 &(struct age_output){.write = write_memory, .arg = out}, &result);

	if (r != -ENOSPC)
		assert_int_equal(result.plain, out->len);
	return r;
}

/* What came out must be the first `want` bytes of `plain`. */
static void open_expect(struct fixture *f, struct bytes sealed, struct bytes plain, int error,
			size_t want)
{
	struct bytes exact = unit_exact(sealed.data, sealed.len);
	struct memory in = {.in = exact}, out = {.len = 0};
	int r = open_from(f, &in, &out);

	if (r != error || out.len != want)
		fail_msg("gives %d and %zu bytes, not %d and %zu", r, out.len, error, want);
	if (want)
		assert_memory_equal(out.out, plain.data, want);
	free(out.out);
	free((void *)exact.data);
}

static struct bytes make_plain(size_t len)
{
	uint8_t *data = malloc(len + 1);
	uint32_t x = (uint32_t)len + 1;

	assert_non_null(data);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24);
	}
	return (struct bytes){data, len};
}

static const size_t lengths[] = {0,	 1,	 15,	  16,	   47,	    48,	    49,
				 65535,	 65536,	 65537,	  131071,  131072,  131073, 524287,
				 524288, 524289, 1048575, 1048576, 1048577, 2000000};

static void every_length_comes_back(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		for (int armor = 0; armor < 2; armor++) {
			struct bytes plain = make_plain(lengths[i]);
			struct bytes sealed = seal(f, plain, armor);
			uint64_t back = 0;

			open_expect(f, sealed, plain, 0, plain.len);
			if (!armor) {
				size_t head = sealed.len - stream_sealed_len(plain.len);

				assert_memory_equal(sealed.data + head - 1, "\n", 1);
				assert_true(stream_plain_len(sealed.len - head, &back));
				assert_int_equal(back, plain.len);
			}
			free((void *)sealed.data);
			free((void *)plain.data);
		}
}

static size_t header_len(struct bytes sealed)
{
	struct age_header h;

	assert_int_equal(age_header_read(sealed, &h), PARSE_OK);
	return h.text.len;
}

static void a_file_cut_anywhere_gives_only_whole_chunks(void **state)
{
	struct fixture *f = *state;
	struct bytes plain = make_plain(3 * AGE_CHUNK + 1000);
	struct bytes sealed = seal(f, plain, false);
	size_t head = header_len(sealed), body = head + AGE_PAYLOAD_NONCE;

	for (size_t cut = 0; cut < body + 40; cut++)
		open_expect(f, (struct bytes){sealed.data, cut}, plain,
			    cut < head ? -EPROTO : -EBADMSG, 0);
	for (size_t chunk = 1; chunk <= 4; chunk++) {
		size_t end = body + chunk * (size_t)AGE_SEALED_CHUNK;

		for (int off = -17; off <= 17; off++) {
			size_t cut = end + (size_t)off;

			if (cut < sealed.len)
				open_expect(f, (struct bytes){sealed.data, cut}, plain, -EBADMSG,
					    (off < 0 ? chunk - 1 : chunk) * AGE_CHUNK);
		}
	}
	for (size_t cut = sealed.len - 40; cut < sealed.len; cut++)
		open_expect(f, (struct bytes){sealed.data, cut}, plain, -EBADMSG,
			    3 * (size_t)AGE_CHUNK);
	free((void *)sealed.data);
	free((void *)plain.data);
}

/* Every bit of a small file; what is let pass may only be white space around the armor. */
static void no_bit_can_be_altered(void **state)
{
	struct fixture *f = *state;
	struct bytes plain = make_plain(40);

	for (int armor = 0; armor < 2; armor++) {
		struct bytes sealed = seal(f, plain, armor);
		uint8_t *data = (uint8_t *)sealed.data;

		for (size_t bit = 0; bit < sealed.len * 8; bit++) {
			struct memory in = {.in = sealed}, out = {.len = 0};
			int r;

			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			r = open_from(f, &in, &out);
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (r == 0) {
				assert_true(armor && bit / 8 == sealed.len - 1);
				assert_int_equal(out.len, plain.len);
			} else {
				assert_int_equal(out.len, 0);
			}
			free(out.out);
		}
		free((void *)sealed.data);
	}
	free((void *)plain.data);
}

/* The payload of `sealed` put together anew out of its chunks. */
static void rearranged(struct fixture *f, struct bytes sealed, struct bytes plain,
		       const char *order, size_t want)
{
	size_t body = header_len(sealed) + AGE_PAYLOAD_NONCE, len = body;
	uint8_t *data = malloc(body + strlen(order) * AGE_SEALED_CHUNK);

	memcpy(data, sealed.data, body);
	for (; *order; order++) {
		size_t from = body + (size_t)(*order - '0') * AGE_SEALED_CHUNK;
		size_t n =
			sealed.len - from < AGE_SEALED_CHUNK ? sealed.len - from : AGE_SEALED_CHUNK;

		memcpy(data + len, sealed.data + from, n);
		len += n;
	}
	open_expect(f, (struct bytes){data, len}, plain, -EBADMSG, want * AGE_CHUNK);
	free(data);
}

static void chunks_cannot_be_moved(void **state)
{
	struct fixture *f = *state;
	struct bytes plain = make_plain(4 * AGE_CHUNK), sealed = seal(f, plain, false);

	rearranged(f, sealed, plain, "0213", 1); /* swapped */
	rearranged(f, sealed, plain, "1023", 0);
	rearranged(f, sealed, plain, "00123", 1); /* repeated */
	rearranged(f, sealed, plain,
		   "0123"
		   "3",
		   4);
	rearranged(f, sealed, plain, "01233", 4);
	rearranged(f, sealed, plain, "023", 1); /* left out */
	rearranged(f, sealed, plain, "3", 0);
	rearranged(f, sealed, plain, "012", 3);
	rearranged(f, sealed, plain, "01230", 4); /* followed by something */
	rearranged(f, sealed, plain, "", 0);
	free((void *)sealed.data);
	free((void *)plain.data);
}

static void a_chunk_altered_late_lets_the_ones_before_it_out(void **state)
{
	struct fixture *f = *state;
	struct bytes plain = make_plain(40 * AGE_CHUNK), sealed = seal(f, plain, false);
	size_t body = header_len(sealed) + AGE_PAYLOAD_NONCE;

	for (size_t chunk = 0; chunk < 40; chunk++) {
		uint8_t *at = (uint8_t *)sealed.data + body + chunk * AGE_SEALED_CHUNK;

		at[chunk * 1000] ^= 0x40;
		open_expect(f, sealed, plain, -EBADMSG, chunk * AGE_CHUNK);
		at[chunk * 1000] ^= 0x40;
	}
	open_expect(f, sealed, plain, 0, plain.len);
	free((void *)sealed.data);
	free((void *)plain.data);
}

static void armor_broken_late_lets_the_chunks_before_it_out(void **state)
{
	struct fixture *f = *state;
	struct bytes plain = make_plain(2 * AGE_CHUNK + 100), sealed = seal(f, plain, true);
	uint8_t *data = (uint8_t *)sealed.data;
	char *end;

	data[sealed.len / 2 + 3000] = '*';
	open_expect(f, sealed, plain, -EILSEQ, AGE_CHUNK);
	free((void *)sealed.data);
	/* The last chunk is whole, but what follows the armor is not white space. */
	sealed = seal(f, plain, true);
	end = realloc((void *)sealed.data, sealed.len + 8);
	memcpy(end + sealed.len, "garbage\n", 8);
	open_expect(f, (struct bytes){(uint8_t *)end, sealed.len + 8}, plain, -EILSEQ,
		    2 * (size_t)AGE_CHUNK);
	free(end);
	free((void *)plain.data);
}

static void armor_is_read_strictly(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n",
		 true},
		{"-----BEGIN AGE ENCRYPTED FILE-----\r\nAAAA\r\n-----END AGE ENCRYPTED FILE-----",
		 true},
		{" \n\n\r\t\n-----BEGIN AGE ENCRYPTED FILE-----\nAA==\n"
		 "-----END AGE ENCRYPTED FILE-----\n\n \t",
		 true},
		{"-----BEGIN AGE ENCRYPTED FILE-----\n" LINE64
		 "\n-----END AGE ENCRYPTED FILE-----\n",
		 true},
		{"-----BEGIN AGE ENCRYPTED FILE-----\n" LINE64
		 "\n\n-----END AGE ENCRYPTED FILE-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\n" LINE64
		 "AAAA\n-----END AGE ENCRYPTED FILE-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\nAAAA\n-----END AGE ENCRYPTED "
		 "FILE-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\nAAA\n-----END AGE ENCRYPTED FILE-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\nAA=\n=\n-----END AGE ENCRYPTED FILE-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\nAAAA \n-----END AGE ENCRYPTED FILE-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\n AAAA\n-----END AGE ENCRYPTED FILE-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\n\nAAAA\n-----END AGE ENCRYPTED FILE-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n", false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\nx",
		 false},
		{"x\n-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n-----END AGE ENCRYPTED FILE-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE----- \nAAAA\n-----END AGE ENCRYPTED FILE-----\n",
		 false},
		{"-----begin age encrypted file-----\nAAAA\n-----end age encrypted file-----\n",
		 false},
		{"-----BEGIN AGE ENCRYPTED FILE-----\nA: b\n\nAAAA\n-----END AGE ENCRYPTED "
		 "FILE-----\n",
		 false},
		{"-----BEGIN PGP MESSAGE-----\nAAAA\n-----END PGP MESSAGE-----\n", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bytes in = unit_exact(cases[i].text, strlen(cases[i].text));
		struct armor_reader a = {.state = ARMOR_BEFORE};
		uint8_t out[256];
		struct writer w = writer_new(out, sizeof(out));
		size_t used = 0, off = 0;
		enum parse p = PARSE_OK;

		while (p == PARSE_OK && off < in.len) {
			p = armor_read(&a, (struct bytes){in.data + off, in.len - off}, true, &w,
				       &used);
			off += p == PARSE_OK ? used : 0;
		}
		if ((p == PARSE_OK && a.state == ARMOR_AFTER) != cases[i].good)
			fail_msg("%s: %s", cases[i].good ? "refused" : "not refused",
				 cases[i].text);
		free((void *)in.data);
	}
}

static void a_pipe_that_gives_single_bytes_makes_no_difference(void **state)
{
	struct fixture *f = *state;
	struct bytes plain = make_plain(AGE_CHUNK + 77);

	for (int armor = 0; armor < 2; armor++)
		for (size_t step = 1; step < 100; step = step * 3 + 1) {
			struct bytes sealed = seal(f, plain, armor);
			struct memory in = {.in = sealed, .step = step}, out = {.len = 0};

			assert_int_equal(open_from(f, &in, &out), 0);
			assert_int_equal(out.len, plain.len);
			assert_memory_equal(out.out, plain.data, plain.len);
			free(out.out);
			free((void *)sealed.data);
		}
	free((void *)plain.data);
}

static void errors_of_input_and_output_come_through(void **state)
{
	struct fixture *f = *state;
	struct bytes plain = make_plain(20 * AGE_CHUNK), sealed = seal(f, plain, false);
	size_t body = header_len(sealed) + AGE_PAYLOAD_NONCE;
	struct age_seal_options o = {.recipients = f->to};
	struct age_result result;

	for (size_t at = 0; at < 20; at++) {
		struct memory in = {
			.in = sealed, .error = -EIO, .fail_at = body + at * AGE_SEALED_CHUNK + 5};
		struct memory out = {.len = 0}, full = {.error = -ENOSPC};

		assert_int_equal(open_from(f, &in, &out), -EIO);
		assert_int_equal(out.len, at * AGE_CHUNK);
		free(out.out);
		in = (struct memory){.in = sealed};
		full.fail_at = at * AGE_CHUNK + 10;
		assert_int_equal(open_from(f, &in, &full), -ENOSPC);
		assert_int_equal(full.len, at * AGE_CHUNK);
		free(full.out);
		in = (struct memory){.in = plain, .error = -EIO, .fail_at = at * AGE_CHUNK + 3};
		out = (struct memory){.len = 0};
		assert_int_equal(age_seal(f->engine, &o,
					  &(struct age_input){.read = read_memory, .arg = &in},
					  &(struct age_output){.write = write_memory, .arg = &out},
					  &result),
				 -EIO);
		open_expect(f, (struct bytes){out.out, out.len}, plain, -EBADMSG, result.plain);
		free(out.out);
	}
	free((void *)sealed.data);
	free((void *)plain.data);
}

static int wrong_key(void *arg, const struct age_header *h, uint8_t ret_file_key[AGE_FILE_KEY])
{
	memset(ret_file_key, 0x55, AGE_FILE_KEY);
	return arg ? -EACCES : 0;
}

static void the_caller_may_unwrap(void **state)
{
	struct fixture *f = *state;
	struct bytes plain = make_plain(10), sealed = seal(f, plain, false);
	struct age_open_options o = {.unwrap = wrong_key};
	struct memory in = {.in = sealed}, out = {.len = 0};
	struct age_result result;

	assert_int_equal(
		age_open(f->engine, &o, &(struct age_input){.read = read_memory, .arg = &in},
			 &(struct age_output){.write = write_memory, .arg = &out}, &result),
		-EKEYREJECTED);
	assert_non_null(result.why);
	o.unwrap_arg = &o;
	in.off = 0;
	assert_int_equal(
		age_open(f->engine, &o, &(struct age_input){.read = read_memory, .arg = &in},
			 &(struct age_output){.write = write_memory, .arg = &out}, &result),
		-EACCES);
	assert_int_equal(out.len, 0);
	free((void *)sealed.data);
	free((void *)plain.data);
}

/* -- who may open */

static void strangers_open_nothing(void **state)
{
	struct fixture *f = *state, stranger = *f;
	char identity[AGE_IDENTITY_TEXT], recipient[AGE_RECIPIENT_TEXT];
	struct bytes plain = make_plain(100), sealed = seal(f, plain, false);

	stranger.ids = age_identities_new();
	open_expect(&stranger, sealed, plain, -ENOKEY, 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(age_identity_new(identity, recipient), 0);
		assert_int_equal(age_identities_add(stranger.ids, text_of(identity)), 0);
	}
	open_expect(&stranger, sealed, plain, -ENOKEY, 0);
	assert_int_equal(age_identities_passphrase(stranger.ids, text_of("x"), AGE_WORK_MAX), 0);
	open_expect(&stranger, sealed, plain, -ENOKEY, 0);
	age_identities_free(stranger.ids);
	free((void *)sealed.data);
	free((void *)plain.data);
}

static void every_one_of_many_recipients_opens(void **state)
{
	struct fixture *f = *state, many = *f;
	char identities[300][AGE_IDENTITY_TEXT], recipient[AGE_RECIPIENT_TEXT];
	struct bytes plain = make_plain(100), sealed;

	many.to = age_recipients_new();
	for (int i = 0; i < 300; i++) {
		assert_int_equal(age_identity_new(identities[i], recipient), 0);
		assert_int_equal(age_recipients_add(many.to, text_of(recipient)), 0);
		assert_int_equal(age_recipients_add(many.to, text_of(recipient)), 0);
	}
	assert_int_equal(age_recipients_count(many.to), 300);
	assert_int_equal(age_recipients_passphrase(many.to, text_of("secret"), 10), -EBUSY);
	sealed = seal(&many, plain, false);
	for (int i = 0; i < 300; i += 50) {
		many.ids = age_identities_new();
		assert_int_equal(age_identities_add(many.ids, text_of(identities[i])), 0);
		open_expect(&many, sealed, plain, 0, plain.len);
		age_identities_free(many.ids);
	}
	age_recipients_free(many.to);
	free((void *)sealed.data);
	free((void *)plain.data);
}

static void passphrases_open_what_they_sealed(void **state)
{
	struct fixture *f = *state, other = *f;
	struct bytes plain = make_plain(5), sealed;

	other.to = age_recipients_new();
	assert_int_equal(age_recipients_passphrase(other.to, text_of(""), 10), -EINVAL);
	assert_int_equal(age_recipients_passphrase(other.to, text_of("zwölf Äpfel"), 10), 0);
	assert_int_equal(age_recipients_passphrase(other.to, text_of("more"), 10), -EBUSY);
	assert_int_equal(age_recipients_add(other.to, text_of(SPEC_RECIPIENT)), -EBUSY);
	sealed = seal(&other, plain, false);
	open_expect(f, sealed, plain, -ENOKEY, 0); /* keys alone do not open it */
	other.ids = age_identities_new();
	assert_int_equal(age_identities_passphrase(other.ids, text_of("zwölf Äpfel"), 10), 0);
	open_expect(&other, sealed, plain, 0, plain.len);
	age_identities_free(other.ids);
	other.ids = age_identities_new();
	assert_int_equal(age_identities_passphrase(other.ids, text_of("zwölf Birnen"), 22), 0);
	open_expect(&other, sealed, plain, -ENOKEY, 0);
	age_identities_free(other.ids);
	other.ids = age_identities_new();
	assert_int_equal(age_identities_passphrase(other.ids, text_of("zwölf Äpfel"), 9), 0);
	open_expect(&other, sealed, plain, -ERANGE, 0);
	age_identities_free(other.ids);
	age_recipients_free(other.to);
	free((void *)sealed.data);
	free((void *)plain.data);
}

/* A header of these stanzas, its MAC being that of `key`. */
static struct bytes with_stanzas(const char *stanzas, const uint8_t key[AGE_FILE_KEY])
{
	size_t room = strlen(stanzas) + 256;
	struct writer w = writer_new(malloc(room), room);

	age_header_begin(&w);
	write_bytes(&w, stanzas, strlen(stanzas));
	assert_int_equal(age_header_end(&w, key), 0);
	return (struct bytes){w.data, w.len};
}

#define SALT22 "AAAAAAAAAAAAAAAAAAAAAA"
#define BODY43 MAC43

static void stanzas_that_the_specification_refuses(void **state)
{
	static const struct {
		const char *stanzas;
		int error;
	} cases[] = {
		{"-> scrypt " SALT22 " 18\n" BODY43 "\n-> x\n\n", -EPROTO},
		{"-> x\n\n-> scrypt " SALT22 " 18\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 " 1\n" BODY43 "\n-> scrypt " SALT22 " 1\n" BODY43 "\n",
		 -EPROTO},
		{"-> scrypt " SALT22 " 23\n" BODY43 "\n", -ERANGE},
		{"-> scrypt " SALT22 " 30\n" BODY43 "\n", -ERANGE},
		{"-> scrypt " SALT22 " 64\n" BODY43 "\n", -ERANGE},
		{"-> scrypt " SALT22 " 18446744073709551617\n" BODY43 "\n", -ERANGE},
		{"-> scrypt " SALT22 " 0\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 " 01\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 " +1\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 " -1\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 " 0x1\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 " 1a\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 "\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 " 1 1\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 "AA 1\n" BODY43 "\n", -EPROTO},
		{"-> scrypt AAAA 1\n" BODY43 "\n", -EPROTO},
		{"-> scrypt AAAAAAAAAAAAAAAAAAAAAB 1\n" BODY43 "\n", -EPROTO},
		{"-> scrypt " SALT22 " 1\nAAAA\n", -EPROTO},
		{"-> scrypt " SALT22 " 1\n" BODY43 "A\n", -EPROTO}, /* 33 bytes */
		{"-> Scrypt " SALT22 " 1\n" BODY43 "\n", -ENOKEY},
		{"-> X25519\n" BODY43 "\n", -EPROTO},
		{"-> X25519 " MAC43 " x\n" BODY43 "\n", -EPROTO},
		{"-> X25519 AAAA\n" BODY43 "\n", -EPROTO},
		{"-> X25519 " MAC43 "A\n" BODY43 "\n", -EPROTO},
		{"-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB\n" BODY43 "\n", -EPROTO},
		{"-> X25519 " MAC43 "\nAAAA\n", -EPROTO},
		{"-> X25519 " MAC43 "\n" BODY43 "\n", -EPROTO}, /* a point of low order */
		{"-> x25519 " MAC43 "\n" BODY43 "\n", -ENOKEY},
		{"-> grease\n\n", -ENOKEY},
	};
	static const uint8_t key[AGE_FILE_KEY];
	struct fixture *f = *state, both = *f;

	both.ids = age_identities_new();
	assert_int_equal(age_identities_add(both.ids, text_of(SPEC_IDENTITY)), 0);
	assert_int_equal(age_identities_passphrase(both.ids, text_of("x"), AGE_WORK_MAX), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct bytes file = with_stanzas(cases[i].stanzas, key);
		struct memory in = {.in = file}, out = {.len = 0};
		int r = open_from(&both, &in, &out);

		if (r != cases[i].error)
			fail_msg("%d, not %d: %s", r, cases[i].error, cases[i].stanzas);
		free((void *)file.data);
	}
	age_identities_free(both.ids);
}

/* -- headers made to cost */

static void huge_headers_are_bounded(void **state)
{
	struct fixture *f = *state;
	size_t room = 3u << 20;
	char *text = malloc(room);
	struct memory in, out = {.len = 0};

	/* A line without end; lines of a body without end; stanzas without end. */
	memset(text, 'A', room);
	memcpy(text, V "-> ", strlen(V "-> "));
	in = (struct memory){.in = {(uint8_t *)text, room}};
	assert_int_equal(open_from(f, &in, &out), -EPROTO);
	assert_true(in.off < room);
	for (size_t i = strlen(V) + 64; i < room; i += 65)
		text[i] = '\n';
	in = (struct memory){.in = {(uint8_t *)text, room}, .step = 4096};
	assert_int_equal(open_from(f, &in, &out), -EPROTO);
	assert_true(in.off < room);
	for (size_t i = strlen(V); i + 8 < room; i += 8)
		memcpy(text + i, "-> aaa\n\n", 8);
	in = (struct memory){.in = {(uint8_t *)text, room}};
	assert_int_equal(open_from(f, &in, &out), -EPROTO);
	assert_true(in.off < room);
	/* As many keys' stanzas as fit: each is tried, and then the file is refused. */
	memset(text, 0, room);
	memcpy(text, V, strlen(V));
	for (size_t n = strlen(V); n + 200 < (1u << 20); n = strlen(text))
		snprintf(text + n, room - n, "-> X25519 CQ%.41s\n" BODY43 "\n", &MAC43[2]);
	strcat(text, "--- " MAC43 "\n");
	in = (struct memory){.in = text_of(text)};
	assert_int_equal(open_from(f, &in, &out), -ENOKEY);
	assert_int_equal(out.len, 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_comes_back),
		cmocka_unit_test(a_file_cut_anywhere_gives_only_whole_chunks),
		cmocka_unit_test(no_bit_can_be_altered),
		cmocka_unit_test(chunks_cannot_be_moved),
		cmocka_unit_test(a_chunk_altered_late_lets_the_ones_before_it_out),
		cmocka_unit_test(armor_broken_late_lets_the_chunks_before_it_out),
		cmocka_unit_test(armor_is_read_strictly),
		cmocka_unit_test(a_pipe_that_gives_single_bytes_makes_no_difference),
		cmocka_unit_test(errors_of_input_and_output_come_through),
		cmocka_unit_test(the_caller_may_unwrap),
		cmocka_unit_test(strangers_open_nothing),
		cmocka_unit_test(every_one_of_many_recipients_opens),
		cmocka_unit_test(passphrases_open_what_they_sealed),
		cmocka_unit_test(stanzas_that_the_specification_refuses),
		cmocka_unit_test(huge_headers_are_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
