/*
 * A release of the gateway that starts and does not guard: its guards say all that a guard says,
 * and read no packet. The rest is the program as it is.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ipc.h"
#include "cli/cli.h"
#include "guard/policy/policy.h"
#include "role/setup.h"

#define PARENT_FD 3
#define BEAT_MS	  500

static void take_policy(int fd)
{
	struct stat st;
	void *block = fstat(fd, &st) == 0
			      ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
			      : MAP_FAILED;
	const struct policy *p =
		block == MAP_FAILED ? NULL : policy_open((struct bytes){block, (size_t)st.st_size});
	uint32_t generation = p ? policy_generation(p) : 0;

	ipc_send(PARENT_FD, IPC_POLICY_TAKEN, 0,
		 (struct bytes){(const uint8_t *)&generation, sizeof(generation)}, -1);
}

static int pretend(void)
{
	static char buf[IPC_BUF];
	struct setup_counts counts = {0};
	struct pollfd fd = {.fd = PARENT_FD, .events = POLLIN};
	struct ipc_message m;
	int err = 0;

	ipc_send(PARENT_FD, IPC_READY, 0, (struct bytes){0}, -1);
	while (err == 0 || err == -EAGAIN) {
		poll(&fd, 1, BEAT_MS);
		err = ipc_recv(PARENT_FD, buf, &m);
		if (err == 0 && m.type == IPC_STOP)
			return 0;
		if (err == 0 && m.type == IPC_POLICY)
			take_policy(m.fd);
		if (err == 0 && m.fd >= 0)
			close(m.fd);
		ipc_send(PARENT_FD, IPC_COUNTS, 0,
			 (struct bytes){(const uint8_t *)&counts, sizeof(counts)}, -1);
	}
	return 1;
}

int main(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "_guard") == 0 ? pretend() : cli_main(argc, argv);
}
