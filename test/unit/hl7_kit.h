#ifndef BEDWARDEN_TEST_HL7_KIT_H
#define BEDWARDEN_TEST_HL7_KIT_H
/* What the tests of HL7 share: messages, and what is said of them. */
#include "guard/proto/hl7.h"
#include "guard/proto/hl7_time.h"

#include <stdio.h>

#include "talk.h"

#define P(end, text)                        \
	{                                   \
		end, text, sizeof(text) - 1 \
	}
#define EXPECT(expected, ...)                                                                    \
	do {                                                                                     \
		const struct talk_piece pieces[] = {__VA_ARGS__};                                \
		talk_expect("hl7", false, pieces, sizeof(pieces) / sizeof(pieces[0]), expected); \
	} while (0)

#define FEED(r, end, text) talk_feed(r, end, text, sizeof(text) - 1)

#define ORU                                                                                 \
	"\vMSH|^~\\&|LAB^1.2^ISO|WARD|EHR|MAIN|20260131||ORU^R01^ORU_R01|M-1|P|2.5.1\r"     \
	"PID|1||4711||DOE^JANE\rOBR|1\rOBX|1|NM|2339-0^GLUCOSE^LN||98|mg/dL|70-105|N|||F\r" \
	"\x1c\r"
#define ORU_SAID                                                                               \
	"{\"hl7\":{\"message_type\":\"ORU^R01\",\"control_id\":\"M-1\",\"version\":\"2.5.1\"," \
	"\"sending_application\":\"LAB\",\"sending_facility\":\"WARD\","                       \
	"\"receiving_application\":\"EHR\",\"receiving_facility\":\"MAIN\",\"segments\":4,"    \
	"\"observations\":1}}\n"

#define WIDE_HEAD "\v\xff\xfeM\0S\0H\0|\0^\0~\0&\0|\0"
#define WIDE_SAID(name, more)                       \
	"{\"hl7\":{\"sending_application\":\"" name \
	"\",\"segments\":1,\"encoding\":\"UTF-16\"}" more "}\n"
#define ENCODING ",\"reason\":\"hl7.encoding\""

/* HL7 v2.xml, in MLLP as any other: a header of `more` fields, a message behind it. */
#define XML_HEAD(root) \
	"\v<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<" root " xmlns=\"urn:hl7-org:v2xml\">\n"
#define XML_MSH(code, more)                                                                  \
	"<MSH><MSH.1>|</MSH.1><MSH.2>^~\\&amp;</MSH.2><MSH.3 LongName=\"a > b\"><HD.1> LAB " \
	"</HD.1>"                                                                            \
	"<HD.2>1.2</HD.2></MSH.3><MSH.4><HD.1>WARD</HD.1></MSH.4>\r\n "                      \
	"<MSH.7><TS.1>20260131</TS.1>"                                                       \
	"</MSH.7><MSH.9><MSG.1>" code                                                        \
	"</MSG.1><MSG.2>R01</MSG.2><MSG.3/></MSH.9><MSH.10>7</MSH.10>"                       \
	"<MSH.11><PT.1>P</PT.1></MSH.11><MSH.12><VID.1>2.5</VID.1></MSH.12>" more "</MSH>\n"
#define XML_SAID(type, segments, more)                                                          \
	"{\"hl7\":{\"message_type\":\"" type "^R01\",\"control_id\":\"7\",\"version\":\"2.5\"," \
	"\"sending_application\":\"LAB\",\"sending_facility\":\"WARD\",\"segments\":" segments  \
		more
#define XML_END	    ",\"encoding\":\"XML\"}}\n"
#define XML_REFUSED "\"reason\":\"hl7.xml\""

#define XML_ORU                                                                                  \
	XML_HEAD("ORU_R01")                                                                      \
	XML_MSH("ORU", "")                                                                       \
	"<ORU_R01.PATIENT_RESULT><ORU_R01.PATIENT><PID><PID.3><CX.1>4711</CX.1><CX.4><HD.1>A</"  \
	"HD.1>"                                                                                  \
	"</CX.4></PID.3><PID.3><CX.1>0</CX.1></PID.3></PID></ORU_R01.PATIENT>"                   \
	"<ORU_R01.ORDER_OBSERVATION><OBR/><ORU_R01.OBSERVATION><OBX><OBX.1>1</OBX.1>"            \
	"<OBX.2>NM</OBX.2><OBX.3><CWE.1>149530</CWE.1><CWE.2>MDC_PULS</CWE.2><CWE.3>MDC</CWE.3>" \
	"</OBX.3><OBX.5>6&#49;</OBX.5><OBX.6><CWE.1>264864</CWE.1></OBX.6><OBX.11>R</OBX.11></"  \
	"OBX>"                                                                                   \
	"</ORU_R01.OBSERVATION></ORU_R01.ORDER_OBSERVATION></ORU_R01.PATIENT_RESULT>\n</"        \
	"ORU_R01>\n"                                                                             \
	"\x1c\r"

#endif
