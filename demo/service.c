#include "demo/service.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "demo/frame.h"

#define CLIENTS 32

struct door {
	uint16_t port;
	void (*opened)(struct board *b, int sock); /* or NULL */
	void (*heard)(struct board *b, const uint8_t *data, size_t len);
};

static int listen_on(uint16_t port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (sock < 0)
		return -1;
	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(sock, (struct sockaddr *)&here, sizeof(here)) || listen(sock, 64)) {
		close(sock);
		return -1;
	}
	return sock;
}

static void take(struct pollfd *fds, unsigned *count, const struct door *d, struct board *b)
{
	int sock = accept4(fds[0].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0)
		return;
	if (*count == CLIENTS) {
		close(sock);
		return;
	}
	fds[(*count)++] = (struct pollfd){.fd = sock, .events = POLLIN};
	if (d->opened)
		d->opened(b, sock);
}

static int serve(const struct door *d, struct board *b)
{
	struct pollfd fds[CLIENTS];
	uint8_t buf[16384];
	unsigned count = 1;

	fds[0] = (struct pollfd){.fd = listen_on(d->port), .events = POLLIN};
	if (fds[0].fd < 0)
		return 1;
	for (;;) {
		if (poll(fds, count, -1) < 0)
			continue;
		for (unsigned i = count; i-- > 1;) {
			ssize_t n;

			if (!fds[i].revents)
				continue;
			n = recv(fds[i].fd, buf, sizeof(buf), 0);
			if (n > 0) {
				d->heard(b, buf, (size_t)n);
				continue;
			}
			close(fds[i].fd);
			fds[i] = fds[--count];
		}
		if (fds[0].revents)
			take(fds, &count, d, b);
	}
}

static void pump_opened(struct board *b, int sock)
{
	(void)!send(sock, SERVICE_BANNER, sizeof(SERVICE_BANNER) - 1, MSG_NOSIGNAL);
}

/* Who answers the banner has read it. */
static void pump_heard(struct board *b, const uint8_t *data, size_t len)
{
	b->banners++;
}

static void smb_heard(struct board *b, const uint8_t *data, size_t len)
{
	if (len >= 4 && memcmp(data, SERVICE_WORM, 4) == 0)
		b->infected++;
}

static void collect_heard(struct board *b, const uint8_t *data, size_t len)
{
	b->stolen_bytes += len;
}

int service_pump(void *board)
{
	static const struct door d = {SERVICE_TELNET, pump_opened, pump_heard};

	return serve(&d, board);
}

int service_smb(void *board)
{
	static const struct door d = {SERVICE_SMB, NULL, smb_heard};

	return serve(&d, board);
}

int service_collect(void *board)
{
	static const struct door d = {SERVICE_OUT, NULL, collect_heard};

	return serve(&d, board);
}

int service_witness(void *board)
{
	struct board *b = board;
	int sock = frame_socket("eth0");
	uint8_t buf[2048];
	struct frame_ip f;

	if (sock < 0)
		return 1;
	for (;;) {
		ssize_t n = frame_receive(sock, buf, sizeof(buf), 1000);

		if (n > 0 && frame_parse(buf, (size_t)n, &f) && f.proto == 6 && f.len >= 14 &&
		    (f.payload[13] & 0x12) == 0x02)
			b->knocked[f.payload[2] << 8 | f.payload[3]] = 1;
	}
}
