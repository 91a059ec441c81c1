/*
 * Drives the floor for the end-to-end tests, without a daemon around it:
 *
 *   gate_tool apply DIR POLICY.yaml GENERATION     load or take over, put in force, attach
 *   gate_tool hold DIR POLICY.yaml GENERATION      the same, then sleep until killed
 *   gate_tool swap DIR POLICY.yaml GENERATION N    N policies in a row, each program replaced too
 *   gate_tool totals DIR                           name=packets lines
 *   gate_tool reasons DIR                          dotted=packets lines
 *   gate_tool mode DIR IFNAME
 *   gate_tool samples DIR SECONDS                  reason device count, a line each
 *   gate_tool block DIR PROTO SRC SPORT DST DPORT  blocks a conversation of segment 0
 *   gate_tool remove DIR
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "guard/capture/gate.h"
#include "guard/policy/policy.h"

static const char *const totals[GATE_TOTAL_COUNT] = {
	"passed", "inspected", "dropped",   "uninspected", "failed",	"hairpinned", "answered",
	"local",  "too_big",   "no_policy", "samples",	   "unsampled", "held",
};

#define COUNTS 512
_Static_assert((int)REASON_COUNT <= COUNTS && (int)GATE_TOTAL_COUNT <= COUNTS, "counts fit");

static int die(const char *what, const char *why)
{
	fprintf(stderr, "gate_tool: %s: %s\n", what, why);
	return 1;
}

static void find_port(struct policy_port *p, const char *name)
{
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};

	snprintf(p->name, sizeof(p->name), "%s", name);
	p->ifindex = if_nametoindex(name);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (s >= 0 && ioctl(s, SIOCGIFHWADDR, &r) == 0)
		memcpy(p->mac, r.ifr_hwaddr.sa_data, 6);
	if (s >= 0)
		close(s);
}

static struct policy *compile(const char *file, uint32_t generation)
{
	struct policy_port ports[GATE_PORTS];
	struct config_error errors[4];
	char why[256] = "";
	size_t n = 0;
	unsigned count = 0;
	struct config *c = config_load(file, errors, 4, &n);
	struct policy *p;

	if (!c) {
		fprintf(stderr, "%s:%u: %s\n", errors[0].file, errors[0].line, errors[0].text);
		return NULL;
	}
	for (unsigned i = 0; i < c->segments_count && count + 2 <= GATE_PORTS; i++) {
		find_port(&ports[count++], c->segments[i].ward);
		find_port(&ports[count++], c->segments[i].hospital);
	}
	p = policy_compile(c, ports, count, generation, why);
	if (!p)
		fprintf(stderr, "%s: %s\n", file, why);
	config_free(c);
	return p;
}

static int apply(struct gate *g, const struct policy *p, bool attach)
{
	struct gate_tables t;
	char why[256];
	int r;

	policy_tables(p, &t);
	r = gate_apply(g, &t, why);
	if (r)
		return die("apply", why);
	for (uint32_t i = 0; attach && i < t.port_count; i++) {
		r = gate_attach(g, t.ports[i].ifindex);
		if (r)
			return die("attach", strerror(-r));
	}
	return 0;
}

static int enforce(const char *dir, const char *file, uint32_t generation, int times)
{
	struct gate *g;
	struct policy *p;
	char why[256];
	int r = 0;

	for (int i = 0; r == 0 && i < times; i++) {
		uint64_t start = clock_mono_ns(), loaded;

		g = gate_open(dir, NULL, why);
		if (!g)
			return die(dir, why);
		p = compile(file, generation + (uint32_t)i);
		if (!p)
			return 1;
		loaded = clock_mono_ns();
		r = apply(g, p, true);
		fprintf(stderr, "generation %u: loaded in %llu ms, applied in %llu ms\n",
			gate_generation(g), (unsigned long long)((loaded - start) / NSEC_PER_MSEC),
			(unsigned long long)((clock_mono_ns() - loaded) / NSEC_PER_MSEC));
		policy_free(p);
		gate_close(g, false);
	}
	return r;
}

static int count(const char *dir, const char *what)
{
	struct gate_count c[COUNTS];
	char why[256];
	struct gate *g = gate_open(dir, NULL, why);
	bool all = strcmp(what, "totals") == 0;

	if (!g)
		return die(dir, why);
	if (all ? gate_totals(g, c) : gate_reason_counts(g, c))
		return die(what, "cannot be read");
	for (int i = 0; i < (all ? (int)GATE_TOTAL_COUNT : (int)REASON_COUNT); i++)
		if (all || c[i].packets)
			printf("%s=%llu\n", all ? totals[i] : reason_name((enum reason)i),
			       (unsigned long long)c[i].packets);
	gate_close(g, false);
	return 0;
}

static int sample(void *ctx, void *data, size_t len)
{
	const struct gate_sample *s = data;

	printf("%s device %u count %u\n", reason_name(s->verdict.reason), s->verdict.device,
	       s->count);
	return 0;
}

static int samples(const char *dir, int seconds)
{
	uint64_t end = clock_mono_ns() + (uint64_t)seconds * NSEC_PER_SEC;
	char path[256];
	struct ring_buffer *rb;
	int fd;

	snprintf(path, sizeof(path), "%s/samples", dir);
	fd = bpf_obj_get(path);
	rb = fd < 0 ? NULL : ring_buffer__new(fd, sample, NULL, NULL);
	if (!rb)
		return die(path, strerror(errno));
	while (clock_mono_ns() < end)
		ring_buffer__poll(rb, 50);
	ring_buffer__free(rb);
	close(fd);
	return 0;
}

static int block(char **v)
{
	struct gate_ip ip[2] = {0};
	struct gate_flow_key key;
	char why[256];
	struct gate *g = gate_open(v[2], NULL, why);
	int r;

	if (!g)
		return die(v[2], why);
	for (int i = 0; i < 2; i++) {
		ip[i].b[10] = ip[i].b[11] = 0xff;
		inet_pton(AF_INET, v[4 + 2 * i], &ip[i].b[12]);
	}
	gate_flow_key_make(&key, 0, 0, (uint8_t)atoi(v[3]), &ip[0], (uint16_t)atoi(v[5]), &ip[1],
			   (uint16_t)atoi(v[7]));
	r = gate_flow_block(g, &key, REASON_POLICY_FLOW_BLOCKED, clock_mono_ns(), 0);
	gate_close(g, false);
	return r ? die("block", strerror(-r)) : 0;
}

static int mode(const char *dir, const char *name)
{
	char why[256];
	struct gate *g = gate_open(dir, NULL, why);

	if (!g)
		return die(dir, why);
	puts(gate_port_mode(g, if_nametoindex(name)));
	gate_close(g, false);
	return 0;
}

int main(int c, char **v)
{
	const char *what = c > 2 ? v[1] : "";

	if (c == 5 && strcmp(what, "apply") == 0)
		return enforce(v[2], v[3], (uint32_t)atoi(v[4]), 1);
	if (c == 6 && strcmp(what, "swap") == 0)
		return enforce(v[2], v[3], (uint32_t)atoi(v[4]), atoi(v[5]));
	if (c == 5 && strcmp(what, "hold") == 0)
		return enforce(v[2], v[3], (uint32_t)atoi(v[4]), 1) || pause();
	if (c == 3 && (strcmp(what, "totals") == 0 || strcmp(what, "reasons") == 0))
		return count(v[2], what);
	if (c == 4 && strcmp(what, "samples") == 0)
		return samples(v[2], atoi(v[3]));
	if (c == 4 && strcmp(what, "mode") == 0)
		return mode(v[2], v[3]);
	if (c == 8 && strcmp(what, "block") == 0)
		return block(v);
	if (c == 3 && strcmp(what, "remove") == 0) {
		gate_remove(v[2]);
		return 0;
	}
	fprintf(stderr, "usage: see the top of test/e2e/gate_tool.c\n");
	return 2;
}
