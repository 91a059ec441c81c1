#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <jansson.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/secret.h"
#include "role/link.h"
#include "seal/pki/certificate.h"
#include "seal/pki/est.h"

#define GUESTS	  EST_CONNECTIONS
#define SILENT_NS (20 * NSEC_PER_SEC)
#define IN_MAX	  (EST_HEAD_MAX + EST_BODY_MAX)

/* A machine that asks for a certificate: its end of a socket pair with the relay. */
struct guest {
	struct est *est;
	int fd; /* -1: free */
	uint32_t asked;
	bool enrols; /* else it asked for our authority's certificate */
	bool told;   /* to go on */
	bool done;   /* was answered; what it still says is not heard */
	uint64_t since_ns;
	uint8_t *certificate;
	size_t certificate_len;
	char *in;
	size_t in_len;
};

struct est {
	struct link *link;
	struct guest guests[GUESTS];
};

struct est *est_new(struct link *l)
{
	struct est *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->link = l;
	for (unsigned i = 0; i < GUESTS; i++)
		e->guests[i] = (struct guest){.est = e, .fd = -1};
	return e;
}

static void leave(struct guest *g)
{
	relays_unwatch(g->est->link->relays, g->fd);
	close(g->fd);
	free(g->certificate);
	if (g->in)
		secret_wipe(g->in, IN_MAX); /* a code may be in it */
	free(g->in);
	*g = (struct guest){.est = g->est, .fd = -1};
}

void est_free(struct est *e)
{
	for (unsigned i = 0; i < GUESTS; i++)
		if (e->guests[i].fd >= 0)
			leave(&e->guests[i]);
	free(e);
}

/* A pair's buffer takes an answer whole; who does not read it goes without. Its end comes with the
 * pair's other one, or with est_tick(). */
static void reply(struct guest *g, char *text, size_t len)
{
	if (text)
		(void)!send(g->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	/* Who is still talking would lose the answer if the pair closed now, or when it is full. */
	shutdown(g->fd, SHUT_WR);
	g->done = true;
	g->in_len = 0;
}

static void refuse(struct guest *g, unsigned status, const char *why)
{
	size_t len;
	char *text = est_refusal(status, why, &len);

	reply(g, text, len);
}

static char *base64(const uint8_t *data, size_t len)
{
	char *text = malloc((len + 2) / 3 * 4 + 1);

	if (text)
		text[base64_write_padded(data, len, text)] = 0;
	return text;
}

static void ask(struct guest *g, const struct est_request *r)
{
	json_t *q = json_object();
	char *text, *own;

	json_object_set_new(q, "call",
			    json_string(r->call == EST_CACERTS	? "cacerts"
					: r->call == EST_ENROLL ? "enrol"
								: "renew"));
	if (r->call != EST_CACERTS)
		json_object_set_new(q, "csr",
				    json_stringn((const char *)r->body.data, r->body.len));
	if (r->call == EST_ENROLL)
		json_object_set_new(q, "code", json_string(r->code));
	if (r->call == EST_REENROLL && (own = base64(g->certificate, g->certificate_len))) {
		json_object_set_new(q, "certificate", json_string(own));
		free(own);
	}
	text = json_dumps(q, JSON_COMPACT);
	g->asked = text ? link_ask(g->est->link, text) : 0;
	g->enrols = r->call != EST_CACERTS;
	free(text);
	json_decref(q);
	if (!g->asked)
		refuse(g, 503, "the keeper cannot be asked now; try again");
}

static void heard(struct guest *g)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct est_request r;
	unsigned status;
	enum parse got = est_read((struct bytes){(uint8_t *)g->in, g->in_len}, &r, &status);

	if (got == PARSE_MORE && status == 100 && !g->told) {
		g->told = true;
		(void)!send(g->fd, go_on, sizeof(go_on) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (got == PARSE_MORE)
		return;
	if (got == PARSE_BAD)
		refuse(g, status, "this answers EST: cacerts, simpleenroll, simplereenroll");
	else if (r.call == EST_ENROLL && !*r.code)
		refuse(g, 401,
		       "a one-time code is needed, as the password of HTTP's Basic; "
		       "'bedwarden pki code' makes it");
	else if (r.call == EST_REENROLL && !g->certificate_len)
		refuse(g, 401, "TLS has to be spoken with the certificate that is to be renewed");
	else
		ask(g, &r);
}

static void hear(void *arg)
{
	struct guest *g = arg;
	size_t room = IN_MAX - g->in_len;
	ssize_t n;

	if (!g->in)
		g->in = malloc(IN_MAX);
	if (!g->in || !room) {
		leave(g);
		return;
	}
	n = recv(g->fd, g->in + g->in_len, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		leave(g);
		return;
	}
	if (g->done)
		return;
	g->in_len += (size_t)n;
	if (!g->asked)
		heard(g);
}

int est_serve(void *arg, int fd, const uint8_t from[16], struct bytes certificate)
{
	struct est *e = arg;
	struct guest *g = NULL;
	int err;

	for (unsigned i = 0; i < GUESTS && !g; i++)
		if (e->guests[i].fd < 0)
			g = &e->guests[i];
	if (!g)
		return -EBUSY;
	if (certificate.len) {
		g->certificate = malloc(certificate.len);
		if (!g->certificate)
			return -ENOMEM;
		memcpy(g->certificate, certificate.data, certificate.len);
		g->certificate_len = certificate.len;
	}
	err = relays_watch(e->link->relays, fd, hear, g);
	if (err < 0) {
		free(g->certificate);
		*g = (struct guest){.est = e, .fd = -1};
		return err;
	}
	g->fd = fd;
	g->since_ns = clock_mono_ns();
	return 0;
}

static void give(struct guest *g, const char *pem)
{
	STACK_OF(X509) *chain = cert_chain((struct bytes){(const uint8_t *)pem, strlen(pem)});
	uint8_t *der = NULL;
	size_t der_len = 0, len = 0;
	char *text = NULL;

	/* RFC 7030 §4.2.3: the certificate alone; who issued it is asked for by cacerts. */
	while (g->enrols && chain && sk_X509_num(chain) > 1)
		X509_free(sk_X509_pop(chain));
	if (chain)
		der_len = cert_pkcs7(chain, &der);
	if (der_len)
		text = est_certificates((struct bytes){der, der_len}, g->enrols, &len);
	OPENSSL_free(der);
	sk_X509_pop_free(chain, X509_free);
	if (text)
		reply(g, text, len);
	else
		refuse(g, 500, "the certificate could not be written");
}

bool est_answer(struct est *e, const struct ipc_message *m)
{
	struct guest *g = NULL;
	const json_t *error;
	const char *pem, *why;
	json_int_t status;
	json_t *a;

	for (unsigned i = 0; i < GUESTS && !g; i++)
		if (e->guests[i].fd >= 0 && e->guests[i].asked && e->guests[i].asked == m->id)
			g = &e->guests[i];
	if (!g || g->done)
		return g != NULL;
	a = json_loadb((const char *)m->body.data, m->body.len, 0, NULL);
	error = json_object_get(a, "error");
	pem = json_string_value(json_object_get(a, "pem"));
	why = json_string_value(json_object_get(error, "text"));
	status = json_integer_value(json_object_get(error, "status"));
	if (pem)
		give(g, pem);
	else
		refuse(g, status >= 400 && status < 600 ? (unsigned)status : 500,
		       why ? why : "the keeper's answer cannot be read");
	json_decref(a);
	return true;
}

void est_tick(struct est *e)
{
	for (unsigned i = 0; i < GUESTS; i++)
		if (e->guests[i].fd >= 0 && clock_mono_ns() - e->guests[i].since_ns > SILENT_NS)
			leave(&e->guests[i]);
}
