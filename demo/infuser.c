#include "demo/infuser.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo/actor.h"
#include "demo/folder.h"
#include "demo/hypertext.h"
#include "demo/mllp.h"

#define EVERY_MS   500
#define PATIENCE_S 20 /* it is TCP's affair whether a connection is lost */

static bool tell(struct mllp_link *l, const struct infuser *p, unsigned count)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "MSH|^~\\&|%s|WARD|LAB|HOSPITAL|20260131071500||ORU^R01^ORU_R01|%u|P|2.6\r"
			 "PID|||DEMO-2^^^WARD^MR\r"
			 "OBR|1|||69986^MDC_DEV_PUMP_INFUS_VMD^MDC\r"
			 "OBX|1|NM|157784^MDC_FLOW_FLUID_PUMP^MDC|1.1.1.1|%u|265266^"
			 "MDC_DIM_MILLI_L_PER_HR^MDC|||||R\r",
			 p->application, count, (unsigned)p->board->pump_rate[p->n]);

	return mllp_send_message(l->sock, (struct bytes){(uint8_t *)text, (size_t)n}) &&
	       mllp_next_message(l).data;
}

static struct mllp_link *reach(const struct infuser *p)
{
	struct mllp_link *l = mllp_reach(p->server, INFUSER_PORT);
	struct timeval patience = {PATIENCE_S, 0};

	if (!l)
		return NULL;
	setsockopt(l->sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	p->board->pump_lines[p->n]++;
	return l;
}

int infuser_run(void *arg)
{
	const struct infuser *p = arg;
	struct mllp_link *l = NULL;

	for (unsigned count = 1;; count++) {
		actor_sleep(EVERY_MS);
		l = l ? l : reach(p);
		if (!l)
			continue;
		if (tell(l, p, count)) {
			p->board->pump_told[p->n]++;
			continue;
		}
		close(l->sock);
		free(l);
		l = NULL;
	}
}

static void hear(int sock)
{
	struct mllp_link *l = calloc(1, sizeof(*l));
	struct bytes m;

	if (!l)
		return;
	l->sock = sock;
	while ((m = mllp_next_message(l)).data && mllp_acknowledge(sock, m))
		;
}

int infuser_listen(void *unused)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(INFUSER_PORT)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof(here)) || listen(sock, 4))
		return 1;
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int peer = accept4(sock, NULL, NULL, SOCK_CLOEXEC);

		if (peer < 0)
			continue;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			hear(peer);
			_exit(0);
		}
		close(peer);
	}
}

static unsigned take(void *arg, const struct hypertext_request *r, struct bytes *ret_body)
{
	const struct infuser *p = arg;

	if (hypertext_is(r, "PUT", "/firmware"))
		return folder_write(folder_path(p->dir, "given"), r->body) ? 500 : 201;
	if (!hypertext_is(r, "GET", "/restart"))
		return 404;
	if (rename(folder_path(p->dir, "given"), folder_path(p->dir, "firmware")))
		return 409;
	p->board->pump_restarts++;
	return 200;
}

int infuser_take(void *arg)
{
	return hypertext_serve(INFUSER_UPDATE, take, arg);
}
