/* tuf_find(): pre-order, depth-first through the delegations, TUF §5.6.7. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "update/tuf/delegation.h"
#include "update/tuf/trusted.h"

enum {
	VISITS_MAX = 64,     /* roles that are opened for one target */
	WAITING_MAX = 65536, /* delegations that wait for their turn */
};

/* A delegation that waits; the keys are borrowed from a visited role. */
struct waiting {
	char *name;
	struct tuf_signers by;
};

struct search {
	struct tuf *t;
	const char *target;
	struct waiting *stack; /* the next one last */
	size_t depth, room;
	json_t *seen;			 /* names of visited roles */
	json_t *delegations[VISITS_MAX]; /* of visited roles, which lend their keys */
	size_t visits;
};

static void drop_waiting(struct search *s)
{
	while (s->depth > 0)
		free(s->stack[--s->depth].name);
}

static int push(struct search *s, const struct tuf_delegation *d, struct tuf_error *e)
{
	size_t room = s->room ? 2 * s->room : 64;
	struct waiting *more;
	char *name;

	if (s->depth == WAITING_MAX)
		return tuf_fail(e, -E2BIG, "'%.200s' is entrusted to too many roles", s->target);
	if (s->depth == s->room) {
		more = realloc(s->stack, room * sizeof(*more));
		if (!more)
			return tuf_fail(e, -ENOMEM, "out of memory");
		s->stack = more;
		s->room = room;
	}
	name = strdup(d->name);
	if (!name)
		return tuf_fail(e, -ENOMEM, "out of memory");
	s->stack[s->depth++] = (struct waiting){name, d->by};
	return 0;
}

/* The role's delegations for the target take its place on the stack, the first on top. */
static int descend(struct search *s, const json_t *delegations, struct tuf_error *e)
{
	size_t at = 0, from = s->depth;
	struct tuf_delegation d;
	int err = 0;

	while (err == 0 && delegation_next(delegations, s->target, &at, &d)) {
		if (d.terminating && from > 0) {
			/* Nobody else is asked any more: those who waited before go. */
			for (size_t i = 0; i < from; i++)
				free(s->stack[i].name);
			memmove(s->stack, s->stack + from, (s->depth - from) * sizeof(*s->stack));
			s->depth -= from;
			from = 0;
		}
		err = push(s, &d, e);
		if (d.terminating)
			break;
	}
	for (size_t i = from, j = s->depth; err == 0 && i + 1 < j; i++) {
		struct waiting w = s->stack[i];

		s->stack[i] = s->stack[--j];
		s->stack[j] = w;
	}
	return err;
}

static int describe(const char *target, const char *role, const json_t *entry,
		    struct tuf_file *ret_file, char **ret_role, json_t **ret_custom,
		    struct tuf_error *e)
{
	char *name = ret_role ? strdup(role) : NULL;
	json_t *custom = json_object_get(entry, "custom");

	if (tuf_file_of_target(entry, ret_file) < 0) {
		free(name);
		return tuf_fail(e, -EBADMSG, "what role '%.100s' says of '%.200s' is malformed",
				role, target);
	}
	if (ret_role && !name)
		return tuf_fail(e, -ENOMEM, "out of memory");
	if (ret_role)
		*ret_role = name;
	if (ret_custom)
		*ret_custom = custom ? json_incref(custom) : NULL;
	return 0;
}

static int missing(struct search *s, struct tuf_error *e)
{
	return tuf_fail(e, -ENOENT, "the repository has no target '%.200s'", s->target);
}

/* One role: 0 found; 1 go on; or -errno. */
static int visit(struct search *s, const char *role, const struct tuf_metadata *m,
		 struct tuf_file *ret_file, char **ret_role, json_t **ret_custom,
		 struct tuf_error *e)
{
	const json_t *entry = json_object_get(json_object_get(m->body, "targets"), s->target);
	json_t *delegations = json_object_get(m->body, "delegations");
	int err;

	if (entry)
		return describe(s->target, role, entry, ret_file, ret_role, ret_custom, e);
	if (json_object_set_new(s->seen, role, json_true()) < 0)
		return tuf_fail(e, -ENOMEM, "out of memory");
	s->delegations[s->visits++] = delegations ? json_incref(delegations) : NULL;
	err = delegations ? descend(s, delegations, e) : 0;
	return err < 0 ? err : 1;
}

static int visit_next(struct search *s, struct tuf_file *ret_file, char **ret_role,
		      json_t **ret_custom, struct tuf_error *e)
{
	struct tuf_metadata *m;
	struct waiting w;
	int err;

	if (s->depth == 0)
		return missing(s, e);
	if (s->visits == VISITS_MAX)
		return tuf_fail(e, -ENOENT,
				"'%.200s' was not found in the first %d roles that it is entrusted "
				"to",
				s->target, VISITS_MAX);
	w = s->stack[--s->depth];
	err = 1;
	if (!json_object_get(s->seen, w.name)) {
		err = tuf_load_targets(s->t, w.name, &w.by, &m, e);
		if (err == 0) {
			err = visit(s, w.name, m, ret_file, ret_role, ret_custom, e);
			tuf_metadata_free(m);
		}
	}
	free(w.name);
	return err;
}

int tuf_find(struct tuf *t, const char *target, struct tuf_file *ret_file, char **ret_role,
	     json_t **ret_custom, struct tuf_error *e)
{
	struct search s = {.t = t, .target = target, .seen = json_object()};
	int err = s.seen ? 1 : tuf_fail(e, -ENOMEM, "out of memory");

	if (err == 1)
		err = visit(&s, "targets", t->targets, ret_file, ret_role, ret_custom, e);
	while (err == 1)
		err = visit_next(&s, ret_file, ret_role, ret_custom, e);
	drop_waiting(&s);
	free(s.stack);
	for (size_t i = 0; i < s.visits; i++)
		json_decref(s.delegations[i]);
	json_decref(s.seen);
	return err;
}
