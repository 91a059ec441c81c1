#include "role/peers_internal.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/event.h"

/* --- events -------------------------------------------------------------------------- */

static const char *const states[] = {
	[LINK_UP] = "up",	[LINK_DOWN] = "down", [LINK_RENEWED] = "renewed",
	[LINK_MOVED] = "moved", [LINK_MTU] = "mtu",   [LINK_REFUSED] = "refused",
};

static const char *address_text(const struct sockaddr *a, char ret_text[ADDRESS_IP_LEN],
				uint16_t *ret_port)
{
	uint8_t ip[16] = {[10] = 0xff, 0xff};

	if (!a || (a->sa_family != AF_INET && a->sa_family != AF_INET6))
		return NULL;
	if (a->sa_family == AF_INET) {
		memcpy(ip + 12, &((const struct sockaddr_in *)a)->sin_addr, 4);
		*ret_port = ntohs(((const struct sockaddr_in *)a)->sin_port);
	} else {
		memcpy(ip, &((const struct sockaddr_in6 *)a)->sin6_addr, 16);
		*ret_port = ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
	}
	return address_ip_text(ip, ret_text);
}

/* As the policy calls it. */
static const char *name_of(const struct link_peer *core)
{
	const struct peer *p = link_arg(core);

	return peers_text(p->setup, "name");
}

void peers_tell(void *arg, const struct link_fact *f)
{
	struct peers *ps = arg;
	char ip[ADDRESS_IP_LEN], buf[EVENT_MAX];
	uint16_t port = 0;
	struct event_common e = {
		.time_ns = clock_wall_ns(),
		.type = "seal",
		.src_ip = address_text(f->address, ip, &port),
		.src_port = port ? port : -1,
		.dest_port = -1,
		.proto = "UDP",
		.app_proto = "dtls",
		.peer = f->peer ? name_of(f->peer) : NULL,
		.reason = f->reason,
		.verdict = f->what == LINK_REFUSED ? "drop" : NULL,
	};
	struct link_status st;
	struct json j;
	size_t len;

	if (f->what == LINK_UP || f->what == LINK_DOWN)
		peers_beat(ps, clock_mono_ns());
	j = event_begin(&e, buf);
	json_open(&j, "seal");
	if (f->peer)
		json_str(&j, "link", name_of(f->peer));
	json_str(&j, "state", states[f->what]);
	if (f->subject)
		json_str(&j, "subject", f->subject);
	if (f->text)
		json_str(&j, "message", f->text);
	if (f->peer && f->what != LINK_REFUSED && f->what != LINK_DOWN) {
		link_status(f->peer, &st);
		if (st.cipher)
			json_str(&j, "cipher", st.cipher);
		if (st.mtu)
			json_u64(&j, "mtu", st.mtu);
	}
	if (f->repeats)
		json_u64(&j, "repeats", f->repeats);
	json_close(&j);
	len = event_end(&j);
	if (len)
		link_tell(ps->link, buf, len);
}

/* --- how they are ------------------------------------------------------------------------------------- */

static void report_peer(const struct peer *p, uint32_t number, struct setup_peer *ret)
{
	struct link_status s = {.up = false};
	struct link_counts c = {0};
	char ip[ADDRESS_IP_LEN];
	uint16_t port;

	if (p->core) {
		link_status(p->core, &s);
		link_counts(p->core, &c);
	}
	*ret = (struct setup_peer){
		.number = number,
		.up = s.up,
		.since_ns = s.since_ns,
		.handshake_ns = s.handshake_ns,
		.heard_ns = s.heard_ns,
		.rtt_ns = s.rtt_ns,
		.not_after_s = s.not_after_s,
		.mtu = s.mtu,
		.frames_out = c.frames_out,
		.bytes_out = c.bytes_out,
		.frames_in = c.frames_in,
		.bytes_in = c.bytes_in,
		.datagrams_out = c.datagrams_out,
		.wire_out = c.wire_out,
		.wire_in = c.wire_in,
		.split = c.split,
		.rejoined = c.rejoined,
		.unfit = c.unfit,
		.replayed = c.replayed,
		.forged = c.forged,
		.malformed = c.malformed,
		.missing = c.missing,
		.incomplete = c.incomplete,
		.no_memory = c.no_memory,
		.clamped = c.clamped,
		.handshakes = c.handshakes,
		.failed = c.failed,
		.moved = c.moved,
		.too_late = p->too_late,
	};
	snprintf(ret->name, sizeof(ret->name), "%s", peers_text(p->setup, "name"));
	snprintf(ret->subject, sizeof(ret->subject), "%s", s.subject);
	snprintf(ret->cipher, sizeof(ret->cipher), "%s", s.cipher ? s.cipher : "");
	if (address_text((const struct sockaddr *)&s.address, ip, &port))
		snprintf(ret->address, sizeof(ret->address), strchr(ip, ':') ? "[%s]:%u" : "%s:%u",
			 ip, port);
}

_Static_assert(sizeof(struct setup_peers) <= IPC_BODY_MAX, "one message");

void peers_report(struct peers *ps)
{
	struct setup_peers *r = &ps->report;

	memset(r, 0, sizeof(*r));
	for (uint32_t i = 0; i < GATE_LINKS; i++)
		if (ps->list[i].setup)
			report_peer(&ps->list[i], i + 1, &r->peers[r->peer_count++]);
	for (uint32_t i = 0; ps->sealed && i < PEERS_DEVICES && r->sealed_count < SETUP_SEALED_MAX;
	     i++) {
		if (!ps->sealed[i].frames)
			continue;
		r->sealed[r->sealed_count] = ps->sealed[i];
		r->sealed[r->sealed_count++].device = i;
	}
	ipc_send(ps->link->parent, IPC_PEERS, 0, (struct bytes){(const uint8_t *)r, sizeof(*r)},
		 -1);
}
