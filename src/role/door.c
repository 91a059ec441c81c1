#include "role/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "guard/policy/policy.h"
#include "keep/keys.h"
#include "people/grant/grant.h"
#include "role/keeper.h"
#include "role/secrets.h"
#include "role/trail.h"

#define BOOK_NAME  "grants"
#define BOOK_MAX   (4u << 20)
#define BOOK_WORD  "bedwarden-grants-1 sealed\n"
#define PLAIN_WORD "bedwarden-grants-1 plain\n"
#define PURPOSE	   "grants"
#define WAITING	   16
#define PARENT_MS  3000
#define SLACK_NS   (NSEC_PER_SEC / 5) /* ends that differ by less are the same */

/* A call that waits until the doors are in force. */
struct waiting {
	uint32_t ask, ticket, grant; /* ask 0: free */
};

struct door {
	struct grants *book;
	char path[PATH_MAX], boot_id[DOOR_BOOT_ID];
	struct gate_grant_row rows[GATE_GRANTS]; /* as the parent was told last */
	uint32_t row_count;
	bool told, dirty; /* something was; the parent could not be told */
	bool unsaved;
	uint64_t due_boot_ns;
	struct waiting waiting[WAITING];
};

void door_boot_id(char ret_id[DOOR_BOOT_ID])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret_id, DOOR_BOOT_ID - 1);

	ret_id[n > 0 ? n : 0] = 0;
	ret_id[strcspn(ret_id, "\n")] = 0;
	if (fd >= 0)
		close(fd);
}

static struct grant_clock now_of(const struct keeper *k)
{
	struct grant_clock c = {.wall_ns = clock_wall_ns(), .boot_ns = clock_boot_ns()};

	snprintf(c.boot_id, sizeof(c.boot_id), "%s", k->door->boot_id);
	return c;
}

static struct keys *keys_of(const struct keeper *k)
{
	return k->secrets ? secrets_keys(k->secrets) : NULL;
}

/* ---- the book on the disk ---- */

static int seal_book(struct keys *keys, const char *text, size_t len, struct bytes *ret_file)
{
	const char *word = keys ? BOOK_WORD : PLAIN_WORD;
	size_t head = strlen(word), size = head + len + (keys ? KEYS_WRAP : 0);
	uint8_t *file = malloc(size);
	int err = 0;

	if (!file)
		return -ENOMEM;
	memcpy(file, word, head);
	if (keys)
		err = keys_wrap(keys, PURPOSE, KEYS_ALWAYS,
				(struct bytes){(const uint8_t *)text, len}, file + head);
	else
		memcpy(file + head, text, len);
	if (err < 0) {
		free(file);
		return err;
	}
	*ret_file = (struct bytes){file, size};
	return 0;
}

static int save(struct keeper *k)
{
	json_t *book = grants_save(k->door->book);
	char *text = book ? json_dumps(book, JSON_COMPACT) : NULL;
	struct bytes file;
	int err = text ? seal_book(keys_of(k), text, strlen(text), &file) : -ENOMEM;

	if (err == 0) {
		err = file_replace(k->door->path, file, 0600);
		free((void *)(uintptr_t)file.data);
	}
	free(text);
	json_decref(book);
	k->door->unsaved = err != 0;
	return err;
}

static bool begins(struct bytes file, const char *word)
{
	return file.len >= strlen(word) && memcmp(file.data, word, strlen(word)) == 0;
}

/* Who could write a file here could not have sealed it: what is not sealed opens no door. */
static int unseal(struct keys *keys, struct bytes file, struct bytes *ret_text)
{
	size_t head = strlen(BOOK_WORD);
	uint8_t *plain;
	int err;

	if (begins(file, PLAIN_WORD) && !keys) {
		head = strlen(PLAIN_WORD);
		plain = malloc(file.len - head + 1);
		if (!plain)
			return -ENOMEM;
		memcpy(plain, file.data + head, file.len - head);
		*ret_text = (struct bytes){plain, file.len - head};
		return 0;
	}
	if (!begins(file, BOOK_WORD) || file.len < head + KEYS_WRAP)
		return -EBADMSG;
	if (!keys)
		return -ENOKEY;
	plain = malloc(file.len - head);
	if (!plain)
		return -ENOMEM;
	err = keys_unwrap(keys, PURPOSE, (struct bytes){file.data + head, file.len - head}, plain);
	if (err < 0) {
		free(plain);
		return err;
	}
	*ret_text = (struct bytes){plain, file.len - head - KEYS_WRAP};
	return 0;
}

static void load(struct keeper *k)
{
	struct audit_entry e = {.who = "gateway",
				.as = "gateway",
				.what = "grant.book_refused",
				.outcome = AUDIT_MAJOR};
	struct bytes file, text;
	char aside[PATH_MAX + 16];
	json_t *book = NULL;
	int err = file_read(k->door->path, BOOK_MAX, &file);

	if (err == -ENOENT)
		return;
	if (err == 0) {
		err = unseal(keys_of(k), file, &text);
		free((void *)(uintptr_t)file.data);
	}
	if (err == 0) {
		book = json_loadb((const char *)text.data, text.len, 0, NULL);
		free((void *)(uintptr_t)text.data);
		err = book ? grants_load(k->door->book, book) : -EBADMSG;
		json_decref(book);
	}
	if (err == 0)
		return;
	snprintf(aside, sizeof(aside), "%s.refused", k->door->path);
	rename(k->door->path, aside);
	e.text = "the grants on the disk cannot be believed; every door is shut";
	log_error("%s: %s (%s)", k->door->path, e.text, strerror(-err));
	(void)trail_note(k, &e);
}

/* ---- the policy ---- */

static const struct gate_device *device_of(const struct policy *p, const char *name,
					   uint32_t *ret_id)
{
	uint32_t count;
	const struct gate_device *d = policy_devices(p, &count);

	for (uint32_t i = 0; i < count; i++)
		if (!(d[i].flags & GATE_DEVICE_STRANGER) &&
		    strcmp(policy_device_name(p, i), name) == 0) {
			*ret_id = i;
			return &d[i];
		}
	return NULL;
}

/* The first row of a device's service; how many there are. */
static const struct policy_service *service_of(const struct policy *p, uint32_t device,
					       const char *name, uint32_t *ret_count)
{
	uint32_t count, n = 0;
	const struct policy_service *s = policy_services(p, &count), *first = NULL;

	for (uint32_t i = 0; i < count; i++) {
		bool fits =
			s[i].device == device && strcmp(policy_service_name(p, &s[i]), name) == 0;

		if (fits && !first)
			first = &s[i];
		n += fits;
	}
	*ret_count = n;
	return first;
}

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *w = words; *w; w += strcspn(w, " "), w += *w == ' ')
		if (strcspn(w, " ") == len && memcmp(w, word, len) == 0)
			return true;
	return false;
}

static bool source_of(const char *text, struct gate_ip *ret_ip)
{
	unsigned len;

	return address_prefix(text, ret_ip->b, &len) && len == 128;
}

/* ---- the doors ---- */

static void add_row(struct door *d, const struct gate_grant_row *row)
{
	for (uint32_t i = 0; i < d->row_count; i++)
		if (memcmp(&d->rows[i].key, &row->key, sizeof(row->key)) == 0)
			return; /* the first one has it */
	if (d->row_count < GATE_GRANTS)
		d->rows[d->row_count++] = *row;
}

/* False: the policy has no such thing (any more). */
static bool add_rows(const struct policy *p, struct door *d, const struct grant *g,
		     const struct grant_clock *now)
{
	struct gate_grant_row row = {.grant.id = g->id};
	const struct policy_service *s;
	const struct gate_device *dev;
	uint32_t device, count;

	dev = device_of(p, g->device, &device);
	s = dev ? service_of(p, device, g->service, &count) : NULL;
	if (!s || !source_of(g->source, &row.key.peer))
		return false;
	row.key.segment = dev->segment;
	memcpy(row.key.device_mac, dev->mac, 6);
	row.grant.until_ns = now->boot_ns + grant_left(g, now);
	if (strcmp(g->mac, "any") == 0)
		row.grant.flags |= GATE_GRANT_ANY_MAC;
	else if (!address_mac(g->mac, row.grant.mac))
		return false;
	if (g->record)
		row.grant.flags |= GATE_GRANT_RECORD;
	for (uint32_t i = 0; i < count; i++) {
		row.key.proto = s[i].proto;
		row.key.port = s[i].port_lo == s[i].port_hi ? s[i].port_lo : 0;
		row.grant.port_lo = s[i].port_lo;
		row.grant.port_hi = s[i].port_hi;
		add_row(d, &row);
	}
	return true;
}

static bool same_rows(const struct door *a, const struct door *b)
{
	if (a->row_count != b->row_count)
		return false;
	for (uint32_t i = 0; i < a->row_count; i++) {
		struct gate_grant_row x = a->rows[i], y = b->rows[i];
		uint64_t apart = x.grant.until_ns > y.grant.until_ns
					 ? x.grant.until_ns - y.grant.until_ns
					 : y.grant.until_ns - x.grant.until_ns;

		x.grant.until_ns = y.grant.until_ns = 0;
		if (apart > SLACK_NS || memcmp(&x, &y, sizeof(x)) != 0)
			return false;
	}
	return true;
}

/* Tells the parent which doors are open, where that is not what it knows. The question's id; 0: it
 * knows; -errno. */
static int64_t push(struct keeper *k, bool always)
{
	static struct door next;
	struct door *d = k->door;
	struct grant_clock now = now_of(k);
	struct bytes body;
	int err;

	if (!k->policy)
		return 0; /* door_policy() comes */
	next.row_count = 0;
	for (unsigned i = 0; i < grants_count(d->book); i++) {
		const struct grant *g = grants_at(d->book, i);

		if (grant_left(g, &now))
			add_rows(k->policy, &next, g, &now);
	}
	if (!always && d->told && !d->dirty && same_rows(&next, d))
		return 0;
	memcpy(d->rows, next.rows, next.row_count * sizeof(*next.rows));
	d->row_count = next.row_count;
	body = (struct bytes){(const uint8_t *)d->rows, d->row_count * sizeof(*d->rows)};
	err = ipc_send(k->parent, IPC_GRANTS, ++k->asked, body, -1);
	d->told = true;
	d->dirty = err < 0;
	return err < 0 ? (int64_t)err : (int64_t)k->asked;
}

/* ---- what is said of it ---- */

static void put_time(json_t *o, const char *key, uint64_t ns)
{
	char text[CLOCK_EVE_LEN];

	if (!ns)
		return;
	clock_eve(ns, text);
	json_object_set_new(o, key, json_string(text));
}

static void put_text(json_t *o, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(o, key, json_string(text));
}

static json_t *grant_json(const struct grant *g, const struct grant_clock *now)
{
	uint64_t left = grant_left(g, now);
	json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b}", "id",
			      (json_int_t)g->id, "state", grant_state_name(g->state), "person",
			      g->person, "role", g->role, "device", g->device, "service",
			      g->service, "source", g->source, "mac", g->mac, "why", g->reason,
			      "minutes", (json_int_t)g->minutes, "record", g->record, "break_glass",
			      g->break_glass);

	put_time(o, "asked", g->asked_ns);
	put_time(o, "opened", g->opened_ns);
	/* What will be, not what was planned: a clock that was set moves the end. */
	put_time(o, "until", left ? now->wall_ns + left : 0);
	put_time(o, "ended", g->ended_ns);
	json_object_set_new(o, "left_s", json_integer((json_int_t)(left / NSEC_PER_SEC)));
	put_text(o, "decided_by", g->decided_by);
	put_text(o, "ended_by", g->ended_by);
	put_text(o, "why_ended", g->why_ended);
	put_text(o, "reviewed_by", g->reviewed_by);
	put_text(o, "review", g->review);
	json_object_set_new(o, "to_review", json_boolean(grant_to_review(g)));
	return o;
}

static void tell(struct keeper *k, const struct grant *g, enum reason why)
{
	struct event_common c = {.time_ns = clock_wall_ns(),
				 .type = "grant",
				 .src_ip = g->source,
				 .src_port = -1,
				 .dest_port = -1,
				 .device = g->device,
				 .reason = why};
	char buf[EVENT_MAX];
	struct json j = event_begin(&c, buf);

	json_open(&j, "grant");
	json_u64(&j, "id", g->id);
	json_str(&j, "person", g->person);
	json_str(&j, "service", g->service);
	json_str(&j, "state", grant_state_name(g->state));
	json_str(&j, "why", g->reason);
	json_u64(&j, "minutes", g->minutes);
	json_bool(&j, "break_glass", g->break_glass);
	if (*g->why_ended)
		json_str(&j, "why_ended", g->why_ended);
	json_close(&j);
	keeper_put(k, &j);
}

/* The entry without which no door opens, and the one that it has shut. */
static int note(struct keeper *k, const struct grant *g, const char *what, const char *who,
		const char *as)
{
	char object[320], text[GRANT_REASON + 128];
	struct audit_entry e = {.who = *who ? who : "gateway",
				.as = as,
				.source = g->source,
				.mac = g->mac,
				.what = what,
				.object = object};

	snprintf(object, sizeof(object), "grant:%u person:%s device:%s service:%s", g->id,
		 g->person, g->device, g->service);
	if (strcmp(what, "grant.closed") == 0)
		snprintf(text, sizeof(text), "%s", g->why_ended);
	else
		snprintf(text, sizeof(text), "%s%s for %u minutes: %s",
			 g->break_glass ? "EMERGENCY, " : "",
			 g->record ? "recorded" : "not recorded", g->minutes, g->reason);
	e.text = text;
	return trail_note(k, &e);
}

/* ---- time ---- */

static void time_did(void *arg, const struct grant *g, enum grant_change what)
{
	struct keeper *k = arg;

	if (what == GRANT_REVIEW_DUE) {
		tell(k, g, REASON_GRANT_REVIEW);
		return;
	}
	tell(k, g, what == GRANT_ASK_OVER ? REASON_GRANT_REFUSED : REASON_GRANT_CLOSED);
	(void)note(k, g, "grant.closed", "gateway", "gateway");
}

void door_turn(struct keeper *k)
{
	struct door *d = k->door;
	struct grant_clock now = now_of(k);

	if (now.boot_ns < d->due_boot_ns && !d->dirty)
		return;
	if (grants_tick(d->book, &now, time_did, k) || d->unsaved)
		if (save(k) < 0)
			log_debug("the grants could not be stored; trying again");
	(void)push(k, false);
	d->due_boot_ns = grants_due(d->book, &now);
	if ((d->dirty || d->unsaved) && now.boot_ns + NSEC_PER_SEC < d->due_boot_ns)
		d->due_boot_ns = now.boot_ns + NSEC_PER_SEC;
}

uint64_t door_due(const struct keeper *k, uint64_t now_ns)
{
	uint64_t boot = clock_boot_ns(), due = k->door ? k->door->due_boot_ns : UINT64_MAX;

	if (due == UINT64_MAX)
		return UINT64_MAX;
	return due <= boot ? now_ns : now_ns + (due - boot);
}

void door_policy(struct keeper *k)
{
	struct door *d = k->door;
	struct grant_clock now;

	if (!d)
		return;
	now = now_of(k);
	grants_tick(d->book, &now, time_did, k);
	for (unsigned i = 0; i < grants_count(d->book); i++) {
		const struct grant *g = grants_at(d->book, i);
		static struct door trial;

		trial.row_count = 0;
		if (g->state != GRANT_OPEN || add_rows(k->policy, &trial, g, &now))
			continue;
		(void)grants_revoke(d->book, g->id, "gateway",
				    "the policy no longer has this device or service", &now);
		tell(k, g, REASON_GRANT_CLOSED);
		(void)note(k, g, "grant.closed", "gateway", "gateway");
	}
	(void)save(k);
	(void)push(k, true);
	d->due_boot_ns = 0;
}

struct door *door_new(struct keeper *k, const char *boot_id)
{
	struct door *d = calloc(1, sizeof(*d));

	if (!d || !(d->book = grants_new())) {
		free(d);
		return NULL;
	}
	snprintf(d->boot_id, sizeof(d->boot_id), "%s", boot_id);
	snprintf(d->path, sizeof(d->path), "%s/" BOOK_NAME, k->state_dir);
	k->door = d;
	load(k);
	return d;
}

void door_free(struct door *d)
{
	if (!d)
		return;
	grants_free(d->book);
	free(d);
}

/* ---- answers ---- */

void door_answer(struct keeper *k, const struct ipc_message *m)
{
	struct grant_clock now = now_of(k);
	struct call_error e = {0};
	int32_t err;

	if (m->body.len != sizeof(err))
		return;
	memcpy(&err, m->body.data, sizeof(err));
	if (err < 0)
		k->door->dirty = true;
	for (unsigned i = 0; i < WAITING; i++) {
		struct waiting w = k->door->waiting[i];
		const struct grant *g = grants_find(k->door->book, w.grant);

		if (w.ask != m->id || !w.ask)
			continue;
		k->door->waiting[i] = (struct waiting){0};
		if (err == 0 && g) {
			call_done(k, w.ticket, json_pack("{s:o}", "grant", grant_json(g, &now)));
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
	struct grant_clock now = now_of(k);
	bool opens = g->state == GRANT_OPEN && was->state != GRANT_OPEN;
	bool shuts = g->state != GRANT_OPEN && was->state == GRANT_OPEN && was->id;
	int64_t ask;
	int err = 0;

	opens |= g->state == GRANT_OPEN && !was->id;
	if (opens || shuts)
		err = note(k, g, opens ? "grant.opened" : "grant.closed", by->user,
			   by->operator_ ? "operator" : "session");
	/* What shuts a door is done, recorded or not. */
	if (err == 0 || shuts)
		err = save(k);
	if (err < 0 && !shuts) {
		grants_restore(d->book, id, was);
		return broken(e, err);
	}
	d->due_boot_ns = 0;
	if (g->break_glass && opens)
		tell(k, g, REASON_GRANT_BREAK_GLASS);
	else if (opens)
		tell(k, g, REASON_GRANT_OPENED);
	else if (shuts)
		tell(k, g, REASON_GRANT_CLOSED);
	else if (g->state == GRANT_ASKED)
		tell(k, g, REASON_GRANT_REQUESTED);
	ask = opens || shuts ? push(k, true) : 0;
	for (unsigned i = 0; ask > 0 && i < WAITING; i++)
		if (!d->waiting[i].ask) {
			d->waiting[i] = (struct waiting){(uint32_t)ask, by->ticket, id};
			return call_later(k, by, PARENT_MS, e);
		}
	return json_pack("{s:o}", "grant", grant_json(g, &now));
}

/* ---- calls ---- */

static json_t *wrong(struct call_error *e, const char *what)
{
	return call_fail(e, 400, "call.arguments", "An argument is wrong", "%s", what);
}

/* For whom: the workstation that asks; on the box itself the one that is named. */
static bool workstation(struct keeper *k, const struct call_asker *by, const json_t *args,
			const struct gate_device *dev, struct grant_ask *a, struct call_error *e)
{
	static char source[ADDRESS_IP_LEN], mac[18];
	const char *ip = call_text(args, "ip"), *hw = call_text(args, "mac");
	struct policy_ip_row *row;
	struct gate_ip addr;
	uint8_t bytes[6];
	uint32_t count;

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
	if (!ip || !source_of(ip, &addr)) {
		wrong(e, "ip must be the workstation's address, as 10.1.0.5");
		return false;
	}
	address_ip_text(addr.b, source);
	a->source = source;
	row = (struct policy_ip_row *)(uintptr_t)policy_ips(k->policy, &count);
	for (uint32_t i = 0; !hw && i < count; i++)
		if (row[i].key.segment == dev->segment &&
		    memcmp(&row[i].key.ip, &addr, sizeof(addr)) == 0 &&
		    (row[i].bind.flags & GATE_BIND_MAC)) {
			const uint8_t *b = row[i].bind.mac;

			snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1],
				 b[2], b[3], b[4], b[5]);
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
	return true;
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
	dev = device_of(p, a->device, &device);
	s = dev ? service_of(p, device, a->service, &count) : NULL;
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
	struct grant_clock now = now_of(k);
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
	struct grant_clock now = now_of(k);
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
	struct grant_clock now = now_of(k);
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
		tell(k, grants_find(k->door->book, was.id), REASON_GRANT_REFUSED);
	return ok;
}

static json_t *call_revoke(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	const char *why = call_text(args, "reason");
	struct grant_clock now = now_of(k);
	bool staff = by->operator_ || by->role == PEOPLE_CLINICAL_ENGINEER ||
		     by->role == PEOPLE_ADMINISTRATOR;
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
	struct grant_clock now = now_of(k);

	for (unsigned i = grants_count(k->door->book); i-- > 0;) {
		const struct grant *g = grants_at(k->door->book, i);
		bool live = g->state == GRANT_ASKED || g->state == GRANT_OPEN || grant_to_review(g);

		if ((all || live) && is_theirs(by, g))
			json_array_append_new(grants, grant_json(g, &now));
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
		put_time(o, "until", v->until_ns);
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
			list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b}", "device",
					policy_device_name(k->policy, s[i].device), "service",
					policy_service_name(k->policy, &s[i]), "proto",
					s[i].proto == 6 ? "tcp" : "udp", "port", port, "ask",
					policy_service_ask(k->policy, &s[i]), "alone",
					policy_service_alone(k->policy, &s[i]), "minutes",
					(json_int_t)s[i].minutes, "record",
					(s[i].flags & POLICY_SERVICE_RECORD) != 0, "break_glass",
					(s[i].flags & POLICY_SERVICE_BREAK_GLASS) != 0));
	}
	return json_pack("{s:o}", "services", list);
}

static json_t *call_invite(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	const json_t *devices = json_object_get(args, "devices"), *d;
	const char *user = call_text(args, "user"), *reason = call_text(args, "reason");
	struct grant_clock now = now_of(k);
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

		if (!name || !k->policy || !device_of(k->policy, name, &device) ||
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
	err = save(k);
	if (err < 0) {
		(void)grants_withdraw(k->door->book, id, by->user, &now);
		return broken(e, err);
	}
	return json_pack("{s:I}", "id", (json_int_t)id);
}

static json_t *call_withdraw(struct keeper *k, const struct call_asker *by, const json_t *args,
			     struct call_error *e)
{
	struct grant_clock now = now_of(k);
	int64_t id;
	int err;

	if (!call_number(args, "id", 1, UINT32_MAX, &id))
		return wrong(e, "id must be an invitation's number");
	err = grants_withdraw(k->door->book, (uint32_t)id, by->user, &now);
	if (err < 0)
		return refused(e, err);
	for (unsigned i = 0; i < grants_count(k->door->book); i++) {
		const struct grant *g = grants_at(k->door->book, i);

		if (g->invitation == (uint32_t)id && g->ended_ns == now.wall_ns) {
			tell(k, g, REASON_GRANT_CLOSED);
			(void)note(k, g, "grant.closed", by->user,
				   by->operator_ ? "operator" : "session");
		}
	}
	(void)push(k, true);
	(void)save(k);
	return json_pack("{s:I}", "id", id);
}

/* ---- for people ---- */

json_t *door_rows(struct keeper *k)
{
	struct grant_clock now = now_of(k);
	json_t *rows = json_array();

	for (unsigned i = 0; i < grants_count(k->door->book); i++) {
		const struct grant *g = grants_at(k->door->book, i);

		if (g->state == GRANT_ASKED || g->state == GRANT_OPEN || grant_to_review(g))
			json_array_append_new(rows, grant_json(g, &now));
	}
	return rows;
}

const char *door_nag(struct keeper *k, unsigned n, char *buf, size_t cap)
{
	for (unsigned i = 0; i < grants_count(k->door->book); i++) {
		const struct grant *g = grants_at(k->door->book, i);

		if (!grant_to_review(g) || n-- > 0)
			continue;
		if (g->state == GRANT_OPEN)
			snprintf(buf, cap,
				 "EMERGENCY: %s is in %s of %s from %s (%.200s); 'bedwarden grants "
				 "revoke %u' ends it",
				 g->person, g->service, g->device, g->source, g->reason, g->id);
		else
			snprintf(buf, cap,
				 "%s entered %s of %s in an emergency (%.200s), and nobody has "
				 "looked "
				 "at it; 'bedwarden grants review %u --reason TEXT' does",
				 g->person, g->service, g->device, g->reason, g->id);
		return buf;
	}
	return NULL;
}

#define STAFF  (PEOPLE_ONLY(PEOPLE_CLINICAL_ENGINEER) | PEOPLE_ONLY(PEOPLE_ADMINISTRATOR))
#define LOOKER (STAFF | PEOPLE_ONLY(PEOPLE_AUDITOR))

const struct call_row door_calls[] = {
	{"grant.list", call_list, PEOPLE_ALL, false, false, false, CALL_ONE_FACTOR},
	{"grant.services", call_services, PEOPLE_ALL, false, false, false, CALL_ONE_FACTOR},
	{"grant.request", call_request, PEOPLE_ALL, true, true, false},
	{"grant.approve", call_approve, STAFF, true, true, false},
	{"grant.deny", call_deny, STAFF, false, true, false},
	{"grant.revoke", call_revoke, PEOPLE_ALL, false, true, false},
	/* In an emergency any one factor does. */
	{"grant.break_glass", call_break, PEOPLE_HOUSE, false, true, false, CALL_ONE_FACTOR},
	{"grant.review", call_review, LOOKER, true, true, false},
	{"vendor.invite", call_invite, STAFF, true, true, false},
	{"vendor.withdraw", call_withdraw, STAFF, false, true, false},
	{NULL},
};
