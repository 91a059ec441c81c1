#include "update/advisory/name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv.h"

#define TEXT_MAX 512

static bool in_list(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static bool is_company_form(const char *w)
{
	static const char *const forms[] = {
		"inc",	   "incorporated", "corp", "corporation", "co",	  "company", "ltd",
		"limited", "llc",	   "gmbh", "ag",	  "kgaa", "kg",	     "sa",
		"nv",	   "bv",	   "oy",   "ab",	  "plc",  "the",     "se",
		"srl",	   "spa",	   "and",  NULL};

	return in_list(w, forms);
}

/* Words that products of any kind share: one of them alone names nothing. */
static bool is_generic(const char *w)
{
	static const char *const words[] = {
		"a",	       "all",	   "and",      "application", "cardiac",    "central",
		"client",      "clinical", "control",  "data",	      "device",	    "devices",
		"family",      "firmware", "gateway",  "health",      "healthcare", "hospital",
		"hub",	       "imaging",  "infusion", "interface",   "line",	    "manager",
		"medical",     "model",	   "models",   "module",      "monitor",    "monitors",
		"monitoring",  "network",  "of",       "operating",   "or",	    "patient",
		"platform",    "portal",   "product",  "products",    "programmer", "pump",
		"pumps",       "series",   "server",   "service",     "software",   "station",
		"station",     "system",   "systems",  "the",	      "tool",	    "unit",
		"ventilator",  "version",  "versions", "viewer",      "wireless",   "with",
		"workstation", "wlan",	   "only",     NULL};

	return in_list(w, words);
}

/* Words in lower case; bytes of UTF-8 beyond ASCII count as letters. */
static void to_words(const char *s, size_t len, bool vendor, char ret_text[TEXT_MAX])
{
	size_t n = 0;
	char word[TEXT_MAX];

	ret_text[0] = 0;
	for (size_t i = 0; i < len;) {
		size_t m = 0;

		while (i < len && !isalnum((unsigned char)s[i]) && (unsigned char)s[i] < 0x80)
			i++;
		while (i < len && (isalnum((unsigned char)s[i]) || (unsigned char)s[i] >= 0x80) &&
		       m < sizeof(word) - 1)
			word[m++] = (char)tolower((unsigned char)s[i++]);
		word[m] = 0;
		if (!m || (vendor && is_company_form(word)) || n + m + 2 > TEXT_MAX)
			continue;
		n += (size_t)snprintf(ret_text + n, TEXT_MAX - n, "%s%s", n ? " " : "", word);
	}
}

static void measure(struct name_form *f)
{
	uint64_t whole = FNV64_START, first = 0, word = FNV64_START;
	char text[64];
	size_t n = 0;

	for (const char *c = f->text;; c++) {
		if (*c && *c != ' ') {
			whole = fnv64_step(whole, (uint8_t)*c);
			word = fnv64_step(word, (uint8_t)*c);
			if (n < sizeof(text) - 1)
				text[n++] = *c;
			continue;
		}
		text[n] = 0;
		f->words += f->words < UINT8_MAX;
		f->telling |= n > 0 && !is_generic(text);
		if (!first)
			first = word ? word : 1;
		word = FNV64_START;
		n = 0;
		if (!*c)
			break;
	}
	f->whole = whole ? whole : 1;
	f->first = first;
}

static void add_form(struct arena *a, struct name *name, const char *s, size_t len, bool vendor)
{
	char text[TEXT_MAX];
	struct name_form *f;

	to_words(s, len, vendor, text);
	if (!*text || name->count == NAME_FORMS)
		return;
	f = &name->form[name->count];
	*f = (struct name_form){.text = arena_text(a, text)};
	measure(f);
	for (unsigned i = 0; i < name->count; i++)
		if (name->form[i].whole == f->whole)
			return;
	name->count++;
}

/* Each part between the words that part a list. */
static void add_parts(struct arena *a, struct name *name, const char *s, size_t len, bool vendor)
{
	static const char *const parts[] = {" and ", " or ", ", ", " / ", " & ", "; "};
	size_t from = 0;

	for (size_t i = 0; i < len; i++)
		for (unsigned j = 0; j < sizeof(parts) / sizeof(*parts); j++) {
			size_t n = strlen(parts[j]);

			if (i + n > len || i < from || strncmp(s + i, parts[j], n) != 0)
				continue;
			add_form(a, name, s + from, i - from, vendor);
			from = i + n;
		}
	if (from)
		add_form(a, name, s + from, len - from, vendor);
}

static void add_forms(struct arena *a, const char *given, bool vendor, struct name *ret)
{
	size_t len = strlen(given), open = strcspn(given, "("), close;

	add_form(a, ret, given, len, vendor);
	add_parts(a, ret, given, len, vendor);
	if (open >= len)
		return;
	add_form(a, ret, given, open, vendor);
	close = open + strcspn(given + open, ")");
	/* "(BD)", "(CSM)": the short name; in a product's brackets may stand anything. */
	if (vendor || close - open <= 8)
		add_form(a, ret, given + open + 1, (close < len ? close : len) - open - 1, vendor);
	/* "Pulsera (718095) and Endura (718075)", without what the brackets say. */
	if (!vendor && close < len) {
		char plain[TEXT_MAX];
		size_t n = 0;
		int depth = 0;

		for (size_t i = 0; i < len; i++) {
			depth += given[i] == '(';
			if (!depth)
				plain[n++] = given[i];
			depth -= given[i] == ')' && depth;
		}
		add_parts(a, ret, plain, n, vendor);
		add_form(a, ret, plain, n, vendor);
	}
}

static void make(struct arena *a, const char *given, bool vendor, struct name *ret)
{
	struct name_form form[NAME_FORMS];

	*ret = (struct name){.given = arena_short(a, given, TEXT_MAX - 1), .form = form};
	add_forms(a, ret->given, vendor, ret);
	ret->form = ret->count ? arena_take(a, ret->count * sizeof(*ret->form)) : NULL;
	if (ret->form)
		memcpy(ret->form, form, ret->count * sizeof(*form));
	else
		ret->count = 0;
}

void name_vendor(struct arena *a, const char *given, struct name *ret_name)
{
	make(a, given, true, ret_name);
}

void name_product(struct arena *a, const char *given, struct name *ret_name)
{
	make(a, given, false, ret_name);
}

/* Their hashes are the same: are they? Blanks do not count. */
static bool is_same(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == ' ')
			a++;
		while (*b == ' ')
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

static bool begins_with(const char *longer, const char *shorter)
{
	size_t n = strlen(shorter);

	return strncmp(longer, shorter, n) == 0 && (longer[n] == ' ' || !longer[n]);
}

enum name_fit name_vendor_fit(const struct name *a, const struct name *b)
{
	enum name_fit best = NAME_NO;

	for (unsigned i = 0; i < a->count; i++)
		for (unsigned j = 0; j < b->count; j++) {
			const struct name_form *x = &a->form[i], *y = &b->form[j];

			if (x->whole == y->whole && is_same(x->text, y->text))
				return NAME_SAME;
			if (x->first == y->first &&
			    (begins_with(x->text, y->text) || begins_with(y->text, x->text)))
				best = NAME_PART;
		}
	return best;
}

static bool has_word(const char *text, const char *word, size_t len)
{
	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		if ((at == text || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}

/* "mp50" within "mp20 mp90", as "MP20-MP90" is when its words are parted. */
static bool in_number_range(const char *text, const char *word)
{
	size_t stem = strcspn(word, "0123456789");
	unsigned long n, low, high;
	char *end;

	if (!stem || !word[stem] || strspn(word + stem, "0123456789") != strlen(word + stem))
		return false;
	n = strtoul(word + stem, NULL, 10);
	for (const char *at = text; *at; at += strcspn(at, " "), at += *at == ' ') {
		if (strncmp(at, word, stem) != 0 || !isdigit((unsigned char)at[stem]))
			continue;
		low = strtoul(at + stem, &end, 10);
		if (*end != ' ' || strncmp(end + 1, word, stem) != 0)
			continue;
		high = strtoul(end + 1 + stem, &end, 10);
		if ((*end == ' ' || !*end) && low <= n && n <= high)
			return true;
	}
	return false;
}

/* Are all telling words of `few` in `many`? At least one there must be. */
static bool is_within(const char *few, const char *many)
{
	char copy[TEXT_MAX], *word, *save = NULL;
	bool telling = false;

	snprintf(copy, sizeof(copy), "%s", few);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (is_generic(word))
			continue;
		if (!has_word(many, word, strlen(word)) && !in_number_range(many, word))
			return false;
		telling = true;
	}
	return telling;
}

enum name_fit name_product_fit(const struct name *a, const struct name *b)
{
	enum name_fit best = NAME_NO;

	for (unsigned i = 0; i < a->count; i++)
		for (unsigned j = 0; j < b->count; j++) {
			const struct name_form *x = &a->form[i], *y = &b->form[j];

			if (!x->telling || !y->telling)
				continue;
			if (x->whole == y->whole && is_same(x->text, y->text))
				return NAME_SAME;
			if (best == NAME_NO &&
			    (is_within(x->text, y->text) || is_within(y->text, x->text)))
				best = NAME_PART;
		}
	return best;
}
