/*
 * What a surveyor in foreign hands could answer, whole or cut short once it was sent: whoever waits for it is
 * told something, and nothing is believed but a list. And a folder of advisories, as an update brings it: the
 * names of its files and what is in them. The first byte says which (a, f).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "folder.h"
#include "keep/store.h"
#include "role/keeper.h"
#include "role/survey.h"
#include "touch.h"
#include "update/advisory/library.h"

static struct store *store; /* for what is said of answers that make no sense */
static char folder[FUZZ_FOLDER];

static void pages(struct keeper *k)
{
	struct call_asker by = {.user = "root",
				.operator_ = true,
				.csrf_ok = true,
				.role = PEOPLE_ADMINISTRATOR,
				.source = "",
				.mac = "",
				.origin = "",
				.session = "",
				.session_id = ""};
	json_t *o = json_pack("{s:s, s:{s:i, s:b}}", "call", "advisory.matches", "args", "limit", 2,
			      "all", 1);
	struct call_error e = {0};
	json_t *ok = call_run(k, o, &by, &e);

	if (ok && !json_is_array(json_object_get(ok, "matches")))
		abort();
	if (!ok && (e.status < 400 || !*e.title))
		abort();
	json_decref(e.more);
	json_decref(ok);
	json_decref(o);
}

static void answer(struct bytes text)
{
	struct keeper k = {.store = store, .courier = -1};
	struct ipc_message m = {.type = IPC_SURVEYED};

	k.surveys = surveys_new();
	k.calls = calls_new();
	m.fd = file_memory("survey", text);
	if (!k.surveys || !k.calls || m.fd < 0)
		abort();
	k.parent = -1;
	surveys_take(&k, &m);
	pages(&k);
	if (ftruncate(m.fd, (off_t)text.len / 2) < 0)
		abort();
	surveys_take(&k, &m);
	pages(&k);
	surveys_forget(&k);
	close(m.fd);
	surveys_free(k.surveys);
	calls_free(k.calls);
}

/* A name ends with a zero byte, its content with two. What is a path in it becomes folders. */
static void put(const char *name, struct bytes content)
{
	char path[256];
	char *slash = path + strlen(folder);
	FILE *f;

	if (!*name || *name == '/' || strstr(name, "..") ||
	    snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return;
	while ((slash = strchr(slash + 1, '/')) != NULL) {
		*slash = 0;
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	f = fopen(path, "we");
	if (!f)
		return; /* no name that a file has */
	(void)fwrite(content.data, 1, content.len, f);
	fclose(f);
}

static void fill(struct bytes in)
{
	while (in.len) {
		const uint8_t *name_end = memchr(in.data, 0, in.len), *end;
		char name[128];

		if (!name_end || name_end - in.data >= (ptrdiff_t)sizeof(name))
			return;
		memcpy(name, in.data, (size_t)(name_end - in.data) + 1);
		in.len -= (size_t)(name_end - in.data) + 1;
		in.data = name_end + 1;
		end = memmem(in.data, in.len, "\0", 2);
		put(name, (struct bytes){in.data, end ? (size_t)(end - in.data) : in.len});
		in.len = end ? in.len - (size_t)(end - in.data) - 2 : 0;
		in.data = end ? end + 2 : in.data;
	}
}

static void shelve(struct bytes in)
{
	struct library l = {0};

	folder_new(folder);
	fill(in);
	if (library_read(&l, folder, true) < 0 || library_read(&l, folder, false) < 0)
		abort();
	library_settle(&l);
	for (size_t i = 1; i < l.count; i++)
		if (strcmp(l.list[i - 1]->id, l.list[i]->id) >= 0)
			abort();
	for (size_t i = 0; i < l.refusal_count; i++)
		if (!*l.refusals[i].file || !*l.refusals[i].why)
			abort();
	library_free(&l);
	folder_drop(folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes rest = {data + 1, len - 1};

	if (len == 0)
		return 0;
	if (!store && !(store = store_new(":memory:", 1000)))
		abort();
	if (*data == 'a')
		answer(rest);
	else if (*data == 'f')
		shelve(rest);
	return 0;
}
