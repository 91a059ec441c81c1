#include "role/door.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/event.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "guard/policy/policy.h"
#include "keep/keys.h"
#include "people/grant/grant.h"
#include "role/door_internal.h"
#include "role/keeper.h"
#include "role/secrets.h"
#include "role/trail.h"

#define BOOK_NAME  "grants"
#define BOOK_MAX   (4u << 20)
#define BOOK_WORD  "bedwarden-grants-1 sealed\n"
#define PLAIN_WORD "bedwarden-grants-1 plain\n"
#define PURPOSE	   "grants"
#define PORT_MIN   1024		      /* of what is announced: below are services */
#define SLACK_NS   (NSEC_PER_SEC / 5) /* ends that differ by less are the same */

struct grant_clock door_now(const struct keeper *k)
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

int door_save(struct keeper *k)
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

const struct gate_device *door_device(const struct policy *p, const char *name, uint32_t *ret_id)
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
const struct policy_service *door_service(const struct policy *p, uint32_t device, const char *name,
					  uint32_t *ret_count)
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

bool door_source(const char *text, struct gate_ip *ret_ip)
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

/* Services whose data goes by conversations of its own: by name, or by their usual port. */
static bool has_data(const struct policy *p, const struct policy_service *s)
{
	const char *name = policy_service_name(p, s);

	if (s->proto == 6)
		return strcmp(name, "ftp") == 0 || (s->port_lo <= 21 && s->port_hi >= 21);
	return s->proto == 17 &&
	       (strcmp(name, "tftp") == 0 || (s->port_lo <= 69 && s->port_hi >= 69));
}

/* False: the policy has no such thing (any more). */
static bool add_rows(const struct policy *p, struct door *d, const struct grant *g,
		     const struct grant_clock *now)
{
	struct gate_grant_row row = {.grant.id = g->id};
	const struct policy_service *s;
	const struct gate_device *dev;
	uint32_t device, count;

	dev = door_device(p, g->device, &device);
	s = dev ? door_service(p, device, g->service, &count) : NULL;
	if (!s || !door_source(g->source, &row.key.peer))
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
		row.grant.flags &= (__u8)~GATE_GRANT_DATA;
		if (has_data(p, &s[i]))
			row.grant.flags |= GATE_GRANT_DATA;
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

int64_t door_push(struct keeper *k, bool always)
{
	static struct door next;
	struct door *d = k->door;
	struct grant_clock now = door_now(k);
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

void door_time(json_t *o, const char *key, uint64_t ns)
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

/* Of FTP: what is announced is opened, but what is encrypted nobody can read. NULL: nothing to say. */
static const char *note_of(const struct keeper *k, const struct grant *g)
{
	uint32_t device, count = 0;
	bool data = false, more = false;
	const struct policy_service *s;

	if (!k->policy || !door_device(k->policy, g->device, &device))
		return NULL;
	s = door_service(k->policy, device, g->service, &count);
	for (uint32_t i = 0; i < count; i++) {
		data |= s[i].proto == IPPROTO_TCP && has_data(k->policy, &s[i]);
		more |= s[i].proto == IPPROTO_TCP && s[i].port_hi >= PORT_MIN;
	}
	if (!data)
		return NULL;
	return more ? "Transfers open as they are announced. Over TLS (AUTH TLS) nobody can read "
		      "that: "
		      "those need a port that the service names."
		    : "Transfers open as they are announced. Over TLS (AUTH TLS) nobody can read "
		      "that, "
		      "and no transfer gets through: turn it off, or have the policy name the "
		      "device's "
		      "passive ports in the service.";
}

json_t *door_json(const struct keeper *k, const struct grant *g, const struct grant_clock *now)
{
	uint64_t left = grant_left(g, now);
	const char *note = note_of(k, g);
	json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b}", "id",
			      (json_int_t)g->id, "state", grant_state_name(g->state), "person",
			      g->person, "role", g->role, "device", g->device, "service",
			      g->service, "source", g->source, "mac", g->mac, "why", g->reason,
			      "minutes", (json_int_t)g->minutes, "record", g->record, "break_glass",
			      g->break_glass);

	door_time(o, "asked", g->asked_ns);
	door_time(o, "opened", g->opened_ns);
	/* What will be, not what was planned: a clock that was set moves the end. */
	door_time(o, "until", left ? now->wall_ns + left : 0);
	door_time(o, "ended", g->ended_ns);
	json_object_set_new(o, "left_s", json_integer((json_int_t)(left / NSEC_PER_SEC)));
	put_text(o, "certificate", g->certificate);
	put_text(o, "decided_by", g->decided_by);
	put_text(o, "ended_by", g->ended_by);
	put_text(o, "why_ended", g->why_ended);
	put_text(o, "reviewed_by", g->reviewed_by);
	put_text(o, "review", g->review);
	json_object_set_new(o, "to_review", json_boolean(grant_to_review(g)));
	if (g->state == GRANT_ASKED || g->state == GRANT_OPEN)
		put_text(o, "note", note ? note : "");
	return o;
}

void door_tell(struct keeper *k, const struct grant *g, enum reason why)
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
int door_note(struct keeper *k, const struct grant *g, const char *what, const char *who,
	      const char *as)
{
	char object[320], text[GRANT_REASON + GRANT_CERTIFICATE + 128];
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
		snprintf(text, sizeof(text), "%s%s for %u minutes%s%s: %s",
			 g->break_glass ? "EMERGENCY, " : "",
			 g->record ? "recorded" : "not recorded", g->minutes,
			 *g->certificate ? ", certificate " : "", g->certificate, g->reason);
	e.text = text;
	return trail_note(k, &e);
}

/* ---- time ---- */

static void time_did(void *arg, const struct grant *g, enum grant_change what)
{
	struct keeper *k = arg;

	if (what == GRANT_REVIEW_DUE) {
		door_tell(k, g, REASON_GRANT_REVIEW);
		return;
	}
	door_tell(k, g, what == GRANT_ASK_OVER ? REASON_GRANT_REFUSED : REASON_GRANT_CLOSED);
	(void)door_note(k, g, "grant.closed", "gateway", "gateway");
}

void door_turn(struct keeper *k)
{
	struct door *d = k->door;
	struct grant_clock now = door_now(k);

	if (now.boot_ns < d->due_boot_ns && !d->dirty)
		return;
	if (grants_tick(d->book, &now, time_did, k) || d->unsaved)
		if (door_save(k) < 0)
			log_debug("the grants could not be stored; trying again");
	(void)door_push(k, false);
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
	now = door_now(k);
	grants_tick(d->book, &now, time_did, k);
	for (unsigned i = 0; i < grants_count(d->book); i++) {
		const struct grant *g = grants_at(d->book, i);
		static struct door trial;

		trial.row_count = 0;
		if (g->state != GRANT_OPEN || add_rows(k->policy, &trial, g, &now))
			continue;
		(void)grants_revoke(d->book, g->id, "gateway",
				    "the policy no longer has this device or service", &now);
		door_tell(k, g, REASON_GRANT_CLOSED);
		(void)door_note(k, g, "grant.closed", "gateway", "gateway");
	}
	(void)door_save(k);
	(void)door_push(k, true);
	d->due_boot_ns = 0;
}

static bool is_of(const struct grant *g, const char *person)
{
	return strcmp(g->person, person) == 0 &&
	       (g->state == GRANT_OPEN || g->state == GRANT_ASKED);
}

void door_without(struct keeper *k, const char *person, const char *by, bool on_box)
{
	static const char why[] = "the account was disabled, removed or changed";
	struct grant_clock now;
	uint32_t ended[GRANTS_MAX];
	unsigned count = 0;
	bool invited = false;

	if (!k->door)
		return;
	now = door_now(k);
	for (unsigned i = 0; i < grants_count(k->door->book); i++) {
		const struct grant *g = grants_at(k->door->book, i);

		if (is_of(g, person) && grants_revoke(k->door->book, g->id, by, why, &now) == 0)
			ended[count++] = g->id;
	}
	for (unsigned i = 0; i < grants_invitations(k->door->book); i++) {
		const struct invitation *v = grants_invitation(k->door->book, i);

		if (strcmp(v->person, person) == 0)
			invited |= grants_withdraw(k->door->book, v->id, by, &now) == 0;
	}
	if (!count && !invited)
		return;
	(void)door_push(k, true);
	for (unsigned i = 0; i < count; i++) {
		const struct grant *g = grants_find(k->door->book, ended[i]);

		door_tell(k, g, REASON_GRANT_CLOSED);
		(void)door_note(k, g, "grant.closed", by, on_box ? "operator" : "session");
	}
	(void)door_save(k);
	k->door->due_boot_ns = 0;
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

/* ---- for people ---- */

json_t *door_rows(struct keeper *k)
{
	struct grant_clock now = door_now(k);
	json_t *rows = json_array();

	for (unsigned i = 0; i < grants_count(k->door->book); i++) {
		const struct grant *g = grants_at(k->door->book, i);

		if (g->state == GRANT_ASKED || g->state == GRANT_OPEN || grant_to_review(g))
			json_array_append_new(rows, door_json(k, g, &now));
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
