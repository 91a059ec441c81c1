#include "guard/vitals/monitor.h"

#define ANCHOR_NS  (5 * SEC_NS)	 /* the monitor's clock and ours, at most apart */
#define RETURN_NS  (30 * SEC_NS) /* one hardware address, another, and the first again within */
#define CLAIMS	   16
#define CLAIMED_NS (60 * SEC_NS) /* still there, if it was heard within */

static struct channel *channel_of(struct vitals_monitor *m, uint32_t id, uint64_t now_ns)
{
	struct channel *c = &m->channel[0];

	for (unsigned i = 0; i < MONITOR_CHANNELS; i++) {
		if (m->channel[i].touched_ns && m->channel[i].id == id) {
			m->channel[i].touched_ns = now_ns;
			return &m->channel[i];
		}
		if (m->channel[i].touched_ns < c->touched_ns)
			c = &m->channel[i];
	}
	*c = (struct channel){.id = id, .touched_ns = now_ns};
	return c;
}

/* Where the message stands in the monitor's own time, which begins with its first message. */
static void set_time(struct vitals_monitor *m, const struct vitals_place *p)
{
	uint64_t t = m->time_ns;
	int64_t off;

	if (!p->clock_hz) {
		if (!m->has_clock)
			m->time_ns = p->time_ns;
		return;
	}
	t += (uint64_t)((int64_t)(int32_t)(p->clock - m->clock) * (int64_t)(SEC_NS / p->clock_hz));
	off = (int64_t)(t - p->time_ns);
	if (!m->has_clock || off > (int64_t)ANCHOR_NS || off < -(int64_t)ANCHOR_NS)
		t = p->time_ns;
	m->has_clock = true;
	m->clock = p->clock;
	m->time_ns = t;
}

static void say_break(struct vitals *v, struct vitals_monitor *m, const struct vitals_place *p,
		      const struct continuity_step *s)
{
	static const struct {
		const char *kind;
		double confidence;
	} words[] = {
		[CONTINUITY_MISSING] = {"missing", 0.3}, /* networks lose, too */
		[CONTINUITY_BACK] = {"backwards", 0.7},
		[CONTINUITY_AHEAD] = {"ahead", 0.6},
		[CONTINUITY_CLOCK] = {"time", 0.7},
	};
	struct vitals_finding *f = tell_begin(v, m, REASON_VITALS_SEQUENCE_BREAK, (uint16_t)s->kind,
					      words[s->kind].confidence);

	if (!f)
		return;
	tell_text(f, "kind", words[s->kind].kind);
	tell_number(f, "channel", p->channel);
	tell_number(f, "was", s->was);
	tell_number(f, "is", s->is);
	if (s->missing)
		tell_number(f, "missing", s->missing);
	tell_end(v, f);
}

static void say_two(struct vitals *v, struct vitals_monitor *m, const struct continuity_step *s)
{
	struct vitals_finding *f = tell_begin(v, m, REASON_VITALS_TWO_SOURCES, 0, 0.9);

	if (!f)
		return;
	tell_text(f, "kind", "interleaved");
	tell_number(f, "sequence", s->was);
	tell_number(f, "other_sequence", s->is);
	tell_end(v, f);
}

/* A whole message that was here before, or the sender's own time goes back. */
static bool take_stamp(struct vitals *v, struct vitals_monitor *m, struct stamp *stamp,
		       const struct vitals_place *p)
{
	uint32_t behind_s;
	enum stamp_kind kind = stamp_take(stamp, &m->past->stamps, p->sent_s, p->print, &behind_s);
	struct vitals_finding *f;

	if (kind == STAMP_AGAIN) {
		f = tell_begin(v, m, REASON_VITALS_REPLAYED, 0, 0.8);
		if (f) {
			tell_text(f, "kind", "message");
			tell_number(f, "seconds_ago", behind_s);
			tell_end(v, f);
		}
	} else if (kind == STAMP_BACK) {
		f = tell_begin(v, m, REASON_VITALS_SEQUENCE_BREAK, CONTINUITY_BACK, 0.5);
		if (f) {
			tell_text(f, "kind", "backwards");
			tell_number(f, "seconds", behind_s);
			tell_end(v, f);
		}
	}
	return kind == STAMP_NEXT;
}

/* Whoever spoils numbers and times, so that no message follows another, hides no flat line by it. */
static bool take_arrival(struct vitals_monitor *m, const struct vitals_place *p)
{
	m->has_clock = false;
	m->time_ns = p->time_ns;
	return true;
}

bool place_take(struct vitals *v, struct vitals_monitor *m, const struct vitals_place *p)
{
	struct channel *c = channel_of(m, p->channel, p->time_ns);
	struct continuity_step s = continuity_next(&c->row, p);

	m->step = s.kind;
	switch (s.kind) {
	case CONTINUITY_NEXT:
		break;
	case CONTINUITY_MISSING:
		say_break(v, m, p, &s);
		break;
	case CONTINUITY_BACK:
	case CONTINUITY_AHEAD:
	case CONTINUITY_CLOCK:
		say_break(v, m, p, &s);
		return s.astray && take_arrival(m, p);
	case CONTINUITY_TWO:
		say_two(v, m, &s);
		return false;
	case CONTINUITY_COPY:
	case CONTINUITY_LATE:
	case CONTINUITY_OTHER:
		return s.astray && take_arrival(m, p);
	}
	if (p->sent_s && !take_stamp(v, m, &c->stamp, p))
		return false;
	set_time(m, p);
	return true;
}

void vitals_restart(struct vitals *v, const struct vitals_source *s, uint32_t channel,
		    uint64_t time_ns)
{
	struct vitals_monitor *m = monitor_find(v, s);

	for (unsigned i = 0; m && channel == VITALS_EVERY_CHANNEL && i < MONITOR_WAVES; i++)
		if (m->wave[i])
			m->wave[i]->anew = true;
	for (unsigned i = 0; m && i < MONITOR_CHANNELS; i++) {
		if (channel == VITALS_EVERY_CHANNEL)
			m->channel[i] = (struct channel){0};
		else if (m->channel[i].touched_ns && m->channel[i].id == channel)
			m->channel[i].row.restart_ns = time_ns;
	}
}

static void say_machine(struct vitals *v, struct vitals_monitor *m, const char *kind, double sure)
{
	struct vitals_finding *f = tell_begin(v, m, REASON_VITALS_TWO_SOURCES, 0, sure);

	if (!f)
		return;
	tell_text(f, "kind", kind);
	if (m->mac_ns)
		tell_number(f, "seconds", (double)(m->arrival_ns - m->mac_ns) / SEC_NS);
	tell_end(v, f);
}

static void take_mac(struct vitals *v, struct vitals_monitor *m, const uint8_t mac[6])
{
	static const uint8_t none[6];
	uint8_t was[6];

	if (!memcmp(mac, none, 6) || !memcmp(mac, m->source.mac, 6))
		return;
	memcpy(was, m->source.mac, 6);
	memcpy(m->source.mac, mac, 6);
	if (!memcmp(mac, m->other_mac, 6) && m->arrival_ns - m->mac_ns < RETURN_NS)
		say_machine(v, m, "two_hardware_addresses", 0.8);
	memcpy(m->other_mac, was, 6);
	m->mac_ns = m->arrival_ns;
}

static uint32_t *systems_like(const struct vitals *v, uint64_t system)
{
	return &v->systems[hash_bytes(&v->key, &system, sizeof(system)) & v->mask];
}

void identity_name(struct vitals *v, struct vitals_monitor *m, uint64_t system)
{
	uint32_t number = (uint32_t)(m - v->monitors) + 1, *link;

	if (m->source.system) {
		link = m->last_system ? &v->monitors[m->last_system - 1].next_system
				      : systems_like(v, m->source.system);
		*link = m->next_system;
		if (m->next_system)
			v->monitors[m->next_system - 1].last_system = m->last_system;
	}
	m->source.system = system;
	if (!system)
		return;
	link = systems_like(v, system);
	m->next_system = *link;
	m->last_system = 0;
	if (*link)
		v->monitors[*link - 1].last_system = number;
	*link = number;
}

/* Among those that bear the name: the last few to take it are looked at, whoever comes with many. */
const struct vitals_monitor *identity_other(const struct vitals *v, const struct vitals_monitor *m,
					    uint64_t since_ns)
{
	uint64_t system = m->source.system;
	unsigned left = CLAIMS;

	for (uint32_t n = *systems_like(v, system); n && left; n = v->monitors[n - 1].next_system) {
		const struct vitals_monitor *other = &v->monitors[n - 1];

		if (other->source.system != system)
			continue;
		left--;
		if (other != m && other->touched_ns > since_ns)
			return other;
	}
	return NULL;
}

void identity_doubled(struct vitals *v, struct vitals_monitor *m)
{
	say_machine(v, m, "two_addresses", 0.7);
}

static void take_system(struct vitals *v, struct vitals_monitor *m, uint64_t system)
{
	if (!system || system == m->source.system)
		return;
	identity_name(v, m, system);
	/* Who passes on what another says bears its name, too: those are told apart by what they say. */
	if (!m->source.passed_on &&
	    identity_other(v, m, m->arrival_ns > CLAIMED_NS ? m->arrival_ns - CLAIMED_NS : 0))
		say_machine(v, m, "two_addresses", 0.8);
}

static void take_binding(struct vitals *v, struct vitals_monitor *m, bool bound)
{
	struct vitals_finding *f;

	m->source.bound = bound;
	if (bound)
		m->bound_ns = m->arrival_ns;
	if (bound || !m->bound_ns)
		return;
	f = tell_begin(v, m, REASON_VITALS_UNBOUND_SOURCE, 0, 0.9);
	if (!f)
		return;
	tell_number(f, "seconds_since_bound", (double)(m->arrival_ns - m->bound_ns) / SEC_NS);
	tell_end(v, f);
}

void identity_take(struct vitals *v, struct vitals_monitor *m, const struct vitals_source *s)
{
	m->source.device = s->device;
	m->source.peer = s->peer;
	m->source.generation = s->generation;
	m->source.passed_on = s->passed_on;
	take_mac(v, m, s->mac);
	take_system(v, m, s->system);
	take_binding(v, m, s->bound);
}
