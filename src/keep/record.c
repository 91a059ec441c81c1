#include "keep/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/event.h"

#define NAME_MAX_LEN  128 /* bytes of a device's or peer's name */
#define COUNT_MAX     1000000000
#define YEARS_MAX_SEC 9000000000ll /* year 2255: beyond, nanoseconds do not fit */

static uint8_t severity_by_reason(enum reason r)
{
	switch (r) {
	case REASON_BINDING_MAC_MOVED:
	case REASON_BINDING_IP_MOVED:
	case REASON_BINDING_IP_STOLEN:
	case REASON_BINDING_IP_CONFLICT:
	case REASON_BINDING_ARP_SPOOF:
	case REASON_BINDING_ND_SPOOF:
	case REASON_BINDING_ROGUE_RA:
	case REASON_DHCP_ROGUE_SERVER:
	case REASON_SCAN_PORTS:
	case REASON_SCAN_HOSTS:
	case REASON_FLOOD:
	case REASON_FLOOR_NO_GUARD:
	case REASON_FLOOR_OVERLOAD:
	case REASON_GATEWAY_PORT_DOWN:
	case REASON_GATEWAY_DISK_FULL:
	case REASON_GATEWAY_VAULT_STUCK:
	case REASON_GATEWAY_BACKUP_FAILED:
	case REASON_GRANT_BREAK_GLASS:
	case REASON_AUDIT_BROKEN:
	case REASON_AUDIT_LOST:
		return SEVERITY_ACT;
	case REASON_BINDING_ARP_MALFORMED:
	case REASON_DHCP_MALFORMED:
	case REASON_FLOOR_MALFORMED:
	case REASON_FLOOR_FRAGMENT:
	case REASON_DECODE_ANOMALY:
	case REASON_GRANT_ENDED:
	case REASON_GRANT_REQUESTED:
	case REASON_GRANT_OPENED:
	case REASON_GRANT_CLOSED:
		return SEVERITY_NOTE;
	case REASON_NONE:
	case REASON_BINDING_NEW_DEVICE:
	case REASON_GATEWAY_PORT_UP:
	case REASON_GATEWAY_POLICY_APPLIED:
	case REASON_GATEWAY_DISK_FREED:
	case REASON_GATEWAY_RETENTION:
	case REASON_GATEWAY_BACKUP:
	case REASON_GATEWAY_VAULT_FREED:
		return SEVERITY_INFO;
	default:
		return SEVERITY_LOOK;
	}
}

static bool is_day(int year, int month, int day)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};

	(void)timegm(&tm);
	return tm.tm_mon == month - 1 && tm.tm_mday == day;
}

bool record_time(const char *text, int64_t *ret_ns)
{
	struct tm tm = {0};
	char sign;
	unsigned hours, minutes;
	int64_t seconds;
	long ns = 0, unit = 100000000;
	int used = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6)
		return false;
	text += used;
	if (*text == '.')
		for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
			ns += (*text - '0') * unit;
	if (strcmp(text, "Z") == 0)
		text = "+0000";
	if (strlen(text) != 5 || sscanf(text, "%c%2u%2u", &sign, &hours, &minutes) != 3 ||
	    (sign != '+' && sign != '-') || hours > 14 || minutes > 59)
		return false;
	if (tm.tm_year < 1970 || !is_day(tm.tm_year, tm.tm_mon, tm.tm_mday) || tm.tm_hour < 0 ||
	    tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	seconds = timegm(&tm);
	seconds += (sign == '-' ? 60 : -60) * (int64_t)(hours * 60 + minutes);
	if (seconds < 0 || seconds > YEARS_MAX_SEC)
		return false;
	*ret_ns = seconds * (int64_t)NSEC_PER_SEC + ns;
	return true;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static bool is_drop(const json_t *verdict, const char *key)
{
	return strcmp(text_of(verdict, key), "drop") == 0;
}

/* Copies into the record's own memory; the space was counted before. */
static const char *keep_text(char **at, const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = *at;

	memcpy(copy, s, len);
	*at += len;
	return copy;
}

static uint8_t severity_of(const json_t *root, const char *reason)
{
	json_int_t alert =
		json_integer_value(json_object_get(json_object_get(root, "alert"), "severity"));
	enum reason r = *reason ? reason_from_name(reason) : REASON_NONE;

	if (alert >= SEVERITY_ACT)
		return alert > SEVERITY_INFO ? SEVERITY_INFO : (uint8_t)alert;
	return severity_by_reason(r);
}

static const char *who_of(const json_t *root)
{
	static const char *const fallbacks[][2] = {{"binding", "mac"}, {"inventory", "mac"}};
	const char *who = text_of(root, "device");

	for (size_t i = 0; !*who && i < sizeof(fallbacks) / sizeof(*fallbacks); i++)
		who = text_of(json_object_get(root, fallbacks[i][0]), fallbacks[i][1]);
	return *who ? who : text_of(root, "src_ip");
}

/* An anomaly of a packet names what is wrong, not a reason: people read them as one. */
static const char *reason_of(const json_t *root, const char *type)
{
	const char *reason = text_of(root, "reason");

	if (!*reason && strcmp(type, "anomaly") == 0)
		return reason_name(REASON_DECODE_ANOMALY);
	return strcmp(reason, reason_name(REASON_NONE)) == 0 ? "" : reason;
}

/*
 * How often it happened: `count` where the event has one; the closing summary of
 * a period adds what no event of that period has told (`unsaid`).
 */
static uint32_t count_of(const json_t *root, const char *type)
{
	const json_t *own = json_object_get(root, type), *count = json_object_get(root, "count");
	json_int_t n = json_is_integer(count) ? json_integer_value(count) : 1;

	if (json_is_true(json_object_get(own, "summary")))
		n = json_integer_value(json_object_get(own, "unsaid"));
	return n < 0 ? 0 : n > COUNT_MAX ? COUNT_MAX : (uint32_t)n;
}

static struct record *take_apart(const json_t *root, struct bytes line)
{
	const char *type = text_of(root, "event_type"), *device = text_of(root, "device");
	const char *peer = text_of(root, "peer"), *reason = reason_of(root, type);
	const char *who = who_of(root);
	const json_t *verdict = json_object_get(root, "verdict");
	struct record *r;
	int64_t time_ns;
	char *at;

	if (!*type || !record_time(text_of(root, "timestamp"), &time_ns) ||
	    strlen(type) > NAME_MAX_LEN || strlen(device) > NAME_MAX_LEN ||
	    strlen(peer) > NAME_MAX_LEN || strlen(reason) > NAME_MAX_LEN ||
	    strlen(who) > NAME_MAX_LEN) {
		errno = EBADMSG;
		return NULL;
	}
	r = calloc(1, sizeof(*r) + line.len + strlen(type) + strlen(device) + strlen(peer) +
			      strlen(reason) + strlen(who) + 5);
	if (!r)
		return NULL;
	at = r->text;
	r->time_ns = time_ns;
	r->type = keep_text(&at, type);
	r->device = keep_text(&at, device);
	r->peer = keep_text(&at, peer);
	r->reason = keep_text(&at, reason);
	r->who = keep_text(&at, who);
	r->line = (struct bytes){memcpy(at, line.data, line.len), line.len};
	r->count = count_of(root, type);
	r->severity = severity_of(root, r->reason);
	r->audit = strncmp(r->reason, "gateway.", 8) == 0;
	r->inventory = json_is_object(json_object_get(root, "inventory"));
	r->routine = strcmp(type, "flow") == 0 || (!*r->reason && strcmp(type, "alert") != 0);
	r->blocked = is_drop(verdict, "action");
	r->would = is_drop(verdict, "would");
	return r;
}

struct record *record_parse(struct bytes line)
{
	struct record *r;
	json_t *root;

	if (line.len == 0 || line.len > EVENT_MAX || memchr(line.data, '\n', line.len)) {
		errno = EBADMSG;
		return NULL;
	}
	/* A peer can put a zero into any name; that must not make its event vanish. */
	root = json_loadb((const char *)line.data, line.len, JSON_ALLOW_NUL, NULL);
	if (!json_is_object(root)) {
		json_decref(root);
		errno = EBADMSG;
		return NULL;
	}
	r = take_apart(root, line);
	json_decref(root);
	return r;
}
