/* Rollouts in the updater: what is proposed to whom, what people say of it, what is told. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/config.h"
#include "base/digest.h"
#include "base/file.h"
#include "guard/policy/policy.h"
#include "role/firmware.h"
#include "role/rolling.h"
#include "update/tuf/local.h"

static const char head[] =
	"updates:\n"
	"  agents: '10.1.1.2:8086'\n"
	"  rollout: {few: 1, pause_minutes: 0, patient_seconds: 60, window: '01:30-00:10'}\n"
	"segments:\n"
	"  - {name: icu, ward: w0, hospital: h0, mode: enforce}\n"
	"hosts:\n"
	"  - {name: lis, ip: [10.1.0.5], role: [lis]}\n"
	"devices:\n";
static const char pump_1[] =
	"  - name: pump-1\n"
	"    segment: icu\n"
	"    mac: '00:09:fb:01:02:01'\n"
	"    ip: [10.1.1.11]\n"
	"    vendor: Acme\n"
	"    model: Pump X\n"
	"    version: '1.0'\n"
	"    starts: [{service: rates, proto: tcp, port: [2575], peer: lis, app: hl7}]\n"
	"    update: {driver: agent}\n";
static const char pump_2[] =
	"  - name: pump-2\n"
	"    segment: icu\n"
	"    mac: '00:09:fb:01:02:02'\n"
	"    ip: [10.1.1.12]\n"
	"    vendor: ACME\n"
	"    model: pump x\n"
	"    version: '1.0'\n"
	"    starts: [{service: rates, proto: tcp, port: [2575], peer: lis, action: pass}]\n"
	"    update: {driver: push, url: 'https://10.1.1.12/fw', method: post, then: "
	"'http://10.1.1.12/go',\n"
	"      user: root, password_file: PASSWORD, host_key: 'SHA256:abc', seconds: 33}\n";
static const char scale[] = "  - {name: scale-1, segment: icu, mac: '00:09:fb:01:02:03', ip: "
			    "[10.1.1.13], vendor: Acme, "
			    "model: Scale,\n"
			    "     update: {driver: person}}\n";

struct house {
	char dir[64];
	struct rolling *r;
	json_t *targets;
};

static void open_house(struct house *h)
{
	char path[128];

	snprintf(h->dir, sizeof(h->dir), "/tmp/unit-rolling.XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	snprintf(path, sizeof(path), "%s/targets", h->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	h->targets = json_array();
	h->r = rolling_new(h->dir);
	assert_non_null(h->r);
}

static void close_house(struct house *h)
{
	char command[128];

	rolling_free(h->r);
	json_decref(h->targets);
	snprintf(command, sizeof(command), "/bin/rm");
	if (fork() == 0)
		execl(command, command, "-r", h->dir, NULL);
}

/* As killed and started again. */
static void again(struct house *h)
{
	rolling_free(h->r);
	h->r = rolling_new(h->dir);
	assert_non_null(h->r);
}

static struct config *policy_of(const struct house *h, const char *devices, struct policy **ret_p)
{
	struct config_error errors[4];
	char text[8192], password[96], error[256], *at;
	size_t count;
	struct config *c;

	snprintf(password, sizeof(password), "%s/password", h->dir);
	assert_int_equal(file_replace(password,
				      (struct bytes){(const uint8_t *)"secret\nnot this", 15},
				      0600),
			 0);
	at = strstr(devices, "PASSWORD");
	if (at)
		snprintf(text, sizeof(text), "%s%.*s%s%s", head, (int)(at - devices), devices,
			 password, at + 8);
	else
		snprintf(text, sizeof(text), "%s%s", head, devices);
	c = config_parse("t.yaml", (struct bytes){(const uint8_t *)text, strlen(text)}, errors, 4,
			 &count);
	if (!c)
		fail_msg("line %u: %s", errors[0].line, errors[0].text);
	*ret_p = policy_compile(c, NULL, 0, 1, error);
	assert_non_null(*ret_p);
	return c;
}

/* What the parent says. */
static bool firmware(struct house *h, const char *devices)
{
	struct policy *p;
	struct config *c = policy_of(h, devices, &p);
	int fd = firmware_setup(c, p);
	bool fresh;

	assert_true(fd >= 0);
	fresh = rolling_firmware(h->r, fd);
	close(fd);
	policy_free(p);
	config_free(c);
	return fresh;
}

/* A target that lies there, listed. */
static void target(struct house *h, const char *name, const char *version, const char *more)
{
	struct digest d = digest_new(DIGEST_SHA256);
	char path[256], hex[DIGEST_HEX_MAX], *file = local_name(name, "");
	json_t *o, *other = json_loads(more, 0, NULL);

	snprintf(path, sizeof(path), "%s/targets/%s", h->dir, file);
	free(file);
	assert_int_equal(
		file_replace(path, (struct bytes){(const uint8_t *)name, strlen(name)}, 0644), 0);
	digest_add(&d, name, strlen(name));
	digest_hex(&d, hex);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:b}", "name", name, "kind", "firmware",
		      "version", version, "vendor", "Acme", "model", "Pump X", "sha256", hex,
		      "length", (int)strlen(name), "there", 1);
	assert_non_null(other);
	json_object_update_new(o, other);
	json_array_append_new(h->targets, o);
	rolling_listed(h->r, h->targets);
}

static void sight(struct house *h, const char *device, int64_t vitals)
{
	struct setup_sight row = {
		.since = time(NULL) - 3600, .talked = time(NULL), .vitals = vitals};

	snprintf(row.name, sizeof(row.name), "%s", device);
	assert_true(rolling_sights(h->r, (struct bytes){(const uint8_t *)&row, sizeof(row)}));
}

static struct talk_order speak(struct house *h, const char *version, enum talk_state state)
{
	struct talk_report said = {.state = state, .healthy = true, .hardware = "r2"};
	struct talk_order o;
	int fd;

	snprintf(said.version, sizeof(said.version), "%s", version);
	assert_int_equal(rolling_report(h->r, "pump-1", &said, &o, &fd), 0);
	return o;
}

static json_t *status(struct house *h)
{
	char *text;
	json_t *o;

	rolling_untold(h->r);
	text = rolling_status(h->r);
	assert_non_null(text);
	o = json_loads(text, 0, NULL);
	assert_non_null(o);
	free(text);
	return o;
}

static void is_told(struct house *h, size_t rollouts, const char *id, const char *state,
		    size_t devices)
{
	json_t *o = status(h), *list = json_object_get(o, "rollouts"), *r, *found = NULL;
	size_t i;

	json_array_foreach (list, i, r)
		if (strcmp(json_string_value(json_object_get(r, "id")), id) == 0)
			found = r;
	assert_int_equal(json_array_size(list), rollouts);
	assert_non_null(found);
	assert_string_equal(json_string_value(json_object_get(found, "state")), state);
	assert_int_equal(json_array_size(json_object_get(found, "devices")), devices);
	json_decref(o);
}

static const char *word(struct house *h, int n, const char *what, const char *id)
{
	static char error[256];
	json_t *w = json_pack("{s:i, s:s, s:s, s:s, s:s}", "n", n, "do", what, "id", id, "by",
			      "ann", "why", "because"),
	       *a = rolling_word(h->r, w);
	const char *e = json_string_value(json_object_get(a, "error"));

	assert_int_equal(json_integer_value(json_object_get(a, "n")), n);
	snprintf(error, sizeof(error), "%s", e ? e : "");
	json_decref(w);
	json_decref(a);
	return error;
}

/* --- what the parent tells -------------------------------------------------------- */

static void the_policy_comes_over_whole(void **state)
{
	struct house h;
	struct policy *p;
	struct config *c;
	struct firmware *f;
	char all[4096];
	int fd;

	open_house(&h);
	snprintf(all, sizeof(all), "%s%s%s", pump_1, pump_2, scale);
	c = policy_of(&h, all, &p);
	assert_true(firmware_wanted(c));
	fd = firmware_setup(c, p);
	f = firmware_read(fd);
	assert_non_null(f);
	assert_false(f->automatic);
	assert_int_equal(f->plan.few, 1);
	assert_int_equal(f->plan.patient_s, 60);
	assert_int_equal(f->plan.window[0], 90);
	assert_int_equal(f->plan.window[1], 10);
	assert_int_equal(f->count, 3);
	assert_int_equal(firmware_find(f, "pump-1")->driver, DRIVER_AGENT);
	assert_true(firmware_find(f, "pump-1")->seen);
	assert_false(firmware_find(f, "pump-2")->seen);
	assert_int_equal(firmware_find(f, "pump-2")->driver, DRIVER_PUSH);
	assert_string_equal(firmware_find(f, "pump-2")->push.url, "https://10.1.1.12/fw");
	assert_string_equal(firmware_find(f, "pump-2")->push.then, "http://10.1.1.12/go");
	assert_string_equal(firmware_find(f, "pump-2")->push.password, "secret");
	assert_string_equal(firmware_find(f, "pump-2")->push.host_key, "SHA256:abc");
	assert_true(firmware_find(f, "pump-2")->push.post);
	assert_int_equal(firmware_find(f, "pump-2")->push.seconds, 33);
	assert_int_equal(firmware_find(f, "scale-1")->driver, DRIVER_PERSON);
	assert_null(firmware_find(f, "pump-9"));
	firmware_free(f);
	close(fd);
	policy_free(p);
	config_free(c);
	close_house(&h);
}

static void is_refused(const char *devices, const char *text)
{
	struct config_error errors[8];
	char all[8192];
	size_t count = 0;
	struct config *c;

	snprintf(all, sizeof(all), "%s%s", head, devices);
	c = config_parse("t.yaml", (struct bytes){(const uint8_t *)all, strlen(all)}, errors, 8,
			 &count);
	assert_null(c);
	assert_true(count > 0);
	if (!strstr(errors[0].text, text))
		fail_msg("'%s' instead of '%s'", errors[0].text, text);
	assert_true(errors[0].line > 8);
}

#define DEVICE                                                                                 \
	"  - {name: pump-1, segment: icu, mac: '00:09:fb:01:02:01', ip: [10.1.1.11], vendor: " \
	"Acme, "                                                                               \
	"model: Pump, "

static void a_policy_that_makes_no_sense_is_refused(void **state)
{
	is_refused(DEVICE "update: {driver: push}}\n", "needs url");
	is_refused(DEVICE "update: {driver: push, url: 'ftp://10.1.1.11/'}}\n",
		   "no address to push");
	is_refused(DEVICE "update: {driver: push, url: 'sftp://10.1.1.11/fw'}}\n", "host_key");
	is_refused(DEVICE "update: {driver: push, url: 'sftp://10.1.1.11/fw', host_key: 'AAAA'}}\n",
		   "SHA256:");
	is_refused(DEVICE "update: {driver: push, url: 'https://10.1.1.11/', ca: /tmp/ca.pem}}\n",
		   "below /etc");
	is_refused(DEVICE "update: {driver: push, url: 'http://a/', password_file: /etc/p}}\n",
		   "user beside it");
	is_refused(DEVICE "update: {driver: push, url: 'http://a/', then: 'sftp://a/'}}\n",
		   "cannot be asked for");
	is_refused(DEVICE "update: {driver: agent, url: 'http://a/'}}\n", "push alone");
	is_refused(DEVICE "update: {driver: robot}}\n", "person, agent or push");
	is_refused("  - {name: p, segment: icu, mac: '00:09:fb:01:02:01', vendor: Acme, update: "
		   "{driver: person}}\n",
		   "vendor and model");
}

/* --- proposals ---------------------------------------------------------------------- */

static void nothing_is_proposed_to_who_has_not_spoken(void **state)
{
	struct house h;
	json_t *o;

	open_house(&h);
	assert_false(firmware(&h, pump_1)); /* the first */
	assert_false(firmware(&h, pump_1)); /* the same again */
	assert_true(firmware(&h, scale));
	assert_true(firmware(&h, pump_1));
	target(&h, "acme/2", "2.0", "{}");
	rolling_turn(h.r);
	o = status(&h);
	assert_int_equal(json_array_size(json_object_get(o, "rollouts")), 0);
	json_decref(o);
	speak(&h, "1.0", TALK_IDLE);
	rolling_turn(h.r);
	is_told(&h, 1, "pump-x-2.0", "proposed", 1);
	again(&h);
	assert_false(firmware(&h, pump_1));
	is_told(&h, 1, "pump-x-2.0", "proposed", 1);
	close_house(&h);
}

static void what_it_has_already_is_not_proposed(void **state)
{
	struct house h;
	json_t *o;

	open_house(&h);
	firmware(&h, pump_1);
	target(&h, "acme/2", "2.0", "{}");
	target(&h, "acme/3", "3.0", "{\"hardware\":\"r9\"}"); /* for others of the model */
	speak(&h, "2.0", TALK_IDLE);
	rolling_turn(h.r);
	o = status(&h);
	assert_int_equal(json_array_size(json_object_get(o, "rollouts")), 0);
	json_decref(o);
	close_house(&h);
}

static void something_newer_overtakes_a_proposal(void **state)
{
	struct house h;

	open_house(&h);
	firmware(&h, pump_1);
	target(&h, "acme/2", "2.0", "{}");
	speak(&h, "1.0", TALK_IDLE);
	rolling_turn(h.r);
	is_told(&h, 1, "pump-x-2.0", "proposed", 1);
	target(&h, "acme/2.1", "2.1", "{}");
	rolling_turn(h.r);
	is_told(&h, 1, "pump-x-2.1", "proposed", 1);
	close_house(&h);
}

static void one_thing_at_a_time(void **state)
{
	struct house h;

	open_house(&h);
	firmware(&h, pump_1);
	target(&h, "acme/2", "2.0", "{}");
	speak(&h, "1.0", TALK_IDLE);
	rolling_turn(h.r);
	assert_string_equal(word(&h, 1, "approve", "pump-x-2.0"), "");
	target(&h, "acme/2.1", "2.1", "{}");
	rolling_turn(h.r);
	is_told(&h, 1, "pump-x-2.0", "running", 1);
	assert_string_equal(word(&h, 2, "rollback", "pump-x-2.0"), "");
	rolling_turn(h.r); /* which ends it */
	rolling_turn(h.r);
	is_told(&h, 2, "pump-x-2.1", "proposed",
		1); /* at once, not when it is time to look again */
	close_house(&h);
}

static void what_it_cannot_take_is_skipped(void **state)
{
	struct house h;
	char both[4096];
	json_t *o, *d;

	open_house(&h);
	snprintf(both, sizeof(both), "%s%s", pump_1, pump_2);
	firmware(&h, both);
	target(&h, "acme/2", "2.0", "{\"hardware\":\"r2\",\"needs\":\"1.0\"}");
	speak(&h, "1.0", TALK_IDLE);
	rolling_turn(h.r);
	is_told(&h, 1, "pump-x-2.0", "proposed", 2);
	o = status(&h);
	d = json_object_get(json_array_get(json_object_get(o, "rollouts"), 0), "devices");
	assert_string_equal(json_string_value(json_object_get(json_array_get(d, 0), "step")),
			    "waiting");
	assert_string_equal(json_string_value(json_object_get(json_array_get(d, 1), "step")),
			    "skipped");
	assert_non_null(strstr(json_string_value(json_object_get(json_array_get(d, 1), "why")),
			       "hardware r2"));
	json_decref(o);
	close_house(&h);
}

static void only_what_is_for_a_device_here_is_fetched(void **state)
{
	struct house h;

	open_house(&h);
	firmware(&h, pump_1);
	target(&h, "acme/1", "1.0", "{}");
	target(&h, "acme/2", "2.0", "{}");
	target(&h, "acme/3", "3.0", "{}");
	target(&h, "acme/m", "3.0", "{\"model\":\"Monitor\"}");
	target(&h, "acme/v", "3.0", "{\"vendor\":\"Other\"}");
	assert_false(rolling_wants(h.r, h.targets, json_array_get(h.targets, 0)));
	assert_true(rolling_wants(h.r, h.targets, json_array_get(h.targets, 1)));
	assert_true(rolling_wants(h.r, h.targets, json_array_get(h.targets, 2)));
	assert_false(rolling_wants(h.r, h.targets, json_array_get(h.targets, 3)));
	assert_false(rolling_wants(h.r, h.targets, json_array_get(h.targets, 4)));
	close_house(&h);
}

/* --- the way -------------------------------------------------------------------------- */

static void begun(struct house *h)
{
	open_house(h);
	firmware(h, pump_1);
	target(h, "acme/2", "2.0", "{}");
	speak(h, "1.0", TALK_IDLE);
	rolling_turn(h->r);
	assert_string_equal(word(h, 1, "approve", "pump-x-2.0"), "");
	assert_string_equal(word(h, 1, "approve", "pump-x-2.0"), ""); /* once more */
}

/* The policy's window is shut for 80 minutes of the night: wherever this runs, it is about noon. */
static void be_noon(void)
{
	time_t now = time(NULL);
	struct tm utc;
	char zone[16];

	gmtime_r(&now, &utc);
	snprintf(zone, sizeof(zone), "NOON%d", utc.tm_hour - 12); /* POSIX: hours west */
	setenv("TZ", zone, 1);
	tzset();
}

static void it_begins_when_somebody_can_see(void **state)
{
	struct house h;

	begun(&h);
	rolling_turn(h.r);
	assert_int_equal(speak(&h, "1.0", TALK_IDLE).what, TALK_WAIT);
	sight(&h, "pump-1", time(NULL) - 30); /* on a patient */
	rolling_turn(h.r);
	rolling_turn(h.r);
	assert_int_equal(speak(&h, "1.0", TALK_IDLE).what, TALK_WAIT);
	sight(&h, "pump-1", time(NULL) - 61);
	rolling_turn(h.r);
	rolling_turn(h.r);
	assert_int_equal(speak(&h, "1.0", TALK_IDLE).what, TALK_GET);
	close_house(&h);
}

static void held_nothing_begins(void **state)
{
	struct house h;
	json_t *hold, *release;

	hold = json_pack("{s:s, s:s, s:s}", "do", "hold_all", "by", "ann", "why", "round");
	release = json_pack("{s:s}", "do", "release_all");
	begun(&h);
	sight(&h, "pump-1", 0);
	assert_null(rolling_word(h.r, hold));
	rolling_turn(h.r);
	rolling_turn(h.r);
	assert_int_equal(speak(&h, "1.0", TALK_IDLE).what, TALK_WAIT);
	assert_null(rolling_word(h.r, release));
	rolling_turn(h.r);
	rolling_turn(h.r);
	assert_int_equal(speak(&h, "1.0", TALK_IDLE).what, TALK_GET);
	json_decref(hold);
	json_decref(release);
	close_house(&h);
}

static void what_lies_there_altered_is_given_to_nobody(void **state)
{
	struct house h;
	char path[256], *file;

	begun(&h);
	file = local_name("acme/2", "");
	snprintf(path, sizeof(path), "%s/targets/%s", h.dir, file);
	free(file);
	assert_int_equal(file_replace(path, (struct bytes){(const uint8_t *)"acme/X", 6}, 0644), 0);
	sight(&h, "pump-1", 0);
	rolling_turn(h.r);
	rolling_turn(h.r);
	assert_int_equal(speak(&h, "1.0", TALK_IDLE).what, TALK_WAIT);
	close_house(&h);
}

static void only_who_has_an_agent_may_speak(void **state)
{
	struct house h;
	struct talk_report said = {.state = TALK_IDLE};
	struct talk_order o;
	int fd;

	open_house(&h);
	assert_int_equal(rolling_report(h.r, "pump-1", &said, &o, &fd), -EACCES);
	firmware(&h, pump_2);
	assert_int_equal(rolling_report(h.r, "pump-1", &said, &o, &fd), -EACCES);
	assert_int_equal(rolling_report(h.r, "pump-2", &said, &o, &fd), -EACCES);
	close_house(&h);
}

static void words_that_make_no_sense_are_answered(void **state)
{
	struct house h;

	begun(&h);
	assert_string_equal(word(&h, 2, "hold", "pump-x-2.0"), "");
	is_told(&h, 1, "pump-x-2.0", "held", 1);
	assert_string_equal(word(&h, 3, "release", "pump-x-2.0"), "");
	is_told(&h, 1, "pump-x-2.0", "running", 1);
	assert_string_not_equal(word(&h, 4, "hold", "pump-9"), "");
	assert_string_not_equal(word(&h, 5, "dance", "pump-x-2.0"), "");
	close_house(&h);
}

static void garbage_is_refused(void **state)
{
	struct house h;
	struct bytes odd = unit_exact("123", 3);
	int fd;

	open_house(&h);
	firmware(&h, pump_1);
	assert_false(rolling_sights(h.r, odd));
	fd = file_memory("garbage", odd);
	assert_false(rolling_firmware(h.r, fd));
	close(fd);
	/* And what was known stays. */
	speak(&h, "1.0", TALK_IDLE);
	free((void *)odd.data);
	close_house(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_policy_comes_over_whole),
		cmocka_unit_test(a_policy_that_makes_no_sense_is_refused),
		cmocka_unit_test(nothing_is_proposed_to_who_has_not_spoken),
		cmocka_unit_test(what_it_has_already_is_not_proposed),
		cmocka_unit_test(something_newer_overtakes_a_proposal),
		cmocka_unit_test(one_thing_at_a_time),
		cmocka_unit_test(what_it_cannot_take_is_skipped),
		cmocka_unit_test(only_what_is_for_a_device_here_is_fetched),
		cmocka_unit_test(it_begins_when_somebody_can_see),
		cmocka_unit_test(held_nothing_begins),
		cmocka_unit_test(what_lies_there_altered_is_given_to_nobody),
		cmocka_unit_test(only_who_has_an_agent_may_speak),
		cmocka_unit_test(words_that_make_no_sense_are_answered),
		cmocka_unit_test(garbage_is_refused),
	};

	be_noon();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
