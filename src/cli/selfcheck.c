#include "cli/selfcheck.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "cli/control.h"
#include "role/setup.h"

#define PAUSE_MS  250
#define CONSOLE_S 5

/* What must not grow while it proves itself. */
struct trouble {
	json_int_t restarts, uninspected;
};

static bool lacking(char *ret_why, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static bool lacking(char *ret_why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret_why, size, fmt, ap);
	va_end(ap);
	return false;
}

static void take(void *arg, json_t *row)
{
	json_t **status = arg;

	if (!*status)
		*status = json_incref(row);
}

/* The gateway's status, NULL while nobody answers. Nothing is said of that. */
static json_t *ask(const struct control_options *o)
{
	json_t *request = json_pack("{s:s}", "cmd", "status"), *status = NULL;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), kept = dup(STDERR_FILENO);

	if (null >= 0)
		dup2(null, STDERR_FILENO);
	if (request)
		control_ask(o, request, false, take, &status);
	if (kept >= 0) {
		dup2(kept, STDERR_FILENO);
		close(kept);
	}
	if (null >= 0)
		close(null);
	json_decref(request);
	return status;
}

static json_int_t packets(const json_t *status, const char *of)
{
	return control_number(json_object_get(json_object_get(status, "floor"), of), "packets");
}

/* All that is wanted is at work, and has the policy that is in force. */
static bool are_alive(const json_t *status, const char *list, struct trouble *t, char *why,
		      size_t size)
{
	const json_t *p;
	size_t i;

	json_array_foreach (json_object_get(status, list), i, p) {
		t->restarts += control_number(p, "restarts");
		if (!json_is_true(json_object_get(p, "wanted")))
			continue;
		if (!json_is_true(json_object_get(p, "alive")))
			return lacking(why, size, "%s is not at work", control_text(p, "name"));
		if (json_object_get(p, "generation") &&
		    control_number(p, "generation") != control_number(status, "generation"))
			return lacking(why, size, "a guard has not taken the policy");
	}
	return true;
}

/* --- the console -------------------------------------------------------------- */

static int reach(const char *at)
{
	const struct addrinfo hint = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				      .ai_socktype = SOCK_STREAM};
	const struct timeval patience = {.tv_sec = CONSOLE_S};
	const char *colon = strrchr(at, ':');
	struct addrinfo *a = NULL;
	char host[64];
	int s;

	snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - at) : 0, at);
	if (host[0] == '[' && strlen(host) > 1) {
		memmove(host, host + 1, strlen(host));
		host[strlen(host) - 1] = 0;
	}
	if (!colon || getaddrinfo(host, colon + 1, &hint, &a) != 0)
		return -1;
	s = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s >= 0) {
		setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (connect(s, a->ai_addr, a->ai_addrlen) < 0) {
			close(s);
			s = -1;
		}
	}
	freeaddrinfo(a);
	return s;
}

/* A handshake takes the console, and the keeper who has its key. Who it is, is not asked here. */
static bool console_answers(const json_t *status)
{
	const json_t *console = json_object_get(status, "console"),
		     *listen = json_object_get(console, "listen");
	const char *at = json_string_value(json_array_get(listen, 0));
	SSL_CTX *c;
	SSL *ssl;
	bool fine = false;
	int s;

	if (!at)
		return true; /* there is none */
	s = reach(at);
	if (s < 0)
		return false;
	c = SSL_CTX_new(TLS_client_method());
	ssl = c ? SSL_new(c) : NULL;
	if (ssl && SSL_set_fd(ssl, s))
		fine = SSL_connect(ssl) == 1;
	SSL_free(ssl);
	SSL_CTX_free(c);
	close(s);
	return fine;
}

/* --- one look, and all of them ------------------------------------------------ */

static bool look(const struct control_options *o, const char *release, struct trouble *ret_trouble,
		 json_t **ret_status, char *why, size_t size)
{
	json_t *status = ask(o);
	bool fine;

	*ret_status = status;
	*ret_trouble = (struct trouble){0};
	if (!status)
		return lacking(why, size, "nobody answers");
	if (strcmp(control_text(status, "release"), release) != 0)
		return lacking(why, size, "it is another release that runs");
	fine = are_alive(status, "guards", ret_trouble, why, size) &&
	       are_alive(status, "processes", ret_trouble, why, size);
	ret_trouble->uninspected = packets(status, "uninspected") + packets(status, "failed");
	return fine;
}

static void say(const char *why)
{
	/* The last word is the one that counts: the reader takes what is there when we end. */
	printf("%s\n", why);
}

static int watch(const struct control_options *o, const char *release)
{
	struct trouble first = {0}, now;
	char why[256] = "", said[256] = "";
	uint64_t since = 0;
	json_t *status;

	for (;;) {
		bool fine = look(o, release, &now, &status, why, sizeof(why));

		if (fine && since && now.uninspected > first.uninspected)
			fine = lacking(why, sizeof(why), "packets go uninspected");
		if (fine && since && now.restarts > first.restarts)
			fine = lacking(why, sizeof(why), "its processes end and start again");
		if (fine && !since) {
			since = clock_mono_ns();
			first = now;
		} else if (!fine) {
			since = 0;
		}
		if (fine && clock_mono_ns() - since >= SELFCHECK_STEADY_S * NSEC_PER_SEC) {
			fine = console_answers(status) ||
			       lacking(why, sizeof(why), "the console does not answer");
			if (fine) {
				json_decref(status);
				return CLI_OK;
			}
		}
		json_decref(status);
		if (!fine && strcmp(why, said) != 0) {
			say(why);
			snprintf(said, sizeof(said), "%s", why);
		}
		usleep(PAUSE_MS * 1000);
	}
}

int selfcheck_main(int argc, char **argv)
{
	struct control_options o;
	const char *release = "";
	int c, code = CLI_OK;

	log_init("selfcheck", LOG_INFO);
	control_defaults(&o);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (code == CLI_OK && (c = getopt(argc, argv, CONTROL_LETTERS "r:")) != -1) {
		if (c == 'r')
			release = optarg;
		else
			code = control_option(&o, c);
	}
	if (code != CLI_OK || optind != argc) {
		say("the policy file cannot be read");
		return CLI_FAILED;
	}
	/* Our own user may ask the gateway; where there is none, only root may. */
	if (getpwnam(SETUP_USER) && sandbox_drop(SETUP_USER) < 0)
		return CLI_FAILED;
	return watch(&o, release);
}
