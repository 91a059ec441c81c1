#include "guard/proto/part10.h"

#include <endian.h>

#define PREAMBLE 128

struct magic {
	const char *bytes;
	uint8_t len;
	const char *program;
	bool letters; /* small and capital ones are the same */
};

#define MAGIC(bytes, program)                            \
	{                                                \
		bytes, sizeof(bytes) - 1, program, false \
	}
#define WORDS(bytes, program)                           \
	{                                               \
		bytes, sizeof(bytes) - 1, program, true \
	}

/* What a system starts, or an interpreter runs, by the first bytes of a file. */
static const struct magic magics[] = {
	MAGIC("MZ", "PE"), /* DOS, and Windows behind it */
	MAGIC("ZM", "PE"), /* which DOS takes as well */
	MAGIC("\x7f"
	      "ELF",
	      "ELF"),
	MAGIC("\xfe\xed\xfa\xce", "Mach-O"),
	MAGIC("\xfe\xed\xfa\xcf", "Mach-O"),
	MAGIC("\xce\xfa\xed\xfe", "Mach-O"),
	MAGIC("\xcf\xfa\xed\xfe", "Mach-O"),
	MAGIC("\xca\xfe\xba\xbe", "Mach-O"), /* for several processors; a Java class begins alike */
	MAGIC("\xca\xfe\xba\xbf", "Mach-O"),
	MAGIC("#!", "script"),
	WORDS("<?xml", "script"), /* applications of HTML, drawings, Windows' own scripts */
	WORDS("@echo", "script"),
	MAGIC("%!PS", "script"),
	MAGIC("PK\x03\x04", "ZIP"), /* Java archives, Android packages, macro documents */
	MAGIC("dex\n", "DEX"),
	MAGIC("\0asm", "WebAssembly"),
	MAGIC("%PDF-", "PDF"), /* which runs what it brings, and has no place before an image */
	MAGIC("MSCF", "CAB"),
	MAGIC("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE"), /* installers, macro documents */
	MAGIC("ITSF", "CHM"),
	MAGIC("L\0\0\0\x01\x14\x02\0\0\0\0\0", "LNK"),
};

/* Browsers and PHP pass over what stands before these, as over what follows. */
static bool is_markup(uint32_t last)
{
	static const char words[][5] = {"<?ph", "<?= ", "<scr", "<htm", "<svg", "<hta", "<!do"};
	uint32_t small = htobe32(last | 0x00202020);

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!memcmp(&small, words[i], 4))
			return true;
	return false;
}

static bool is_magic(const struct part10 *p, const struct magic *m)
{
	for (unsigned i = 0; i < m->len; i++) {
		uint8_t c = p->start[i], want = (uint8_t)m->bytes[i];

		if (c != want && !(m->letters && want >= 'a' && want <= 'z' && (c | 0x20) == want))
			return false;
	}
	return true;
}

static const char *program(const struct part10 *p)
{
	for (unsigned i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (is_magic(p, &magics[i]))
			return magics[i].program;
	return p->markup ? "script" : NULL;
}

enum parse part10_take(struct part10 *p, struct bytes piece, const char **ret_program)
{
	for (size_t i = 0; i < piece.len && p->seen < PART10_HEAD && !p->other; i++, p->seen++) {
		if (p->seen < PART10_START)
			p->start[p->seen] = piece.data[i];
		p->last = p->last << 8 | piece.data[i];
		p->markup |= p->last >> 24 == '<' && is_markup(p->last);
		if (p->seen >= PREAMBLE)
			p->other = piece.data[i] != (uint8_t) "DICM"[p->seen - PREAMBLE];
	}
	if (p->other)
		return PARSE_BAD;
	if (p->seen < PART10_HEAD)
		return PARSE_MORE;
	*ret_program = program(p);
	return PARSE_OK;
}

/* Byte `at` of the piece; below zero: of what came before it. */
static uint8_t byte_at(const struct part10_search *s, struct bytes piece, ptrdiff_t at)
{
	return at < 0 ? s->behind[PART10_BEHIND + at] : piece.data[at];
}

/* Does a head end before `end`? */
static bool is_head_before(const struct part10_search *s, struct bytes piece, ptrdiff_t end,
			   const char **ret_program)
{
	ptrdiff_t start = end - PART10_HEAD;
	uint8_t head[PART10_HEAD];
	struct part10 p = {0};

	if (byte_at(s, piece, end - 2) != 'C' || byte_at(s, piece, start - 1) != '\n')
		return false;
	for (unsigned i = 0; i < PART10_HEAD; i++)
		head[i] = byte_at(s, piece, start + i);
	return part10_take(&p, (struct bytes){head, PART10_HEAD}, ret_program) == PARSE_OK;
}

static void keep_behind(struct part10_search *s, struct bytes taken)
{
	size_t n = taken.len < PART10_BEHIND ? taken.len : PART10_BEHIND;

	memmove(s->behind, s->behind + n, PART10_BEHIND - n);
	if (n)
		memcpy(s->behind + PART10_BEHIND - n, taken.data + taken.len - n, n);
}

size_t part10_search(struct part10_search *s, struct bytes piece, bool *ret_found,
		     const char **ret_program)
{
	size_t used = 0;

	*ret_found = false;
	/* Every head ends with this letter: most bytes are passed over by the search for it. */
	while (!*ret_found && used < piece.len) {
		const uint8_t *m = memchr(piece.data + used, 'M', piece.len - used);

		used = m ? (size_t)(m - piece.data) + 1 : piece.len;
		*ret_found = m && is_head_before(s, piece, (ptrdiff_t)used, ret_program);
	}
	keep_behind(s, (struct bytes){piece.data, used});
	return used;
}

static bool is_uid(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if ((b.data[i] < '0' || b.data[i] > '9') && b.data[i] != '.')
			return false;
	return b.len;
}

/*
 * The element at hand: (0002,0000) and (0002,0001), of which the latter alone has a long head (PS3.5
 * §7.1.2), then what is looked for. MORE: m->need says how many bytes must be there for that to be told.
 */
static enum parse read_element(struct part10_meta *m, struct bytes *ret_class)
{
	struct reader r = reader_new(m->bytes + m->at, m->len - m->at);
	uint16_t group = read_le16(&r), element = read_le16(&r);
	struct bytes uid;
	uint32_t len;

	if (m->at > PART10_META - 12)
		return PARSE_BAD;
	read_skip(&r, 2);
	len = read_le16(&r);
	m->need = m->at + 8;
	if (r.bad)
		return PARSE_MORE;
	if (group != 2 || element > 2)
		return PARSE_BAD;
	if (element == 1) {
		m->need = m->at + 12;
		len = read_le32(&r);
		if (r.bad)
			return PARSE_MORE;
	}
	if (len > (uint32_t)PART10_META - m->need)
		return PARSE_BAD;
	m->need = (uint8_t)(m->need + len);
	if (m->len < m->need)
		return PARSE_MORE;
	m->at = m->need;
	if (element < 2)
		return read_element(m, ret_class);
	uid = read_bytes(&r, len);
	while (uid.len && !uid.data[uid.len - 1])
		uid.len--;
	if (!is_uid(uid))
		return PARSE_BAD;
	*ret_class = uid;
	return PARSE_OK;
}

enum parse part10_meta_take(struct part10_meta *m, struct bytes piece, size_t *ret_used,
			    struct bytes *ret_class)
{
	enum parse got = read_element(m, ret_class);

	*ret_used = 0;
	while (got == PARSE_MORE && *ret_used < piece.len) {
		size_t n = piece.len - *ret_used, room = (size_t)m->need - m->len;

		n = n < room ? n : room;
		memcpy(m->bytes + m->len, piece.data + *ret_used, n);
		m->len = (uint8_t)(m->len + n);
		*ret_used += n;
		if (n == room)
			got = read_element(m, ret_class);
	}
	return got;
}
