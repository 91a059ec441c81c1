#include "keep/object.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <zstd.h>

#define MAGIC	   0x42573101u /* "BW1" */
#define COMPRESSED 0x80000000u
#define LEVEL	   1
#define LEVEL_FAST -7 /* without entropy coding, whose tables cost more than all the rest … */
#define FAST_MAX   (32u << 10) /* … where little is to be coded by them */
#define PROBE	   4096

/* What a hash or a sealed thing is of: first byte of every text that goes into one. */
enum { OF_CONTENT = 0, OF_LEAVES = 1, OF_CHUNK = 2, OF_NAME = 3 };

struct sealer {
	struct cipher *cipher;
	struct mac *mac, *root;
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	uint8_t packed[OBJECT_CHUNK + CRYPTO_TAG]; /* opened, and to be unpacked */
};

struct sealer *sealer_new(const uint8_t naming[CRYPTO_KEY])
{
	struct sealer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cipher = cipher_new();
	s->mac = mac_new(naming);
	s->root = mac_new(naming);
	s->pack = ZSTD_createCCtx();
	s->unpack = ZSTD_createDCtx();
	if (s->cipher && s->mac && s->root && s->pack && s->unpack)
		return s;
	sealer_free(s);
	return NULL;
}

void sealer_free(struct sealer *s)
{
	if (!s)
		return;
	cipher_free(s->cipher);
	mac_free(s->mac);
	mac_free(s->root);
	ZSTD_freeCCtx(s->pack);
	ZSTD_freeDCtx(s->unpack);
	free(s);
}

/* --- records ------------------------------------------------------------------- */

static void write_be64(struct writer *w, uint64_t v)
{
	write_be32(w, (uint32_t)(v >> 32));
	write_be32(w, (uint32_t)v);
}

static uint64_t read_be64(struct reader *r)
{
	uint64_t high = read_be32(r);

	return high << 32 | read_be32(r);
}

void object_write_head(const struct object_head *h, uint8_t ret_head[OBJECT_HEAD])
{
	struct writer w = writer_new(ret_head, OBJECT_HEAD);

	write_be32(&w, MAGIC);
	write_be32(&w, OBJECT_CONTENT);
	write_be64(&w, h->size);
	write_be64(&w, h->length);
	write_be32(&w, h->key);
	write_bytes(&w, h->box, CIPHER_BOX);
	write_bytes(&w, h->address, CRYPTO_HASH);
}

/* Chunks of the content, each with its length and tag: no more and not much less. */
bool object_head_possible(const struct object_head *h)
{
	uint64_t chunks = h->size / OBJECT_CHUNK + (h->size % OBJECT_CHUNK || !h->size);

	return h->key && h->size <= INT64_MAX / 2 && h->length >= chunks * (4 + CRYPTO_TAG) &&
	       h->length <= h->size + chunks * (4 + CRYPTO_TAG);
}

static enum parse read_content(struct reader *r, struct object_record *ret_record)
{
	struct object_head h = {.size = read_be64(r), .length = read_be64(r), .key = read_be32(r)};
	struct bytes box = read_bytes(r, CIPHER_BOX), address = read_bytes(r, CRYPTO_HASH);

	if (r->bad)
		return PARSE_MORE;
	if (!object_head_possible(&h))
		return PARSE_BAD;
	memcpy(h.box, box.data, CIPHER_BOX);
	memcpy(h.address, address.data, CRYPTO_HASH);
	*ret_record = (struct object_record){
		.kind = OBJECT_CONTENT, .head = h, .length = OBJECT_HEAD + h.length};
	return PARSE_OK;
}

static enum parse read_name(struct reader *r, uint16_t len, struct object_record *ret_record)
{
	struct bytes address, sealed;

	if (len < CRYPTO_NONCE + CRYPTO_TAG || len > OBJECT_NAME_RECORD - OBJECT_NAME_HEAD)
		return PARSE_BAD;
	address = read_bytes(r, CRYPTO_HASH);
	sealed = read_bytes(r, len);
	if (r->bad)
		return PARSE_MORE;
	*ret_record = (struct object_record){.kind = OBJECT_NAME,
					     .address = address.data,
					     .sealed = sealed,
					     .length = OBJECT_NAME_HEAD + len};
	return PARSE_OK;
}

/* A name's length stands in the upper half of its kind. */
enum parse object_read(struct bytes in, struct object_record *ret_record)
{
	struct reader r = reader_new(in.data, in.len);
	uint32_t magic = read_be32(&r), kind = read_be32(&r);

	if (r.bad)
		return PARSE_MORE;
	if (magic != MAGIC)
		return PARSE_BAD;
	if (kind == OBJECT_CONTENT)
		return read_content(&r, ret_record);
	if ((kind & 0xffff) == OBJECT_NAME)
		return read_name(&r, (uint16_t)(kind >> 16), ret_record);
	return PARSE_BAD;
}

/* --- keys ---------------------------------------------------------------------- */

int object_box(struct sealer *s, const uint8_t data_key[CRYPTO_KEY],
	       const uint8_t address[CRYPTO_HASH], const uint8_t key[CRYPTO_KEY],
	       uint8_t ret_box[CIPHER_BOX])
{
	return cipher_box(s->cipher, data_key, (struct bytes){address, CRYPTO_HASH}, key, ret_box);
}

int object_unbox(struct sealer *s, const uint8_t data_key[CRYPTO_KEY],
		 const uint8_t address[CRYPTO_HASH], const uint8_t box[CIPHER_BOX],
		 uint8_t ret_key[CRYPTO_KEY])
{
	return cipher_unbox(s->cipher, data_key, (struct bytes){address, CRYPTO_HASH}, box,
			    ret_key);
}

/* --- chunks -------------------------------------------------------------------- */

/* The key seals nothing else by nonces that begin so; names' begin with another byte. */
static void chunk_nonce(uint64_t number, bool last, uint8_t ret_nonce[CRYPTO_NONCE])
{
	struct writer w = writer_new(ret_nonce, CRYPTO_NONCE);

	write_u8(&w, OF_CHUNK);
	write_be16(&w, 0);
	write_be64(&w, number);
	write_u8(&w, last);
}

static bool shrinks(struct sealer *s, const uint8_t *sample)
{
	uint8_t out[PROBE + 512];
	size_t n = ZSTD_compressCCtx(s->pack, out, sizeof(out), sample, PROBE, LEVEL);

	return !ZSTD_isError(n) && n < PROBE - PROBE / 32;
}

/* Of 256 samples of text some 60 are different bytes, of noise about 160: there
 * is nothing to gain for an entropy coder, though there may be repetition. */
static bool is_noisy(struct bytes plain)
{
	uint64_t seen[4] = {0};
	size_t step = plain.len / 256 + 1;
	int different = 0;

	for (size_t i = 0; i < plain.len; i += step)
		seen[plain.data[i] >> 6] |= 1ull << (plain.data[i] & 63);
	for (int i = 0; i < 4; i++)
		different += __builtin_popcountll(seen[i]);
	return different > 80;
}

/* Its length, or 0 where it does not pay: images, video and archives are packed already. */
static size_t compress(struct sealer *s, struct bytes plain, uint8_t *ret_packed)
{
	size_t n, most = plain.len - plain.len / 16;

	if (plain.len < 64)
		return 0;
	if (plain.len > 8 * PROBE && !shrinks(s, plain.data) &&
	    !shrinks(s, plain.data + plain.len / 2))
		return 0;
	n = ZSTD_compressCCtx(s->pack, ret_packed, most, plain.data, plain.len,
			      plain.len <= FAST_MAX && is_noisy(plain) ? LEVEL_FAST : LEVEL);
	return ZSTD_isError(n) ? 0 : n;
}

int object_seal_chunk(struct sealer *s, const uint8_t key[CRYPTO_KEY], uint64_t number, bool last,
		      struct bytes plain, uint8_t *ret_sealed, size_t *ret_len)
{
	struct writer w = writer_new(ret_sealed, 4);
	size_t packed = compress(s, plain, ret_sealed + 4);
	uint8_t nonce[CRYPTO_NONCE];
	int err;

	if (packed)
		plain = (struct bytes){ret_sealed + 4, packed}; /* sealed where it lies */
	write_be32(&w, (uint32_t)(plain.len + CRYPTO_TAG) | (packed ? COMPRESSED : 0));
	chunk_nonce(number, last, nonce);
	err = cipher_seal(s->cipher, key, nonce, (struct bytes){ret_sealed, 4}, plain,
			  ret_sealed + 4);
	*ret_len = 4 + plain.len + CRYPTO_TAG;
	return err;
}

enum parse object_chunk_length(struct bytes in, size_t *ret_len)
{
	struct reader r = reader_new(in.data, in.len);
	uint32_t len = read_be32(&r) & ~COMPRESSED;

	if (r.bad)
		return PARSE_MORE;
	if (len < CRYPTO_TAG || len > OBJECT_CHUNK + CRYPTO_TAG)
		return PARSE_BAD;
	*ret_len = 4 + len;
	return PARSE_OK;
}

static int unpack(struct sealer *s, uint8_t *plain, const uint8_t *packed, size_t len,
		  size_t *ret_len)
{
	size_t n = ZSTD_decompressDCtx(s->unpack, plain, OBJECT_CHUNK, packed, len);

	if (ZSTD_isError(n))
		return -EBADMSG;
	*ret_len = n;
	return 0;
}

int object_open_chunk(struct sealer *s, const uint8_t key[CRYPTO_KEY], uint64_t number, bool last,
		      struct bytes sealed, uint8_t *ret_plain, size_t *ret_len)
{
	uint8_t nonce[CRYPTO_NONCE];
	struct bytes body;
	size_t len;
	int err;

	if (object_chunk_length(sealed, &len) != PARSE_OK || len != sealed.len)
		return -EBADMSG;
	body = (struct bytes){sealed.data + 4, len - 4};
	chunk_nonce(number, last, nonce);
	if (!(sealed.data[0] & 0x80)) {
		*ret_len = body.len - CRYPTO_TAG;
		return cipher_open(s->cipher, key, nonce, (struct bytes){sealed.data, 4}, body,
				   ret_plain);
	}
	err = cipher_open(s->cipher, key, nonce, (struct bytes){sealed.data, 4}, body, s->packed);
	return err == 0 ? unpack(s, ret_plain, s->packed, body.len - CRYPTO_TAG, ret_len) : err;
}

/* --- addresses ------------------------------------------------------------------- */

static int hash_of(struct sealer *s, uint8_t of, struct bytes what, uint8_t ret_hash[CRYPTO_HASH])
{
	struct bytes parts[] = {{&of, 1}, what};

	return mac_of(s->mac, parts, 2, ret_hash);
}

int object_address(struct sealer *s, struct bytes content, uint8_t ret_address[CRYPTO_HASH])
{
	return hash_of(s, OF_CONTENT, content, ret_address);
}

int object_leaf(struct sealer *s, struct bytes chunk, uint8_t ret_leaf[CRYPTO_HASH])
{
	return hash_of(s, OF_CHUNK, chunk, ret_leaf);
}

int object_root_start(struct sealer *s)
{
	static const uint8_t of = OF_LEAVES;
	int err = mac_start(s->root);

	return err == 0 ? mac_add(s->root, (struct bytes){&of, 1}) : err;
}

int object_root_add(struct sealer *s, const uint8_t leaf[CRYPTO_HASH])
{
	return mac_add(s->root, (struct bytes){leaf, CRYPTO_HASH});
}

int object_root_end(struct sealer *s, uint64_t size, uint8_t ret_address[CRYPTO_HASH])
{
	uint8_t text[8];
	struct writer w = writer_new(text, sizeof(text));
	int err;

	write_be64(&w, size);
	err = mac_add(s->root, (struct bytes){text, sizeof(text)});
	return err == 0 ? mac_end(s->root, ret_address) : err;
}

int object_tag(struct sealer *s, struct bytes name, uint8_t ret_tag[OBJECT_TAG])
{
	uint8_t hash[CRYPTO_HASH];
	int err = hash_of(s, OF_NAME, name, hash);

	if (err == 0)
		memcpy(ret_tag, hash, OBJECT_TAG);
	return err;
}

/* --- names ------------------------------------------------------------------------ */

static size_t write_meta(const struct object_meta *m, uint8_t buf[OBJECT_META])
{
	struct writer w = writer_new(buf, OBJECT_META);
	size_t class = strnlen(m->class, OBJECT_CLASS_MAX - 1);

	write_be64(&w, (uint64_t)m->put_ns);
	write_be64(&w, (uint64_t)m->until_ns);
	write_be64(&w, (uint64_t)m->mtime_ns);
	write_be32(&w, m->mode);
	write_u8(&w, (uint8_t) class);
	write_bytes(&w, m->class, class);
	write_bytes(&w, m->name.data, m->name.len);
	return w.bad ? 0 : w.len;
}

static bool read_meta(struct bytes in, struct object_meta *ret_meta)
{
	struct reader r = reader_new(in.data, in.len);
	struct object_meta m = {.put_ns = (int64_t)read_be64(&r),
				.until_ns = (int64_t)read_be64(&r),
				.mtime_ns = (int64_t)read_be64(&r),
				.mode = read_be32(&r)};
	struct bytes class = read_bytes(&r, read_u8(&r));

	m.name = read_bytes(&r, reader_left(&r));
	if (r.bad || class.len >= sizeof(m.class) || !m.name.len ||
	    memchr(m.name.data, 0, m.name.len))
		return false;
	if (class.len)
		memcpy(m.class, class.data, class.len);
	*ret_meta = m;
	return true;
}

int object_seal_name(struct sealer *s, const uint8_t key[CRYPTO_KEY],
		     const uint8_t address[CRYPTO_HASH], const struct object_meta *meta,
		     uint8_t *ret_record, size_t *ret_len)
{
	struct writer w = writer_new(ret_record, OBJECT_NAME_RECORD);
	uint8_t plain[OBJECT_META], nonce[CRYPTO_NONCE];
	size_t len = write_meta(meta, plain), sealed = CRYPTO_NONCE + len + CRYPTO_TAG;
	int err = len && meta->name.len && meta->name.len <= OBJECT_NAME_MAX &&
				  !memchr(meta->name.data, 0, meta->name.len)
			  ? cipher_nonce(s->cipher, nonce)
			  : -EINVAL;

	if (err < 0)
		return err;
	nonce[0] = OF_NAME;
	write_be32(&w, MAGIC);
	write_be32(&w, OBJECT_NAME | (uint32_t)sealed << 16);
	write_bytes(&w, address, CRYPTO_HASH);
	write_bytes(&w, nonce, sizeof(nonce));
	*ret_len = OBJECT_NAME_HEAD + sealed;
	return cipher_seal(s->cipher, key, nonce, (struct bytes){address, CRYPTO_HASH},
			   (struct bytes){plain, len}, ret_record + w.len);
}

int object_open_name(struct sealer *s, const uint8_t key[CRYPTO_KEY],
		     const uint8_t address[CRYPTO_HASH], struct bytes sealed, uint8_t *buf,
		     struct object_meta *ret_meta)
{
	struct bytes body;
	int err;

	if (sealed.len < CRYPTO_NONCE + CRYPTO_TAG ||
	    sealed.len > CRYPTO_NONCE + OBJECT_META + CRYPTO_TAG || sealed.data[0] != OF_NAME)
		return -EBADMSG;
	body = (struct bytes){sealed.data + CRYPTO_NONCE, sealed.len - CRYPTO_NONCE};
	err = cipher_open(s->cipher, key, sealed.data, (struct bytes){address, CRYPTO_HASH}, body,
			  buf);
	if (err < 0)
		return err;
	return read_meta((struct bytes){buf, body.len - CRYPTO_TAG}, ret_meta) ? 0 : -EBADMSG;
}

bool object_name_part(struct bytes *rest, char *ret_part)
{
	while (rest->len) {
		const uint8_t *slash = memchr(rest->data, '/', rest->len);
		struct bytes part = {rest->data, slash ? (size_t)(slash - rest->data) : rest->len};
		size_t used = part.len + (slash != NULL);

		*rest = (struct bytes){rest->data + used, rest->len - used};
		if (!part.len || (part.len == 1 && part.data[0] == '.'))
			continue;
		if (part.len == 2 && memcmp(part.data, "..", 2) == 0)
			part.data = (const uint8_t *)"__";
		if (part.len > NAME_MAX)
			part.len = NAME_MAX;
		memcpy(ret_part, part.data, part.len);
		ret_part[part.len] = 0;
		return true;
	}
	return false;
}
