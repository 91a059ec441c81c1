#include "role/tls_key.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/async.h>
#include <openssl/evp.h>

#include "base/clock.h"
#include "seal/pki/signer.h"

/* A question; id 0: free. It stands on the stack of who waits for it. */
struct question {
	struct question *next;
	uint32_t id;
	void *who;
	bool answered;
	int32_t result; /* length or -errno */
	uint8_t data[P256_POINT];
};

struct tls_key {
	int sock;
	const char *purpose;
	struct tls_key_calls calls;
	struct question *questions;
	unsigned waiting;
	uint32_t asked;
	void *who;
};

struct tls_key *tls_key_new(int sock, const char *purpose, const struct tls_key_calls *calls)
{
	struct tls_key *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->sock = sock;
	k->purpose = purpose;
	k->calls = *calls;
	return k;
}

void tls_key_free(struct tls_key *k)
{
	free(k);
}

static void answer(struct tls_key *k, struct question *q, int32_t result)
{
	q->result = result;
	q->answered = true;
	if (q->who && k->calls.resume)
		k->calls.resume(k->calls.arg, q->who);
}

void tls_key_socket(struct tls_key *k, int sock)
{
	k->sock = sock;
	for (struct question *q = k->questions; q; q = q->next)
		if (!q->answered)
			answer(k, q, -EPIPE);
}

void tls_key_for(struct tls_key *k, void *who)
{
	k->who = who;
}

bool tls_key_forget(struct tls_key *k, void *who)
{
	bool any = false;

	for (struct question *q = k->questions; q; q = q->next)
		if (q->who == who) {
			q->who = NULL;
			any = true;
			if (!q->answered)
				answer(k, q, -ECANCELED);
		}
	return any;
}

bool tls_key_take(struct tls_key *k, const struct ipc_message *m)
{
	struct question *q = k->questions;
	int32_t said;
	size_t len;

	if (m->type != IPC_TLS_KEY && m->type != IPC_TLS_SIGN)
		return false;
	while (q && q->id != m->id)
		q = q->next;
	if (!q || q->answered)
		return true; /* nobody waits for it any longer */
	if (m->body.len < sizeof(said)) {
		answer(k, q, -EBADMSG);
		return true;
	}
	memcpy(&said, m->body.data, sizeof(said));
	len = m->body.len - sizeof(said);
	if (said == 0 && len != (m->type == IPC_TLS_KEY ? P256_POINT : P256_SIGN))
		said = -EBADMSG;
	if (said == 0)
		memcpy(q->data, m->body.data + sizeof(said), len);
	answer(k, q, said);
	return true;
}

/* Hears the keeper until the question is answered. */
static void wait_for(struct tls_key *k, struct question *q)
{
	uint64_t end = clock_mono_ns() + TLS_KEY_MS * NSEC_PER_MSEC, now;
	uint8_t *buf = malloc(IPC_BUF);

	while (buf && !q->answered && (now = clock_mono_ns()) < end) {
		struct pollfd p = {.fd = k->sock, .events = POLLIN};
		struct ipc_message m;
		int err;

		if (poll(&p, 1, (int)((end - now) / NSEC_PER_MSEC) + 1) <= 0)
			continue;
		err = ipc_recv(k->sock, buf, &m);
		if (err == -EAGAIN)
			continue;
		if (err < 0)
			break; /* who owns the socket sees it, too */
		if (!tls_key_take(k, &m))
			k->calls.other(k->calls.arg, &m);
	}
	free(buf);
	if (!q->answered)
		q->result = -ETIMEDOUT;
}

/* One question from asking to answer, in its own job where it runs in one. */
static int ask(struct tls_key *k, enum ipc_type type, struct bytes data, struct question *q)
{
	uint8_t body[1 + 255 + CRYPTO_HASH];
	struct writer w = writer_new(body, sizeof(body));
	bool job = k->who && ASYNC_get_current_job();
	struct question **at = &k->questions;
	int err;

	if (k->sock < 0)
		return -EPIPE;
	if (k->waiting >= TLS_KEY_WAITING)
		return -EBUSY;
	*q = (struct question){.next = k->questions,
			       .id = ++k->asked ? k->asked : ++k->asked,
			       .who = job ? k->who : NULL};
	write_u8(&w, (uint8_t)strlen(k->purpose));
	write_bytes(&w, k->purpose, strlen(k->purpose));
	write_bytes(&w, data.data, data.len);
	if (w.bad)
		return -EINVAL;
	err = ipc_send(k->sock, type, q->id, (struct bytes){body, w.len}, -1);
	if (err < 0)
		return err;
	k->questions = q;
	k->waiting++;
	if (job)
		while (!q->answered)
			ASYNC_pause_job();
	else
		wait_for(k, q);
	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	k->waiting--;
	return q->result;
}

int tls_key_fetch(struct tls_key *k, uint8_t ret_point[P256_POINT])
{
	struct question q;
	int err;

	k->who = NULL;
	err = ask(k, IPC_TLS_KEY, (struct bytes){0}, &q);
	if (err == 0)
		memcpy(ret_point, q.data, P256_POINT);
	return err;
}

static int sign(void *arg, const uint8_t digest[CRYPTO_HASH], uint8_t ret_sign[P256_SIGN])
{
	struct question q;
	int err = ask(arg, IPC_TLS_SIGN, (struct bytes){digest, CRYPTO_HASH}, &q);

	if (err == 0)
		memcpy(ret_sign, q.data, P256_SIGN);
	return err;
}

EVP_PKEY *tls_key_pkey(struct tls_key *k, const uint8_t point[P256_POINT])
{
	return signer_new(point, sign, k);
}
