#include "update/advisory/hint.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define READ_MAX (256u << 10) /* bytes of an advisory's prose */

static void add(struct hints *h, unsigned long port, bool udp, const char *text, const char *at)
{
	const char *from = at;
	size_t len;

	if (!port || port > 65535)
		return;
	for (unsigned i = 0; i < h->count; i++)
		if (h->ports[i].port == port && h->ports[i].udp == udp)
			return;
	if (h->count == HINT_PORTS_MAX)
		return;
	h->ports[h->count++] = (struct hint_port){(uint16_t)port, udp};
	if (*h->sentence)
		return;
	while (from > text && at - from < 100 && !strchr(".\n;", from[-1]))
		from--;
	from += strspn(from, " ");
	len = strcspn(from, "\n");
	if (len >= sizeof(h->sentence))
		len = sizeof(h->sentence) - 1;
	/* Not within a letter. */
	while (len && ((uint8_t)from[len] & 0xc0) == 0x80)
		len--;
	memcpy(h->sentence, from, len);
	h->sentence[len] = 0;
}

/* Does the word before `at` read so? */
static bool follows(const char *text, const char *at, const char *word)
{
	size_t n = strlen(word);

	while (at > text && at[-1] == ' ')
		at--;
	return (size_t)(at - text) >= n && strncasecmp(at - n, word, n) == 0 &&
	       (at - n == text || !isalnum((unsigned char)at[-(ptrdiff_t)n - 1]));
}

static void search(struct hints *h, const char *text, size_t *left)
{
	for (const char *at = text; *at && (size_t)(at - text) < *left;) {
		char *end;
		unsigned long port;

		if (!isdigit((unsigned char)*at) || (at > text && isalnum((unsigned char)at[-1]))) {
			at++;
			continue;
		}
		port = strtoul(at, &end, 10);
		if (strncasecmp(end, "/tcp", 4) == 0 || follows(text, at, "tcp port"))
			add(h, port, false, text, at);
		else if (strncasecmp(end, "/udp", 4) == 0 || follows(text, at, "udp port"))
			add(h, port, true, text, at);
		at = end;
	}
	*left -= strnlen(text, *left);
}

void hints_of(const struct csaf *c, struct hints *ret_hints)
{
	size_t left = READ_MAX;

	*ret_hints = (struct hints){.count = 0};
	for (unsigned i = 0; i < c->vulnerability_count; i++) {
		const struct csaf_vulnerability *v = &c->vulnerabilities[i];

		search(ret_hints, v->summary, &left);
		for (unsigned j = 0; j < v->remedy_count; j++)
			search(ret_hints, v->remedies[j].details, &left);
	}
}
