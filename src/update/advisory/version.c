#include "update/advisory/version.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TOKENS 32

struct token {
	const char *at;
	unsigned len;
	bool number;
	char before; /* what parts it from the one before; 0 nothing */
};

struct tokens {
	struct token t[TOKENS];
	unsigned count;
	bool too_many;
};

static bool is_letter(char c)
{
	return isalpha((unsigned char)c) || (unsigned char)c >= 0x80;
}

static const char *skip_word(const char *s, const char *word)
{
	size_t n = strlen(word);

	if (strncasecmp(s, word, n) != 0)
		return s;
	s += n;
	while (*s == ' ' || *s == '.' || *s == ':')
		s++;
	return s;
}

/* "v1.2", "version 1.2", "Rev. 3": the word says nothing. */
static const char *skip_lead(const char *s)
{
	static const char *const words[] = {"version", "ver", "revision", "rev", "v"};

	while (*s == ' ')
		s++;
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const char *after = skip_word(s, words[i]);

		if (after != s && isdigit((unsigned char)*after))
			return after;
	}
	return s;
}

static void split(const char *s, struct tokens *ret)
{
	char before = 0;

	*ret = (struct tokens){.count = 0};
	for (s = skip_lead(s); *s;) {
		struct token *t = &ret->t[ret->count];

		if (!isdigit((unsigned char)*s) && !is_letter(*s) && *s != '*') {
			before = *s++;
			continue;
		}
		if (ret->count == TOKENS) {
			ret->too_many = true;
			return;
		}
		*t = (struct token){
			.at = s, .number = isdigit((unsigned char)*s), .before = before};
		if (*s == '*')
			s++;
		else if (t->number)
			while (isdigit((unsigned char)*s))
				s++;
		else
			while (is_letter(*s))
				s++;
		t->len = (unsigned)(s - t->at);
		before = 0;
		ret->count++;
	}
}

static int compare_numbers(const struct token *a, const struct token *b)
{
	const char *x = a->at, *y = b->at;
	unsigned n = a->len, m = b->len;
	int r;

	while (n > 1 && *x == '0')
		x++, n--;
	while (m > 1 && *y == '0')
		y++, m--;
	if (n != m)
		return n < m ? -1 : 1;
	r = memcmp(x, y, n);
	return (r > 0) - (r < 0);
}

static bool word_is(const struct token *t, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == t->len && strncasecmp(t->at, *words, t->len) == 0)
			return true;
	return false;
}

/* Behind a version: does the word make it an earlier (-1) or a later one (1)? 0: nobody says. */
static int word_weight(const struct token *t)
{
	static const char *const earlier[] = {"alpha",	 "beta", "rc",	     "pre",
					      "preview", "dev",	 "snapshot", NULL};
	static const char *const later[] = {"sp", "sr",	    "service", "pack",	 "patch", "p",
					    "pl", "hotfix", "hf",      "update", "build", NULL};

	return word_is(t, earlier) ? -1 : word_is(t, later) ? 1 : 0;
}

static bool is_open(const struct token *t)
{
	return !t->number && t->len == 1 && (*t->at == 'x' || *t->at == 'X' || *t->at == '*');
}

/* What the longer one has more says of it, compared with the one that ended: -1, 0, 1; 2 unknown. */
static int weigh_rest(const struct tokens *t, unsigned from)
{
	for (unsigned i = from; i < t->count; i++) {
		const struct token *w = &t->t[i];
		static const struct token zero = {.at = "0", .len = 1, .number = true};

		if (is_open(w))
			return 2;
		if (!w->number)
			return word_weight(w) ? word_weight(w) : 2;
		if (w->before != '.')
			return 2; /* "5.17.1-754": a build, or a version before it */
		if (compare_numbers(w, &zero))
			return 1;
	}
	return 0;
}

static unsigned leading_numbers(const struct tokens *t)
{
	unsigned n = 0;

	while (n < t->count && t->t[n].number && (n == 0 || t->t[n].before == '.'))
		n++;
	return n;
}

static bool may_be_a_model(const struct tokens *lone, const struct tokens *other)
{
	static const struct token limit = {.at = "1000", .len = 4, .number = true};

	return lone->count == 1 && lone->t[0].number && compare_numbers(&lone->t[0], &limit) >= 0 &&
	       leading_numbers(other) >= 2 && compare_numbers(&lone->t[0], &other->t[0]);
}

static enum version_order order_of(int r)
{
	return r < 0 ? VERSION_LESS : r > 0 ? VERSION_GREATER : VERSION_EQUAL;
}

static enum version_order compare_generic(const char *a, const char *b)
{
	struct tokens x, y;
	unsigned i;
	int r;

	split(a, &x);
	split(b, &y);
	if (x.too_many || y.too_many || !x.count || !y.count || may_be_a_model(&x, &y) ||
	    may_be_a_model(&y, &x))
		return VERSION_UNKNOWN;
	for (i = 0; i < x.count && i < y.count; i++) {
		const struct token *s = &x.t[i], *t = &y.t[i];

		if (is_open(s) || is_open(t))
			return VERSION_UNKNOWN;
		if (s->number && t->number) {
			r = compare_numbers(s, t);
			if (r)
				return order_of(r);
			continue;
		}
		if (s->number != t->number)
			return VERSION_UNKNOWN;
		if (s->len == t->len && strncasecmp(s->at, t->at, s->len) == 0)
			continue;
		r = word_weight(s) - word_weight(t);
		return i && word_weight(s) && word_weight(t) && r ? order_of(r) : VERSION_UNKNOWN;
	}
	r = i < x.count ? weigh_rest(&x, i) : i < y.count ? weigh_rest(&y, i) : 0;
	if (r == 2)
		return VERSION_UNKNOWN;
	return order_of(i < x.count ? r : -r);
}

/* Semantic Versioning 2.0.0 §11, with as many numbers as there are. */
static enum version_order compare_semver(const char *a, const char *b)
{
	const char *x = skip_lead(a), *y = skip_lead(b);
	struct token s, t;

	if (!isdigit((unsigned char)*x) || !isdigit((unsigned char)*y))
		return VERSION_UNKNOWN;
	for (;;) {
		int r;

		s = (struct token){.at = isdigit((unsigned char)*x) ? x : "0"};
		t = (struct token){.at = isdigit((unsigned char)*y) ? y : "0"};
		s.len = (unsigned)strspn(s.at, "0123456789");
		t.len = (unsigned)strspn(t.at, "0123456789");
		r = compare_numbers(&s, &t);
		if (r)
			return order_of(r);
		x += s.at == x ? s.len : 0;
		y += t.at == y ? t.len : 0;
		if (*x != '.' && *y != '.')
			break;
		x += *x == '.';
		y += *y == '.';
	}
	if ((*x && *x != '-' && *x != '+') || (*y && *y != '-' && *y != '+'))
		return VERSION_UNKNOWN;
	if (*x != '-' || *y != '-')
		return order_of((*y == '-') - (*x == '-'));
	do {
		size_t n = strcspn(++x, ".+"), m = strcspn(++y, ".+");
		bool p = n && strspn(x, "0123456789") >= n, q = m && strspn(y, "0123456789") >= m;
		int r;

		s = (struct token){.at = x, .len = (unsigned)n};
		t = (struct token){.at = y, .len = (unsigned)m};
		if (p != q)
			return order_of(p ? -1 : 1);
		r = p ? compare_numbers(&s, &t) : strncmp(x, y, n < m ? n : m);
		if (r || n != m)
			return order_of(r ? r : n < m ? -1 : 1);
		x += n;
		y += m;
	} while (*x == '.' && *y == '.');
	return order_of((*x == '.') - (*y == '.'));
}

/* deb-version(7): letters before all else, a tilde before even the end. */
static int deb_order(char c)
{
	return c == '~' ? -1 : isdigit((unsigned char)c) || !c ? 0 : is_letter(c) ? c : c + 256;
}

static int compare_deb_part(const char *a, size_t n, const char *b, size_t m)
{
	size_t i = 0, j = 0;

	while (i < n || j < m) {
		struct token s, t;
		int r;

		while ((i < n && !isdigit((unsigned char)a[i])) ||
		       (j < m && !isdigit((unsigned char)b[j]))) {
			r = deb_order(i < n ? a[i] : 0) - deb_order(j < m ? b[j] : 0);
			if (r)
				return r;
			i += i < n;
			j += j < m;
		}
		s = (struct token){.at = a + i};
		t = (struct token){.at = b + j};
		while (i < n && isdigit((unsigned char)a[i]))
			i++, s.len++;
		while (j < m && isdigit((unsigned char)b[j]))
			j++, t.len++;
		if (!s.len)
			s = (struct token){.at = "0", .len = 1};
		if (!t.len)
			t = (struct token){.at = "0", .len = 1};
		r = compare_numbers(&s, &t);
		if (r)
			return r;
	}
	return 0;
}

/* rpmvercmp(): runs of digits or letters; digits are newer than letters. */
static int compare_rpm_part(const char *a, size_t n, const char *b, size_t m)
{
	const char *x = a, *y = b, *xe = a + n, *ye = b + m;

	for (;;) {
		struct token s, t;
		bool number;
		int r;

		while (x < xe && !isalnum((unsigned char)*x) && *x != '~' && *x != '^')
			x++;
		while (y < ye && !isalnum((unsigned char)*y) && *y != '~' && *y != '^')
			y++;
		if ((x < xe && *x == '~') || (y < ye && *y == '~')) {
			if (x == xe || *x != '~')
				return 1;
			if (y == ye || *y != '~')
				return -1;
			x++, y++;
			continue;
		}
		if (x == xe || y == ye)
			return (x < xe) - (y < ye);
		number = isdigit((unsigned char)*x);
		s = (struct token){.at = x};
		t = (struct token){.at = y};
		while (x < xe && isalnum((unsigned char)*x) &&
		       !isdigit((unsigned char)*x) != number)
			x++, s.len++;
		while (y < ye && isalnum((unsigned char)*y) &&
		       !isdigit((unsigned char)*y) != number)
			y++, t.len++;
		if (!s.len && !t.len) { /* '^' and the like */
			x++, y++;
			continue;
		}
		if (!t.len)
			return number ? 1 : -1;
		r = number ? compare_numbers(&s, &t)
			   : strncmp(s.at, t.at, s.len < t.len ? s.len : t.len);
		if (!r && s.len != t.len && !number)
			r = s.len < t.len ? -1 : 1;
		if (r)
			return r;
	}
}

/* [epoch:]version[-revision], as Debian and RPM both write it. */
static enum version_order compare_packages(const char *a, const char *b,
					   int (*part)(const char *, size_t, const char *, size_t))
{
	const char *text[2] = {a, b}, *revision[2];
	struct token epoch[2];
	size_t len[2];
	int r;

	for (int i = 0; i < 2; i++) {
		size_t digits = strspn(text[i], "0123456789");

		epoch[i] = (struct token){.at = "0", .len = 1};
		if (digits && text[i][digits] == ':') {
			epoch[i] = (struct token){.at = text[i], .len = (unsigned)digits};
			text[i] += digits + 1;
		}
		revision[i] = strrchr(text[i], '-');
		len[i] = revision[i] ? (size_t)(revision[i] - text[i]) : strlen(text[i]);
		revision[i] = revision[i] ? revision[i] + 1 : "";
	}
	r = compare_numbers(&epoch[0], &epoch[1]);
	if (!r)
		r = part(text[0], len[0], text[1], len[1]);
	if (!r && (part == compare_deb_part || (*revision[0] && *revision[1])))
		r = part(revision[0], strlen(revision[0]), revision[1], strlen(revision[1]));
	return order_of(r);
}

enum kind { GENERIC, SEMVER, DEB, RPM, UNKNOWN };

static enum kind kind_of(const char *scheme)
{
	static const struct {
		const char *name;
		enum kind kind;
	} known[] = {
		{"", GENERIC},	  {"generic", GENERIC}, {"intdot", GENERIC},   {"semver", SEMVER},
		{"npm", SEMVER},  {"cargo", SEMVER},	{"golang", SEMVER},    {"nuget", SEMVER},
		{"deb", DEB},	  {"rpm", RPM},		{"pypi", GENERIC},     {"maven", GENERIC},
		{"gem", GENERIC}, {"github", GENERIC},	{"composer", GENERIC}, {"conan", GENERIC},
		{"all", GENERIC}, {"none", GENERIC},
	};

	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcasecmp(known[i].name, scheme) == 0)
			return known[i].kind;
	return UNKNOWN;
}

bool version_scheme_known(const char *scheme)
{
	return kind_of(scheme) != UNKNOWN;
}

enum version_order version_compare(const char *scheme, const char *a, const char *b)
{
	if (strcasecmp(a, b) == 0 && *a)
		return VERSION_EQUAL;
	if (!*a || !*b)
		return VERSION_UNKNOWN;
	switch (kind_of(scheme)) {
	case GENERIC:
		return compare_generic(a, b);
	case SEMVER:
		return compare_semver(a, b);
	case DEB:
		return compare_packages(a, b, compare_deb_part);
	case RPM:
		return compare_packages(a, b, compare_rpm_part);
	case UNKNOWN:
		break;
	}
	return VERSION_UNKNOWN;
}
