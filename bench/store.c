/*
 * How many events a second the keeper's store takes: parsed, queued and made
 * durable in batches, beside the plain cost of parsing them.
 *
 *   bench-store FOLDER [EVENTS]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/event.h"
#include "keep/store.h"

static size_t make_line(char buf[EVENT_MAX], unsigned n)
{
	char device[32];
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = n % 4 ? "flow" : "policy",
				 .flow_id = n + 1,
				 .in_iface = "ward0",
				 .src_ip = "10.1.1.12",
				 .dest_ip = "10.1.0.5",
				 .src_port = 1024,
				 .dest_port = 445,
				 .proto = "TCP",
				 .device = device,
				 .peer = "central-1",
				 .reason = n % 4 ? REASON_NONE : REASON_POLICY_NOT_ALLOWED,
				 .verdict = "drop"};
	struct json j;

	snprintf(device, sizeof(device), "pump-%u", n % 500);
	j = event_begin(&e, buf);
	json_open(&j, "flow");
	json_u64(&j, "pkts_toserver", n);
	json_u64(&j, "pkts_toclient", n);
	json_u64(&j, "bytes_toserver", n * 100ull);
	json_u64(&j, "bytes_toclient", n * 100ull);
	json_str(&j, "state", "established");
	json_close(&j);
	return event_end(&j);
}

static double seconds_since(uint64_t ns)
{
	return (double)(clock_mono_ns() - ns) / (double)NSEC_PER_SEC;
}

static double parse_all(unsigned events)
{
	uint64_t start = clock_mono_ns();
	char buf[EVENT_MAX];

	for (unsigned n = 0; n < events; n++) {
		size_t len = make_line(buf, n);

		free(record_parse((struct bytes){(const uint8_t *)buf, len}));
	}
	return events / seconds_since(start);
}

static double store_all(const char *path, unsigned events)
{
	struct store *s = store_new(path, events / 2);
	uint64_t start = clock_mono_ns();
	char buf[EVENT_MAX];
	double rate;

	for (unsigned n = 0; n < events; n++) {
		size_t len = make_line(buf, n);

		store_put(s, (struct bytes){(const uint8_t *)buf, len});
		if (n % 4096 == 4095)
			store_commit(s);
	}
	if (store_commit(s) != 0)
		fprintf(stderr, "bench-store: %s cannot be written to\n", path);
	rate = events / seconds_since(start);
	store_free(s);
	return rate;
}

int main(int argc, char **argv)
{
	unsigned events = argc > 2 ? (unsigned)atoi(argv[2]) : 200000;
	char path[512];

	if (argc < 2) {
		fprintf(stderr, "usage: bench-store FOLDER [EVENTS]\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/bench.db", argv[1]);
	printf("{\"events\":%u,\"parsed_per_s\":%.0f,", events, parse_all(events));
	printf("\"stored_per_s\":%.0f}\n", store_all(path, events));
	return 0;
}
