#include "role/exporter.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/ipc.h"
#include "base/log.h"
#include "people/audit/send.h"
#include "role/lock_in.h"
#include "role/setup.h"

#define PARENT_FD     3
#define SETTLE_MS     10000
#define LOOK_MS	      1000 /* at a connection that is idle: does it stand? */
#define AGAIN_MIN_MS  1000
#define AGAIN_MAX_MS  60000
#define TROUBLE_BYTES 256

enum { FROM_PARENT, FROM_KEEPER };

/* Who may say what to the exporter. */
static const struct ipc_right rights[] = {
	{FROM_PARENT, IPC_EXPORT},
	{FROM_PARENT, IPC_STOP},
	{FROM_KEEPER, IPC_AUDIT},
};

/* Besides what every role lives on: connections that it starts. */
static const char *const calls[] = {
	"socket", "connect", "getsockopt", "setsockopt", "getpeername", "getsockname",
	"fcntl",  "ioctl",   "sendto",	   "recvfrom",	 "shutdown",	"uname",
};

struct exporter {
	const char *gateway;
	struct syslog_to to;
	struct syslog_trust *trust;
	struct syslog *link; /* NULL: not connected */
	int keeper;	     /* -1 none */
	json_t *batch;	     /* under way; NULL none */
	unsigned again_ms;   /* how long to wait after the next failure */
	uint64_t again_ns;   /* when to try again; 0 at once */
};

static char ipc_buf[IPC_BUF];

/* --- the keeper ------------------------------------------------------------------------------ */

/* Everything up to `done` has arrived (0: nothing new); `why` nothing more does, "" none: more! */
static void say(const struct exporter *x, uint64_t done, const char *why)
{
	uint8_t body[8 + TROUBLE_BYTES];
	struct writer w = writer_new(body, sizeof(body));

	write_be32(&w, (uint32_t)(done >> 32));
	write_be32(&w, (uint32_t)done);
	write_bytes(&w, why, strnlen(why, TROUBLE_BYTES));
	if (x->keeper >= 0)
		ipc_send(x->keeper, IPC_AUDIT, 0, (struct bytes){body, w.len}, -1);
}

static void forget(struct exporter *x)
{
	json_decref(x->batch);
	x->batch = NULL;
}

static bool take_batch(struct exporter *x, struct bytes body)
{
	json_t *o = json_loadb((const char *)body.data, body.len, 0, NULL);

	if (x->batch || !json_array_size(json_object_get(o, "rows"))) {
		json_decref(o);
		return false;
	}
	x->batch = o;
	return true;
}

/* Its next message. False: the socket is of no use any more, or, the parent's, it is over. */
static bool hear(struct exporter *x, int sock, int from)
{
	struct ipc_message m;
	int err = ipc_hear(sock, ipc_buf, rights, sizeof(rights) / sizeof(*rights), from, &m);

	if (err < 0)
		return err == -EAGAIN;
	if (m.type == IPC_STOP)
		return false;
	if (m.type == IPC_AUDIT)
		return take_batch(x, m.body);
	if (x->keeper >= 0)
		close(x->keeper);
	x->keeper = m.fd;
	forget(x); /* another keeper: what was not confirmed comes again */
	say(x, 0, "");
	return true;
}

/* --- the collector --------------------------------------------------------------------------- */

static void hang_up(struct exporter *x)
{
	syslog_close(x->link);
	x->link = NULL;
}

/* The batch, and that it has arrived. 0; -EPIPE with ret_error. */
static int send_batch(struct exporter *x, char *error)
{
	const json_t *rows = json_object_get(x->batch, "rows");
	const char *checkpoint = json_string_value(json_object_get(x->batch, "checkpoint"));
	size_t count = json_array_size(rows);
	int err = 0;

	if (x->link && !syslog_settled(x->link, 0))
		hang_up(x);
	if (!x->link)
		x->link = syslog_open(&x->to, x->trust, error);
	if (!x->link)
		return -EPIPE;
	for (size_t i = 0; err == 0 && i < count; i++)
		err = audit_send(x->link, x->gateway, json_array_get(rows, i),
				 i + 1 == count && checkpoint && *checkpoint ? checkpoint : NULL,
				 error);
	if (err == 0 && !syslog_settled(x->link, SETTLE_MS)) {
		snprintf(error, SYSLOG_ERROR, "the collector hung up");
		err = -EPIPE;
	}
	return err;
}

static void deliver(struct exporter *x)
{
	const json_t *rows = json_object_get(x->batch, "rows"), *last;
	char error[SYSLOG_ERROR] = "";

	if (send_batch(x, error) < 0) {
		hang_up(x);
		if (x->again_ms == AGAIN_MIN_MS) /* the first of a row */
			log_warn("the audit trail's collector: %s; trying again", error);
		say(x, 0, *error ? error : "it does not answer");
		x->again_ns = clock_mono_ns() + x->again_ms * NSEC_PER_MSEC;
		x->again_ms = x->again_ms * 2 > AGAIN_MAX_MS ? AGAIN_MAX_MS : x->again_ms * 2;
		return;
	}
	if (x->again_ms > AGAIN_MIN_MS)
		log_info("the audit trail's collector takes messages again");
	x->again_ms = AGAIN_MIN_MS;
	x->again_ns = 0;
	last = json_array_get(rows, json_array_size(rows) - 1);
	say(x, (uint64_t)json_integer_value(json_object_get(last, "seq")), "");
	forget(x);
}

/* --- the process ----------------------------------------------------------------------------- */

static void read_options(struct exporter *x, int argc, char **argv)
{
	const char *ca = NULL, *cert = NULL, *key = NULL;
	char error[SYSLOG_ERROR];
	int c;

	while ((c = getopt(argc, argv, "g:s:p:n:a:c:k:")) != -1)
		switch (c) {
		case 'g':
			x->gateway = optarg;
			break;
		case 's':
			x->to.host = optarg;
			break;
		case 'p':
			x->to.port = optarg;
			break;
		case 'n':
			x->to.name = *optarg ? optarg : NULL;
			break;
		case 'a':
			ca = optarg;
			break;
		case 'c':
			cert = *optarg ? optarg : NULL;
			break;
		case 'k':
			key = optarg;
			break;
		default:
			fatal("started by hand? 'bedwarden run' starts it");
		}
	if (!x->gateway || !x->to.host || !x->to.port || !ca)
		fatal("started by hand? 'bedwarden run' starts it");
	/* While root may still read them. */
	x->trust = syslog_trust_new(ca, cert, key, error);
	if (!x->trust)
		fatal("audit.export: %s", error);
}

static int timeout_of(const struct exporter *x)
{
	uint64_t now = clock_mono_ns();

	if (x->batch)
		return x->again_ns > now ? (int)((x->again_ns - now) / NSEC_PER_MSEC + 1) : 0;
	return x->link ? LOOK_MS : -1;
}

int exporter_main(int argc, char **argv)
{
	static struct exporter x = {.keeper = -1, .again_ms = AGAIN_MIN_MS, .to.numeric = true};

	log_init("exporter", LOG_INFO);
	signal(SIGPIPE, SIG_IGN); /* a collector that hangs up is an error like others */
	/* What libraries would read later: randomness, the time zone. */
	json_object_seed(0);
	tzset();
	read_options(&x, argc, argv);
	lock_in(SETUP_USER, true, calls, sizeof(calls) / sizeof(*calls));
	if (ipc_send(PARENT_FD, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("the parent is gone");
	for (;;) {
		struct pollfd fds[] = {{.fd = PARENT_FD, .events = POLLIN},
				       {.fd = x.keeper, .events = POLLIN}};

		if (poll(fds, 2, timeout_of(&x)) < 0)
			continue;
		if (fds[0].revents && !hear(&x, PARENT_FD, FROM_PARENT))
			return 0;
		if (fds[1].revents && x.keeper == fds[1].fd && !hear(&x, x.keeper, FROM_KEEPER)) {
			close(x.keeper); /* the next keeper is introduced */
			x.keeper = -1;
			forget(&x);
		}
		if (x.batch && x.again_ns <= clock_mono_ns())
			deliver(&x);
		else if (!x.batch && x.link && !syslog_settled(x.link, 0))
			hang_up(&x);
	}
}
