#include "base/check_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/number.h"

/* RFC 1123 §2.1: letters, digits, hyphens and dots; of an address no passkey can be. */
static bool host_name(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len < 254 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len &&
	       s[0] != '.' && s[len - 1] != '.' && strspn(s, "0123456789.") < len;
}

void check_console(struct checking *k)
{
	const struct config_console *c = &k->c->console;
	char at[64], ip[ADDRESS_IP_LEN];
	uint16_t port;

	for (unsigned i = 0; i < c->listen_count; i++) {
		snprintf(at, sizeof(at), "console.listen[%u]", i);
		if (!address_endpoint(c->listen[i], ip, &port))
			check_wrong(k, at,
				    "'%.60s' is no place to listen at; expected an address and a "
				    "port as "
				    "10.0.0.1:8443 or [fd00::1]:8443",
				    c->listen[i]);
	}
	for (unsigned i = 0; i < c->names_count; i++) {
		snprintf(at, sizeof(at), "console.names[%u]", i);
		if (!host_name(c->names[i]))
			check_wrong(k, at,
				    "'%.60s' is no name of a machine; expected one as "
				    "gateway.clinic.example, in small letters",
				    c->names[i]);
	}
}

void check_pki(struct checking *k)
{
	const struct config_pki *p = &k->c->pki;
	char ip[ADDRESS_IP_LEN], at[64];
	uint8_t raw[16];
	unsigned len;
	uint16_t port;

	if (*p->est && !address_endpoint(p->est, ip, &port))
		check_wrong(k, "pki.est",
			    "'%.60s' is no place to listen at; expected an address and a port as "
			    "10.0.0.9:8085",
			    p->est);
	for (unsigned i = 0; i < p->names_count; i++) {
		snprintf(at, sizeof(at), "pki.names[%u]", i);
		if (!host_name(p->names[i]) &&
		    (!address_prefix(p->names[i], raw, &len) || len != 128))
			check_wrong(k, at,
				    "'%.60s' is no name of a machine; expected one as "
				    "gateway.clinic.example, or an address",
				    p->names[i]);
	}
}

/* An address, a port, a path: the courier reads no files, so it knows no names, and speaks no TLS. */
static bool sms_place(const char *url)
{
	char place[80], ip[ADDRESS_IP_LEN];
	uint16_t port;
	size_t len;

	if (strncmp(url, "http://", 7) != 0 || strpbrk(url, " \"<>#\t\r\n"))
		return false;
	url += 7;
	len = strcspn(url, "/");
	if (len == 0 || len >= sizeof(place))
		return false;
	memcpy(place, url, len);
	place[len] = 0;
	return address_endpoint(place, ip, &port);
}

void check_people(struct checking *k)
{
	const struct config_people *p = &k->c->people;

	check_roles(k, "people", "aal3", p->aal3, p->aal3_count);
	check_roles(k, "people", "certificate", p->certificate, p->certificate_count);
	if (p->certificate_count && !*k->c->console.client_ca)
		check_wrong(k, "people.certificate",
			    "nobody is asked for a certificate; expected console.client_ca, the "
			    "file of "
			    "those who issue them");
	if (*p->sms_url && !sms_place(p->sms_url))
		check_wrong(k, "people.sms_url",
			    "'%.60s' cannot be reached; expected an address and a port as "
			    "http://10.0.0.20:13013/cgi-bin/sendsms",
			    p->sms_url);
}

void check_backup(struct checking *k)
{
	const char *to = k->c->backup.to, *state = k->c->gateway.state_dir;
	size_t len = strlen(state);

	if (!*to)
		return;
	if (*to != '/')
		check_wrong(k, "backup.to",
			    "'%.60s' begins with no /; expected a folder as /mnt/backup", to);
	else if (strncmp(to, state, len) == 0 && (!to[len] || to[len] == '/'))
		check_wrong(
			k, "backup.to",
			"'%.60s' is in state_dir, and would be lost with it; expected a folder of "
			"another disk",
			to);
}

void check_audit(struct checking *k)
{
	const struct config_audit *a = &k->c->audit;
	unsigned len;
	uint8_t ip[16];

	if (!*a->server)
		return;
	/* The exporter reads no files once it is at work, so it knows no names. */
	if (!address_prefix(a->server, ip, &len) || len != 128)
		check_wrong(k, "audit.export.server",
			    "'%.60s' is no address; expected one as 10.0.0.30, and its name in "
			    "audit.export.name",
			    a->server);
	if (!*a->ca)
		check_wrong(k, "audit.export.ca",
			    "missing; expected a file with the certificates of "
			    "those who may vouch for the collector");
	if (!*a->cert != !*a->cert_key)
		check_wrong(k, "audit.export.cert",
			    "cert and cert_key belong together; give both or none");
}

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	while (len > 0 && folder[len - 1] == '/')
		len--;
	return strncmp(path, folder, len) == 0 && (!path[len] || path[len] == '/');
}

void check_updates(struct checking *k)
{
	const struct config_updates *u = &k->c->updates;
	unsigned from, to;
	char at[64];

	for (unsigned i = 0; i < u->mirrors_count; i++) {
		snprintf(at, sizeof(at), "updates.mirrors[%u]", i);
		if (strncmp(u->mirrors[i], "https://", 8) != 0 &&
		    strncmp(u->mirrors[i], "http://", 7) != 0)
			check_wrong(k, at, "'%.60s' is no address of a mirror; expected https://…",
				    u->mirrors[i]);
	}
	for (unsigned i = 0; i < u->window_count; i++) {
		snprintf(at, sizeof(at), "updates.window[%u]", i);
		if (!number_window(u->window[i], &from, &to))
			check_wrong(k, at, "'%.60s' is no span of time; expected 02:00-05:00",
				    u->window[i]);
	}
	if (u->kb_per_second && u->kb_per_second < 16)
		check_wrong(k, "updates.kb_per_second",
			    "%u; expected 0 or 16 and more: what is slower is given up as too slow",
			    u->kb_per_second);
	if (*u->dir != '/' || *u->root != '/')
		check_wrong(k, *u->dir != '/' ? "updates.dir" : "updates.root",
			    "expected an absolute path");
	check_rollouts(k);
	/* Who owns a folder can put another in the place of what is in it. */
	if (is_below(u->dir, k->c->gateway.state_dir))
		check_wrong(
			k, "updates.dir",
			"'%.60s' is inside state_dir, which is not root's alone; expected another "
			"place",
			u->dir);
}

void check_gateway(struct checking *k)
{
	static const char *const captures[] = {"auto", "xdp", "packet", NULL};
	static const char *const holders[] = {"passphrase", "tpm2", "pkcs11",
					      "credential", "file", NULL};
	static const char *const cryptos[] = {"any", "fips", NULL};
	const struct config_gateway *g = &k->c->gateway;

	check_word(k, "gateway.capture", "capture", g->capture, captures, "auto, xdp or packet");
	check_word(k, "gateway.crypto", "crypto", g->crypto, cryptos, "any or fips");
	check_word(k, "gateway.key_holder", "key_holder", g->key_holder, holders,
		   "passphrase, tpm2, pkcs11, credential or file");
	if (strcmp(g->crypto, "fips") == 0 && strcmp(g->key_holder, "passphrase") == 0)
		check_wrong(
			k, "gateway.key_holder",
			"passphrase; with 'crypto: fips' expected another: a passphrase becomes a "
			"key "
			"by Argon2id, which is not approved");
}
