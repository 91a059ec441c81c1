#include <errno.h>

#include "base/secret.h"
#include "role/keeper.h"
#include "role/staff_internal.h"

#define PATIENCE_NS (10 * NSEC_PER_SEC)
#define LATE_MS	    30000 /* more than that and a hash together */

/* Calls have so many tickets (call.c) that those who wait here keep nobody out. */
static const struct hasher_options options = {
	.class = {[HASHER_KNOWN] = {.most = 16,
				    .per_source = 4,
				    .budget = {STAFF_HASHES, STAFF_HASH_EVERY / 2, 0}},
		  [HASHER_STRANGER] = {.most = 16,
				       .per_source = 2,
				       .budget = {STAFF_HASHES, STAFF_HASH_EVERY, 0}}},
	.patience_ns = PATIENCE_NS,
};

int staff_start(struct keeper *k)
{
	k->staff->hasher = hasher_new(&options);
	k->staff->keeper = k;
	return k->staff->hasher ? 0 : -errno;
}

int staff_fd(const struct staff *s)
{
	return s->hasher ? hasher_fd(s->hasher) : -1;
}

void staff_hashed(struct keeper *k)
{
	struct staff *s = k->staff;

	while (hasher_next(s->hasher, &s->hashed))
		call_again(k, s->hashed.id);
	secret_wipe(&s->hashed, sizeof(s->hashed));
}

/* In the loop itself, as fast as the budgets allow. */
static int hash_here(struct staff *s, const struct hasher_job *job, struct hasher_done *ret_done,
		     struct call_error *e)
{
	struct throttle_budget *b = job->class == HASHER_KNOWN ? &s->known : &s->strangers;
	struct hasher_done d = {.record_len = job->record.len};

	if (!throttle_spend(b, staff_now(s)))
		return show_slow_down(e, NSEC_PER_SEC);
	if (job->make) {
		d.err = password_hash(job->password, crypto_random, d.record);
		d.record_len = PASSWORD_RECORD;
	} else if (job->record.len) {
		d.err = password_verify(job->password, job->record);
	} else {
		password_waste(job->password);
		d.err = -EACCES;
	}
	*ret_done = d;
	return 0;
}

/* What was hashed may be of another record by now: the password was set meanwhile. */
static bool is_of(const struct hasher_done *d, const struct hasher_job *job)
{
	return job->make || (d->record_len == job->record.len &&
			     memcmp(d->record, job->record.data, d->record_len) == 0);
}

int staff_hash(struct staff *s, const struct call_asker *by, struct hasher_job *job,
	       struct hasher_done *ret_done, struct call_error *e)
{
	int err;

	if (!s->hasher)
		return hash_here(s, job, ret_done, e);
	if (by->ticket && s->hashed.id == by->ticket) {
		if (s->hashed.err == -ETIMEDOUT || !is_of(&s->hashed, job))
			return show_slow_down(e, NSEC_PER_SEC);
		*ret_done = s->hashed;
		return 0;
	}
	job->id = by->ticket;
	err = hasher_add(s->hasher, job);
	if (err == -EINVAL) {
		*ret_done = (struct hasher_done){.err = job->make ? -EINVAL : -EACCES};
		return 0; /* longer than any password: nothing to compare */
	}
	if (err < 0)
		return show_slow_down(e, NSEC_PER_SEC);
	call_wait(s->keeper, by, LATE_MS, e);
	return -EINPROGRESS;
}
