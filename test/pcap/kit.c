/*
 * inspect-kit FILE...: what `bedwarden inspect -r FILE -o FILE.jsonl` says of each, by an engine of
 * its own, in one process: to start one takes longer than to read a capture, and what an engine
 * leaves unfreed is found.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/event.h"
#include "guard/engine.h"
#include "guard/roster.h"

#define BATCH 256

static void write_line(void *arg, const char *line, size_t len)
{
	fprintf(arg, "%.*s\n", (int)len, line);
}

static uint32_t place(void *arg, const struct frame *f, const struct packet *p,
		      const struct roster *r)
{
	return roster_place(r, p);
}

static int reread(void *arg, uint64_t place, uint8_t *buf, size_t len)
{
	return capture_pcap_reread(arg, place, buf, len);
}

static bool inspect(struct capture *c, FILE *out)
{
	struct engine_options o = {.max_flows = 4096,
				   .max_fragments = 256,
				   .timeouts = flow_default_timeouts,
				   .packet_times = true,
				   .reread = reread,
				   .reread_arg = c,
				   .place = place,
				   .sink = write_line,
				   .sink_arg = out};
	struct engine *e = engine_new(NULL, &o);
	struct frame frames[BATCH];
	int n;

	if (!e)
		return false;
	while ((n = c->ops->receive(c, frames, BATCH)) >= 0)
		engine_burst(e, c, frames, (unsigned)n);
	engine_finish(e, c);
	engine_free(e);
	return !*capture_pcap_error(c);
}

static bool inspected(const char *file)
{
	char name[4096], error[256] = "cannot be written";
	struct capture *c = capture_pcap_open(file, true, error);
	FILE *out;
	bool good;

	snprintf(name, sizeof(name), "%s.jsonl", file);
	out = fopen(name, "we");
	good = c && out && inspect(c, out);
	if (!good)
		fprintf(stderr, "inspect-kit: %s: %s\n", file, c ? capture_pcap_error(c) : error);
	if (out && fclose(out) != 0)
		good = false;
	if (c)
		c->ops->close(c);
	return good;
}

int main(int argc, char **argv)
{
	bool good = argc > 1;

	for (int i = 1; i < argc; i++)
		good = inspected(argv[i]) && good;
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
