#include "guard/policy/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/conform.h"
#include "guard/policy/message.h"
#include "guard/proto/bacnet_names.h"
#include "guard/proto/dicom_uid.h"
#include "guard/proto/dns_record.h"
#include "guard/proto/mqtt.h"
#include "guard/proto/tls_cipher.h"

static const struct {
	const char *app, *member, *words; /* ", " between them */
} lists[] = {
	{"dicom", "command",
	 "C-STORE-RQ, C-FIND-RQ, C-GET-RQ, C-MOVE-RQ, C-ECHO-RQ, C-CANCEL-RQ, N-EVENT-REPORT-RQ, "
	 "N-GET-RQ, N-SET-RQ, N-ACTION-RQ, N-CREATE-RQ, N-DELETE-RQ, C-STORE-RSP, C-FIND-RSP, "
	 "C-GET-RSP, C-MOVE-RSP, C-ECHO-RSP, N-EVENT-REPORT-RSP, N-GET-RSP, N-SET-RSP, "
	 "N-ACTION-RSP, N-CREATE-RSP, N-DELETE-RSP"},
	{"dicom", "pdu",
	 "A-ASSOCIATE-RQ, A-ASSOCIATE-AC, A-ASSOCIATE-RJ, P-DATA-TF, A-RELEASE-RQ, A-RELEASE-RP, "
	 "A-ABORT"},
	{"mqtt", "packet",
	 "connect, publish, subscribe, unsubscribe, pingreq, disconnect, auth, connack, puback, "
	 "pubrec, pubrel, pubcomp, suback, unsuback, pingresp"},
	{"mqtt", "connect.protocol_version", "3, 4, 5"},
	{"snmp", "version", "1, 2, 3"},
	{"snmp", "pdu_type",
	 "get_request, get_next_request, get_bulk_request, set_request, inform_request, trap_v1, "
	 "trap_v2, encrypted, response, report"},
	{"snmp", "security_level", "noAuthNoPriv, authNoPriv, authPriv"},
	{"tls", "version", "TLS 1.3, TLS 1.2, TLS 1.1, TLSv1, SSLv3, SSLv2"},
	{"dtls", "version", "DTLS 1.3, DTLS 1.2, DTLS 1.0"},
	{"modbus", "function_code",
	 "RdCoils, RdDiscreteInputs, RdHoldRegs, RdInputRegs, WrSingleCoil, WrSingleReg, "
	 "WrMultCoils, WrMultRegs, MaskWrReg, RdWrMultRegs, RdFIFOQueue, RdFileRec, WrFileRec, "
	 "RdExcStatus, Diagnostic, GetCommEventCtr, GetCommEventLog, ReportServerID, MEI, "
	 "Program484, Poll484, ProgramController, PollController, Program884, ResetCommLink, "
	 "Unknown"},
	{"coap", "code_name", "GET, POST, PUT, DELETE, FETCH, PATCH, iPATCH, Unknown, Empty"},
	{"tftp", "packet", "read, write, error"},
	{"astm", "records", "H, P, O, R, C, Q, S, M, L"},
	{"broadcast", "message", "time, discovery, alarm"},
	{"smb", "version", "1, 2"},
	{"smb", "disposition",
	 "FILE_OPEN, FILE_CREATE, FILE_OPEN_IF, FILE_OVERWRITE, FILE_OVERWRITE_IF, FILE_SUPERSEDE"},
	{"hl7", "encoding", "UTF-16, UTF-32, XML"},
	{"dicom", "result", "accepted, rejected-permanent, rejected-transient"},
	{"dicom", "priority", "LOW, MEDIUM, HIGH, unknown"},
	{"dicom", "user_identity", "username, username-and-passcode, kerberos, saml, jwt, unknown"},
	{"modbus", "access_type",
	 "NONE, READ | COILS, READ | DISCRETES, READ | HOLDING, READ | INPUT, WRITE | HOLDING, "
	 "WRITE | COILS | SINGLE | WRITE_SINGLE, WRITE | HOLDING | SINGLE | WRITE_SINGLE, "
	 "WRITE | COILS | MULTIPLE | WRITE_MULTIPLE, WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE, "
	 "READ | WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE"},
	{"ftp", "mode", "active, passive"},
	{"rdp", "offered", "rdp, ssl, hybrid, rdstls, hybrid_ex, rdsaad"},
	{"intellivue", "message",
	 "poll, extended_poll, poll_result, extended_poll_result, get, get_result, set, "
	 "set_result, action, action_result, mds_create, mds_create_result, connect_indication, "
	 "event_report, event_result, error, association_request, association_response, "
	 "association_refuse, release_request, release_response, abort"},
	{"intellivue", "object", "numerics, waves, monitor, patient, alarms, enumerations, other"},
	{"syslog", "severity", "emerg, alert, crit, err, warning, notice, info, debug"},
	{"syslog", "facility",
	 "kern, user, mail, daemon, auth, syslog, lpr, news, uucp, cron, authpriv, ftp, ntp, "
	 "audit, alert, clock, local0, local1, local2, local3, local4, local5, local6, local7"},
	{"ldap", "operation",
	 "bind_request, unbind_request, search_request, modify_request, add_request, del_request, "
	 "mod_dn_request, compare_request, abandon_request, extended_request"},
};

static const char *list_of(const char *app, const char *member)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (!strcmp(lists[i].app, app) && !strcmp(lists[i].member, member))
			return lists[i].words;
	return NULL;
}

static bool is_in(const char *words, const char *pattern)
{
	for (size_t len; *words; words += len + (words[len] ? 2 : 0)) {
		len = strcspn(words, ",");
		if (message_match(pattern, strlen(pattern),
				  (struct bytes){(const uint8_t *)words, len}, 0))
			return true;
	}
	return false;
}

static bool is_of(char class, char c)
{
	bool digit = c >= '0' && c <= '9';

	switch (c == '?' ? 0 : class) {
	case 0:
		return true;
	case 'A':
		return digit || (c >= 'A' && c <= 'Z');
	case 'h':
		return digit || (c >= 'a' && c <= 'f');
	case 'a':
		return digit || (c >= 'a' && c <= 'z');
	case '9':
		return digit;
	default:
		return c == class;
	}
}

/*
 * Does the pattern fit any text of that form: `A` a capital or digit, `a` a small letter or digit, `h`
 * a hexadecimal digit, `9` a digit, `*` at its end whatever follows, else what stands there? The walk is
 * message_match()'s, with the form in the place of the value.
 */
static bool is_like(const char *form, const char *pattern)
{
	const char *star = NULL, *mark = NULL;

	while (*form && *form != '*') {
		if (*pattern == '*') {
			star = ++pattern;
			mark = form;
		} else if (*pattern && is_of(*form, *pattern)) {
			pattern++;
			form++;
		} else if (star) {
			pattern = star;
			form = ++mark;
		} else {
			return false;
		}
	}
	return *form || !pattern[strspn(pattern, "*")];
}

/* Characters that whatever fits the pattern has at least. */
static size_t least(const char *pattern)
{
	size_t n = 0;

	for (; *pattern; pattern++)
		n += *pattern != '*';
	return n;
}

/* HL7 v2 §2.16.9: MSH-9 by its first two components. */
static bool is_message_type(const char *pattern)
{
	return is_like("AAA", pattern) || is_like("AAA^AAA", pattern);
}

/* POCT1-A: a kind of message and which of its forms, as what is a vendor's own; or of a vendor's own kind. */
static bool is_poct_type(const char *pattern)
{
	return is_like("AAA.*", pattern) || (strchr(pattern, '.') && is_like("AAAA*", pattern));
}

/* MQTT §4.7.1: wildcards are for who subscribes. */
static bool is_topic(const char *pattern)
{
	return !strpbrk(pattern, "+#");
}

/* MQTT §4.7.1: + is a level of its own, # the last one. A shared one's group is not asked. */
static bool is_filter(const char *pattern)
{
	if (!strncmp(pattern, "$share/", 7))
		return false;
	for (const char *p = pattern; (p = strpbrk(p, "+#")); p++)
		if ((p > pattern && !strchr("/*?", p[-1])) || (*p == '+' && !strchr("/*?", p[1])) ||
		    (*p == '#' && p[1 + strspn(p + 1, "*")]))
			return false;
	return true;
}

/* RFC 9110 §9.1, RFC 3261 §7.1: a token, of which the case counts. */
static bool is_method(const char *pattern)
{
	return !strpbrk(pattern, "abcdefghijklmnopqrstuvwxyz \t,;:/()<>@[]{}=\\\"");
}

/* Of a host, not where on it, nor the port: one colon is a port's, more are an IPv6 address. */
static bool is_host(const char *pattern)
{
	const char *colon = strchr(pattern, ':');

	return !strpbrk(pattern, "/@ ") && (!colon || strchr(colon + 1, ':'));
}

/* RFC 1035 §3.1, as it is told: without the root's dot. */
static bool is_domain(const char *pattern)
{
	size_t len = strlen(pattern);

	return !strpbrk(pattern, "/:") && (len == 1 || pattern[len - 1] != '.');
}

/* RFC 9112 §3.2: a path; with a host where a proxy is asked. */
static bool is_url(const char *pattern)
{
	return strchr("/*?", *pattern) || strchr(pattern, ':');
}

static bool is_path(const char *pattern)
{
	return strchr("/*?", *pattern);
}

/* RFC 3986 §3 */
static bool is_uri(const char *pattern)
{
	return strpbrk(pattern, ":*?");
}

/* RFC 9110 §8.3.1: what stands behind a type is not told. */
static bool is_media_type(const char *pattern)
{
	return strpbrk(pattern, "/*?") && !strpbrk(pattern, "; ,");
}

/* RFC 959 §5.3.1: of the protocol, where programs have words of their own. */
static bool is_ftp_command(const char *pattern)
{
	return !strpbrk(pattern, " ,/") && strcasecmp(pattern, "get") != 0 &&
	       strcasecmp(pattern, "put") != 0 && strcasecmp(pattern, "ls") != 0;
}

/* RFC 4422 §3.1 */
static bool is_mechanism(const char *pattern)
{
	return !strpbrk(pattern, "abcdefghijklmnopqrstuvwxyz ,");
}

/* RFC 6143 §7.1.1 */
static bool is_three_digits(const char *pattern)
{
	return is_like("999", pattern);
}

/* RFC 4253 §4.2 */
static bool is_ssh_version(const char *pattern)
{
	return !pattern[strspn(pattern, "0123456789.*?")] && strpbrk(pattern, ".*?");
}

static bool is_share(const char *pattern)
{
	return strchr("*?", *pattern) || !strncmp(pattern, "\\\\", 2);
}

/* [MS-FSCC] §2.1.5 */
static bool is_smb_file(const char *pattern)
{
	return !strchr(pattern, '/');
}

/* What SMB 1 offers is free text, which begins with a letter. */
static bool is_dialect(const char *pattern)
{
	return *pattern < '0' || *pattern > '9' ||
	       is_in("2.02, 2.10, 2.??, 3.00, 3.02, 3.11", pattern);
}

/* "SMB2_COMMAND_READ" */
static bool is_smb_command(const char *pattern)
{
	return is_like("SMB1_COMMAND_*", pattern) || is_like("SMB2_COMMAND_*", pattern);
}

static bool is_hash(const char *pattern)
{
	return is_like("hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", pattern);
}

static bool is_ja4(const char *pattern)
{
	return is_like("aaaaaaaaaa_hhhhhhhhhhhh_hhhhhhhhhhhh", pattern);
}

static bool is_fingerprint(const char *pattern)
{
	return is_like("hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh:hh", pattern);
}

static bool is_digits(const char *pattern)
{
	return !pattern[strspn(pattern, "0123456789*?")];
}

static bool is_attribute(const char *pattern)
{
	return is_digits(pattern) || is_in("numeric_priority_list, wave_priority_list", pattern);
}

/* DICOM PS3.5 §9.1 */
static bool is_uid(const char *pattern)
{
	return !pattern[strspn(pattern, "0123456789.*?")] && least(pattern) <= 64;
}

/* DICOM PS3.5 §6.2: blanks around a title mean nothing. */
static bool is_title(const char *pattern)
{
	size_t len = strlen(pattern);

	return *pattern != ' ' && pattern[len - 1] != ' ' && !strchr(pattern, '\\') &&
	       least(pattern) <= 16;
}

static const struct {
	const char *app, *member;
	bool (*fits)(const char *pattern);
	const char *expected;
} shapes[] = {
	{"hl7", "message_type", is_message_type,
	 "type^event in capitals, as ORU^R01, without what stands behind"},
	{"http", "hl7.message_type", is_message_type,
	 "type^event in capitals, as ORU^R01, without what stands behind"},
	{"sdc", "hl7.message_type", is_message_type,
	 "type^event in capitals, as ORU^R01, without what stands behind"},
	{"mqtt", "publish.topic", is_topic,
	 "a topic, in which * is any text; + and # are for who subscribes"},
	{"mqtt", "publish.to_broker", is_topic,
	 "a topic, in which * is any text; + and # are for who subscribes"},
	{"mqtt", "publish.to_client", is_topic,
	 "a topic, in which * is any text; + and # are for who subscribes"},
	{"mqtt", "connect.will.topic", is_topic,
	 "a topic, in which * is any text; + and # are for who subscribes"},
	{"mqtt", "subscribe.topics", is_filter,
	 "a filter: + a whole level, # the last one, no $share/group/"},
	{"http", "http_method", is_method, "capitals, as GET"},
	{"http", "fhir.method", is_method, "capitals, as GET"},
	{"sip", "method", is_method, "capitals, as INVITE"},
	{"sdc", "method", is_method, "capitals, as POST"},
	{"sip", "uri", is_uri, "a URI, as sip:ward@clinic.example"},
	{"sip", "content_type", is_media_type, "a media type alone, as application/sdp"},
	{"http", "http_content_type", is_media_type, "a media type alone, as application/json"},
	{"http", "sop_class_uid", is_uid, "digits and dots, as 1.2.840.10008.1.1"},
	{"http", "hl7.type_by_structure", is_message_type, "type^event in capitals, as ORU^R01"},
	{"sdc", "hl7.type_by_structure", is_message_type, "type^event in capitals, as ORU^R01"},
	{"dicom", "calling_ae", is_title, "a title of at most 16 characters, no blank around them"},
	{"dicom", "called_ae", is_title, "a title of at most 16 characters, no blank around them"},
	{"dicom", "move_destination", is_title,
	 "a title of at most 16 characters, no blank around them"},
	{"dicom", "sop_class_uid", is_uid, "digits and dots, as 1.2.840.10008.1.1"},
	{"dicom", "abstract_syntax_uid", is_uid, "digits and dots, as 1.2.840.10008.1.1"},
	{"dicom", "implementation_class_uid", is_uid, "digits and dots, as 1.2.840.10008.1.1"},
	{"hl7", "type_by_structure", is_message_type, "type^event in capitals, as ORU^R01"},
	{"intellivue", "attribute", is_attribute,
	 "numeric_priority_list, wave_priority_list, or another's number"},
	{"poct1a", "message_type", is_poct_type, "a type with its form, as OBS.R01"},
	{"coap", "uri_host", is_host, "a name alone, as server.clinic.example"},
	{"coap", "uri_path", is_path, "a path from its slash on, as /readings/*"},
	{"coap", "proxy_uri", is_uri, "a URI, as coap://server.clinic.example/*"},
	{"dns", "rrname", is_domain, "a name without a dot at its end, as lis.clinic.example"},
	{"ftp", "command", is_ftp_command,
	 "a command of the protocol: RETR fetches, STOR stores, LIST lists"},
	{"ldap", "mechanism", is_mechanism, "capitals, as GSS-SPNEGO"},
	{"rfb", "server_protocol_version.major", is_three_digits, "three digits, as 003"},
	{"rfb", "server_protocol_version.minor", is_three_digits, "three digits, as 008"},
	{"rfb", "client_protocol_version.major", is_three_digits, "three digits, as 003"},
	{"rfb", "client_protocol_version.minor", is_three_digits, "three digits, as 008"},
	{"ssh", "client.proto_version", is_ssh_version, "a number with its dot, as 2.0"},
	{"ssh", "server.proto_version", is_ssh_version, "a number with its dot, as 2.0"},
	{"tls", "sni", is_host, "a name alone, as server.clinic.example"},
	{"dtls", "sni", is_host, "a name alone, as server.clinic.example"},
	{"http", "hostname", is_host, "a name alone, as server.clinic.example"},
	{"http", "url", is_url, "a path from its slash on, as /results/*"},
	{"http", "fhir.url", is_url, "a path from its slash on, as /fhir/Observation*"},
	{"smb", "share", is_share,
	 "a share behind its server, as \\\\files\\results or *\\results"},
	{"smb", "dialect", is_dialect, "2.02, 2.10, 2.??, 3.00, 3.02, 3.11"},
	{"smb", "named_pipe", is_smb_file, "backslashes, if any"},
	{"smb", "command", is_smb_command, "its full name, as SMB2_COMMAND_READ"},
	{"tls", "fingerprint", is_fingerprint, "SHA-1 in small letters, as 0f:61:..."},
	{"dtls", "fingerprint", is_fingerprint, "SHA-1 in small letters, as 0f:61:..."},
	{"tls", "ja3.hash", is_hash, "32 hexadecimal digits in small letters"},
	{"tls", "ja3s.hash", is_hash, "32 hexadecimal digits in small letters"},
	{"dtls", "ja3.hash", is_hash, "32 hexadecimal digits in small letters"},
	{"dtls", "ja3s.hash", is_hash, "32 hexadecimal digits in small letters"},
	{"tls", "ja4", is_ja4,
	 "three parts in small letters, as t13d1516h2_8daaf6152771_e5627efa2ab1"},
	{"dtls", "ja4", is_ja4,
	 "three parts in small letters, as d13d1516h2_8daaf6152771_e5627efa2ab1"},
	{"ssh", "client.hassh.hash", is_hash, "32 hexadecimal digits in small letters"},
	{"ssh", "server.hassh.hash", is_hash, "32 hexadecimal digits in small letters"},
};

/* Registries: what `n` is called; NULL: nothing is, or it is told by its number. */
static const char *cipher_name(uint32_t n)
{
	return tls_cipher_name((uint16_t)n);
}

static const char *sop_class_name(uint32_t n)
{
	return dicom_uid_name(DICOM_SOP_CLASSES, n);
}

static const char *syntax_name(uint32_t n)
{
	return dicom_uid_name(DICOM_SYNTAXES, n);
}

static const char *rrtype_name(uint32_t n)
{
	char number[12];
	const char *name = dns_type_text((uint16_t)n, number);

	return name == number ? NULL : name;
}

/* Confirmed ones, then those that are not. */
static const char *service_name(uint32_t n)
{
	const struct bacnet_service *s =
		n < 128 ? bacnet_confirmed((uint8_t)n) : bacnet_unconfirmed((uint8_t)(n - 128));

	return s ? s->name : n == 255 ? "unknown" : NULL;
}

static const char *bvlc_name(uint32_t n)
{
	return bacnet_bvlc_name((uint8_t)n);
}

static const char *pdu_name(uint32_t n)
{
	return bacnet_pdu_name((uint8_t)n);
}

/* And what stands for those that have no name. */
static const char *network_name(uint32_t n)
{
	bool controls;

	return n == 256	  ? "proprietary"
	       : n == 257 ? "reserved"
			  : bacnet_network_name((uint8_t)n, &controls);
}

static const char *class_name(uint32_t n)
{
	static const char *const names[] = {"IN", "CH", "HS", "NONE", "ANY"};

	return names[n];
}

static const struct {
	const char *app, *member;
	const char *(*name)(uint32_t n);
	uint32_t end;
	const char *number; /* what begins it where there is no name; NULL: no such */
	const char *expected;
} registries[] = {
	{"tls", "cipher", cipher_name, 0x10000, "0x", "a name, as TLS_AES_128_GCM_SHA256"},
	{"dtls", "cipher", cipher_name, 0x10000, "0x", "a name, as TLS_AES_128_GCM_SHA256"},
	{"dicom", "sop_class", sop_class_name, DICOM_SOP_CLASS_MAX + 1, "",
	 "the standard's name, as CT Image Storage"},
	{"dicom", "abstract_syntax", sop_class_name, DICOM_SOP_CLASS_MAX + 1, "",
	 "the standard's name, as CT Image Storage"},
	{"dicom", "transfer_syntax", syntax_name, DICOM_SYNTAX_MAX + 1, "",
	 "the standard's name, as Explicit VR Little Endian"},
	{"dns", "rrtype", rrtype_name, 0x10000, "TYPE", "capitals, as AAAA"},
	{"dns", "rrclass", class_name, 5, "CLASS", "IN, CH, HS, NONE, ANY"},
	{"http", "sop_class", sop_class_name, DICOM_SOP_CLASS_MAX + 1, "",
	 "the standard's name, as CT Image Storage"},
	{"bacnet", "network_message", network_name, 258, NULL,
	 "a name, as Who-Is-Router-To-Network"},
	{"bacnet", "service", service_name, 256, NULL, "a name, as readProperty"},
	{"bacnet", "bvlc", bvlc_name, 256, NULL, "a name, as Original-Unicast-NPDU"},
	{"bacnet", "pdu_type", pdu_name, 256, NULL, "a name, as confirmed_request"},
	{"bacnet", "object_type", bacnet_object_name, 1024, "", "a name, as analog-input"},
	{"bacnet", "property", bacnet_property_name, 512, "", "a name, as present-value"},
};

static bool is_registered(size_t i, const char *pattern)
{
	const char *number = registries[i].number, *name;
	size_t len = number ? strlen(number) : 0;

	/* Hexadecimal behind 0x; a UID has dots. */
	if (number && !strncmp(pattern, number, len) &&
	    !pattern[len + strspn(pattern + len,
				  number[0] == '0' ? "0123456789abcdef*?" : "0123456789.*?")])
		return true;
	for (uint32_t n = 0; n < registries[i].end; n++)
		if ((name = registries[i].name(n)) &&
		    message_match(pattern, strlen(pattern),
				  (struct bytes){(const uint8_t *)name, strlen(name)}, 0))
			return true;
	return false;
}

static bool is_number(const struct proto_field *f)
{
	return f->type >= FIELD_U8 && f->type <= FIELD_U64;
}

/* What a number of that many bits can be: without zeros ahead, and no larger. */
static bool is_number_of(unsigned bits, const char *pattern)
{
	char *end;
	unsigned long long n;

	if (!is_digits(pattern) || (*pattern == '0' && pattern[1] >= '0' && pattern[1] <= '9'))
		return false;
	n = strtoull(pattern, &end, 10);
	return *end || bits == 64 || !(n >> bits);
}

const char *vocabulary_misses(const struct proto *p, const struct proto_field *f,
			      const char *pattern)
{
	/* By enum field_type, from FIELD_U8 on. */
	static const char *const numbers[] = {
		"a number up to 255; * is any text", "a number up to 65535; * is any text",
		"a number up to 4294967295; * is any text", "a number; * is any text"};
	const char *words = f->type == FIELD_BOOL ? "yes, no" : list_of(p->name, f->name);

	if (!*pattern)
		return NULL; /* who leaves it out, or what cannot be read */
	if (words)
		return is_in(words, pattern) ? NULL : words;
	if (is_number(f))
		return is_number_of(8u << (f->type - FIELD_U8), pattern)
			       ? NULL
			       : numbers[f->type - FIELD_U8];
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (!strcmp(shapes[i].app, p->name) && !strcmp(shapes[i].member, f->name))
			return shapes[i].fits(pattern) ? NULL : shapes[i].expected;
	for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]); i++)
		if (!strcmp(registries[i].app, p->name) && !strcmp(registries[i].member, f->name))
			return is_registered(i, pattern) ? NULL : registries[i].expected;
	return NULL;
}

void vocabulary_near(const struct proto *p, const struct proto_field *f, const char *pattern,
		     char ret_word[64])
{
	struct nearest near = {.text = pattern};

	*ret_word = 0;
	for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]); i++)
		for (uint32_t n = 0;
		     !strcmp(registries[i].app, p->name) &&
		     !strcmp(registries[i].member, f->name) && n < registries[i].end;
		     n++) {
			const char *name = registries[i].name(n);

			if (name)
				nearest_offer(&near, name);
		}
	if (near.best)
		snprintf(ret_word, 64, "%s", near.best);
}

/* doc/messages.md, of what is told by one member alone. */
static const struct {
	const char *app, *member, *words;
} changing[] = {
	{"hl7", "message_type", "RGV, EAC, TCU, MFN"},
	{"dicom", "command", "C-MOVE-RQ, N-SET-RQ, N-ACTION-RQ, N-CREATE-RQ, N-DELETE-RQ"},
	{"snmp", "pdu_type", "set_request"},
	{"modbus", "function_code",
	 "WrSingleCoil, WrSingleReg, WrMultCoils, WrMultRegs, MaskWrReg, RdWrMultRegs, WrFileRec"},
	{"coap", "code_name", "POST, PUT, DELETE, PATCH, iPATCH"},
	{"http", "http_method", "POST, PUT, DELETE, PATCH"},
	{"ftp", "command", "STOR, STOU, APPE, DELE, RNFR, RNTO, MKD, RMD"},
	{"tftp", "packet", "write"},
	{"intellivue", "message", "set, action"},
	{"ldap", "operation", "modify_request, add_request, del_request, mod_dn_request"},
	{"bacnet", "service", "writeProperty, writePropertyMultiple, createObject, deleteObject"},
	{"poct1a", "message_type", "DTV, OPL, PTL"},
	{"sdc", "action",
	 "SetValue, SetString, SetContextState, SetMetricState, SetComponentState, SetAlertState, "
	 "Activate"},
};

static bool is_word(const char *words, const char *text, size_t text_len)
{
	for (size_t len; *words; words += len + (words[len] ? 2 : 0)) {
		len = strcspn(words, ",");
		if (len == text_len && !memcmp(words, text, len))
			return true;
	}
	return false;
}

bool vocabulary_is_control(const char *app, const char *member, const char *pattern)
{
	bool coded = !strcmp(app, "hl7") || !strcmp(app, "poct1a"); /* by a code and its triggers */
	size_t len = coded ? 3 : strlen(pattern);

	if (!strcmp(app, "mqtt") &&
	    (!strncmp(member, "publish.", 8) || !strcmp(member, "connect.will.topic")))
		return !strpbrk(pattern, "*?") &&
		       mqtt_topic_commands(
			       (struct bytes){(const uint8_t *)pattern, strlen(pattern)});
	for (size_t i = 0; i < sizeof(changing) / sizeof(changing[0]); i++)
		if (!strcmp(changing[i].app, app) && !strcmp(changing[i].member, member))
			return strnlen(pattern, len) == len &&
			       is_word(changing[i].words, pattern, len);
	return false;
}

bool vocabulary_is_foreign(const char *message_type)
{
	static const char codes[] =
		"ACK, ADR, ADT, BAR, BPS, BRP, BRT, BTS, CCF, CCI, CCM, CCQ, CCR, CCU, CNQ, CQU, "
		"CRM, CSU, DBC, DBU, DDR, DEL, DER, DFT, DOC, DPR, DRC, DRG, DSR, EAC, EAN, EAR, "
		"EDR, EHC, EQQ, ERP, ERQ, ESR, ESU, INR, INU, LSR, LSU, MCF, MDM, MFD, MFK, MFN, "
		"MFQ, MFR, NMD, NMQ, NMR, OMB, OMD, OMG, OMI, OML, OMN, OMP, OMQ, OMS, OPL, OPR, "
		"OPU, ORA, ORB, ORD, ORF, ORG, ORI, ORL, ORM, ORN, ORP, ORR, ORS, ORU, ORX, OSM, "
		"OSQ, OSR, OSU, OUL, PEX, PGL, PIN, PMU, PPG, PPP, PPR, PPT, PPV, PRR, PTR, QBP, "
		"QCK, QCN, QRD, QRF, QRY, QSB, QSX, QVR, RAR, RAS, RCI, RCL, RDE, RDO, RDR, RDS, "
		"RDY, REF, RER, RGR, RGV, ROR, RPA, RPI, RPL, RPR, RQA, RQC, RQI, RQP, RQQ, RRA, "
		"RRD, RRE, RRG, RRI, RRO, RSP, RTB, SCN, SDN, SDR, SIU, SLN, SLR, SMD, SPQ, SQM, "
		"SQR, SRM, SRR, SSR, SSU, STC, STF, STI, SUR, TBR, TCR, TCU, UDM, VQQ, VTQ, VXQ, "
		"VXR, VXU, VXX";
	size_t code = strcspn(message_type, "^");

	return code == 3 && !strpbrk(message_type, "*?") && *message_type != 'Z' &&
	       !is_word(codes, message_type, code);
}
