#include "role/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "guard/capture/gate.h"
#include "role/counters.h"
#include "role/releases.h"

#define COUNT_MAX (INT64_MAX / 8)

static void answer_status(struct gateway *g, struct member *m, uint32_t id)
{
	static char buf[IPC_BODY_MAX];
	size_t len = status_json(g, clock_mono_ns(), buf, sizeof(buf));

	member_send(m, IPC_STATUS, id, (struct bytes){(const uint8_t *)buf, len}, -1);
}

static void answer_counters(struct gateway *g, struct member *m, uint32_t id)
{
	int fd = counters_memfd(g);

	if (fd < 0) {
		log_error("what the rules counted could not be read: %s", strerror(-fd));
		return; /* who asked is told that nobody answered */
	}
	member_send(m, IPC_COUNTED, id, (struct bytes){0}, fd);
	close(fd);
}

static void answer_apply(struct gateway *g, struct member *m, uint32_t id)
{
	char error[SITE_ERROR], buf[2 * SITE_ERROR];
	struct json j = json_new(buf, sizeof(buf));
	int err = reload_apply(g, error);

	json_open(&j, NULL);
	if (err < 0)
		json_str(&j, "error", error);
	else
		json_u64(&j, "generation", g->generation);
	json_close(&j);
	member_send(m, IPC_APPLY, id, (struct bytes){(const uint8_t *)buf, j.out.len}, -1);
}

static void answer_error(struct member *m, uint32_t id, const char *error)
{
	char buf[2 * SITE_ERROR];
	struct json j = json_new(buf, sizeof(buf));

	json_open(&j, NULL);
	json_str(&j, "error", error);
	json_close(&j);
	member_send(m, IPC_POLICY_FILE, id, (struct bytes){(const uint8_t *)buf, j.out.len}, -1);
}

/* The file's text as it is now. */
static void answer_file(struct gateway *g, struct member *m, uint32_t id)
{
	char error[SITE_ERROR];
	int fd = site_text(g->config_file, error);

	if (fd < 0) {
		answer_error(m, id, error);
		return;
	}
	member_send(m, IPC_POLICY_TEXT, id, (struct bytes){0}, fd);
	close(fd);
}

/* A new text: in the old one's place and in force, or neither. */
static bool answer_text(struct gateway *g, struct member *m, const struct ipc_message *msg)
{
	char error[SITE_ERROR], buf[64];
	int err;

	if (msg->body.len != CRYPTO_HASH)
		return false;
	err = reload_replace(g, msg->fd, msg->body.data, error);
	if (err == -ESTALE) {
		answer_file(g, m, msg->id);
	} else if (err < 0) {
		answer_error(m, msg->id, error);
	} else {
		snprintf(buf, sizeof(buf), "{\"generation\":%u}", g->generation);
		member_send(m, IPC_POLICY_FILE, msg->id,
			    (struct bytes){(const uint8_t *)buf, strlen(buf)}, -1);
	}
	return true;
}

/* A guard's word that outlives it. Without a floor in the kernel a conversation ends with its guard. */
static bool take_block(struct gateway *g, const struct ipc_message *msg)
{
	struct setup_block b;
	uint64_t now = clock_mono_ns();
	int err;

	if (!setup_take(msg, &b, sizeof(b)) || b.key.kind != GATE_KEY_FLOW ||
	    b.reason == REASON_NONE || b.reason >= REASON_COUNT || !b.for_ns ||
	    b.for_ns > SETUP_BLOCK_MAX_NS)
		return false;
	if (!g->gate)
		return true;
	err = gate_flow_block(g->gate, &b.key, (enum reason)b.reason, now, now + b.for_ns);
	if (err)
		log_error("a blocked conversation could not be marked in the kernel: %s",
			  strerror(-err));
	return true;
}

/* What a guard can read no further passes in the kernel; the answer says how much has. */
static bool take_bypass(struct gateway *g, struct member *m, const struct ipc_message *msg)
{
	struct setup_bypass b;
	struct setup_bypassed back;
	struct gate_flow flow = {0};
	int err;

	if (!setup_take(msg, &b, sizeof(b)) || b.key.kind != GATE_KEY_FLOW ||
	    b.for_ns > SETUP_BYPASS_MAX_NS)
		return false;
	if (!g->gate)
		return true;
	memset(&back, 0, sizeof(back));
	back.key = b.key;
	err = gate_flow_bypass(g->gate, &b.key, b.for_ns ? clock_mono_ns() + b.for_ns : 0, &flow,
			       back.passed);
	back.passes = err == 0 && b.for_ns;
	back.seen_ns = flow.seen_ns;
	member_send(m, IPC_BYPASSED, 0, (struct bytes){(const uint8_t *)&back, sizeof(back)}, -1);
	return true;
}

/* No counter of ours gets as far, and readers of JSON go no further than a few of them together
 * (RFC 8259 §6): nobody could read the status. */
static bool are_counts(const void *first, size_t size)
{
	uint64_t n;

	for (size_t at = 0; at < size; at += sizeof(n)) {
		memcpy(&n, (const uint8_t *)first + at, sizeof(n));
		if (n > COUNT_MAX)
			return false;
	}
	return true;
}

static bool take_counts(struct member *m, const struct ipc_message *msg)
{
	struct setup_counts c;

	if (!setup_take(msg, &c, sizeof(c)) || !are_counts(&c, sizeof(c)))
		return false;
	m->counts = c;
	return true;
}

/* From since_ns to too_late they are all numbers. */
static bool is_peer(const struct setup_peer *p)
{
	return are_counts(&p->since_ns,
			  offsetof(struct setup_peer, mtu) - offsetof(struct setup_peer, since_ns));
}

static bool take_peers(struct gateway *g, const struct ipc_message *msg)
{
	struct setup_peers *p = &g->peers;
	bool fine = setup_take(msg, p, sizeof(*p)) && p->peer_count <= GATE_LINKS &&
		    p->sealed_count <= SETUP_SEALED_MAX;

	for (uint32_t i = 0; fine && i < p->peer_count; i++) {
		struct setup_peer *one = &p->peers[i];

		fine = is_peer(one);
		one->name[sizeof(one->name) - 1] = one->address[sizeof(one->address) - 1] = 0;
		one->cipher[sizeof(one->cipher) - 1] = one->subject[sizeof(one->subject) - 1] = 0;
	}
	for (uint32_t i = 0; fine && i < p->sealed_count; i++)
		fine = are_counts(&p->sealed[i].frames, 2 * sizeof(p->sealed[i].frames));
	if (!fine)
		p->peer_count = p->sealed_count = 0;
	return fine;
}

/* Whatever it found: the keeper reads it. */
static bool surveyed(struct gateway *g, struct member *surveyor, const struct ipc_message *msg)
{
	surveyor->child.stopping = true; /* it ends, and that is no news */
	surveyor->child.heard_ns = clock_mono_ns();
	member_send(member_keeper(g), IPC_SURVEYED, 0, (struct bytes){0}, msg->fd);
	return true;
}

bool take_message(struct gateway *g, struct member *m, const struct ipc_message *msg)
{
	switch (msg->type) {
	case IPC_READY:
		m->child.ready = true;
		return true;
	case IPC_STATUS:
		answer_status(g, m, msg->id);
		return true;
	case IPC_COUNTERS:
		answer_counters(g, m, msg->id);
		return true;
	case IPC_APPLY:
		answer_apply(g, m, msg->id);
		return true;
	case IPC_GRANTS:
		return grants_take(g, m, msg);
	case IPC_ANNOUNCED:
		return grants_announced(g, m, msg);
	case IPC_POLICY_FILE:
		answer_file(g, m, msg->id);
		return true;
	case IPC_POLICY_TEXT:
		return answer_text(g, m, msg);
	case IPC_POLICY_TAKEN:
		return ipc_u32(msg, &m->generation);
	case IPC_BYPASS:
		return take_bypass(g, m, msg);
	case IPC_BLOCK:
		return take_block(g, msg);
	case IPC_PEERS:
		return take_peers(g, msg);
	case IPC_INSTALL:
		return m->role == ROLE_KEEPER ? install_take(g, m, msg) : install_done(g, m, msg);
	case IPC_SURVEY:
		g->survey = true;
		return true;
	case IPC_SURVEYED:
		return surveyed(g, m, msg);
	case IPC_ERRAND:
		return m->role == ROLE_KEEPER ? errand_take(g, m, msg) : errand_done(g, m, msg);
	case IPC_SWITCH:
		return releases_take(g, m, msg);
	case IPC_COUNTS:
		return take_counts(m, msg);
	default:
		return false;
	}
}
