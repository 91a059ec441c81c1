#include "guard/policy/compile_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *compile_push(struct compiling *b, enum block_table t)
{
	struct compile_list *l = &b->to[t];
	void *entry;

	if (l->count == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 64;
		char *data = cap > l->cap ? realloc(l->data, (size_t)cap * l->size) : NULL;

		if (!data) {
			b->failed = -ENOMEM;
			return NULL;
		}
		l->data = data;
		l->cap = cap;
	}
	entry = l->data + (size_t)l->count++ * l->size;
	memset(entry, 0, l->size);
	return entry;
}

uint32_t compile_string(struct compiling *b, const char *s)
{
	struct compile_list *l = &b->to[BLOCK_STRINGS];
	uint32_t at = l->count;
	char *c;

	if (!s || !*s)
		return 0;
	do {
		c = compile_push(b, BLOCK_STRINGS);
		if (!c)
			return 0;
		*c = *s;
	} while (*s++);
	return at;
}

void compile_push_name(struct compiling *b, enum block_table t, uint32_t at)
{
	uint32_t *n = compile_push(b, t);

	if (n)
		*n = at;
}

/* Of rows with one key the first stays, and takes on what roles the others have. */
static void sort_rows(struct compiling *b, enum block_table t,
		      int (*order)(const void *, const void *))
{
	struct compile_list *l = &b->to[t];
	uint32_t kept = 0;

	if (l->count)
		qsort(l->data, l->count, l->size, order);
	for (uint32_t i = 0; i < l->count; i++) {
		char *row = l->data + i * l->size;
		char *last = kept ? l->data + (kept - 1) * l->size : NULL;

		if (last && order(last, row) == 0) {
			if (t == BLOCK_NETS) {
				struct policy_net_row *have = (void *)last, *more = (void *)row;

				have->net.roles |= more->net.roles;
				if (have->net.peer == GATE_PEER_NONE)
					have->net.peer = more->net.peer;
				have->net.flags &= more->net.flags;
				if (!have->net.link)
					have->net.link = more->net.link;
			}
			if (t == BLOCK_IPS) {
				struct policy_ip_row *have = (void *)last, *more = (void *)row;

				/* Whoever is bound to it here counts before who lives elsewhere. */
				if (!(have->bind.flags & GATE_BIND_MAC))
					have->bind = more->bind;
			}
			continue;
		}
		memmove(l->data + kept++ * l->size, row, l->size);
	}
	l->count = kept;
}

static struct policy *assemble(struct compiling *b, uint32_t generation)
{
	struct policy head = {.magic = BLOCK_MAGIC, .abi = GATE_ABI, .generation = generation};
	struct policy *p;

	for (int t = 0; t < BLOCK_TABLES; t++)
		head.count[t] = b->to[t].count;
	if (!block_lay_out(&head)) {
		snprintf(b->error, 256, "the policy is too large; split the site");
		b->failed = -E2BIG;
		return NULL;
	}
	p = calloc(1, head.size);
	if (!p) {
		b->failed = -ENOMEM;
		return NULL;
	}
	*p = head;
	for (int t = 0; t < BLOCK_TABLES; t++)
		if (b->to[t].count)
			memcpy(block_table(p, t), b->to[t].data, b->to[t].count * b->to[t].size);
	return p;
}

static void compile(struct compiling *b, const struct policy_port *ports, unsigned port_count)
{
	compile_push(b, BLOCK_STRINGS);
	compile_learn_roles(b);
	compile_ports(b, ports, port_count);
	for (unsigned i = 0; i < b->c->hosts_count; i++)
		compile_host(b, i);
	compile_own_nets(b);
	compile_devices(b);
	sort_rows(b, BLOCK_PORTS, block_port_order);
	sort_rows(b, BLOCK_MACS, block_mac_order);
	sort_rows(b, BLOCK_IPS, block_ip_order);
	sort_rows(b, BLOCK_NETS, block_net_order);
}

struct policy *policy_compile(const struct config *c, const struct policy_port *ports,
			      unsigned port_count, uint32_t generation, char *ret_error)
{
	static const size_t sizes[BLOCK_TABLES] = {
		sizeof(struct policy_port_row),
		sizeof(struct gate_device),
		sizeof(struct gate_rule),
		sizeof(struct policy_mac_row),
		sizeof(struct policy_ip_row),
		sizeof(struct policy_net_row),
		sizeof(struct policy_service),
		sizeof(struct policy_shield),
		4,
		4,
		4,
		4,
		4,
		4,
		1,
	};
	struct compiling b = {.c = c, .error = ret_error};
	struct policy *p = NULL;

	for (int t = 0; t < BLOCK_TABLES; t++)
		b.to[t].size = sizes[t];
	if (compile_know_names(&b))
		compile(&b, ports, port_count);
	else
		b.failed = -ENOMEM;
	if (!b.failed)
		p = assemble(&b, generation);
	if (b.failed == -ENOMEM)
		snprintf(ret_error, 256, "out of memory");
	for (int t = 0; t < BLOCK_TABLES; t++)
		free(b.to[t].data);
	free(b.known);
	free(b.host_roles);
	errno = -b.failed;
	return p;
}
