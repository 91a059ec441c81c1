/*
 * What a packet costs in each room of the guard, without any network: frames of
 * FLOWS conversations of DEVICES devices go round and round, in an order that
 * no cache can guess and that is another one every time the whole engine is
 * measured: else its conversations would lie in memory in the order they come.
 * The frames themselves lie one behind the other, as in a file or a ring of a
 * network card, so that what is measured is the engine's memory and not theirs.
 *
 *   stage [DEVICES [FLOWS [FRAMES]]]
 *
 * Prints one JSON object; nanoseconds are per packet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/pages.h"
#include "guard/capture/checksum.h"
#include "guard/engine.h"
#include "guard/policy/floor.h"

#define SERVERS	  8
#define FRAME_LEN 110
#define BURST	  64	   /* as many as the guard and `inspect` take at once */
#define LEAST	  4000000u /* packets a measurement takes */
#define SETTLE	  18	   /* rounds until nobody reads or counts any conversation any more */

struct bench {
	unsigned devices, flows, frame_count;
	uint8_t (*frames)[FRAME_LEN]; /* by number, */
	uint8_t (*laid)[FRAME_LEN];   /* and as they come */
	size_t frames_size, laid_size;
	uint64_t seed;
	struct packet *packets;
	uint32_t *order;
	struct policy *policy;
	double apply_ms;
};

/* This thread's own time: other work on the machine does not count. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

static unsigned rounds(const struct bench *b)
{
	return LEAST / b->frame_count + 2;
}

/* One site: every device speaks UDP to any of the servers and offers them TCP ports; ten rules each. */
static struct config *site(unsigned devices)
{
	struct config_error errors[1];
	size_t count, cap = 4096 + (size_t)devices * 1024;
	char *text = malloc(cap), *at = text;
	struct config *c;

	if (!text)
		return NULL;
	at += sprintf(at, "segments:\n  - {name: icu, ward: w0, hospital: h0}\nhosts:\n");
	for (unsigned i = 0; i < SERVERS; i++)
		at += sprintf(at, "  - {name: s%u, ip: [10.255.0.%u], role: [central]}\n", i,
			      i + 1);
	at += sprintf(at, "devices:\n");
	for (unsigned i = 0; i < devices; i++) {
		at += sprintf(
			at,
			"  - name: d%u\n    segment: icu\n    mac: '02:00:00:%02x:%02x:%02x'\n"
			"    ip: [10.%u.%u.%u]\n    starts:\n"
			"      - {service: v, proto: udp, port: [24105], peer: central}\n"
			"      - {service: h, proto: tcp, port: [2575], peer: central}\n"
			"    accepts:\n"
			"      - {service: m, proto: tcp, port: [22], peer: central}\n",
			i, i >> 16, i >> 8 & 255, i & 255, 1 + (i >> 16), i >> 8 & 255, i & 255);
		for (unsigned k = 0; k < 7; k++)
			at += sprintf(at,
				      "      - {service: m%u, proto: tcp, port: [%u], "
				      "peer: central}\n",
				      k, 8000 + k);
	}
	c = config_parse("bench", (struct bytes){(const uint8_t *)text, (size_t)(at - text)},
			 errors, 1, &count);
	if (!c)
		fprintf(stderr, "stage: %u: %s\n", errors[0].line, errors[0].text);
	free(text);
	return c;
}

/* RFC 1071, for the header that decode checks. */
static void put_ip_checksum(uint8_t *ip)
{
	uint32_t sum = 0;

	ip[10] = ip[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

static void make_frame(const struct bench *b, unsigned n, uint8_t *f)
{
	unsigned flow = n % b->flows, d = flow % b->devices, s = flow / b->devices % SERVERS;
	unsigned port = 1024 + flow / b->devices / SERVERS;
	const uint8_t head[] = {
		2,
		0,
		0xff,
		0,
		0,
		(uint8_t)s,
		2,
		0,
		0,
		(uint8_t)(d >> 16),
		(uint8_t)(d >> 8),
		(uint8_t)d,
		8,
		0,
		0x45,
		0,
		0,
		96,
		0,
		1,
		0,
		0,
		64,
		17,
		0,
		0,
		10,
		(uint8_t)(1 + (d >> 16)),
		(uint8_t)(d >> 8),
		(uint8_t)d,
		10,
		255,
		0,
		(uint8_t)(s + 1),
		(uint8_t)(port >> 8),
		(uint8_t)port,
		24105 >> 8,
		24105 & 255,
		0,
		76,
		0,
		0,
	};

	memset(f, 0xa5, FRAME_LEN);
	memcpy(f, head, sizeof(head));
	put_ip_checksum(f + 14);
}

static void shuffle(struct bench *b)
{
	for (unsigned i = b->frame_count; i-- > 1;) {
		unsigned k;
		uint32_t t = b->order[i];

		b->seed ^= b->seed << 13, b->seed ^= b->seed >> 7, b->seed ^= b->seed << 17;
		k = (unsigned)(b->seed % (i + 1));
		b->order[i] = b->order[k];
		b->order[k] = t;
	}
}

/* The frames of a round, in an order that no round before had. */
static void lay_out(struct bench *b)
{
	shuffle(b);
	for (unsigned i = 0; i < b->frame_count; i++)
		memcpy(b->laid[i], b->frames[b->order[i]], FRAME_LEN);
}

static int prepare(struct bench *b)
{
	struct config *c = site(b->devices);
	char error[256];
	uint64_t begun;

	b->seed = 88172645463325252ull;
	b->frames_size = b->laid_size = (size_t)b->frame_count * FRAME_LEN;
	b->frames = pages_map(&b->frames_size);
	b->laid = pages_map(&b->laid_size);
	b->packets = malloc(b->frame_count * sizeof(*b->packets));
	b->order = malloc(b->frame_count * sizeof(*b->order));
	if (!c || !b->frames || !b->laid || !b->packets || !b->order)
		return -1;
	begun = clock_mono_ns();
	b->policy = policy_compile(c, NULL, 0, 1, error);
	b->apply_ms = (double)(clock_mono_ns() - begun) / 1e6;
	config_free(c);
	for (unsigned i = 0; i < b->frame_count; i++) {
		make_frame(b, i, b->frames[i]);
		b->order[i] = i;
	}
	shuffle(b);
	return b->policy ? 0 : -1;
}

/* The best of some rounds: what the code costs, not what the machine was doing meanwhile. */
#define MEASURE(ret_ns, b, statement)                                         \
	do {                                                                  \
		*(ret_ns) = 1e9;                                              \
		for (unsigned round_ = 0; round_ < rounds(b); round_++) {     \
			uint64_t begun_ = cpu_ns();                           \
			double ns_;                                           \
			for (unsigned n = 0; n < (b)->frame_count; n++) {     \
				uint32_t i = (b)->order[n];                   \
				statement;                                    \
			}                                                     \
			ns_ = (double)(cpu_ns() - begun_) / (b)->frame_count; \
			if (ns_ < *(ret_ns))                                  \
				*(ret_ns) = ns_;                              \
		}                                                             \
	} while (0)

static uint64_t forwarded;

static void count_forward(struct capture *c, const struct frame *f, uint32_t out_ifindex)
{
	forwarded++;
}

static void count_drop(struct capture *c, const struct frame *f)
{
}

static const struct capture_ops nowhere = {.forward = count_forward, .drop = count_drop};

static void swallow(void *arg, const char *line, size_t len)
{
}

/* Whole bursts through the engine. With `judged` the floor's word comes along, as from XDP. */
static double whole(struct bench *b, bool judged)
{
	struct engine_options o = {.max_flows = b->flows * 2,
				   .max_fragments = 64,
				   .timeouts = flow_default_timeouts,
				   .inline_ = true,
				   .sink = swallow};
	struct engine *e = engine_new(b->policy, &o);
	struct capture c = {.ops = &nowhere};
	static struct gate_verdict verdict = {.abi = GATE_ABI,
					      .ifindex = 1,
					      .device = 1,
					      .peer = 0,
					      .rule = 0,
					      .generation = 1,
					      .action = GATE_INSPECT,
					      .would = GATE_INSPECT};
	uint64_t now = clock_wall_ns();
	double best = 1e9;

	for (unsigned round = 0; e && round < rounds(b) + SETTLE; round++) {
		uint64_t begun;
		double ns;

		lay_out(b);
		begun = cpu_ns();
		for (unsigned n = 0; n + BURST <= b->frame_count; n += BURST) {
			struct frame f[BURST];

			for (unsigned k = 0; k < BURST; k++)
				f[k] = (struct frame){.data = {b->laid[n + k], FRAME_LEN},
						      .time_ns = now,
						      .wire_len = FRAME_LEN,
						      .ifindex = 1,
						      .link = LINK_ETHERNET,
						      .verdict = judged ? &verdict : NULL};
			engine_burst(e, &c, f, BURST);
		}
		ns = (double)(cpu_ns() - begun) / b->frame_count;
		if (ns < best)
			best = ns;
	}
	engine_free(e);
	return best;
}

static double one_floor(const struct bench *b)
{
	struct floor *f = floor_new(b->policy, b->flows * 2);
	struct gate_verdict v;
	uint64_t now = clock_mono_ns(), allowed = 0;
	double ns;

	MEASURE(&ns, b, {
		floor_judge(f, &b->packets[i], 1, now, &v);
		allowed += v.action != GATE_DROP;
	});
	if (allowed != (uint64_t)rounds(b) * b->frame_count)
		fprintf(stderr, "stage: the floor refused something\n");
	floor_free(f);
	return ns;
}

static double one_flow(const struct bench *b)
{
	struct flow_table *t = flow_table_new(b->flows * 2, &flow_default_timeouts, NULL, NULL);
	uint8_t end;
	double ns;

	MEASURE(&ns, b, flow_lookup(t, &b->packets[i], 0, &end));
	flow_table_free(t);
	return ns;
}

int main(int argc, char **argv)
{
	struct bench b = {.devices = argc > 1 ? (unsigned)atoi(argv[1]) : 16,
			  .flows = argc > 2 ? (unsigned)atoi(argv[2]) : 256};
	double decode, checksum, floor_ns, flow, judged, unjudged;
	struct rusage usage;

	b.frame_count = argc > 3 ? (unsigned)atoi(argv[3]) : b.flows > 1024 ? b.flows : 1024;
	if (prepare(&b)) {
		fputs("stage: could not prepare\n", stderr);
		return 1;
	}
	MEASURE(&decode, &b,
		packet_decode((struct bytes){b.frames[i], FRAME_LEN}, LINK_ETHERNET, 1, FRAME_LEN,
			      &b.packets[i]));
	MEASURE(&checksum, &b, checksum_finish(b.frames[i], FRAME_LEN));
	floor_ns = one_floor(&b);
	flow = one_flow(&b);
	judged = whole(&b, true);
	unjudged = whole(&b, false);
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"devices\":%u,\"flows\":%u,\"compile_ms\":%.1f,\"checksum_ns\":%.1f,"
	       "\"decode_ns\":%.1f,\"floor_ns\":%.1f,\"flow_ns\":%.1f,\"engine_judged_ns\":%.1f,"
	       "\"engine_ns\":%.1f,\"resident_mb\":%.0f}\n",
	       b.devices, b.flows, b.apply_ms, checksum, decode, floor_ns, flow, judged, unjudged,
	       (double)usage.ru_maxrss / 1024);
	return 0;
}
