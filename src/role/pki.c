#include "role/pki.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "keep/ca.h"
#include "role/call.h"
#include "role/keeper.h"
#include "role/secrets.h"

#define TICK_NS	 (3600 * NSEC_PER_SEC)
#define TURN_MAX 64
#define TEXT_MAX 320

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

struct pki {
	struct ca *ca; /* NULL: it cannot be opened, `err` says why */
	int err;
	int link;
	json_t *state; /* the link's last word; NULL none */
	uint64_t due_ns;
	/* As the link asked for them, for its renewal. */
	struct ca_order own;
};

static int64_t now_s(void)
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

struct failure {
	unsigned status;
	char text[TEXT_MAX];
};

static void fail(struct failure *f, int err)
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

static json_t *failed(const struct failure *f)
{
	return json_pack("{s:{s:i,s:s}}", "error", "status", (int)f->status, "text", f->text);
}

/* --- the authority --------------------------------------------------------------------- */

/* Made when the first certificate is needed, if nobody has made one before. */
static int ready(struct keeper *k, struct pki *p, const char *name)
{
	char own[CERT_NAME + 1], text[TEXT_MAX];
	int err;

	if (!p->ca)
		return p->err;
	if (ca_ready(p->ca))
		return 0;
	snprintf(own, sizeof(own), "%.48s authority", *name ? name : "bedwarden");
	err = ca_init(p->ca, own, 0, now_s());
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
		err = ca_crl(p->ca, now_s(), &crl);
	if (err == 0 && asprintf(ret_pem, "%s%s", root, crl) < 0)
		err = -ENOMEM;
	free(root);
	free(crl);
	return err;
}

static int order_names(const json_t *list, struct cert_names *ret_names)
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

static json_t *identity(struct keeper *k, struct pki *p, const json_t *q, struct failure *f)
{
	const char *name = json_string_value(json_object_get(q, "name"));
	struct ca_order o = {.profile = CERT_GATEWAY};
	char *chain = NULL, *trust = NULL, text[TEXT_MAX];
	json_t *answer = NULL;
	bool fresh = false;
	int err;

	o.days = (uint32_t)json_integer_value(json_object_get(q, "days"));
	snprintf(o.name, sizeof(o.name), "%s", name ? name : "");
	err = *o.name && o.days <= 825 ? order_names(json_object_get(q, "names"), &o.names)
				       : -EINVAL;
	if (err == 0)
		err = ready(k, p, o.name);
	if (err == 0)
		err = ca_own(p->ca, "tls.link", &o, now_s(), false, &chain, &fresh);
	if (err == 0)
		err = trust_text(p, &trust);
	if (err == 0) {
		p->own = o;
		answer = json_pack("{s:s,s:s}", "chain", chain, "trust", trust);
	} else {
		fail(f, err);
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
	char text[TEXT_MAX];
	bool fresh = false;
	int err;

	if (!p || !p->ca)
		return -ENOENT;
	if (!name || strlen(name) > CERT_NAME)
		return -EINVAL;
	snprintf(o.name, sizeof(o.name), "%s", name);
	err = order_names(names, &o.names);
	if (err == 0)
		err = ca_own(p->ca, "tls.console", &o, now_s(), false, ret_pem, &fresh);
	if (fresh) {
		snprintf(text, sizeof(text), "the console's certificate, for %s", o.name);
		keeper_report(k, REASON_PKI_ISSUED, 0, text);
	}
	return err;
}

static json_t *cacerts(struct keeper *k, struct pki *p, struct failure *f)
{
	char *root = NULL;
	json_t *answer = NULL;
	int err = ready(k, p, "");

	if (err == 0)
		err = ca_root(p->ca, &root);
	if (err == 0)
		answer = json_pack("{s:s}", "pem", root);
	else
		fail(f, err);
	free(root);
	return answer;
}

/* Both kinds of enrolment. */
static json_t *enrol(struct keeper *k, struct pki *p, const json_t *q, bool again,
		     struct failure *f)
{
	const char *text = json_string_value(json_object_get(q, "csr"));
	const char *by = json_string_value(json_object_get(q, again ? "certificate" : "code"));
	char error[CERT_ERROR] = "", name[CERT_NAME + 1] = "", said[2 * TEXT_MAX], *pem = NULL;
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
		      : again ? ca_renew(p->ca, (struct bytes){der, len}, &r, now_s(), &pem, name)
			      : ca_enrol(p->ca, by, &r, now_s(), &pem, name);
	if (err == 0) {
		answer = json_pack("{s:s,s:s}", "pem", pem, "name", name);
		snprintf(said, sizeof(said), "%s %s", again ? "renewed for" : "enrolled:", name);
		keeper_report(k, REASON_PKI_ISSUED, 0, said);
	} else {
		fail(f, err);
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

static json_t *ask(struct keeper *k, struct pki *p, const json_t *q, struct failure *f)
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
	fail(f, -EINVAL);
	return NULL;
}

static void answer(struct keeper *k, struct pki *p, const struct ipc_message *m)
{
	json_t *q = json_loadb((const char *)m->body.data, m->body.len, 0, NULL);
	struct failure f = {.status = 500, .text = "out of memory"};
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
	char text[TEXT_MAX];
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

/* The link asks again, which renews what is due, and gets a list that is not too old. */
static void wake_link(struct pki *p)
{
	if (p->link >= 0)
		ipc_send(p->link, IPC_PKI, 0, (struct bytes){(const uint8_t *)"{}", 2}, -1);
}

void pki_tick(struct keeper *k, struct pki *p)
{
	p->due_ns = clock_mono_ns() + TICK_NS;
	if (!p->ca)
		return;
	wake_link(p);
	ca_alarms(p->ca, now_s(), alarm_row, k);
}

/* --- calls ------------------------------------------------------------------------------------------ */

static json_t *call_error_of(struct call_error *e, int err, const char *what)
{
	struct failure f;

	fail(&f, err);
	return call_fail(e, f.status, "pki.failed", what, "%s", f.text);
}

/* The order in a call's arguments. */
static int read_order(const json_t *args, struct ca_order *ret_o)
{
	const char *name = call_text(args, "name"), *profile = call_text(args, "profile");
	const json_t *names = json_object_get(args, "names");
	int64_t days = 0;
	int err;

	*ret_o = (struct ca_order){.profile = cert_profile_find(profile ? profile : "device")};
	if (!name || !*name || strlen(name) > CERT_NAME || ret_o->profile == CERT_PROFILES)
		return -EINVAL;
	if (json_object_get(args, "days") && !call_number(args, "days", 1, 825, &days))
		return -EINVAL;
	ret_o->days = (uint32_t)days;
	snprintf(ret_o->name, sizeof(ret_o->name), "%s", name);
	err = names ? json_is_array(names) ? order_names(names, &ret_o->names) : -EINVAL : 0;
	/* Its own name counts where it is one of a machine. */
	if (err == 0 && !ret_o->names.count)
		cert_names_add(&ret_o->names, name);
	return err;
}

static json_t *call_init(struct keeper *k, const struct call_asker *by, const json_t *args,
			 struct call_error *e)
{
	const char *name = call_text(args, "name");
	int64_t days = 0;
	int err = k->pki->ca ? 0 : k->pki->err;
	bool was = k->pki->ca && ca_ready(k->pki->ca);
	char *root = NULL;
	json_t *ok;

	if (json_object_get(args, "days") && !call_number(args, "days", 30, 7300, &days))
		err = -EINVAL;
	if (err == 0)
		err = ca_init(k->pki->ca, name ? name : "Bedwarden authority", (uint32_t)days,
			      now_s());
	if (err == 0)
		err = ca_root(k->pki->ca, &root);
	if (err < 0)
		return call_error_of(e, err, "No authority was made");
	keeper_report(
		k, REASON_PKI_ISSUED, 0,
		was ? "the authority's certificate was made anew; who believes in it needs the "
		      "new one before the old one is over"
		    : "an authority was made");
	wake_link(k->pki);
	ok = json_pack("{s:s}", "pem", root);
	free(root);
	return ok;
}

static json_t *call_show(struct keeper *k, const struct call_asker *by, const json_t *args,
			 struct call_error *e)
{
	char *root = NULL;
	int err = k->pki->ca ? ca_root(k->pki->ca, &root) : k->pki->err;
	json_t *ok;

	if (err < 0)
		return call_error_of(e, err, "No authority to show");
	ok = json_pack("{s:s}", "pem", root);
	free(root);
	return ok;
}

static json_t *call_crl(struct keeper *k, const struct call_asker *by, const json_t *args,
			struct call_error *e)
{
	char *crl = NULL;
	int err = k->pki->ca ? ca_crl(k->pki->ca, now_s(), &crl) : k->pki->err;
	json_t *ok;

	if (err < 0)
		return call_error_of(e, err, "No list to show");
	ok = json_pack("{s:s}", "pem", crl);
	free(crl);
	return ok;
}

static json_t *call_issue(struct keeper *k, const struct call_asker *by, const json_t *args,
			  struct call_error *e)
{
	const char *text = call_text(args, "csr");
	char error[CERT_ERROR] = "", *pem = NULL, said[TEXT_MAX];
	struct csr r = {0};
	struct ca_order o;
	json_t *ok;
	int err = read_order(args, &o);

	if (err == 0 && !text)
		err = -EINVAL;
	if (err == 0)
		err = csr_read((struct bytes){(const uint8_t *)text, strlen(text)}, &r, error);
	if (err < 0 && *error)
		return call_fail(e, 400, "pki.request", "The request is refused", "%s", error);
	/* Without names of its own, the request's count: a person has looked at it. */
	if (err == 0 && !json_object_get(args, "names") && r.names.count)
		o.names = r.names;
	if (err == 0)
		err = ready(k, k->pki, "");
	if (err == 0)
		err = ca_issue(k->pki->ca, &o, r.key, now_s(), &pem);
	csr_free(&r);
	if (err < 0)
		return call_error_of(e, err, "No certificate was issued");
	snprintf(said, sizeof(said), "%s for %s", cert_profile_name(o.profile), o.name);
	keeper_report(k, REASON_PKI_ISSUED, 0, said);
	ok = json_pack("{s:s}", "pem", pem);
	free(pem);
	return ok;
}

static json_t *call_code(struct keeper *k, const struct call_asker *by, const json_t *args,
			 struct call_error *e)
{
	char code[CA_CODE];
	struct ca_order o;
	int64_t hours = 0;
	int err = read_order(args, &o);

	if (json_object_get(args, "hours") && !call_number(args, "hours", 1, 720, &hours))
		err = -EINVAL;
	if (err == 0)
		err = ready(k, k->pki, "");
	if (err == 0)
		err = ca_code(k->pki->ca, &o, (uint32_t)hours, now_s(), code);
	if (err < 0)
		return call_error_of(e, err, "No code was made");
	return json_pack("{s:s,s:i}", "code", code, "hours", (int)(hours ? hours : CA_CODE_HOURS));
}

static json_t *call_revoke(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	const char *which = call_text(args, "which");
	char said[TEXT_MAX];
	int n;

	if (!which || !*which)
		n = -EINVAL;
	else
		n = k->pki->ca ? ca_revoke(k->pki->ca, which, 0, now_s()) : k->pki->err;
	if (n == 0)
		n = -ENOENT;
	if (n < 0)
		return call_error_of(e, n, "Nothing was revoked");
	snprintf(said, sizeof(said), "%d of %.200s", n, which);
	keeper_report(k, REASON_PKI_REVOKED, 0, said);
	wake_link(k->pki);
	return json_pack("{s:i}", "revoked", n);
}

static json_t *time_text(int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;
	char text[32];

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static void list_row(void *arg, const struct ca_row *r)
{
	const char *state = r->revoked_s	    ? "revoked"
			    : r->until_s <= now_s() ? "expired"
			    : !r->newest	    ? "replaced"
						    : "valid";
	json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:b}", "name", r->name, "profile", r->profile,
			      "names", r->names, "serial", r->serial, "state", state, "own",
			      (int)r->own);

	json_object_set_new(o, "from", time_text(r->from_s));
	json_object_set_new(o, "until", time_text(r->until_s));
	json_array_append_new(arg, o);
}

static json_t *call_ls(struct keeper *k, const struct call_asker *by, const json_t *args,
		       struct call_error *e)
{
	json_t *list = json_array();
	int err = k->pki->ca ? ca_each(k->pki->ca, list_row, list) : k->pki->err;

	if (err < 0) {
		json_decref(list);
		return call_error_of(e, err, "No list");
	}
	return json_pack("{s:o}", "certificates", list);
}

/* The gateway's own, for a purpose: "tls.link" or "tls.console". */
static const char *purpose_of(const json_t *args)
{
	const char *what = call_text(args, "for");

	return !what || strcmp(what, "link") == 0 ? "tls.link"
	       : strcmp(what, "console") == 0	  ? "tls.console"
						  : NULL;
}

static json_t *call_request(struct keeper *k, const struct call_asker *by, const json_t *args,
			    struct call_error *e)
{
	const char *purpose = purpose_of(args);
	struct ca_order o;
	char *pem = NULL;
	json_t *ok;
	int err = purpose ? read_order(args, &o) : -EINVAL;

	if (err == 0)
		err = k->pki->ca ? ca_request(k->pki->ca, purpose, &o, &pem) : k->pki->err;
	if (err < 0)
		return call_error_of(e, err, "No request was made");
	ok = json_pack("{s:s}", "pem", pem);
	free(pem);
	return ok;
}

static json_t *call_install(struct keeper *k, const struct call_asker *by, const json_t *args,
			    struct call_error *e)
{
	const char *purpose = purpose_of(args), *pem = call_text(args, "pem");
	struct bytes text = {(const uint8_t *)pem, pem ? strlen(pem) : 0};
	int err = !purpose ? -EINVAL : k->pki->ca ? 0 : k->pki->err;

	/* What was left out by mistake must not take away what is there. */
	if (!pem == !json_is_true(json_object_get(args, "remove")))
		return call_bad(e, "pem", "certificates, or `remove` instead");
	if (err == 0)
		err = ca_install(k->pki->ca, purpose, text, now_s());
	if (err == -EACCES)
		return call_fail(e, 403, "pki.key", "Nothing was installed",
				 "the certificate is for another key than the gateway's; ask for "
				 "one with the text of 'bedwarden pki request'");
	if (err == -EKEYEXPIRED)
		return call_fail(
			e, 400, "pki.expired", "Nothing was installed",
			"a certificate in it has run out, by this gateway's clock; have its "
			"authority issue another, and leave out of the chain what is over");
	if (err == -EBADMSG)
		return call_fail(e, 400, "pki.form", "Nothing was installed",
				 "expected PEM certificates, the gateway's own first");
	if (err < 0)
		return call_error_of(e, err, "Nothing was installed");
	wake_link(k->pki);
	k->pki->due_ns = 0; /* it may run out soon */
	return json_pack("{s:b}", "installed", pem != NULL);
}

/* Ours is made anew, whatever its age. */
static json_t *call_renew(struct keeper *k, const struct call_asker *by, const json_t *args,
			  struct call_error *e)
{
	struct ca_order o = k->pki->own;
	char *chain = NULL;
	bool fresh = false;
	int err = k->pki->ca ? *o.name ? 0 : -ENOENT : k->pki->err;

	if (err == 0)
		err = ca_own(k->pki->ca, "tls.link", &o, now_s(), true, &chain, &fresh);
	free(chain);
	if (err < 0)
		return call_error_of(e, err, "Nothing was renewed");
	wake_link(k->pki);
	return json_pack("{s:b}", "renewed", (int)fresh);
}

#define ADMIN PEOPLE_ONLY(PEOPLE_ADMINISTRATOR)
const struct call_row pki_calls[] = {
	{.name = "pki.init", .fn = call_init, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "pki.show", .fn = call_show, .roles = ADMIN | PEOPLE_ONLY(PEOPLE_AUDITOR)},
	{.name = "pki.crl", .fn = call_crl, .roles = ADMIN | PEOPLE_ONLY(PEOPLE_AUDITOR)},
	{.name = "pki.ls",
	 .fn = call_ls,
	 .roles = ADMIN | PEOPLE_ONLY(PEOPLE_AUDITOR),
	 .pages = "certificates"},
	{.name = "pki.issue", .fn = call_issue, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "pki.code", .fn = call_code, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "pki.revoke", .fn = call_revoke, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "pki.renew", .fn = call_renew, .roles = ADMIN, .step_up = true, .changes = true},
	{.name = "pki.request", .fn = call_request, .roles = ADMIN, .changes = true},
	{.name = "pki.install",
	 .fn = call_install,
	 .roles = ADMIN,
	 .step_up = true,
	 .changes = true},
	{NULL},
};
