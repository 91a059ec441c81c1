/*
 * What the updater is told by the other processes of firmware for devices, line after line, the first letter says
 * what: who gets any (F, the parent's), a person's word (W) and what is seen of devices (S, the keeper's), what a
 * repository lists (L). Whatever it is, the updater says afterwards how rollouts stand, and a word has one answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "folder.h"
#include "role/rolling.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define LINES_MOST 32
#define AGAIN	   200 /* inputs in the same folder */

static char folder[FUZZ_FOLDER];

static void leave(void)
{
	folder_drop(folder);
}

static void begin(void)
{
	static bool known;
	char path[80];

	folder_new(folder);
	snprintf(path, sizeof(path), "%s/targets", folder);
	if (mkdir(path, 0755) < 0)
		abort();
	if (!known)
		atexit(leave);
	known = true;
}

static void word(struct rolling *r, const json_t *o)
{
	json_t *answer = rolling_word(r, o);
	const json_t *error = json_object_get(answer, "error");

	if (answer &&
	    (!json_is_integer(json_object_get(answer, "n")) || (error && !json_is_string(error))))
		abort();
	json_decref(answer);
}

static void line(struct rolling *r, struct bytes text)
{
	struct bytes rest = {text.data + 1, text.len - 1};
	json_t *o = NULL;
	int fd;

	if (*text.data == 'W' || *text.data == 'L')
		o = json_loadb((const char *)rest.data, rest.len, 0, NULL);
	if (*text.data == 'W' && json_is_object(o))
		word(r, o);
	else if (*text.data == 'L' && json_is_array(o))
		rolling_listed(r, o);
	else if (*text.data == 'S')
		(void)rolling_sights(r, rest);
	else if (*text.data == 'B')
		rolling_blind(r);
	json_decref(o);
	if (*text.data != 'F')
		return;
	fd = file_memory("firmware", rest);
	if (fd < 0)
		abort();
	(void)rolling_firmware(r, fd);
	close(fd);
}

static void look(struct rolling *r)
{
	char *text = rolling_status(r);
	json_t *o = text ? json_loads(text, 0, NULL) : NULL;

	if (text && (!json_is_array(json_object_get(o, "rollouts")) ||
		     !json_is_array(json_object_get(o, "devices"))))
		abort();
	json_decref(o);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static unsigned count;
	struct rolling *r;

	if (++count % AGAIN == 0)
		leave();
	if (!*folder)
		begin();
	r = rolling_new(folder);
	if (!r)
		abort();
	for (unsigned n = 0; n < LINES_MOST && len; n++) {
		const uint8_t *end = memchr(data, '\n', len);
		size_t part = end ? (size_t)(end - data) : len;

		if (part)
			line(r, (struct bytes){data, part});
		data += part + !!end;
		len -= part + !!end;
	}
	look(r);
	rolling_free(r);
	return 0;
}
