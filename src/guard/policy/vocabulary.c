#include "guard/policy/vocabulary.h"

#include "guard/policy/message.h"

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
	{"mqtt", "publish.topic", is_topic,
	 "a topic, in which * is any text; + and # are for who subscribes"},
	{"mqtt", "publish.to_broker", is_topic,
	 "a topic, in which * is any text; + and # are for who subscribes"},
	{"mqtt", "publish.to_client", is_topic,
	 "a topic, in which * is any text; + and # are for who subscribes"},
	{"mqtt", "connect.will.topic", is_topic,
	 "a topic, in which * is any text; + and # are for who subscribes"},
	{"http", "http_method", is_method, "capitals, as GET"},
	{"sip", "method", is_method, "capitals, as INVITE"},
	{"dicom", "calling_ae", is_title, "at most 16 characters, no blank around them"},
	{"dicom", "called_ae", is_title, "at most 16 characters, no blank around them"},
	{"dicom", "move_destination", is_title, "at most 16 characters, no blank around them"},
};

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

static bool is_number(const struct proto_field *f)
{
	return f->type >= FIELD_U8 && f->type <= FIELD_U64;
}

const char *vocabulary_misses(const struct proto *p, const struct proto_field *f,
			      const char *pattern)
{
	const char *words = f->type == FIELD_BOOL ? "yes, no" : list_of(p->name, f->name);

	if (!*pattern && f->flags & FIELD_MUST)
		return NULL; /* who leaves it out */
	if (words)
		return is_in(words, pattern) ? NULL : words;
	if (is_number(f))
		return pattern[strspn(pattern, "0123456789*?")] ? "a number; * is any text" : NULL;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (!strcmp(shapes[i].app, p->name) && !strcmp(shapes[i].member, f->name))
			return shapes[i].fits(pattern) ? NULL : shapes[i].expected;
	return NULL;
}

/* doc/messages.md, of what is told by one member alone. */
static const struct {
	const char *app, *member, *words;
} changing[] = {
	{"hl7", "message_type", "RGV, EAC, TCU"},
	{"dicom", "command", "C-MOVE-RQ, N-SET-RQ, N-ACTION-RQ, N-CREATE-RQ, N-DELETE-RQ"},
	{"snmp", "pdu_type", "set_request"},
	{"modbus", "function_code",
	 "WrSingleCoil, WrSingleReg, WrMultCoils, WrMultRegs, MaskWrReg, RdWrMultRegs, WrFileRec"},
	{"coap", "code_name", "POST, PUT, DELETE, PATCH, iPATCH"},
	{"http", "http_method", "POST, PUT, DELETE, PATCH"},
	{"ftp", "command", "STOR, STOU, APPE, DELE, RNFR, RNTO, MKD, RMD"},
	{"tftp", "packet", "write"},
	{"ldap", "operation", "modify_request, add_request, del_request, mod_dn_request"},
	{"intellivue", "message", "set"},
	{"bacnet", "service", "writeProperty, writePropertyMultiple, createObject, deleteObject"},
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
	size_t len = strcmp(app, "hl7") ? strlen(pattern) : 3; /* the code; any of its triggers */

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
