#ifndef BEDWARDEN_TEST_UNIT_SEED_H
#define BEDWARDEN_TEST_UNIT_SEED_H
/*
 * Conversations of real programs, kept as seeds of the fuzz targets
 * (fuzz/seeds/PROTO/NAME, recorded by test/pcap/record.sh), played to a parser.
 */
#include "talk.h"

#define SEED_PIECES 256

/* What is in the seed's file, read into `buf`. */
static inline struct reader seed_read(const char *proto, const char *name, uint8_t *buf,
				      size_t size)
{
	char path[512];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/fuzz/seeds/%s/%s", UNIT_SOURCE, proto, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(buf, 1, size, f);
	fclose(f);
	return reader_new(buf, n);
}

/* Plays the seed in parts of at most `cut` bytes (0: as recorded). */
static inline void seed_play(struct talk_record *r, const char *proto, const char *name, size_t cut)
{
	static struct talk_piece pieces[SEED_PIECES];
	static uint8_t file[1 << 17];
	struct reader in;
	size_t count = 0;
	bool datagram;

	in = seed_read(proto, name, file, sizeof(file));
	datagram = read_u8(&in) & 1;
	while (reader_left(&in) >= 3 && count < SEED_PIECES) {
		unsigned end = read_u8(&in) & 1;
		struct bytes b = read_bytes(&in, read_be16(&in));

		pieces[count++] = (struct talk_piece){end, b.data, b.len};
	}
	assert_false(in.bad);
	talk_play(r, proto, datagram, pieces, count, datagram ? 0 : cut);
}

/* However it is cut, the same is said; it stays in r->said. */
static inline void seed_same(struct talk_record *r, const char *proto, const char *name)
{
	static const size_t cuts[] = {1, 3, 64, 1000};
	struct talk_record *other = malloc(sizeof(*other));

	seed_play(r, proto, name, 0);
	for (unsigned i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		seed_play(other, proto, name, cuts[i]);
		assert_string_equal(other->said, r->said);
	}
	free(other);
}

/* How often `part` is said. */
static inline unsigned seed_count(const struct talk_record *r, const char *part)
{
	unsigned n = 0;

	for (const char *at = r->said; (at = strstr(at, part)); at++)
		n++;
	return n;
}

#define assert_says(r, part)                                                  \
	do {                                                                  \
		if (!strstr((r)->said, part))                                 \
			fail_msg("nothing says %s in:\n%s", part, (r)->said); \
	} while (0)
#define assert_silent(r, part)                                                  \
	do {                                                                    \
		if (strstr((r)->said, part))                                    \
			fail_msg("something says %s in:\n%s", part, (r)->said); \
	} while (0)

#endif
