#include "role/fact.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/ipc.h"

static void put(struct facts *a, const struct fact *f)
{
	struct event_common e = {
		.time_ns = clock_wall_ns(),
		.type = "audit",
		.in_iface = f->iface,
		.src_port = -1,
		.dest_port = -1,
		.device = f->device,
		.reason = f->reason,
		.verdict = f->verdict,
	};
	char buf[EVENT_MAX], *line;
	struct json j;
	size_t len;

	j = event_begin(&e, buf);
	if (f->count)
		json_u64(&j, "count", f->count);
	if (f->text) {
		json_open(&j, "audit");
		json_str(&j, "message", f->text);
		json_close(&j);
	}
	len = event_end(&j);
	line = len && a->count < FACTS_WAITING_MAX ? malloc(len + 2) : NULL;
	if (!line) {
		a->lost++;
		return;
	}
	memcpy(line, buf, len);
	memcpy(line + len, "\n", 2);
	a->waiting[(a->first + a->count++) % FACTS_WAITING_MAX] = line;
}

void facts_say(struct facts *a, const struct fact *f)
{
	if (a->lost && a->count + 1 < FACTS_WAITING_MAX) {
		struct fact lost = {.reason = REASON_GATEWAY_EVENTS_LOST, .count = a->lost};

		a->lost = 0;
		put(a, &lost);
	}
	put(a, f);
}

void facts_flush(struct facts *a, int keeper_sock)
{
	while (a->count) {
		char *line = a->waiting[a->first];
		struct bytes body = {(const uint8_t *)line, strlen(line)};

		if (ipc_send(keeper_sock, IPC_EVENTS, 0, body, -1) < 0)
			return;
		free(line);
		a->first = (a->first + 1) % FACTS_WAITING_MAX;
		a->count--;
	}
}

void facts_free(struct facts *a)
{
	for (; a->count; a->count--) {
		free(a->waiting[a->first]);
		a->first = (a->first + 1) % FACTS_WAITING_MAX;
	}
}
