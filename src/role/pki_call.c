/* Certificates for people: the calls behind `bedwarden pki` and the console's page of them. */
#include "role/pki_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "role/call.h"
#include "role/keeper.h"

static json_t *call_error_of(struct call_error *e, int err, const char *what)
{
	struct pki_failure f;

	pki_fail(&f, err);
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
	err = names ? json_is_array(names) ? pki_names(names, &ret_o->names) : -EINVAL : 0;
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
			      pki_now());
	if (err == 0)
		err = ca_root(k->pki->ca, &root);
	if (err < 0)
		return call_error_of(e, err, "No authority was made");
	keeper_report(
		k, REASON_PKI_ISSUED, 0,
		was ? "the authority's certificate was made anew; who believes in it needs the "
		      "new one before the old one is over"
		    : "an authority was made");
	pki_wake_link(k->pki);
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
	int err = k->pki->ca ? ca_crl(k->pki->ca, pki_now(), &crl) : k->pki->err;
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
	char error[CERT_ERROR] = "", *pem = NULL, said[PKI_TEXT];
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
		err = pki_ready(k, k->pki, "");
	if (err == 0)
		err = ca_issue(k->pki->ca, &o, r.key, pki_now(), &pem);
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
		err = pki_ready(k, k->pki, "");
	if (err == 0)
		err = ca_code(k->pki->ca, &o, (uint32_t)hours, pki_now(), code);
	if (err < 0)
		return call_error_of(e, err, "No code was made");
	return json_pack("{s:s,s:i}", "code", code, "hours", (int)(hours ? hours : CA_CODE_HOURS));
}

static json_t *call_revoke(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *e)
{
	const char *which = call_text(args, "which");
	char said[PKI_TEXT];
	int n;

	if (!which || !*which)
		n = -EINVAL;
	else
		n = k->pki->ca ? ca_revoke(k->pki->ca, which, 0, pki_now()) : k->pki->err;
	if (n == 0)
		n = -ENOENT;
	if (n < 0)
		return call_error_of(e, n, "Nothing was revoked");
	snprintf(said, sizeof(said), "%d of %.200s", n, which);
	keeper_report(k, REASON_PKI_REVOKED, 0, said);
	pki_wake_link(k->pki);
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
	const char *state = r->revoked_s	      ? "revoked"
			    : r->until_s <= pki_now() ? "expired"
			    : !r->newest	      ? "replaced"
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
		err = ca_install(k->pki->ca, purpose, text, pki_now());
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
	pki_wake_link(k->pki);
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
		err = ca_own(k->pki->ca, "tls.link", &o, pki_now(), true, &chain, &fresh);
	free(chain);
	if (err < 0)
		return call_error_of(e, err, "Nothing was renewed");
	pki_wake_link(k->pki);
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
