#include "role/pki_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "role/keeper.h"
#include "role/secrets.h"

#define TICK_NS	 (3600 * NSEC_PER_SEC)
#define TURN_MAX 64

/* Who may say what here: the link alone is on this socket. */
enum { FROM_LINK };
static const struct ipc_right rights[] = {
	{FROM_LINK, IPC_PKI},
	{FROM_LINK, IPC_EVENTS},
	{FROM_LINK, IPC_LINK_STATE},
	/* For which purposes says role/secrets.c. */
	{FROM_LINK, IPC_TLS_KEY},
	{FROM_LINK, IPC_TLS_SIGN},
};

int64_t pki_now(void)
{
	return (int64_t)(clock_wall_ns() / NSEC_PER_SEC);
}

struct pki *pki_new(struct keeper *k)
{
	struct pki *p = calloc(1, sizeof(*p));
	struct signing *s = k->secrets ? secrets_signing(k->secrets) : NULL;

	if (!p)
		return NULL;
	p->link = -1;
	p->err = -ENOKEY;
	p->due_ns = clock_mono_ns();
	if (!s)
		return p;
	p->ca = ca_open(k->state_dir, s);
	if (!p->ca) {
		p->err = -errno;
		log_error("certificates: %s/pki.db cannot be used: %s", k->state_dir,
			  strerror(errno));
	}
	return p;
}

void pki_free(struct pki *p)
{
	if (!p)
		return;
	ca_free(p->ca);
	json_decref(p->state);
	if (p->link >= 0)
		close(p->link);
	free(p);
}

/* What it said of itself went with it. */
static void lose(struct pki *p)
{
	close(p->link);
	p->link = -1;
	json_decref(p->state);
	p->state = NULL;
}

void pki_link(struct pki *p, int sock)
{
	if (p->link >= 0)
		lose(p);
	p->link = sock;
}

int pki_sock(const struct pki *p)
{
	return p->link;
}

void pki_status(const struct pki *p, json_t *status)
{
	json_t *relays = json_object_get(p->state, "relays");

	if (json_is_array(relays)) /* and nothing else that the link might say */
		json_object_set(status, "relays", relays);
}

static bool take_state(struct pki *p, struct bytes text)
{
	json_t *state = json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, NULL);

	if (!json_is_object(state)) {
		json_decref(state);
		return false;
	}
	json_decref(p->state);
	p->state = state;
	return true;
}

/* --- what went wrong, for people and for HTTP --------------------------------------- */

void pki_fail(struct pki_failure *f, int err)
{
	static const struct {
		int err;
		unsigned status;
		const char *text;
	} known[] = {
		{ENOENT, 404, "there is none such"},
		{EACCES, 403, "it asks for names that are not its own"},
		{EKEYREVOKED, 403, "the certificate was revoked"},
		{EKEYEXPIRED, 403, "its time is over"},
		{EALREADY, 403,
		 "the code was used already; make another with 'bedwarden pki code'"},
		{EEXIST, 409,
		 "there is an authority already, whose certificate is not yet to be made anew"},
		{EINVAL, 400, "a name or a value that is none"},
		{ENOKEY, 503, "the keys are locked; 'bedwarden status' says why"},
		{ENOSPC, 507, "the disk is full"},
	};

	f->status = 500;
	snprintf(f->text, sizeof(f->text), "%s", strerror(-err));
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (known[i].err == -err) {
			f->status = known[i].status;
			snprintf(f->text, sizeof(f->text), "%s", known[i].text);
		}
}

static json_t *failed(const struct pki_failure *f)
{
	return json_pack("{s:{s:i,s:s}}", "error", "status", (int)f->status, "text", f->text);
}

/* --- the authority --------------------------------------------------------------------- */

int pki_ready(struct keeper *k, struct pki *p, const char *name)
{
	char own[CERT_NAME + 1], text[PKI_TEXT];
	int err;

	if (!p->ca)
		return p->err;
	if (ca_ready(p->ca))
		return 0;
	snprintf(own, sizeof(own), "%.48s authority", *name ? name : "bedwarden");
	err = ca_init(p->ca, own, 0, pki_now());
	if (err == 0) {
		snprintf(text, sizeof(text), "the authority '%s' was made", own);
		keeper_report(k, REASON_PKI_ISSUED, 0, text);
	}
	return err;
}

/* Its certificate and what it has revoked. */
static int trust_text(struct pki *p, char **ret_pem)
{
	char *root = NULL, *crl = NULL;
	int err = ca_root(p->ca, &root);

	if (err == 0)
		err = ca_crl(p->ca, pki_now(), &crl);
	if (err == 0 && asprintf(ret_pem, "%s%s", root, crl) < 0)
		err = -ENOMEM;
	free(root);
	free(crl);
	return err;
}

int pki_names(const json_t *list, struct cert_names *ret_names)
{
	const json_t *n;
	size_t i;
	int err = 0;

	json_array_foreach (list, i, n) {
		const char *name = json_string_value(n);

		if (err == 0)
			err = name ? cert_names_add(ret_names, name) : -EINVAL;
	}
	return err;
}

/* --- the link's questions ----------------------------------------------------------------- */

static json_t *identity(struct keeper *k, struct pki *p, const json_t *q, struct pki_failure *f)
{
	const char *name = json_string_value(json_object_get(q, "name"));
	struct ca_order o = {.profile = CERT_GATEWAY};
	char *chain = NULL, *trust = NULL, text[PKI_TEXT];
	json_t *answer = NULL;
	bool fresh = false;
	int err;

	o.days = (uint32_t)json_integer_value(json_object_get(q, "days"));
	snprintf(o.name, sizeof(o.name), "%s", name ? name : "");
	err = *o.name && o.days <= 825 ? pki_names(json_object_get(q, "names"), &o.names) : -EINVAL;
	if (err == 0)
		err = pki_ready(k, p, o.name);
	if (err == 0)
		err = ca_own(p->ca, "tls.link", &o, pki_now(), false, &chain, &fresh);
	if (err == 0)
		err = trust_text(p, &trust);
	if (err == 0) {
		p->own = o;
		answer = json_pack("{s:s,s:s}", "chain", chain, "trust", trust);
	} else {
		pki_fail(f, err);
	}
	if (fresh) {
		snprintf(text, sizeof(text), "the gateway's own certificate, for %s", o.name);
		keeper_report(k, REASON_PKI_ISSUED, 0, text);
	}
	free(chain);
	free(trust);
	return answer;
}

int pki_console(struct keeper *k, struct pki *p, const struct json_t *names, char **ret_pem)
{
	struct ca_order o = {.profile = CERT_CONSOLE};
	const char *name = json_string_value(json_array_get(names, 0));
	char text[PKI_TEXT];
	bool fresh = false;
	int err;

	if (!p || !p->ca)
		return -ENOENT;
	if (!name || strlen(name) > CERT_NAME)
		return -EINVAL;
	snprintf(o.name, sizeof(o.name), "%s", name);
	err = pki_names(names, &o.names);
	if (err == 0)
		err = ca_own(p->ca, "tls.console", &o, pki_now(), false, ret_pem, &fresh);
	if (fresh) {
		snprintf(text, sizeof(text), "the console's certificate, for %s", o.name);
		keeper_report(k, REASON_PKI_ISSUED, 0, text);
	}
	return err;
}

static json_t *cacerts(struct keeper *k, struct pki *p, struct pki_failure *f)
{
	char *root = NULL;
	json_t *answer = NULL;
	int err = pki_ready(k, p, "");

	if (err == 0)
		err = ca_root(p->ca, &root);
	if (err == 0)
		answer = json_pack("{s:s}", "pem", root);
	else
		pki_fail(f, err);
	free(root);
	return answer;
}

/* Both kinds of enrolment. */
static json_t *enrol(struct keeper *k, struct pki *p, const json_t *q, bool again,
		     struct pki_failure *f)
{
	const char *text = json_string_value(json_object_get(q, "csr"));
	const char *by = json_string_value(json_object_get(q, again ? "certificate" : "code"));
	char error[CERT_ERROR] = "", name[CERT_NAME + 1] = "", said[2 * PKI_TEXT], *pem = NULL;
	static uint8_t der[32768];
	struct csr r = {0};
	json_t *answer = NULL;
	size_t len = 0;
	int err;

	if (!text || !by)
		err = -EINVAL;
	else
		err = csr_read((struct bytes){(const uint8_t *)text, strlen(text)}, &r, error);
	if (err == 0 && again)
		err = base64_read_padded((struct bytes){(const uint8_t *)by, strlen(by)}, der,
					 sizeof(der), &len);
	if (err >= 0)
		err = !p->ca  ? p->err
		      : again ? ca_renew(p->ca, (struct bytes){der, len}, &r, pki_now(), &pem, name)
			      : ca_enrol(p->ca, by, &r, pki_now(), &pem, name);
	if (err == 0) {
		answer = json_pack("{s:s,s:s}", "pem", pem, "name", name);
		snprintf(said, sizeof(said), "%s %s", again ? "renewed for" : "enrolled:", name);
		keeper_report(k, REASON_PKI_ISSUED, 0, said);
	} else {
		pki_fail(f, err);
		/* A code that is not there is a password that is wrong. */
		if (!again && err == -ENOENT && !*error) {
			f->status = 401;
			snprintf(f->text, sizeof(f->text),
				 "no such code; it is made by "
				 "'bedwarden pki code'");
		}
		if (*error) {
			f->status = 400;
			snprintf(f->text, sizeof(f->text), "the request is refused: %s", error);
		}
		snprintf(said, sizeof(said), "%s%s%s", name, *name ? ": " : "", f->text);
		keeper_report(k, REASON_PKI_REFUSED, 0, said);
	}
	free(pem);
	csr_free(&r);
	return answer;
}

static json_t *ask(struct keeper *k, struct pki *p, const json_t *q, struct pki_failure *f)
{
	const char *call = json_string_value(json_object_get(q, "call"));

	if (call && strcmp(call, "identity") == 0)
		return identity(k, p, q, f);
	if (call && strcmp(call, "cacerts") == 0)
		return cacerts(k, p, f);
	if (call && strcmp(call, "enrol") == 0)
		return enrol(k, p, q, false, f);
	if (call && strcmp(call, "renew") == 0)
		return enrol(k, p, q, true, f);
	pki_fail(f, -EINVAL);
	return NULL;
}

static void answer(struct keeper *k, struct pki *p, const struct ipc_message *m)
{
	json_t *q = json_loadb((const char *)m->body.data, m->body.len, 0, NULL);
	struct pki_failure f = {.status = 500, .text = "out of memory"};
	json_t *a = ask(k, p, q, &f);
	char *text;

	if (!a)
		a = failed(&f);
	text = json_dumps(a, JSON_COMPACT);
	if (text && ipc_send(p->link, IPC_PKI, m->id,
			     (struct bytes){(const uint8_t *)text, strlen(text)}, -1) < 0)
		log_debug("the link does not take an answer");
	free(text);
	json_decref(a);
	json_decref(q);
}

void pki_hear(struct keeper *k, struct pki *p)
{
	static char buf[IPC_BUF];
	struct ipc_message m;

	for (unsigned i = 0; i < TURN_MAX && p->link >= 0; i++) {
		int err = ipc_hear(p->link, buf, rights, sizeof(rights) / sizeof(*rights),
				   FROM_LINK, &m);

		if (err == -EAGAIN)
			return;
		if (err == 0 && m.fd >= 0)
			close(m.fd);
		if (err == 0 && m.type == IPC_LINK_STATE && !take_state(p, m.body))
			err = -EBADMSG;
		if (err == -EBADMSG)
			keeper_refuse(k, "link", "a malformed message; its connection is closed");
		if (err != 0)
			lose(p);
		else if (m.type == IPC_EVENTS)
			keeper_events(k, "link", m.body);
		else if (m.type == IPC_PKI)
			answer(k, p, &m);
		else if (m.type != IPC_LINK_STATE && k->secrets)
			secrets_answer(k->secrets, SECRETS_LINK, p->link, &m);
	}
}

/* --- once an hour ------------------------------------------------------------------------------ */

static void alarm_row(void *arg, const struct ca_row *row, int days)
{
	char text[PKI_TEXT];
	const char *whose = row->authority ? "the certificate of the gateway's authority"
			    : row->own	   ? "the gateway's own certificate"
					   : "the certificate";
	const char *todo =
		row->authority
			? "make it anew by 'bedwarden pki init', and give what 'bedwarden pki "
			  "show' prints to every machine that believes in it"
		: row->installed ? "have its authority sign the text of 'bedwarden pki request' "
				   "anew, and install that by 'bedwarden pki install'"
		: row->own	 ? "see the log for why it was not renewed"
				 : "renew it by EST, or make a code by 'bedwarden pki code' and "
				   "enrol the machine again";
	char what[CERT_NAME + 32] = "";

	if (*row->profile)
		snprintf(what, sizeof(what), " (%s)", row->profile);
	if (days < 0)
		snprintf(text, sizeof(text), "%s of %s%s has run out; %s", whose, row->name, what,
			 todo);
	else
		snprintf(text, sizeof(text), "%s of %s%s runs out in less than %d days; %s", whose,
			 row->name, what, days, todo);
	keeper_report(arg, days < 0 ? REASON_PKI_EXPIRED : REASON_PKI_EXPIRES, 0, text);
}

uint64_t pki_due(const struct pki *p)
{
	return p->due_ns;
}

void pki_wake_link(struct pki *p)
{
	if (p->link >= 0)
		ipc_send(p->link, IPC_PKI, 0, (struct bytes){(const uint8_t *)"{}", 2}, -1);
}

void pki_tick(struct keeper *k, struct pki *p)
{
	p->due_ns = clock_mono_ns() + TICK_NS;
	if (!p->ca)
		return;
	pki_wake_link(p);
	ca_alarms(p->ca, pki_now(), alarm_row, k);
}
