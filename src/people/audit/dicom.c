#include "people/audit/dicom.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/bytes.h"

struct code {
	const char *value, *meaning;
};

/* DICOM PS3.16 CID 400, 401. */
static const struct code activity = {"110100", "Application Activity"};
static const struct code log_used = {"110101", "Audit Log Used"};
static const struct code alert = {"110113", "Security Alert"};
static const struct code authentication = {"110114", "User Authentication"};

static const struct code start = {"110120", "Application Start"};
static const struct code stop = {"110121", "Application Stop"};
static const struct code login = {"110122", "Login"};
static const struct code logout = {"110123", "Logout"};
static const struct code emergency = {"110127", "Emergency Override Started"};
static const struct code configuration = {"110129", "Security Configuration"};
static const struct code restricted = {"110132", "Use of Restricted Function"};
static const struct code recording = {"110134", "Audit Recording Started"};
static const struct code object_security = {"110135", "Object Security Attributes Changed"};
static const struct code user_security = {"110137", "User security Attributes Changed"};
static const struct code service_start = {"110139", "Remote Service Operation Started"};
static const struct code service_stop = {"110140", "Remote Service Operation Stopped"};

/* By the call's beginning; the first that fits. */
static const struct meaning {
	const char *what;
	const struct code *id, *type;
	char action; /* EventActionCode */
} meanings[] = {
	{"gateway.start", &activity, &start, 'E'},
	{"gateway.stop", &activity, &stop, 'E'},
	{"audit.begin", &alert, &recording, 'E'},
	{"audit.open", &alert, &recording, 'E'},
	{"audit.", &log_used, NULL, 'R'},
	{"auth.logout", &authentication, &logout, 'E'},
	{"session.end", &authentication, &logout, 'E'},
	{"auth.", &authentication, &login, 'E'},
	{"user.add", &alert, &user_security, 'C'},
	{"user.remove", &alert, &user_security, 'D'},
	{"user.", &alert, &user_security, 'U'},
	{"factor.remove", &alert, &user_security, 'D'},
	{"factor.", &alert, &user_security, 'U'},
	{"grant.opened", &alert, &service_start, 'E'},
	{"grant.closed", &alert, &service_stop, 'E'},
	{"grant.break_glass", &alert, &emergency, 'E'},
	{"grant.", &alert, &restricted, 'E'},
	{"vendor.", &alert, &restricted, 'E'},
	{"vault.", &alert, &object_security, 'U'},
	{"key.", &alert, &configuration, 'U'},
	{"policy.", &alert, &configuration, 'U'},
	{"", &alert, &configuration, 'E'},
};

static const struct meaning *meaning_of(const char *what)
{
	const struct meaning *m = meanings;

	while (strncmp(m->what, what, strlen(m->what)) != 0)
		m++;
	return m;
}

/* ---- XML 1.0 ---- */

static void put(struct writer *w, const char *text)
{
	write_bytes(w, text, strlen(text));
}

/* §2.2: most control characters cannot be written at all. */
static void put_escaped(struct writer *w, const char *text)
{
	for (const uint8_t *c = (const uint8_t *)text; *c; c++)
		switch (*c) {
		case '&':
			put(w, "&amp;");
			break;
		case '<':
			put(w, "&lt;");
			break;
		case '>':
			put(w, "&gt;");
			break;
		case '"':
			put(w, "&quot;");
			break;
		default:
			write_u8(w, *c < 0x20 || *c == 0x7f ? ' ' : *c);
		}
}

static void put_attribute(struct writer *w, const char *name, const char *value)
{
	put(w, " ");
	put(w, name);
	put(w, "=\"");
	put_escaped(w, value);
	put(w, "\"");
}

static void put_code(struct writer *w, const char *element, const struct code *c,
		     const char *system)
{
	put(w, "<");
	put(w, element);
	put_attribute(w, "csd-code", c->value);
	put_attribute(w, "codeSystemName", system);
	put_attribute(w, "originalText", c->meaning);
	put(w, "/>");
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* "…+0000" as xsd:dateTime has it: "…+00:00". */
static void put_time(struct writer *w, const char *time)
{
	char iso[64];
	size_t len = strlen(time);

	if (len >= 25 && len < sizeof(iso) - 2 && (time[len - 5] == '+' || time[len - 5] == '-'))
		snprintf(iso, sizeof(iso), "%.*s:%s", (int)len - 2, time, time + len - 2);
	else
		snprintf(iso, sizeof(iso), "%.60s", time);
	put_attribute(w, "EventDateTime", iso);
}

/* ---- the message's parts, in the schema's order ---- */

static void put_event(struct writer *w, const json_t *e, const struct meaning *m)
{
	char action[2] = {m->action, 0}, outcome[8];
	bool urgent = strncmp(text(e, "text"), "EMERGENCY", 9) == 0;

	snprintf(outcome, sizeof(outcome), "%d",
		 (int)json_integer_value(json_object_get(e, "outcome")));
	put(w, "<EventIdentification");
	put_attribute(w, "EventActionCode", action);
	put_time(w, text(e, "time"));
	put_attribute(w, "EventOutcomeIndicator", outcome);
	put(w, ">");
	put_code(w, "EventID", m->id, "DCM");
	if (m->type)
		put_code(w, "EventTypeCode",
			 m->type == &service_start && urgent ? &emergency : m->type, "DCM");
	if (*text(e, "reason") || *text(e, "text")) {
		put(w, "<EventOutcomeDescription>");
		put_escaped(w, text(e, "reason"));
		put(w, *text(e, "reason") && *text(e, "text") ? ": " : "");
		put_escaped(w, text(e, "text"));
		put(w, "</EventOutcomeDescription>");
	}
	put(w, "</EventIdentification>");
}

/* Who did it, from which machine; and the gateway, on which it was done. */
static void put_participants(struct writer *w, const json_t *e, const struct dicom_audit_site *s)
{
	bool person = strcmp(text(e, "as"), "gateway") != 0;
	struct code role = {text(e, "role"), text(e, "role")};
	struct code application = {"110150", "Application"};

	if (person) {
		put(w, "<ActiveParticipant");
		put_attribute(w, "UserID", text(e, "who"));
		if (*text(e, "session"))
			put_attribute(w, "AlternativeUserID", text(e, "session"));
		put_attribute(w, "UserIsRequestor", "true");
		if (*text(e, "source")) {
			put_attribute(w, "NetworkAccessPointID", text(e, "source"));
			put_attribute(w, "NetworkAccessPointTypeCode", "2");
		}
		put(w, ">");
		if (*role.value)
			put_code(w, "RoleIDCode", &role, "bedwarden");
		put(w, "</ActiveParticipant>");
	}
	put(w, "<ActiveParticipant");
	put_attribute(w, "UserID", s->source);
	put_attribute(w, "UserIsRequestor", person ? "false" : "true");
	put(w, ">");
	put_code(w, "RoleIDCode", &application, "DCM");
	put(w, "</ActiveParticipant>");
}

static void put_detail(struct writer *w, const char *type, const char *value)
{
	char base64[4096];
	size_t len = strlen(value);

	if (!len || len > sizeof(base64) / 4 * 3 - 4)
		return;
	base64[base64_write_padded(value, len, base64)] = 0;
	put(w, "<ParticipantObjectDetail");
	put_attribute(w, "type", type);
	put_attribute(w, "value", base64);
	put(w, "/>");
}

/* What it was done to, with what the trail says of it; type 2 is a system object, role 13 a
 * security resource. */
static void put_object(struct writer *w, const json_t *e, const struct dicom_audit_site *s)
{
	struct code kind = {text(e, "what"), text(e, "what")};
	char seq[24];

	put(w, "<ParticipantObjectIdentification");
	put_attribute(w, "ParticipantObjectID", *text(e, "object") ? text(e, "object") : s->source);
	put_attribute(w, "ParticipantObjectTypeCode", "2");
	put_attribute(w, "ParticipantObjectTypeCodeRole", "13");
	put(w, ">");
	put_code(w, "ParticipantObjectIDTypeCode", &kind, "bedwarden");
	put(w, "<ParticipantObjectName>");
	put_escaped(w, *text(e, "object") ? text(e, "object") : s->source);
	put(w, "</ParticipantObjectName>");
	snprintf(seq, sizeof(seq), "%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(e, "seq")));
	put_detail(w, "entry", seq);
	put_detail(w, "mac", text(e, "mac"));
	put_detail(w, "checkpoint", s->checkpoint ? s->checkpoint : "");
	put(w, "</ParticipantObjectIdentification>");
}

size_t dicom_audit(const json_t *entry, const struct dicom_audit_site *site,
		   char ret_xml[DICOM_AUDIT_MAX])
{
	struct writer w = writer_new(ret_xml, DICOM_AUDIT_MAX);
	const struct meaning *m = meaning_of(text(entry, "what"));

	if (!*text(entry, "what") || !*text(entry, "who") || !*text(entry, "time"))
		return 0;
	put(&w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><AuditMessage>");
	put_event(&w, entry, m);
	put_participants(&w, entry, site);
	put(&w, "<AuditSourceIdentification");
	put_attribute(&w, "AuditSourceID", site->source);
	/* Of the single digits: 6, a security server. */
	put(&w, "><AuditSourceTypeCode csd-code=\"6\"/></AuditSourceIdentification>");
	put_object(&w, entry, site);
	put(&w, "</AuditMessage>");
	return w.bad ? 0 : w.len;
}
