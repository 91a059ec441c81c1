#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "update/advisory/version.h"

struct piece {
	char text[2 * VERSION_MAX];
};

static void trim(char *s)
{
	size_t len, lead = strspn(s, " \t\r\n");

	memmove(s, s + lead, strlen(s + lead) + 1);
	for (len = strlen(s); len && strchr(" \t\r\n.;:", s[len - 1]); len--)
		s[len - 1] = 0;
}

static bool add(struct range *r, enum version_op op, const char *version)
{
	struct range_part *p = &r->part[r->count];

	if (r->count == RANGE_PARTS || !*version || strlen(version) >= VERSION_MAX)
		return false;
	p->op = op;
	snprintf(p->version, sizeof(p->version), "%s", version);
	r->count++;
	return true;
}

static const char *take_op(const char *s, enum version_op *ret_op, bool *ret_any)
{
	static const struct {
		const char *text;
		enum version_op op;
	} ops[] = {{"<=", VERSION_LE},		{">=", VERSION_GE},
		   {"!=", VERSION_NE},		{"==", VERSION_EQ},
		   {"<", VERSION_LT},		{">", VERSION_GT},
		   {"=", VERSION_EQ},		{"\xe2\x89\xa4", VERSION_LE},
		   {"\xe2\x89\xa5", VERSION_GE}};

	*ret_op = VERSION_EQ;
	*ret_any = false;
	for (unsigned i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		size_t n = strlen(ops[i].text);

		if (strncmp(s, ops[i].text, n) == 0) {
			*ret_op = ops[i].op;
			*ret_any = true;
			s += n;
			break;
		}
	}
	return s + strspn(s, " ");
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef",
		   *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

static void percent_decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '%' && hex(s[1]) >= 0 && hex(s[2]) >= 0 && (hex(s[1]) || hex(s[2]))) {
			*to++ = (char)(hex(s[1]) << 4 | hex(s[2]));
			s += 2;
		} else {
			*to++ = *s;
		}
	}
	*to = 0;
}

/* vers:SCHEME/[OP]VERSION[|[OP]VERSION]... */
static int parse_vers(const char *s, struct range *r)
{
	size_t n = strcspn(s, "/");

	if (s[n] != '/' || !n || n >= sizeof(r->scheme))
		return -EINVAL;
	memcpy(r->scheme, s, n);
	r->vers = true;
	s += n + 1;
	if (strcmp(s, "*") == 0) {
		r->all = true;
		return 0;
	}
	while (*s) {
		char text[VERSION_MAX];
		enum version_op op;
		bool any;

		n = strcspn(s, "|");
		if (n >= sizeof(text))
			return -EINVAL;
		memcpy(text, s, n);
		text[n] = 0;
		trim(text);
		if (*text) {
			const char *version = take_op(text, &op, &any);
			char decoded[VERSION_MAX];

			snprintf(decoded, sizeof(decoded), "%s", version);
			percent_decode(decoded);
			if (!add(r, op, decoded))
				return -EINVAL;
		}
		s += n + (s[n] == '|');
	}
	return r->count ? 0 : -EINVAL;
}

static bool is_version_word(const char *w, size_t n)
{
	static const char *const words[] = {"service", "pack",	 "sp",	  "sr",	  "build", "patch",
					    "hotfix",  "update", "alpha", "beta", "rc"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == n && strncasecmp(words[i], w, n) == 0)
			return true;
	/* "01", "D15", "SR1": up to two letters and a number. */
	for (size_t i = 0; i < n; i++)
		if (isdigit((unsigned char)w[i]))
			return i <= 2;
	return false;
}

static bool begins(const char *s, const char *word)
{
	size_t n = strlen(word);

	return strncasecmp(s, word, n) == 0 && !isalnum((unsigned char)s[n]);
}

/* Strips `word` from the end. */
static bool ends(char *s, const char *word)
{
	size_t n = strlen(s), m = strlen(word);

	if (n <= m || strcasecmp(s + n - m, word) != 0 || s[n - m - 1] != ' ')
		return false;
	s[n - m] = 0;
	trim(s);
	return true;
}

static bool is_date(const char *s)
{
	static const char *const months[] = {"january",	  "february", "march",	  "april",
					     "may",	  "june",     "july",	  "august",
					     "september", "october",  "november", "december"};

	for (unsigned i = 0; i < 12; i++)
		if (begins(s, months[i]))
			return true;
	return false;
}

static void add_condition(struct range *r, const char *text)
{
	size_t len = strlen(r->condition);

	if (*text)
		snprintf(r->condition + len, sizeof(r->condition) - len, "%s%.100s",
			 len ? "; " : "", text);
}

/* The version at the front of what is left of a piece; prose behind it becomes a condition. */
static bool take_version(struct range *r, const char *s, char ret_version[VERSION_MAX])
{
	size_t len = strcspn(s, " "), digit = strcspn(s, "0123456789");

	if (!len || len >= VERSION_MAX || is_date(s))
		return false;
	/* A revision may be a single letter; a word without a number is no version. */
	if (digit >= len && (len > 2 || !isalpha((unsigned char)*s)))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("._-+~:*", s[i]))
			return false;
	for (;;) {
		size_t blank = strspn(s + len, " "), word = strcspn(s + len + blank, " ");

		if (!word || !is_version_word(s + len + blank, word) ||
		    memchr(s + len + blank, '.', word) || len + blank + word >= VERSION_MAX)
			break;
		len += blank + word;
	}
	memcpy(ret_version, s, len);
	ret_version[len] = 0;
	add_condition(r, s + len + strspn(s + len, " "));
	return true;
}

static bool parse_through(struct range *r, const char *s)
{
	static const char *const words[] = {" through ", " thru ", " to ", " - "};
	char low[VERSION_MAX], high[VERSION_MAX];

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const char *at = strcasestr(s, words[i]);
		struct range scratch = {.count = 0};

		if (!at || (size_t)(at - s) >= sizeof(low))
			continue;
		memcpy(low, s, (size_t)(at - s));
		low[at - s] = 0;
		return take_version(&scratch, low, low) && !*scratch.condition &&
		       take_version(r, at + strlen(words[i]), high) && add(r, VERSION_GE, low) &&
		       add(r, VERSION_LE, high);
	}
	return false;
}

/* One constraint as publishers write it. */
static bool parse_piece(struct range *r, char *text)
{
	static const struct {
		const char *word;
		enum version_op op;
		bool last;
	} words[] = {
		{"prior to", VERSION_LT, false},     {"before", VERSION_LT, false},
		{"earlier than", VERSION_LT, false}, {"older than", VERSION_LT, false},
		{"up to", VERSION_LE, false},	     {"and prior", VERSION_LE, true},
		{"and earlier", VERSION_LE, true},   {"or earlier", VERSION_LE, true},
		{"and below", VERSION_LE, true},     {"and later", VERSION_GE, true},
		{"or later", VERSION_GE, true},	     {"and above", VERSION_GE, true},
		{"and newer", VERSION_GE, true},
	};
	char version[VERSION_MAX];
	enum version_op op;
	const char *s;
	bool any;

	trim(text);
	ends(text, "versions"); /* "1.0 and prior versions" */
	s = take_op(text, &op, &any);
	while (begins(s, "version") || begins(s, "versions") || begins(s, "all versions"))
		s += strcspn(s, " ") + strspn(s + strcspn(s, " "), " ");
	for (unsigned i = 0; !any && i < sizeof(words) / sizeof(*words); i++) {
		if (words[i].last ? ends(text, words[i].word) : begins(s, words[i].word)) {
			op = words[i].op;
			any = true;
			s += words[i].last ? 0 : strlen(words[i].word);
			s += strspn(s, " ");
			while (begins(s, "version") || begins(s, "versions"))
				s += strcspn(s, " ") + strspn(s + strcspn(s, " "), " ");
		}
	}
	if (!any && parse_through(r, s))
		return true;
	if (strpbrk(s, "<>="))
		return false; /* "A.01 <= C.0x": nobody can say what that is */
	return take_version(r, s, version) && add(r, op, version);
}

/* What stands in brackets is a condition, and no version. */
static void take_brackets(struct range *r, char *s)
{
	char *open, *close;

	while ((open = strchr(s, '(')) != NULL) {
		close = strchr(open, ')');
		if (close)
			*close = 0;
		add_condition(r, open + 1);
		if (close)
			memmove(open, close + 1, strlen(close + 1) + 1);
		else
			*open = 0;
	}
}

static bool says_all(const char *s)
{
	static const char *const words[] = {"*",   "all",	  "all versions",
					    "any", "any version", "all_versions"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	return false;
}

/* "1.1.7 and 2.1.1": a list like any other; not so "1.1.7 and prior". */
static void part_list(char *s)
{
	char *at = s;

	while ((at = strstr(at, " and ")) != NULL) {
		if (isdigit((unsigned char)at[5]))
			memset(at, '|', 5);
		at += 5;
	}
}

int range_parse(const char *text, struct range *ret_range)
{
	struct range r = {.count = 0};
	char copy[4096];
	char *piece, *save = NULL;
	int err = 0;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	if (strncasecmp(text, "vers:", 5) == 0) {
		err = parse_vers(text + 5, &r);
	} else {
		snprintf(copy, sizeof(copy), "%s", text);
		take_brackets(&r, copy);
		trim(copy);
		r.all = says_all(copy);
		if (!r.all && !*copy)
			return -EINVAL;
		if (!r.all)
			part_list(copy);
		for (piece = r.all ? NULL : strtok_r(copy, "|,", &save); piece;
		     piece = strtok_r(NULL, "|,", &save))
			if (!parse_piece(&r, piece))
				return -EINVAL;
	}
	if (err == 0)
		*ret_range = r;
	return err;
}

static enum range_answer answer(enum version_order o, enum version_op op)
{
	bool yes = false;

	if (o == VERSION_UNKNOWN)
		return RANGE_UNKNOWN;
	switch (op) {
	case VERSION_EQ:
		yes = o == VERSION_EQUAL;
		break;
	case VERSION_NE:
		yes = o != VERSION_EQUAL;
		break;
	case VERSION_LT:
		yes = o == VERSION_LESS;
		break;
	case VERSION_LE:
		yes = o != VERSION_GREATER;
		break;
	case VERSION_GT:
		yes = o == VERSION_GREATER;
		break;
	case VERSION_GE:
		yes = o != VERSION_LESS;
		break;
	}
	return yes ? RANGE_YES : RANGE_NO;
}

/* How long a beginning stands before ".x" or ".*"; 0: the version has no such end. */
static size_t open_at(const char *v)
{
	for (size_t i = 1; v[i]; i++)
		if (strchr("xX*", v[i]) && v[i - 1] == '.' && (!v[i + 1] || v[i + 1] == '.'))
			return i - 1;
	return 0;
}

/* "5.x": every version that begins so; "< 3.x": every one before 3. */
static enum range_answer answer_open(const struct range_part *p, size_t len, const char *version)
{
	char base[VERSION_MAX], begin[VERSION_MAX];
	size_t numbers = 1, i = 0;
	enum version_order o;

	memcpy(base, p->version, len);
	base[len] = 0;
	for (size_t j = 0; j < len; j++)
		numbers += base[j] == '.';
	for (; version[i] && i < sizeof(begin) - 1; i++) {
		if (version[i] == '.' && --numbers == 0)
			break;
		begin[i] = version[i];
	}
	begin[i] = 0;
	o = version_compare("", begin, base);
	if (o == VERSION_EQUAL && (p->op == VERSION_LT || p->op == VERSION_GT))
		return RANGE_UNKNOWN;
	return answer(o, p->op);
}

static enum range_answer ask(const struct range *r, const struct range_part *p, const char *version)
{
	size_t open = open_at(p->version);

	if (open)
		return answer_open(p, open, version);
	return answer(version_compare(r->scheme, version, p->version), p->op);
}

static bool is_lower(enum version_op op)
{
	return op == VERSION_GT || op == VERSION_GE;
}

static bool is_upper(enum version_op op)
{
	return op == VERSION_LT || op == VERSION_LE;
}

/* A lower bound and the upper one behind it belong together; each alone is open at its other side. */
enum range_answer range_contains(const struct range *r, const char *version)
{
	enum range_answer all = RANGE_NO, one;

	if (r->all)
		return *r->condition ? RANGE_UNKNOWN : RANGE_YES;
	if (!*version)
		return RANGE_UNKNOWN;
	for (unsigned i = 0; i < r->count; i++)
		if (r->part[i].op == VERSION_NE && ask(r, &r->part[i], version) != RANGE_YES)
			return ask(r, &r->part[i], version);
	for (unsigned i = 0; i < r->count; i++) {
		const struct range_part *p = &r->part[i];

		if (p->op == VERSION_NE) {
			if (r->count == 1)
				all = RANGE_YES;
			continue;
		}
		one = ask(r, p, version);
		if (is_lower(p->op) && i + 1 < r->count && is_upper(p[1].op)) {
			enum range_answer other = ask(r, p + 1, version);

			one = one == RANGE_NO || other == RANGE_NO ? RANGE_NO
			      : one == RANGE_YES		   ? other
								   : one;
			i++;
		}
		if (one == RANGE_YES)
			return *r->condition ? RANGE_UNKNOWN : RANGE_YES;
		if (one == RANGE_UNKNOWN)
			all = RANGE_UNKNOWN;
	}
	return all == RANGE_YES && *r->condition ? RANGE_UNKNOWN : all;
}

bool range_equal(const struct range *a, const struct range *b)
{
	if (a->all != b->all || a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (a->part[i].op != b->part[i].op ||
		    (strcasecmp(a->part[i].version, b->part[i].version) != 0 &&
		     version_compare("", a->part[i].version, b->part[i].version) != VERSION_EQUAL))
			return false;
	return true;
}
