#include "keep/ca_internal.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "seal/pki/tls.h"

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
	bool early = now_s - r->from_s < (r->until_s - r->from_s) / 3 * 2;

	if (left <= 0)
		return -1;
	for (unsigned i = 0; i < 3; i++) {
		/* Nobody need do anything yet, where it is renewed by a machine. */
		if (early && !((r->installed || r->authority) && steps[i] < 90))
			continue;
		if (left <= (int64_t)steps[i] * CA_DAY)
			return steps[i];
	}
	return 0;
}

/* Alarms told, as one number that grows: 90 → 1, 30 → 2, 7 → 3, over → 4. */
static int rank(int days)
{
	return days == 90 ? 1 : days == 30 ? 2 : days == 7 ? 3 : days == -1 ? 4 : 0;
}

/* From the first's beginning to the first end in the chain. False: there is none. */
static bool chain_life(const char *pem, struct ca_row *ret_row, char ret_name[CERT_NAME + 1])
{
	STACK_OF(X509) *chain = cert_chain((struct bytes){(const uint8_t *)pem, strlen(pem)});
	int n = chain ? sk_X509_num(chain) : 0;

	for (int i = 0; i < n; i++) {
		X509 *x = sk_X509_value(chain, i);
		int64_t until = (int64_t)tls_time(X509_get0_notAfter(x));

		if (i == 0) {
			tls_name(x, ret_name, CERT_NAME + 1);
			ret_row->from_s = (int64_t)tls_time(X509_get0_notBefore(x));
		}
		ret_row->until_s = i && ret_row->until_s < until ? ret_row->until_s : until;
	}
	sk_X509_pop_free(chain, X509_free);
	return n > 0;
}

/* Tells of what is in force for a purpose, if that is due and was not told yet. */
static int alarm_of(struct ca *c, const char *purpose, int told, const struct ca_row *r,
		    int64_t now_s, void (*fn)(void *arg, const struct ca_row *row, int days),
		    void *arg)
{
	int days = due(r, now_s), err;

	if (rank(days) <= told)
		return 0;
	err = ca_run(c, "INSERT OR REPLACE INTO installed_alarm VALUES(?, ?)", "ti", purpose,
		     (int64_t)rank(days));
	if (err == 0)
		fn(arg, r, days);
	return err;
}

static int alarms_root(struct ca *c, int64_t now_s,
		       void (*fn)(void *arg, const struct ca_row *row, int days), void *arg)
{
	char name[CERT_NAME + 1];
	struct ca_row r = {
		.profile = "", .names = "", .own = true, .newest = true, .authority = true};
	int err = 0, told;
	sqlite3_stmt *s;

	if (!c->root)
		return 0;
	s = ca_query(c, &err, "SELECT alarmed FROM installed_alarm WHERE purpose = ?", "t",
		     CA_PURPOSE);
	if (!s)
		return err;
	err = ca_step(c, s);
	told = err == 1 ? sqlite3_column_int(s, 0) : 0;
	sqlite3_finalize(s);
	if (err < 0)
		return err;
	tls_name(c->root, name, sizeof(name));
	r.name = name;
	r.from_s = (int64_t)tls_time(X509_get0_notBefore(c->root));
	r.until_s = (int64_t)tls_time(X509_get0_notAfter(c->root));
	return alarm_of(c, CA_PURPOSE, told, &r, now_s, fn, arg);
}

static int alarms_installed(struct ca *c, int64_t now_s,
			    void (*fn)(void *arg, const struct ca_row *row, int days), void *arg)
{
	int err = 0, got = 0;
	sqlite3_stmt *s = ca_query(c, &err,
				   "SELECT i.purpose, i.pem, ifnull(a.alarmed, 0) FROM installed i"
				   " LEFT JOIN installed_alarm a USING(purpose)",
				   "");

	while (s && (got = ca_step(c, s)) == 1) {
		char name[CERT_NAME + 1], purpose[64];
		struct ca_row r = {.own = true, .newest = true, .installed = true};

		if (!chain_life(ca_text(s, 1), &r, name))
			continue;
		snprintf(purpose, sizeof(purpose), "%s", ca_text(s, 0));
		r.name = name;
		r.profile = strcmp(purpose, "tls.console") == 0 ? "console" : "gateway";
		r.names = "";
		err = alarm_of(c, purpose, sqlite3_column_int(s, 2), &r, now_s, fn, arg);
		if (err < 0)
			break;
	}
	sqlite3_finalize(s);
	ERR_clear_error();
	return err < 0 ? err : s ? got : err;
}

/* Our own is not shown while an installed one is, and nobody renews it. */
#define STANDS_IN                                                               \
	" AND NOT (own = 1 AND EXISTS (SELECT 1 FROM installed WHERE purpose =" \
	" CASE profile WHEN 'gateway' THEN 'tls.link' WHEN 'console' THEN 'tls.console' END))"

int ca_alarms(struct ca *c, int64_t now_s,
	      void (*fn)(void *arg, const struct ca_row *row, int days), void *arg)
{
	int err = 0, got = 0;
	sqlite3_stmt *s =
		ca_query(c, &err,
			 "SELECT " COLUMNS ", alarmed FROM certificate c WHERE revoked = 0"
			 " AND until < ?" STANDS_IN,
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
	err = err < 0 ? err : s ? got : err;
	if (err == 0)
		err = alarms_installed(c, now_s, fn, arg);
	return err < 0 ? err : alarms_root(c, now_s, fn, arg);
}
