#include "demo/upkeep.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "demo/actor.h"
#include "demo/cast.h"
#include "demo/transfer.h"

#define CLI_MS	   20000
#define LOOK_MS	   150
#define EVENT_MS   4000
#define PROPOSE_MS 15000
#define DEVICE_MS  30000
#define PATIENT_MS 2000 /* that the one on a patient is looked at after the first is done */
#define RATE	   12	/* ml/h */
#define GOOD	   "2.0"
#define BAD	   "3.0"
#define RELEASE	   "9.0.0" /* of the gateway: this very program */
#define RELEASE_MS 45000
#define CALM_MS	   1500
#define AGAIN_MS   8000
#define STICK_MS   10000
#define WORDS_MAX  16
#define TRACES_MAX 16

/* What the fridge's maker says of it now: its alarms are new. */
static const char profile[] =
	"title: Vaccine fridge\nkind: sensor\nfail: closed\nsource: [the demonstration]\nstarts:\n"
	"  - {service: readings to the broker, proto: tcp, port: [1883], peer: broker, app: mqtt}\n"
	"  - {service: alarms, proto: udp, port: [5005], peer: lab}\n";

/* What a site without internet gets besides, for whoever matches signatures. */
static const char rules[] =
	"alert tcp any any -> any 8080 (msg:\"service page asked for a shell\"; "
	"flow:to_server,established; http.uri; content:\"/exec\"; sid:9000001; rev:2;)\n";

const char *const upkeep_steps[UPKEEP_STEPS] = {
	"signed firmware to the first pump",
	"the pump on a patient",
	"and when it delivers to nobody (push)",
	"a bad release",
	"the gateway replaces itself under load",
	"a stick, with no mirror in reach",
	"the report (HIPAA)",
};
const char *const upkeep_words[UPKEEP_STEPS] = {
	"updated", "waits", "updated", "rolled back", "replaced", "in force", "traced",
};

/* --- the command line, as people use it -------------------------------------------------- */

static int command(struct upkeep *u, const char *const *words)
{
	const char *argv[WORDS_MAX + 4] = {"/proc/self/exe"};
	struct actor_tool t = {.argv = argv, .output = u->output};
	unsigned n = 1;

	for (; words[n - 1] && n <= WORDS_MAX; n++)
		argv[n] = words[n - 1];
	argv[n++] = "-c";
	argv[n] = u->gateways->ward.config;
	unlink(u->output);
	return actor_run(-1, &t, CLI_MS) ? -EIO : 0;
}

/* What `update status` answers, to be released; or NULL. */
static json_t *status(struct upkeep *u)
{
	static const char *const words[] = {"update", "status", "--json", NULL};
	struct bytes text = {NULL, 0};
	json_t *o;

	if (command(u, words) == 0)
		text = folder_read(u->output);
	o = text.data ? json_loadb((const char *)text.data, text.len, 0, NULL) : NULL;
	free((void *)text.data);
	return o;
}

static bool is(const json_t *o, const char *key, const char *value)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && strcmp(s, value) == 0;
}

static const json_t *found(const json_t *list, const char *key, const char *value)
{
	const json_t *o;
	size_t i;

	json_array_foreach (list, i, o)
		if (is(o, key, value))
			return o;
	return NULL;
}

/* What is waited for: a rollout's state, a device's step in it, or, of all, what an agent says. */
struct awaited {
	const char *version, *state;
	const char *device, *step, *why; /* `why`: words in it */
	const char *speaks;		 /* an agent that has spoken */
};

static bool is_so(const json_t *o, const struct awaited *a)
{
	const json_t *r = NULL, *d;
	const char *why;

	if (a->speaks)
		return is(found(json_object_get(o, "devices"), "device", a->speaks), "source",
			  "agent");
	r = found(json_object_get(o, "rollouts"), "version", a->version);
	if (!r || (a->state && !is(r, "state", a->state)))
		return false;
	if (!a->device)
		return true;
	d = found(json_object_get(r, "devices"), "name", a->device);
	why = json_string_value(json_object_get(d, "why"));
	return is(d, "step", a->step) && (!a->why || (why && strstr(why, a->why)));
}

static bool await(struct upkeep *u, const struct awaited *a, int ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)ms * NSEC_PER_MSEC;
	bool yes = false;

	for (;;) {
		json_t *o = status(u);

		yes = o && is_so(o, a);
		json_decref(o);
		if (yes || clock_mono_ns() >= end)
			return yes;
		actor_sleep(LOOK_MS);
	}
}

static const char *id_of(struct upkeep *u, const char *version, char ret_id[64])
{
	json_t *o = status(u);
	const json_t *r = found(json_object_get(o, "rollouts"), "version", version);
	const char *id = json_string_value(json_object_get(r, "id"));

	snprintf(ret_id, 64, "%s", id ? id : "");
	json_decref(o);
	return ret_id;
}

/* Published, fetched, proposed, and approved by a person. */
static bool bring(struct upkeep *u, const char *version, bool well)
{
	static const char *const check[] = {"update", "check", NULL};
	char id[64];
	const char *approve[] = {"update", "approve", id, "--reason", "tried on the bench", NULL};

	return maker_release(&u->maker, version, well) == 0 && command(u, check) == 0 &&
	       await(u, &(struct awaited){.version = version, .state = "proposed"}, PROPOSE_MS) &&
	       *id_of(u, version, id) && command(u, approve) == 0;
}

/* --- what the pumps hold ------------------------------------------------------------------- */

static const char *pushed(const struct upkeep *u)
{
	return folder_path(u->pumps[1].dir, "firmware");
}

static bool second_holds(const struct upkeep *u, const char *version)
{
	return folder_same(pushed(u), maker_file(&u->maker, version));
}

static void digest_of(const char *path, char ret_hex[DIGEST_HEX_MAX])
{
	struct bytes b = folder_read(path);
	struct digest d = digest_new(DIGEST_SHA256);

	digest_add(&d, b.data, b.len);
	digest_hex(&d, ret_hex);
	free((void *)b.data);
}

static void reason(struct upkeep *u, const char *device, const char *want, struct upkeep_outcome *o)
{
	const char *about[] = {device, NULL};

	if (gateway_told(&u->gateways->ward, &u->begun, about, want, EVENT_MS))
		snprintf(o->reason, sizeof(o->reason), "%s", want);
}

static void reason_of_gateway(struct upkeep *u, const char *want, struct upkeep_outcome *o)
{
	if (gateway_told(&u->gateways->ward, &u->begun, NULL, want, EVENT_MS))
		snprintf(o->reason, sizeof(o->reason), "%s", want);
}

static struct upkeep_outcome failed(const char *what)
{
	struct upkeep_outcome o = {.good = false};

	snprintf(o.what, sizeof(o.what), "%s", what);
	return o;
}

/* --- steps ------------------------------------------------------------------------------------ */

static struct upkeep_outcome first_wave(struct upkeep *u)
{
	struct upkeep_outcome o = {.good = false};
	char runs[32], sha256[65];

	gateway_mark(&u->gateways->ward, &u->begun);
	if (!bring(u, GOOD, true))
		return failed("it was not offered to the pumps");
	await(u, &(struct awaited){.version = GOOD, .device = "pump-1", .step = "done"}, DEVICE_MS);
	slotted_version(&u->slotted, runs);
	o.good = slotted_holds(&u->slotted, GOOD, sha256) && strcmp(runs, GOOD) == 0;
	snprintf(o.what, sizeof(o.what), "runs %s by %s, SHA-256 %.12s as signed", runs,
		 u->maker.rauc ? "RAUC" : "two folders (no RAUC)", sha256);
	if (!o.good)
		snprintf(o.what, sizeof(o.what), "runs %s", *runs ? runs : "nothing");
	reason(u, "pump-1", "update.device_done", &o);
	return o;
}

static struct upkeep_outcome on_patient(struct upkeep *u)
{
	struct upkeep_outcome o = {.good = false};
	struct awaited waits = {
		.version = GOOD, .device = "pump-2", .step = "waiting", .why = "on a patient"};
	unsigned before = u->board->pump_told[1];

	o.good = await(u, &waits, PROPOSE_MS);
	actor_sleep(PATIENT_MS);
	o.good = o.good && await(u, &waits, 0) && second_holds(u, MAKER_FIRST) &&
		 u->board->pump_restarts == 0 && u->board->pump_told[1] > before;
	snprintf(o.what, sizeof(o.what), "delivers %u ml/h, %s", (unsigned)u->board->pump_rate[1],
		 o.good ? "keeps " MAKER_FIRST ", not restarted" : "and was not left alone");
	reason(u, "pump-2", "update.device_waits", &o);
	return o;
}

static struct upkeep_outcome by_push(struct upkeep *u)
{
	struct upkeep_outcome o = {.good = false};
	char sha256[DIGEST_HEX_MAX];

	u->board->pump_rate[1] = 0;
	o.good = await(u, &(struct awaited){.version = GOOD, .state = "done"}, DEVICE_MS) &&
		 second_holds(u, GOOD) && u->board->pump_restarts == 1;
	digest_of(pushed(u), sha256);
	snprintf(o.what, sizeof(o.what),
		 o.good ? "has " GOOD ", SHA-256 %.12s as signed" : "has %.12s", sha256);
	reason(u, "pump-2", "update.on_trust", &o);
	return o;
}

static struct upkeep_outcome bad_release(struct upkeep *u)
{
	struct upkeep_outcome o = {.good = false};
	char runs[32], sha256[65];
	bool ran;

	if (!bring(u, BAD, false))
		return failed("it was not offered to the pumps");
	await(u, &(struct awaited){.version = BAD, .state = "stopped"}, DEVICE_MS);
	slotted_version(&u->slotted, runs);
	ran = slotted_ran(&u->slotted, BAD);
	o.good = ran && strcmp(runs, GOOD) == 0 && slotted_holds(&u->slotted, GOOD, sha256) &&
		 second_holds(u, GOOD) && u->board->pump_restarts == 1;
	snprintf(o.what, sizeof(o.what), "%s, runs %s again; the second pump never had it",
		 ran ? "ran " BAD : "never ran " BAD, runs);
	if (!o.good)
		snprintf(o.what, sizeof(o.what), "pump-1 runs %s%s", runs,
			 second_holds(u, GOOD) ? "" : ", the second pump has it, too");
	reason(u, "pump-1", "update.device_back", &o);
	return o;
}

/* What is alive in the ward: two pumps' connections, and the monitor's with the central station. */
struct flows {
	unsigned lines[BOARD_PUMPS], told[BOARD_PUMPS], associated;
};

static struct flows flows_now(const struct board *b)
{
	return (struct flows){{b->pump_lines[0], b->pump_lines[1]},
			      {b->pump_told[0], b->pump_told[1]},
			      b->associated};
}

/* Those that are the same as before, and were used after. */
static unsigned flows_kept(const struct board *b, const struct flows *before,
			   const struct flows *after, const struct board_account *vitals)
{
	unsigned kept = b->associated == before->associated && vitals->intact > 0;

	for (unsigned i = 0; i < BOARD_PUMPS; i++)
		kept += b->pump_lines[i] == before->lines[i] && b->pump_told[i] > after->told[i];
	return kept;
}

static bool lines_used(const struct board *b, const struct flows *since)
{
	return b->pump_told[0] > since->told[0] && b->pump_told[1] > since->told[1];
}

static bool runs_release(struct upkeep *u, int ms)
{
	uint64_t end = clock_mono_ns() + (uint64_t)ms * NSEC_PER_MSEC;
	char release[64], trial[FOLDER_MAX + 64];

	snprintf(trial, sizeof(trial), "%s/" CAST_PLACE "/trial", u->dir);
	do {
		if (gateway_release(&u->gateways->ward, release, sizeof(release)) &&
		    strcmp(release, RELEASE) == 0 && access(trial, F_OK))
			return true;
		actor_sleep(LOOK_MS);
	} while (clock_mono_ns() < end);
	return false;
}

static bool is_staged(struct upkeep *u)
{
	char path[FOLDER_MAX + 96];

	snprintf(path, sizeof(path), "%s/" CAST_PLACE "/releases/" RELEASE "/bin/bedwarden",
		 u->dir);
	for (int ms = 0; ms < PROPOSE_MS; ms += LOOK_MS) {
		if (access(path, X_OK) == 0)
			return true;
		actor_sleep(LOOK_MS);
	}
	return false;
}

/* Without the kernel's floor nothing keeps what comes while no gateway is there. */
static bool keeps(const struct upkeep *u)
{
	char name[16];

	return gateway_capture(&u->gateways->ward, name, sizeof(name)) && strcmp(name, "xdp") == 0;
}

static struct upkeep_outcome replace_itself(struct upkeep *u)
{
	static const char *const check[] = {"update", "check", NULL}, *const approve[] = {
									      "update", "approve",
									      RELEASE, NULL};
	struct upkeep_outcome o = {.good = false};
	struct flows before, after;
	struct board_account k;
	uint64_t from;
	unsigned kept;
	double took;

	if (maker_gateway(&u->maker, RELEASE) || command(u, check) || !is_staged(u))
		return failed("no release of it was put in place");
	before = flows_now(u->board);
	from = clock_mono_ns();
	if (command(u, approve))
		return failed("it was not approved");
	o.good = runs_release(u, RELEASE_MS);
	took = (double)(clock_mono_ns() - from) / NSEC_PER_SEC;
	after = flows_now(u->board);
	/* What TCP sends again waits the longer the longer nothing came through. */
	for (int ms = 0; ms < AGAIN_MS && !lines_used(u->board, &after); ms += LOOK_MS)
		actor_sleep(LOOK_MS);
	actor_sleep(CALM_MS);
	k = board_judge(u->board, u->patient, from, clock_mono_ns() - 1000 * NSEC_PER_MSEC);
	kept = flows_kept(u->board, &before, &after, &k);
	o.good = o.good && kept == BOARD_PUMPS + 1 && !k.foreign && !k.flat &&
		 !(keeps(u) && k.intact + k.late < k.expected);
	snprintf(o.what, sizeof(o.what),
		 "%u of %d flows go on, %u of %u blocks of vital signs, none later than %.1f s; "
		 "%.0f s",
		 kept, BOARD_PUMPS + 1, k.intact + k.late, k.expected, k.latest_ms / 1000.0, took);
	reason_of_gateway(u, "update.release_started", &o);
	return o;
}

static bool alarm_arrives(struct upkeep *u)
{
	unsigned before = u->board->alarms;

	actor_wait(actor_start(u->ward->netns[WARD_FRIDGE], fridge_alarm, NULL), 2000);
	actor_sleep(LOOK_MS);
	return u->board->alarms != before;
}

static int publish(struct upkeep *u, const char *file, const char *text, const char *target,
		   const char *custom)
{
	struct bytes b = {(const uint8_t *)text, strlen(text)};
	int err = folder_write(folder_path(u->maker.dir, file), b);

	return err ? err : maker_publish(&u->maker, file, target, custom);
}

static struct upkeep_outcome from_stick(struct upkeep *u)
{
	char stick[FOLDER_MAX + 32];
	const char *import[] = {"update", "import", stick, NULL};
	uint64_t end = clock_mono_ns() + STICK_MS * NSEC_PER_MSEC;
	struct upkeep_outcome o = {.good = false};
	char placed[FOLDER_MAX + 96];
	bool before, ruled;

	actor_stop(u->mirror);
	u->mirror = 0;
	before = alarm_arrives(u);
	snprintf(stick, sizeof(stick), "%s/stick", u->dir);
	if (publish(u, "fridge.yaml", profile, "profiles/mqtt-sensor.yaml",
		    "{\"kind\":\"profile\",\"version\":\"2\"}") ||
	    publish(u, "ward.rules", rules, "rules/ward.rules",
		    "{\"kind\":\"rules\",\"version\":\"2\"}") ||
	    maker_stick(&u->maker, stick) || command(u, import))
		return failed("the stick could not be made, or not be read");
	while (!(o.good = alarm_arrives(u)) && clock_mono_ns() < end)
		;
	snprintf(placed, sizeof(placed), "%s/" CAST_PLACE "/content/current/rules/ward.rules",
		 u->dir);
	ruled = folder_same(placed, folder_path(u->maker.dir, "ward.rules"));
	o.good = o.good && !before && ruled;
	snprintf(o.what, sizeof(o.what),
		 "rules %s; the fridge's alarms: %s before its new profile, %s after",
		 ruled ? "as signed" : "missing", before ? "heard" : "blocked",
		 u->board->alarms ? "heard" : "blocked");
	reason_of_gateway(u, "update.installed", &o);
	return o;
}

/* Says its command something, in JSON? FILE in it is the policy. */
static bool is_answered(struct upkeep *u, const char *trace)
{
	const char *words[WORDS_MAX] = {NULL};
	char text[128], *rest = NULL;
	struct bytes said;
	unsigned n = 0;
	bool yes;

	snprintf(text, sizeof(text), "%s", trace);
	for (char *w = strtok_r(text, " ", &rest); w && n + 1 < WORDS_MAX;
	     w = strtok_r(NULL, " ", &rest))
		words[n++] = strcmp(w, "FILE") == 0 ? u->gateways->ward.config : w;
	if (!n || strcmp(words[0], "bedwarden") != 0 || command(u, words + 1))
		return false;
	said = folder_read(u->output);
	yes = said.len > 2;
	free((void *)said.data);
	return yes;
}

struct traced {
	const char *commands[TRACES_MAX];
	unsigned count, figures, lost;
};

static void trace(struct upkeep *u, const json_t *evidence, struct traced *t)
{
	const char *command = json_string_value(json_object_get(evidence, "trace"));
	unsigned i = 0;

	t->figures++;
	while (command && i < t->count && strcmp(t->commands[i], command) != 0)
		i++;
	if (command && i < t->count)
		return;
	if (!command || i == TRACES_MAX || !is_answered(u, command)) {
		t->lost++;
		return;
	}
	t->commands[t->count++] = command;
}

static void trace_all(struct upkeep *u, const json_t *report, struct traced *t)
{
	const json_t *part, *requirement, *evidence;
	size_t i, k, n;

	json_array_foreach (json_object_get(report, "parts"), i, part)
		json_array_foreach (json_object_get(part, "requirements"), k, requirement)
			json_array_foreach (json_object_get(requirement, "evidence"), n, evidence)
				trace(u, evidence, t);
}

static struct upkeep_outcome reported(struct upkeep *u)
{
	char page[FOLDER_MAX + 32];
	const char *write[] = {"report", "hipaa", "-o", page, NULL},
		   *json[] = {"report", "hipaa", "--json", NULL};
	struct upkeep_outcome o = {.good = false};
	struct traced t = {.count = 0};
	struct bytes text = {NULL, 0};
	json_t *report = NULL;

	snprintf(page, sizeof(page), "%s/report.html", u->dir);
	if (command(u, write) == 0 && command(u, json) == 0)
		text = folder_read(u->output);
	if (text.data)
		report = json_loadb((const char *)text.data, text.len, 0, NULL);
	free((void *)text.data);
	if (!report)
		return failed("no report was written");
	trace_all(u, report, &t);
	o.good = t.figures && !t.lost;
	snprintf(o.what, sizeof(o.what), "%u of %u figures, by %u commands that answer",
		 t.figures - t.lost, t.figures, t.count);
	json_decref(report);
	return o;
}

struct upkeep_outcome upkeep_step(struct upkeep *u, unsigned n)
{
	static struct upkeep_outcome (*const steps[UPKEEP_STEPS])(struct upkeep *) = {
		first_wave, on_patient, by_push, bad_release, replace_itself, from_stick, reported};
	struct upkeep_outcome o = steps[n](u);

	o.good = o.good && (o.reason[0] || steps[n] == reported);
	return o;
}

/* --- beginning and end ---------------------------------------------------------------------- */

int upkeep_prepare(struct upkeep *u, const char *dir)
{
	char from[FOLDER_MAX + 64];
	struct bytes root;
	int err;

	memset(u, 0, sizeof(*u));
	snprintf(u->dir, sizeof(u->dir), "%.120s", dir);
	snprintf(u->output, sizeof(u->output), "%s/update.out", u->dir);
	err = maker_open(&u->maker, folder_path(u->dir, "maker"));
	if (!err)
		err = folder_make(folder_path(u->dir, CAST_PLACE));
	snprintf(from, sizeof(from), "%s/maker/R/public/metadata/1.root.json", u->dir);
	root = folder_read(from);
	if (!err)
		err = root.data ? folder_write(folder_path(u->dir, CAST_ROOT), root) : -ENOENT;
	free((void *)root.data);
	if (!err && chmod(folder_path(u->dir, CAST_ROOT), 0644))
		err = -errno;
	return err;
}

static void play(struct upkeep *u, enum ward_place p, actor_fn fn, void *arg)
{
	pid_t pid = actor_start(u->ward->netns[p], fn, arg);

	if (pid > 0 && u->actor_count < UPKEEP_ACTORS)
		u->actors[u->actor_count++] = pid;
}

/* A certificate of the gateway's authority, which it is known by. */
static int certify(struct upkeep *u)
{
	char request[FOLDER_MAX + 32], out[FOLDER_MAX + 32], ca[FOLDER_MAX + 32];
	const char *issue[] = {"pki",	"issue", "pump-1", "--profile", "device",
			       "--csr", request, "-o",	   out,		NULL};
	struct bytes pem;
	int err;

	snprintf(request, sizeof(request), "%s/pump.csr", u->slotted.dir);
	snprintf(out, sizeof(out), "%s/pump.pem", u->slotted.dir);
	snprintf(ca, sizeof(ca), "%s/ca.pem", u->slotted.dir);
	err = command(u, issue);
	pem = folder_read(folder_path(u->gateways->far.dir, CAST_CA));
	if (!err)
		err = pem.data ? folder_write(ca, pem) : -ENOENT;
	free((void *)pem.data);
	return err;
}

static int equip(struct upkeep *u)
{
	struct bytes first = folder_read(maker_file(&u->maker, MAKER_FIRST));
	int err;

	u->slotted = (struct slotted){.maker = &u->maker,
				      .server = WARD_RELAY_IP,
				      .server_name = CAST_WARD,
				      .port = CAST_AGENTS_PORT};
	snprintf(u->slotted.dir, sizeof(u->slotted.dir), "%.120s/pump-1", u->dir);
	u->pumps[0] = (struct infuser){u->board, 0, "PUMP-1", ward_machines[WARD_LAB].ip, NULL};
	u->pumps[1] = (struct infuser){u->board, 1, "PUMP-2", ward_machines[WARD_LAB].ip, ""};
	err = slotted_make(&u->slotted);
	if (!err)
		err = folder_make(folder_path(u->dir, "pump-2"));
	snprintf(u->second, sizeof(u->second), "%.120s/pump-2", u->dir);
	u->pumps[1].dir = u->second;
	if (!err)
		err = first.data ? folder_write(pushed(u), first) : -ENOENT;
	free((void *)first.data);
	return err ? err : certify(u);
}

int upkeep_begin(struct upkeep *u, const struct ward *w, struct pair *gateways, struct board *b,
		 const struct patient *p, char *ret_why)
{
	int err;

	u->ward = w;
	u->gateways = gateways;
	u->board = b;
	u->patient = p;
	snprintf(ret_why, 256, "the pumps could not be made ready for updates");
	err = equip(u);
	if (err)
		return err;
	/* Until now it had no way there: a listener was to hear nothing but what is sealed. */
	snprintf(ret_why, 256, "the ward's gateway has no way to the updates' mirror");
	err = ward_ip(w, WARD_GATEWAY, "route add 203.0.113.0/24 via " WARD_ROUTER_IP "\n");
	if (err)
		return err;
	b->pump_rate[0] = 0;
	b->pump_rate[1] = RATE;
	u->mirror = actor_start(w->netns[WARD_INTERNET], maker_serve, &u->maker);
	play(u, WARD_LAB, infuser_listen, NULL);
	play(u, WARD_LAB, fridge_hear_alarms, b);
	play(u, WARD_PUMP, infuser_run, &u->pumps[0]);
	play(u, WARD_PUMP_2, infuser_run, &u->pumps[1]);
	play(u, WARD_PUMP_2, infuser_take, &u->pumps[1]);
	play(u, WARD_PUMP, slotted_run, &u->slotted);
	snprintf(ret_why, 256, "the agent on the pump did not reach the gateway");
	return await(u, &(struct awaited){.speaks = "pump-1"}, PROPOSE_MS) ? 0 : -ETIMEDOUT;
}

void upkeep_end(struct upkeep *u)
{
	for (unsigned i = 0; i < u->actor_count; i++)
		actor_stop(u->actors[i]);
	u->actor_count = 0;
	actor_stop(u->mirror);
	u->mirror = 0;
}
