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

/* Does a head with a program end before `end`? */
static const char *program_before(const struct part10_search *s, struct bytes piece, ptrdiff_t end)
{
	ptrdiff_t start = end - PART10_HEAD;
	uint8_t head[PART10_HEAD];
	const char *found = NULL;
	struct part10 p = {0};

	if (byte_at(s, piece, end - 2) != 'C' || byte_at(s, piece, start - 1) != '\n')
		return NULL;
	for (unsigned i = 0; i < PART10_HEAD; i++)
		head[i] = byte_at(s, piece, start + i);
	part10_take(&p, (struct bytes){head, PART10_HEAD}, &found);
	return found;
}

static void keep_behind(struct part10_search *s, struct bytes taken)
{
	size_t n = taken.len < PART10_BEHIND ? taken.len : PART10_BEHIND;

	memmove(s->behind, s->behind + n, PART10_BEHIND - n);
	if (n)
		memcpy(s->behind + PART10_BEHIND - n, taken.data + taken.len - n, n);
}

size_t part10_search(struct part10_search *s, struct bytes piece, const char **ret_program)
{
	const char *found = NULL;
	size_t used = 0;

	/* Every head ends with this letter: most bytes are passed over by the search for it. */
	while (!found && used < piece.len) {
		const uint8_t *m = memchr(piece.data + used, 'M', piece.len - used);

		used = m ? (size_t)(m - piece.data) + 1 : piece.len;
		if (m)
			found = program_before(s, piece, (ptrdiff_t)used);
	}
	if (found)
		*ret_program = found;
	keep_behind(s, (struct bytes){piece.data, used});
	return used;
}
