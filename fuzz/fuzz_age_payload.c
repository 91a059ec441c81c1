/*
 * A sealed file is altered as the input says, and opened from a reader that
 * gives odd pieces. What comes out may only ever be a beginning of what was
 * sealed, in whole chunks, and all of it only where nothing was altered.
 */
#include "seal/age/age.h"
#include "seal/age/stream.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define PLAIN (3 * (size_t)AGE_CHUNK + 500)
#define ROOM  (6 * (size_t)AGE_SEALED_CHUNK)

static const uint8_t file_key[AGE_FILE_KEY] = {1, 2, 3};
static uint8_t plain[PLAIN], sealed[ROOM], altered[ROOM];
static size_t head, sealed_len;

struct stream {
	const uint8_t *data;
	size_t len, off, step, out;
};

static ssize_t give(void *arg, void *data, size_t max)
{
	struct stream *s = arg;
	size_t n = s->len - s->off;

	n = n < max ? n : max;
	n = s->step && n > s->step ? s->step : n;
	memcpy(data, s->data + s->off, n);
	s->off += n;
	return (ssize_t)n;
}

static int take(void *arg, const void *data, size_t len)
{
	struct stream *s = arg;

	if (s->out + len > PLAIN || memcmp(plain + s->out, data, len) != 0)
		__builtin_trap();
	s->out += len;
	return 0;
}

static int unwrap(void *arg, const struct age_header *h, uint8_t ret_file_key[AGE_FILE_KEY])
{
	memcpy(ret_file_key, file_key, AGE_FILE_KEY);
	return 0;
}

static void make(void)
{
	static const uint8_t nonce[AGE_PAYLOAD_NONCE] = {9};
	struct writer w = writer_new(sealed, ROOM);
	struct aead *a = aead_new(true);
	uint8_t key[CRYPTO_KEY];

	for (size_t i = 0; i < PLAIN; i++)
		plain[i] = (uint8_t)(i * 131 + i / 251);
	age_header_begin(&w);
	age_header_stanza(&w, "fuzz", NULL, 0);
	if (age_header_end(&w, file_key) < 0 || stream_key(file_key, nonce, key) < 0 ||
	    aead_key(a, key) < 0)
		abort();
	write_bytes(&w, nonce, sizeof(nonce));
	head = w.len;
	for (size_t i = 0, off = 0; off < PLAIN; i++, off += AGE_CHUNK) {
		size_t n = PLAIN - off < AGE_CHUNK ? PLAIN - off : AGE_CHUNK;

		if (stream_seal(a, i, off + n == PLAIN, plain + off, n, sealed + w.len) < 0)
			abort();
		w.len += n + CRYPTO_TAG;
	}
	sealed_len = w.len;
	aead_free(a);
}

/* Three bytes an alteration: what, and where. */
static size_t alter(const uint8_t *data, size_t len)
{
	size_t n = sealed_len;

	memcpy(altered, sealed, n);
	for (; len >= 3; data += 3, len -= 3) {
		size_t at = ((size_t)data[1] << 8 | data[2]) * 4 % n;
		size_t chunk = head + data[1] % 4 * (size_t)AGE_SEALED_CHUNK;
		size_t other = head + data[2] % 4 * (size_t)AGE_SEALED_CHUNK;

		if (data[0] % 4 == 0) {
			altered[at] ^= (uint8_t)(data[0] / 4 + 1);
		} else if (data[0] % 4 == 1) {
			n = at + 1;
		} else if (data[0] % 4 == 2 && n + 700 < ROOM) {
			memmove(altered + n, altered + at, n - at < 700 ? n - at : 700);
			n += n - at < 700 ? n - at : 700;
		} else if (data[0] % 4 == 3 && chunk + AGE_SEALED_CHUNK <= n &&
			   other + AGE_SEALED_CHUNK <= n) {
			memmove(altered + chunk, altered + other, AGE_SEALED_CHUNK);
		}
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct age_engine *engine;
	struct age_open_options o = {.unwrap = unwrap};
	struct age_result result;
	struct stream s = {.data = altered};
	bool whole;
	int r;

	if (!engine) {
		make();
		engine = age_engine_new(2);
	}
	if (!len || len > 64)
		return 0;
	s.step = data[0] ? (size_t)data[0] * 97 : 0;
	s.len = alter(data + 1, len - 1);
	whole = s.len == sealed_len && memcmp(altered, sealed, s.len) == 0;
	r = age_open(engine, &o, &(struct age_input){.read = give, .arg = &s},
		     &(struct age_output){.write = take, .arg = &s}, &result);
	if ((r == 0) != whole || result.plain != s.out ||
	    (s.out % AGE_CHUNK && !(s.out == PLAIN && whole)))
		__builtin_trap();
	return 0;
}
