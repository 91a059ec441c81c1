#include "role/trail_send.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "keep/audit.h"
#include "role/keeper.h"

#define BATCH	   64
#define BATCH_MAX  49152 /* bytes of entries; a message holds them and the checkpoint */
#define TROUBLE	   300
#define PATIENT_NS (300 * NSEC_PER_SEC) /* trouble that a person need not know of */

struct trail_send {
	int sock;	     /* the exporter's; -1 none */
	char place[128];     /* the collector's; "" none */
	uint64_t done;	     /* entries that it has */
	uint64_t handed_out; /* the last entry of the batch under way */
	bool waits;	     /* the exporter, for more */
	uint64_t trouble_ns; /* since when; 0 none */
	char trouble[TROUBLE];
};

/* Who may say what to the keeper here. */
static const struct ipc_right rights[] = {{0, IPC_AUDIT}};

struct trail_send *trail_send_new(void)
{
	struct trail_send *t = calloc(1, sizeof(*t));

	if (t)
		t->sock = -1;
	return t;
}

void trail_send_free(struct trail_send *t)
{
	if (!t)
		return;
	if (t->sock >= 0)
		close(t->sock);
	free(t);
}

/* --- how far it is ------------------------------------------------------------------------ */

static void place_path(const struct keeper *k, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/audit.exported-%s", k->state_dir, k->trail_send->place);
}

static uint64_t read_place(const struct keeper *k)
{
	char path[PATH_MAX];
	struct bytes text;
	uint64_t n = 0;

	place_path(k, path);
	if (file_read(path, 64, &text) < 0)
		return 0;
	for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		n = n * 10 + (uint64_t)(text.data[i] - '0');
	free((void *)(uintptr_t)text.data);
	return n;
}

static int write_place(const struct keeper *k)
{
	char path[PATH_MAX], text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", k->trail_send->done);

	place_path(k, path);
	return file_replace(path, (struct bytes){(const uint8_t *)text, (size_t)n}, 0640);
}

void trail_send_to(struct keeper *k, const char *place)
{
	struct trail_send *t = k->trail_send;

	if (!t || strcmp(place, t->place) == 0)
		return;
	snprintf(t->place, sizeof(t->place), "%s", place);
	t->trouble_ns = 0;
	t->handed_out = 0;
	t->done = *place ? read_place(k) : 0;
}

/* --- the exporter --------------------------------------------------------------------------- */

void trail_send_peer(struct keeper *k, int sock)
{
	struct trail_send *t = k->trail_send;

	if (t->sock >= 0)
		close(t->sock);
	t->sock = sock;
	t->waits = false; /* it says so itself */
	t->handed_out = 0;
}

int trail_send_fd(const struct keeper *k)
{
	return k->trail_send ? k->trail_send->sock : -1;
}

/* u64: everything up to there has arrived; behind it, why nothing more does. */
static bool take(struct keeper *k, struct bytes body)
{
	struct trail_send *t = k->trail_send;
	struct reader r = reader_new(body.data, body.len);
	uint64_t high = read_be32(&r), done = high << 32 | read_be32(&r);
	struct bytes why = read_bytes(&r, reader_left(&r));
	int err = 0;

	if (r.bad || why.len >= TROUBLE || (done && done != t->handed_out))
		return false;
	if (why.len) {
		if (!t->trouble_ns)
			t->trouble_ns = clock_mono_ns();
		snprintf(t->trouble, sizeof(t->trouble), "%.*s", (int)why.len, why.data);
		return true;
	}
	if (done) {
		t->done = done;
		t->trouble_ns = 0;
		err = write_place(k);
		if (err < 0)
			log_error("audit: how far it was sent cannot be written: %s",
				  strerror(-err));
	}
	t->waits = true;
	return true;
}

void trail_send_hear(struct keeper *k)
{
	static char buf[IPC_BUF];
	struct trail_send *t = k->trail_send;
	struct ipc_message m;
	int err = ipc_hear(t->sock, buf, rights, sizeof(rights) / sizeof(*rights), 0, &m);

	if (err == -EAGAIN)
		return;
	if (err == 0 && m.fd >= 0)
		close(m.fd);
	if (err == 0 && take(k, m.body))
		return;
	if (err != -EPIPE)
		keeper_refuse(k, "exporter", "a malformed message; its connection is closed");
	close(t->sock);
	t->sock = -1;
	t->waits = false;
}

/* --- handing out ---------------------------------------------------------------------------- */

struct batch {
	json_t *rows;
	size_t bytes;
	uint64_t last;
	bool full;
};

static void collect(void *arg, struct bytes row)
{
	struct batch *b = arg;
	json_t *o;

	b->full |= b->bytes && b->bytes + row.len > BATCH_MAX;
	o = b->full ? NULL : json_loadb((const char *)row.data, row.len, 0, NULL);
	if (!o)
		return;
	b->bytes += row.len;
	b->last = (uint64_t)json_integer_value(json_object_get(o, "seq"));
	json_array_append_new(b->rows, o);
}

/* Another trail than the one that was sent: the old one was set aside, and this one says why. */
static void look_for_another(struct keeper *k)
{
	struct trail_send *t = k->trail_send;

	if (audit_count(k->trail) >= t->done)
		return;
	log_warn("audit: the trail was begun anew, and is sent from its beginning");
	t->done = t->handed_out = 0;
	(void)write_place(k);
}

static int hand_out(struct keeper *k)
{
	struct trail_send *t = k->trail_send;
	struct batch b = {.rows = json_array()};
	char line[AUDIT_CHECKPOINT_MAX] = "", *text = NULL;
	struct audit_checkpoint c;
	json_t *o = NULL;
	int err = b.rows ? audit_since(k->trail, t->done + 1, BATCH, collect, &b) : -ENOMEM;

	audit_checkpoint_of(k->trail, &c);
	if (c.count)
		line[audit_checkpoint_text(&c, line)] = 0;
	if (err == 0 && b.last) {
		o = json_pack("{s:O, s:s}", "rows", b.rows, "checkpoint", line);
		text = o ? json_dumps(o, JSON_COMPACT) : NULL;
		err = text ? ipc_send(t->sock, IPC_AUDIT, 0,
				      (struct bytes){(const uint8_t *)text, strlen(text)}, -1)
			   : -ENOMEM;
		if (err == 0)
			t->handed_out = b.last;
	}
	free(text);
	json_decref(o);
	json_decref(b.rows);
	return err;
}

void trail_send_turn(struct keeper *k)
{
	struct trail_send *t = k->trail_send;
	int err;

	if (!t || t->sock < 0 || !t->waits || !*t->place || !k->trail)
		return;
	look_for_another(k);
	if (audit_count(k->trail) == t->done)
		return;
	t->waits = false;
	err = hand_out(k);
	if (err < 0)
		log_error("audit: entry %" PRIu64 " cannot be handed out to be sent: %s",
			  t->done + 1, strerror(-err));
}

const char *trail_send_nag(struct keeper *k, char *buf, size_t cap)
{
	struct trail_send *t = k->trail_send;

	if (!t || !*t->place || !t->trouble_ns || !k->trail ||
	    clock_mono_ns() - t->trouble_ns < PATIENT_NS)
		return NULL;
	snprintf(buf, cap,
		 "audit: %" PRIu64 " entries wait for their collector: %s; see that it runs, and "
		 "audit.export in the policy file",
		 audit_count(k->trail) - t->done, t->trouble);
	return buf;
}
