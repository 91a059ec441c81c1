#include "guard/policy/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/conform.h"
#include "guard/policy/vocabulary.h"

struct term {
	const struct proto_field *field;
	const char *pattern; /* the policy's text, up to its newline */
	uint32_t len;
};

struct entry {
	const struct proto *proto; /* NULL: the rule names none */
	uint32_t term, count;
	bool no_control;
};

struct message_rules {
	struct entry *entries; /* by rule */
	uint32_t count;
	struct term *terms; /* those of one member stand together */
	uint32_t term_count, term_cap;
};

/* The classic two-finger walk: on a mismatch the last `*` takes one byte more. */
static bool is_same(uint8_t a, uint8_t b, bool caseless)
{
	return a == b || (caseless && (a ^ b) == 0x20 && (a | 0x20) >= 'a' && (a | 0x20) <= 'z');
}

/* A filter's + is any level, its # all the rest: more than the one character that a `?` allows. */
static bool is_one(uint8_t pattern, uint8_t c, unsigned flags)
{
	if (pattern == '?')
		return !(flags & FIELD_FILTER) || (c != '+' && c != '#');
	return is_same(pattern, c, flags & FIELD_CASELESS);
}

bool message_match(const char *pattern, size_t len, struct bytes value, unsigned flags)
{
	size_t p = 0, v = 0, star = SIZE_MAX, mark = 0;

	while (v < value.len) {
		if (p < len && pattern[p] == '*') {
			star = p++;
			mark = v;
		} else if (p < len && is_one((uint8_t)pattern[p], value.data[v], flags)) {
			p++;
			v++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			v = ++mark;
		} else {
			return false;
		}
	}
	while (p < len && pattern[p] == '*')
		p++;
	return p == len;
}

static bool add_term(struct message_rules *m, struct entry *e, const struct proto_field *field,
		     const char *pattern, size_t len)
{
	if (m->term_count == m->term_cap) {
		uint32_t cap = m->term_cap ? m->term_cap * 2 : 64;
		struct term *terms = realloc(m->terms, cap * sizeof(*terms));

		if (!terms)
			return false;
		m->terms = terms;
		m->term_cap = cap;
	}
	m->terms[m->term_count++] = (struct term){field, pattern, (uint32_t)len};
	e->count++;
	return true;
}

static int term_order(const void *a, const void *b)
{
	const struct term *x = a, *y = b;

	if (x->field != y->field)
		return x->field < y->field ? -1 : 1;
	return (x->pattern > y->pattern) - (x->pattern < y->pattern);
}

static const struct proto_field *named(const struct proto *p, const char *name, size_t len)
{
	for (const struct proto_field *f = p->fields; *f->name; f++)
		if (strlen(f->name) == len && !memcmp(f->name, name, len))
			return f;
	return NULL;
}

static bool read_line(struct message_rules *m, struct entry *e, const char *line, size_t len)
{
	const char *equal = memchr(line, '=', len);
	size_t name = equal ? (size_t)(equal - line) : 0;
	const struct proto_field *f;

	if (!equal)
		return true;
	if (name == 7 && !memcmp(line, "control", 7)) {
		e->no_control = true;
		return true;
	}
	f = named(e->proto, line, name);
	return !f || add_term(m, e, f, equal + 1, len - name - 1);
}

/* How many of the rule's patterns are for this member, of which events may have another field than patterns. */
static uint32_t count_terms(const struct message_rules *m, const struct entry *e,
			    const struct proto_field *f)
{
	uint32_t n = 0;

	for (uint32_t i = e->term; i < e->term + e->count; i++)
		n += !strcmp(m->terms[i].field->name, f->name);
	return n;
}

/* What was said of another member holds for this one, of which nothing was said. */
static bool add_like(struct message_rules *m, struct entry *e, const struct proto_field *f)
{
	const struct proto_field *other = NULL;
	uint32_t to = e->term + e->count;

	for (unsigned i = 0; i < 2 && f->like[i] && !other; i++) {
		other = proto_field(e->proto, f->like[i]);
		if (other && !count_terms(m, e, other))
			other = NULL;
	}
	if (!other || count_terms(m, e, f))
		return true;
	for (uint32_t i = e->term; i < to; i++) {
		struct term t = m->terms[i];

		if (t.field == other && !add_term(m, e, f, t.pattern, t.len))
			return false;
	}
	return true;
}

static bool read_rule(struct message_rules *m, struct entry *e, const char *text)
{
	char app[32];
	size_t len = strcspn(text, "\n");

	if (!len || len >= sizeof(app))
		return true;
	memcpy(app, text, len);
	app[len] = 0;
	e->proto = proto_find(app);
	e->term = m->term_count;
	for (text += len; e->proto && *text == '\n'; text += len) {
		text++;
		len = strcspn(text, "\n");
		if (!read_line(m, e, text, len))
			return false;
	}
	for (const struct proto_field *f = e->proto ? e->proto->fields : NULL; f && *f->name; f++)
		if (f->like[0] && !add_like(m, e, f))
			return false;
	if (e->count)
		qsort(m->terms + e->term, e->count, sizeof(*m->terms), term_order);
	return true;
}

struct message_rules *message_rules_new(const struct policy *p)
{
	struct message_rules *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	(void)policy_rules(p, &m->count);
	m->entries = calloc(m->count + 1, sizeof(*m->entries));
	for (uint32_t i = 0; m->entries && i < m->count; i++)
		if (!read_rule(m, &m->entries[i], policy_rule_messages(p, i)))
			break;
	if (m->entries && (!m->term_cap || m->terms))
		return m;
	message_rules_free(m);
	errno = ENOMEM;
	return NULL;
}

struct message_rules *message_rules_of(const char *text)
{
	struct message_rules *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->count = 1;
	m->entries = calloc(1, sizeof(*m->entries));
	if (m->entries && read_rule(m, m->entries, text))
		return m;
	message_rules_free(m);
	errno = ENOMEM;
	return NULL;
}

void message_rules_free(struct message_rules *m)
{
	if (!m)
		return;
	free(m->entries);
	free(m->terms);
	free(m);
}

const struct proto *message_protocol(const struct message_rules *m, uint32_t rule)
{
	return rule < m->count ? m->entries[rule].proto : NULL;
}

bool message_narrows(const struct message_rules *m, uint32_t rule)
{
	const struct proto *p = message_protocol(m, rule);

	return p && (m->entries[rule].count || (m->entries[rule].no_control && !p->unmarked));
}

static bool term_fits(const struct term *t, struct bytes value)
{
	if (t->field->meant)
		value = t->field->meant(value, t->pattern, t->len);
	return message_match(t->pattern, t->len, value, t->field->flags);
}

static bool value_holds(const struct message_rules *m, uint32_t from, uint32_t to,
			struct bytes value)
{
	for (uint32_t i = from; i < to; i++)
		if (term_fits(&m->terms[i], value))
			return true;
	return false;
}

/*
 * One of the patterns for the member that stands at `i` fits; of a list, every
 * value has one. *ret_next: where the next member's patterns begin.
 */
static bool member_holds(const struct message_rules *m, const struct entry *e, uint32_t i,
			 const struct msg *msg, uint32_t *ret_next)
{
	const struct proto_field *field = m->terms[i].field;
	char number[PROTO_VALUE_MAX];
	struct bytes value;
	uint32_t end = i;
	bool said = false;
	size_t at = 0;

	while (end < e->term + e->count && m->terms[end].field == field)
		end++;
	*ret_next = end;
	for (; (value = proto_next(field, msg, &at, number)).data; said = true)
		if (!value_holds(m, i, end, value))
			return false;
	value = (struct bytes){(const uint8_t *)"", 0};
	return said || !msg->unread || value_holds(m, i, end, value);
}

/* NULL where every member has its pattern. */
static const struct proto_field *unmatched(const struct message_rules *m, const struct entry *e,
					   const struct msg *msg)
{
	for (uint32_t i = e->term, next; i < e->term + e->count; i = next)
		if (!member_holds(m, e, i, msg, &next))
			return m->terms[i].field;
	return NULL;
}

enum reason message_judge(const struct message_rules *m, uint32_t rule, const struct proto *p,
			  const struct msg *msg)
{
	const struct entry *e;

	if (rule >= m->count || !m->entries[rule].proto)
		return REASON_NONE;
	e = &m->entries[rule];
	if (e->proto != p && e->proto != msg->opens)
		return REASON_POLICY_WRONG_PROTOCOL;
	if (msg->reason != REASON_NONE && !msg->readable)
		return msg->reason;
	if (msg->answer)
		return REASON_NONE;
	if (msg->control && e->no_control && e->proto != msg->opens)
		return REASON_POLICY_CONTROL;
	return e->proto == p && unmatched(m, e, msg) ? REASON_POLICY_MESSAGE : REASON_NONE;
}

const char *message_unmatched(const struct message_rules *m, uint32_t rule, const struct msg *msg)
{
	return unmatched(m, &m->entries[rule], msg)->name;
}

/* Has the message a member that one of the patterns fits? */
static bool any_fits(const struct message_rules *m, const struct entry *e, const struct msg *msg)
{
	for (uint32_t i = e->term; i < e->term + e->count; i++) {
		char number[PROTO_VALUE_MAX];
		struct bytes value;
		size_t at = 0;

		while ((value = proto_next(m->terms[i].field, msg, &at, number)).data)
			if (term_fits(&m->terms[i], value))
				return true;
	}
	return false;
}

bool message_is_denied(const struct message_rules *m, uint32_t rule, const struct proto *p,
		       const struct msg *msg)
{
	const struct entry *e;

	if (rule >= m->count || m->entries[rule].proto != p)
		return false;
	e = &m->entries[rule];
	if (!e->count && !e->no_control)
		return true;
	return (e->no_control && msg->control) || any_fits(m, e, msg);
}

/* The member that was probably meant; NULL none is near. */
static const char *nearest_member(const struct proto *p, const char *name)
{
	struct nearest near = {.text = name};

	for (const struct proto_field *f = p->fields; *f->name; f++)
		if (f->flags & FIELD_MATCH)
			nearest_offer(&near, f->name);
	return near.best;
}

static void say_no_protocol(const char *name, char ret_error[160])
{
	struct nearest near = {.text = name};
	int len = snprintf(ret_error, 160, "'%.31s' is no protocol that is read; ", name);

	for (unsigned i = 0; i < proto_count; i++)
		nearest_offer(&near, protos[i]->name);
	if (near.best) {
		snprintf(ret_error + len, 160 - (size_t)len, "did you mean '%s'?", near.best);
		return;
	}
	len += snprintf(ret_error + len, 160 - (size_t)len, "they are ");
	for (unsigned i = 0; i < proto_count && len < 160; i++)
		len += snprintf(ret_error + len, 160 - (size_t)len, "%s%s", i ? ", " : "",
				protos[i]->name);
	if (len >= 160)
		memcpy(ret_error + 156, "...", 4);
}

static void say_no_member(const struct proto *p, const char *line, size_t len, char ret_error[160])
{
	char name[40];
	const char *near;

	snprintf(name, sizeof(name), "%.*s", len < 39 ? (int)len : 39, line);
	near = nearest_member(p, name);
	if (near)
		snprintf(ret_error, 160, "messages of %s have no member '%s'; did you mean '%s'?",
			 p->name, name, near);
	else
		snprintf(ret_error, 160,
			 "messages of %s have no member '%s' to narrow; doc/messages.md lists them",
			 p->name, name);
}

static void say_never(const struct proto *p, const struct proto_field *f, const char *pattern,
		      const char *expected, char ret_error[160])
{
	char near[64], offer[90] = "";

	vocabulary_near(p, f, pattern, near);
	if (*near)
		snprintf(offer, sizeof(offer), "did you mean '%s'? ", near);
	if (snprintf(ret_error, 160, "%s of %s is never '%.31s'; %sexpected %s", f->name, p->name,
		     pattern, offer, expected) >= 160)
		memcpy(ret_error + 156, "...", 4);
}

static bool is_line_wrong(const struct proto *p, const char *line, char ret_error[160])
{
	size_t name = strcspn(line, "=");
	const struct proto_field *f = named(p, line, name);
	const char *expected;

	if (line[name] != '=') {
		snprintf(ret_error, 160, "'%.63s' should read member=pattern", line);
		return true;
	}
	if (!f || !(f->flags & FIELD_MATCH)) {
		say_no_member(p, line, name, ret_error);
		return true;
	}
	if (strpbrk(line, "\n\r")) {
		snprintf(ret_error, 160, "a pattern is one line; expected no line break in it");
		return true;
	}
	expected = vocabulary_misses(p, f, line + name + 1);
	if (expected)
		say_never(p, f, line + name + 1, expected, ret_error);
	return expected;
}

bool message_is_wrong(const char *app, char *const *allow, unsigned allow_count, int *ret_line,
		      char ret_error[160])
{
	const struct proto *p = proto_find(app);

	*ret_line = -1;
	if (!p) {
		say_no_protocol(app, ret_error);
		return true;
	}
	for (unsigned i = 0; i < allow_count; i++)
		if (is_line_wrong(p, allow[i], ret_error)) {
			*ret_line = (int)i;
			return true;
		}
	return false;
}
