#include "role/gateway.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fips.h"
#include "guard/capture/gate.h"

static const char *port_mode(const struct gateway *g, const struct port *p)
{
	if (!p->ifindex)
		return "missing";
	return g->gate ? gate_port_mode(g->gate, p->ifindex) : "packet";
}

static void put_ports(struct json *j, const struct gateway *g)
{
	json_list(j, "ports");
	for (unsigned i = 0; i < g->ports.count; i++) {
		const struct port *p = &g->ports.list[i];

		json_open(j, NULL);
		json_str(j, "name", p->name);
		json_str(j, "segment", g->site.config->segments[p->segment].name);
		json_str(j, "side", p->ward ? "ward" : "hospital");
		json_str(j, "mode", port_mode(g, p));
		json_str(j, "link", !p->ifindex ? "missing" : p->link ? "up" : "down");
		json_u64(j, "queues", p->queues);
		json_close(j);
	}
	json_end(j);
}

#define SEALED_TOLD 128 /* devices: an answer has its bound */

#define NOT_ISOLATED \
	"this switch does not isolate its ports: traffic between devices on it is not seen"

static void put_segments(struct json *j, const struct gateway *g)
{
	static const char *const modes[] = {"observe", "simulate", "enforce"};

	json_list(j, "segments");
	for (unsigned i = 0; i < g->site.config->segments_count; i++) {
		const struct config_segment *s = &g->site.config->segments[i];

		json_open(j, NULL);
		json_str(j, "name", s->name);
		json_str(j, "mode", modes[s->mode]);
		json_bool(j, "isolated", s->isolated);
		json_str(j, "neighbours", s->isolated ? "isolated" : NOT_ISOLATED);
		json_close(j);
	}
	json_end(j);
}

static void put_counts(struct json *j, const struct setup_counts *c)
{
	json_u64(j, "received", c->received);
	json_u64(j, "forwarded", c->forwarded);
	json_u64(j, "dropped", c->dropped);
	json_u64(j, "would_drop", c->would_drop);
	json_u64(j, "lost_receive", c->lost_receive);
	json_u64(j, "lost_send", c->lost_send);
	json_u64(j, "flows", c->flows);
	json_u64(j, "events", c->events);
	json_u64(j, "events_lost", c->events_lost);
	json_u64(j, "evidence_lost", c->evidence_lost);
	json_u64(j, "archive_lost", c->archive_lost);
	json_u64(j, "flows_untold", c->flows_untold);
}

static void put_members(struct json *j, const struct gateway *g, uint64_t now_ns, bool guards)
{
	json_list(j, guards ? "guards" : "processes");
	for (unsigned i = 0; i < g->member_count; i++) {
		const struct member *m = &g->members[i];
		bool alive = m->child.pid && m->child.ready;

		if ((m->role == ROLE_GUARD) != guards)
			continue;
		json_open(j, NULL);
		json_str(j, "name", m->child.name);
		json_u64(j, "number", m->child.number);
		json_i64(j, "pid", m->child.pid);
		json_bool(j, "wanted", member_wanted(g, m));
		json_bool(j, "alive", alive);
		json_u64(j, "restarts", m->child.restarts);
		if (m->child.pid)
			json_u64(j, "uptime_s",
				 (now_ns - m->child.respawn.started_ns) / NSEC_PER_SEC);
		if (guards) {
			json_u64(j, "generation", m->generation);
			put_counts(j, &m->counts);
		}
		json_close(j);
	}
	json_end(j);
}

static void put_peer(struct json *j, const struct setup_peer *p, uint64_t now_ns)
{
	json_open(j, NULL);
	json_str(j, "name", p->name);
	json_bool(j, "up", p->up);
	if (p->up)
		json_u64(j, "up_s", (now_ns - p->since_ns) / NSEC_PER_SEC);
	json_str(j, "address", p->address);
	if (p->handshake_ns)
		json_u64(j, "handshake_s", (now_ns - p->handshake_ns) / NSEC_PER_SEC);
	if (p->heard_ns)
		json_u64(j, "heard_ms", (now_ns - p->heard_ns) / NSEC_PER_MSEC);
	if (p->rtt_ns)
		json_dbl(j, "rtt_ms", (double)p->rtt_ns / NSEC_PER_MSEC);
	json_u64(j, "mtu", p->mtu);
	json_str(j, "cipher", p->cipher);
	json_str(j, "certificate", p->subject);
	json_u64(j, "not_after", p->not_after_s);
	json_u64(j, "frames_out", p->frames_out);
	json_u64(j, "bytes_out", p->bytes_out);
	json_u64(j, "frames_in", p->frames_in);
	json_u64(j, "bytes_in", p->bytes_in);
	json_u64(j, "datagrams_out", p->datagrams_out);
	json_u64(j, "wire_out", p->wire_out);
	json_u64(j, "wire_in", p->wire_in);
	json_u64(j, "split", p->split);
	json_u64(j, "rejoined", p->rejoined);
	json_u64(j, "clamped", p->clamped);
	json_u64(j, "handshakes", p->handshakes);
	json_u64(j, "failed", p->failed);
	json_u64(j, "moved", p->moved);
	json_u64(j, "replayed", p->replayed);
	json_u64(j, "forged", p->forged);
	json_u64(j, "malformed", p->malformed);
	json_u64(j, "missing", p->missing);
	json_u64(j, "lost", p->unfit + p->incomplete + p->no_memory + p->too_late);
	json_close(j);
}

/* Other gateways, and what was sealed of each device since the policy came into force. */
static void put_peers(struct json *j, const struct gateway *g, uint64_t now_ns)
{
	const struct setup_peers *p = &g->peers;

	if (!sealing_wanted(g))
		return;
	json_list(j, "peers");
	for (uint32_t i = 0; i < p->peer_count; i++)
		put_peer(j, &p->peers[i], now_ns);
	json_end(j);
	json_list(j, "sealed");
	for (uint32_t i = 0; i < p->sealed_count && i < SEALED_TOLD; i++) {
		const char *name = policy_device_name(g->site.policy, p->sealed[i].device);

		json_open(j, NULL);
		json_str(j, "device", *name ? name : "an unregistered machine");
		json_u64(j, "frames", p->sealed[i].frames);
		json_u64(j, "bytes", p->sealed[i].bytes);
		json_close(j);
	}
	json_end(j);
}

/* The keeper adds the certificate's fingerprint. */
static void put_console(struct json *j, const struct gateway *g)
{
	json_open(j, "console");
	json_bool(j, "on", g->site.config->console.on);
	json_list(j, "listen");
	for (unsigned i = 0; i < g->front.count; i++)
		json_str(j, NULL, g->front.at[i]);
	json_end(j);
	json_list(j, "names");
	for (unsigned i = 0; i < g->site.config->console.names_count; i++)
		json_str(j, NULL, g->site.config->console.names[i]);
	json_end(j);
	json_close(j);
}

static void put_count(struct json *j, const char *key, const struct gate_count *c)
{
	json_open(j, key);
	json_u64(j, "packets", c->packets);
	json_u64(j, "bytes", c->bytes);
	json_close(j);
}

/* Since the floor was first loaded: it outlives this process. */
static void put_floor(struct json *j, const struct gateway *g)
{
	static const char *const names[GATE_TOTAL_COUNT] = {
		[GATE_TOTAL_PASSED] = "passed",	    [GATE_TOTAL_INSPECTED] = "inspected",
		[GATE_TOTAL_DROPPED] = "dropped",   [GATE_TOTAL_UNINSPECTED] = "uninspected",
		[GATE_TOTAL_FAILED] = "failed",	    [GATE_TOTAL_HAIRPINNED] = "hairpinned",
		[GATE_TOTAL_ANSWERED] = "answered", [GATE_TOTAL_LOCAL] = "local",
		[GATE_TOTAL_TOO_BIG] = "too_big",   [GATE_TOTAL_NO_POLICY] = "no_policy",
		[GATE_TOTAL_SAMPLES] = "samples",   [GATE_TOTAL_UNSAMPLED] = "unsampled",
		[GATE_TOTAL_HELD] = "held",
	};
	struct gate_count totals[GATE_TOTAL_COUNT] = {0};

	if (!g->gate || gate_totals(g->gate, totals) < 0)
		return;
	json_open(j, "floor");
	for (unsigned i = 0; i < GATE_TOTAL_COUNT; i++)
		if (names[i])
			put_count(j, names[i], &totals[i]);
	json_close(j);
}

static void nag(struct json *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void nag(struct json *j, const char *fmt, ...)
{
	char text[SITE_ERROR + 128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_str(j, NULL, text);
}

static void put_crypto(struct json *j)
{
	json_open(j, "crypto");
	json_str(j, "mode", fips_on() ? "fips" : "any");
	json_bool(j, "validated_module", fips_has_module());
	json_close(j);
}

/* What a person should do something about. */
static void put_nags(struct json *j, const struct gateway *g)
{
	char name[MEMBER_NAME];

	json_list(j, "nags");
	if (*g->refused)
		nag(j, "the policy file has an error and is not in force: %s", g->refused);
	if (*g->why_packet)
		nag(j,
		    "the kernel's floor is not in use (%s): when the gateway stops, nothing is "
		    "forwarded, whatever a device's fail mode",
		    g->why_packet);
	if (fips_on() && !fips_has_module())
		nag(j, "crypto: fips: no validated module is installed here; only approved "
		       "algorithms are used, but OpenSSL's own (doc/fips.md)");
	for (unsigned i = 0; i < g->ports.count; i++) {
		const struct port *p = &g->ports.list[i];

		if (!p->ifindex)
			nag(j, "port %s: no such interface; plug it in or correct the policy file",
			    p->name);
		else if (!p->link)
			nag(j, "port %s has no link; check its cable", p->name);
		if (p->ifindex && g->gate && p->hides_tags)
			nag(j,
			    "port %s takes VLAN tags off and cannot be told not to: tagged frames "
			    "are judged as if they had none",
			    p->name);
		if (p->ifindex && g->gate && p->scatters)
			nag(j,
			    "port %s has %u receive queues and no symmetric hash: a guard may see "
			    "only one direction of a conversation",
			    p->name, p->queues);
	}
	for (unsigned i = 0; i < g->site.config->segments_count; i++) {
		const struct config_segment *s = &g->site.config->segments[i];

		if (!s->isolated)
			nag(j, "segment %s: " NOT_ISOLATED, s->name);
		if (s->mode != GATE_ENFORCE)
			nag(j, "segment %s only %s: nothing is blocked", s->name,
			    s->mode == GATE_OBSERVE ? "observes" : "simulates");
	}
	for (uint32_t i = 0; i < g->peers.peer_count; i++)
		if (!g->peers.peers[i].up)
			nag(j,
			    "the sealed link to %s is down: each device's fail mode decides; see "
			    "events of the type seal",
			    g->peers.peers[i].name);
	for (unsigned i = 0; i < g->member_count; i++) {
		const struct member *m = &g->members[i];

		if (!m->child.ready && member_wanted(g, m))
			nag(j, "%s is not running (%llu restarts so far); see the log",
			    member_name(m, name), (unsigned long long)m->child.restarts);
	}
	json_end(j);
}

size_t status_json(struct gateway *g, uint64_t now_ns, char *buf, size_t cap)
{
	struct json j = json_new(buf, cap);

	json_open(&j, NULL);
	json_str(&j, "version", BEDWARDEN_VERSION);
	json_str(&j, "release", g->release);
	json_str(&j, "name", g->name);
	json_u64(&j, "pid", (uint64_t)getpid());
	json_u64(&j, "uptime_s", (now_ns - g->started_ns) / NSEC_PER_SEC);
	json_str(&j, "policy_file", g->config_file);
	json_u64(&j, "generation", g->generation);
	json_str(&j, "capture", g->gate ? "xdp" : "packet");
	put_crypto(&j);
	put_segments(&j, g);
	put_ports(&j, g);
	put_members(&j, g, now_ns, true);
	put_members(&j, g, now_ns, false);
	put_floor(&j, g);
	put_peers(&j, g, now_ns);
	put_console(&j, g);
	put_nags(&j, g);
	json_close(&j);
	return j.out.bad ? 0 : j.out.len;
}
