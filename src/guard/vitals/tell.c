#include <math.h>

#include "base/json.h"
#include "guard/vitals/monitor.h"

#define AGAIN_NS (60 * SEC_NS)
#define RARELY	 6 /* times that this is doubled */
#define OVER_NS \
	(15 * SEC_NS) /* not seen for so long, though messages came: what comes next is told anew */

static struct episode *find(struct vitals_monitor *m, enum reason why, uint16_t code)
{
	struct episode *oldest = &m->episode[0];

	for (unsigned i = 0; i < MONITOR_EPISODES; i++) {
		struct episode *e = &m->episode[i];

		if (e->reason == why && e->code == code)
			return e;
		if (e->seen_ns < oldest->seen_ns)
			oldest = e;
	}
	*oldest = (struct episode){.reason = (uint16_t)why, .code = code};
	return oldest;
}

struct vitals_finding *tell_begin(struct vitals *v, struct vitals_monitor *m, enum reason why,
				  uint16_t code, double confidence)
{
	struct episode *e = find(m, why, code);
	uint64_t now = m->arrival_ns;
	bool doubted = confidence <= VITALS_DOUBT;
	bool over = !e->said_ns || (now - e->seen_ns > OVER_NS && m->before_ns > e->seen_ns);
	struct vitals_finding *f = &v->finding;

	e->seen_ns = now;
	if (over || !doubted)
		e->again = 0;
	if (!over && now - e->said_ns < AGAIN_NS << e->again && (!e->doubted || doubted))
		return NULL;
	if (!over && doubted && e->again < RARELY)
		e->again++;
	e->said_ns = now;
	e->doubted = doubted;
	*f = (struct vitals_finding){
		.reason = why,
		.confidence = confidence,
		.time_ns = now,
		.since_ns = now,
		.ip = m->source.ip,
		.segment = m->source.segment,
		.device = m->source.device,
		.peer = m->source.peer,
		.generation = m->source.generation,
	};
	memcpy(f->mac, m->source.mac, sizeof(f->mac));
	return f;
}

static struct vitals_fact *add(struct vitals_finding *f, const char *name)
{
	struct vitals_fact *fact = &f->fact[f->facts < VITALS_EVIDENCE ? f->facts++ : 0];

	*fact = (struct vitals_fact){.name = name};
	return fact;
}

void tell_number(struct vitals_finding *f, const char *name, double n)
{
	add(f, name)->number = n;
}

void tell_text(struct vitals_finding *f, const char *name, const char *text)
{
	add(f, name)->text = text;
}

void tell_end(struct vitals *v, struct vitals_finding *f)
{
	if (v->fn)
		v->fn(v->arg, f);
}

static void put_fact(const struct vitals_fact *f, struct json *j)
{
	if (f->text)
		json_str(j, f->name, f->text);
	else if (f->number == rint(f->number) && fabs(f->number) < 1e15)
		json_i64(j, f->name, (int64_t)f->number);
	else
		json_dbl(j, f->name, f->number);
}

void vitals_write(const struct vitals_finding *f, const char *device, struct json *j)
{
	const char *name = strchr(reason_name(f->reason), '.');

	json_open(j, "vitals");
	if (device)
		json_str(j, "device", device);
	json_str(j, "finding", name ? name + 1 : reason_name(f->reason));
	json_dbl(j, "confidence", f->confidence);
	json_open(j, "evidence");
	for (unsigned i = 0; i < f->facts; i++)
		put_fact(&f->fact[i], j);
	json_close(j);
	json_close(j);
}
