#include "keep/ca_internal.h"

#include <stdio.h>

#define COLUMNS                                                            \
	"serial, name, profile, names, made, until, revoked, own, "        \
	"NOT EXISTS(SELECT 1 FROM certificate o WHERE o.name = c.name AND" \
	" o.profile = c.profile AND o.revoked = 0 AND (o.made > c.made OR" \
	" (o.made = c.made AND o.serial > c.serial)))"

static void fill(sqlite3_stmt *s, struct ca_row *r)
{
	*r = (struct ca_row){.name = ca_text(s, 1),
			     .profile = ca_text(s, 2),
			     .names = ca_text(s, 3),
			     .from_s = sqlite3_column_int64(s, 4),
			     .until_s = sqlite3_column_int64(s, 5),
			     .revoked_s = sqlite3_column_int64(s, 6),
			     .own = sqlite3_column_int(s, 7),
			     .newest = sqlite3_column_int(s, 8)};
	snprintf(r->serial, sizeof(r->serial), "%s", ca_text(s, 0));
}

int ca_each(struct ca *c, void (*fn)(void *arg, const struct ca_row *row), void *arg)
{
	int err = 0, got = 0;
	sqlite3_stmt *s = ca_query(
		c, &err, "SELECT " COLUMNS " FROM certificate c ORDER BY name, made DESC", "");

	while (s && (got = ca_step(c, s)) == 1) {
		struct ca_row r;

		fill(s, &r);
		fn(arg, &r);
	}
	sqlite3_finalize(s);
	return s ? got : err;
}

/* The alarm that is due: 90, 30, 7 days left, -1 over; 0 none. */
static int due(const struct ca_row *r, int64_t now_s)
{
	static const int steps[] = {7, 30, 90};
	int64_t left = r->until_s - now_s;

	if (left <= 0)
		return -1;
	if (now_s - r->from_s < (r->until_s - r->from_s) / 3 * 2)
		return 0; /* nobody need do anything yet */
	for (unsigned i = 0; i < 3; i++)
		if (left <= (int64_t)steps[i] * CA_DAY)
			return steps[i];
	return 0;
}

/* Alarms told, as one number that grows: 90 → 1, 30 → 2, 7 → 3, over → 4. */
static int rank(int days)
{
	return days == 90 ? 1 : days == 30 ? 2 : days == 7 ? 3 : days == -1 ? 4 : 0;
}

int ca_alarms(struct ca *c, int64_t now_s,
	      void (*fn)(void *arg, const struct ca_row *row, int days), void *arg)
{
	int err = 0, got = 0;
	sqlite3_stmt *s =
		ca_query(c, &err,
			 "SELECT " COLUMNS ", alarmed FROM certificate c WHERE revoked = 0"
			 " AND until < ?",
			 "i", now_s + 91 * CA_DAY);

	while (s && (got = ca_step(c, s)) == 1) {
		struct ca_row r;
		int days;

		fill(s, &r);
		days = due(&r, now_s);
		if (!r.newest || rank(days) <= sqlite3_column_int(s, 9))
			continue;
		err = ca_run(c, "UPDATE certificate SET alarmed = ? WHERE serial = ?", "it",
			     (int64_t)rank(days), r.serial);
		if (err < 0)
			break;
		fn(arg, &r, days);
	}
	sqlite3_finalize(s);
	return err < 0 ? err : s ? got : err;
}
