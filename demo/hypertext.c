#include "demo/hypertext.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX   8192
#define PATIENCE_S 10
#define GO_ON	   "HTTP/1.1 100 Continue\r\n\r\n"

static bool send_all(int sock, const void *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(sock, (const char *)data + at, len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* The head, ended by a zero; *ret_more is what came behind it. 0: none came. */
static size_t read_head(int sock, char head[HEAD_MAX], size_t *ret_more)
{
	size_t len = 0;

	while (len + 1 < HEAD_MAX) {
		ssize_t n = recv(sock, head + len, HEAD_MAX - 1 - len, 0);
		char *end;

		if (n <= 0)
			return 0;
		len += (size_t)n;
		head[len] = 0;
		end = strstr(head, "\r\n\r\n");
		if (!end)
			continue;
		*ret_more = len - (size_t)(end + 4 - head);
		return len - *ret_more;
	}
	return 0;
}

static size_t length_said(const char *head)
{
	for (const char *line = head; (line = strstr(line, "\r\n")); line += 2)
		if (strncasecmp(line + 2, "content-length:", 15) == 0)
			return strtoul(line + 17, NULL, 10);
	return 0;
}

static bool read_body(int sock, const char *head, size_t at, size_t more, struct bytes *ret_body)
{
	size_t len = length_said(head);
	uint8_t *data = len <= HYPERTEXT_BODY_MAX && more <= len ? malloc(len + 1) : NULL;

	if (!data)
		return false;
	memcpy(data, head + at, more);
	if (more < len && strcasestr(head, "expect: 100-continue"))
		send_all(sock, GO_ON, sizeof(GO_ON) - 1);
	while (more < len) {
		ssize_t n = recv(sock, data + more, len - more, 0);

		if (n <= 0) {
			free(data);
			return false;
		}
		more += (size_t)n;
	}
	data[len] = 0;
	*ret_body = (struct bytes){data, len};
	return true;
}

bool hypertext_is(const struct hypertext_request *r, const char *method, const char *path)
{
	return strcmp(r->method, method) == 0 && strcmp(r->path, path) == 0;
}

static void converse(int sock,
		     unsigned (*answer)(void *arg, const struct hypertext_request *r,
					struct bytes *ret_body),
		     void *arg)
{
	struct hypertext_request r = {.body = {NULL, 0}};
	struct timeval patience = {PATIENCE_S, 0};
	struct bytes body = {NULL, 0};
	char head[HEAD_MAX], line[128];
	size_t more = 0, at;
	unsigned code;
	int n;

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	at = read_head(sock, head, &more);
	if (!at || sscanf(head, "%7s %255s", r.method, r.path) != 2 ||
	    !read_body(sock, head, at, more, &r.body))
		return;
	code = answer(arg, &r, &body);
	n = snprintf(line, sizeof(line),
		     "HTTP/1.1 %u %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", code,
		     code < 300 ? "OK" : "No", body.len);
	if (send_all(sock, line, (size_t)n))
		send_all(sock, body.data, body.len);
	free((void *)body.data);
	free((void *)r.body.data);
}

int hypertext_serve(uint16_t port,
		    unsigned (*answer)(void *arg, const struct hypertext_request *r,
				       struct bytes *ret_body),
		    void *arg)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof(here)) || listen(sock, 16))
		return 1;
	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	for (;;) {
		int peer = accept4(sock, NULL, NULL, SOCK_CLOEXEC);

		if (peer < 0)
			continue;
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			converse(peer, answer, arg);
			_exit(0);
		}
		close(peer);
	}
}
