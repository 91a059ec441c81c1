/*
 * The gateway's side of agents and rollouts for a test: a TLS server with the project's own
 * parts, a ward whose devices do as they are told on standard input.
 *   agent-kit PORT CERT KEY CA STATE TARGETS
 * Commands, a line each: add ID TARGET VERSION PREVIOUS|- DEVICE...; approve ID; undo ID;
 * patient DEVICE 0|1; talk DEVICE 0|1; push DEVICE URL; lie 0|1; show ID; each is answered by a line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/crypto.h"
#include "base/file.h"
#include "seal/pki/certificate.h"
#include "seal/pki/tls.h"
#include "update/rollout/rollouts.h"

#define WARD 16

static struct bed {
	char name[64];
	bool patient, mute;
	struct push push;
} ward[WARD];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rollouts *all;
static const char *targets;
static SSL_CTX *ctx;
static bool lies;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "agent-kit: %s\n", what);
	exit(1);
}

static struct bed *bed_of(const char *name)
{
	for (unsigned i = 0; i < WARD; i++) {
		if (!*ward[i].name)
			snprintf(ward[i].name, sizeof(ward[i].name), "%s", name);
		if (strcmp(ward[i].name, name) == 0)
			return &ward[i];
	}
	die("too many devices");
}

/* --- what rollouts ask ---------------------------------------------------------- */

static void see(void *arg, const char *device, struct rollout_seen *ret_seen)
{
	const struct bed *b = bed_of(device);
	int64_t now = time(NULL);

	*ret_seen = (struct rollout_seen){.known = true,
					  .reachable = true,
					  .vitals = b->patient ? now : 0,
					  .talked = b->mute ? 0 : now};
}

static enum driver how(void *arg, const char *device, struct push *ret_push)
{
	*ret_push = bed_of(device)->push;
	return *ret_push->url ? DRIVER_PUSH : DRIVER_AGENT;
}

static int file(void *arg, const char *target, struct agents_file *ret_file, int *ret_fd)
{
	struct agents_file f = {.length = 0};
	const char *dash = strrchr(target, '-');
	struct bytes text;
	char path[4096];
	int err;

	snprintf(path, sizeof(path), "%s/%s", targets, target);
	err = file_read(path, 64 << 20, &text);
	if (err < 0)
		return err;
	snprintf(f.target, sizeof(f.target), "%s", target);
	snprintf(f.version, sizeof(f.version), "%s", dash ? dash + 1 : "");
	f.length = text.len;
	crypto_sha256(text, f.sha256);
	free((void *)text.data);
	*ret_file = f;
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* --- conversations ------------------------------------------------------------------ */

static bool put(SSL *ssl, const void *data, size_t len)
{
	size_t n;

	return SSL_write_ex(ssl, data, len, &n) == 1;
}

static bool give(SSL *ssl, int fd, uint64_t from, uint64_t len)
{
	static __thread uint8_t buf[TALK_PIECE];
	ssize_t n = pread(fd, buf, (size_t)len, (off_t)from);

	if (lies && n > 0)
		buf[n / 2] ^= 1;
	return n == (ssize_t)len && put(ssl, buf, (size_t)n);
}

static bool answer(SSL *ssl, const char *device, const struct talk_report *r)
{
	uint8_t out[TALK_MAX + 4];
	struct talk_order o;
	int fd, err;
	bool fine;
	size_t len;

	pthread_mutex_lock(&lock);
	err = rollouts_report(all, device, r, time(NULL), &o, &fd);
	pthread_mutex_unlock(&lock);
	if (err < 0)
		return false;
	if (o.what == TALK_WAIT)
		o.seconds = 1;
	len = talk_write_order(&o, out);
	fine = len && put(ssl, out, len) && (fd < 0 || give(ssl, fd, r->from, o.length));
	if (fd >= 0)
		close(fd);
	return fine && o.what != TALK_WAIT;
}

static void *converse(void *arg)
{
	int fd = (int)(intptr_t)arg;
	SSL *ssl = SSL_new(ctx);
	struct tls_peer peer = {.refused = REASON_NONE};
	struct talk_report r;
	uint8_t in[TALK_MAX + 4];
	size_t len = 0, n, used;

	tls_peer_attach(ssl, &peer);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) != 1)
		goto out;
	for (;;) {
		enum parse got = talk_read_report((struct bytes){in, len}, &r, &used);

		if (got == PARSE_BAD)
			break;
		if (got == PARSE_MORE) {
			if (SSL_read_ex(ssl, in + len, sizeof(in) - len, &n) != 1)
				break;
			len += n;
			continue;
		}
		memmove(in, in + used, len - used);
		len -= used;
		if (!answer(ssl, peer.subject, &r))
			break;
	}
out:
	SSL_shutdown(ssl);
	tls_peer_attach(ssl, NULL);
	SSL_free(ssl);
	close(fd);
	return NULL;
}

static void *serve(void *arg)
{
	int listener = (int)(intptr_t)arg;

	for (;;) {
		int fd = accept(listener, NULL, NULL);
		pthread_t t;

		if (fd < 0 || pthread_create(&t, NULL, converse, (void *)(intptr_t)fd))
			die("accept");
		pthread_detach(t);
	}
	return NULL;
}

static void *turns(void *arg)
{
	for (;;) {
		usleep(200000);
		pthread_mutex_lock(&lock);
		rollouts_turn(all, time(NULL), 720);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

/* --- commands ------------------------------------------------------------------------ */

static int add(char **w, unsigned count)
{
	struct rollout_plan plan = {.few = 1,
				    .parallel = 2,
				    .success = 100,
				    .install_s = 20,
				    .watch_s = 2,
				    .patient_s = 3};
	struct rollout *r;
	int err;

	if (count < 6)
		return -EINVAL;
	r = rollout_new(w[1], w[2], w[3], &plan, (const char *const *)w + 5, count - 5);
	if (!r)
		return -ENOMEM;
	if (strcmp(w[4], "-") != 0)
		snprintf(r->previous, sizeof(r->previous), "%s", w[4]);
	err = rollouts_add(all, r);
	if (err < 0)
		rollout_free(r);
	return err;
}

static int change(const char *what, const char *id)
{
	struct rollout *r = rollouts_find(all, id);
	int err = !r			      ? -ENOENT
		  : strcmp(what, "undo") == 0 ? rollout_undo(r, time(NULL))
					      : rollout_approve(r, "test", time(NULL));

	return err < 0 ? err : rollouts_keep(all, r);
}

static void show(const char *id)
{
	struct rollout *r = rollouts_find(all, id);
	json_t *o = r ? rollout_json(r) : json_null();
	char *text = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY);

	puts(text);
	free(text);
	json_decref(o);
}

static int command(char **w, unsigned count)
{
	if (count > 1 && strcmp(w[0], "add") == 0)
		return add(w, count);
	if (count == 2 && (strcmp(w[0], "undo") == 0 || strcmp(w[0], "approve") == 0))
		return change(w[0], w[1]);
	if (count == 3 && strcmp(w[0], "patient") == 0)
		bed_of(w[1])->patient = *w[2] == '1';
	else if (count == 3 && strcmp(w[0], "talk") == 0)
		bed_of(w[1])->mute = *w[2] == '0';
	else if (count == 3 && strcmp(w[0], "push") == 0)
		bed_of(w[1])->push = (struct push){.seconds = 20};
	else if (count == 2 && strcmp(w[0], "lie") == 0)
		lies = *w[1] == '1';
	else
		return -EINVAL;
	if (strcmp(w[0], "push") == 0)
		snprintf(bed_of(w[1])->push.url, PUSH_URL, "%s", w[2]);
	return 0;
}

static void obey(char *line)
{
	char *w[20], *rest = NULL;
	unsigned n = 0;

	for (char *t = strtok_r(line, " \n", &rest); t && n < 20; t = strtok_r(NULL, " \n", &rest))
		w[n++] = t;
	pthread_mutex_lock(&lock);
	if (n == 2 && strcmp(w[0], "show") == 0)
		show(w[1]);
	else
		printf("%d\n", n ? command(w, n) : -EINVAL);
	pthread_mutex_unlock(&lock);
	fflush(stdout);
}

static int listen_at(const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)atoi(port)),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 16) < 0)
		die("the port");
	return s;
}

static struct bytes text_of(const char *path)
{
	struct bytes text;

	if (file_read(path, 1 << 20, &text) < 0)
		die(path);
	return text;
}

int main(int argc, char **argv)
{
	struct rollouts_calls calls = {.see = see, .how = how, .file = file};
	struct tls_options o = {.server = true, .mutual = true};
	struct trust *trust = trust_new();
	char line[1024], error[TLS_ERROR] = "";
	pthread_t t;
	FILE *key;

	if (argc != 7)
		die("usage: PORT CERT KEY CA STATE TARGETS");
	signal(SIGPIPE, SIG_IGN);
	key = fopen(argv[3], "r");
	o.key = key ? PEM_read_PrivateKey(key, NULL, NULL, NULL) : NULL;
	o.chain = cert_chain(text_of(argv[2]));
	if (!o.key || !o.chain || trust_add(trust, text_of(argv[4])) < 1)
		die("certificates");
	o.trust = trust;
	ctx = tls_context_new(&o, error);
	targets = argv[6];
	all = ctx ? rollouts_open(argv[5], &calls) : NULL;
	if (!all)
		die(*error ? error : "the state's folder");
	if (pthread_create(&t, NULL, serve, (void *)(intptr_t)listen_at(argv[1])) ||
	    pthread_create(&t, NULL, turns, NULL))
		die("threads");
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	_exit(0);
}
