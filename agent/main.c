#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/digest.h"
#include "base/hex.h"

#define ILL_MAX 3 /* times in a row that a new version may say it is not well */

struct agent {
	struct settings s;
	struct memory m;
	char file[4096]; /* what was or is being fetched */
	unsigned ill;
};

static void said(const char *what, const char *text)
{
	fprintf(stderr, "bedwarden-agent: %s%s%s\n", what, *text ? ": " : "", text);
}

static int keep(struct agent *a)
{
	int err = memory_keep(a->s.state, &a->m);

	if (err < 0)
		said("its memory cannot be written", strerror(-err));
	return err;
}

/* --- the trial ---------------------------------------------------------------- */

/* Back to what ran before. Repeated until it has worked. */
static void go_back(struct agent *a, const char *why)
{
	char error[AGENT_ERROR] = "";
	int err = install_back(&a->s, a->m.was, error);

	said(why, error);
	if (err < 0) {
		snprintf(a->m.text, sizeof(a->m.text), "%.100s; and back it cannot: %.100s", why,
			 error);
		keep(a);
		return;
	}
	a->m.state = TALK_FAILED;
	snprintf(a->m.text, sizeof(a->m.text), "%s", why);
	if (keep(a) == 0 && install_restart(&a->s, error) < 0)
		said("no restart", error);
}

/* Whoever cannot reach the gateway, or is not told that all is well, is not kept. */
static void judge_trial(struct agent *a)
{
	int64_t now = time(NULL), since = a->m.trial_since;

	if (a->m.state != TALK_TRIAL)
		return;
	a->ill = install_is_healthy(&a->s) ? 0 : a->ill + 1;
	if (a->ill >= ILL_MAX)
		go_back(a, "the new version says that it is not well");
	else if (now < since) /* the clock was set back */
		a->m.trial_since = now;
	else if (now - since > a->s.trial_s)
		go_back(a, "nobody said in time that the new version is well");
}

/* --- what the gateway orders --------------------------------------------------- */

static bool is_whole(const struct agent *a)
{
	struct digest d = digest_new(DIGEST_SHA256);
	char hex[DIGEST_HEX_MAX];
	uint8_t buf[65536];
	ssize_t n;
	int fd = open(a->file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		digest_add(&d, buf, (size_t)n);
	close(fd);
	digest_hex(&d, hex);
	return n == 0 && strcmp(hex, a->m.sha256) == 0;
}

/* What is there already of this very file stays; anything else is not what was asked for. */
static void begin_fetch(struct agent *a, const struct talk_order *o)
{
	char hex[HEX_LEN(sizeof(o->sha256))];

	hex_write(o->sha256, sizeof(o->sha256), hex);
	if (strcmp(hex, a->m.sha256) == 0 && strcmp(o->target, a->m.target) == 0 &&
	    a->m.state == TALK_IDLE)
		return;
	unlink(a->file);
	a->m = (struct memory){.state = TALK_IDLE, .length = o->length};
	snprintf(a->m.target, sizeof(a->m.target), "%s", o->target);
	snprintf(a->m.version, sizeof(a->m.version), "%s", o->version);
	memcpy(a->m.sha256, hex, sizeof(hex));
	keep(a);
}

static void refuse(struct agent *a, const char *why)
{
	said(a->m.target, why);
	unlink(a->file);
	a->m.state = TALK_FAILED;
	snprintf(a->m.text, sizeof(a->m.text), "%s", why);
	keep(a);
}

static void end_fetch(struct agent *a, int fd)
{
	fsync(fd);
	if (!is_whole(a)) {
		refuse(a, "what came is not what was announced");
		return;
	}
	a->m.state = TALK_RECEIVED;
	keep(a);
}

static bool has_room(const struct agent *a, uint64_t more)
{
	struct statvfs v;

	return statvfs(a->s.state, &v) < 0 || (uint64_t)v.f_bavail * v.f_frsize > more;
}

static void report(const struct agent *a, struct talk_report *r);

/* Piece after piece, from where the last conversation broke off. */
static int fetch(struct agent *a, struct session *t, const struct talk_order *o)
{
	struct talk_order answer;
	struct talk_report r;
	struct stat st;
	int fd, err = 0;

	begin_fetch(a, o);
	fd = open(a->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		err = -errno;
	while (err == 0 && (uint64_t)st.st_size < o->length) {
		if (!has_room(a, o->length - (uint64_t)st.st_size)) {
			refuse(a, "there is no room for it");
			err = -ENOSPC;
			break;
		}
		report(a, &r);
		r.asks = true;
		r.from = (uint64_t)st.st_size;
		err = session_ask(t, &r, &answer);
		if (err == 0 && (answer.what != TALK_BYTES || !answer.length ||
				 answer.length > o->length - r.from))
			err = -EBADMSG;
		if (err == 0)
			err = session_take(t, answer.length, fd);
		if (fstat(fd, &st) < 0)
			err = -errno;
	}
	if (err == 0)
		end_fetch(a, fd);
	if (fd >= 0)
		close(fd);
	return err;
}

static void install(struct agent *a)
{
	char error[AGENT_ERROR] = "", now[AGENT_SLOT];
	bool runs;

	if (a->m.state != TALK_RECEIVED || !is_whole(a)) {
		refuse(a, "it is not there whole");
		return;
	}
	if (install_current(&a->s, now, error) < 0) {
		refuse(a, error);
		return;
	}
	if (!*a->m.was) { /* before anything is touched */
		snprintf(a->m.was, sizeof(a->m.was), "%s", now);
		if (keep(a) < 0)
			return;
	}
	/*
	 * Another slot than before runs: it was installed, and a cut of power came before that was
	 * noted. Once more would put it over the one to go back to.
	 */
	runs = !a->s.folder && *a->m.was && strcmp(now, a->m.was) != 0;
	said(runs ? "runs already" : "installing", a->m.target);
	if (!runs && install_begin(&a->s, a->m.was, a->file, error) < 0) {
		*a->m.was = 0;
		refuse(a, error);
		return;
	}
	a->m.state = TALK_TRIAL;
	a->m.trial_since = time(NULL);
	a->ill = 0;
	if (keep(a) == 0 && !runs && install_restart(&a->s, error) < 0)
		said("no restart", error);
}

/* A gateway of before names no file with KEEP and BACK: what is on trial is meant. */
static bool is_on_trial(const struct agent *a, const struct talk_order *o)
{
	return a->m.state == TALK_TRIAL && (!*o->target || strcmp(o->target, a->m.target) == 0);
}

static void kept(struct agent *a)
{
	char error[AGENT_ERROR] = "";

	if (install_keep(&a->s, error) < 0) {
		said("it cannot be kept", error);
		return;
	}
	unlink(a->file);
	a->m = (struct memory){.state = TALK_IDLE};
	keep(a);
}

/* How long to be silent, in seconds; 0: not at all. -errno: the conversation has ended. */
static int obey(struct agent *a, struct session *t, const struct talk_order *o)
{
	switch (o->what) {
	case TALK_WAIT:
		return o->seconds ? (int)o->seconds : 1;
	case TALK_GET:
		return fetch(a, t, o);
	case TALK_INSTALL:
		if (strcmp(o->target, a->m.target) != 0)
			return -EBADMSG;
		install(a);
		return 0;
	case TALK_KEEP:
		if (is_on_trial(a, o))
			kept(a);
		return 0;
	case TALK_BACK:
		if (is_on_trial(a, o))
			go_back(a, "the gateway took it back");
		return 0;
	default:
		return -EBADMSG;
	}
}

/* --- the loop ------------------------------------------------------------------- */

static void report(const struct agent *a, struct talk_report *r)
{
	*r = (struct talk_report){.state = a->m.state};
	snprintf(r->vendor, sizeof(r->vendor), "%s", a->s.vendor);
	snprintf(r->model, sizeof(r->model), "%s", a->s.model);
	snprintf(r->hardware, sizeof(r->hardware), "%s", a->s.hardware ? a->s.hardware : "");
	snprintf(r->serial, sizeof(r->serial), "%s", a->s.serial ? a->s.serial : "");
	snprintf(r->target, sizeof(r->target), "%s", a->m.target);
	snprintf(r->text, sizeof(r->text), "%s", a->m.text);
	install_version(&a->s, r->version);
	r->healthy = a->ill == 0;
}

/* One conversation; seconds until the next. */
static unsigned converse(struct agent *a)
{
	char error[AGENT_ERROR] = "";
	struct session *t = session_open(&a->s, error);
	struct talk_order o;
	struct talk_report r;
	int n = 0;

	if (!t) {
		said("the gateway", error);
		return a->s.poll_s;
	}
	while (n == 0) {
		report(a, &r);
		n = session_ask(t, &r, &o);
		if (n == 0)
			n = obey(a, t, &o);
	}
	session_close(t);
	if (n < 0)
		said("the conversation ended", strerror(-n));
	return n < 0 || (unsigned)n > a->s.poll_s ? a->s.poll_s : (unsigned)n;
}

static bool begin(struct agent *a, const char *path)
{
	char error[AGENT_ERROR];
	int err;

	if (settings_read(path, &a->s, error) < 0) {
		said("settings", error);
		return false;
	}
	if (mkdir(a->s.state, 0700) < 0 && errno != EEXIST) {
		said(a->s.state, strerror(errno));
		return false;
	}
	snprintf(a->file, sizeof(a->file), "%s/target", a->s.state);
	err = memory_load(a->s.state, &a->m);
	if (err == -EBADMSG) { /* nothing is lost but an update under way */
		said("its memory is broken", "it begins anew");
		a->m = (struct memory){.state = TALK_IDLE};
	} else if (err < 0) {
		said("its memory", strerror(-err));
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct agent a = {.ill = 0};
	const char *path = "/etc/bedwarden-agent.conf";
	bool once = false, known = true;
	int c;

	while (known && (c = getopt(argc, argv, "c:1")) != -1) {
		if (c == 'c')
			path = optarg;
		else if (c == '1')
			once = true;
		else
			known = false;
	}
	if (!known || optind != argc) {
		fprintf(stderr, "usage: bedwarden-agent [-c FILE] [-1]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (!begin(&a, path))
		return 1;
	do {
		unsigned seconds;

		judge_trial(&a);
		seconds = converse(&a);
		if (!once)
			poll(NULL, 0, (int)seconds * 1000);
	} while (!once);
	settings_free(&a.s);
	return 0;
}
