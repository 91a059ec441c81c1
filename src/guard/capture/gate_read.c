#include "guard/capture/gate_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
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

/* Runs the word through the kernel's program, which leaves the answer in it. */
static int say(struct gate *g, struct gate_word *w)
{
	struct gate_word back;
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = w, .data_size_in = sizeof(*w),
			    .data_out = &back, .data_size_out = sizeof(back), .repeat = 1);

	for (int tries = 0; tries < 100; tries++) {
		if (bpf_prog_test_run_opts(bpf_program__fd(g->bpf->progs.gate_say), &o))
			return -errno;
		if (o.retval != XDP_PASS || o.data_size_out != sizeof(back))
			return -EIO;
		if (back.answer != GATE_WORD_AGAIN)
			break;
	}
	*w = back;
	return back.answer == GATE_WORD_DONE	  ? 0
	       : back.answer == GATE_WORD_UNKNOWN ? -ENOENT
						  : -EAGAIN;
}

int gate_flow_block(struct gate *g, const struct gate_flow_key *key, enum reason why,
		    uint64_t now_ns, uint64_t until_ns)
{
	struct gate_word w = {.key = *key,
			      .kind = GATE_WORD_BLOCK,
			      .reason = (uint8_t)why,
			      .now_ns = now_ns,
			      .until_ns = until_ns};

	return say(g, &w);
}

int gate_flow_bypass(struct gate *g, const struct gate_flow_key *key, uint64_t until_ns,
		     struct gate_flow *ret_flow, struct gate_count ret_passed[2])
{
	struct gate_word w = {.key = *key,
			      .kind = until_ns ? GATE_WORD_BYPASS : GATE_WORD_INSPECT,
			      .until_ns = until_ns};
	int r = say(g, &w);

	if (r)
		return r;
	*ret_flow = w.flow;
	memcpy(ret_passed, w.bypassed, sizeof(w.bypassed));
	return 0;
}
