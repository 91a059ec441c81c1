#include "guard/vitals/vitals.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/pages.h"
#include "guard/vitals/monitor.h"

#define STREAMS_MIN 4

struct vitals *vitals_new(const struct vitals_options *o, vitals_fn fn, void *arg)
{
	struct vitals *v = calloc(1, sizeof(*v));
	uint32_t buckets = 1;

	if (!v) {
		errno = ENOMEM;
		return NULL;
	}
	v->o = *o;
	if (v->o.streams < STREAMS_MIN)
		v->o.streams = STREAMS_MIN;
	v->monitor_count = v->o.streams / 2;
	while (buckets < v->monitor_count)
		buckets <<= 1;
	v->mask = buckets - 1;
	v->fn = fn;
	v->arg = arg;
	v->key = hash_key_random();
	v->monitors = calloc(v->monitor_count, sizeof(*v->monitors));
	v->pasts = calloc(v->monitor_count, sizeof(*v->pasts));
	v->buckets = calloc(buckets, sizeof(*v->buckets));
	v->systems = calloc(buckets, sizeof(*v->systems));
	recent_init(&v->monitors_recent);
	recent_init(&v->waves_recent);
	v->waves_size = v->o.streams * sizeof(*v->waves);
	v->waves = pages_map(&v->waves_size);
	if (!v->monitors || !v->pasts || !v->buckets || !v->systems || !v->waves) {
		vitals_free(v);
		errno = ENOMEM;
		return NULL;
	}
	return v;
}

void vitals_free(struct vitals *v)
{
	if (!v)
		return;
	pages_unmap(v->waves, v->waves_size);
	free(v->systems);
	free(v->buckets);
	free(v->pasts);
	free(v->monitors);
	free(v);
}

static uint32_t *bucket_of(const struct vitals *v, const struct vitals_source *s)
{
	uint8_t key[sizeof(s->ip) + sizeof(s->subject) + sizeof(s->segment)];
	struct writer w = writer_new(key, sizeof(key));

	write_bytes(&w, &s->ip, sizeof(s->ip));
	write_bytes(&w, &s->subject, sizeof(s->subject));
	write_bytes(&w, &s->segment, sizeof(s->segment));
	return &v->buckets[hash_bytes(&v->key, key, sizeof(key)) & v->mask];
}

struct vitals_monitor *monitor_find(const struct vitals *v, const struct vitals_source *s)
{
	for (uint32_t n = *bucket_of(v, s); n; n = v->monitors[n - 1].next) {
		struct vitals_monitor *m = &v->monitors[n - 1];

		if (m->source.segment == s->segment && m->source.subject == s->subject &&
		    !memcmp(&m->source.ip, &s->ip, sizeof(s->ip)))
			return m;
	}
	return NULL;
}

static void forget(struct vitals *v, struct vitals_monitor *m)
{
	uint32_t *link = bucket_of(v, &m->source);

	while (&v->monitors[*link - 1] != m)
		link = &v->monitors[*link - 1].next;
	*link = m->next;
	identity_name(v, m, 0);
	wave_release(v, m);
	recent_remove(&m->recent);
}

/* One that was never used, or the one longest unheard. */
static struct vitals_monitor *spare(struct vitals *v)
{
	struct vitals_monitor *m;

	if (v->monitors_used < v->monitor_count)
		return &v->monitors[v->monitors_used++];
	m = RECENT_OF(recent_oldest(&v->monitors_recent), struct vitals_monitor, recent);
	forget(v, m);
	return m;
}

static struct vitals_monitor *make(struct vitals *v, const struct vitals_source *s)
{
	struct vitals_monitor *m = spare(v);
	uint32_t *bucket;

	memset(m, 0, sizeof(*m));
	m->past = &v->pasts[m - v->monitors];
	m->past->stamps.count = m->past->numbers.row.count = 0; /* how much of these holds */
	m->past->course.count = m->past->course.whole = 0;
	recent_add(&v->monitors_recent, &m->recent);
	m->source = *s;
	m->source.system = 0; /* what it calls itself is compared when it is taken */
	bucket = bucket_of(v, s);
	m->next = *bucket;
	*bucket = (uint32_t)(m - v->monitors) + 1;
	return m;
}

struct vitals_monitor *vitals_heard(struct vitals *v, const struct vitals_source *s,
				    const struct vitals_place *p)
{
	struct vitals_monitor *m = monitor_find(v, s);

	if (!m)
		m = make(v, s);
	if (p->time_ns > v->now_ns)
		v->now_ns = p->time_ns;
	m->before_ns = m->arrival_ns;
	m->touched_ns = m->arrival_ns = p->time_ns;
	recent_use(&v->monitors_recent, &m->recent);
	identity_take(v, m, s);
	return place_take(v, m, p) ? m : NULL;
}
