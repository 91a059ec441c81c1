#include "guard/policy/vocabulary.h"

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

static bool is_letters(const char *text)
{
	for (int i = 0; i < 3; i++)
		if (!((text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= '0' && text[i] <= '9')))
			return false;
	return true;
}

/* HL7 v2 §2.16.9: MSH-9 by its first two components; what holds `*` or `?` may be any. */
static bool is_message_type(const char *pattern)
{
	size_t len = strlen(pattern);

	if (!len || strpbrk(pattern, "*?"))
		return true;
	return (len == 3 || (len == 7 && pattern[3] == '^' && is_letters(pattern + 4))) &&
	       is_letters(pattern);
}

/* POCT1-A: a kind of message and which of its forms, as what is a vendor's own. */
static bool is_poct_type(const char *pattern)
{
	return strpbrk(pattern, "*?") || (is_letters(pattern) && pattern[3] == '.');
}

/* LIS2-A2 §6 */
static bool is_record(const char *pattern)
{
	return strpbrk(pattern, "*?") || strlen(pattern) == 1;
}

/* MQTT §4.7.1: wildcards are for who subscribes. */
static bool is_topic(const char *pattern)
{
	return !strpbrk(pattern, "+#");
}

/* RFC 9110 §9.1, RFC 3261 §7.1: the case counts. */
static bool is_method(const char *pattern)
{
	return !strpbrk(pattern, "abcdefghijklmnopqrstuvwxyz ");
}

/* Of a host, not where on it. */
static bool is_host(const char *pattern)
{
	return !strpbrk(pattern, "/ ");
}

/* RFC 9112 §3.2: a path; with a host where a proxy is asked. */
static bool is_url(const char *pattern)
{
	return strchr("/*?", *pattern) || strchr(pattern, ':');
}

static bool is_share(const char *pattern)
{
	return strchr("*?", *pattern) || !strncmp(pattern, "\\\\", 2);
}

/* "SMB2_COMMAND_READ" */
static bool is_smb_command(const char *pattern)
{
	size_t literal = strcspn(pattern, "*?");

	return !strncmp(pattern, "SMB1_COMMAND_", literal < 13 ? literal : 13) ||
	       !strncmp(pattern, "SMB2_COMMAND_", literal < 13 ? literal : 13);
}

static bool is_hash(const char *pattern)
{
	return strpbrk(pattern, "*?") ||
	       (strlen(pattern) == 32 && !pattern[strspn(pattern, "0123456789abcdef")]);
}

static bool is_fingerprint(const char *pattern)
{
	return strpbrk(pattern, "*?") ||
	       (strlen(pattern) == 59 && !pattern[strspn(pattern, "0123456789abcdef:")]);
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
	return !pattern[strspn(pattern, "0123456789.*?")];
}

/* DICOM PS3.5 §6.2: blanks around a title mean nothing. */
static bool is_title(const char *pattern)
{
	size_t len = strlen(pattern);

	return !len ||
	       (*pattern != ' ' && pattern[len - 1] != ' ' && (len <= 16 || strchr(pattern, '*')));
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
	{"http", "http_method", is_method, "capitals, as GET"},
	{"http", "fhir.method", is_method, "capitals, as GET"},
	{"sip", "method", is_method, "capitals, as INVITE"},
	{"dicom", "calling_ae", is_title, "at most 16 characters, no blank around them"},
	{"dicom", "called_ae", is_title, "at most 16 characters, no blank around them"},
	{"dicom", "move_destination", is_title, "at most 16 characters, no blank around them"},
	{"dicom", "sop_class_uid", is_uid, "digits and dots, as 1.2.840.10008.1.1"},
	{"dicom", "abstract_syntax_uid", is_uid, "digits and dots, as 1.2.840.10008.1.1"},
	{"dicom", "implementation_class_uid", is_uid, "digits and dots, as 1.2.840.10008.1.1"},
	{"hl7", "type_by_structure", is_message_type, "type^event in capitals, as ORU^R01"},
	{"intellivue", "attribute", is_attribute,
	 "numeric_priority_list, wave_priority_list, or another's number"},
	{"poct1a", "message_type", is_poct_type, "a type with its form, as OBS.R01"},
	{"astm", "records", is_record, "the letter that a record begins with, as R"},
	{"tls", "sni", is_host, "a name alone, as server.clinic.example"},
	{"dtls", "sni", is_host, "a name alone, as server.clinic.example"},
	{"http", "hostname", is_host, "a name alone, as server.clinic.example"},
	{"http", "url", is_url, "a path from its slash on, as /results/*"},
	{"http", "fhir.url", is_url, "a path from its slash on, as /fhir/Observation*"},
	{"smb", "share", is_share,
	 "a share behind its server, as \\\\files\\results or *\\results"},
	{"smb", "command", is_smb_command, "its full name, as SMB2_COMMAND_READ"},
	{"tls", "fingerprint", is_fingerprint, "SHA-1 in small letters, as 0f:61:..."},
	{"dtls", "fingerprint", is_fingerprint, "SHA-1 in small letters, as 0f:61:..."},
	{"tls", "ja3.hash", is_hash, "32 hexadecimal digits in small letters"},
	{"tls", "ja3s.hash", is_hash, "32 hexadecimal digits in small letters"},
	{"dtls", "ja3.hash", is_hash, "32 hexadecimal digits in small letters"},
	{"dtls", "ja3s.hash", is_hash, "32 hexadecimal digits in small letters"},
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

	if (number && !strncmp(pattern, number, len) &&
	    !pattern[len + strspn(pattern + len, "0123456789abcdef.*?")])
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

const char *vocabulary_misses(const struct proto *p, const struct proto_field *f,
			      const char *pattern)
{
	const char *words = f->type == FIELD_BOOL ? "yes, no" : list_of(p->name, f->name);

	if (!*pattern)
		return NULL; /* who leaves it out, or what cannot be read */
	if (words)
		return is_in(words, pattern) ? NULL : words;
	if (is_number(f))
		return is_digits(pattern) ? NULL : "a number; * is any text";
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (!strcmp(shapes[i].app, p->name) && !strcmp(shapes[i].member, f->name))
			return shapes[i].fits(pattern) ? NULL : shapes[i].expected;
	for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]); i++)
		if (!strcmp(registries[i].app, p->name) && !strcmp(registries[i].member, f->name))
			return is_registered(i, pattern) ? NULL : registries[i].expected;
	return NULL;
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
