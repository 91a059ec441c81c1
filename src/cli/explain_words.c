#include "cli/explain_internal.h"

#include <string.h>

/* How a member reads before its values; "" for the app: of every protocol that has it. */
static const struct {
	const char *app, *member, *words;
} members[] = {
	{"hl7", "message_type", "type"},
	{"hl7", "type_by_structure", "type by the structure, where it is another"},
	{"hl7", "version", "version of HL7"},
	{"hl7", "sending_application", "from the application"},
	{"hl7", "sending_facility", "from the facility"},
	{"hl7", "receiving_application", "to the application"},
	{"hl7", "receiving_facility", "to the facility"},
	{"hl7", "alert", "alarms"},
	{"hl7", "encoding", "written in"},
	{"dicom", "pdu", "step of the conversation"},
	{"dicom", "calling_ae", "from the AE title"},
	{"dicom", "called_ae", "to the AE title"},
	{"dicom", "result", "conversations that were"},
	{"dicom", "command", "operation"},
	{"dicom", "sop_class", "of the kind"},
	{"dicom", "sop_class_uid", "of the kind numbered"},
	{"dicom", "transfer_syntax", "images encoded as"},
	{"dicom", "priority", "urgency"},
	{"dicom", "move_destination", "images sent on to the AE title"},
	{"dicom", "user_identity", "who logs in by"},
	{"dicom", "implementation_class_uid", "the program is numbered"},
	{"dicom", "implementation_version", "the program calls itself"},
	{"mqtt", "packet", "kind"},
	{"mqtt", "connect.client_id", "the client calls itself"},
	{"mqtt", "connect.username", "the user is"},
	{"mqtt", "connect.protocol_version", "version of MQTT (4 is 3.1.1)"},
	{"mqtt", "connect.will.topic", "left as a last will for the topic"},
	{"mqtt", "publish.topic", "sent either way on the topic"},
	{"mqtt", "publish.to_broker", "sent to the broker on the topic"},
	{"mqtt", "publish.to_client", "received from the broker on the topic"},
	{"mqtt", "subscribe.topics", "asked from the broker: the topic"},
	{"snmp", "version", "version of SNMP"},
	{"snmp", "pdu_type", "operation"},
	{"snmp", "usm", "the user is"},
	{"snmp", "security_level", "protected by"},
	{"snmp", "default_community", "with a password that everybody knows"},
	{"", "sni", "the server is called"},
	{"tls", "version", "version of the encryption"},
	{"dtls", "version", "version of the encryption"},
	{"", "cipher", "encrypted by"},
	{"", "subject", "certificate of"},
	{"", "issuerdn", "certificate signed by"},
	{"", "subjectaltname", "certificate good for"},
	{"", "fingerprint", "the certificate's fingerprint is"},
	{"", "ja3.hash", "the client's program looks like (JA3)"},
	{"", "ja3s.hash", "the server's program looks like (JA3S)"},
	{"", "ja4", "the client's program looks like (JA4)"},
	{"http", "hostname", "the server is called"},
	{"http", "url", "path"},
	{"http", "http_method", "operation"},
	{"http", "http_user_agent", "the program calls itself"},
	{"http", "http_content_type", "content"},
	{"http", "content_encoding", "compression"},
	{"dns", "rrname", "the name asked for is"},
	{"dns", "rrtype", "what is asked is"},
	{"dns", "rrclass", "class"},
	{"dns", "opcode", "operation (0 asks, 4 notifies, 5 updates)"},
	{"ssh", "client.proto_version", "the client's version of SSH"},
	{"ssh", "client.software_version", "the client's program calls itself"},
	{"ssh", "client.hassh.hash", "the client's program looks like (HASSH)"},
	{"ssh", "server.proto_version", "the server's version of SSH"},
	{"ssh", "server.software_version", "the server's program calls itself"},
	{"ssh", "server.hassh.hash", "the server's program looks like (HASSH)"},
	{"modbus", "unit_id", "unit"},
	{"modbus", "function_code", "function"},
	{"modbus", "access_type", "access"},
	{"bacnet", "bvlc", "kind of packet"},
	{"bacnet", "network_message", "message between routers"},
	{"bacnet", "pdu_type", "kind"},
	{"bacnet", "service", "operation"},
	{"bacnet", "object_type", "of the kind of object"},
	{"bacnet", "property", "property"},
	{"coap", "code_name", "operation"},
	{"coap", "uri_path", "path"},
	{"coap", "uri_host", "the server is called"},
	{"coap", "proxy_uri", "by a proxy from"},
	{"coap", "oscore", "sealed (OSCORE)"},
	{"ftp", "command", "operation"},
	{"ftp", "command_data", "with"},
	{"ftp", "mode", "files come over a connection that is"},
	{"tftp", "packet", "operation"},
	{"tftp", "file", "file"},
	{"telnet", "terminal", "terminal"},
	{"smb", "version", "version of SMB"},
	{"smb", "dialect", "dialect"},
	{"smb", "command", "operation"},
	{"smb", "share", "share"},
	{"smb", "filename", "file"},
	{"smb", "new_name", "renamed to"},
	{"smb", "named_pipe", "named pipe"},
	{"smb", "disposition", "opened as"},
	{"rdp", "cookie", "the user is"},
	{"rdp", "offered", "protected by"},
	{"rfb", "server_protocol_version.major", "the server's version of RFB"},
	{"rfb", "server_protocol_version.minor", "and behind its point"},
	{"rfb", "client_protocol_version.major", "the client's version of RFB"},
	{"rfb", "client_protocol_version.minor", "and behind its point"},
	{"rfb", "authentication.security_type", "kind of login (1 is none)"},
	{"rfb", "no_password", "without a password"},
	{"sip", "method", "operation"},
	{"sip", "uri", "to"},
	{"sip", "user_agent", "the program calls itself"},
	{"sip", "content_type", "content"},
	{"syslog", "facility", "part of the system"},
	{"syslog", "severity", "urgency"},
	{"syslog", "hostname", "from the machine"},
	{"syslog", "appname", "from the program"},
	{"intellivue", "message", "kind"},
	{"intellivue", "object", "about"},
	{"intellivue", "attribute", "value"},
	{"broadcast", "message", "kind"},
	{"astm", "records", "records"},
	{"astm", "sender", "from"},
	{"astm", "receiver", "to"},
	{"astm", "processing_id", "purpose"},
	{"astm", "version", "version of the protocol"},
	{"astm", "test", "test"},
	{"poct1a", "message_type", "type"},
	{"poct1a", "version", "version of POCT1"},
	{"poct1a", "device_id", "the device calls itself"},
	{"poct1a", "vendor_id", "made by"},
	{"poct1a", "model_id", "model"},
	{"poct1a", "serial_id", "serial number"},
	{"poct1a", "command", "directive"},
	{"poct1a", "request", "what is asked for"},
	{"sdc", "action", "operation"},
	{"sdc", "action_uri", "operation in full"},
	{"sdc", "body", "what is in it"},
	{"sdc", "endpoint", "of the machine numbered"},
	{"sdc", "types", "machines of the kind"},
	{"sdc", "method", "by the HTTP method"},
};

/* What a value means to who does not know the protocol by heart. A `*` at the end: whatever follows. */
static const struct {
	const char *app, *member, *value, *means;
} values[] = {
	{"hl7", "message_type", "ORU^R40*", "alarms of a device"},
	{"hl7", "message_type", "ORA^R41*", "answers to alarms"},
	{"hl7", "message_type", "ORU*", "results and measurements"},
	{"hl7", "message_type", "OUL*", "results of the laboratory"},
	{"hl7", "message_type", "ORM*", "orders"},
	{"hl7", "message_type", "OMG*", "orders"},
	{"hl7", "message_type", "OMI*", "orders of images"},
	{"hl7", "message_type", "OML*", "orders to the laboratory"},
	{"hl7", "message_type", "OMP*", "orders to the pharmacy"},
	{"hl7", "message_type", "ORR*", "answers to orders"},
	{"hl7", "message_type", "ORL*", "answers to orders"},
	{"hl7", "message_type", "RDE*", "orders to the pharmacy"},
	{"hl7", "message_type", "RGV*", "orders to an infusion pump"},
	{"hl7", "message_type", "RRG*", "answers of an infusion pump"},
	{"hl7", "message_type", "EAC*", "commands to an analyser"},
	{"hl7", "message_type", "TCU*", "settings of an analyser's tests"},
	{"hl7", "message_type", "ADT*", "where patients are, and who"},
	{"hl7", "message_type", "ACK*", "acknowledgements"},
	{"hl7", "message_type", "MDM*", "documents"},
	{"hl7", "message_type", "SIU*", "appointments"},
	{"hl7", "message_type", "QBP*", "questions"},
	{"hl7", "message_type", "QRY*", "questions"},
	{"hl7", "message_type", "RSP*", "answers to questions"},
	{"hl7", "message_type", "VXU*", "vaccinations"},
	{"hl7", "message_type", "DFT*", "charges"},
	{"dicom", "command", "C-STORE*", "sends images"},
	{"dicom", "command", "C-ECHO*", "asks whether the other is there"},
	{"dicom", "command", "C-FIND*", "searches"},
	{"dicom", "command", "C-GET*", "fetches images"},
	{"dicom", "command", "C-MOVE*", "has images sent to a third machine"},
	{"dicom", "command", "C-CANCEL*", "breaks off"},
	{"dicom", "command", "N-GET*", "reads"},
	{"dicom", "command", "N-EVENT*", "reports"},
	{"dicom", "command", "N-SET*", "changes"},
	{"dicom", "command", "N-ACTION*", "has something done"},
	{"dicom", "command", "N-CREATE*", "creates"},
	{"dicom", "command", "N-DELETE*", "deletes"},
	{"snmp", "version", "1", "readable and forgeable by anybody"},
	{"snmp", "version", "2", "readable and forgeable by anybody"},
	{"snmp", "security_level", "noAuthNoPriv", "nothing"},
	{"snmp", "security_level", "authNoPriv", "a password, but readable"},
	{"snmp", "security_level", "authPriv", "a password and encryption"},
	{"snmp", "pdu_type", "get*", "reads"},
	{"snmp", "pdu_type", "set*", "changes"},
	{"snmp", "pdu_type", "trap*", "reports"},
	{"snmp", "pdu_type", "inform*", "reports"},
	{"snmp", "pdu_type", "encrypted", "reads or changes"},
	{"tls", "version", "TLS 1.2", "good"},
	{"tls", "version", "TLS 1.3", "good"},
	{"tls", "version", "TLSv1*", "broken long since"},
	{"tls", "version", "TLS 1.1", "broken long since"},
	{"tls", "version", "SSL*", "broken long since"},
	{"dtls", "version", "DTLS 1.2", "good"},
	{"dtls", "version", "DTLS 1.3", "good"},
	{"dtls", "version", "DTLS 1.0", "broken long since"},
};

const char *explain_member(const char *app, const char *member, size_t len)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if ((!*members[i].app || !strcmp(members[i].app, app)) &&
		    strlen(members[i].member) == len && !memcmp(members[i].member, member, len))
			return members[i].words;
	return NULL;
}

static bool is_like(const char *pattern, const char *text, size_t len)
{
	size_t fixed = strcspn(pattern, "*");

	return pattern[fixed] ? len >= fixed && !memcmp(pattern, text, fixed)
			      : len == fixed && !memcmp(pattern, text, fixed);
}

const char *explain_value(const char *app, const char *member, size_t member_len, const char *value,
			  size_t len)
{
	if (!len)
		return "(none given)";
	if (len == 1 && *value == '*')
		return "any";
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (!strcmp(values[i].app, app) && strlen(values[i].member) == member_len &&
		    !memcmp(values[i].member, member, member_len) &&
		    is_like(values[i].value, value, len))
			return values[i].means;
	return NULL;
}
