#include "update/advisory/identifier.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Up to `stop`, unescaped, in lower case; where it ends, NULL where it is too long. */
static const char *take(const char *s, const char *stop, char escape, char *ret, size_t size)
{
	size_t n = 0;

	for (; *s && !strchr(stop, *s); s++) {
		char c = *s;

		if (c == escape && escape == '\\' && s[1])
			c = *++s;
		else if (c == escape && escape == '%' && hex(s[1]) >= 0 && hex(s[2]) >= 0 &&
			 (hex(s[1]) || hex(s[2]))) {
			c = (char)(hex(s[1]) << 4 | hex(s[2]));
			s += 2;
		}
		if (n + 1 >= size)
			return NULL;
		ret[n++] = (char)tolower((unsigned char)c);
	}
	ret[n] = 0;
	return s;
}

static void any(char *s)
{
	if (strcmp(s, "*") == 0 || strcmp(s, "-") == 0)
		*s = 0;
}

static int parse_cpe(const char *s, char escape, struct identifier *id)
{
	char *const part[] = {id->kind, id->vendor, id->product, id->version};
	const size_t size[] = {sizeof(id->kind), sizeof(id->vendor), sizeof(id->product),
			       sizeof(id->version)};

	id->cpe = true;
	for (unsigned i = 0; i < 4; i++) {
		s = take(s, ":", escape, part[i], size[i]);
		if (!s)
			return -EINVAL;
		s += *s == ':';
		any(part[i]);
	}
	return *id->vendor && *id->product && strlen(id->kind) == 1 ? 0 : -EINVAL;
}

/* Splits on the last '/', as the purl specification does. */
static int parse_purl(const char *s, struct identifier *id)
{
	char path[2 * IDENTIFIER_MAX], *slash;

	s += strspn(s, "/");
	s = take(s, "/", 0, id->kind, sizeof(id->kind));
	if (!s || *s != '/' || !*id->kind)
		return -EINVAL;
	s = take(s + 1, "@?#", '%', path, sizeof(path));
	if (!s || !*path)
		return -EINVAL;
	if (*s == '@' && !take(s + 1, "?#", '%', id->version, sizeof(id->version)))
		return -EINVAL;
	slash = strrchr(path, '/');
	if (slash)
		*slash = 0;
	if (strlen(slash ? slash + 1 : path) >= IDENTIFIER_MAX ||
	    (slash && strlen(path) >= IDENTIFIER_MAX))
		return -EINVAL;
	memcpy(id->product, slash ? slash + 1 : path, strlen(slash ? slash + 1 : path) + 1);
	if (slash)
		memcpy(id->vendor, path, strlen(path) + 1);
	return *id->product ? 0 : -EINVAL;
}

int identifier_parse(const char *text, struct identifier *ret_id)
{
	struct identifier id = {.cpe = false};
	int err = -EINVAL;

	if (strncasecmp(text, "cpe:2.3:", 8) == 0)
		err = parse_cpe(text + 8, '\\', &id);
	else if (strncasecmp(text, "cpe:/", 5) == 0)
		err = parse_cpe(text + 5, '%', &id);
	else if (strncasecmp(text, "pkg:", 4) == 0)
		err = parse_purl(text + 4, &id);
	if (err == 0)
		*ret_id = id;
	return err;
}

bool identifier_same(const struct identifier *a, const struct identifier *b)
{
	return a->cpe == b->cpe && strcmp(a->kind, b->kind) == 0 &&
	       strcmp(a->vendor, b->vendor) == 0 && strcmp(a->product, b->product) == 0;
}
