#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/clock.h"
#include "role/door_internal.h"
#include "role/keeper.h"

#define PARENT_MS 3000 /* for the doors to be in force */

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *w = words; *w; w += strcspn(w, " "), w += *w == ' ')
		if (strcspn(w, " ") == len && memcmp(w, word, len) == 0)
			return true;
	return false;
}

/* ---- answers ---- */

void door_answer(struct keeper *k, const struct ipc_message *m)
{
	struct grant_clock now = door_now(k);
	struct call_error e = {0};
	int32_t err;

	if (m->body.len != sizeof(err))
		return;
	memcpy(&err, m->body.data, sizeof(err));
	if (err < 0)
		k->door->dirty = true;
	for (unsigned i = 0; i < DOOR_WAITING; i++) {
		struct door_waiting w = k->door->waiting[i];
		const struct grant *g = grants_find(k->door->book, w.grant);

		if (w.ask != m->id || !w.ask)
			continue;
		k->door->waiting[i] = (struct door_waiting){0};
		if (err == 0 && g) {
			call_done(k, w.ticket, json_pack("{s:o}", "grant", door_json(k, g, &now)));
			continue;
		}
		call_fail(&e, 503, "grant.not_in_force", "The door could not be opened or shut",
			  "the gateway tries again by itself (%s)", strerror(-err));
		call_failed(k, w.ticket, &e);
	}
}

static json_t *broken(struct call_error *e, int err)
{
	return call_fail(e, 503, "grant.unrecorded", "This cannot be recorded, so it is not done",
			 "see the gateway's log (%s)", strerror(-err));
}

/*
 * The grant as it now stands, recorded, stored and in force: the answer, at once or later. What
 * cannot be recorded is undone; `was` is how it stood before.
 */
static json_t *commit(struct keeper *k, const struct call_asker *by, uint32_t id,
		      const struct grant *was, struct call_error *e)
{
	struct door *d = k->door;
	const struct grant *g = grants_find(d->book, id);
	struct grant_clock now = door_now(k);
	bool opens = g->state == GRANT_OPEN && was->state != GRANT_OPEN;
	bool shuts = g->state != GRANT_OPEN && was->state == GRANT_OPEN && was->id;
	int64_t ask = 0;
	int err = 0;

	opens |= g->state == GRANT_OPEN && !was->id;
	/* What shuts a door does so at once; what opens one is on the disk first. */
	if (shuts)
		ask = door_push(k, true);
	if (opens || shuts)
		err = door_note(k, g, opens ? "grant.opened" : "grant.closed", by->user,
				by->operator_ ? "operator" : "session");
	/* What shuts a door is done, recorded or not. */
	if (err == 0 || shuts)
		err = door_save(k);
	if (err < 0 && !shuts) {
		grants_restore(d->book, id, was);
		return broken(e, err);
	}
	d->due_boot_ns = 0;
	if (g->break_glass && opens)
		door_tell(k, g, REASON_GRANT_BREAK_GLASS);
	else if (opens)
		door_tell(k, g, REASON_GRANT_OPENED);
	else if (shuts)
		door_tell(k, g, REASON_GRANT_CLOSED);
	else if (g->state == GRANT_ASKED)
		door_tell(k, g, REASON_GRANT_REQUESTED);
	if (opens)
		ask = door_push(k, true);
	for (unsigned i = 0; ask > 0 && i < DOOR_WAITING; i++)
		if (!d->waiting[i].ask) {
			d->waiting[i] = (struct door_waiting){(uint32_t)ask, by->ticket, id};
			return call_later(k, by, PARENT_MS, e);
		}
	return json_pack("{s:o}", "grant", door_json(k, g, &now));
}

/* ---- calls ---- */

static json_t *wrong(struct call_error *e, const char *what)
{
	return call_fail(e, 400, "call.arguments", "An argument is wrong", "%s", what);
}

/* The hardware address that the policy binds this one to; `ret_ward`: as a machine of the segment's
 * own ward side. NULL: it names no such. */
static const uint8_t *bound_to(const struct policy *p, uint32_t segment, const struct gate_ip *ip,
			       bool *ret_ward)
{
	uint32_t count;
	const struct policy_ip_row *row = policy_ips(p, &count);

	for (uint32_t i = 0; i < count; i++)
		if (row[i].key.segment == segment && memcmp(&row[i].key.ip, ip, sizeof(*ip)) == 0 &&
		    (row[i].bind.flags & GATE_BIND_MAC)) {
			*ret_ward = row[i].bind.side == GATE_WARD;
			return row[i].bind.mac;
		}
	return NULL;
}

/* Of a device without a listed address: is that its hardware address, in this segment? */
static bool lives_in(const struct policy *p, uint32_t segment, const char *mac)
{
	uint8_t bytes[6];
	uint32_t count;
	const struct gate_device *d = policy_devices(p, &count);

	if (!address_mac(mac, bytes))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (d[i].segment == segment && !(d[i].flags & GATE_DEVICE_STRANGER) &&
		    memcmp(d[i].mac, bytes, sizeof(bytes)) == 0)
			return true;
	return false;
}

/* A password that somebody was talked out of opens nothing from afar. */
static bool near_enough(const struct keeper *k, const struct call_asker *by, bool ward,
			struct call_error *e)
{
	if (!by->one_factor || ward || k->one_factor_anywhere)
		return true;
	call_fail(e, 403, "grant.not_from_ward",
		  "One factor opens a door only from a machine of the ward",
		  "%s is none that the policy names in the device's segment; sign in with a second "
		  "factor, ask from the ward, or have people.one_factor set to anywhere",
		  by->source);
	return false;
}

/* For whom: the workstation that asks; on the box itself the one that is named. */
static bool workstation(struct keeper *k, const struct call_asker *by, const json_t *args,
			const struct gate_device *dev, struct grant_ask *a, struct call_error *e)
{
	static char source[ADDRESS_IP_LEN], mac[18];
	const char *ip = call_text(args, "ip"), *hw = call_text(args, "mac");
	const uint8_t *b;
	struct gate_ip addr;
	uint8_t bytes[6];
	bool ward = false;

	if (!by->operator_) {
		if (ip && strcmp(ip, by->source) != 0) {
			call_fail(e, 403, "grant.other_workstation",
				  "A door opens for the workstation that asks",
				  "ask from %s itself", ip);
			return false;
		}
		ip = by->source;
		hw = by->mac && *by->mac ? by->mac : NULL;
	}
	if (!ip || !door_source(ip, &addr)) {
		wrong(e, "ip must be the workstation's address, as 10.1.0.5");
		return false;
	}
	address_ip_text(addr.b, source);
	a->source = source;
	b = bound_to(k->policy, dev->segment, &addr, &ward);
	/* What the policy binds in the ward is so, whatever way the question came. */
	if (b && (!hw || (ward && !by->operator_))) {
		address_mac_text(b, mac);
		if (hw && strcasecmp(hw, mac) != 0) {
			call_fail(e, 403, "grant.other_workstation",
				  "A door opens for the workstation that asks",
				  "the policy binds %s to %s, and %s asks with it", source, mac,
				  hw);
			return false;
		}
		hw = mac;
	}
	if (!hw && by->operator_) {
		wrong(e, "mac must be the workstation's hardware address, or 'any' where it is "
			 "behind a router");
		return false;
	}
	a->mac = hw ? hw : "any";
	if (strcmp(a->mac, "any") != 0 && !address_mac(a->mac, bytes)) {
		wrong(e, "mac must be as 02:00:00:00:00:05, or 'any'");
		return false;
	}
	return near_enough(k, by, ward || (!b && lives_in(k->policy, dev->segment, a->mac)), e);
}

/* Does a door of another grant stand there already? */
static const struct grant *in_the_way(const struct door *d, const struct grant_ask *a,
				      const struct grant_clock *now)
{
	for (unsigned i = 0; i < grants_count(d->book); i++) {
		const struct grant *g = grants_at(d->book, i);

		if (grant_left(g, now) && strcmp(g->source, a->source) == 0 &&
		    strcmp(g->device, a->device) == 0 && strcmp(g->service, a->service) == 0)
			return g;
	}
	return NULL;
}

/* What the policy says of the asking. */
static bool allowed(struct keeper *k, const struct call_asker *by, const json_t *args,
		    bool emergency, struct grant_ask *a, struct call_error *e)
{
	const struct policy *p = k->policy;
	const struct policy_service *s = NULL;
	const struct gate_device *dev;
	uint32_t device = 0, count = 0;
	int64_t minutes;

	a->device = call_text(args, "device");
	a->service = call_text(args, "service");
	a->reason = call_text(args, "reason");
	a->person = by->user;
	a->role =
		by->operator_ ? people_role_name(PEOPLE_ADMINISTRATOR) : people_role_name(by->role);
	if (!p)
		return call_fail(e, 503, "gateway.starting", "The gateway is still starting",
				 "try again in a moment"),
		       false;
	if (!a->device || !a->service)
		return wrong(e, "device and service must be named"), false;
	dev = door_device(p, a->device, &device);
	s = dev ? door_service(p, device, a->service, &count) : NULL;
	if (!s)
		return call_fail(e, 404, "grant.no_service", "There is no such service",
				 "%s; grant.services lists what can be asked for",
				 dev ? "the policy names no such service of this device"
				     : "the policy has no such device"),
		       false;
	if (!a->reason || strlen(a->reason) < GRANT_REASON_MIN || strlen(a->reason) > GRANT_REASON)
		return wrong(e, "reason must say in a few words why"), false;
	if (!call_number(args, "minutes", 1, s->minutes, &minutes))
		return call_fail(e, 400, "call.arguments", "An argument is wrong",
				 "minutes must be from 1 to %u", s->minutes),
		       false;
	a->minutes = (uint32_t)minutes;
	a->record =
		(s->flags & POLICY_SERVICE_RECORD) || json_is_true(json_object_get(args, "record"));
	a->vendor = !by->operator_ && by->role == PEOPLE_VENDOR;
	a->alone = has_word(policy_service_alone(p, s), a->role);
	a->break_glass = emergency;
	a->certificate = by->certificate;
	if ((s->flags & POLICY_SERVICE_CERTIFICATE) && !by->operator_ &&
	    !(by->certificate && *by->certificate))
		return call_fail(e, 403, "grant.certificate_needed",
				 "This service opens for workstations with a certificate only",
				 "ask from one that shows the certificate it was issued"),
		       false;
	if (emergency && !(s->flags & POLICY_SERVICE_BREAK_GLASS))
		return call_fail(e, 403, "grant.no_break_glass",
				 "This service has no emergency opening", "ask for it instead"),
		       false;
	if (!emergency && !has_word(policy_service_ask(p, s), a->role))
		return call_fail(e, 403, "grant.role",
				 "The policy does not let your role ask for this", "it names: %s",
				 policy_service_ask(p, s)),
		       false;
	return workstation(k, by, args, dev, a, e);
}

static json_t *ask(struct keeper *k, const struct call_asker *by, const json_t *args,
		   bool emergency, struct call_error *e)
{
	struct grant_clock now = door_now(k);
	const struct grant none = {.id = 0}, *other;
	struct grant_ask a = {0};
	uint32_t id;
	int err;

	if (!allowed(k, by, args, emergency, &a, e))
		return NULL;
	other = in_the_way(k->door, &a, &now);
	if (other)
		return call_fail(e, 409, "grant.open_already",
				 "This door is open for this workstation already",
				 "grant %u, %.60s; end that one first", other->id, other->person);
	err = grants_ask(k->door->book, &a, &now, &id);
	if (err == -EEXIST)
		return call_fail(e, 409, "grant.asked_already", "You have asked for that already",
				 "it is number %u", id);
	if (err == -EACCES)
		return call_fail(e, 403, "grant.not_invited",
				 "You are not invited to this device now",
				 "somebody of the house has to invite you");
	if (err == -ENOSPC)
		return call_fail(e, 503, "grant.full", "Too many requests wait or are open",
				 "answer or review some of them first");
	if (err < 0)
		return wrong(e, "a text is missing or too long");
	return commit(k, by, id, &none, e);
}

static json_t *call_request(struct keeper *k, const struct call_asker *by, const json_t *args,
			    struct call_error *e)
{
	return ask(k, by, args, false, e);
}

static json_t *call_break(struct keeper *k, const struct call_asker *by, const json_t *args,
			  struct call_error *e)
{
	return ask(k, by, args, true, e);
}

static json_t *refused(struct call_error *e, int err)
{
	switch (err) {
	case -ENOENT:
		return call_fail(e, 404, "grant.unknown", "There is no such grant",
				 "grant.list shows them");
	case -EPERM:
		return call_fail(e, 403, "grant.own", "Nobody decides on what they asked for",
				 "a second person has to");
	case -EBUSY:
		return call_fail(e, 409, "grant.still_open", "It is still open",
				 "review it when it has ended, or revoke it first");
	case -EINVAL:
		return wrong(e, "a text is missing or too long");
	default:
		return call_fail(e, 409, "grant.settled", "That is settled already",
				 "grant.list shows how it stands");
	}
}

/* The grant that the call is about, as it stands; false: e says why not. */
static bool which(struct keeper *k, const json_t *args, struct grant *ret_was, struct call_error *e)
{
	const struct grant *g;
	int64_t id;

	if (!call_number(args, "id", 1, UINT32_MAX, &id))
		return wrong(e, "id must be a grant's number"), false;
	g = grants_find(k->door->book, (uint32_t)id);
	if (!g)
		return refused(e, -ENOENT), false;
	*ret_was = *g;
	return true;
}

static json_t *call_approve(struct keeper *k, const struct call_asker *by, const json_t *args,
			    struct call_error *e)
{
	struct grant_clock now = door_now(k);
	struct grant_ask a;
	struct grant was;
	int err;

	if (!which(k, args, &was, e))
		return NULL;
	a = (struct grant_ask){.source = was.source, .device = was.device, .service = was.service};
	if (in_the_way(k->door, &a, &now))
		return call_fail(e, 409, "grant.open_already",
				 "This door is open for this workstation already",
				 "end the other grant first");
	err = grants_approve(k->door->book, was.id, by->user, &now);
	return err < 0 ? refused(e, err) : commit(k, by, was.id, &was, e);
}

static json_t *call_deny(struct keeper *k, const struct call_asker *by, const json_t *args,
			 struct call_error *e)
{
	const char *why = call_text(args, "reason");
	struct grant_clock now = door_now(k);
	struct grant was;
	json_t *ok;
	int err;

	if (!which(k, args, &was, e))
		return NULL;
	err = grants_deny(k->door->book, was.id, by->user, why ? why : "", &now);
	if (err < 0)
		return refused(e, err);
	ok = commit(k, by, was.id, &was, e);
	if (ok)
		door_tell(k, grants_find(k->door->book, was.id), REASON_GRANT_REFUSED);
	return ok;
}

static json_t *call_revoke(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	const char *why = call_text(args, "reason");
	struct grant_clock now = door_now(k);
	bool staff = by->operator_ || (!by->one_factor && (by->role == PEOPLE_CLINICAL_ENGINEER ||
							   by->role == PEOPLE_ADMINISTRATOR));
	struct grant was;
	int err;

	if (!which(k, args, &was, e))
		return NULL;
	if (!staff && strcmp(was.person, by->user) != 0)
		return call_fail(e, 403, "grant.others", "You can end your own access only",
				 "ask a clinical engineer or an administrator");
	err = grants_revoke(k->door->book, was.id, by->user, why ? why : "revoked", &now);
	return err < 0 ? refused(e, err) : commit(k, by, was.id, &was, e);
}

static json_t *call_review(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	struct grant was;
	int err;

	if (!which(k, args, &was, e))
		return NULL;
	err = grants_review(k->door->book, was.id, by->user, call_text(args, "reason"));
	return err < 0 ? refused(e, err) : commit(k, by, was.id, &was, e);
}

static bool is_theirs(const struct call_asker *by, const struct grant *g)
{
	return by->operator_ || by->role != PEOPLE_VENDOR || strcmp(g->person, by->user) == 0;
}

static json_t *call_list(struct keeper *k, const struct call_asker *by, const json_t *args,
			 struct call_error *e)
{
	bool all = json_is_true(json_object_get(args, "all"));
	json_t *grants = json_array(), *invitations = json_array();
	struct grant_clock now = door_now(k);

	for (unsigned i = grants_count(k->door->book); i-- > 0;) {
		const struct grant *g = grants_at(k->door->book, i);
		bool live = g->state == GRANT_ASKED || g->state == GRANT_OPEN || grant_to_review(g);

		if ((all || live) && is_theirs(by, g))
			json_array_append_new(grants, door_json(k, g, &now));
	}
	for (unsigned i = 0; i < grants_invitations(k->door->book); i++) {
		const struct invitation *v = grants_invitation(k->door->book, i);
		json_t *o, *devices;

		if ((!all && (v->withdrawn || v->until_ns <= now.wall_ns)) ||
		    (!by->operator_ && by->role == PEOPLE_VENDOR &&
		     strcmp(v->person, by->user) != 0))
			continue;
		devices = json_array();
		for (unsigned n = 0; n < v->device_count; n++)
			json_array_append_new(devices, json_string(v->devices[n]));
		o = json_pack("{s:I, s:s, s:s, s:s, s:b, s:o}", "id", (json_int_t)v->id, "person",
			      v->person, "by", v->by, "why", v->reason, "withdrawn", v->withdrawn,
			      "devices", devices);
		door_time(o, "until", v->until_ns);
		json_array_append_new(invitations, o);
	}
	return json_pack("{s:o, s:o}", "grants", grants, "invitations", invitations);
}

static json_t *call_services(struct keeper *k, const struct call_asker *by, const json_t *args,
			     struct call_error *e)
{
	uint32_t count = 0;
	const struct policy_service *s = k->policy ? policy_services(k->policy, &count) : NULL;
	json_t *list = json_array();

	for (uint32_t i = 0; i < count; i++) {
		char port[24];

		if (s[i].port_lo == s[i].port_hi)
			snprintf(port, sizeof(port), "%u", s[i].port_lo);
		else
			snprintf(port, sizeof(port), "%u-%u", s[i].port_lo, s[i].port_hi);
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b, s:b}", "device",
				  policy_device_name(k->policy, s[i].device), "service",
				  policy_service_name(k->policy, &s[i]), "proto",
				  s[i].proto == 6 ? "tcp" : "udp", "port", port, "ask",
				  policy_service_ask(k->policy, &s[i]), "alone",
				  policy_service_alone(k->policy, &s[i]), "minutes",
				  (json_int_t)s[i].minutes, "record",
				  (s[i].flags & POLICY_SERVICE_RECORD) != 0, "break_glass",
				  (s[i].flags & POLICY_SERVICE_BREAK_GLASS) != 0, "certificate",
				  (s[i].flags & POLICY_SERVICE_CERTIFICATE) != 0));
	}
	return json_pack("{s:o}", "services", list);
}

static json_t *call_invite(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	const json_t *devices = json_object_get(args, "devices"), *d;
	const char *user = call_text(args, "user"), *reason = call_text(args, "reason");
	struct grant_clock now = door_now(k);
	struct invitation v = {0};
	int64_t minutes;
	uint32_t id;
	size_t i;
	int err;

	if (!user || strlen(user) >= GRANT_NAME || !*user)
		return wrong(e, "user must be the vendor's name here");
	if (!reason || strlen(reason) > GRANT_REASON)
		return wrong(e, "reason must say in a few words why");
	if (!call_number(args, "minutes", 1, 30 * 24 * 60, &minutes))
		return wrong(e, "minutes must be from 1 to 43200 (30 days)");
	json_array_foreach (devices, i, d) {
		const char *name = json_string_value(d);
		uint32_t device;

		if (!name || !k->policy || !door_device(k->policy, name, &device) ||
		    v.device_count == GRANT_DEVICES)
			return wrong(e, "devices must be a list of at most 16 devices of the "
					"policy");
		snprintf(v.devices[v.device_count++], GRANT_NAME, "%s", name);
	}
	snprintf(v.person, sizeof(v.person), "%s", user);
	snprintf(v.reason, sizeof(v.reason), "%s", reason);
	snprintf(v.by, sizeof(v.by), "%s", by->user);
	err = grants_invite(k->door->book, &v, (uint32_t)minutes, &now, &id);
	if (err == -ENOSPC)
		return call_fail(e, 503, "grant.full", "Too many invitations are open",
				 "withdraw some of them first");
	if (err < 0)
		return wrong(e, "devices must be named");
	err = door_save(k);
	if (err < 0) {
		(void)grants_withdraw(k->door->book, id, by->user, &now);
		return broken(e, err);
	}
	return json_pack("{s:I}", "id", (json_int_t)id);
}

static json_t *call_withdraw(struct keeper *k, const struct call_asker *by, const json_t *args,
			     struct call_error *e)
{
	struct grant_clock now = door_now(k);
	int64_t id;
	int err;

	if (!call_number(args, "id", 1, UINT32_MAX, &id))
		return wrong(e, "id must be an invitation's number");
	err = grants_withdraw(k->door->book, (uint32_t)id, by->user, &now);
	if (err < 0)
		return refused(e, err);
	(void)door_push(k, true);
	for (unsigned i = 0; i < grants_count(k->door->book); i++) {
		const struct grant *g = grants_at(k->door->book, i);

		if (g->invitation == (uint32_t)id && g->ended_ns == now.wall_ns) {
			door_tell(k, g, REASON_GRANT_CLOSED);
			(void)door_note(k, g, "grant.closed", by->user,
					by->operator_ ? "operator" : "session");
		}
	}
	(void)door_save(k);
	return json_pack("{s:I}", "id", id);
}

#define STAFF  (PEOPLE_ONLY(PEOPLE_CLINICAL_ENGINEER) | PEOPLE_ONLY(PEOPLE_ADMINISTRATOR))
#define LOOKER (STAFF | PEOPLE_ONLY(PEOPLE_AUDITOR))

const struct call_row door_calls[] = {
	{.name = "grant.list",
	 .fn = call_list,
	 .roles = PEOPLE_ALL,
	 .also = CALL_ONE_FACTOR,
	 .pages = "grants"},
	{"grant.services", call_services, PEOPLE_ALL, false, false, false, CALL_ONE_FACTOR},
	{"grant.request", call_request, PEOPLE_ALL, true, true, false},
	{"grant.approve", call_approve, STAFF, true, true, false},
	{"grant.deny", call_deny, STAFF, false, true, false},
	/* In an emergency any one factor does: to see what there is, open it, and shut it again. */
	{"grant.revoke", call_revoke, PEOPLE_ALL, false, true, false, CALL_ONE_FACTOR},
	{"grant.break_glass", call_break, PEOPLE_HOUSE, false, true, false, CALL_ONE_FACTOR},
	{"grant.review", call_review, LOOKER, true, true, false},
	{"vendor.invite", call_invite, STAFF, true, true, false},
	{"vendor.withdraw", call_withdraw, STAFF, false, true, false},
	{NULL},
};
