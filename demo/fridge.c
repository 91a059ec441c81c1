#include "demo/transfer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "demo/actor.h"
#include "demo/folder.h"

#define TOPIC	 "ward/fridge-1/temperature"
#define READINGS 5

int fridge_serve(const struct transfer_room *r)
{
	static const char config[] = "listener 1883 0.0.0.0\nallow_anonymous true\n"
				     "persistence false\nuser root\n";
	const char *file = folder_path(r->dir, "mosquitto.conf");
	const char *argv[] = {"mosquitto", "-c", file, NULL};
	struct actor_tool t = {.argv = argv, .output = r->ward->log};
	int err = folder_write(file, (struct bytes){(const uint8_t *)config, sizeof(config) - 1});

	return err ? err : actor_exec(r->ward->netns[WARD_BROKER], &t);
}

static pid_t subscribe(const struct transfer_room *r, const char *to)
{
	const char *argv[] = {"mosquitto_sub",
			      "-h",
			      ward_machines[WARD_BROKER].ip,
			      "-t",
			      TOPIC,
			      "-q",
			      "1",
			      "-C",
			      "5",
			      "-W",
			      "15",
			      NULL};
	struct actor_tool t = {.argv = argv, .output = to};

	return actor_exec(r->ward->netns[WARD_BROKER], &t);
}

static int publish(const struct transfer_room *r, const char *reading)
{
	const char *argv[] = {"mosquitto_pub", "-h", r->broker, "-t", TOPIC, "-q", "1", "-i",
			      "fridge-1",      "-m", reading,	NULL};
	struct actor_tool t = {.argv = argv, .output = r->ward->log};

	return actor_run(r->ward->netns[WARD_FRIDGE], &t, 5000);
}

struct transfer_result fridge_send(const struct transfer_room *r)
{
	char expect[1024], to[FOLDER_MAX + 32], reading[128];
	struct transfer_result res = {0};
	struct bytes got;
	size_t len = 0;
	int err = 0;
	pid_t sub;

	snprintf(to, sizeof(to), "%s/readings", r->dir);
	sub = subscribe(r, to);
	actor_sleep(300);
	for (unsigned i = 0; i < READINGS && !err; i++) {
		int n = snprintf(reading, sizeof(reading),
				 "{\"device\":\"fridge-1\",\"celsius\":%u.%u,\"door\":\"closed\","
				 "\"reading\":%u}",
				 4 + i % 2, i * 2, i);

		err = publish(r, reading);
		len += (size_t)snprintf(expect + len, sizeof(expect) - len, "%.*s\n", n, reading);
		res.count += err == 0;
	}
	if (actor_wait(sub, err ? 100 : 5000))
		err = -1;
	got = folder_read(to);
	res.intact = !err && got.data && got.len == len && memcmp(got.data, expect, len) == 0;
	free((void *)got.data);
	snprintf(res.what, sizeof(res.what), "%u of %u readings, every byte%s", res.count, READINGS,
		 res.intact ? "" : ": not so");
	return res;
}
