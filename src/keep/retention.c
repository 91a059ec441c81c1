#include "keep/retention.h"

#include <errno.h>
#include <stdlib.h>

#include "keep/share.h"

struct sweep {
	int64_t now_ns;
	const struct retention_bound *bounds;
	unsigned count;
	uint64_t held[RETENTION_BOUNDS]
		     [SHARES];		 /* of each bound's class, as long as they are there */
	uint64_t most[RETENTION_BOUNDS]; /* that one may hold */
	uint64_t expired;
};

/* The bound of a class; `count` where it has none. */
static unsigned bound_of(const struct sweep *s, const char *class)
{
	unsigned i = 0;

	while (i < s->count && strcmp(s->bounds[i].class, class) != 0)
		i++;
	return i;
}

static uint64_t *held_with(struct sweep *s, unsigned i, const struct vault_entry *e)
{
	const struct retention_bound *b = &s->bounds[i];

	return &s->held[i][share_of(b->holder ? b->holder(e->meta.name) : 0)];
}

static int add_up(void *arg, const struct vault_entry *e)
{
	struct sweep *s = arg;
	unsigned i = bound_of(s, e->meta.class);

	if (i < s->count)
		*held_with(s, i, e) += e->size;
	return 0;
}

/* Asked in the order in which things were put: what is beyond a bound goes oldest first. */
static bool is_over(void *arg, const struct vault_entry *e)
{
	struct sweep *s = arg;
	unsigned i = bound_of(s, e->meta.class);
	bool expired = e->meta.until_ns <= s->now_ns;

	if (!expired && (i == s->count || *held_with(s, i, e) <= s->most[i]))
		return false;
	if (i < s->count)
		*held_with(s, i, e) -= e->size;
	s->expired += expired;
	return true;
}

struct proof {
	uint64_t line, from; /* the line at hand; the first that is new */
	uint64_t keys;
};

static int count_keys(void *arg, int64_t time_ns, struct bytes line)
{
	static const char word[] = "\"action\":\"destroyed\"";
	struct proof *p = arg;

	(void)time_ns;
	if (p->line++ >= p->from && memmem(line.data, line.len, word, sizeof(word) - 1))
		p->keys++;
	return 0;
}

static int run(struct vault *v, struct sweep *s, struct retention *r)
{
	struct proof proof = {0};
	uint8_t chain[CRYPTO_HASH];
	int err = vault_log_head(v, &proof.from, chain);

	if (err == 0 && s->count)
		err = vault_each(v, add_up, s);
	for (unsigned i = 0; i < s->count; i++)
		s->most[i] = share_most(s->held[i], s->bounds[i].max_bytes);
	if (err == 0)
		err = vault_shred(v, is_over, s, "kept long enough", &r->destroyed);
	r->expired = s->expired;
	if (err == 0 && r->destroyed)
		err = vault_log(v, count_keys, &proof);
	r->keys = proof.keys;
	return err == 0 ? vault_log_head(v, &r->log_lines, r->log_chain) : err;
}

int retention_run(struct vault *v, int64_t now_ns, const struct retention_bound *bounds,
		  unsigned count, struct retention *ret_r)
{
	struct sweep s = {.now_ns = now_ns,
			  .bounds = bounds,
			  .count = count < RETENTION_BOUNDS ? count : RETENTION_BOUNDS};
	struct retention r = {0};

	r.err = run(v, &s, &r);
	*ret_r = r;
	return r.err;
}
