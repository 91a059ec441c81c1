#include "cli/learn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "base/config.h"
#include "cli/control.h"
#include "cli/output.h"
#include "cli/propose.h"
#include "cli/seen.h"
#include "guard/engine.h"
#include "role/known.h"

#define DEFAULT_FILE BEDWARDEN_SYSCONFDIR "/bedwarden.yaml"
#define BATCH	     64
#define MAX_FLOWS    (1u << 18)
#define EVENTS_MAX   1000000 /* the latest, of the running gateway */

struct learning {
	const struct learn_options *o;
	const char *file; /* of the policy there is, NULL none */
	struct config *config;
	struct config_profile *profiles;
	unsigned profile_count;
	struct seen seen;
};

/* From a file of EVE lines, "-" standard input. */
static int read_eve(struct learning *l)
{
	FILE *in = strcmp(l->o->eve, "-") == 0 ? stdin : fopen(l->o->eve, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (!in)
		return cli_fail("%s: cannot be read: %s", l->o->eve, strerror(errno));
	while ((len = getline(&line, &cap, in)) > 0)
		seen_line(&l->seen, line, (size_t)len - (line[len - 1] == '\n'));
	free(line);
	if (in != stdin)
		fclose(in);
	if (!l->seen.lines)
		return cli_fail("%s: holds no events; expected EVE JSON, one event a line",
				l->o->eve);
	return CLI_OK;
}

static void take_event(void *arg, const char *line, size_t len)
{
	seen_line(arg, line, len);
}

static void take_sender(struct seen *s, const struct frame *f)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct packet p;

	if (!packet_decode(f->data, f->link, f->time_ns, f->wire_len, &p) || !p.has_mac)
		return;
	if (p.has_arp)
		seen_sender(s, p.arp.sender_mac, p.arp.sender_ip.b, true);
	else if (p.ip_version)
		seen_sender(s, p.src_mac, p.src_ip.b, false);
	if (p.ip_version == 4 && memcmp(p.dst_mac, all, 6) == 0)
		seen_broadcast(s, p.dst_ip.b);
}

/* From a capture: the engine tells the conversations, the frames who has which address. */
static int read_pcap(struct learning *l)
{
	struct engine_options o = {.max_flows = MAX_FLOWS,
				   .max_fragments = 1024,
				   .timeouts = flow_default_timeouts,
				   .packet_times = true,
				   .sink = take_event,
				   .sink_arg = &l->seen};
	struct frame frames[BATCH];
	struct engine *e;
	struct capture *c;
	char error[256];
	int n;

	c = capture_pcap_open(l->o->pcap, true, error);
	if (!c)
		return cli_fail("%s", error);
	e = engine_new(NULL, &o);
	if (!e) {
		c->ops->close(c);
		return cli_fail("out of memory");
	}
	while ((n = c->ops->receive(c, frames, BATCH)) >= 0) {
		for (int i = 0; i < n; i++)
			take_sender(&l->seen, &frames[i]);
		if (n == 0)
			c->ops->wait(c, 1000);
		engine_burst(e, c, frames, (unsigned)n);
	}
	engine_finish(e, c);
	if (n != -ENODATA)
		cli_fail("%s; what came before that is used", capture_pcap_error(c));
	engine_free(e);
	c->ops->close(c);
	return CLI_OK;
}

static void take_row(void *arg, json_t *row)
{
	seen_event(arg, row);
}

static int ask(struct learning *l, const struct control_options *o, json_t *request)
{
	int r = request ? control_ask(o, request, false, take_row, &l->seen)
			: cli_fail("out of memory");

	json_decref(request);
	return r;
}

/* From the gateway that runs: the machines it knows, and the conversations it knows of. */
static int read_gateway(struct learning *l)
{
	struct control_options o;
	int r;

	control_defaults(&o);
	if (l->o->socket)
		snprintf(o.socket, sizeof(o.socket), "%s", l->o->socket);
	else if (l->config)
		snprintf(o.socket, sizeof(o.socket), "%s/control", l->config->gateway.run_dir);
	r = ask(l, &o, json_pack("{s:s}", "cmd", "devices"));
	if (r == CLI_OK)
		r = ask(l, &o,
			json_pack("{s:s, s:b, s:i}", "cmd", "events", "all", 1, "limit",
				  EVENTS_MAX));
	/* Those that have not ended, as links between systems never do; without a guard there are
	 * none, and the record will do. */
	if (r == CLI_OK)
		ask(l, &o, json_pack("{s:s}", "cmd", "flows"));
	return r;
}

/* The policy there is gives names; one that has errors must be put right first. */
static int read_config(struct learning *l)
{
	struct config_error errors[16];
	size_t count = 0;

	l->file = l->o->config;
	if (!l->file && access(DEFAULT_FILE, R_OK) == 0)
		l->file = DEFAULT_FILE;
	if (l->file) {
		l->config = config_load(l->file, errors, 16, &count);
		for (size_t i = 0; i < count; i++)
			cli_misread(&errors[i]);
		if (!l->config)
			return cli_fail("%s has errors; put them right first", l->file);
	}
	if (config_profiles(l->config, l->file ? l->file : DEFAULT_FILE, &l->profiles,
			    &l->profile_count) < 0)
		return cli_fail("out of memory");
	if (!l->profile_count)
		return cli_fail(
			"no profiles were found in " BEDWARDEN_DATADIR
			"/profiles; install them or name a folder with gateway.profiles_dir");
	return CLI_OK;
}

/* A proposal that would be refused must not leave here. */
static int verify(const char *file, const char *text, size_t len)
{
	struct config_error errors[4];
	size_t count = 0;
	struct config *c =
		config_parse(file, (struct bytes){(const uint8_t *)text, len}, errors, 4, &count);

	for (size_t i = 0; !c && i < count; i++)
		cli_fail("the proposal itself is wrong at %u:%u: %s", errors[i].line,
			 errors[i].column, errors[i].text);
	config_free(c);
	return c ? CLI_OK : CLI_FAILED;
}

static int propose(struct learning *l)
{
	struct propose p = {.seen = &l->seen,
			    .config = l->config,
			    .config_file = l->file,
			    .profiles = l->profiles,
			    .profile_count = l->profile_count,
			    .ward = l->o->ward,
			    .ward_count = l->o->ward_count};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int r = out ? propose_write(&p, out) : -ENOMEM;

	if (out)
		fclose(out);
	if (r == -ENOENT)
		r = cli_fail("none of %zu machines could be told to be a device; say with -w which "
			     "network the devices are in, as -w 10.1.1.0/24",
			     l->seen.machine_count);
	else if (r < 0)
		r = cli_fail("out of memory");
	else
		r = verify(l->file ? l->file : DEFAULT_FILE, text, len);
	if (r == CLI_OK)
		r = output_put(l->o->out, (struct bytes){(const uint8_t *)text, len}, 0644);
	if (r == CLI_OK)
		fprintf(stderr,
			"%u devices, %u hosts; %u services that no profile covers and %u lines "
			"narrower than what is allowed stand there as comments. Read it, then "
			"'bedwarden policy check' it.\n",
			p.devices, p.hosts, p.uncovered, p.narrower);
	free(text);
	return r;
}

static int name_vendors(struct learning *l)
{
	struct oui *oui = oui_new();
	int r = oui ? known_makers(oui) : -ENOMEM;

	if (r >= 0)
		seen_name_vendors(&l->seen, oui);
	oui_free(oui);
	return r < 0 ? cli_fail("out of memory") : CLI_OK;
}

/* What is read is not written over. */
static int check_out(const struct learn_options *o)
{
	const char *from = o->pcap ? o->pcap : o->eve;
	struct stat in, out;

	if (!o->out || !from || stat(from, &in) != 0 || stat(o->out, &out) != 0 ||
	    !S_ISREG(out.st_mode) || in.st_dev != out.st_dev || in.st_ino != out.st_ino)
		return CLI_OK;
	return cli_fail("%s: is what is learned from; take another name for the proposal", o->out);
}

int learn(const struct learn_options *o)
{
	struct learning l = {.o = o};
	uint8_t ip[16];
	unsigned len;
	int r;

	for (unsigned i = 0; i < o->ward_count; i++)
		if (!address_prefix(o->ward[i], ip, &len))
			return cli_misuse("-w %s is no network; expected one as 10.1.1.0/24",
					  o->ward[i]);
	r = check_out(o);
	if (r != CLI_OK)
		return r;
	if (seen_new(&l.seen) < 0)
		return cli_fail("out of memory");
	r = read_config(&l);
	if (r == CLI_OK)
		r = o->pcap ? read_pcap(&l) : o->eve ? read_eve(&l) : read_gateway(&l);
	if (r == CLI_OK) {
		seen_settle(&l.seen);
		r = name_vendors(&l);
	}
	if (r == CLI_OK)
		r = propose(&l);
	config_profiles_free(l.profiles, l.profile_count);
	config_free(l.config);
	seen_free(&l.seen);
	return r;
}
