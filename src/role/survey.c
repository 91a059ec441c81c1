/* The call about which devices known weaknesses concern: asked of the surveyor, kept for a minute, told in pages. */
#include "role/survey.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "role/surveyor.h"

#define FRESH_NS  (60 * NSEC_PER_SEC)
#define WAIT_MS	  20000
#define ASKERS	  16
#define PAGE	  100
#define PAGE_MOST 1000

struct surveys {
	json_t *found;	   /* survey_json()'s; NULL none yet */
	uint64_t found_ns; /* monotonic; 0: to be found anew */
	uint64_t asked_ns; /* since when the surveyor is at it; 0 it is not */
	uint32_t askers[ASKERS];
	unsigned asker_count;
};

struct surveys *surveys_new(void)
{
	return calloc(1, sizeof(struct surveys));
}

void surveys_free(struct surveys *s)
{
	if (s)
		json_decref(s->found);
	free(s);
}

/* As survey_json() has it. */
static bool is_report(const json_t *o)
{
	return json_is_array(json_object_get(o, "matches")) &&
	       json_is_array(json_object_get(o, "notes")) &&
	       json_is_array(json_object_get(o, "refused")) &&
	       json_is_integer(json_object_get(o, "devices")) &&
	       json_is_integer(json_object_get(o, "advisories"));
}

/* Of a process that read what came from outside: taken for no more than JSON of that form. */
static json_t *read_answer(int fd)
{
	struct bytes text;
	json_t *o;

	if (file_read_memory(fd, SURVEYOR_BYTES_MAX, &text) < 0)
		return NULL;
	o = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
	free((void *)text.data);
	if (is_report(o) || json_is_string(json_object_get(o, "error")))
		return o;
	json_decref(o);
	return NULL;
}

void surveys_take(struct keeper *k, const struct ipc_message *m)
{
	struct surveys *s = k->surveys;
	json_t *o = m->fd >= 0 ? read_answer(m->fd) : NULL;
	unsigned count = s->asker_count;

	s->asked_ns = 0;
	s->asker_count = 0;
	if (!o) {
		keeper_refuse(k, "surveyor", "an answer that is none");
		o = json_pack("{s:s}", "error", "no answer could be made of them; see the log");
	}
	json_decref(s->found);
	s->found = o;
	s->found_ns = clock_mono_ns();
	for (unsigned i = 0; i < count; i++)
		call_again(k, s->askers[i]);
}

static json_t *ask(struct keeper *k, const struct call_asker *by, struct call_error *e)
{
	struct surveys *s = k->surveys;
	uint64_t now = clock_mono_ns();

	if (s->asker_count == ASKERS)
		return call_fail(e, 429, "request.too_many", "Too many ask at once",
				 "wait for those that were asked for");
	if (!s->asked_ns || now - s->asked_ns > WAIT_MS * NSEC_PER_MSEC) {
		if (ipc_send(k->parent, IPC_SURVEY, 0, (struct bytes){0}, -1) < 0)
			return call_fail(e, 503, "gateway.busy", "The gateway is busy",
					 "try again in a moment");
		s->asked_ns = now;
	}
	s->askers[s->asker_count++] = by->ticket;
	return call_wait(k, by, WAIT_MS, e);
}

static bool is_wanted(const json_t *row, const char *key, const char *want)
{
	const char *is = json_string_value(json_object_get(row, key));

	return !want || (is && strcmp(is, want) == 0);
}

/* As the command line leaves it out: nothing is to be done about it. */
static bool is_done_with(const json_t *row)
{
	return is_wanted(row, "do", "nothing") || is_wanted(row, "do", "accepted");
}

static json_t *page(const json_t *found, const json_t *args, size_t from, size_t limit)
{
	const char *device = call_text(args, "device"), *advisory = call_text(args, "advisory");
	bool all = advisory || json_is_true(json_object_get(args, "all"));
	const json_t *list = json_object_get(found, "matches");
	json_t *rows = json_array(), *o;
	size_t at, count = json_array_size(list);
	char next[24];

	for (at = from; at < count && json_array_size(rows) < limit; at++) {
		json_t *row = json_array_get(list, at);

		if (is_wanted(row, "device", device) && is_wanted(row, "advisory", advisory) &&
		    (all || !is_done_with(row)))
			json_array_append(rows, row);
	}
	o = json_pack("{s:o, s:O, s:O, s:O, s:O}", "matches", rows, "notes",
		      json_object_get(found, "notes"), "refused", json_object_get(found, "refused"),
		      "devices", json_object_get(found, "devices"), "advisories",
		      json_object_get(found, "advisories"));
	if (at < count) {
		snprintf(next, sizeof(next), "%zu", at);
		json_object_set_new(o, "next", json_string(next));
	}
	return o;
}

/* A cursor is the number of the first row that was not looked at. */
static bool take_cursor(const json_t *args, size_t *ret_from, struct call_error *e)
{
	int64_t from = 0;

	if (!call_cursor(args, 1 << 20, &from)) {
		call_fail(e, 400, "call.argument", "An argument is not what it must be",
			  "cursor: the value of 'next' of the page before");
		return false;
	}
	*ret_from = (size_t)from;
	return true;
}

static json_t *matches(struct keeper *k, const struct call_asker *by, const json_t *args,
		       struct call_error *e)
{
	const struct surveys *s = k->surveys;
	int64_t limit = PAGE;
	const char *wrong;
	size_t from;

	if (json_object_get(args, "limit") && !call_number(args, "limit", 1, PAGE_MOST, &limit))
		return call_fail(e, 400, "call.argument", "An argument is not what it must be",
				 "limit: a number from 1 to %d", PAGE_MOST);
	if (!take_cursor(args, &from, e))
		return NULL;
	/* Whoever turns pages stays with what the first was of. */
	if (!s->found_ns || (from == 0 && clock_mono_ns() - s->found_ns > FRESH_NS))
		return ask(k, by, e);
	wrong = json_string_value(json_object_get(s->found, "error"));
	if (wrong)
		return call_fail(e, 503, "advisory.survey", "The advisories could not be looked at",
				 "%s", wrong);
	return page(s->found, args, from, (size_t)limit);
}

void surveys_forget(struct keeper *k)
{
	if (k->surveys)
		k->surveys->found_ns = 0;
}

extern const struct call_row survey_calls[]; /* call.c's */
const struct call_row survey_calls[] = {
	{.name = "advisory.matches", .fn = matches, .roles = PEOPLE_HOUSE},
	{NULL},
};
