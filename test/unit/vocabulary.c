/* The words of a rule for messages: which there are, how they match, and what is said of those that are wrong. */
#include "unit.h"

#include <stdio.h>

#include "base/config.h"
#include "guard/policy/message.h"

/* A pattern that nothing can fit is a slip, and says what was meant. */
static void what_nobody_can_say_is_an_error(void **state)
{
	static const struct {
		const char *app, *line, *expected;
	} slips[] = {
		{"modbus", "function_code=3", "RdHoldRegs"},
		{"modbus", "unit_id=1-5", "a number"},
		{"snmp", "version=2c", "1, 2, 3"},
		{"snmp", "default_community=false", "yes, no"},
		{"tls", "version=TLSv1.2", "TLS 1.2"},
		{"dicom", "command=C-STORE", "C-STORE-RQ"},
		{"dicom", "calling_ae=LONGER-THAN-A-TITLE", "16 characters"},
		{"mqtt", "packet=PUBLISH", "publish"},
		{"mqtt", "publish.to_broker=ward/#", "* is any text"},
		{"hl7", "message_type=ORU_R01", "ORU^R01"},
		{"hl7", "message_type=ORU^R01^ORU_R01", "ORU^R01"},
		{"http", "http_method=get", "GET"},
		{"coap", "code_name=get", "GET"},
		{"dicom", "sop_class=CT Image Storag", "CT Image Storage"},
		{"dicom", "abstract_syntax=CT Image", "CT Image Storage"},
		{"dicom", "transfer_syntax=JPEG", "Explicit VR Little Endian"},
		{"dicom", "sop_class_uid=CT Image Storage", "digits"},
		{"dicom", "result=yes", "accepted"},
		{"hl7", "type_by_structure=ORM_O01", "ORU^R01"},
		{"hl7", "encoding=utf-8", "UTF-16"},
		{"tls", "cipher=AES", "TLS_AES_128_GCM_SHA256"},
		{"tls", "sni=https://lis/", "a name alone"},
		{"tls", "ja3.hash=e7d705a3286e19ea", "32 hexadecimal"},
		{"dtls", "fingerprint=0F:61:18", "small letters"},
		{"http", "url=results/*", "from its slash"},
		{"dns", "rrtype=aaaa", "AAAA"},
		{"bacnet", "service=read-property", "readProperty"},
		{"bacnet", "object_type=analog", "analog-input"},
		{"smb", "command=READ", "SMB2_COMMAND_READ"},
		{"smb", "share=results", "\\\\files\\results"},
		{"smb", "disposition=open", "FILE_OPEN"},
		{"intellivue", "object=wave", "waves"},
		{"intellivue", "attribute=hr", "number"},
		{"modbus", "access_type=read", "READ | COILS"},
		{"syslog", "severity=error", "err"},
		{"ftp", "mode=pasv", "passive"},
		{"poct1a", "message_type=OBS", "OBS.R01"},
		{"astm", "records=RESULT", "H, P, O, R"},
		{"astm", "records=X", "H, P, O, R"},
		/* A wildcard beside it makes no slip true. */
		{"hl7", "message_type=oru^*", "ORU^R01"},
		{"hl7", "message_type=!ORU^*", "ORU^R01"},
		{"hl7", "message_type=*_R01", "ORU^R01"},
		{"hl7", "message_type=ORU^R01^*", "ORU^R01"},
		{"hl7", "message_type=ORU,*", "ORU^R01"},
		{"http", "hl7.type_by_structure=orm*", "ORU^R01"},
		{"poct1a", "message_type=obs.*", "OBS.R01"},
		{"poct1a", "message_type=OBS^*", "OBS.R01"},
		{"astm", "records=R*S", "H, P, O, R"},
		{"tls", "ja3.hash=E7D7*", "32 hexadecimal"},
		{"tls", "fingerprint=0f6118*", "small letters"},
		{"tls", "ja4=t13d*_*_*_*", "three parts"},
		{"dicom", "calling_ae=LONGER-THAN-A-TITLE*", "16 characters"},
		{"dicom", "called_ae=A\\B", "16 characters"},
		{"dicom",
		 "sop_class_uid=1.2.840.113619.1.2.840.113619.1.2.840.113619.1.2.840.113619.1.2.3*",
		 "digits"},
		{"dicom", "sop_class=face", "the standard's name"},
		{"dicom", "command=STORE", "C-STORE-RQ"},
		{"mqtt", "subscribe.topics=ward/#/x", "# the last one"},
		{"mqtt", "subscribe.topics=ward#", "# the last one"},
		{"mqtt", "subscribe.topics=ward/pump+", "+ a whole level"},
		{"mqtt", "subscribe.topics=+pump/*", "+ a whole level"},
		{"mqtt", "subscribe.topics=$share/g/ward/*", "no $share/group/"},
		{"snmp", "version=v3", "1, 2, 3"},
		{"modbus", "unit_id=300", "up to 255"},
		{"modbus", "unit_id=01", "a number"},
		{"tls", "version=1.2", "TLS 1.2"},
		{"tls", "sni=lis:443", "a name alone"},
		{"http", "hostname=*:8443", "a name alone"},
		{"http", "http_method=GET,HEAD", "GET"},
		{"http", "http_content_type=application/json; charset=utf-8", "a media type alone"},
		{"coap", "uri_path=readings/*", "from its slash"},
		{"coap", "uri_host=coap://sensor", "a name alone"},
		{"dns", "rrname=lis.clinic.example.", "without a dot"},
		{"dns", "rrclass=in", "IN, CH"},
		{"ftp", "command=put", "STOR stores"},
		{"ftp", "command=RETR fw*", "a command of the protocol"},
		{"ldap", "mechanism=gssapi", "GSS-SPNEGO"},
		{"rfb", "client_protocol_version.minor=8", "as 008"},
		{"ssh", "client.proto_version=2", "as 2.0"},
		{"smb", "dialect=3.1.1", "3.11"},
		{"sip", "uri=10.9.0.5", "sip:"},
		{"bacnet", "network_message=who-is-router", "Who-Is-Router-To-Network"},
		/* What was probably meant is offered. */
		{"dicom", "sop_class=CT image storrage", "did you mean 'CT Image Storage'?"},
		{"dicom", "sop_class=Ultrasound Multiframe Image Storage",
		 "did you mean 'Ultrasound Multi-frame Image Storage'?"},
		{"bacnet", "service=WriteProperty", "did you mean 'writeProperty'?"},
	};
	static const char *const good[][2] = {
		{"modbus", "function_code=Rd*"},
		{"modbus", "unit_id=1?"},
		{"snmp", "version=?"},
		{"snmp", "security_level="},
		{"http", "url=http://lis/a"},
		{"tls", "version=TLS 1.*"},
		{"dicom", "command=C-STORE-*"},
		{"dicom", "calling_ae="},
		{"mqtt", "packet=ping*"},
		{"mqtt", "subscribe.topics=ward/#"},
		{"hl7", "message_type=ORU^*"},
		{"hl7", "message_type=ACK"},
		{"hl7", "message_type="},
		{"http", "http_method=GET"},
		{"dicom", "sop_class=CT *"},
		{"dicom", "sop_class=1.2.826.0.1"},
		{"tls", "cipher=0x1301"},
		{"tls", "ja3.hash=e7d7*"},
		{"dns", "rrtype=TYPE65280"},
		{"http", "url=lis:443"},
		{"bacnet", "service=i-Am"},
		{"bacnet", "object_type=130"},
		{"smb", "command=SMB?_COMMAND_*"},
		{"smb", "share="},
		{"intellivue", "attribute=2343"},
		{"modbus", "access_type=READ*"},
		{"poct1a", "message_type=*.R01"},
		{"poct1a", "message_type=NOVA.*"},
		{"hl7", "message_type=*^R01"},
		{"hl7", "message_type=?RU*"},
		{"hl7", "message_type=*U^*0?*"},
		{"hl7", "message_type=Z*"},
		{"hl7", "type_by_structure=*"},
		{"astm", "records=?"},
		{"tls", "ja4=t13d*_*"},
		{"dtls", "fingerprint=*:18"},
		{"dicom", "calling_ae=SIXTEEN-LETTERS-*"},
		{"dicom", "calling_ae=*A*B*C*D*E*F*G*H*"},
		{"dicom", "sop_class_uid=1.2.840.*"},
		{"mqtt", "subscribe.topics=+/pump/+"},
		{"mqtt", "subscribe.topics=#"},
		{"mqtt", "subscribe.topics=ward/*+/#"},
		{"http", "hostname=fd00::1"},
		{"http", "http_content_type=*json"},
		{"tls", "sni=*.clinic.example"},
		{"dns", "rrname=."},
		{"dns", "rrname=Pump 3._http._tcp.local"},
		{"dns", "rrclass=CLASS65280"},
		{"ftp", "command=retr"},
		{"smb", "dialect=NT LM 0.12"},
		{"smb", "dialect=3.*"},
		{"rfb", "client_protocol_version.minor=00?"},
		{"ssh", "client.proto_version=2*"},
		{"sip", "uri=*@clinic.example"},
		{"modbus", "unit_id=255"},
		{"modbus", "unit_id=0"},
	};
	char error[160];
	int at;

	for (size_t i = 0; i < sizeof(slips) / sizeof(slips[0]); i++) {
		char *line = (char *)slips[i].line;

		if (!message_is_wrong(slips[i].app, &line, 1, &at, error) || at != 0 ||
		    !strstr(error, slips[i].expected))
			fail_msg("%s %s: %s", slips[i].app, line, error);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char *line = (char *)good[i][1];

		assert_false(message_is_wrong(good[i][0], &line, 1, &at, error));
	}
}

static bool matches(const char *pattern, const char *text)
{
	return message_match(pattern, strlen(pattern),
			     (struct bytes){(const uint8_t *)text, strlen(text)}, false);
}

static void patterns_match(void **state)
{
	assert_true(matches("ORU^*", "ORU^R01"));
	assert_true(matches("*", ""));
	assert_true(matches("a?c", "abc"));
	assert_true(matches("*a*b*", "xxaxxbxx"));
	assert_true(matches("*ab", "aab"));
	assert_true(matches("a?", "a+"));
	assert_false(matches("*ab", "axb"));
	assert_false(matches("ORU^*", "ORM^O01"));
	assert_false(matches("a?c", "ac"));
	assert_false(matches("", "x"));
	assert_false(matches("abc", "abcd"));
	assert_false(matches("abc", "aBc"));
	assert_true(message_match("*.Clinic@", 9,
				  (struct bytes){(const uint8_t *)"pAcs.cliniC@", 12},
				  FIELD_CASELESS));
	assert_false(
		message_match("a@", 2, (struct bytes){(const uint8_t *)"A`", 2}, FIELD_CASELESS));
}

static void wrong_words_are_named(void **state)
{
	char *bad_member[] = {(char *)"message_type=ACK", (char *)"colour=red"};
	char *no_pattern[] = {(char *)"message_type"}, *not_to_narrow[] = {(char *)"control_id=1"};
	char *two_lines[] = {(char *)"message_type=A\ncontrol=no"},
	     *good[] = {(char *)"message_type=ORU^*"};
	char why[160];
	int line = 7;

	assert_true(message_is_wrong("gopher", good, 1, &line, why));
	assert_int_equal(line, -1);
	assert_non_null(strstr(why, "hl7"));
	assert_true(message_is_wrong("hl7", bad_member, 2, &line, why));
	assert_int_equal(line, 1);
	assert_true(message_is_wrong("hl7", no_pattern, 1, &line, why));
	assert_int_equal(line, 0);
	assert_true(message_is_wrong("hl7", not_to_narrow, 1, &line, why));
	assert_true(message_is_wrong("hl7", two_lines, 1, &line, why));
	assert_false(message_is_wrong("hl7", good, 1, &line, why));
}

/* Where the words stand that are wrong: at a device, and in a profile's own file. */
static void wrong_words_have_a_place(void **state)
{
	static const char lines[] =
		"segments: [{name: icu, ward: w, hospital: h}]\n"
		"devices:\n"
		"  - {name: d, segment: icu, mac: '02:00:00:00:00:01', starts: [\n"
		"      {service: s, proto: tcp, peer: any, app: gopher},\n"
		"      {service: s, proto: tcp, peer: any, app: hl7,\n"
		"       allow: ['version=2.5',\n"
		"         'colour=red']},\n"
		"      {service: s, proto: tcp, peer: any, control: no}]}\n";
	static const char profile[] = "title: T\nkind: other\nfail: open\nsource: [s]\n"
				      "accepts:\n"
				      "  - {service: s, proto: tcp, peer: any,\n"
				      "     app: hl7, allow: ['colour=red']}\n";
	struct config_error errors[4];
	size_t count = 0;

	config_check_words(message_is_wrong);
	assert_null(config_parse("site.yaml", (struct bytes){(const uint8_t *)lines, strlen(lines)},
				 errors, 4, &count));
	assert_int_equal(count, 3);
	assert_int_equal(errors[0].line, 4);
	assert_int_equal(errors[0].column, 48);
	assert_non_null(strstr(errors[0].text, "gopher"));
	assert_int_equal(errors[1].line, 7);
	assert_int_equal(errors[1].column, 10);
	assert_non_null(strstr(errors[1].text, "colour"));
	assert_int_equal(errors[2].line, 8);
	assert_null(config_profile_parse("dir/p.yaml",
					 (struct bytes){(const uint8_t *)profile, strlen(profile)},
					 errors, 4, &count));
	assert_int_equal(count, 1);
	assert_string_equal(errors[0].file, "dir/p.yaml");
	assert_int_equal(errors[0].line, 7);
	assert_int_equal(errors[0].column, 24);
	assert_non_null(strstr(errors[0].text, "no member 'colour'"));
}

static void what_was_meant_is_offered(void **state)
{
	char *member[] = {"mesage_type=ORU^R01"}, error[160];
	int line;

	assert_true(message_is_wrong("hl7", member, 1, &line, error));
	assert_int_equal(line, 0);
	assert_non_null(strstr(error, "did you mean 'message_type'?"));
	assert_true(message_is_wrong("hl8", NULL, 0, &line, error));
	assert_non_null(strstr(error, "did you mean 'hl7'?"));
	assert_true(message_is_wrong("MQTT", NULL, 0, &line, error));
	assert_non_null(strstr(error, "did you mean 'mqtt'?"));
	assert_true(message_is_wrong("gopher", NULL, 0, &line, error));
	assert_non_null(strstr(error, "they are hl7, "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_can_say_is_an_error),
		cmocka_unit_test(patterns_match),
		cmocka_unit_test(wrong_words_are_named),
		cmocka_unit_test(wrong_words_have_a_place),
		cmocka_unit_test(what_was_meant_is_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
