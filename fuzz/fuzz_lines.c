/*
 * What the link is told by the parent of relays (R) and by the keeper of certificates, line after line, the first
 * letter says what: K answers whatever was asked last, C says that something has changed, I is an answer as the
 * keeper gives it, with a certificate that fits. E is a machine that asks for one by EST (c: whose it would be,
 * e: enrols, r: renews), T a tick. Whatever it is, each machine is answered once, in HTTP, and how
 * relays stand can be told.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "base/json.h"
#include "role/link.h"
#include "role/peers.h"
#include "role/tls_key.h"
#include "seal/pki/certificate.h"
#include "touch.h"

#define LINES_MOST 24
#define MACHINES   4

static struct link l;
static int key_sock;   /* the keeper's end, for the key alone */
static uint32_t asked; /* questions for the key */
static int machines[MACHINES], keeper[2];
static unsigned machine_count;
static char *identity;
static uint8_t point[P256_POINT];

/* As the keeper would answer: a certificate of its own, and whom to trust. */
static void make_identity(void)
{
	struct cert_names names = {0};
	struct cert_order o = {.profile = CERT_GATEWAY,
			       .name = "ward",
			       .names = &names,
			       .now_s = 1,
			       .days = 36500};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = key ? cert_root(key, key, &o) : NULL;
	char *pem = x ? cert_text(x) : NULL;
	size_t len = 0;
	json_t *root = pem ? json_pack("{s:s, s:s}", "chain", pem, "trust", pem) : NULL;

	identity = root ? json_dumps(root, JSON_COMPACT) : NULL;
	if (!identity ||
	    EVP_PKEY_get_octet_string_param(key, "pub", point, sizeof(point), &len) != 1 ||
	    len != sizeof(point))
		abort();
	json_decref(root);
	free(pem);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void answer(uint32_t id, struct bytes text)
{
	struct ipc_message m = {.type = IPC_PKI, .id = id, .body = text, .fd = -1};

	if (!lines_answer(l.lines, &m))
		(void)est_answer(l.est, &m);
}

/* The key is asked for within, where there is none yet: the answer is there before the question. */
static void identify(void)
{
	uint8_t body[4 + P256_POINT] = {0};
	static uint8_t buf[IPC_BUF];
	struct ipc_message m;
	int pair[2];

	if (ipc_pair(pair) < 0)
		abort();
	key_sock = pair[1];
	memcpy(body + 4, point, P256_POINT);
	if (ipc_send(key_sock, IPC_TLS_KEY, asked + 1, (struct bytes){body, sizeof(body)}, -1) < 0)
		abort();
	tls_key_socket(l.key, pair[0]);
	answer(l.asked, (struct bytes){(const uint8_t *)identity, strlen(identity)});
	asked += ipc_recv(key_sock, buf, &m) == 0;
	tls_key_socket(l.key, -1);
	close(pair[0]);
	close(pair[1]);
}

static void machine(char what)
{
	static const char *const asks[] = {
		"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: g\r\n\r\n",
		"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: g\r\nAuthorization: Basic "
		"OmNvZGU=\r\nContent-Type: application/pkcs10\r\nContent-Length: 4\r\n\r\nMIIB",
		"POST /.well-known/est/simplereenroll HTTP/1.1\r\nHost: g\r\n"
		"Content-Type: application/pkcs10\r\nContent-Length: 4\r\n\r\nMIIB"};
	const char *text = asks[what == 'c' ? 0 : what == 'e' ? 1 : 2];
	static const uint8_t from[16], der[] = "of a certificate";
	int pair[2];

	if (machine_count == MACHINES)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0 ||
	    send(pair[0], text, strlen(text), MSG_NOSIGNAL) < 0 ||
	    est_serve(l.est, pair[1], from, (struct bytes){der, sizeof(der)}) < 0)
		abort();
	machines[machine_count++] = pair[0];
	relays_turn(l.relays, 0);
}

static void drop_questions(void)
{
	static uint8_t buf[IPC_BUF];
	struct ipc_message m;

	while (ipc_recv(keeper[1], buf, &m) == 0)
		touch(m.body);
}

static void line(struct bytes text)
{
	struct bytes rest = {text.data + 1, text.len - 1};

	if (*text.data == 'R')
		(void)lines_take(l.lines, rest);
	else if (*text.data == 'K')
		answer(l.asked, rest);
	else if (*text.data == 'C')
		answer(0, rest);
	else if (*text.data == 'I')
		identify();
	else if (*text.data == 'E' && rest.len)
		machine((char)*rest.data);
	else if (*text.data == 'T') {
		lines_tick(l.lines);
		est_tick(l.est);
	}
	drop_questions();
}

static void look(void)
{
	static char buf[IPC_BODY_MAX];
	struct json j = json_new(buf, sizeof(buf));
	json_t *o;

	json_open(&j, NULL);
	lines_state(l.lines, &j);
	json_close(&j);
	o = json_loadb(buf, j.out.len, 0, NULL);
	if (!j.out.bad && !json_is_array(json_object_get(o, "relays")))
		abort();
	json_decref(o);
}

/* One answer and its end, or none. */
static void read_back(int fd)
{
	static char text[1 << 17];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n > 0) {
		const char *body, *length;

		text[n] = 0;
		body = strstr(text, "\r\n\r\n");
		length = strstr(text, "\r\nContent-Length: ");
		if (strncmp(text, "HTTP/1.1 ", 9) != 0 || !body || !length || length > body ||
		    strtoul(length + 18, NULL, 10) != (size_t)(text + n - body - 4))
			abort();
	}
	close(fd);
}

static void begin(void)
{
	static const struct relay_calls calls;
	static const struct tls_key_calls none;

	l = (struct link){.parent = -1, .updater = -1, .leave = -1};
	if (ipc_pair(keeper) < 0)
		abort();
	l.keeper = keeper[0];
	l.relays = relays_new(&calls);
	l.key = tls_key_new(-1, "tls.link", &none);
	l.lines = lines_new(&l);
	l.est = est_new(&l);
	l.peers = peers_new(&l);
	if (!l.relays || !l.key || !l.lines || !l.est || !l.peers)
		abort();
	asked = 0;
	machine_count = 0;
}

static void end(void)
{
	for (unsigned i = 0; i < machine_count; i++)
		read_back(machines[i]);
	peers_free(l.peers);
	est_free(l.est);
	relays_free(l.relays);
	lines_free(l.lines);
	tls_key_free(l.key);
	close(keeper[0]);
	close(keeper[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!identity)
		make_identity();
	begin();
	for (unsigned n = 0; n < LINES_MOST && len; n++) {
		const uint8_t *to = memchr(data, '\n', len);
		size_t part = to ? (size_t)(to - data) : len;

		if (part)
			line((struct bytes){data, part});
		data += part + !!to;
		len -= part + !!to;
	}
	look();
	end();
	return 0;
}
