#include "keep/ca_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hex.h"

int ca_revoke(struct ca *c, const char *which, int reason, int64_t now_s)
{
	int err = 0, count;
	int changed = ca_run(c,
			     "UPDATE certificate SET revoked = ?, reason = ? WHERE revoked = 0"
			     " AND until > ? AND (serial = lower(?) OR name = ?)",
			     "iiitt", now_s, (int64_t)reason, now_s, which, which);

	if (changed < 0)
		return changed;
	count = sqlite3_changes(c->sql);
	if (count)
		err = ca_run(c, "UPDATE authority SET crl_made = 0", "");
	return err < 0 ? err : count;
}

static int make_crl(struct ca *c, uint64_t number, int64_t now_s, char **ret_pem)
{
	struct cert_revoked *list = NULL;
	size_t count = 0, room = 0;
	X509_CRL *crl = NULL;
	const char *serial;
	int err = 0, got = 0;
	sqlite3_stmt *s =
		ca_query(c, &err,
			 "SELECT serial, revoked, reason FROM certificate WHERE revoked > 0"
			 " AND until > ?",
			 "i", now_s - 7 * CA_DAY);

	while (s && (got = ca_step(c, s)) == 1) {
		if (count == room) {
			struct cert_revoked *more =
				realloc(list, (room = room ? room * 2 : 64) * sizeof(*list));

			if (!more) {
				got = -ENOMEM;
				break;
			}
			list = more;
		}
		serial = ca_text(s, 0);
		if (!hex_read_small((struct bytes){(const uint8_t *)serial, strlen(serial)},
				    list[count].serial, CERT_SERIAL)) {
			got = -EBADMSG;
			break;
		}
		list[count].when_s = sqlite3_column_int64(s, 1);
		list[count++].reason = sqlite3_column_int(s, 2);
	}
	sqlite3_finalize(s);
	err = s ? got : err;
	if (err == 0) {
		crl = cert_crl(c->root, c->key, list, count, number, now_s, CA_CRL_HOURS);
		*ret_pem = crl ? cert_crl_text(crl) : NULL;
		err = *ret_pem ? 0 : -EIO;
	}
	X509_CRL_free(crl);
	free(list);
	return err;
}

int ca_crl(struct ca *c, int64_t now_s, char **ret_pem)
{
	int err = 0, got;
	sqlite3_stmt *s;
	int64_t number, made;

	if (!c->root)
		return -ENOENT;
	s = ca_query(c, &err, "SELECT crl, crl_number, crl_made FROM authority WHERE id = 1", "");
	if (!s)
		return err;
	got = ca_step(c, s);
	number = got == 1 ? sqlite3_column_int64(s, 1) : 0;
	made = got == 1 ? sqlite3_column_int64(s, 2) : 0;
	*ret_pem = NULL;
	if (made && now_s >= made && now_s - made < CA_CRL_HOURS * 1800)
		*ret_pem = strdup(ca_text(s, 0));
	sqlite3_finalize(s);
	if (got < 0 || *ret_pem)
		return got < 0 ? got : 0;
	err = make_crl(c, (uint64_t)number + 1, now_s, ret_pem);
	if (err == 0)
		err = ca_run(c, "UPDATE authority SET crl = ?, crl_number = ?, crl_made = ?", "tii",
			     *ret_pem, number + 1, now_s);
	if (err < 0) {
		free(*ret_pem);
		*ret_pem = NULL;
	}
	return err;
}
