#include "people/console/download.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "people/console/reply.h"

struct download {
	struct download **slot;
	struct evhttp_request *req;
	struct event *readable;
	struct evbuffer *out;
	int fd;
	int64_t left; /* of its size; -1 unknown */
	void (*moved)(void *arg);
	void *arg;
};

static void forget(struct download *d)
{
	if (d->slot)
		*d->slot = NULL;
	if (d->readable)
		event_free(d->readable);
	if (d->out)
		evbuffer_free(d->out);
	close(d->fd);
	free(d);
}

void download_lost(struct download *d)
{
	forget(d);
}

/* Whoever owns the connection hears of its end. */
static void cut_off(struct download *d)
{
	evhttp_connection_free(evhttp_request_get_connection(d->req));
}

static void end(struct download *d)
{
	struct evhttp_request *req = d->req;

	if (d->left > 0) {
		cut_off(d);
		return;
	}
	forget(d);
	evhttp_send_reply_end(req);
}

static void go_on(struct download *d);

static void on_taken(struct evhttp_connection *ec, void *arg)
{
	struct download *d = arg;

	d->moved(d->arg);
	go_on(d);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	go_on(arg);
}

/* The next piece; what is longer than it was said to be would be somebody else's answer. */
static void go_on(struct download *d)
{
	char piece[DOWNLOAD_PIECE];
	size_t room = d->left < 0 || d->left > DOWNLOAD_PIECE ? DOWNLOAD_PIECE : (size_t)d->left;
	ssize_t n = room ? read(d->fd, piece, room) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		event_add(d->readable, NULL);
		return;
	}
	if (n < 0) {
		cut_off(d);
		return;
	}
	if (n == 0) {
		end(d);
		return;
	}
	if (d->left > 0)
		d->left -= n;
	evbuffer_add(d->out, piece, (size_t)n);
	evhttp_send_reply_chunk_with_cb(d->req, d->out, on_taken, d);
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* RFC 6266: plain letters alone, whatever the keeper said. */
static void put_name(struct evkeyvalq *out, const char *name)
{
	char text[200];

	if (!*name || strlen(name) > 128 ||
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") !=
		    strlen(name))
		name = "download";
	snprintf(text, sizeof(text), "attachment; filename=\"%s\"", name);
	evhttp_add_header(out, "Content-Disposition", text);
}

static void put_head(struct download *d, const json_t *file)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(d->req);
	const char *type = text_of(file, "type");
	char size[24];

	reply_headers(d->req, false);
	evhttp_add_header(out, "Content-Type", *type ? type : "application/octet-stream");
	put_name(out, text_of(file, "name"));
	if (d->left >= 0) {
		snprintf(size, sizeof(size), "%" PRId64, d->left);
		evhttp_add_header(out, "Content-Length", size);
	}
}

bool download_open(struct event_base *base, struct evhttp_request *req, const json_t *file, int fd,
		   void (*moved)(void *arg), void *arg, struct download **slot)
{
	struct download *d = calloc(1, sizeof(*d));
	const json_t *size = json_object_get(file, "size");

	if (!d) {
		close(fd);
		return false;
	}
	*d = (struct download){.req = req, .fd = fd, .left = -1, .moved = moved, .arg = arg};
	if (json_is_integer(size) && json_integer_value(size) >= 0)
		d->left = json_integer_value(size);
	d->out = evbuffer_new();
	d->readable = event_new(base, fd, EV_READ, on_readable, d);
	if (!d->out || !d->readable) {
		forget(d);
		return false;
	}
	d->slot = slot;
	*slot = d;
	put_head(d, file);
	evhttp_send_reply_start(req, 200, "OK");
	go_on(d);
	return true;
}
