#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/list.h"
#include "cli/text.h"

static uint64_t number(const json_t *o, const char *key)
{
	json_int_t n = control_number(o, key);

	return n < 0 ? 0 : (uint64_t)n;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void say_headline(const json_t *s)
{
	const json_t *guards = json_object_get(s, "guards"), *g, *p;
	const char *name = control_text(s, "name"), *file = control_text(s, "policy_file");
	size_t count = json_array_size(guards), alive = 0, down = 0, i;
	char span[TEXT_SHORT];
	bool kernel = strcmp(control_text(s, "capture"), "xdp") == 0;

	json_array_foreach (guards, i, g) {
		alive += json_is_true(json_object_get(g, "alive"));
	}
	json_array_foreach (json_object_get(s, "ports"), i, p) {
		down += strcmp(control_text(p, "link"), "up") != 0;
	}
	if (count > 0 && alive == count && !down)
		text_say("%s is guarding.", *name ? name : "The gateway");
	else if (alive > 0)
		text_say(
			"%s is guarding in part: %zu of %zu guards run, %zu port%s without a link.",
			*name ? name : "The gateway", alive, count, down, plural(down));
	else
		text_say(
			"%s is NOT INSPECTING: no guard runs. %s", *name ? name : "The gateway",
			kernel ? "The kernel still enforces the allowlist; each device's fail mode "
				 "decides about the rest."
			       : "Nothing is forwarded.");
	text_say("Up %s, policy number %" PRIu64 " from %s, %s.",
		 text_span(number(s, "uptime_s"), span), number(s, "generation"), file,
		 kernel ? "enforced in the kernel" : "enforced by the guard alone");
}

/* One finding: who, what, how often, when. */
static void say_finding(const json_t *g)
{
	const char *device = control_text(g, "device");
	char times[TEXT_SHORT], last[TEXT_SHORT];
	uint64_t count = number(g, "count"), blocked = number(g, "blocked");

	text_count(count, times);
	text_time(control_text(g, "last"), last);
	text_say("  - %s: %s %s time%s, last at %s%s.", *device ? device : "gateway",
		 control_text(g, "sentence"), times, plural(count), last,
		 blocked == 0	    ? ""
		 : blocked >= count ? ", always blocked"
				    : ", not always blocked");
}

/* Severity 1 and 2 want somebody; the rest is in `bedwarden events`. */
static bool is_urgent(const json_t *g)
{
	return control_number(g, "severity") <= 2;
}

/* What it cannot see has a place of its own below. */
static bool is_blind_spot(const json_t *s, const char *nag)
{
	const json_t *seg;
	size_t i;

	json_array_foreach (json_object_get(s, "segments"), i, seg) {
		const char *neighbours = control_text(seg, "neighbours");

		if (!json_is_true(json_object_get(seg, "isolated")) && *neighbours &&
		    strstr(nag, neighbours))
			return true;
	}
	return false;
}

static void say_attention(const json_t *s)
{
	const json_t *nags = json_object_get(s, "nags"), *found = json_object_get(s, "attention");
	const json_t *store = json_object_get(s, "store"), *one;
	size_t i, said = 0;
	char lost[TEXT_SHORT];

	puts("\nNEEDS ATTENTION");
	if (json_is_false(json_object_get(store, "writable"))) {
		text_say("  - The disk of %s takes nothing: %" PRIu64
			 " events wait in memory; make room there.",
			 control_text(store, "state_dir"), number(store, "events_waiting"));
		said++;
	}
	json_array_foreach (nags, i, one) {
		const char *nag = json_string_value(one);

		if (!nag || is_blind_spot(s, nag))
			continue;
		text_say("  - %s", nag);
		said++;
	}
	json_array_foreach (found, i, one) {
		if (!is_urgent(one))
			continue;
		say_finding(one);
		said++;
	}
	if (number(store, "events_lost")) {
		text_say("  - %s events were not stored, for want of room.",
			 text_count(number(store, "events_lost"), lost));
		said++;
	}
	if (!said)
		puts("  Nothing.");
}

static void say_segments(const json_t *s)
{
	static const struct table_column columns[] = {
		{"  SEGMENT", false}, {"MODE", false}, {"PORT", false},
		{"TOWARDS", false},   {"LINK", false}, {"WAY IN", false},
	};
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));
	const json_t *seg, *p;
	size_t i, k;
	char name[128];

	json_array_foreach (json_object_get(s, "segments"), i, seg) {
		const char *segment = control_text(seg, "name"), *mode = control_text(seg, "mode");

		json_array_foreach (json_object_get(s, "ports"), k, p) {
			if (strcmp(control_text(p, "segment"), segment) != 0)
				continue;
			snprintf(name, sizeof(name), "  %.100s", segment);
			table_cell(t, name);
			table_cell(t, mode);
			table_cell(t, control_text(p, "name"));
			table_cell(t, control_text(p, "side"));
			table_cell(t, control_text(p, "link"));
			table_cell(t, control_text(p, "mode"));
		}
	}
	puts("\nSEGMENTS AND PORTS");
	table_print(t, stdout, table_width(stdout));
	table_free(t);
}

static void say_devices(const json_t *s)
{
	const json_t *d = json_object_get(s, "devices");
	uint64_t count = number(d, "registered");

	puts("\nDEVICES");
	if (!count) {
		puts("  None is registered: every machine is treated as a stranger.");
		return;
	}
	text_say("  %" PRIu64 " registered: %" PRIu64
		 " enforced (blocked where not allowed), %" PRIu64
		 " simulated (reported as if blocked), %" PRIu64 " observed.",
		 count, number(d, "enforce"), number(d, "simulate"), number(d, "observe"));
	text_say("  While nobody inspects, %" PRIu64 " stay%s connected (fail open) and %" PRIu64
		 " %s shut off (fail closed).",
		 number(d, "fail_open"), number(d, "fail_open") == 1 ? "s" : "",
		 number(d, "fail_closed"), number(d, "fail_closed") == 1 ? "is" : "are");
}

static void say_blind_spots(const json_t *s)
{
	const json_t *seg;
	size_t i, said = 0;

	puts("\nWHAT IT CANNOT SEE");
	json_array_foreach (json_object_get(s, "segments"), i, seg) {
		if (json_is_true(json_object_get(seg, "isolated")))
			continue;
		text_say("  - segment %s: %s.", control_text(seg, "name"),
			 control_text(seg, "neighbours"));
		said++;
	}
	if (!said)
		puts("  Nothing that passes its ports; every ward switch isolates its ports.");
}

static void say_traffic(const json_t *s)
{
	const json_t *floor = json_object_get(s, "floor"), *g;
	uint64_t received = 0, dropped = 0, lost = 0;
	char a[TEXT_SHORT], b[TEXT_SHORT], c[TEXT_SHORT];
	size_t i;

	json_array_foreach (json_object_get(s, "guards"), i, g) {
		received += number(g, "received");
		dropped += number(g, "dropped");
		lost += number(g, "lost_receive") + number(g, "lost_send");
	}
	puts("\nTRAFFIC");
	if (floor)
		text_say("  In the kernel: %s packets passed, %s handed up for inspection, %s "
			 "blocked.",
			 text_count(number(json_object_get(floor, "passed"), "packets"), a),
			 text_count(number(json_object_get(floor, "inspected"), "packets"), b),
			 text_count(number(json_object_get(floor, "dropped"), "packets"), c));
	text_say("  Inspected: %s packets, %s of them blocked, %s lost for want of room.",
		 text_count(received, a), text_count(dropped, b), text_count(lost, c));
	if (floor && number(json_object_get(floor, "uninspected"), "packets"))
		text_say("  %s packets of fail-open devices passed uninspected.",
			 text_count(number(json_object_get(floor, "uninspected"), "packets"), a));
}

static void say_vault(const json_t *vault)
{
	char a[TEXT_SHORT], b[TEXT_SHORT], c[TEXT_SHORT];

	if (!vault)
		return;
	if (!json_is_true(json_object_get(vault, "open"))) {
		puts("  The vault is closed: nothing is sealed.");
		return;
	}
	text_say("  Sealed since the start: %s captures, %s archived messages and images (%s).",
		 text_count(number(vault, "evidence_sealed"), a),
		 text_count(number(vault, "archived"), b),
		 text_bytes(number(vault, "archived_bytes"), c));
	if (number(vault, "archive_lost"))
		text_say("  %s that should have been archived were lost.",
			 text_count(number(vault, "archive_lost"), a));
}

static void say_records(const json_t *s)
{
	const json_t *store = json_object_get(s, "store");
	char a[TEXT_SHORT], b[TEXT_SHORT], c[TEXT_SHORT];

	puts("\nRECORDS");
	text_say("  Today: %s events, %s blocked, %s that would have been.",
		 text_count(number(store, "events_today"), a),
		 text_count(number(store, "blocked_today"), b),
		 text_count(number(store, "would_block_today"), c));
	text_say("  %s: database %s, event file %s, %s free on the disk.",
		 control_text(store, "state_dir"), text_bytes(number(store, "database_bytes"), a),
		 text_bytes(number(store, "eve_bytes"), b),
		 text_bytes(number(store, "disk_free_bytes"), c));
	say_vault(json_object_get(s, "vault"));
}

/* What travels by TLS, a line each. */
static void say_relays(const json_t *s)
{
	const json_t *relays = json_object_get(s, "relays"), *r;
	char a[TEXT_SHORT], b[TEXT_SHORT], c[TEXT_SHORT], d[TEXT_SHORT];
	size_t i;

	if (!json_array_size(relays))
		return;
	puts("\nRELAYS");
	json_array_foreach (relays, i, r) {
		bool gone = json_is_true(json_object_get(r, "retired"));

		text_say("  %s (TLS %s)%s: %s connections stand of %s, %s refused, %s.",
			 control_text(r, "name"), control_text(r, "tls"),
			 gone					     ? ", no longer in the policy"
			 : json_is_true(json_object_get(r, "ready")) ? ""
								     : ", not ready",
			 text_count(number(r, "open"), a), text_count(number(r, "accepted"), b),
			 text_count(number(r, "refused"), c), text_bytes(number(r, "bytes"), d));
	}
}

/* Other gateways, a line each. */
static void say_peers(const json_t *s)
{
	const json_t *peers = json_object_get(s, "peers"), *p;
	char a[TEXT_SHORT], b[TEXT_SHORT], span[TEXT_SHORT];
	size_t i;

	if (!json_array_size(peers))
		return;
	puts("\nSEALED LINKS");
	json_array_foreach (peers, i, p) {
		const char *at = control_text(p, "address");

		if (json_is_true(json_object_get(p, "up")))
			text_say("  %s: up for %s at %s, round trip %.1f ms, %s sent, %s received.",
				 control_text(p, "name"), text_span(number(p, "up_s"), span), at,
				 json_number_value(json_object_get(p, "rtt_ms")),
				 text_bytes(number(p, "bytes_out"), a),
				 text_bytes(number(p, "bytes_in"), b));
		else
			text_say("  %s: DOWN%s%s; each device's fail mode decides.",
				 control_text(p, "name"), *at ? ", last at " : "", at);
	}
}

/* Where the console is, and how to know that it is ours. */
static void say_console(const json_t *s)
{
	const json_t *console = json_object_get(s, "console"), *at;
	const char *print = control_text(console, "certificate");
	size_t i;

	if (!json_is_array(json_object_get(console, "listen")))
		return;
	text_say("\nConsole");
	json_array_foreach (json_object_get(console, "listen"), i, at)
		text_say("  https://%s", json_string_value(at));
	if (!json_array_size(json_object_get(console, "listen")))
		text_say("  It is off.");
	else if (*print)
		text_say("  Its certificate's SHA-256: %s", print);
}

static void show(void *arg, json_t *s)
{
	const struct control_options *o = arg;

	if (o->json) {
		json_dumpf(s, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		fputc('\n', stdout);
		return;
	}
	say_headline(s);
	say_attention(s);
	say_segments(s);
	say_devices(s);
	say_blind_spots(s);
	say_traffic(s);
	say_peers(s);
	say_relays(s);
	say_records(s);
	say_console(s);
}

int cli_status(int argc, char **argv)
{
	static const struct option options[] = {CONTROL_OPTIONS, {0}};
	struct control_options o;
	json_t *request = json_pack("{s:s}", "cmd", "status");
	int c, code = CLI_OK;

	control_defaults(&o);
	while (code == CLI_OK &&
	       (c = getopt_long(argc, argv, CONTROL_LETTERS, options, NULL)) != -1)
		code = control_option(&o, c);
	if (code < 0 || (code == CLI_OK && optind < argc))
		code = cli_usage(cli_find("status"));
	if (code == CLI_OK)
		code = control_ask(&o, request, false, show, &o);
	json_decref(request);
	return code;
}
