#include "update/advisory/accept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "update/advisory/csaf.h"
#include "update/tuf/canon.h"

#define FILE_MAX (16u << 20)
#define DAY	 86400
#define LONGEST	 (731 * DAY)

/* The end of the day, UTC. */
static bool read_day(const char *text, int64_t *ret_s)
{
	struct tm t = {0};
	char again[16];
	time_t s;

	if (strlen(text) != 10 ||
	    sscanf(text, "%4d-%2d-%2d", &t.tm_year, &t.tm_mon, &t.tm_mday) != 3)
		return false;
	t.tm_year -= 1900;
	t.tm_mon -= 1;
	s = timegm(&t);
	/* "2027-02-31" would be a day in March. */
	strftime(again, sizeof(again), "%Y-%m-%d", &t);
	if (s == (time_t)-1 || strcmp(again, text) != 0)
		return false;
	*ret_s = (int64_t)s + DAY;
	return true;
}

int accept_load(const char *state_dir, json_t **ret_list)
{
	struct bytes text;
	json_t *root = NULL;
	char path[4096];
	int err;

	snprintf(path, sizeof(path), "%s/" ACCEPT_FILE, state_dir);
	err = file_read(path, FILE_MAX, &text);
	if (err == -ENOENT) {
		*ret_list = json_array();
		return *ret_list ? 0 : -ENOMEM;
	}
	if (err < 0)
		return err;
	err = canon_parse(text, &root, NULL);
	free((void *)text.data);
	if (err < 0)
		return err;
	*ret_list = json_incref(json_object_get(root, "accepted"));
	json_decref(root);
	if (json_is_array(*ret_list))
		return 0;
	json_decref(*ret_list);
	return -EBADMSG;
}

int accept_save(const char *state_dir, const json_t *list)
{
	json_t *root = json_pack("{s:O}", "accepted", list);
	char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL, path[4096];
	int err = -ENOMEM;

	snprintf(path, sizeof(path), "%s/" ACCEPT_FILE, state_dir);
	if (text)
		err = file_replace(path, (struct bytes){(const uint8_t *)text, strlen(text)}, 0640);
	free(text);
	json_decref(root);
	return err;
}

static bool is_of(const json_t *o, const char *device, const char *advisory)
{
	return strcmp(csaf_text(o, "device"), device) == 0 &&
	       strcmp(csaf_text(o, "advisory"), advisory) == 0;
}

int accept_remove(json_t *list, const char *device, const char *advisory)
{
	int err = -ENOENT;

	for (size_t i = json_array_size(list); i-- > 0;)
		if (is_of(json_array_get(list, i), device, advisory)) {
			json_array_remove(list, i);
			err = 0;
		}
	return err;
}

int accept_add(json_t *list, const struct accept *a, int64_t now_s)
{
	int64_t until;
	json_t *o;

	if (!*a->reason || strlen(a->reason) > ACCEPT_REASON_MAX)
		return -ENAMETOOLONG;
	if (!read_day(a->until, &until) || until <= now_s || until > now_s + LONGEST)
		return -EINVAL;
	(void)accept_remove(list, a->device, a->advisory);
	if (json_array_size(list) >= ACCEPT_MAX)
		return -ENOSPC;
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "device", a->device, "advisory",
		      a->advisory, "reason", a->reason, "who", a->who, "until", a->until, "made",
		      (json_int_t)now_s);
	return !o || json_array_append_new(list, o) < 0 ? -ENOMEM : 0;
}

bool accept_find(const json_t *list, const char *device, const char *advisory, int64_t now_s,
		 struct accept *ret_accept)
{
	const json_t *o;
	size_t i;

	json_array_foreach (list, i, o) {
		struct accept a = {.device = csaf_text(o, "device"),
				   .advisory = csaf_text(o, "advisory"),
				   .reason = csaf_text(o, "reason"),
				   .who = csaf_text(o, "who"),
				   .until = csaf_text(o, "until"),
				   .made_s = json_integer_value(json_object_get(o, "made"))};

		if (!is_of(o, device, advisory) || !read_day(a.until, &a.until_s) ||
		    now_s >= a.until_s)
			continue;
		*ret_accept = a;
		return true;
	}
	return false;
}
