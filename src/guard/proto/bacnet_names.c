#include "guard/proto/bacnet_names.h"

#include <stddef.h>

#include "guard/proto/proto.h"

static const char *const bvlcs[] = {
	"BVLC-Result",
	"Write-Broadcast-Distribution-Table",
	"Read-Broadcast-Distribution-Table",
	"Read-Broadcast-Distribution-Table-Ack",
	"Forwarded-NPDU",
	"Register-Foreign-Device",
	"Read-Foreign-Device-Table",
	"Read-Foreign-Device-Table-Ack",
	"Delete-Foreign-Device-Table-Entry",
	"Distribute-Broadcast-To-Network",
	"Original-Unicast-NPDU",
	"Original-Broadcast-NPDU",
	"Secure-BVLL",
};

static const char *const pdus[] = {
	"confirmed_request",
	"unconfirmed_request",
	"simple_ack",
	"complex_ack",
	"segment_ack",
	"error",
	"reject",
	"abort",
};

#define NONE   BACNET_ABOUT_NONE
#define NAMES  BACNET_ABOUT_NAMES
#define FIRST  BACNET_ABOUT_FIRST
#define NEW    BACNET_ABOUT_NEW
#define MANY   BACNET_ABOUT_MANY
#define TAG(n) (BACNET_ABOUT_TAG + (n))

/* §21, BACnetConfirmedServiceChoice */
static const struct bacnet_service confirmed[] = {
	{"acknowledgeAlarm", true, TAG(1)},
	{"confirmedCOVNotification", false, TAG(2)},
	{"confirmedEventNotification", false, TAG(2)},
	{"getAlarmSummary", false, NONE},
	{"getEnrollmentSummary", false, NONE},
	{"subscribeCOV", false, TAG(1)},
	{"atomicReadFile", false, FIRST},
	{"atomicWriteFile", true, FIRST},
	{"addListElement", true, NAMES},
	{"removeListElement", true, NAMES},
	{"createObject", true, NEW},
	{"deleteObject", true, FIRST},
	{"readProperty", false, NAMES},
	{"readPropertyConditional", false, MANY},
	{"readPropertyMultiple", false, NAMES},
	{"writeProperty", true, NAMES},
	{"writePropertyMultiple", true, NAMES},
	{"deviceCommunicationControl", true, NONE},
	{"confirmedPrivateTransfer", true, NONE},
	{"confirmedTextMessage", false, NONE},
	{"reinitializeDevice", true, NONE},
	{"vtOpen", true, NONE},
	{"vtClose", true, NONE},
	{"vtData", true, NONE},
	{"authenticate", false, NONE},
	{"requestKey", false, NONE},
	{"readRange", false, NAMES},
	{"lifeSafetyOperation", true, TAG(3)},
	{"subscribeCOVProperty", false, TAG(1)},
	{"getEventInformation", false, NONE},
	{"subscribeCOVPropertyMultiple", false, MANY},
	{"confirmedCOVNotificationMultiple", false, MANY},
	{"confirmedAuditNotification", false, NONE},
	{"auditLogQuery", false, NONE},
};

/* §21, BACnetUnconfirmedServiceChoice */
static const struct bacnet_service unconfirmed[] = {
	{"i-Am", false, FIRST},
	{"i-Have", false, NONE},
	{"unconfirmedCOVNotification", false, TAG(2)},
	{"unconfirmedEventNotification", false, TAG(2)},
	{"unconfirmedPrivateTransfer", true, NONE},
	{"unconfirmedTextMessage", false, NONE},
	{"timeSynchronization", true, NONE},
	{"who-Has", false, NONE},
	{"who-Is", false, NONE},
	{"utcTimeSynchronization", true, NONE},
	{"writeGroup", true, MANY},
	{"unconfirmedCOVNotificationMultiple", false, MANY},
	{"unconfirmedAuditNotification", false, NONE},
	{"who-Am-I", false, NONE},
	{"you-Are", true, NONE},
};

/* §6.2.4; the others are reserved, or a maker's own. What is sealed may be anything. Who hears that
 * somebody is a router sends by it (§6.6.3.3), that it is busy sends no more (§6.6.3.6), and takes the
 * number of its own network as it is told (§6.4.20). */
static const struct {
	uint8_t type;
	bool controls;
	const char *name;
} messages[] = {
	{0x00, false, "Who-Is-Router-To-Network"},
	{0x01, true, "I-Am-Router-To-Network"},
	{0x02, false, "I-Could-Be-Router-To-Network"},
	{0x03, false, "Reject-Message-To-Network"},
	{0x04, true, "Router-Busy-To-Network"},
	{0x05, false, "Router-Available-To-Network"},
	{0x06, true, "Initialize-Routing-Table"},
	{0x07, false, "Initialize-Routing-Table-Ack"},
	{0x08, true, "Establish-Connection-To-Network"},
	{0x09, true, "Disconnect-Connection-To-Network"},
	{0x0a, false, "Challenge-Request"},
	{0x0b, true, "Security-Payload"},
	{0x0c, false, "Security-Response"},
	{0x0d, false, "Request-Key-Update"},
	{0x0e, true, "Update-Key-Set"},
	{0x0f, true, "Update-Distribution-Key"},
	{0x10, false, "Request-Master-Key"},
	{0x11, true, "Set-Master-Key"},
	{0x12, false, "What-Is-Network-Number"},
	{0x13, true, "Network-Number-Is"},
};

/* §21, BACnetObjectType */
static const char *const objects[] = {
	"analog-input",
	"analog-output",
	"analog-value",
	"binary-input",
	"binary-output",
	"binary-value",
	"calendar",
	"command",
	"device",
	"event-enrollment",
	"file",
	"group",
	"loop",
	"multi-state-input",
	"multi-state-output",
	"notification-class",
	"program",
	"schedule",
	"averaging",
	"multi-state-value",
	"trend-log",
	"life-safety-point",
	"life-safety-zone",
	"accumulator",
	"pulse-converter",
	"event-log",
	"global-group",
	"trend-log-multiple",
	"load-control",
	"structured-view",
	"access-door",
	"timer",
	"access-credential",
	"access-point",
	"access-rights",
	"access-user",
	"access-zone",
	"credential-data-input",
	"network-security",
	"bitstring-value",
	"characterstring-value",
	"date-pattern-value",
	"date-value",
	"datetime-pattern-value",
	"datetime-value",
	"integer-value",
	"large-analog-value",
	"octetstring-value",
	"positive-integer-value",
	"time-pattern-value",
	"time-value",
	"notification-forwarder",
	"alert-enrollment",
	"channel",
	"lighting-output",
	"binary-lighting-output",
	"network-port",
	"elevator-group",
	"escalator",
	"lift",
	"staging",
	"audit-log",
	"audit-reporter",
	"color",
	"color-temperature",
};

/* §21, BACnetPropertyIdentifier: those that say what a device is, or make it act. */
static const struct proto_name properties[] = {
	{0, "acked-transitions"},
	{4, "active-text"},
	{6, "alarm-value"},
	{8, "all"},
	{12, "application-software-version"},
	{17, "notification-class"},
	{22, "cov-increment"},
	{25, "deadband"},
	{28, "description"},
	{32, "effective-period"},
	{35, "event-enable"},
	{36, "event-state"},
	{38, "exception-schedule"},
	{44, "firmware-revision"},
	{45, "high-limit"},
	{46, "inactive-text"},
	{52, "limit-enable"},
	{56, "local-date"},
	{57, "local-time"},
	{58, "location"},
	{59, "low-limit"},
	{62, "max-apdu-length-accepted"},
	{65, "max-pres-value"},
	{69, "min-pres-value"},
	{70, "model-name"},
	{75, "object-identifier"},
	{76, "object-list"},
	{77, "object-name"},
	{79, "object-type"},
	{81, "out-of-service"},
	{84, "polarity"},
	{85, "present-value"},
	{87, "priority-array"},
	{90, "program-change"},
	{96, "protocol-object-types-supported"},
	{97, "protocol-services-supported"},
	{98, "protocol-version"},
	{102, "recipient-list"},
	{103, "reliability"},
	{104, "relinquish-default"},
	{107, "segmentation-supported"},
	{108, "setpoint"},
	{110, "state-text"},
	{111, "status-flags"},
	{112, "system-status"},
	{113, "time-delay"},
	{117, "units"},
	{120, "vendor-identifier"},
	{121, "vendor-name"},
	{123, "weekly-schedule"},
	{131, "log-buffer"},
	{139, "protocol-revision"},
	{155, "database-revision"},
	{160, "mode"},
	{161, "operation-expected"},
	{163, "silenced"},
	{174, "schedule-default"},
};

/* §21, ReinitializedStateOfDevice; §16.1, enable-disable */
static const char *const reinitialized[] = {
	"coldstart",	 "warmstart",	"start-backup",	 "end-backup",
	"start-restore", "end-restore", "abort-restore", "activate-changes",
};
static const char *const enabling[] = {"enable", "disable", "disable-initiation"};

#define NAME_IN(table, n) ((n) < sizeof(table) / sizeof((table)[0]) ? (table)[n] : NULL)

const char *bacnet_bvlc_name(uint8_t function)
{
	return NAME_IN(bvlcs, function);
}

const char *bacnet_pdu_name(uint8_t pdu)
{
	return NAME_IN(pdus, pdu);
}

const struct bacnet_service *bacnet_confirmed(uint8_t choice)
{
	return choice < sizeof(confirmed) / sizeof(confirmed[0]) ? &confirmed[choice] : NULL;
}

const struct bacnet_service *bacnet_unconfirmed(uint8_t choice)
{
	return choice < sizeof(unconfirmed) / sizeof(unconfirmed[0]) ? &unconfirmed[choice] : NULL;
}

const char *bacnet_network_name(uint8_t type, bool *ret_controls)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (messages[i].type == type) {
			*ret_controls = messages[i].controls;
			return messages[i].name;
		}
	return NULL;
}

const char *bacnet_object_name(uint32_t type)
{
	return NAME_IN(objects, type);
}

const char *bacnet_property_name(uint32_t property)
{
	return PROTO_NAME(properties, property);
}

const char *bacnet_reinitialized_name(uint32_t n)
{
	return NAME_IN(reinitialized, n);
}

const char *bacnet_enabling_name(uint32_t n)
{
	return NAME_IN(enabling, n);
}
