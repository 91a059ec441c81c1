/*
 * The whole engine under a policy, in the path and as of a file: frames of both sides, each with a byte
 * for the port (1 hospital's, 2 a new burst, 4 a minute later) and two for its
 * length. It is the same engine from one input to the next, as it is from one
 * packet to the next; a day passes in between.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/config.h"
#include "guard/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define FRAMES 64

static const char site[] =
	"segments:\n  - {name: icu, ward: w, hospital: h, net: [10.9.0.0/16], unknown_devices: "
	"observe}\n"
	"hosts:\n  - {name: server, ip: [10.9.0.5], role: [any-server]}\n"
	"devices:\n"
	"  - name: device\n    segment: icu\n    mac: '00:09:fb:01:02:03'\n    ip: [10.9.1.12]\n"
	"    fail: open\n"
	"    starts:\n"
	"      - {service: hl7, proto: tcp, port: [2575], peer: any, app: hl7, control: no,\n"
	"         allow: ['message_type=ORU^*']}\n"
	"      - {service: files, proto: tcp, port: [21], peer: any, app: ftp}\n"
	"      - {service: boot, proto: udp, port: [69], peer: any, app: tftp}\n"
	"      - {service: directory, proto: tcp, port: [389], peer: any, app: tls, control: no,\n"
	"         allow: ['version=TLS 1.2']}\n"
	"      - {service: all, proto: any, peer: any}\n"
	"    accepts:\n      - {service: all, proto: any, peer: any}\n";

enum { PATH, FILED, ENGINES };

static struct engine *engines[ENGINES];
static unsigned settled;

static void forward(struct capture *c, const struct frame *f, uint32_t out)
{
	settled++;
}

static void drop(struct capture *c, const struct frame *f)
{
	settled++;
}

static int inject(struct capture *c, struct bytes data, uint32_t out)
{
	return 0;
}

static const struct capture_ops ops = {.forward = forward, .drop = drop, .inject = inject};
static struct capture capture = {&ops};

static uint32_t place(void *arg, const struct frame *f, const struct packet *p,
		      const struct roster *r)
{
	return f->ifindex;
}

/* Every event is one line of valid size. */
static void sink(void *arg, const char *line, size_t len)
{
	if (!len || line[0] != '{' || line[len - 1] != '}' || memchr(line, '\n', len))
		abort();
}

static struct engine *begin(bool filed)
{
	struct engine_options o = {.max_flows = 256,
				   .max_fragments = 64,
				   .stream_bytes = 1u << 20,
				   .timeouts = flow_default_timeouts,
				   .inline_ = !filed,
				   .packet_times = filed,
				   .place = place,
				   .sink = sink};
	struct bytes text = {(const uint8_t *)site, sizeof(site) - 1};
	struct config_error errors[1];
	size_t count;
	struct config *c = config_parse("site", text, errors, 1, &count);
	char why[256];
	struct policy *p = c ? policy_compile(c, NULL, 0, 1, why) : NULL;
	struct engine *e = p ? engine_new(p, &o) : NULL;

	if (!e)
		abort();
	config_free(c);
	return e;
}

static void play(struct engine *e, bool filed, const uint8_t *data, size_t len)
{
	static uint64_t now_ns = 1700000000ull * NSEC_PER_SEC;
	uint8_t *bytes = malloc(len ? len : 1); /* where the engine clamps windows */
	struct reader r = reader_new(bytes, len);
	struct frame frames[FRAMES];
	unsigned n = 0;

	if (!bytes)
		abort();
	if (len)
		memcpy(bytes, data, len);
	while (reader_left(&r) >= 3) {
		uint8_t flags = read_u8(&r);
		size_t size = read_be16(&r);

		if (size > reader_left(&r))
			size = reader_left(&r);
		if (n == FRAMES || flags & 2) {
			engine_burst(e, &capture, frames, n);
			n = 0;
		}
		now_ns += flags & 4 ? 60 * NSEC_PER_SEC : 1000;
		frames[n] =
			(struct frame){.data = read_bytes(&r, size),
				       .time_ns = now_ns,
				       .wire_len = (uint32_t)size,
				       .ifindex = flags & 1 ? 2 : 1,
				       .link = filed ? LINK_OFFLOAD | LINK_WRAPPED : LINK_ETHERNET};
		n++;
	}
	engine_burst(e, &capture, frames, n);
	engine_burst(e, &capture, NULL, 0); /* a file's end: nothing waits any longer */
	now_ns += 86400 * NSEC_PER_SEC;
	for (unsigned i = 0; i < 4; i++)
		engine_tick(e, &capture, now_ns += 10 * NSEC_PER_SEC);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	for (unsigned i = 0; i < ENGINES; i++) {
		if (!engines[i])
			engines[i] = begin(i == FILED);
		play(engines[i], i == FILED, data, len);
	}
	return 0;
}
