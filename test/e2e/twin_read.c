/*
 * twin_read CAPTURE POLICY: what `inspect --inline` would let through, frame by frame: a line with
 * the time of each that leaves by the other port, in nanoseconds, as the capture gives it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "guard/engine.h"
#include "guard/policy/message.h"

struct ear {
	struct capture capture; /* what the engine sees; first */
	struct capture *file;
	const struct config *config;
};

static struct capture *file_of(struct capture *c)
{
	return ((struct ear *)c)->file;
}

static int ear_wait(struct capture *c, int timeout_ms)
{
	return file_of(c)->ops->wait(file_of(c), timeout_ms);
}

static int ear_receive(struct capture *c, struct frame *frames, unsigned max)
{
	return file_of(c)->ops->receive(file_of(c), frames, max);
}

static void ear_forward(struct capture *c, const struct frame *f, uint32_t out)
{
	printf("%" PRIu64 "\n", f->time_ns);
	file_of(c)->ops->forward(file_of(c), f, out);
}

static void ear_drop(struct capture *c, const struct frame *f)
{
	file_of(c)->ops->drop(file_of(c), f);
}

static int ear_inject(struct capture *c, struct bytes data, uint32_t out)
{
	return file_of(c)->ops->inject(file_of(c), data, out);
}

static void ear_flush(struct capture *c)
{
	file_of(c)->ops->flush(file_of(c));
}

static const struct capture_ops ears = {
	.name = "ear",
	.wait = ear_wait,
	.receive = ear_receive,
	.forward = ear_forward,
	.drop = ear_drop,
	.inject = ear_inject,
	.flush = ear_flush,
};

/* By the interface's name, as the segment has it. */
static uint32_t place(void *arg, const struct frame *f, const struct packet *p,
		      const struct roster *r)
{
	const struct ear *ear = arg;
	const char *name = capture_pcap_interface(ear->file, f->ifindex);

	return strcmp(name, ear->config->segments[0].ward) == 0 ? 1 : 2;
}

static void no_line(void *arg, const char *line, size_t len)
{
}

int main(int argc, char **argv)
{
	struct ear ear = {.capture = {&ears}};
	struct engine_options o = {.max_flows = 65536,
				   .max_fragments = 4096,
				   .timeouts = flow_default_timeouts,
				   .inline_ = true,
				   .packet_times = true,
				   .place = place,
				   .place_arg = &ear,
				   .sink = no_line};
	struct config_error error;
	struct policy *policy;
	struct engine *engine;
	struct frame frames[64];
	size_t errors = 0;
	char why[256];
	int n;

	config_check_words(message_is_wrong);
	ear.config = argc == 3 ? config_load(argv[2], &error, 1, &errors) : NULL;
	policy = ear.config ? policy_compile(ear.config, NULL, 0, 1, why) : NULL;
	ear.file = policy ? capture_pcap_open(argv[1], false, why) : NULL;
	if (!ear.file) {
		fprintf(stderr, "usage: twin-read CAPTURE POLICY\n");
		return 2;
	}
	o.stream_bytes = (size_t)ear.config->gateway.streams_mb << 20;
	o.vitals_streams = ear.config->gateway.vitals;
	engine = engine_new(policy, &o);
	if (!engine)
		return 1;
	/* One by one, as they come to a gateway that is not busy. */
	while ((n = ear_receive(&ear.capture, frames, 1)) >= 0)
		engine_burst(engine, &ear.capture, frames, (unsigned)n);
	engine_finish(engine, &ear.capture);
	engine_free(engine);
	ear.file->ops->close(ear.file);
	policy_free(policy);
	config_free((struct config *)ear.config);
	return n == -ENODATA ? 0 : 1;
}
