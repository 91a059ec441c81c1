#include "guard/vitals/monitor.h"

static void say_lost(struct vitals *v, struct vitals_monitor *m, const struct pending *a,
		     const char *kind, double confidence)
{
	struct vitals_finding *f =
		tell_begin(v, m, REASON_VITALS_ALARM_LOST, (uint16_t)a->id, confidence);

	if (!f)
		return;
	f->since_ns = a->since_ns;
	tell_text(f, "kind", kind);
	if (a->source)
		tell_text(f, "parameter", param_name(a->source));
	if (a->code)
		tell_number(f, "alarm", a->code);
	tell_number(f, "seconds", (double)(m->arrival_ns - a->since_ns) / SEC_NS);
	tell_end(v, f);
}

static struct pending *pending_of(struct vitals_monitor *m, uint64_t id)
{
	for (unsigned i = 0; i < MONITOR_ALARMS; i++)
		if (m->alarm[i].id == id)
			return &m->alarm[i];
	return NULL;
}

/* An INOP is about what its source is: a lead, the pleth, or what is counted from them. */
static void take_inop(struct vitals_monitor *m, uint16_t source)
{
	enum param_kind kind = param_wave(source);

	switch (param_numeric(source)) {
	case PARAM_HEART_RATE:
		kind = PARAM_ECG;
		break;
	case PARAM_PULSE_RATE:
	case PARAM_SATURATION:
	case PARAM_PRESSURE:
		kind = PARAM_PULSE;
		break;
	default:
		break;
	}
	m->inop_ns[kind] = m->arrival_ns;
}

static void expect(struct vitals *v, struct pending *a, uint64_t due_ns)
{
	a->due_ns = due_ns;
	if (!v->due_ns || due_ns < v->due_ns)
		v->due_ns = due_ns;
}

void vitals_alarm(struct vitals *v, struct vitals_monitor *m, const struct vitals_alarm *in)
{
	struct pending *a;

	if (in->technical) {
		if (!in->over)
			take_inop(m, in->source);
		return;
	}
	a = pending_of(m, in->id);
	if (in->over) {
		if (a)
			*a = (struct pending){0};
		return;
	}
	if (a || !in->id || !(a = pending_of(m, 0)))
		return;
	*a = (struct pending){
		.id = in->id, .since_ns = m->arrival_ns, .source = in->source, .code = in->code};
	if (in->withheld)
		say_lost(v, m, a, "withheld", 0.9);
	else if (in->answer_ms)
		expect(v, a, m->arrival_ns + in->answer_ms * MS_NS);
	if (!a->due_ns)
		*a = (struct pending){0};
}

void vitals_alarm_list(struct vitals *v, struct vitals_monitor *m, unsigned count, bool silent)
{
	(void)v;
	if (count || silent) {
		m->empty_lists = 0;
		m->in_alarm_ns = 0;
	} else if (m->in_alarm_ns) {
		m->empty_lists++;
	}
}

void vitals_answer(struct vitals *v, const struct vitals_source *s, uint64_t id, bool taken,
		   uint64_t time_ns)
{
	struct vitals_monitor *m = monitor_find(v, s);
	struct pending *a = m && id ? pending_of(m, id) : NULL;

	if (!a)
		return;
	m->arrival_ns = time_ns;
	if (!taken)
		say_lost(v, m, a, "refused", 0.9);
	*a = (struct pending){0};
}

static void look_at(struct vitals *v, struct vitals_monitor *m, struct pending *a, uint64_t time_ns)
{
	if (a->due_ns > time_ns) {
		expect(v, a, a->due_ns);
		return;
	}
	m->arrival_ns = time_ns;
	say_lost(v, m, a, "unanswered", 0.8);
	*a = (struct pending){0};
}

void vitals_tick(struct vitals *v, uint64_t time_ns)
{
	if (time_ns > v->now_ns)
		v->now_ns = time_ns;
	if (!v->due_ns || time_ns < v->due_ns)
		return;
	v->due_ns = 0;
	for (uint32_t i = 0; i < v->monitors_used; i++) {
		struct vitals_monitor *m = &v->monitors[i];

		for (unsigned k = 0; k < MONITOR_ALARMS; k++)
			if (m->alarm[k].id)
				look_at(v, m, &m->alarm[k], time_ns);
	}
}
