#include "cli/said.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fnv.h"
#include "guard/policy/vocabulary.h"
#include "guard/proto/http.h"
#include "keep/person.h"

#define HEADS 8192

int saids_new(struct saids *ret_s)
{
	struct saids s = {.list = calloc(SAID_TALKS, sizeof(*s.list)),
			  .heads = calloc(HEADS, sizeof(*s.heads))};

	if (!s.list || !s.heads) {
		saids_free(&s);
		return -ENOMEM;
	}
	*ret_s = s;
	return 0;
}

static void free_one(struct said *d)
{
	for (unsigned i = 0; i < d->member_count; i++)
		for (unsigned j = 0; j < d->members[i].count; j++)
			free(d->members[i].value[j]);
	free(d->members);
}

void saids_free(struct saids *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		free_one(&s->list[i]);
	free(s->list);
	free(s->heads);
}

/* Both directions of a pair come together: the lower address first. */
static uint32_t head_of(const uint8_t low[16], const uint8_t high[16], uint8_t proto)
{
	uint32_t at = fnv32_step(FNV32_START, proto);

	at = fnv32(at, (struct bytes){low, 16});
	at = fnv32(at, (struct bytes){high, 16});
	return (at ^ at >> 16) % HEADS;
}

static bool is_between(const struct said *d, const uint8_t low[16], const uint8_t high[16],
		       uint8_t proto)
{
	return d->proto == proto && memcmp(d->ip[0], low, 16) == 0 &&
	       memcmp(d->ip[1], high, 16) == 0;
}

/* The same service as this one: one port that may be it stays, and the other may be no more. */
static bool join(struct said *d, const uint16_t port[2])
{
	bool same[2] = {d->serves[0] && d->port[0] == port[0],
			d->serves[1] && d->port[1] == port[1]};

	if (!same[0] && !same[1])
		return false;
	d->serves[0] = same[0];
	d->serves[1] = same[1];
	return true;
}

static struct said *find(struct saids *s, const struct said_ends *e, const struct proto *app)
{
	bool turned = memcmp(e->from, e->to, 16) > 0;
	const uint8_t *low = turned ? e->to : e->from, *high = turned ? e->from : e->to;
	const uint16_t port[2] = {turned ? e->to_port : e->from_port,
				  turned ? e->from_port : e->to_port};
	uint32_t *head = &s->heads[head_of(low, high, e->proto)];
	struct said *d;

	for (uint32_t i = *head; i; i = s->list[i - 1].next) {
		d = &s->list[i - 1];
		if (d->app == app && is_between(d, low, high, e->proto) && join(d, port))
			return d;
	}
	if (s->count == SAID_TALKS) {
		s->forgotten++;
		return NULL;
	}
	d = &s->list[s->count++];
	*d = (struct said){.app = app,
			   .port = {port[0], port[1]},
			   .serves = {true, true},
			   .proto = e->proto,
			   .next = *head};
	memcpy(d->ip[0], low, 16);
	memcpy(d->ip[1], high, 16);
	*head = s->count;
	return d;
}

static struct said_member *member_of(struct said *d, const struct proto_field *f)
{
	for (unsigned i = 0; i < d->member_count; i++)
		if (d->members[i].field == f)
			return &d->members[i];
	if (d->member_count == SAID_MEMBERS)
		return NULL;
	if (!d->members && !(d->members = calloc(SAID_MEMBERS, sizeof(*d->members))))
		return NULL;
	d->members[d->member_count].field = f;
	return &d->members[d->member_count++];
}

/* A pattern made of it would match it alone, and a person can read it. */
static bool is_plain(const char *s, size_t len)
{
	if (len >= SAID_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] > 0x7e || s[i] == '*' || s[i] == '?')
			return false;
	return true;
}

static void add_value(const struct said *d, struct said_member *m, const char *value, size_t len)
{
	if (!is_plain(value, len) || person_is_hidden(value) ||
	    vocabulary_misses(d->app, m->field, value)) {
		m->odd = true;
		return;
	}
	for (unsigned i = 0; i < m->count; i++)
		if (strlen(m->value[i]) == len && memcmp(m->value[i], value, len) == 0)
			return;
	m->many |= m->count == SAID_VALUES;
	if (m->many)
		return;
	m->value[m->count] = strndup(value, len);
	if (m->value[m->count])
		m->count++;
	else
		m->many = true;
}

/* The value at a name, which may lead into inner objects. */
static const json_t *at_path(const json_t *object, const char *name)
{
	const char *dot;

	for (; (dot = strchr(name, '.')); name = dot + 1)
		object = json_object_getn(object, name, (size_t)(dot - name));
	return json_object_get(object, name);
}

/* What a protocol's own write() says of a member stands at its name or one object further in. */
static const json_t *at_field(json_t *object, const struct proto_field *f)
{
	const json_t *hit = at_path(object, f->name);
	const char *key;
	json_t *inner;

	if (hit || !(f->flags & FIELD_SILENT))
		return hit;
	json_object_foreach (object, key, inner)
		if (!hit && json_is_object(inner))
			hit = at_path(inner, f->name);
	return hit;
}

/* Does the event hold the object that the member would be in? Who speaks by DICOM is said in a request
 * alone: what else does not know it was picked up behind that. */
static bool has_place(const json_t *object, const struct proto_field *f)
{
	static const char *const of_request[] = {"calling_ae", "called_ae", "user_identity"};
	const char *dot = strchr(f->name, '.');

	for (unsigned i = 0; i < sizeof(of_request) / sizeof(of_request[0]); i++)
		if (!strcmp(f->name, of_request[i]))
			return json_object_get(object, "presentation_contexts");
	return !dot || json_object_getn(object, f->name, (size_t)(dot - f->name));
}

/* Which of its objects the event holds. */
static const char *inner_key(json_t *object)
{
	const char *key;
	json_t *inner;

	json_object_foreach (object, key, inner)
		if (json_is_object(inner))
			return key;
	return NULL;
}

/* As proto_value() would have it, which is what patterns are held against. */
static void take_value(struct said *d, const struct proto_field *f, const json_t *v)
{
	char number[PROTO_VALUE_MAX];
	const char *text = number;
	struct said_member *m;
	size_t len;

	if (json_is_string(v)) {
		text = json_string_value(v);
		len = json_string_length(v);
	} else if (json_is_integer(v)) {
		len = (size_t)snprintf(number, sizeof(number), "%lld",
				       (long long)json_integer_value(v));
	} else if (json_is_boolean(v) && f->flags & FIELD_ZERO) {
		len = (size_t)snprintf(number, sizeof(number), "%s",
				       json_is_true(v) ? "yes" : "no");
	} else {
		return; /* a yes that is never a no: nothing to narrow by */
	}
	m = member_of(d, f);
	if (m)
		add_value(d, m, text, len);
}

/* Of a list, every value; one that has more to say of each holds it in an object. */
static void take_values(struct said *d, const struct proto_field *f, const json_t *v)
{
	const json_t *item;
	const char *key;
	json_t *inner;
	size_t i;

	if (!json_is_array(v)) {
		take_value(d, f, v);
		return;
	}
	json_array_foreach (v, i, item) {
		if (!json_is_object(item)) {
			take_value(d, f, item);
			continue;
		}
		json_object_foreach ((json_t *)item, key, inner)
			if (json_is_string(inner)) {
				take_value(d, f, inner);
				break;
			}
	}
}

static void take_member(struct said *d, const struct proto_field *f, json_t *object)
{
	const char *key = f->flags & FIELD_KEY ? inner_key(object) : NULL;
	json_t *name = key ? json_string(key) : NULL;

	const json_t *v = name ? name : at_field(object, f);
	bool asked = f->flags & FIELD_MUST || json_is_true(json_object_get(object, "unread"));
	bool empty = !v && asked && has_place(object, f);
	struct said_member *m = empty ? member_of(d, f) : NULL;

	if (m)
		add_value(d, m, "",
			  0); /* that it was empty is what patterns are held against, too */
	take_values(d, f, v);
	if (d->app == &http_proto && strcmp(f->name, "url") == 0)
		take_values(d, f, json_object_get(object, "read_as")); /* rules ask for each */
	json_decref(name);
}

/*
 * What shows that a message is an answer: a member, and what it says where others have it, too.
 * Answers pass unasked (proto.h). To learn from them would let a device speak as its server does.
 */
static const struct {
	const char *app, *member, *says; /* says: a pattern; NULL any */
} answers[] = {
	{"hl7", "message_type", "ACK"},
	{"hl7", "message_type", "ACK^*"},
	{"dicom", "command", "*-RSP"},
	{"dicom", "command", "C-CANCEL-RQ"}, /* passes unasked, too */
	{"dicom", "pdu", "*-AC"},
	{"dicom", "pdu", "*-R[JP]"},
	{"http", "status", NULL},
	{"smb", "status", NULL},
	{"ftp", "completion_code", NULL},
	{"ldap", "operation", "*_response"},
	{"ldap", "operation", "search_result_*"},
	{"sip", "code", NULL},
	{"rdp", "event_type", "initial_response"},
	{"rdp", "event_type", "connect_request"}, /* names nobody */
	{"dns", "type", "answer"},
	{"tls", "type", "client_certificate"},
	{"snmp", "pdu_type", "response"},
	{"snmp", "pdu_type", "report"},
	{"mqtt", "connack", NULL},
	{"mqtt", "suback", NULL},
	{"mqtt", "unsuback", NULL},
	{"mqtt", "puback", NULL},
	{"mqtt", "pubrec", NULL},
	{"mqtt", "pubrel", NULL},
	{"mqtt", "pubcomp", NULL},
	{"mqtt", "pingreq", NULL},
	{"mqtt", "pingresp", NULL},
	{"mqtt", "disconnect", NULL},
	{"coap", "code", "[245].*"},
	{"bacnet", "bvlc", "BVLC-Result"},
	{"bacnet", "bvlc", "*-Ack"},
	{"bacnet", "pdu_type", "*_ack"},
	{"bacnet", "pdu_type", "error"},
	{"bacnet", "pdu_type", "reject"},
	{"bacnet", "pdu_type", "abort"},
	{"intellivue", "message", "*_response"},
	{"intellivue", "message", "*_refuse"},
	{"intellivue", "message", "*_result"},
	{"intellivue", "message", "error"},
	{"poct1a", "message_type", "ACK.*"},
	{"sdc", "status", NULL},
	{"sdc", "action", "*Response"},
	{"sdc", "action", "*Matches"},
	{"sdc", "action", "*fault"},
};

static bool is_answer(const struct proto *app, const json_t *object)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		const json_t *v = strcmp(answers[i].app, app->name) == 0
					  ? json_object_get(object, answers[i].member)
					  : NULL;

		if (v &&
		    (!answers[i].says ||
		     (json_is_string(v) && fnmatch(answers[i].says, json_string_value(v), 0) == 0)))
			return true;
	}
	return false;
}

/* Was it refused for where it went and what a line says? All else is the message's own fault. */
static bool was_refused(const json_t *event, bool *ret_broken)
{
	static const char *const refusals[] = {"policy.", "binding.", "floor."};
	const char *reason = json_string_value(json_object_get(event, "reason"));
	bool refused = false;

	for (size_t i = 0; reason && i < sizeof(refusals) / sizeof(refusals[0]); i++)
		refused |= strncmp(reason, refusals[i], strlen(refusals[i])) == 0;
	*ret_broken = reason && !refused;
	return refused;
}

void said_take(struct saids *s, const struct said_ends *ends, const struct proto *app,
	       const json_t *event)
{
	json_t *object = json_object_get(event, app->name);
	bool broken, refused = was_refused(event, &broken);
	struct said *d = json_is_object(object) && !refused ? find(s, ends, app) : NULL;

	if (!d)
		return;
	d->messages++;
	d->broken += broken;
	if (is_answer(app, object))
		return;
	d->control |= json_is_true(json_object_get(object, "control"));
	for (const struct proto_field *f = app->fields; *f->name; f++)
		if (f->flags & FIELD_MATCH && !(f->flags & FIELD_VARIES))
			take_member(d, f, object);
}

const struct said *said_with(const struct saids *s, const uint8_t from[16], const uint8_t to[16],
			     uint8_t proto, uint16_t port, const struct proto *app)
{
	bool turned = memcmp(from, to, 16) > 0;
	const uint8_t *low = turned ? to : from, *high = turned ? from : to;
	const struct said *hit = NULL;

	for (uint32_t i = s->heads[head_of(low, high, proto)]; i; i = s->list[i - 1].next) {
		const struct said *d = &s->list[i - 1];

		if (!is_between(d, low, high, proto) || !d->serves[!turned] ||
		    d->port[!turned] != port)
			continue;
		if (app && d->app != app &&
		    (proto_covers(d->app, app) || proto_covers(app, d->app)))
			continue; /* ahead of TLS, or behind it */
		if (hit)
			return NULL;
		hit = d;
	}
	return hit;
}
