#ifndef BEDWARDEN_TEST_GATE_PLACE_H
#define BEDWARDEN_TEST_GATE_PLACE_H
/*
 * A place for the kernel's floor: two ports in namespaces of this process's own, and single frames
 * through the program alone (BPF_PROG_TEST_RUN). For the unit tests and bench/floor.c.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "base/bytes.h"
#include "gate.skel.h"
#include "guard/capture/gate_internal.h"
#include "guard/policy/policy.h"

/* 0, or -1 where namespaces or ports may not be made. */
static inline int place_make(const char *ward, const char *hospital)
{
	char add[128];

	snprintf(add, sizeof(add), "ip link add name %s type veth peer name %s 2>/dev/null", ward,
		 hospital);
	return unshare(CLONE_NEWNET | CLONE_NEWNS) ||
			       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || system(add)
		       ? -1
		       : 0;
}

/* From now on that policy is in force. 0, or -errno. */
static inline int place_apply(struct gate *g, const struct policy *p)
{
	struct gate_tables t;
	char why[256] = "";
	int r;

	policy_tables(p, &t);
	r = gate_apply(g, &t, why);
	if (r < 0)
		fprintf(stderr, "# %s\n", why);
	return r;
}

/*
 * One frame that comes in at `ifindex`. 0, and in `o` what the program answered (retval), what
 * became of the frame (data_size_out bytes of `after`) and how many ns it took (duration).
 */
static inline int place_run(struct gate *g, struct bytes frame, uint32_t ifindex, void *after,
			    uint32_t size, struct bpf_test_run_opts *ret_o)
{
	struct xdp_md ctx = {.data_end = (uint32_t)frame.len, .ingress_ifindex = ifindex};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame.data,
			    .data_size_in = (uint32_t)frame.len, .data_out = after,
			    .data_size_out = size, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
			    .repeat = 1);
	int r = bpf_prog_test_run_opts(g->program, &o);

	*ret_o = o;
	return r;
}

#endif
