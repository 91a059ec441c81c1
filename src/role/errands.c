#include "role/errands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "role/errand.h"

#define LOST_NS	 (15 * 60 * NSEC_PER_SEC) /* after which nobody is believed to be at it any longer */
#define DAYS	 30
#define DAYS_MAX 3650

/* One that waits, or the one under way. */
struct waiting {
	json_t *order; /* NULL: free */
	uint32_t ticket;
	uint64_t turn; /* the first goes first */
	int fd;	       /* -1 none */
	errand_fn done;
};

struct errands {
	struct waiting list[ERRANDS_MOST];
	struct waiting *sent; /* NULL: none is under way */
	uint32_t ask;
	uint64_t sent_ns, turns;
};

struct errands *errands_new(void)
{
	return calloc(1, sizeof(struct errands));
}

static void done_with(struct waiting *w)
{
	json_decref(w->order);
	if (w->order && w->fd >= 0)
		close(w->fd);
	*w = (struct waiting){.fd = -1};
}

void errands_free(struct errands *x)
{
	for (unsigned i = 0; x && i < ERRANDS_MOST; i++)
		done_with(&x->list[i]);
	free(x);
}

static json_t *busy(struct call_error *e)
{
	return call_fail(e, 503, "gateway.busy", "Others asked for as much before",
			 "try again in a moment");
}

json_t *errands_send(struct keeper *k, const struct call_asker *by, json_t *order, int fd,
		     errand_fn done, struct call_error *e)
{
	struct errands *x = k->errands;

	for (unsigned i = 0; order && i < ERRANDS_MOST; i++) {
		struct waiting *w = &x->list[i];

		if (w->order)
			continue;
		*w = (struct waiting){.order = order,
				      .ticket = by->ticket,
				      .turn = ++x->turns,
				      .fd = fd,
				      .done = done};
		errands_turn(k, clock_mono_ns());
		return call_later(k, by, ERRANDS_MS, e);
	}
	json_decref(order);
	if (fd >= 0)
		close(fd);
	return busy(e);
}

static struct waiting *next(struct errands *x)
{
	struct waiting *first = NULL;

	for (unsigned i = 0; i < ERRANDS_MOST; i++) {
		struct waiting *w = &x->list[i];

		if (w->order && (!first || w->turn < first->turn))
			first = w;
	}
	return first;
}

static int send_order(struct keeper *k, const struct waiting *w)
{
	char *text = json_dumps(w->order, JSON_COMPACT);
	int fd = w->fd >= 0 ? w->fd : memfd_create("nothing", MFD_CLOEXEC), err = -ENOMEM;

	if (text && fd >= 0)
		err = ipc_send(k->parent, IPC_ERRAND, k->errands->ask,
			       (struct bytes){(const uint8_t *)text, strlen(text)}, fd);
	if (fd >= 0 && fd != w->fd)
		close(fd);
	free(text);
	return err;
}

void errands_turn(struct keeper *k, uint64_t now_ns)
{
	struct errands *x = k->errands;
	struct call_error e = {0};

	if (x->sent && now_ns - x->sent_ns < LOST_NS)
		return;
	if (x->sent)
		done_with(x->sent);
	x->sent = next(x);
	if (!x->sent)
		return;
	x->ask = ++k->asked;
	x->sent_ns = now_ns;
	if (send_order(k, x->sent) == 0)
		return;
	busy(&e);
	call_failed(k, x->sent->ticket, &e);
	done_with(x->sent);
	x->sent = NULL;
}

/* How it ended, by a process that read what came from outside: no more than such an object. */
static json_t *read_how(const struct ipc_message *m)
{
	json_t *how =
		json_loadb((const char *)m->body.data, m->body.len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_integer(json_object_get(how, "code")) &&
	    json_is_string(json_object_get(how, "said")))
		return how;
	json_decref(how);
	return NULL;
}

static void end(struct keeper *k, const struct waiting *w, const json_t *how, int fd)
{
	json_int_t code = how ? json_integer_value(json_object_get(how, "code")) : -1;
	const char *said = json_string_value(json_object_get(how, "said"));
	struct call_error e = {0};
	struct stat st;
	json_t *ok = NULL;

	if (!how || fstat(fd, &st) < 0 || st.st_size > ERRAND_BYTES_MAX)
		call_fail(&e, 500, "gateway.nonsense", "The answer made no sense",
			  "see the gateway's log");
	else if (code != 0)
		call_fail(&e, code < 0 ? 503 : 422, code < 0 ? "gateway.busy" : "errand.failed",
			  code < 0 ? "It could not be done just now" : "It could not be done", "%s",
			  said && *said ? said : "see the gateway's log");
	else
		ok = w->done(k, w->ticket, w->order, fd, &e);
	if (ok)
		call_done(k, w->ticket, ok);
	else
		call_failed(k, w->ticket, &e);
}

void errands_take(struct keeper *k, const struct ipc_message *m)
{
	struct errands *x = k->errands;
	struct waiting was;
	json_t *how;

	if (!x->sent || m->id != x->ask)
		return; /* it was given up */
	how = read_how(m);
	if (!how)
		keeper_refuse(k, "clerk", "an answer that is none");
	was = *x->sent;
	*x->sent = (struct waiting){.fd = -1};
	x->sent = NULL;
	end(k, &was, how, m->fd);
	json_decref(how);
	done_with(&was);
	errands_turn(k, clock_mono_ns());
}

/* --- what was printed ------------------------------------------------------------------- */

json_t *errands_text(int fd)
{
	struct bytes text;
	json_t *t;

	if (file_read_memory(fd, ERRAND_BYTES_MAX, &text) < 0)
		return NULL;
	t = text.len ? json_stringn((const char *)text.data, text.len) : NULL;
	free((void *)text.data);
	return t;
}

json_t *errands_json(int fd)
{
	json_t *t = errands_text(fd), *o = NULL;

	if (t)
		o = json_loadb(json_string_value(t), json_string_length(t), 0, NULL);
	json_decref(t);
	return o;
}

static json_t *no_sense(struct call_error *e)
{
	return call_fail(e, 500, "gateway.nonsense", "The answer made no sense",
			 "see the gateway's log");
}

/* --- report.make -------------------------------------------------------------------------- */

static json_t *give_page(struct keeper *k, uint32_t ticket, const json_t *order, int fd,
			 struct call_error *e)
{
	const char *framework = json_string_value(json_object_get(order, "framework"));
	char name[64];
	struct stat st;
	struct tm t;
	time_t now = time(NULL);

	gmtime_r(&now, &t);
	snprintf(name, sizeof(name), "%.10s-%04u-%02u-%02u.html", framework ? framework : "",
		 (unsigned)t.tm_year + 1900, (unsigned)t.tm_mon + 1, (unsigned)t.tm_mday);
	if (fstat(fd, &st) < 0 || !call_attach(k, ticket, fd))
		return call_fail(e, 503, "gateway.busy", "It cannot be handed out just now",
				 "on the box itself use 'bedwarden report'");
	return json_pack("{s:{s:s, s:s, s:I}}", "file", "name", name, "type",
			 "text/html; charset=utf-8", "size", (json_int_t)st.st_size);
}

static json_t *give_report(struct keeper *k, uint32_t ticket, const json_t *order, int fd,
			   struct call_error *e)
{
	json_t *o;

	if (json_is_true(json_object_get(order, "html")))
		return give_page(k, ticket, order, fd, e);
	o = errands_json(fd);
	return json_is_object(o) ? o : no_sense(e);
}

static json_t *report(struct keeper *k, const struct call_asker *by, const json_t *args,
		      struct call_error *e)
{
	const char *framework = call_text(args, "framework"), *format = call_text(args, "format");
	int64_t days = DAYS;
	bool html = format && strcmp(format, "html") == 0;

	if (!framework || (strcmp(framework, "hipaa") != 0 && strcmp(framework, "csf") != 0))
		return call_bad(e, "framework", "hipaa or csf");
	if (json_object_get(args, "format") && !html && (!format || strcmp(format, "json") != 0))
		return call_bad(e, "format", "json or html");
	if (json_object_get(args, "days") && !call_number(args, "days", 1, DAYS_MAX, &days))
		return call_bad(e, "days", "a number from 1 to 3650");
	return errands_send(k, by,
			    json_pack("{s:s, s:s, s:I, s:b}", "do", "report", "framework",
				      framework, "days", (json_int_t)days, "html", (int)html),
			    -1, give_report, e);
}

/* --- policy.learn --------------------------------------------------------------------------- */

static json_t *give_proposal(struct keeper *k, uint32_t ticket, const json_t *order, int fd,
			     struct call_error *e)
{
	json_t *text = errands_text(fd);

	return text ? json_pack("{s:o}", "text", text) : no_sense(e);
}

/* Of a list in a query: "10.1.1.0/24,10.1.2.0/24". */
static json_t *take_wards(const char *text, struct call_error *e)
{
	json_t *wards = json_array();
	char copy[1024], *save = NULL;
	uint8_t ip[16];
	unsigned len;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, ", ", &save); w; w = strtok_r(NULL, ", ", &save)) {
		if (!address_prefix(w, ip, &len) || json_array_size(wards) == ERRAND_WARDS ||
		    strlen(text) >= sizeof(copy)) {
			json_decref(wards);
			return call_bad(e, "wards",
					"networks as 10.1.1.0/24, at most 16, with commas");
		}
		json_array_append_new(wards, json_string(w));
	}
	return wards;
}

static json_t *learn(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	const char *text = call_text(args, "wards");
	json_t *wards = json_object_get(args, "wards") && !text
				? call_bad(e, "wards", "networks as 10.1.1.0/24")
				: take_wards(text ? text : "", e);

	if (!wards)
		return NULL;
	return errands_send(k, by, json_pack("{s:s, s:o}", "do", "learn", "wards", wards), -1,
			    give_proposal, e);
}

#define EDITORS (PEOPLE_ONLY(PEOPLE_ADMINISTRATOR) | PEOPLE_ONLY(PEOPLE_CLINICAL_ENGINEER))

extern const struct call_row errand_calls[]; /* call.c's */
const struct call_row errand_calls[] = {
	{.name = "report.make",
	 .fn = report,
	 .roles = EDITORS | PEOPLE_ONLY(PEOPLE_AUDITOR),
	 .noted = true},
	{.name = "policy.learn", .fn = learn, .roles = EDITORS},
	{NULL},
};
