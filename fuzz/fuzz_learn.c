/*
 * Events of any origin: whatever they say, the policy that is proposed must be a
 * good one, and so must the one that a person makes of it by taking over what
 * stands there as comments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/propose.h"
#include "guard/policy/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char profile[] =
	"title: t\nkind: other\nfail: open\nsource: [s]\n"
	"starts:\n  - {service: a, proto: tcp, port: [11112], peer: pacs}\n"
	"  - {service: b, proto: udp, port: [24005], peer: broadcast}\n"
	"accepts:\n  - {service: c, proto: udp, port: [24105], peer: central}\n"
	"identify: {vendor: [Philips], service: [udp/24105, tcp/11112], app: [mqtt]}\n";

static const char site[] = "segments: [{name: icu, ward: w, hospital: h, net: [10.1.1.0/24]}]\n"
			   "hosts: [{name: c1, ip: [10.1.0.5], role: [central]}]\n"
			   "devices: [{name: m1, segment: icu, mac: '00:09:fb:01:02:03'}]\n";

static struct config *parse(const char *text, size_t len)
{
	struct config_error errors[4];
	size_t count = 0;

	return config_parse("/nonexistent/f.yaml", (struct bytes){(const uint8_t *)text, len},
			    errors, 4, &count);
}

/* Takes the '# ' away from what is offered, in place. */
static size_t take_over(char *text)
{
	static const char head[] = "    # Not covered";
	char *to = text;
	bool offered = false;

	for (char *s = text; *s;) {
		size_t len = strcspn(s, "\n") + 1;

		offered = strncmp(s, head, strlen(head)) == 0 ||
			  (offered && strncmp(s, "    # ", 6) == 0);
		if (offered && strncmp(s, head, strlen(head)) != 0) {
			memset(to, ' ', 4);
			memmove(to + 4, s + 6, len - 6);
			to += len - 2;
		} else {
			memmove(to, s, len);
			to += len;
		}
		s += len;
	}
	*to = 0;
	return (size_t)(to - text);
}

static void check(const struct seen *seen, const struct config *config, struct config_profile *own)
{
	static const char *const ward[] = {"10.1.1.0/24"};
	struct propose p = {.seen = seen,
			    .config = config,
			    .profiles = own,
			    .profile_count = 1,
			    .ward = ward,
			    .ward_count = 1};
	char *text = NULL, *name;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int r = out ? propose_write(&p, out) : -1;
	struct config *c = NULL;

	if (out)
		fclose(out);
	if (r == 0) {
		/* The profile is in no folder: the line that names it is not what is tried here. */
		while ((name = strstr(text, "\n    profile: fuzz")) != NULL)
			memcpy(name + 1, "    #", 5);
		c = parse(text, size);
		if (!c)
			abort();
		config_free(c);
		c = parse(text, take_over(text));
		if (!c)
			abort();
	}
	config_free(c);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config_error errors[4];
	struct config *config;
	struct config_profile *own;
	struct seen seen;
	size_t count = 0;

	config_check_words(message_is_wrong);
	if (seen_new(&seen) < 0)
		return 0;
	for (size_t at = 0; at < len;) {
		const uint8_t *end = memchr(data + at, '\n', len - at);
		size_t n = end ? (size_t)(end - data) - at : len - at;

		seen_line(&seen, (const char *)data + at, n);
		at += n + 1;
	}
	seen_settle(&seen);
	own = config_profile_parse("fuzz.yaml",
				   (struct bytes){(const uint8_t *)profile, strlen(profile)},
				   errors, 4, &count);
	config = parse(site, strlen(site));
	if (own && config) {
		check(&seen, NULL, own);
		check(&seen, config, own);
	}
	config_free(config);
	config_profile_free(own);
	seen_free(&seen);
	return 0;
}
