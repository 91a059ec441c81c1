#include "demo/transfer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "demo/actor.h"
#include "demo/folder.h"
#include "demo/frame.h"

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

#define ALARM  "door open"
#define ALARMS 3

int fridge_hear_alarms(void *board)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(FRIDGE_ALARM)};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct board *b = board;
	char text[64];

	if (sock < 0 || bind(sock, (struct sockaddr *)&here, sizeof(here)))
		return 1;
	for (;;)
		if (recv(sock, text, sizeof(text), 0) == sizeof(ALARM) - 1 &&
		    memcmp(text, ALARM, sizeof(ALARM) - 1) == 0)
			b->alarms++;
}

int fridge_alarm(void *unused)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(FRIDGE_ALARM)};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = frame_ip_of(ward_machines[WARD_LAB].ip);
	for (unsigned i = 0; i < ALARMS; i++) {
		(void)!sendto(sock, ALARM, sizeof(ALARM) - 1, 0, (struct sockaddr *)&to,
			      sizeof(to));
		actor_sleep(100);
	}
	return 0;
}
