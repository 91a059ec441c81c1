#include "people/auth/common.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "people/auth/common_words.h"

#define CORE_MAX 64 /* longer than any pair of words, or walk, that anybody tries */
#define WALK_MIN 3

/* Rows and columns of keyboards; the way back counts as well. */
static const char *const walks[] = {
	"12345678901234567890",
	"abcdefghijklmnopqrstuvwxyz",
	"qwertyuiop[]",
	"qwertzuiop",
	"azertyuiop",
	"asdfghjkl;'",
	"qsdfghjklm",
	"yxcvbnm",
	"zxcvbnm,./",
	"wxcvbn",
	"!@#$%^&*()_+",
	"!\"$%&/()=?",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
	"1q2w3e4r5t6y7u8i9o0p[-]=",
	"q1w2e3r4t5y6u7i8o9p0",
	"qazwsxedcrfvtgbyhnujmikolp",
	"qweasdzxc",
	"a1b2c3d4e5f6g7h8i9j0",
	"1a2b3c4d5e6f7g8h9i",
	"147258369",
	"159357",
	"0246813579",
};

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool is_listed(const char *word)
{
	return bsearch(word, common_words, sizeof(common_words) / sizeof(*common_words),
		       sizeof(*common_words), compare) != NULL;
}

static void lower(const char *text, char ret_text[CORE_MAX])
{
	size_t i;

	for (i = 0; text[i] && i < CORE_MAX - 1; i++)
		ret_text[i] =
			text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
	ret_text[i] = 0;
}

/* Letters for the signs that stand for them; `one` is what 1 and ! mean. */
static void undress(char *text, char one)
{
	static const char signs[] = "04357@$8", letters[] = "oaestasb";
	char *to = text;

	for (const char *p = text; *p; p++) {
		const char *at = strchr(signs, *p);
		char c = at ? letters[at - signs] : *p == '1' || *p == '!' ? one : *p;

		if (is_letter(c) || (unsigned char)c >= 0x80)
			*to++ = c; /* dashes, dots and blanks between words are dress, too */
	}
	*to = 0;
}

/* Without the digits and signs before and after it. */
static void trim(char *text)
{
	size_t from = 0, len = strlen(text);

	while (len > 0 && !is_letter(text[len - 1]) && (unsigned char)text[len - 1] < 0x80)
		len--;
	while (from < len && !is_letter(text[from]) && (unsigned char)text[from] < 0x80)
		from++;
	memmove(text, text + from, len - from);
	text[len - from] = 0;
}

/* The part that a text is a repetition of; the text itself where it is none. */
static void fold(char *text)
{
	size_t len = strlen(text);

	for (size_t part = 1; part <= len / 2; part++) {
		if (len % part != 0 || memcmp(text, text + part, len - part) != 0)
			continue;
		text[part] = 0;
		return;
	}
}

typedef bool (*test_fn)(const char *core, const void *arg);

/* Every way to read what is under the dress. */
static bool any_reading(const char *password, test_fn test, const void *arg)
{
	char core[CORE_MAX];
	bool found = false;

	if (strlen(password) >= CORE_MAX)
		return false;
	for (unsigned way = 0; way < 4 && !found; way++) {
		lower(password, core);
		if (way & 1)
			trim(core);
		undress(core, way & 2 ? 'l' : 'i');
		fold(core);
		found = *core && test(core, arg);
	}
	secret_wipe(core, sizeof(core));
	return found;
}

static bool is_common(const char *core, const void *arg)
{
	char left[CORE_MAX];
	size_t len = strlen(core);

	if (is_listed(core))
		return true;
	for (size_t cut = 3; cut + 3 <= len; cut++) { /* two of them */
		memcpy(left, core, cut);
		left[cut] = 0;
		if (is_listed(left) && is_listed(core + cut))
			return true;
	}
	return false;
}

static bool is_of_word(const char *core, const void *arg)
{
	const char *word = arg;
	size_t len = strlen(word);
	const char *at = strstr(core, word);
	char rest[CORE_MAX];

	if (len < 3 || !at)
		return false;
	/* What is left beside it, before or after: nothing, itself again, or a common word. */
	memcpy(rest, core, (size_t)(at - core));
	strncpy(rest + (at - core), at + len, sizeof(rest) - (size_t)(at - core) - 1);
	rest[CORE_MAX - 1] = 0;
	return !*rest || strcmp(rest, word) == 0 || is_listed(rest);
}

/* How far the text goes along a walk from here. */
static size_t along(const char *text, const char *walk, int step)
{
	size_t best = 0, len = strlen(walk);

	for (size_t from = 0; from < len; from++) {
		size_t n = 0;

		for (long at = (long)from;
		     at >= 0 && at < (long)len && text[n] && text[n] == walk[at]; at += step)
			n++;
		best = n > best ? n : best;
	}
	return best;
}

/* Is all of it walks over a keyboard, of three keys at least each? */
static bool is_walk(const char *text)
{
	while (*text) {
		size_t best = 0;

		for (size_t i = 0; i < sizeof(walks) / sizeof(*walks); i++)
			for (int step = -1; step <= 1; step += 2) {
				size_t n = along(text, walks[i], step);

				best = n > best ? n : best;
			}
		if (best < WALK_MIN)
			return false;
		text += best;
	}
	return true;
}

static bool is_poor(const char *text)
{
	char seen[4] = {0};

	for (; *text; text++) {
		if (strchr(seen, *text))
			continue;
		if (strlen(seen) == 3)
			return false; /* a fourth character */
		seen[strlen(seen)] = *text;
	}
	return true;
}

static bool year(const char *d)
{
	return (d[0] == '1' && d[1] == '9') || (d[0] == '2' && d[1] == '0');
}

/* Eight digits that are a day of the last or this century, whichever way round. */
static bool is_date(const char *text)
{
	return strlen(text) == 8 && strspn(text, "0123456789") == 8 &&
	       (year(text) || year(text + 4));
}

bool common_password(const char *password)
{
	char text[CORE_MAX];
	bool found;

	if (strlen(password) >= CORE_MAX) /* nobody has such on a list; but one key held down? */
		return is_poor(password);
	lower(password, text);
	found = is_poor(text) || is_date(text) || is_walk(text);
	fold(text);
	found = found || is_walk(text) || (strlen(text) < 4 && *text) ||
		any_reading(password, is_common, NULL);
	secret_wipe(text, sizeof(text));
	return found;
}

bool common_word(const char *password, const char *const *words)
{
	char word[CORE_MAX];

	for (; words && *words; words++) {
		if (strlen(*words) >= CORE_MAX)
			continue;
		lower(*words, word);
		undress(word, 'i');
		if (any_reading(password, is_of_word, word))
			return true;
	}
	return false;
}
