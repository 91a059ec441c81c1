#include "cli/ask.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#define ERROR_MAX 512
#define SILENT_S  60

static int reach(const char *run_dir, char *ret_error)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = SILENT_S};
	int fd, err;
	int n = snprintf(to.sun_path, sizeof(to.sun_path), "%s/control", run_dir);

	if (n < 0 || (size_t)n >= sizeof(to.sun_path)) {
		snprintf(ret_error, ERROR_MAX, "run_dir '%s' is too long for a socket's name",
			 run_dir);
		return -ENAMETOOLONG;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	err = errno;
	close(fd);
	if (err == EACCES || err == EPERM)
		snprintf(ret_error, ERROR_MAX,
			 "no permission to ask the gateway at %s; run it as root", to.sun_path);
	else
		snprintf(
			ret_error, ERROR_MAX,
			"no gateway answers at %s (%s); start it with 'bedwarden run', or name its "
			"policy file with -c",
			to.sun_path, strerror(err));
	return -err;
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* 1 the answer goes on, 0 it ended, -errno. Only the last line is an object with such a key. */
static int is_last(const char *line, size_t len, char *ret_error)
{
	json_error_t why;
	json_t *row;
	const char *error;
	int r = 1;

	if (strncmp(line, "{\"end\"", 6) != 0 && strncmp(line, "{\"error\"", 8) != 0)
		return 1;
	row = json_loadb(line, len, 0, &why);
	error = json_string_value(json_object_get(row, "error"));
	if (error) {
		snprintf(ret_error, ERROR_MAX, "%s", error);
		r = -EREMOTEIO;
	} else if (json_is_true(json_object_get(row, "end"))) {
		r = 0;
	}
	json_decref(row);
	return r;
}

static int read_answer(int fd, ask_row_fn fn, void *arg, char *ret_error)
{
	FILE *in = fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int r = in ? 1 : -errno;

	if (!in) {
		close(fd);
		return r;
	}
	while (r == 1) {
		errno = 0;
		len = getline(&line, &cap, in);
		if (len <= 0) {
			r = errno == EAGAIN ? -ETIMEDOUT : errno ? -errno : -EPIPE;
			snprintf(ret_error, ERROR_MAX,
				 "the gateway broke off its answer (%s); 'bedwarden status' says "
				 "how it is",
				 strerror(-r));
			break;
		}
		if (line[len - 1] == '\n')
			line[--len] = 0;
		r = is_last(line, (size_t)len, ret_error);
		if (r == 1 && fn(arg, line, (size_t)len) != 0)
			r = 0;
	}
	free(line);
	fclose(in);
	return r;
}

int ask(const char *run_dir, const char *request, ask_row_fn row, void *arg, char *ret_error)
{
	int fd, r;

	snprintf(ret_error, ERROR_MAX, "out of memory");
	fd = reach(run_dir, ret_error);
	if (fd < 0)
		return fd;
	r = send_all(fd, request, strlen(request));
	if (r == 0)
		r = send_all(fd, "\n", 1);
	if (r < 0) {
		snprintf(ret_error, ERROR_MAX,
			 "the gateway hung up (%s); 'bedwarden status' says "
			 "how it is",
			 strerror(-r));
		close(fd);
		return r;
	}
	return read_answer(fd, row, arg, ret_error);
}
