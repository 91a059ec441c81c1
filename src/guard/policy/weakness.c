#include "guard/policy/weakness.h"

#include "guard/proto/database.h"
#include "guard/proto/ftp.h"
#include "guard/proto/http.h"
#include "guard/proto/ldap.h"
#include "guard/proto/mail.h"
#include "guard/proto/mqtt.h"
#include "guard/proto/print.h"
#include "guard/proto/rdp.h"
#include "guard/proto/rfb.h"
#include "guard/proto/sdc.h"
#include "guard/proto/smb.h"
#include "guard/proto/snmp.h"
#include "guard/proto/telnet.h"
#include "guard/proto/tls.h"

#include <string.h>
#include <strings.h>

#define SEAL_IT "Let the gateways carry it sealed until the maker encrypts it."

static const struct {
	const char *name;
	enum reason reason;
	const char *advice;
} weaknesses[WEAKNESS_COUNT] = {
	[WEAKNESS_TELNET] = {"telnet", REASON_CLEARTEXT_TELNET,
			     "Have Telnet turned off and SSH used; until then allow it for "
			     "maintenance desks alone."},
	[WEAKNESS_FTP] = {"ftp", REASON_CLEARTEXT_FTP, "Have files sent by SFTP or FTPS. " SEAL_IT},
	[WEAKNESS_TFTP] = {"tftp", REASON_CLEARTEXT_TFTP,
			   "Allow it to the one server that holds firmware, and only while it is "
			   "needed."},
	[WEAKNESS_HTTP] = {"http", REASON_CLEARTEXT_HTTP, "Have HTTPS turned on. " SEAL_IT},
	[WEAKNESS_PASSWORD] =
		{"password in clear text", REASON_CLEARTEXT_PASSWORD,
		 "Have encryption (TLS) turned on, then change the password: it must be taken "
		 "for known."},
	[WEAKNESS_VNC] = {"vnc", REASON_CLEARTEXT_VNC,
			  "Allow it for one person at a time, by a grant; have encryption turned "
			  "on."},
	[WEAKNESS_NO_PASSWORD] = {"no password asked for", REASON_LOGIN_NONE,
				  "Have a password set, or the service turned off."},
	[WEAKNESS_RDP] = {"old rdp", REASON_CLEARTEXT_RDP,
			  "Have network level authentication required for remote desktops."},
	[WEAKNESS_SMB1] = {"smb 1", REASON_CLEARTEXT_SMB1,
			   "Have version 1 of Windows file sharing turned off; until then allow it "
			   "to one server alone."},
	[WEAKNESS_SNMP] = {"snmp 1 or 2", REASON_CLEARTEXT_SNMP,
			   "Have SNMP version 3 with privacy used."},
	[WEAKNESS_COMMUNITY] = {"default snmp community", REASON_LOGIN_COMMUNITY,
				"Have the community string changed, or SNMP turned off."},
	[WEAKNESS_LOG] = {"syslog", REASON_CLEARTEXT_SYSLOG,
			  "Have logs sent by TLS (RFC 5425). " SEAL_IT},
	[WEAKNESS_CALL] = {"sip", REASON_CLEARTEXT_SIP,
			   "Have calls made over TLS and SRTP. " SEAL_IT},
	[WEAKNESS_MEDICAL] = {"medical data in clear text", REASON_CLEARTEXT_MEDICAL, SEAL_IT},
	[WEAKNESS_IOT] = {"mqtt or coap in clear text", REASON_CLEARTEXT_IOT,
			  "Have MQTT over TLS, or CoAP over DTLS, turned on. " SEAL_IT},
	[WEAKNESS_DEFAULT_LOGIN] = {"default login", REASON_LOGIN_DEFAULT,
				    "Change the password today: it is in every list of passwords."},
	[WEAKNESS_OLD_TLS] = {"tls below 1.2", REASON_TLS_OLD_VERSION,
			      "Ask the maker for an update that speaks TLS 1.2 or later."},
	[WEAKNESS_EXPIRED] = {"expired certificate", REASON_TLS_EXPIRED,
			      "Have the certificate renewed, and check the machine's clock."},
	[WEAKNESS_SELF_SIGNED] = {"self-signed certificate", REASON_TLS_SELF_SIGNED,
				  "Give the machine a certificate of the clinic's own authority."},
	[WEAKNESS_PEER_CERTIFICATE] =
		{"server without a valid certificate", REASON_TLS_PEER,
		 "Have the server's certificate renewed, or replaced by one of "
		 "the clinic's own authority, and checked by this machine."},
	[WEAKNESS_CONTROL] = {"modbus or bacnet", REASON_CLEARTEXT_CONTROL,
			      "Allow it to the one machine that needs it, reading alone (`control: "
			      "no`) where that is enough. " SEAL_IT},
	[WEAKNESS_SMB] = {"files in clear text", REASON_CLEARTEXT_SMB,
			  "Have the server of the share insist on encryption (SMB 3). " SEAL_IT},
	[WEAKNESS_EARLY] = {"certificate not valid yet", REASON_TLS_EARLY,
			    "Check the clocks of the machine, of who issued the certificate and of "
			    "this gateway; have it issued anew."},
	[WEAKNESS_SNMP3_CLEAR] =
		{"snmp 3 without encryption", REASON_CLEARTEXT_SNMP3,
		 "Have the user of SNMP version 3 required to encrypt (authPriv)."},
	[WEAKNESS_MAIL] = {"mail in clear text", REASON_CLEARTEXT_MAIL,
			   "Have mail sent and fetched by TLS (STARTTLS, or ports 465, 993 and "
			   "995). " SEAL_IT},
	[WEAKNESS_DIRECTORY] = {"ldap in clear text", REASON_CLEARTEXT_LDAP,
				"Have the directory asked by TLS (LDAPS or StartTLS). " SEAL_IT},
	[WEAKNESS_DATABASE] = {"database in clear text", REASON_CLEARTEXT_DATABASE,
			       "Have the database insist on TLS. " SEAL_IT},
	[WEAKNESS_PRINT] = {"print jobs in clear text", REASON_CLEARTEXT_PRINT,
			    "Have jobs sent by IPP over TLS (IPPS). " SEAL_IT},
	[WEAKNESS_NFS] = {"nfs in clear text", REASON_CLEARTEXT_NFS,
			  "Have NFS 4 with Kerberos used (krb5p). " SEAL_IT},
	[WEAKNESS_VIDEO] = {"video in clear text", REASON_CLEARTEXT_VIDEO,
			    "Have the camera send by RTSPS, or WebRTC. " SEAL_IT},
};

static bool always(const struct msg *m)
{
	return true;
}

/* Let in by it: what was tried and refused shows no more than who tries. */
/* What is said ahead of a login may lead to TLS (RFC 4217 §12). */
static bool ftp_clear(const struct msg *m)
{
	const struct ftp_msg *f = (const struct ftp_msg *)m;

	return f->login || f->dynamic_port;
}

static bool ftp_login(const struct msg *m)
{
	return m->answer && ((const struct ftp_msg *)m)->default_login;
}

static bool ftp_open(const struct msg *m)
{
	return ((const struct ftp_msg *)m)->no_password;
}

static bool telnet_login(const struct msg *m)
{
	return m->answer && ((const struct telnet_msg *)m)->default_login;
}

static bool telnet_open(const struct msg *m)
{
	return ((const struct telnet_msg *)m)->no_password;
}

static bool http_login(const struct msg *m)
{
	return m->answer && ((const struct http_msg *)m)->default_login;
}

static bool mqtt_login(const struct msg *m)
{
	return m->answer && ((const struct mqtt *)m)->default_login;
}

static bool mqtt_password(const struct msg *m)
{
	return ((const struct mqtt *)m)->has_password;
}

/* RFC 7617: whoever reads along has it. */
static bool http_password(const struct msg *m)
{
	const struct http_msg *h = (const struct http_msg *)m;

	return h->auth.len == 5 && !strncasecmp((const char *)h->auth.data, "Basic", 5);
}

/* Once it is known how: VeNCrypt (19) may be either. */
static bool vnc_clear(const struct msg *m)
{
	const struct rfb_msg *v = (const struct rfb_msg *)m;

	return v->security && !v->encrypted && (v->security != 19 || v->subtype);
}

static bool vnc_plain(const struct msg *m)
{
	return ((const struct rfb_msg *)m)->subtype == 256;
}

static bool vnc_open(const struct msg *m)
{
	const struct rfb_msg *v = (const struct rfb_msg *)m;

	return v->no_password && m->answer; /* it let somebody in */
}

static bool rdp_old(const struct msg *m)
{
	const struct rdp_msg *d = (const struct rdp_msg *)m;

	return d->protocol && !strcmp(d->protocol, "rdp");
}

/* A client that offers version 1 among others does not speak it yet. */
static bool smb1_spoken(const struct msg *m)
{
	return m->answer && ((const struct smb_msg *)m)->version == 1;
}

static bool snmp_old(const struct msg *m)
{
	return ((const struct snmp *)m)->version < 3;
}

/* Everybody asks once without, to learn whom he speaks to, and refusals come without. */
static bool snmp3_clear(const struct msg *m)
{
	const struct snmp *s = (const struct snmp *)m;

	return s->version == 3 && s->usm.len && s->pdu_type && !strcmp(s->pdu_type, "response") &&
	       s->security_level && strcmp(s->security_level, "authPriv") != 0;
}

/* Asked with it and answered: who answers takes it. */
static bool snmp_community(const struct msg *m)
{
	return m->answer && ((const struct snmp *)m)->default_community;
}

static bool tls_old(const struct msg *m)
{
	static const char *const good[] = {"TLS 1.2", "TLS 1.3", "DTLS 1.2", "DTLS 1.3"};
	const struct tls_msg *t = (const struct tls_msg *)m;

	if (!t->version || strcmp(t->type, "server_hello") != 0)
		return false;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!strcmp(t->version, good[i]))
			return false;
	return true;
}

static bool tls_expired(const struct msg *m)
{
	return ((const struct tls_msg *)m)->expired;
}

static bool tls_early(const struct msg *m)
{
	return ((const struct tls_msg *)m)->early;
}

static bool tls_self_signed(const struct msg *m)
{
	return ((const struct tls_msg *)m)->self_signed;
}

static bool tls_untrusted(const struct msg *m)
{
	const struct tls_msg *t = (const struct tls_msg *)m;

	return (t->expired || t->early || t->self_signed) && !strcmp(t->type, "server_hello");
}

/* Of a share or a file, and not sealed: lists of shares and logins alone are no files. */
static bool smb_file(const struct msg *m)
{
	const struct smb_msg *s = (const struct smb_msg *)m;

	return s->version == 2 && !s->encrypted && s->filename.len;
}

static bool mail_clear(const struct msg *m)
{
	return ((const struct mail_msg *)m)->unencrypted;
}

static bool mail_password(const struct msg *m)
{
	const struct mail_msg *l = (const struct mail_msg *)m;

	return l->login && !strcmp(l->login, "password");
}

static bool mail_login(const struct msg *m)
{
	return ((const struct mail_msg *)m)->default_login;
}

static bool ldap_clear(const struct msg *m)
{
	return ((const struct ldap_msg *)m)->unencrypted;
}

static bool ldap_password(const struct msg *m)
{
	const struct ldap_msg *l = (const struct ldap_msg *)m;

	return l->login && !strcmp(l->login, "password");
}

static bool ldap_login(const struct msg *m)
{
	return ((const struct ldap_msg *)m)->default_login;
}

static bool ldap_open(const struct msg *m)
{
	return ((const struct ldap_msg *)m)->no_password;
}

static bool database_clear(const struct msg *m)
{
	return ((const struct database_msg *)m)->unencrypted;
}

static bool database_password(const struct msg *m)
{
	const struct database_msg *d = (const struct database_msg *)m;

	return d->login && !strcmp(d->login, "password");
}

static bool database_open(const struct msg *m)
{
	return ((const struct database_msg *)m)->no_password;
}

static bool print_job(const struct msg *m)
{
	return ((const struct print_msg *)m)->unencrypted;
}

/* IPP, RFC 8010 §4. */
static bool http_print(const struct msg *m)
{
	static const char ipp[] = "application/ipp";
	const struct http_msg *h = (const struct http_msg *)m;

	return h->content_type.len == sizeof(ipp) - 1 &&
	       !strncasecmp((const char *)h->content_type.data, ipp, sizeof(ipp) - 1);
}

/* Printers, cameras and desks speak SOAP as well; of patients the services of IEEE 11073-20701 alone do. */
static bool soap_medical(const struct msg *m)
{
	static const char ours[] = "http://standards.ieee.org/downloads/11073/";
	const struct sdc *s = (const struct sdc *)m;

	return s->action_uri.len >= sizeof(ours) - 1 &&
	       !memcmp(s->action_uri.data, ours, sizeof(ours) - 1);
}

/* A datagram of discovery only says who is there. */
static bool soap_http(const struct msg *m)
{
	const struct sdc *s = (const struct sdc *)m;

	return (s->method.len || s->status) && !soap_medical(m);
}

enum whose { BY = 1, TO = 2, BOTH = 3 };

static const struct {
	const char *proto;
	bool (*shows)(const struct msg *m);
	uint8_t weakness, whose;
} rules[] = {
	{"telnet", always, WEAKNESS_TELNET, BOTH},
	{"telnet", telnet_login, WEAKNESS_DEFAULT_LOGIN, BY},
	{"telnet", telnet_open, WEAKNESS_NO_PASSWORD, TO},
	{"ftp", ftp_clear, WEAKNESS_FTP, BOTH},
	{"ftp", ftp_login, WEAKNESS_DEFAULT_LOGIN, BY},
	{"ftp", ftp_open, WEAKNESS_NO_PASSWORD, BY},
	{"tftp", always, WEAKNESS_TFTP, BOTH},
	{"http", always, WEAKNESS_HTTP, BOTH},
	{"http", http_password, WEAKNESS_PASSWORD, BOTH},
	{"http", http_login, WEAKNESS_DEFAULT_LOGIN, BY},
	{"sdc", soap_medical, WEAKNESS_MEDICAL, BOTH},
	{"sdc", soap_http, WEAKNESS_HTTP, BOTH},
	{"rfb", vnc_clear, WEAKNESS_VNC, BOTH},
	{"rfb", vnc_plain, WEAKNESS_PASSWORD, BOTH},
	{"rfb", vnc_open, WEAKNESS_NO_PASSWORD, BY},
	{"rdp", rdp_old, WEAKNESS_RDP, BOTH},
	{"smb", smb1_spoken, WEAKNESS_SMB1, BOTH},
	{"smb", smb_file, WEAKNESS_SMB, BOTH},
	{"snmp", snmp_old, WEAKNESS_SNMP, BOTH},
	{"snmp", snmp3_clear, WEAKNESS_SNMP3_CLEAR, BOTH},
	{"snmp", snmp_community, WEAKNESS_COMMUNITY, BY},
	{"syslog", always, WEAKNESS_LOG, BY},
	{"sip", always, WEAKNESS_CALL, BOTH},
	{"hl7", always, WEAKNESS_MEDICAL, BOTH},
	{"dicom", always, WEAKNESS_MEDICAL, BOTH},
	{"astm", always, WEAKNESS_MEDICAL, BOTH},
	{"poct1a", always, WEAKNESS_MEDICAL, BOTH},
	{"intellivue", always, WEAKNESS_MEDICAL, BOTH},
	{"broadcast", always, WEAKNESS_MEDICAL, BY},
	{"mqtt", always, WEAKNESS_IOT, BOTH},
	{"mqtt", mqtt_password, WEAKNESS_PASSWORD, BOTH},
	{"mqtt", mqtt_login, WEAKNESS_DEFAULT_LOGIN, BY},
	{"coap", always, WEAKNESS_IOT, BOTH},
	{"modbus", always, WEAKNESS_CONTROL, BOTH},
	{"bacnet", always, WEAKNESS_CONTROL, BOTH},
	{"smtp", mail_clear, WEAKNESS_MAIL, BOTH},
	{"smtp", mail_password, WEAKNESS_PASSWORD, BOTH},
	{"smtp", mail_login, WEAKNESS_DEFAULT_LOGIN, BY},
	{"pop3", mail_clear, WEAKNESS_MAIL, BOTH},
	{"pop3", mail_password, WEAKNESS_PASSWORD, BOTH},
	{"pop3", mail_login, WEAKNESS_DEFAULT_LOGIN, BY},
	{"imap", mail_clear, WEAKNESS_MAIL, BOTH},
	{"imap", mail_password, WEAKNESS_PASSWORD, BOTH},
	{"imap", mail_login, WEAKNESS_DEFAULT_LOGIN, BY},
	{"ldap", ldap_clear, WEAKNESS_DIRECTORY, BOTH},
	{"ldap", ldap_password, WEAKNESS_PASSWORD, BOTH},
	{"ldap", ldap_login, WEAKNESS_DEFAULT_LOGIN, BY},
	{"ldap", ldap_open, WEAKNESS_NO_PASSWORD, BY},
	{"pgsql", database_clear, WEAKNESS_DATABASE, BOTH},
	{"pgsql", database_password, WEAKNESS_PASSWORD, BOTH},
	{"mysql", database_clear, WEAKNESS_DATABASE, BOTH},
	{"mysql", database_password, WEAKNESS_PASSWORD, BOTH},
	{"tds", database_clear, WEAKNESS_DATABASE, BOTH},
	{"tds", database_password, WEAKNESS_PASSWORD, BOTH},
	{"pgsql", database_open, WEAKNESS_NO_PASSWORD, BY},
	{"print", print_job, WEAKNESS_PRINT, BOTH},
	{"http", http_print, WEAKNESS_PRINT, BOTH},
	{"tls", tls_old, WEAKNESS_OLD_TLS, BOTH},
	{"tls", tls_expired, WEAKNESS_EXPIRED, BY},
	{"tls", tls_early, WEAKNESS_EARLY, BY},
	{"tls", tls_self_signed, WEAKNESS_SELF_SIGNED, BY},
	{"tls", tls_untrusted, WEAKNESS_PEER_CERTIFICATE, TO},
	{"dtls", tls_old, WEAKNESS_OLD_TLS, BOTH},
	{"dtls", tls_expired, WEAKNESS_EXPIRED, BY},
	{"dtls", tls_early, WEAKNESS_EARLY, BY},
	{"dtls", tls_self_signed, WEAKNESS_SELF_SIGNED, BY},
	{"dtls", tls_untrusted, WEAKNESS_PEER_CERTIFICATE, TO},
};

struct weaknesses weaknesses_of(const struct proto *p, const struct msg *m)
{
	struct weaknesses w = {0, 0};

	/* What breaks its protocol may not be of that protocol. */
	if (m->reason != REASON_NONE)
		return w;
	for (unsigned i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		weakness_set bit = 1u << rules[i].weakness;

		if (strcmp(rules[i].proto, p->name) != 0 || !rules[i].shows(m))
			continue;
		w.by |= rules[i].whose & BY ? bit : 0;
		w.to |= rules[i].whose & TO ? bit : 0;
	}
	return w;
}

weakness_set weaknesses_of_app(const char *app)
{
	static const struct {
		const char *app;
		uint8_t weakness;
	} apps[] = {
		{"nfs", WEAKNESS_NFS},	       {"rtsp", WEAKNESS_VIDEO},
		{"oracle", WEAKNESS_DATABASE}, {"mongodb", WEAKNESS_DATABASE},
		{"redis", WEAKNESS_DATABASE},  {"memcached", WEAKNESS_DATABASE},
	};

	for (unsigned i = 0; i < sizeof(apps) / sizeof(apps[0]); i++)
		if (!strcmp(apps[i].app, app))
			return 1u << apps[i].weakness;
	return 0;
}

const char *weakness_name(enum weakness w)
{
	return weaknesses[w].name;
}

enum reason weakness_reason(enum weakness w)
{
	return weaknesses[w].reason;
}

const char *weakness_advice(enum weakness w)
{
	return weaknesses[w].advice;
}
