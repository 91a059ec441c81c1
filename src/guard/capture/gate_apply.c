#include "guard/capture/gate_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate.skel.h"

int gate_make_table(const struct gate *g, const struct bpf_map *outer, uint32_t n)
{
	const struct gate_inner *i = g->inner, *end = i + g->inner_count;
	int fd;

	while (i < end && i->outer != outer)
		i++;
	if (i == end)
		return -EINVAL;
	DECLARE_LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = i->flags);

	fd = bpf_map_create(i->type, bpf_map__name(outer), i->key_size, i->value_size, n ? n : 1,
			    &o);
	return fd < 0 ? -errno : fd;
}

/*
 * Rows of `stride` bytes with the key first and the value at value_off, into a
 * table; key_size 0: the index is the key. One system call where the kernel can.
 */
static int fill(int fd, const void *rows, uint32_t n, size_t stride, size_t key_size,
		size_t value_off, size_t value_size)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, o, .elem_flags = BPF_ANY);
	size_t ks = key_size ? key_size : sizeof(uint32_t);
	uint8_t *keys = calloc(n ? n : 1, ks), *values = calloc(n ? n : 1, value_size);
	uint32_t count = n;
	int r = keys && values ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		const uint8_t *row = (const uint8_t *)rows + i * stride;

		memcpy(keys + i * ks, key_size ? (const void *)row : (const void *)&i, ks);
		memcpy(values + i * value_size, row + value_off, value_size);
	}
	if (r == 0 && n && bpf_map_update_batch(fd, keys, values, &count, &o)) {
		r = 0;
		for (uint32_t i = 0; r == 0 && i < n; i++)
			if (bpf_map_update_elem(fd, keys + i * ks, values + i * value_size,
						BPF_ANY))
				r = -errno;
	}
	free(keys);
	free(values);
	return r;
}

/* One table of a generation: what it is made from. */
struct table {
	struct bpf_map *outer;
	const void *rows;
	uint32_t count;
	size_t stride, key_size, value_off, value_size;
	uint32_t entries; /* room; 0: count */
	int fd;
};

#define ROWS(row, rows_, n)                                      \
	.rows = rows_, .count = n, .stride = sizeof(struct row), \
	.key_size = sizeof(((struct row *)0)->key)

static int build(const struct gate *g, struct table *t)
{
	int r;

	t->fd = gate_make_table(g, t->outer, t->entries ? t->entries : t->count);
	if (t->fd < 0)
		return t->fd;
	r = t->rows ? fill(t->fd, t->rows, t->count, t->stride, t->key_size, t->value_off,
			   t->value_size)
		    : 0;
	return r;
}

/* The number of a port, given out once and kept. */
static int port_index(struct gate *g, uint32_t ifindex, uint32_t *ret_index)
{
	int fd = bpf_map__fd(g->bpf->maps.indexes);
	uint32_t key, next, index;
	uint64_t used = 0;
	bool more = bpf_map_get_next_key(fd, NULL, &next) == 0;

	if (bpf_map_lookup_elem(fd, &ifindex, ret_index) == 0)
		return 0;
	while (more) {
		key = next;
		if (bpf_map_lookup_elem(fd, &key, &index) == 0 && index < GATE_PORTS)
			used |= 1ull << index;
		more = bpf_map_get_next_key(fd, &key, &next) == 0;
	}
	if (~used == 0)
		return -ENOSPC;
	index = (uint32_t)__builtin_ctzll(~used);
	if (bpf_map_update_elem(fd, &ifindex, &index, BPF_ANY))
		return -errno;
	*ret_index = index;
	return 0;
}

/* Numbers of interfaces that are ports no more are free again. */
static void forget_ports(struct gate *g, const struct gate_tables *t)
{
	int fd = bpf_map__fd(g->bpf->maps.indexes);
	uint32_t gone[GATE_PORTS], count = 0, key, next;
	bool more = bpf_map_get_next_key(fd, NULL, &next) == 0;

	while (more && count < GATE_PORTS) {
		bool still = false;

		key = next;
		for (uint32_t i = 0; i < t->port_count; i++)
			still |= t->ports[i].ifindex == key;
		if (!still)
			gone[count++] = key;
		more = bpf_map_get_next_key(fd, &key, &next) == 0;
	}
	while (count)
		bpf_map_delete_elem(fd, &gone[--count]);
}

static int fill_wires(struct gate *g, uint32_t slot, const struct gate_tables *t)
{
	int fd = bpf_map__fd(g->bpf->maps.wires), r;
	struct gate_wire_key key, next;
	bool more = bpf_map_get_next_key(fd, NULL, &next) == 0;

	while (more) {
		key = next;
		more = bpf_map_get_next_key(fd, &key, &next) == 0;
		if (key.slot == slot)
			bpf_map_delete_elem(fd, &key);
	}
	for (uint32_t i = 0; i < t->port_count; i++) {
		struct gate_wire w = {.port = t->ports[i].port};

		if (!t->ports[i].ifindex)
			continue;
		key = (struct gate_wire_key){.ifindex = t->ports[i].ifindex, .slot = slot};
		r = port_index(g, key.ifindex, &w.index);
		if (r)
			return r;
		if (bpf_map_update_elem(fd, &key, &w, BPF_ANY))
			return -errno;
	}
	return 0;
}

int gate_apply(struct gate *g, const struct gate_tables *t, char ret_why[256])
{
	struct gate_config *c = g->config;
	uint32_t slot = (c->slot & 1) ^ 1, made = 0;
	struct table tables[] = {
		{.outer = g->bpf->maps.devices,
		 .rows = t->devices,
		 .count = t->device_count,
		 .stride = sizeof(*t->devices),
		 .value_size = sizeof(*t->devices)},
		{.outer = g->bpf->maps.rules,
		 .rows = t->rules,
		 .count = t->rule_count,
		 .stride = sizeof(*t->rules),
		 .value_size = sizeof(*t->rules)},
		{.outer = g->bpf->maps.macs,
		 ROWS(policy_mac_row, t->macs, t->mac_count),
		 .value_off = offsetof(struct policy_mac_row, bind),
		 .value_size = sizeof(struct gate_bind)},
		{.outer = g->bpf->maps.ips,
		 ROWS(policy_ip_row, t->ips, t->ip_count),
		 .value_off = offsetof(struct policy_ip_row, bind),
		 .value_size = sizeof(struct gate_bind)},
		{.outer = g->bpf->maps.nets,
		 ROWS(policy_net_row, t->nets, t->net_count),
		 .value_off = offsetof(struct policy_net_row, net),
		 .value_size = sizeof(struct gate_net)},
		{.outer = g->bpf->maps.device_counts, .entries = t->device_count * c->stripes},
		{.outer = g->bpf->maps.rule_counts, .entries = t->rule_count * c->stripes},
	};
	const uint32_t count = sizeof(tables) / sizeof(tables[0]);
	int r = 0;

	if (t->port_count > GATE_PORTS)
		return gate_say(ret_why, -E2BIG, "%u ports; at most %u", t->port_count, GATE_PORTS);
	for (; r == 0 && made < count; made++)
		r = build(g, &tables[made]);
	/* Nobody reads the idle slot: the last apply waited for that. */
	for (uint32_t i = 0; r == 0 && i < count; i++)
		if (bpf_map_update_elem(bpf_map__fd(tables[i].outer), &slot, &tables[i].fd,
					BPF_ANY))
			r = -errno;
	forget_ports(g, t);
	if (r == 0)
		r = fill_wires(g, slot, t);
	if (r == 0) {
		c->generation[slot] = t->generation;
		c->device_count[slot] = t->device_count;
		c->rule_count[slot] = t->rule_count;
		__atomic_store_n(&c->slot, slot, __ATOMIC_SEQ_CST);
		/* A second update of an outer map waits until every packet that began under
		 * the old slot is through (the kernel's own rule for maps of maps). */
		bpf_map_update_elem(bpf_map__fd(tables[0].outer), &slot, &tables[0].fd, BPF_ANY);
	}
	for (uint32_t i = 0; i < made; i++)
		if (tables[i].fd >= 0)
			close(tables[i].fd);
	return r ? gate_say(ret_why, r, "a table of the policy: %s", strerror(-r)) : 0;
}
