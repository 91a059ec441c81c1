#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "update/bundle/tar.h"
#include "update/fetch/listing.h"
#include "update/fetch/plan.h"
#include "update/fetch/schedule.h"
#include "update/fetch/warning.h"
#include "update/place/deb_version.h"
#include "update/place/place.h"
#include "update/place/release.h"

/* As dpkg --compare-versions has them. */
static void versions_are_ordered(void **state)
{
	static const char *const rising[] = {"0.9",  "0.10~rc1", "0.10",  "0.10.1",  "0.10.1a",
					     "0.11", "1.0",	 "1.0+1", "1.00010", "2"};

	for (size_t i = 0; i < sizeof(rising) / sizeof(*rising); i++)
		for (size_t k = 0; k < sizeof(rising) / sizeof(*rising); k++) {
			int r = deb_version_compare(rising[i], rising[k]);

			assert_int_equal((r > 0) - (r < 0), (i > k) - (i < k));
		}
	assert_int_equal(deb_version_compare("1.0", "1.00"), 0);
}

static void looks_are_spread_and_back_off(void **state)
{
	uint64_t least = UINT64_MAX, most = 0, before = 0;

	for (uint32_t r = 0; r < 5000; r += 7) {
		uint64_t s = schedule_next(3600, 0, r * 2654435761u);

		least = s < least ? s : least;
		most = s > most ? s : most;
		assert_true(schedule_first(3600, r * 2654435761u) <= 300);
	}
	assert_true(least >= 3240 && most <= 3960 && most - least > 500);
	for (unsigned failures = 1; failures < 64; failures++) {
		uint64_t s = schedule_next(21600, failures, 0);

		assert_true(s >= before && s <= 21600);
		before = s;
	}
	assert_true(schedule_next(21600, 1, 0) < 70);
	assert_true(before > 19000);
}

static void silence_and_expiry_are_warned_of_in_time(void **state)
{
	const int64_t now = 1800000000, day = WARNING_DAY_S;
	char text[256] = "";

	assert_false(warning_stale(now, now, 3, "", text, sizeof(text)));
	assert_false(warning_stale(now - 3 * day + 1, now, 3, "", text, sizeof(text)));
	assert_string_equal(text, "");
	assert_true(warning_stale(now - 3 * day, now, 3, "no mirror answers", text, sizeof(text)));
	assert_string_equal(text, "nothing was fetched for 3 days: no mirror answers");
	assert_true(warning_stale(now - 9 * day, now, 3, "", text, sizeof(text)));
	/* A clock that was set back a year is no silence. */
	assert_false(warning_stale(now, now - 365 * day, 3, "", text, sizeof(text)));

	assert_false(warning_expires(0, now, 3, text, sizeof(text)));
	assert_false(warning_expires(now + 3 * day + 1, now, 3, text, sizeof(text)));
	assert_true(warning_expires(now + 3 * day, now, 3, text, sizeof(text)));
	assert_non_null(strstr(text, "expires in 72 hours"));
	assert_true(warning_expires(now + 1, now, 3, text, sizeof(text)));
	assert_non_null(strstr(text, "in 0 hours"));
	assert_true(warning_expires(now, now, 3, text, sizeof(text)));
	assert_non_null(strstr(text, "has expired"));
}

static void windows_may_reach_over_midnight(void **state)
{
	char *night[] = {"22:30-02:00"}, *two[] = {"02:00-03:00", "12:00-24:00"};

	assert_true(plan_in_window(NULL, 0, 700));
	assert_true(plan_in_window(night, 1, 22 * 60 + 30));
	assert_true(plan_in_window(night, 1, 60));
	assert_false(plan_in_window(night, 1, 120));
	assert_false(plan_in_window(night, 1, 22 * 60));
	assert_true(plan_in_window(two, 2, 120));
	assert_true(plan_in_window(two, 2, 179));
	assert_false(plan_in_window(two, 2, 180));
	assert_true(plan_in_window(two, 2, 1439));
	assert_false(plan_in_window(two, 2, 200));
}

static json_t *target(const char *name, const char *kind, const char *version, bool there,
		      bool installed)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "name", name, "kind", kind, "version",
			 version, "sha256", name, "there", there, "installed", installed);
}

static const char *why_waits(const struct plan *p)
{
	return json_string_value(json_object_get(json_array_get(p->waiting, 0), "code"));
}

/* One target under rules: what becomes of it. */
static void expect(const struct plan_rules *r, json_t *t, size_t install, const char *start,
		   const char *waits)
{
	json_t *list = json_pack("[o]", t);
	struct plan p;

	plan_make(r, list, &p);
	assert_int_equal(json_array_size(p.install), install);
	if (start)
		assert_string_equal(p.start ? p.start : "none", start);
	else
		assert_null(p.start);
	if (waits)
		assert_string_equal(json_array_size(p.waiting) ? why_waits(&p) : "", waits);
	else
		assert_int_equal(json_array_size(p.waiting), 0);
	plan_free(&p);
	json_decref(list);
}

static void what_may_be_is_done_and_the_rest_waits(void **state)
{
	char *night[] = {"02:00-03:00"};
	json_t *said = json_pack("{s:{}}", "g"), *failed = json_pack("{s:s}", "g", "it broke");
	struct plan_rules automatic = {.running = "", .packaged = "1.0"}, careful = automatic,
			  held = automatic, timed = automatic, approved, broken, again;

	careful.content_waits = careful.gateway_waits = true;
	held.held = true;
	timed.windows = night;
	timed.window_count = 1;
	timed.minute = 700;
	approved = careful;
	approved.approved = said;
	broken = automatic;
	broken.failed = failed;
	again = broken;
	again.approved = said;

	expect(&automatic, target("p", "profile", "1", true, false), 1, NULL, NULL);
	expect(&automatic, target("p", "profile", "1", true, true), 0, NULL, NULL);
	expect(&automatic, target("p", "profile", "1", false, false), 0, NULL, "fetch");
	expect(&careful, target("p", "profile", "1", true, false), 0, NULL, "approval");
	expect(&held, target("p", "profile", "1", true, false), 0, NULL, "held");
	expect(&automatic, target("f", "firmware", "9", true, false), 0, NULL, NULL);

	expect(&automatic, target("g", "gateway", "1.1", true, false), 1, NULL, NULL);
	expect(&automatic, target("g", "gateway", "1.1", true, true), 0, "1.1", NULL);
	expect(&careful, target("g", "gateway", "1.1", true, false), 1, NULL, NULL);
	expect(&careful, target("g", "gateway", "1.1", true, true), 0, NULL, "approval");
	expect(&approved, target("g", "gateway", "1.1", true, true), 0, "1.1", NULL);
	expect(&held, target("g", "gateway", "1.1", true, true), 0, NULL, "held");
	expect(&timed, target("g", "gateway", "1.1", true, true), 0, NULL, "window");
	expect(&broken, target("g", "gateway", "1.1", true, true), 0, NULL, "failed");
	expect(&again, target("g", "gateway", "1.1", true, true), 0, "1.1", NULL);
	/* The same release in other words is no newer one. */
	expect(&automatic, target("g", "gateway", "1.00", true, true), 0, NULL, NULL);
	/* A downgrade only by somebody's word. */
	expect(&automatic, target("g", "gateway", "0.9", true, true), 0, NULL, NULL);
	expect(&approved, target("g", "gateway", "0.9", true, true), 0, "0.9", NULL);
	json_decref(said);
	json_decref(failed);
}

static char folder[64];

static int make_folder(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/unit-update.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	release_remove(AT_FDCWD, folder);
	return 0;
}

static void links_and_notes_are_replaced_whole(void **state)
{
	int dir = place_open(folder);
	char name[PLACE_NAME], note[PLACE_NOTE], line[16];

	place_link(dir, "current", name);
	assert_string_equal(name, "");
	assert_int_equal(place_point(dir, "current", "releases", "1.0"), 0);
	assert_int_equal(place_point(dir, "current", "releases", "1.1"), 0);
	place_link(dir, "current", name);
	assert_string_equal(name, "1.1");
	assert_int_equal(place_point(dir, "current", "releases", "../etc"), -EINVAL);
	assert_int_equal(place_point(dir, "current", "", ""), 0);
	place_link(dir, "current", name);
	assert_string_equal(name, "");
	assert_int_equal(place_note(dir, "trial", "2.0\n\n1.0\n"), 0);
	place_read(dir, "trial", note);
	place_line(note, 2, line, sizeof(line));
	assert_string_equal(line, "1.0");
	place_line(note, 1, line, sizeof(line));
	assert_string_equal(line, "");
	place_line(note, 7, line, sizeof(line));
	assert_string_equal(line, "");
	assert_int_equal(place_drop(dir, "trial"), 0);
	assert_int_equal(place_drop(dir, "trial"), 0);
	close(dir);
}

static void names_lead_nowhere_else(void **state)
{
	static const char *const bad[] = {"",	     ".",  "..",  "../x", "a/b",
					  ".hidden", "-x", "a\n", "a b"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(place_name_is_good(bad[i]));
	assert_true(place_name_is_good("0.2.0~rc1+git-7"));
}

/* An archive of one file, and what becomes of it as a release. */
static int unpack(const char *name, size_t cut, bool two)
{
	uint8_t blocks[6 * TAR_BLOCK], zeros[2 * TAR_BLOCK] = {0};
	int fd = open(folder, O_RDWR | O_TMPFILE, 0600), dir = place_open(folder), err;

	for (int i = 0; i <= two; i++) {
		size_t len = tar_write_header(name, 5, blocks);

		assert_true(write(fd, blocks, len) == (ssize_t)len);
		memset(blocks, 'x', 5);
		memset(blocks + 5, 0, TAR_BLOCK - 5);
		assert_true(write(fd, blocks, TAR_BLOCK) == TAR_BLOCK);
	}
	assert_true(write(fd, zeros, sizeof(zeros)) == sizeof(zeros));
	if (cut)
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
	err = release_unpack(dir, fd, "1.1", "aa", NULL);
	close(dir);
	close(fd);
	return err;
}

static void only_whole_archives_become_releases(void **state)
{
	char path[128];
	struct stat st;
	int dir;

	assert_int_equal(unpack("bin/other", 0, false), -EBADMSG);
	assert_int_equal(unpack("../bin/bedwarden", 0, false), -EBADMSG);
	assert_int_equal(unpack("/bin/bedwarden", 0, false), -EBADMSG);
	assert_int_equal(unpack("bin/bedwarden", 512, false), -EBADMSG);
	assert_int_equal(unpack("bin/bedwarden", 1024, false), -EBADMSG);
	assert_int_equal(unpack("bin/bedwarden", 0, true), -EBADMSG);
	snprintf(path, sizeof(path), "%s/releases/1.1", folder);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unpack("bin/bedwarden", 0, false), 0);
	snprintf(path, sizeof(path), "%s/releases/1.1/bin/bedwarden", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0755);
	assert_int_equal(st.st_size, 5);
	dir = place_open(folder);
	assert_true(release_is_there(dir, "1.1", "aa"));
	assert_false(release_is_there(dir, "1.1", "bb"));
	assert_false(release_is_there(dir, "../1.1", "aa"));
	release_tidy(dir, (const char *const[]){"2.0", NULL}, 2);
	assert_false(release_is_there(dir, "1.1", "aa"));
	close(dir);
}

static json_t *listed(const char *name, const char *sha256)
{
	return json_pack("{s:s,s:s}", "name", name, "sha256", sha256);
}

/* One list of what mirrors offer and what a stick or they have brought: nothing twice, the newer first. */
static void what_is_fetched_and_in_place_is_one_list(void **state)
{
	json_t *fetched = json_pack("[o,o]", listed("a", "1"), listed("b", "2"));
	json_t *place = json_pack("[o,o]", listed("a", "1"), listed("b", "1"));
	json_t *all;

	json_object_set_new(json_array_get(place, 0), "installed", json_true());
	json_object_set_new(json_array_get(place, 1), "installed", json_true());
	all = listing_merge(fetched, place, false);
	assert_int_equal(json_array_size(all), 3);
	assert_true(json_is_true(json_object_get(listing_find(all, "name", "a"), "installed")));
	assert_string_equal(listing_text(listing_find(all, "name", "b"), "sha256"), "2");
	assert_null(json_object_get(listing_find(all, "name", "b"), "installed"));
	assert_string_equal(listing_text(json_array_get(all, 2), "sha256"), "1");
	json_decref(all);
	all = listing_merge(fetched, place, true);
	assert_int_equal(json_array_size(all), 3);
	assert_string_equal(listing_text(listing_find(all, "name", "b"), "sha256"), "1");
	json_decref(all);
	all = listing_merge(NULL, place, false);
	assert_int_equal(json_array_size(all), 2);
	json_decref(all);
	all = listing_merge(NULL, NULL, false);
	assert_int_equal(json_array_size(all), 0);
	assert_null(listing_find(all, "name", "a"));
	json_decref(all);
	json_decref(fetched);
	json_decref(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_fetched_and_in_place_is_one_list),
		cmocka_unit_test(versions_are_ordered),
		cmocka_unit_test(looks_are_spread_and_back_off),
		cmocka_unit_test(silence_and_expiry_are_warned_of_in_time),
		cmocka_unit_test(windows_may_reach_over_midnight),
		cmocka_unit_test(what_may_be_is_done_and_the_rest_waits),
		cmocka_unit_test(links_and_notes_are_replaced_whole),
		cmocka_unit_test(names_lead_nowhere_else),
		cmocka_unit_test(only_whole_archives_become_releases),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
