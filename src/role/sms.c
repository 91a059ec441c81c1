#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/ipc.h"
#include "base/log.h"
#include "base/secret.h"
#include "people/auth/sms.h"
#include "role/keeper.h"
#include "role/staff_internal.h"

#define ANSWER_MS 30000 /* some may wait before it */
#define LOGIN_MAX 256

/* "name:password", a line in state_dir: neither the policy file nor a command line holds it. */
static bool read_login(const struct keeper *k, char ret_login[LOGIN_MAX], char **ret_password)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/sms.login", k->state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	n = fd >= 0 ? read(fd, ret_login, LOGIN_MAX - 1) : -1;
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	ret_login[n] = 0;
	ret_login[strcspn(ret_login, "\r\n")] = 0;
	*ret_password = strchr(ret_login, ':');
	if (*ret_password)
		*(*ret_password)++ = 0;
	return *ret_password != NULL;
}

static json_t *none(json_t *ok, struct call_error *e, const char *detail)
{
	json_decref(ok);
	return call_fail(e, 503, "sms.no_gateway", "No SMS can be sent from here", "%s", detail);
}

json_t *staff_send(struct keeper *k, const struct call_asker *by, const char *to, const char *text,
		   json_t *ok, struct call_error *e)
{
	struct staff *s = staff_of(k);
	struct sms_gateway g = {.url = s->o.sms_url, .from = s->o.sms_from ? s->o.sms_from : ""};
	char login[LOGIN_MAX], url[SMS_URL_MAX], *password;
	struct staff_sms *m = NULL;
	int err;

	if (k->courier < 0 || !g.url || !*g.url)
		return none(ok, e, "people.sms_url names no gateway; use another factor");
	if (!read_login(k, login, &password))
		return none(ok, e,
			    "the gateway's login is to be in state_dir, sms.login: one line, "
			    "name:password; use another factor");
	for (unsigned i = 0; i < STAFF_SMS && !m; i++)
		if (!s->sms[i].id)
			m = &s->sms[i];
	g.user = login;
	g.password = password;
	err = m ? sms_url(&g, to, text, url, sizeof(url)) : -EBUSY;
	if (err == 0)
		err = ipc_send(k->courier, IPC_SMS, ++k->asked,
			       (struct bytes){(const uint8_t *)url, strlen(url)}, -1);
	secret_wipe(login, sizeof(login));
	secret_wipe(url, sizeof(url));
	if (err < 0)
		return none(ok, e, "too many wait for theirs; try again in a minute");
	if (!by->ticket)
		return ok; /* nobody who could be told later */
	*m = (struct staff_sms){.id = k->asked, .ticket = by->ticket, .ok = ok};
	return call_later(k, by, ANSWER_MS, e);
}

void staff_sent(struct keeper *k, const struct ipc_message *msg)
{
	struct staff *s = staff_of(k);
	struct call_error e = {0};
	uint32_t status = 0;

	if (!ipc_u32(msg, &status))
		status = 0;
	for (unsigned i = 0; i < STAFF_SMS; i++) {
		struct staff_sms m = s->sms[i];

		if (!m.id || m.id != msg->id)
			continue;
		s->sms[i] = (struct staff_sms){0};
		if (sms_answer(status) == SMS_QUEUED) {
			call_done(k, m.ticket, m.ok);
			return;
		}
		json_decref(m.ok);
		if (sms_answer(status) == SMS_REFUSED)
			call_fail(&e, 502, "sms.refused", "The SMS gateway refused the message",
				  "it said %u%s; an administrator should look at sms.login and at "
				  "the gateway; use another factor",
				  status == SMS_DENIED ? 202 : status,
				  status == SMS_DENIED ? ", and the contrary in its text" : "");
		else
			call_fail(&e, 504, "sms.unavailable", "The SMS gateway cannot be reached",
				  "use another factor, or try again later");
		call_failed(k, m.ticket, &e);
	}
}

void staff_without_courier(struct keeper *k)
{
	struct staff *s = staff_of(k);

	for (unsigned i = 0; i < STAFF_SMS; i++) {
		struct ipc_message gone = {.type = IPC_SMS, .id = s->sms[i].id, .fd = -1};

		if (gone.id)
			staff_sent(k, &gone);
	}
}
