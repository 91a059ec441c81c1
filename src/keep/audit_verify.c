#include "keep/audit_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <unistd.h>

static void say(struct audit_report *r, enum audit_state state, uint64_t where, const char *fmt,
		...) __attribute__((format(printf, 4, 5)));

/* The first thing that is wrong is what is said. */
static void say(struct audit_report *r, enum audit_state state, uint64_t where, const char *fmt,
		...)
{
	va_list ap;

	if (*r->text)
		return;
	r->state = state;
	r->where = where;
	va_start(ap, fmt);
	vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
}

/* A checkpoint that is on its way along the chain. */
struct mark {
	const struct audit_checkpoint *c;
	const char *name;
	bool met; /* the chain reached its count, with its head */
};

static void pass(struct mark *m, const struct audit_chain *c, struct audit_report *r)
{
	if (!m->c || c->count != m->c->count)
		return;
	m->met = memcmp(c->hash, m->c->head, sizeof(c->hash)) == 0;
	if (!m->met)
		say(r, AUDIT_CHANGED, c->count,
		    "entry %" PRIu64 " or one before it is not what it was when the %s was made",
		    c->count, m->name);
}

/* Before the chain: is it a checkpoint at all, and whose? */
static void check(struct mark *m, const uint8_t *key, struct audit_report *r)
{
	if (!m->c)
		return;
	if (!audit_checkpoint_signed(m->c))
		return;
	if (key && memcmp(key, m->c->key, CRYPTO_KEY) != 0)
		say(r, AUDIT_FORGED, 0, "the %s is signed by another key than this gateway's",
		    m->name);
	else if (!audit_checkpoint_valid(m->c))
		say(r, AUDIT_FORGED, 0,
		    "the %s does not bear its signature: it was made up, or "
		    "changed",
		    m->name);
}

static void close_mark(const struct mark *m, const struct audit_chain *c, struct audit_report *r)
{
	if (!m->c || m->met || m->c->count == 0)
		return;
	if (c->count < m->c->count)
		say(r, AUDIT_CUT, c->count,
		    "%" PRIu64 " entries are missing at the end: the %s counts %" PRIu64
		    ", the trail holds %" PRIu64,
		    m->c->count - c->count, m->name, m->c->count, c->count);
	if (c->count && memcmp(c->trail, m->c->trail, sizeof(c->trail)) != 0)
		say(r, AUDIT_FORGED, 1, "the %s is of another trail", m->name);
}

/* Nothing is wrong so far: how sure is that? */
static void weigh(const struct audit_proof *p, const struct audit_chain *c, struct audit_report *r)
{
	if (p->own_error == -ENOENT && c->count)
		say(r, AUDIT_UNSIGNED, 0,
		    "there is no checkpoint beside the trail, so entries may be missing at its "
		    "end");
	else if (p->own_error == -EBADMSG)
		say(r, AUDIT_FORGED, 0, "the checkpoint beside the trail is none");
	else if (p->own_error == 0 && !audit_checkpoint_signed(&p->own))
		say(r, AUDIT_UNSIGNED, 0,
		    "the checkpoint bears no signature: the gateway's keys were locked");
}

int audit_judge(struct audit_chain *c, const struct audit_proof *p,
		void (*each)(void *arg, uint64_t off), void *arg, struct audit_report *ret_report)
{
	struct mark own = {p->own_error ? NULL : &p->own, "checkpoint beside the trail", false};
	struct mark other = {p->elsewhere, "checkpoint kept elsewhere", false};
	struct audit_report r = {.state = AUDIT_WHOLE, .key_known = p->key != NULL};
	uint64_t off = c->off;
	int n;

	check(&own, p->key, &r);
	check(&other, p->key, &r);
	if (p->elsewhere && !audit_checkpoint_signed(p->elsewhere))
		say(&r, AUDIT_FORGED, 0, "the checkpoint kept elsewhere bears no signature");
	while ((n = audit_chain_next(c)) == 1) {
		if (each)
			each(arg, off);
		off = c->off;
		pass(&own, c, &r);
		pass(&other, c, &r);
	}
	r.torn = n == -EAGAIN;
	if (n == -EUCLEAN)
		say(&r, AUDIT_CHANGED, c->count + 1,
		    "entry %" PRIu64
		    " does not follow from the one before it: it was edited, moved "
		    "or put in, or one before it was removed",
		    c->count + 1);
	else if (n < 0 && n != -EAGAIN)
		return n;
	close_mark(&own, c, &r);
	close_mark(&other, c, &r);
	weigh(p, c, &r);
	r.count = c->count;
	r.sure = own.met ? p->own.count : 0;
	if (other.met && p->elsewhere->count > r.sure)
		r.sure = p->elsewhere->count;
	r.signed_ns = own.c ? p->own.time_ns : 0;
	*ret_report = r;
	return 0;
}

int audit_verify(const char *dir, const uint8_t key[CRYPTO_KEY],
		 const struct audit_checkpoint *elsewhere, struct audit_report *ret_report)
{
	struct audit_proof p = {.key = key, .elsewhere = elsewhere};
	struct audit_chain c;
	char path[PATH_MAX];
	int fd, err;

	if (snprintf(path, sizeof(path), "%s/" AUDIT_LOG_NAME, dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	/* The checkpoint first: the trail only grows, and may do so meanwhile. */
	for (unsigned i = 0; i < 3; i++) {
		p.own_error = audit_checkpoint_read(dir, &p.own);
		if (p.own_error != -EBADMSG)
			break; /* else perhaps it was just being replaced */
		usleep(20000);
	}
	if (p.own_error && p.own_error != -ENOENT && p.own_error != -EBADMSG)
		return p.own_error;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	err = audit_chain_begin(&c, fd);
	if (err == 0)
		err = audit_judge(&c, &p, NULL, NULL, ret_report);
	audit_chain_end(&c);
	close(fd);
	return err;
}
