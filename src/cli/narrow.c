#include "cli/narrow.h"

#include <string.h>

#include "cli/yaml.h"

#define ALLOW_MAX  64 /* what a rule has room for */
#define LINE_WIDTH 90

const struct said *narrow_said(const struct draft *x, const struct seen_talk *t)
{
	const struct said *s =
		said_with(&x->p->seen->said, t->from, t->to, t->proto, t->port, proto_find(t->app));

	if (!s || s->broken || t->mixed || strcmp(t->app, s->app->name) != 0)
		return NULL;
	return s;
}

/* Nobody has ever said anything there: nothing to hold anybody to. */
static bool is_empty(const struct said_member *m)
{
	return m->count == 1 && !*m->value[0];
}

/* Which members are narrowed: all of whose values are known, as far as they fit a rule. */
static bool is_narrowed(const struct said *s, unsigned member)
{
	unsigned used = 0;

	for (unsigned i = 0; i <= member; i++) {
		const struct said_member *m = &s->members[i];

		if (m->many || m->odd || !m->count || is_empty(m))
			continue;
		if (used + m->count > ALLOW_MAX)
			return false;
		used += m->count;
		if (i == member)
			return true;
	}
	return false;
}

static bool narrows_any(const struct said *s)
{
	for (unsigned i = 0; i < s->member_count; i++)
		if (is_narrowed(s, i))
			return true;
	return false;
}

/* One of the device's own that a line on top of them might run ahead of for somebody. */
static bool is_in_the_way(const struct draft_device *d, const struct config_rule *rule,
			  const struct seen_talk *t, enum fit_far far, bool starts)
{
	const struct config_device *k = d->known;
	const struct config_rule *list = starts ? k->starts : k->accepts, *hit = NULL;
	unsigned count = starts ? k->starts_count : k->accepts_count;

	while ((hit = fit_rule(list, count, hit, t, far)) != NULL)
		if (hit != rule && (hit->action != GATE_INSPECT || *hit->app))
			return true;
	return false;
}

static bool is_peer(const struct config_device *k, const char *name)
{
	for (unsigned i = 0; i < k->peer_count; i++)
		if (strcmp(k->peer[i], name) == 0)
			return true;
	return k->peer_count == 0;
}

bool narrow_fits(const struct draft_device *d, const struct config_rule *rule,
		 const struct said *said, const struct seen_talk *t, const char *peer,
		 enum fit_far far, bool starts)
{
	if (rule->action != GATE_INSPECT || rule->allow_count)
		return false;
	if (*rule->app && strcmp(rule->app, said->app->name) != 0)
		return false;
	if (*rule->app && !narrows_any(said) && (said->control || !rule->control))
		return false;
	/* Narrowed to others, it may not be allowed at all. */
	return !d->known || (is_peer(d->known, peer) && !is_in_the_way(d, rule, t, far, starts));
}

void narrow_notes(FILE *out, const struct said *said, const char *indent)
{
	for (unsigned i = 0; i < said->member_count; i++) {
		const struct said_member *m = &said->members[i];

		if (is_narrowed(said, i) || is_empty(m))
			continue;
		fprintf(out, "%s# %s stays open: %s\n", indent, m->field->name,
			m->odd	  ? "some values are not to be read, or hold * or ?"
			: m->many ? "it had too many values"
				  : "there is no room for its values");
	}
}

/* Sets lists of texts over several lines. */
struct setting {
	FILE *out;
	const char *indent;
	size_t width;
};

static void set_text(struct setting *to, const char *text)
{
	size_t len = strlen(text) + 4;

	if (!to->width)
		fprintf(to->out, ",\n%sallow: [", to->indent);
	else if (to->width + len > LINE_WIDTH)
		fprintf(to->out, ",\n%s  ", to->indent);
	else
		fputs(", ", to->out);
	to->width = to->width + len > LINE_WIDTH ? len : to->width + len;
	yaml_quoted(to->out, text);
}

void narrow_write(FILE *out, const struct said *said, bool control, const char *indent)
{
	struct setting to = {.out = out, .indent = indent};
	char text[SAID_LEN + 64];

	fprintf(out, ",\n%sapp: %s", indent, said->app->name);
	if (!said->app->unmarked)
		fprintf(out, ", control: %s", control && said->control ? "yes" : "no");
	for (unsigned i = 0; i < said->member_count; i++) {
		const struct said_member *m = &said->members[i];

		for (unsigned j = 0; is_narrowed(said, i) && j < m->count; j++) {
			snprintf(text, sizeof(text), "%s=%s", m->field->name, m->value[j]);
			set_text(&to, text);
		}
	}
	fputs(to.width ? "]" : "", out);
}
