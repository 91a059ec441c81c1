#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "keep/eve.h"
#include "keep/pcaps.h"
#include "keep/store.h"
#include "role/census.h"
#include "role/backups.h"
#include "role/deposit.h"
#include "role/desk.h"
#include "role/door.h"
#include "role/keeper.h"
#include "role/look.h"
#include "role/pki.h"
#include "role/secrets.h"
#include "role/serve.h"
#include "role/staff.h"
#include "role/trail.h"
#include "role/trail_send.h"

#define OTHERS_MS  3000	 /* for the parent's or a guard's word */
#define APPLY_MS   30000 /* for a policy to be read, compiled and taken into force */
#define PAGE	   256	 /* events at a time */
#define WORST	   5	 /* findings that status begins with */
#define WORST_SPAN (24ull * 60 * 60 * NSEC_PER_SEC)

struct rows_to {
	struct serve *serve;
	struct client *client;
};

static void give_row(void *arg, struct bytes row)
{
	struct rows_to *to = arg;

	if (to->client->busy)
		serve_row(to->serve, to->client, row);
}

static void end_or_fail(struct keeper *k, struct client *c, int err)
{
	if (err == 0)
		serve_end(k->serve, c);
	else if (err == -ENODEV || err == -ENOSPC)
		serve_error(k->serve, c,
			    "events: the database cannot be opened; make room on the disk of '%s'",
			    k->state_dir);
	else
		serve_error(k->serve, c, "events: the database cannot be read (%s); see the log",
			    strerror(-err));
}

/* Asks another process on the client's behalf; its answer comes with the same id. */
static int ask(struct keeper *k, struct client *c, int sock, enum ipc_type type, uint32_t ms)
{
	int err = ipc_send(sock, type, k->asked + 1, (struct bytes){0}, -1);

	if (err != 0)
		return err;
	c->ask = ++k->asked;
	c->answer_ns = clock_mono_ns() + ms * NSEC_PER_MSEC;
	return 0;
}

static void ask_parent(struct keeper *k, struct client *c, enum ipc_type type, uint32_t ms)
{
	if (ask(k, c, k->parent, type, ms) != 0)
		serve_error(k->serve, c, "gateway: the parent process is busy; try again");
}

/* A guard tells one list at a time: who asks meanwhile waits, no longer than everybody. */
static void ask_guards(struct keeper *k, struct client *c)
{
	c->queued = true;
	c->answer_ns = clock_mono_ns() + OTHERS_MS * NSEC_PER_MSEC;
	answer_turn(k);
}

void answer_turn(struct keeper *k)
{
	struct client *c = k->flows_owed ? NULL : serve_queued(k->serve);

	if (!c) {
		if (!k->flows_owed)
			look_turn(k);
		return;
	}
	c->queued = false;
	c->ask = ++k->asked;
	for (unsigned i = 0; i < KEEPER_GUARDS_MAX; i++)
		if (k->guards[i] >= 0 &&
		    ipc_send(k->guards[i], IPC_FLOWS, c->ask, (struct bytes){0}, -1) == 0)
			c->waiting |= 1ull << i;
	k->flows_owed = c->waiting;
	if (!c->waiting)
		serve_error(k->serve, c, "flows: no guard is running; 'bedwarden status' says why");
}

static void answer_groups(struct keeper *k, struct client *c)
{
	struct rows_to to = {k->serve, c};

	end_or_fail(k, c, query_groups(store_db(k->store), &c->request.filter, give_row, &to));
}

/* The next page of single events; the end where no more are there, unless it follows. */
static void more_events(void *arg, struct client *c)
{
	struct keeper *k = arg;
	struct rows_to to = {k->serve, c};
	uint32_t max = !c->request.follow && c->left < PAGE ? c->left : PAGE, rows = 0;
	int err = query_events(store_db(k->store), &c->request.filter, &c->after, max, give_row,
			       &to, &rows);

	if (!c->busy)
		return; /* it could not take them */
	c->left -= c->request.follow ? 0 : rows;
	if (err != 0 || (!c->request.follow && (rows < max || c->left == 0)))
		end_or_fail(k, c, err);
}

static void answer_events(struct keeper *k, struct client *c)
{
	int err;

	if (!c->request.all && !c->request.follow) {
		answer_groups(k, c);
		return;
	}
	c->left = c->request.filter.limit;
	err = query_tail(store_db(k->store), &c->request.filter, &c->after);
	if (err != 0) {
		end_or_fail(k, c, err);
		return;
	}
	c->streams = true;
	more_events(k, c);
}

static void answer_devices(struct keeper *k, struct client *c)
{
	struct rows_to to = {k->serve, c};

	end_or_fail(k, c,
		    census_rows(k->policy, store_db(k->store), k->patients,
				c->request.filter.device, give_row, &to));
}

static void answer_grants(struct keeper *k, struct client *c)
{
	json_t *rows = door_rows(k), *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		char *text = json_dumps(row, JSON_COMPACT);

		if (text)
			serve_row(k->serve, c, (struct bytes){(const uint8_t *)text, strlen(text)});
		free(text);
	}
	json_decref(rows);
	serve_end(k->serve, c);
}

static void asked(void *arg, struct client *c)
{
	struct keeper *k = arg;

	switch (c->request.command) {
	case REQUEST_STATUS:
		ask_parent(k, c, IPC_STATUS, OTHERS_MS);
		break;
	case REQUEST_COUNTERS:
		ask_parent(k, c, IPC_COUNTERS, OTHERS_MS);
		break;
	case REQUEST_APPLY:
		ask_parent(k, c, IPC_APPLY, APPLY_MS);
		break;
	case REQUEST_FLOWS:
		ask_guards(k, c);
		break;
	case REQUEST_EVENTS:
		answer_events(k, c);
		break;
	case REQUEST_DEVICES:
		answer_devices(k, c);
		break;
	case REQUEST_GRANTS:
		answer_grants(k, c);
		break;
	case REQUEST_CALL:
		call_from_client(k, c, c->request.object);
		json_decref(c->request.object);
		c->request.object = NULL;
		break;
	case REQUEST_COMMANDS:
		break;
	}
}

static void gone(void *arg, struct client *c)
{
	call_without(arg, c);
}

static void late(void *arg, struct client *c)
{
	struct keeper *k = arg;

	if (c->request.command == REQUEST_FLOWS)
		serve_error(k->serve, c,
			    "flows: a guard did not answer in time; the list is not complete");
	else
		serve_error(k->serve, c,
			    "gateway: the parent process did not answer in time; see the log");
}

const struct serve_calls answer_calls = {
	.asked = asked, .more = more_events, .late = late, .gone = gone};

static void put_disk(struct json *j, const struct keeper *k)
{
	struct statvfs fs;

	if (statvfs(k->state_dir, &fs) < 0)
		return;
	json_u64(j, "disk_bytes", (uint64_t)fs.f_blocks * fs.f_frsize);
	json_u64(j, "disk_free_bytes", (uint64_t)fs.f_bavail * fs.f_frsize);
}

static void put_evidence(struct json *j, const struct keeper *k)
{
	struct pcaps_counts n;

	if (!k->pcaps)
		return;
	pcaps_counts(k->pcaps, &n);
	json_u64(j, "evidence_files", n.files);
	json_u64(j, "evidence_bytes", n.bytes);
	json_u64(j, "evidence_lost", n.lost);
}

static void put_store(struct json *j, struct keeper *k)
{
	struct query_day day = {0};
	struct store_counts c;
	struct eve_counts e = {0};

	store_counts(k->store, &c);
	if (k->eve)
		eve_counts(k->eve, &e);
	query_day(store_db(k->store), (int64_t)clock_wall_ns(), &day);
	json_open(j, "store");
	json_bool(j, "writable", !k->full_ns);
	json_u64(j, "events_today", day.events);
	json_u64(j, "blocked_today", day.blocked);
	json_u64(j, "would_block_today", day.would);
	json_u64(j, "events_kept", c.events);
	json_u64(j, "events_waiting", c.queued);
	json_u64(j, "events_lost", c.lost + e.lost);
	json_u64(j, "refused", k->refused);
	json_u64(j, "database_bytes", c.file_bytes);
	json_u64(j, "eve_bytes", e.file_bytes);
	put_evidence(j, k);
	json_str(j, "state_dir", k->state_dir);
	put_disk(j, k);
	json_close(j);
}

static void put_devices(struct json *j, const struct keeper *k)
{
	struct census_modes m;

	census_modes(k->policy, &m);
	json_open(j, "devices");
	json_u64(j, "registered", m.registered);
	json_u64(j, "enforce", m.enforce);
	json_u64(j, "simulate", m.simulate);
	json_u64(j, "observe", m.observe);
	json_u64(j, "fail_open", m.open);
	json_u64(j, "fail_closed", m.closed);
	json_close(j);
}

static void put_group(void *arg, struct bytes row)
{
	json_raw(arg, NULL, row);
}

static void put_attention(struct json *j, struct keeper *k)
{
	struct query_filter worst = {.limit = WORST,
				     .since_ns = (int64_t)(clock_wall_ns() - WORST_SPAN)};

	json_list(j, "attention");
	query_groups(store_db(k->store), &worst, put_group, j);
	json_end(j);
}

/* What is wrong with the keys stands with what the parent finds wrong. */
static void add_nags(struct keeper *k, json_t *status)
{
	json_t *nags = json_object_get(status, "nags");
	char text[1024];

	for (unsigned n = 0; deposit_nag(k, n, text, sizeof(text)); n++)
		json_array_append_new(nags, json_string(text));
	for (unsigned n = 0; backups_nag(k, n, text, sizeof(text)); n++)
		json_array_append_new(nags, json_string(text));
	if (k->staff && staff_nag(k->staff, text, sizeof(text)))
		json_array_append_new(nags, json_string(text));
	for (unsigned n = 0; k->secrets && secrets_nag(k->secrets, n, text, sizeof(text)); n++)
		json_array_append_new(nags, json_string(text));
	for (unsigned n = 0; door_nag(k, n, text, sizeof(text)); n++)
		json_array_append_new(nags, json_string(text));
	if (trail_send_nag(k, text, sizeof(text)))
		json_array_append_new(nags, json_string(text));
	if (*trail_broken(k)) {
		snprintf(text, sizeof(text), "audit: %s; 'bedwarden audit verify' says more",
			 trail_broken(k));
		json_array_append_new(nags, json_string(text));
	}
}

/* Adds what the keeper knows to the parent's object. */
static void merge(struct keeper *k, json_t *status)
{
	static char buf[32768];
	struct json j = json_new(buf, sizeof(buf));
	char print[SELF_PRINT];
	json_t *own;

	json_open(&j, NULL);
	put_devices(&j, k);
	put_store(&j, k);
	put_attention(&j, k);
	if (k->secrets)
		secrets_status(k->secrets, &j);
	deposit_status(k, &j);
	backups_status(k, &j);
	json_close(&j);
	own = j.out.bad ? NULL : json_loadb(buf, j.out.len, JSON_ALLOW_NUL, NULL);
	json_object_update(status, own);
	json_decref(own);
	if (desk_print(k, print))
		json_object_set_new(json_object_get(status, "console"), "certificate",
				    json_string(print));
	if (k->pki)
		pki_status(k->pki, status);
	add_nags(k, status);
}

json_t *answer_merge(struct keeper *k, const struct ipc_message *m)
{
	json_t *status = json_loadb((const char *)m->body.data, m->body.len, JSON_ALLOW_NUL, NULL);

	if (json_is_object(status)) {
		merge(k, status);
		return status;
	}
	k->refused++;
	json_decref(status);
	return NULL;
}

void answer_status(struct keeper *k, const struct ipc_message *m)
{
	struct client *c = serve_asker(k->serve, m->id);
	json_t *status;
	char *text;

	if (look_status(k, m) || !c || c->request.command != REQUEST_STATUS)
		return; /* it did not wait */
	status = answer_merge(k, m);
	if (!status) {
		serve_error(k->serve, c, "status: the parent process answered nonsense");
	} else {
		text = json_dumps(status, JSON_COMPACT);
		if (text)
			serve_row(k->serve, c, (struct bytes){(const uint8_t *)text, strlen(text)});
		free(text);
		serve_end(k->serve, c);
	}
	json_decref(status);
}

void answer_apply(struct keeper *k, const struct ipc_message *m)
{
	struct client *c = serve_asker(k->serve, m->id);
	const char *error;
	json_t *answer;

	if (!c || c->request.command != REQUEST_APPLY)
		return;
	answer = json_loadb((const char *)m->body.data, m->body.len, 0, NULL);
	error = json_string_value(json_object_get(answer, "error"));
	if (!json_is_object(answer)) {
		k->refused++;
		serve_error(k->serve, c, "apply: the parent process answered nonsense");
	} else if (error) {
		serve_error(k->serve, c, "%s", error);
	} else {
		serve_row(k->serve, c, m->body);
		serve_end(k->serve, c);
	}
	json_decref(answer);
}

static void owes_nothing(struct keeper *k, struct client *c, unsigned guard)
{
	c->waiting &= ~(1ull << guard);
	if (!c->waiting)
		serve_end(k->serve, c);
}

/* One line of a guard's: passed on if it is an object, and of the device asked for. */
static void give_flow(struct keeper *k, struct client *c, struct bytes line)
{
	const char *want = c->request.filter.device;
	json_t *flow = json_loadb((const char *)line.data, line.len, JSON_ALLOW_NUL, NULL);
	const char *device = json_string_value(json_object_get(flow, "device"));

	if (!json_is_object(flow))
		k->refused++;
	else if (c->busy && (!*want || (device && strcmp(device, want) == 0)))
		serve_row(k->serve, c, line);
	json_decref(flow);
}

void answer_flows(struct keeper *k, unsigned guard, const struct ipc_message *m)
{
	struct client *c = serve_asker(k->serve, m->id);
	struct bytes rest = m->body;

	if (rest.len == 0)
		k->flows_owed &= ~(1ull << guard);
	if (look_flows(k, guard, m) || !c || c->request.command != REQUEST_FLOWS ||
	    !(c->waiting & 1ull << guard))
		return;
	if (rest.len == 0) {
		owes_nothing(k, c, guard);
		return;
	}
	while (rest.len > 0) {
		const uint8_t *newline = memchr(rest.data, '\n', rest.len);
		size_t len = newline ? (size_t)(newline - rest.data) : rest.len;

		give_flow(k, c, (struct bytes){rest.data, len});
		len += newline != NULL;
		rest = (struct bytes){rest.data + len, rest.len - len};
	}
}

void answer_without(struct keeper *k, unsigned guard)
{
	struct client *c;

	k->flows_owed &= ~(1ull << guard);
	look_without(k, guard);
	while ((c = serve_waiting(k->serve, guard)) != NULL)
		owes_nothing(k, c, guard);
}
