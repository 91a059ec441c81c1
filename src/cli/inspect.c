/*
 * `bedwarden inspect`: the guard's engine on a capture file. What comes out is
 * the same for the same file, policy and options, byte by byte.
 */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/event.h"
#include "cli/inspect.h"
#include "guard/engine.h"
#include "guard/roster.h"
#include "role/known.h"

#define BATCH	      256
#define OUT_BUFFER    65536u /* stays in the second-level cache */
#define ERRORS_SHOWN  20
#define MAX_FLOWS     (1u << 20)
#define MAX_FRAGMENTS 4096
#define MACHINES      4096
#define QUIET_MS      30000
#define HEAP_KEPT     (64 << 20) /* freed memory that is not given back to be asked for again */

struct inspect {
	char **files; /* in the order in which they were captured */
	unsigned file_count;
	const char *config_file, *out_file;
	bool inline_, stats;
	FILE *out; /* unbuffered: */
	char lines[OUT_BUFFER];
	size_t held;
	struct config *config;
	struct policy *policy;
	struct known known;
	struct capture **captures; /* of all files, */
	struct capture *capture;   /* and the one that is read */
	struct engine *engine;
	uint64_t last_ns; /* of the file */
	char error[256];
};

static void flush(struct inspect *in)
{
	fwrite(in->lines, 1, in->held, in->out);
	in->held = 0;
}

static void write_line(void *arg, const char *line, size_t len)
{
	struct inspect *in = arg;

	if (len + 1 > OUT_BUFFER - in->held)
		flush(in);
	if (line != in->lines + in->held)
		memcpy(in->lines + in->held, line, len);
	in->held += len;
	in->lines[in->held++] = '\n';
}

static char *room(void *arg)
{
	struct inspect *in = arg;

	if (OUT_BUFFER - in->held <= EVENT_MAX)
		flush(in);
	return in->lines + in->held;
}

/* An interface of the file that bears the name of a configured port is that port. */
static uint32_t port_named(const struct inspect *in, const char *name)
{
	for (unsigned s = 0; *name && s < in->config->segments_count; s++) {
		if (strcmp(in->config->segments[s].ward, name) == 0)
			return 2 * s + 1;
		if (strcmp(in->config->segments[s].hospital, name) == 0)
			return 2 * s + 2;
	}
	return 0;
}

static uint32_t place(void *arg, const struct frame *f, const struct packet *p,
		      const struct roster *r)
{
	struct inspect *in = arg;
	uint32_t port = port_named(in, capture_pcap_interface(in->capture, f->ifindex));

	return port ? port : roster_place(r, p);
}

/* Of one file: a place does not say of which it is. */
static int reread(void *arg, uint64_t place, uint8_t *buf, size_t len)
{
	return capture_pcap_reread(((struct inspect *)arg)->capture, place, buf, len);
}

static int load_policy(struct inspect *in)
{
	struct config_error errors[ERRORS_SHOWN];
	size_t count = 0;

	in->config = config_load(in->config_file, errors, ERRORS_SHOWN, &count);
	if (!in->config) {
		for (size_t i = 0; i < count && i < ERRORS_SHOWN; i++)
			cli_misread(&errors[i]);
		return count ? -EINVAL
			     : cli_fail("%s: not read: %s", in->config_file, strerror(errno));
	}
	in->policy = policy_compile(in->config, NULL, 0, 1, in->error);
	if (!in->policy)
		return cli_fail("%s: %s", in->config_file,
				errno == E2BIG ? in->error : strerror(errno));
	return 0;
}

static bool is_out(const char *name, const struct stat *out)
{
	struct stat file;
	int r = strcmp(name, "-") ? stat(name, &file) : fstat(STDIN_FILENO, &file);

	return r == 0 && S_ISREG(out->st_mode) && file.st_dev == out->st_dev &&
	       file.st_ino == out->st_ino;
}

/* `-` is standard output, as it is standard input of -r. What is read is not written over. */
static int open_out(struct inspect *in)
{
	struct stat out;

	if (in->out_file && strcmp(in->out_file, "-") == 0)
		in->out_file = NULL;
	if (in->out_file && stat(in->out_file, &out) == 0)
		for (unsigned i = 0; i < in->file_count; i++)
			if (is_out(in->files[i], &out))
				return cli_fail("%s: is the capture itself; name another file for "
						"the events",
						in->out_file);
	in->out = in->out_file ? fopen(in->out_file, "we") : stdout;
	if (!in->out)
		return cli_fail("%s: cannot be written: %s", in->out_file, strerror(errno));
	return 0;
}

/* All of them, so that a wrong one is refused before work begins. */
static int open_captures(struct inspect *in)
{
	in->captures = calloc(in->file_count, sizeof(*in->captures));
	if (!in->captures)
		return cli_fail("out of memory");
	for (unsigned i = 0; i < in->file_count; i++) {
		in->captures[i] = capture_pcap_open(in->files[i], !in->inline_, in->error);
		if (!in->captures[i])
			return cli_fail("%s", in->error);
	}
	return CLI_OK;
}

static int open_all(struct inspect *in)
{
	struct engine_options o = {
		.max_flows = MAX_FLOWS,
		.max_fragments = MAX_FRAGMENTS,
		.timeouts = flow_default_timeouts,
		.inline_ = in->inline_,
		.packet_times = true,
		.reread = in->file_count == 1 ? reread : NULL,
		.reread_arg = in,
		.place = place,
		.place_arg = in,
		.sink = write_line,
		.room = room,
		.sink_arg = in,
	};

	if (in->config_file && load_policy(in) != 0)
		return CLI_FAILED;
	if (in->config) {
		o.max_flows = in->config->gateway.flows;
		o.max_fragments = in->config->gateway.fragments;
		o.stream_bytes = (size_t)in->config->gateway.streams_mb << 20;
		o.vitals_streams = in->config->gateway.vitals;
		if (known_load(in->config_file, in->config->gateway.profiles_dir, &in->known) < 0)
			return cli_fail("out of memory");
		o.inventory = (struct inventory_options){.machines = MACHINES,
							 .quiet_ms = QUIET_MS,
							 .oui = in->known.oui,
							 .profiles = in->known.rows,
							 .profile_count = in->known.profile_count};
	}
	if (open_captures(in) != 0 || open_out(in) != 0)
		return CLI_FAILED;
	setvbuf(in->out, NULL, _IONBF, 0);
	in->engine = engine_new(in->policy, &o);
	if (!in->engine)
		return cli_fail("no memory for the flow table");
	return CLI_OK;
}

/* What cannot be read of a file is told; 0 where that is nothing but links of another kind. */
static int read_file(struct inspect *in)
{
	struct frame frames[BATCH];
	int n;

	while ((n = in->capture->ops->receive(in->capture, frames, BATCH)) >= 0) {
		if (n)
			in->last_ns = frames[n - 1].time_ns;
		else
			in->capture->ops->wait(in->capture, 1000); /* a pipe */
		engine_burst(in->engine, in->capture, frames, (unsigned)n);
	}
	if (n != -ENODATA)
		return cli_fail("%s; what came before it was inspected",
				capture_pcap_error(in->capture));
	if (*capture_pcap_error(in->capture))
		cli_fail("%s", capture_pcap_error(in->capture));
	return CLI_OK;
}

/* None is closed: a fragment may wait for the next file. */
static int read_all(struct inspect *in)
{
	int r = CLI_OK;

	for (unsigned i = 0; i < in->file_count; i++) {
		in->capture = in->captures[i];
		if (read_file(in) != CLI_OK)
			r = CLI_FAILED;
	}
	engine_finish(in->engine, in->capture);
	engine_stats_event(in->engine, in->last_ns);
	return r;
}

static void print_stats(const struct inspect *in, uint64_t took_ns)
{
	struct engine_stats s;
	double seconds = (double)took_ns / NSEC_PER_SEC;

	engine_stats(in->engine, &s);
	fprintf(stderr,
		"%llu packets, %llu bytes, %llu flows, %llu events in %.3f s: "
		"%.2f million packets/s\n",
		(unsigned long long)s.packets, (unsigned long long)s.bytes,
		(unsigned long long)s.flows, (unsigned long long)s.events, seconds,
		seconds > 0 ? (double)s.packets / seconds / 1e6 : 0);
}

static int close_out(struct inspect *in)
{
	bool bad;

	flush(in);
	bad = ferror(in->out);
	bad |= in->out == stdout ? fflush(stdout) != 0 : fclose(in->out) != 0;
	in->out = NULL;
	if (!bad)
		return CLI_OK;
	return cli_fail("%s: writing failed: %s", in->out_file ? in->out_file : "standard output",
			strerror(errno));
}

static int inspect(struct inspect *in)
{
	uint64_t began = clock_mono_ns();
	int r = open_all(in);

	if (r != CLI_OK)
		return r;
	r = read_all(in);
	if (in->stats)
		print_stats(in, clock_mono_ns() - began);
	return close_out(in) == CLI_OK ? r : CLI_FAILED;
}

int inspect_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"inline", no_argument, NULL, 'i'}, {"stats", no_argument, NULL, 's'}, {NULL}};
	static struct inspect in; /* the process ends with it, and frees faster than we could */
	int opt;

	in.files = calloc((size_t)argc, sizeof(*in.files));
	if (!in.files)
		return cli_fail("out of memory");
	while ((opt = getopt_long(argc, argv, "r:c:o:S:", options, NULL)) != -1) {
		if (opt == 'r')
			in.files[in.file_count++] = optarg;
		else if (opt == 'c')
			in.config_file = optarg;
		else if (opt == 'o')
			in.out_file = optarg;
		else if (opt == 'i')
			in.inline_ = true;
		else if (opt == 's')
			in.stats = true;
		else if (opt == 'S') {
			cli_fail("-S %s: this build has no rule language; leave -S out", optarg);
			return CLI_USAGE;
		} else
			return cli_usage(cli_find("inspect"));
	}
	if (!in.file_count || optind < argc)
		return cli_usage(cli_find("inspect"));
	mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
	return inspect(&in);
}
