#include "cli/control.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/config.h"
#include "cli/text.h"

#define SOCKET_DEFAULT "/run/bedwarden/control"
#define ANSWER_S       40	  /* longer than the gateway lets its own parts take */
#define LINE_MAX_BYTES (4u << 20) /* of one row */

void control_defaults(struct control_options *o)
{
	*o = (struct control_options){.socket = SOCKET_DEFAULT};
	opterr = 0; /* cli_usage() says it */
	text_init();
}

static int take_socket(struct control_options *o, const char *path)
{
	if (strlen(path) >= sizeof(o->socket))
		return cli_fail("%s: longer than a socket's path may be; set gateway.run_dir to a "
				"shorter one",
				path);
	snprintf(o->socket, sizeof(o->socket), "%s", path);
	return CLI_OK;
}

/* Where the policy file says that its gateway runs. */
static int take_config(struct control_options *o, const char *file)
{
	struct config_error error;
	size_t errors;
	struct config *c = config_load(file, &error, 1, &errors);
	char path[4096];

	if (!c)
		return cli_misread(&error);
	snprintf(path, sizeof(path), "%s/control", c->gateway.run_dir);
	config_free(c);
	return take_socket(o, path);
}

int control_option(struct control_options *o, int letter)
{
	if (letter == 'c')
		return take_config(o, optarg);
	if (letter == 'S')
		return take_socket(o, optarg);
	if (letter != 'J')
		return -1;
	o->json = true;
	return CLI_OK;
}

static int no_gateway(const struct control_options *o, int err)
{
	if (err == EAGAIN) /* so many ask already that there is no place in the queue */
		return cli_fail("%s: the gateway did not answer in time; see its log", o->socket);
	if (err == EACCES || err == EPERM)
		return cli_fail("%s: not allowed; ask as root or as a member of the gateway's "
				"group",
				o->socket);
	return cli_fail("no gateway answers at %s; start it with 'bedwarden run'", o->socket);
}

/* A connected socket, or -1 with *ret_code after saying why. */
static int reach(const struct control_options *o, bool follow, int *ret_code)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct timeval turn = {.tv_sec = ANSWER_S}, patience = {.tv_sec = follow ? 0 : ANSWER_S};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", o->socket);
	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &turn, sizeof(turn)) < 0 ||
	    connect(s, (const struct sockaddr *)&a, sizeof(a)) < 0) {
		*ret_code = no_gateway(o, errno);
		if (s >= 0)
			close(s);
		return -1;
	}
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return s;
}

bool control_is_there(const struct control_options *o)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool there;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", o->socket);
	there = s >= 0 && connect(s, (const struct sockaddr *)&a, sizeof(a)) == 0;
	if (s >= 0)
		close(s);
	return there;
}

static int send_request(int s, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;
	ssize_t n;

	if (!text)
		return -ENOMEM;
	text[len] = '\n'; /* in place of the zero */
	n = send(s, text, len + 1, MSG_NOSIGNAL);
	free(text);
	return n == (ssize_t)len + 1 ? 0 : -EPIPE;
}

enum line { LINE_ROW, LINE_END, LINE_FAILED };

static enum line take_line(const char *line, size_t len, control_row_fn fn, void *arg)
{
	json_t *row = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	const char *error = json_string_value(json_object_get(row, "error"));
	enum line what = LINE_ROW;
	char *clean;

	if (!json_is_object(row)) {
		cli_fail("the gateway's answer cannot be read; is it of the same version?");
		what = LINE_FAILED;
	} else if (error) {
		clean = text_clean(error, strlen(error));
		cli_fail("%s", clean);
		free(clean);
		what = LINE_FAILED;
	} else if (json_is_true(json_object_get(row, "end"))) {
		what = LINE_END;
	} else {
		fn(arg, row);
	}
	json_decref(row);
	return what;
}

/* Twice as much room for a line. False: there is none. */
static bool grow(char **buf, size_t *cap)
{
	char *more = *cap < LINE_MAX_BYTES ? realloc(*buf, *cap * 2) : NULL;

	if (!more)
		return false;
	*buf = more;
	*cap *= 2;
	return true;
}

static int read_answer(int s, control_row_fn fn, void *arg)
{
	size_t cap = 65536, len = 0;
	char *buf = malloc(cap), *newline;
	enum line what = LINE_ROW;

	while (what == LINE_ROW) {
		size_t at = 0;
		ssize_t n;

		if (!buf || (len == cap && !grow(&buf, &cap))) {
			cli_fail("the gateway's answer does not fit into memory");
			what = LINE_FAILED;
			break;
		}
		n = recv(s, buf + len, cap - len, 0);
		if (n <= 0) {
			cli_fail(n < 0 && errno == EAGAIN
					 ? "the gateway did not answer in time; see its log"
					 : "the gateway ended the connection; see its log");
			what = LINE_FAILED;
			break;
		}
		len += (size_t)n;
		while (what == LINE_ROW && (newline = memchr(buf + at, '\n', len - at)) != NULL) {
			what = take_line(buf + at, (size_t)(newline - buf) - at, fn, arg);
			at = (size_t)(newline - buf) + 1;
		}
		memmove(buf, buf + at, len - at);
		len -= at;
	}
	free(buf);
	return what == LINE_END ? CLI_OK : CLI_FAILED;
}

int control_ask(const struct control_options *o, json_t *request, bool follow, control_row_fn fn,
		void *arg)
{
	int code = CLI_FAILED, s = reach(o, follow, &code);

	if (s < 0)
		return code;
	if (send_request(s, request) < 0)
		code = no_gateway(o, EPIPE);
	else
		code = read_answer(s, fn, arg);
	close(s);
	return code;
}

const char *control_operator(void)
{
	static const char *const names[] = {"SUDO_USER", "DOAS_USER"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *who = getenv(names[i]);

		if (who && *who)
			return who;
	}
	return "root";
}

static void collect(void *arg, json_t *row)
{
	json_array_append(arg, row);
}

int control_print_json(const struct control_options *o, json_t *request)
{
	json_t *rows = json_array();
	int code = control_ask(o, request, false, collect, rows);
	size_t count = json_array_size(rows);

	if (code == CLI_OK) {
		fputc('[', stdout);
		for (size_t i = 0; i < count; i++) {
			fputs(i ? ",\n " : "\n ", stdout);
			json_dumpf(json_array_get(rows, i), stdout,
				   JSON_COMPACT | JSON_ENSURE_ASCII);
		}
		fputs(count ? "\n]\n" : "]\n", stdout);
	}
	json_decref(rows);
	return code;
}

const char *control_text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

json_int_t control_number(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}
