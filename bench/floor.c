/*
 * What the kernel's floor spends on a packet of a conversation that it knows, with few and with
 * many of them alive: the program alone (BPF_PROG_TEST_RUN), in namespaces of its own, without
 * drivers, guards or a sender around it, so that what is measured is its memory.
 *
 *   bench-floor [FLOWS [PACKETS]]    as root; rows of a table
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "base/config.h"
#include "test/unit/gate_place.h"

#define DIR	   "/tmp/bedwarden-bench-floor"
#define OWN_PORTS  1000u
#define FIRST_PORT 20000u
#define FEW	   1000u
#define SLICES	   20 /* of each case, in turns */

static const char text[] =
	"gateway: {name: bench}\n"
	"segments:\n"
	"  - {name: icu, ward: bwbf0, hospital: bwbf1}\n"
	"hosts:\n"
	"  - {name: central, ip: [10.1.0.5], role: [central]}\n"
	"devices:\n"
	"  - {name: client, segment: icu, mac: '02:00:00:00:01:01', ip: [10.1.1.1], starts: ["
	"{service: many, proto: udp, port: ['30000-39999'], peer: central, action: pass}]}\n";

static int die(const char *what, const char *why)
{
	fprintf(stderr, "bench-floor: %s: %s\n", what, why);
	return 1;
}

static struct policy *compile(void)
{
	char why[256] = "";
	struct policy_port ports[] = {
		{.name = "bwbf0", .ifindex = if_nametoindex("bwbf0"), .mac = {2, 0, 0, 0, 255, 1}},
		{.name = "bwbf1", .ifindex = if_nametoindex("bwbf1"), .mac = {2, 0, 0, 0, 255, 2}}};
	struct config_error errors[4];
	size_t n = 0;
	struct config *c = config_parse(
		"bench", (struct bytes){(const uint8_t *)text, strlen(text)}, errors, 4, &n);
	struct policy *p = c ? policy_compile(c, ports, 2, 1, why) : NULL;

	if (!p)
		die("policy", n ? errors[0].text : why);
	config_free(c);
	return p;
}

/* One packet of that conversation. Nanoseconds that the program took. */
static uint32_t packet(struct gate *g, uint32_t ward, uint32_t flow)
{
	static uint8_t f[74] = {2,    0, 0,  0,	 0, 5, 2, 0, 0,	 0,  1, 1, 8,  0,
				0x45, 0, 0,  60, 0, 0, 0, 0, 64, 17, 0, 0, 10, 1,
				1,    1, 10, 1,	 0, 5, 0, 0, 0,	 0,  0, 40};
	static uint8_t out[256];
	struct bpf_test_run_opts o;
	uint16_t port[2] = {htons((uint16_t)(FIRST_PORT + flow % OWN_PORTS)),
			    htons((uint16_t)(30000 + flow / OWN_PORTS))};

	memcpy(f + 34, port, sizeof(port));
	if (place_run(g, (struct bytes){f, sizeof(f)}, ward, out, sizeof(out), &o) ||
	    o.retval != XDP_REDIRECT) {
		fprintf(stderr, "bench-floor: a packet did not pass: %u\n", o.retval);
		exit(1);
	}
	return o.duration;
}

static uint32_t any(uint32_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15ull;

	x = x * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((x >> 32) * n >> 32);
}

static int by_value(const void *a, const void *b)
{
	return (*(const uint32_t *)a > *(const uint32_t *)b) -
	       (*(const uint32_t *)a < *(const uint32_t *)b);
}

/* Without the slowest twentieth: other programs' turns. */
static double mean(uint32_t *ns, size_t n)
{
	double sum = 0;

	qsort(ns, n, sizeof(*ns), by_value);
	n -= n / 20;
	for (size_t i = 0; i < n; i++)
		sum += ns[i];
	return sum / (double)n;
}

static int measure(struct gate *g, uint32_t flows, size_t packets)
{
	uint32_t *few = calloc(packets, sizeof(*few)), *many = calloc(packets, sizeof(*many));
	uint32_t ward = if_nametoindex("bwbf0");
	size_t slice = packets / SLICES;
	double a, b;

	if (!few || !many)
		return die("memory", strerror(ENOMEM));
	for (uint32_t i = 0; i < flows; i++)
		packet(g, ward, i);
	for (size_t s = 0; s < SLICES; s++) {
		for (size_t i = 0; i < 4 * FEW; i++)
			packet(g, ward, any(FEW)); /* into the caches */
		for (size_t i = 0; i < slice; i++)
			few[s * slice + i] = packet(g, ward, any(FEW));
		for (size_t i = 0; i < slice; i++)
			many[s * slice + i] = packet(g, ward, any(flows));
	}
	a = mean(few, slice * SLICES);
	b = mean(many, slice * SLICES);
	printf("| the kernel's floor, a packet of %u conversations in random order, against %u "
	       "(%.0f "
	       "ns) | %.0f ns, %+.0f ns | - |\n",
	       flows, FEW, a, b, b - a);
	free(few);
	free(many);
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t flows = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
	struct gate_options o = {.flows = flows + flows / 10};
	char why[256] = "";
	struct policy *p;
	struct gate *g;
	int r = 1;

	if (place_make("bwbf0", "bwbf1"))
		return die("a namespace", strerror(errno));
	g = gate_open(DIR, &o, why);
	if (!g)
		return die(DIR, why);
	p = compile();
	if (p && place_apply(g, p) == 0)
		r = measure(g, flows, argc > 2 ? (size_t)atoi(argv[2]) : 400000);
	policy_free(p);
	gate_close(g, true);
	return r;
}
