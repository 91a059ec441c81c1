#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define MEMORY_MAX 16384

static int path_of(const char *folder, char ret_path[4096])
{
	return snprintf(ret_path, 4096, "%s/memory.json", folder) < 4096 ? 0 : -ENAMETOOLONG;
}

static bool text(const json_t *o, const char *key, char *ret_text, size_t max)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && snprintf(ret_text, max, "%s", s) < (int)max;
}

static bool take(const json_t *o, struct memory *m)
{
	json_int_t state = json_integer_value(json_object_get(o, "state"));

	m->length = (uint64_t)json_integer_value(json_object_get(o, "length"));
	m->trial_since = json_integer_value(json_object_get(o, "trial_since"));
	m->state = (enum talk_state)state;
	return state >= 0 && state < TALK_STATES && text(o, "was", m->was, sizeof(m->was)) &&
	       text(o, "target", m->target, sizeof(m->target)) &&
	       text(o, "version", m->version, sizeof(m->version)) &&
	       text(o, "text", m->text, sizeof(m->text)) &&
	       text(o, "sha256", m->sha256, sizeof(m->sha256));
}

int memory_read(struct bytes text, struct memory *ret_m)
{
	json_t *o = json_loadb((const char *)text.data, text.len, 0, NULL);
	struct memory m = {.state = TALK_IDLE};
	bool fine = take(o, &m);

	json_decref(o);
	if (!fine)
		return -EBADMSG;
	*ret_m = m;
	return 0;
}

int memory_load(const char *folder, struct memory *ret_m)
{
	struct bytes data;
	char path[4096];
	int err = path_of(folder, path);

	if (err == 0)
		err = file_read(path, MEMORY_MAX, &data);
	if (err == -ENOENT) {
		*ret_m = (struct memory){.state = TALK_IDLE};
		return 0;
	}
	if (err < 0)
		return err;
	err = memory_read(data, ret_m);
	free((void *)data.data);
	return err;
}

int memory_keep(const char *folder, const struct memory *m)
{
	json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:s,s:I,s:I,s:s}", "state", (int)m->state, "target",
			      m->target, "version", m->version, "text", m->text, "sha256",
			      m->sha256, "length", (json_int_t)m->length, "trial_since",
			      (json_int_t)m->trial_since, "was", m->was);
	char *t = o ? json_dumps(o, JSON_COMPACT) : NULL, path[4096];
	int err = t ? path_of(folder, path) : -ENOMEM;

	if (err == 0)
		err = file_replace(path, (struct bytes){(const uint8_t *)t, strlen(t)}, 0600);
	free(t);
	json_decref(o);
	return err;
}
