#include "demo/replay.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/reason.h"
#include "demo/actor.h"
#include "demo/cast.h"
#include "demo/folder.h"
#include "demo/gateway.h"

#define CAPTURE "demo/ward.pcapng"
#define WAIT_MS 60000

/* Installed, or in the tree that this program was built in. */
static bool find_capture(char *ret_path, size_t cap)
{
	char exe[256];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	exe[n > 0 ? n : 0] = 0;
	slash = strrchr(exe, '/');
	if (slash)
		*slash = 0;
	snprintf(ret_path, cap, "%s/../" CAPTURE, exe);
	if (access(ret_path, R_OK) == 0)
		return true;
	snprintf(ret_path, cap, BEDWARDEN_DATADIR "/" CAPTURE);
	return access(ret_path, R_OK) == 0;
}

/* Blocked things by reason. */
static void count(struct bytes events, unsigned ret_counts[REASON_COUNT])
{
	size_t at = 0;

	while (at < events.len) {
		const uint8_t *end = memchr(events.data + at, '\n', events.len - at);
		size_t len = end ? (size_t)(end - events.data) - at : events.len - at;
		json_t *e = json_loadb((const char *)events.data + at, len, 0, NULL);
		const char *reason = json_string_value(json_object_get(e, "reason"));
		enum reason r = reason ? reason_from_name(reason) : REASON_COUNT;

		if (r != REASON_COUNT && gateway_dropped(e))
			ret_counts[r]++;
		json_decref(e);
		at += len + 1;
	}
}

static void say_json(const unsigned counts[REASON_COUNT])
{
	char buf[8192];
	struct json j = json_new(buf, sizeof(buf));

	json_open(&j, NULL);
	json_list(&j, "attacks");
	json_end(&j);
	json_list(&j, "transfers");
	json_end(&j);
	json_list(&j, "replayed");
	for (unsigned r = 0; r < REASON_COUNT; r++) {
		if (!counts[r])
			continue;
		json_open(&j, NULL);
		json_str(&j, "reason", reason_name(r));
		json_u64(&j, "events", counts[r]);
		json_close(&j);
	}
	json_end(&j);
	json_close(&j);
	if (!j.out.bad)
		printf("%.*s\n", (int)j.out.len, buf);
}

static void say(const unsigned counts[REASON_COUNT])
{
	puts("\nA capture of the same ward under the same attacks, judged as if it came by:\n");
	for (unsigned r = 0; r < REASON_COUNT; r++)
		if (counts[r])
			printf("  blocked %-28s %4u event%s  %s\n", reason_name(r), counts[r],
			       counts[r] == 1 ? " " : "s", reason_sentence(r));
}

int replay_run(const char *dir, bool json)
{
	char capture[FOLDER_MAX + 256];
	const char *policy = folder_path(dir, "bedwarden.yaml");
	const char *events = folder_path(dir, "events.json");
	const char *argv[] = {"/proc/self/exe", "inspect",  "-r", capture, "-c",
			      policy,		"--inline", "-o", events,  NULL};
	struct actor_tool t = {.argv = argv, .output = folder_path(dir, "inspect.log")};
	unsigned counts[REASON_COUNT] = {0};
	struct bytes found;
	int err;

	if (!find_capture(capture, sizeof(capture)))
		return -ENOENT;
	err = cast_policy(WARD_GATEWAY, true, dir, policy, "auto");
	if (!err)
		err = actor_run(-1, &t, WAIT_MS) ? -EIO : 0;
	if (err)
		return err;
	found = folder_read(events);
	if (!found.data)
		return -EIO;
	count(found, counts);
	free((void *)found.data);
	if (json)
		say_json(counts);
	else
		say(counts);
	return 0;
}
