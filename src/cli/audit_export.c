#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/config.h"
#include "base/file.h"
#include "cli/audit.h"
#include "keep/audit.h"
#include "people/audit/send.h"

#define BATCH	    64
#define SETTLE_MS   10000
#define AGAIN_MIN_S 1
#define AGAIN_MAX_S 30
#define PLACE_NAME  "audit.exported"
#define DEFAULT_DIR "/var/lib/bedwarden"

struct exporter {
	char dir[400], name[64], host[256], port[16];
	struct syslog_to to;
	const char *ca, *cert, *key;
	struct syslog *link; /* NULL: not connected */
	uint64_t done;	     /* entries that the collector's machine has */
	bool once;
};

/* ---- how far it is ---- */

static void place_path(const struct exporter *x, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/" PLACE_NAME "-%s_%s", x->dir, x->host, x->port);
}

static void read_place(struct exporter *x)
{
	char path[PATH_MAX];
	struct bytes text;

	place_path(x, path);
	if (file_read(path, 64, &text) < 0)
		return;
	for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		x->done = x->done * 10 + (uint64_t)(text.data[i] - '0');
	free((void *)(uintptr_t)text.data);
}

static int write_place(const struct exporter *x)
{
	char path[PATH_MAX], text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", x->done);

	place_path(x, path);
	return file_replace(path, (struct bytes){(const uint8_t *)text, (size_t)n}, 0640);
}

/* ---- sending ---- */

static void collect(void *arg, struct bytes row)
{
	json_array_append_new(arg, json_loadb((const char *)row.data, row.len, 0, NULL));
}

/* The next entries, and that they have arrived. How many; 0 none; negative: the link is of no use. */
static int send_batch(struct exporter *x, struct audit_log *a, char *error)
{
	char line[AUDIT_CHECKPOINT_MAX];
	struct audit_checkpoint c;
	json_t *rows = json_array(), *row;
	int err = audit_since(a, x->done + 1, BATCH, collect, rows);
	size_t count = json_array_size(rows), i;

	audit_checkpoint_of(a, &c);
	line[audit_checkpoint_text(&c, line)] = 0;
	json_array_foreach (rows, i, row)
		if (err == 0)
			err = audit_send(x->link, x->name, row,
					 i + 1 == count && c.count ? line : NULL, error);
	json_decref(rows);
	if (err == 0 && count && !syslog_settled(x->link, SETTLE_MS)) {
		snprintf(error, SYSLOG_ERROR, "the collector hung up");
		err = -EPIPE;
	}
	if (err < 0)
		return err;
	x->done += count;
	if (count && (err = write_place(x)) < 0) {
		snprintf(error, SYSLOG_ERROR, "%.200s: %s", x->dir, strerror(-err));
		return err;
	}
	return (int)count;
}

/* Each time with the files as they are then: certificates are renewed. */
static void open_link(struct exporter *x, char *error)
{
	struct syslog_trust *trust = syslog_trust_new(x->ca, x->cert, x->key, error);

	if (trust)
		x->link = syslog_open(&x->to, trust, error);
	syslog_trust_free(trust);
}

/* Everything there is now. 0; -EPIPE try again; -EUCLEAN never. */
static int send_all(struct exporter *x, char *error)
{
	char why[AUDIT_ERROR];
	struct audit_log *a = audit_open_to_read(x->dir, why);
	int n = 1;

	if (!a) {
		snprintf(error, SYSLOG_ERROR, "%.400s", why);
		return -EPIPE;
	}
	if (audit_count(a) < x->done) {
		snprintf(
			error, SYSLOG_ERROR,
			"the trail holds %" PRIu64 " entries, and %" PRIu64
			" were sent already: it was put back as it was earlier, or begun anew; see "
			"'bedwarden audit verify', then remove " PLACE_NAME "-* to send it all",
			audit_count(a), x->done);
		audit_free(a);
		return -EUCLEAN;
	}
	if (!x->link)
		open_link(x, error);
	while (x->link && n > 0)
		n = send_batch(x, a, error);
	audit_free(a);
	if (x->link && n == 0)
		return 0;
	syslog_close(x->link);
	x->link = NULL;
	return -EPIPE;
}

static bool grew(const struct exporter *x, off_t *size)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/audit.log", x->dir);
	if (stat(path, &st) < 0 || st.st_size == *size)
		return false;
	*size = st.st_size;
	return true;
}

static int run(struct exporter *x)
{
	unsigned again = AGAIN_MIN_S;
	char error[SYSLOG_ERROR] = "";
	off_t size = -1;

	for (;;) {
		int err = x->link && !grew(x, &size) ? (syslog_settled(x->link, 0) ? 0 : -EPIPE)
						     : send_all(x, error);

		if (err == -EPIPE && x->link) {
			syslog_close(x->link);
			x->link = NULL;
			size = -1;
			continue;
		}
		if (err == 0 && x->once) {
			syslog_close(x->link);
			return CLI_OK;
		}
		if (err == -EUCLEAN || (err < 0 && x->once))
			return cli_fail("%s", error);
		if (err < 0)
			cli_fail("%s; trying again in %u s, entry %" PRIu64 " is next", error,
				 again, x->done + 1);
		sleep(err < 0 ? again : 1);
		again = err == 0 ? AGAIN_MIN_S : again * 2 > AGAIN_MAX_S ? AGAIN_MAX_S : again * 2;
	}
}

static bool take_place(struct exporter *x, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!len || len >= sizeof(x->host) || strlen(colon + 1) >= sizeof(x->port) || !colon[1] ||
	    memchr(text, '/', len))
		return false;
	snprintf(x->host, sizeof(x->host), "%.*s", (int)len, text);
	snprintf(x->port, sizeof(x->port), "%s", colon + 1);
	x->to.host = x->host;
	x->to.port = x->port;
	return true;
}

static int take_config(struct exporter *x, const char *file)
{
	struct config_error error;
	size_t errors;
	struct config *c = config_load(file, &error, 1, &errors);

	if (!c)
		return cli_fail("%s: %s", error.file, error.text);
	snprintf(x->dir, sizeof(x->dir), "%s", c->gateway.state_dir);
	snprintf(x->name, sizeof(x->name), "%s", c->gateway.name);
	config_free(c);
	return CLI_OK;
}

int audit_export(int argc, char **argv)
{
	static const struct option options[] = {
		{"to", required_argument, NULL, 't'},	{"ca", required_argument, NULL, 'a'},
		{"cert", required_argument, NULL, 'e'}, {"cert-key", required_argument, NULL, 'k'},
		{"once", no_argument, NULL, 'o'},	{"config", required_argument, NULL, 'c'},
		{"dir", required_argument, NULL, 'd'},	{NULL},
	};
	static struct exporter x = {.dir = DEFAULT_DIR, .name = "bedwarden"};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:d:", options, NULL)) != -1) {
		if (c == 't' && !take_place(&x, optarg))
			return cli_misuse(
				"--to %s: expected HOST:PORT, as logs.clinic.example:6514", optarg);
		else if (c == 'a')
			x.ca = optarg;
		else if (c == 'e')
			x.cert = optarg;
		else if (c == 'k')
			x.key = optarg;
		else if (c == 'o')
			x.once = true;
		else if (c == 'd')
			snprintf(x.dir, sizeof(x.dir), "%s", optarg);
		else if (c == 'c' && take_config(&x, optarg) != CLI_OK)
			return CLI_FAILED;
		else if (c == '?')
			return cli_usage(cli_find("audit"));
	}
	if (optind != argc || !*x.host || !x.ca || !x.cert != !x.key)
		return cli_usage(cli_find("audit"));
	signal(SIGPIPE, SIG_IGN); /* a collector that hangs up is an error like others */
	read_place(&x);
	return run(&x);
}
