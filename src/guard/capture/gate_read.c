#include "guard/capture/gate_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gate.skel.h"

/* The table of the policy in force. A descriptor of the caller's, or -errno. */
static int current_table(struct gate *g, const struct bpf_map *outer)
{
	uint32_t slot = g->config->slot & 1, id;
	int fd;

	if (bpf_map_lookup_elem(bpf_map__fd(outer), &slot, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	return fd < 0 ? -errno : fd;
}

/* The first n entries of an array, from index `first`. */
static int read_array(int fd, uint32_t first, uint32_t n, size_t value_size, uint8_t *ret_values)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t key = first + i;

		if (bpf_map_lookup_elem(fd, &key, ret_values + i * value_size))
			return -errno;
	}
	return 0;
}

/*
 * Sums the stripes of a counter table into n entries of `value_size` bytes, all
 * of them __u64. How many entries there are, or -errno.
 */
static int sum_stripes(struct gate *g, const struct bpf_map *outer, uint32_t entries,
		       size_t value_size, void *ret_sums, uint32_t n)
{
	int r = 0, fd = current_table(g, outer);
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, o);
	uint32_t total = entries * g->config->stripes, got = total, batch;
	uint32_t *keys = calloc(total ? total : 1, sizeof(*keys));
	uint64_t *all = calloc(total ? total : 1, value_size), *sums = ret_sums;
	size_t words = value_size / sizeof(uint64_t);

	if (fd < 0 || !keys || !all) {
		r = fd < 0 ? fd : -ENOMEM;
		goto out;
	}
	if (total && bpf_map_lookup_batch(fd, NULL, &batch, keys, all, &got, &o) && errno != ENOENT)
		r = read_array(fd, 0, total, value_size, (uint8_t *)all);
	if (r)
		goto out;
	if (n > entries)
		n = entries;
	memset(ret_sums, 0, n * value_size);
	for (uint32_t s = 0; s < g->config->stripes; s++)
		for (size_t i = 0; i < n * words; i++)
			sums[i] += all[(size_t)s * entries * words + i];
	r = (int)n;
out:
	if (fd >= 0)
		close(fd);
	free(keys);
	free(all);
	return r;
}

int gate_device_counts(struct gate *g, struct gate_device_count *ret_counts, uint32_t n)
{
	return sum_stripes(g, g->bpf->maps.device_counts,
			   g->config->device_count[g->config->slot & 1], sizeof(*ret_counts),
			   ret_counts, n);
}

int gate_rule_counts(struct gate *g, struct gate_count *ret_counts, uint32_t n)
{
	return sum_stripes(g, g->bpf->maps.rule_counts, g->config->rule_count[g->config->slot & 1],
			   sizeof(*ret_counts), ret_counts, n);
}

/* Per-CPU counters, summed. */
static int sum_cpus(const struct bpf_map *m, struct gate_count *ret_counts, uint32_t n)
{
	int cpus = libbpf_num_possible_cpus(), r = 0;
	struct gate_count *each;

	if (cpus < 1)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	memset(ret_counts, 0, n * sizeof(*ret_counts));
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		if (bpf_map_lookup_elem(bpf_map__fd(m), &i, each))
			r = -errno;
		for (int c = 0; r == 0 && c < cpus; c++) {
			ret_counts[i].packets += each[c].packets;
			ret_counts[i].bytes += each[c].bytes;
		}
	}
	free(each);
	return r;
}

int gate_reason_counts(struct gate *g, struct gate_count ret_counts[REASON_COUNT])
{
	return sum_cpus(g->bpf->maps.reasons, ret_counts, REASON_COUNT);
}

int gate_totals(struct gate *g, struct gate_count ret_totals[GATE_TOTAL_COUNT])
{
	return sum_cpus(g->bpf->maps.totals, ret_totals, GATE_TOTAL_COUNT);
}

int gate_flow_block(int flows_fd, const struct gate_flow_key *key, enum reason why, uint64_t now_ns,
		    uint64_t until_ns)
{
	struct gate_flow f = {.rule = ~0u, .peer = GATE_PEER_NONE};

	if (bpf_map_lookup_elem(flows_fd, key, &f) && errno != ENOENT)
		return -errno;
	f.flags = (uint8_t)((f.flags & ~GATE_FLOW_BYPASSED) | GATE_FLOW_BLOCKED);
	f.reason = (uint8_t)why;
	f.seen_ns = now_ns;
	f.until_ns = until_ns;
	return bpf_map_update_elem(flows_fd, key, &f, BPF_ANY) ? -errno : 0;
}

int gate_flow_bypass(int flows_fd, const struct gate_flow_key *key, uint64_t until_ns)
{
	struct gate_flow f;

	if (bpf_map_lookup_elem(flows_fd, key, &f))
		return -errno;
	if (f.flags & GATE_FLOW_BLOCKED)
		return -EBUSY;
	f.flags |= GATE_FLOW_BYPASSED;
	f.until_ns = until_ns;
	return bpf_map_update_elem(flows_fd, key, &f, BPF_EXIST) ? -errno : 0;
}
