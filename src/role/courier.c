#include "role/courier.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/ipc.h"
#include "base/log.h"
#include "base/secret.h"
#include "people/auth/sms.h"
#include "role/lock_in.h"
#include "role/setup.h"

#define PARENT_FD  3
#define ANSWER_MAX 4096 /* bytes of a gateway's answer that are read */

enum { FROM_PARENT, FROM_KEEPER };

/* Who may say what to the courier. */
static const struct ipc_right rights[] = {
	{FROM_PARENT, IPC_COURIER},
	{FROM_PARENT, IPC_STOP},
	{FROM_KEEPER, IPC_SMS},
};

/* Besides what every role lives on: connections that it starts. */
static const char *const calls[] = {
	"socket", "connect",  "getsockopt", "setsockopt", "getpeername", "getsockname",
	"fcntl",  "ioctl",    "pipe",	    "pipe2",	  "socketpair",	 "eventfd2",
	"sendto", "recvfrom", "shutdown",   "uname",	  "sendmmsg",
};

static char ipc_buf[IPC_BUF];

static size_t take_body(char *data, size_t one, size_t len, void *arg)
{
	struct writer *said = arg;

	write_bytes(said, data, len);
	return said->bad ? 0 : len; /* no gateway has so much to say: it ends here */
}

/* HTTP's status; 0: nobody answered. */
static unsigned fetch(const char *url)
{
	char text[ANSWER_MAX];
	struct writer said = writer_new(text, sizeof(text));
	CURL *c = curl_easy_init();
	CURLcode r = CURLE_OK;
	long status = 0;

	if (!c)
		return 0;
	r |= curl_easy_setopt(c, CURLOPT_URL, url);
	r |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
	r |= curl_easy_setopt(c, CURLOPT_PROXY, "");
	r |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	r |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)COURIER_MS);
	r |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	r |= curl_easy_setopt(c, CURLOPT_WRITEDATA, &said);
	r |= curl_easy_setopt(c, CURLOPT_USERAGENT, "bedwarden/" BEDWARDEN_VERSION);
	if (r == CURLE_OK) {
		r = curl_easy_perform(c);
		/* A status is an answer, unless what comes after it denies it. */
		if (r == CURLE_OK || r == CURLE_WRITE_ERROR)
			curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	}
	curl_easy_cleanup(c);
	if (status == 202 &&
	    (said.bad || sms_denies((struct bytes){(const uint8_t *)text, said.len})))
		status = SMS_DENIED;
	return status > 0 && status < 1000 ? (unsigned)status : 0;
}

static void carry(int keeper, const struct ipc_message *m)
{
	char url[SMS_URL_MAX + 1];
	uint32_t status = 0;

	if (m->body.len < sizeof(url) && !memchr(m->body.data, 0, m->body.len)) {
		memcpy(url, m->body.data, m->body.len);
		url[m->body.len] = 0;
		status = fetch(url);
		secret_wipe(url, sizeof(url));
	}
	if (sms_answer(status) != SMS_QUEUED)
		log_warn("the SMS gateway %s",
			 status ? "refused a message" : "does not answer; nobody gets codes");
	ipc_send(keeper, IPC_SMS, m->id, (struct bytes){(const uint8_t *)&status, sizeof(status)},
		 -1);
}

/* Its next message. The one thing that the socket is good for is over where this is false. */
static bool hear(int sock, int from, int *keeper)
{
	struct ipc_message m;
	int err = ipc_hear(sock, ipc_buf, rights, sizeof(rights) / sizeof(*rights), from, &m);

	if (err < 0)
		return err == -EAGAIN;
	if (m.type == IPC_STOP)
		return false;
	if (m.type == IPC_COURIER) {
		if (*keeper >= 0)
			close(*keeper);
		*keeper = m.fd;
	} else {
		carry(sock, &m);
		secret_wipe(ipc_buf, sizeof(struct ipc_header) + m.body.len);
	}
	return true;
}

int courier_main(int argc, char **argv)
{
	int keeper = -1;

	log_init("courier", LOG_INFO);
	if (argc != 1 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fatal("started by hand? 'bedwarden run' starts it");
	lock_in(SETUP_USER, true, calls, sizeof(calls) / sizeof(*calls));
	if (ipc_send(PARENT_FD, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("the parent is gone");
	for (;;) {
		struct pollfd fds[] = {{.fd = PARENT_FD, .events = POLLIN},
				       {.fd = keeper, .events = POLLIN}};

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents && !hear(PARENT_FD, FROM_PARENT, &keeper))
			return 0;
		if (fds[1].revents && keeper == fds[1].fd && !hear(keeper, FROM_KEEPER, &keeper)) {
			close(keeper); /* the next keeper is introduced */
			keeper = -1;
		}
	}
}
