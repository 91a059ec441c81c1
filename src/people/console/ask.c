#include "people/console/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "people/console/problem.h"

struct question {
	uint32_t id; /* 0: free */
	uint64_t late_ns;
	ask_done_fn done;
	void *arg;
	char *text;
	size_t len;
	int content; /* 0: none */
};

struct asks {
	ask_send_fn send;
	void *arg;
	int content; /* of the answer that is being told; 0: none, or it was taken */
	uint32_t last;
	struct question list[ASK_WAITING];
};

static void forget_text(struct question *q)
{
	free(q->text);
	if (q->content)
		close(q->content);
}

struct asks *asks_new(ask_send_fn send, void *arg)
{
	struct asks *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->send = send;
	a->arg = arg;
	return a;
}

void asks_free(struct asks *a)
{
	for (unsigned i = 0; a && i < ASK_WAITING; i++)
		forget_text(&a->list[i]);
	free(a);
}

/* Frees the place first: what is told may ask anew. */
static void tell(struct asks *a, struct question *q, const json_t *answer)
{
	struct question was = *q;

	*q = (struct question){0};
	free(was.text);
	a->content = was.content;
	was.done(was.arg, answer);
	if (a->content)
		close(a->content);
	a->content = 0;
}

int ask_take_content(struct asks *a)
{
	int fd = a->content ? a->content : -1;

	a->content = 0;
	return fd;
}

static void tell_problem(struct asks *a, struct question *q, unsigned status, const char *type,
			 const char *title, const char *detail)
{
	json_t *answer =
		json_pack("{s:o}", "error", problem_new(status, type, title, "%s", detail));

	tell(a, q, answer);
	json_decref(answer);
}

static void tell_down(struct asks *a, struct question *q)
{
	tell_problem(a, q, 503, "gateway.busy", "The gateway cannot answer just now",
		     "it is starting anew, or too much is asked at once; try again");
}

static struct question *place(struct asks *a)
{
	for (unsigned i = 0; i < ASK_WAITING; i++)
		if (!a->list[i].id)
			return &a->list[i];
	return NULL;
}

uint32_t ask_keeper(struct asks *a, const json_t *call, uint64_t now_ns, ask_done_fn done,
		    void *arg)
{
	struct question *q = place(a), none = {.done = done, .arg = arg};
	char *text = q ? json_dumps(call, JSON_COMPACT) : NULL;
	uint32_t id;
	int err;

	if (!text) {
		tell_down(a, &none);
		return 0;
	}
	id = ++a->last ? a->last : ++a->last;
	*q = (struct question){
		.id = id, .done = done, .arg = arg, .late_ns = now_ns + ASK_MS * NSEC_PER_MSEC};
	err = a->send(a->arg, id, (struct bytes){(const uint8_t *)text, strlen(text)});
	free(text);
	if (err == 0)
		return id;
	tell_down(a, q);
	return 0;
}

static struct question *find(struct asks *a, uint32_t id)
{
	for (unsigned i = 0; id && i < ASK_WAITING; i++)
		if (a->list[i].id == id)
			return &a->list[i];
	return NULL;
}

static void nobody(void *arg, const json_t *answer)
{
}

void ask_forget(struct asks *a, uint32_t id)
{
	struct question *q = find(a, id);

	if (q)
		q->done = nobody; /* its answer still comes */
}

void ask_content(struct asks *a, uint32_t id, int fd)
{
	struct question *q = find(a, id);

	if (q && !q->content)
		q->content = fd;
	else
		close(fd); /* it came too late */
}

bool ask_piece(struct asks *a, uint32_t id, struct bytes piece)
{
	struct question *q = find(a, id);
	json_t *answer;
	char *more;

	if (!q)
		return id != 0 && id <= a->last; /* it came too late */
	if (piece.len == 0) {
		answer = json_loadb(q->text ? q->text : "", q->len, JSON_ALLOW_NUL, NULL);
		if (json_is_object(answer))
			tell(a, q, answer);
		else
			tell_problem(a, q, 500, "gateway.nonsense", "The answer made no sense",
				     "see the gateway's log");
		json_decref(answer);
		return true;
	}
	if (q->len + piece.len > ASK_ANSWER) {
		tell_problem(a, q, 500, "gateway.too_long", "The answer is too long",
			     "ask for less: a filter, or a smaller limit");
		return true;
	}
	more = realloc(q->text, q->len + piece.len);
	if (!more) {
		tell_down(a, q);
		return true;
	}
	memcpy(more + q->len, piece.data, piece.len);
	q->text = more;
	q->len += piece.len;
	return true;
}

void ask_turn(struct asks *a, uint64_t now_ns)
{
	for (unsigned i = 0; i < ASK_WAITING; i++)
		if (a->list[i].id && now_ns >= a->list[i].late_ns)
			tell_problem(a, &a->list[i], 504, "gateway.late", "No answer came in time",
				     "see the gateway's log, and try again");
}

void ask_fail_all(struct asks *a)
{
	for (unsigned i = 0; i < ASK_WAITING; i++)
		if (a->list[i].id)
			tell_down(a, &a->list[i]);
}
