#include "guard/proto/dicom_names.h"

#include "guard/proto/proto.h"

const char *dicom_pdu_name(uint8_t type)
{
	static const struct proto_name names[] = {
		{DICOM_ASSOCIATE_RQ, "A-ASSOCIATE-RQ"},
		{DICOM_ASSOCIATE_AC, "A-ASSOCIATE-AC"},
		{DICOM_ASSOCIATE_RJ, "A-ASSOCIATE-RJ"},
		{DICOM_DATA, "P-DATA-TF"},
		{DICOM_RELEASE_RQ, "A-RELEASE-RQ"},
		{DICOM_RELEASE_RP, "A-RELEASE-RP"},
		{DICOM_ABORT, "A-ABORT"},
	};

	return PROTO_NAME(names, type);
}

const char *dicom_command_name(uint16_t field)
{
	static const struct proto_name names[] = {
		{DICOM_C_STORE, "C-STORE-RQ"},
		{DICOM_C_STORE | DICOM_RESPONSE, "C-STORE-RSP"},
		{DICOM_C_GET, "C-GET-RQ"},
		{DICOM_C_GET | DICOM_RESPONSE, "C-GET-RSP"},
		{DICOM_C_FIND, "C-FIND-RQ"},
		{DICOM_C_FIND | DICOM_RESPONSE, "C-FIND-RSP"},
		{DICOM_C_MOVE, "C-MOVE-RQ"},
		{DICOM_C_MOVE | DICOM_RESPONSE, "C-MOVE-RSP"},
		{DICOM_C_ECHO, "C-ECHO-RQ"},
		{DICOM_C_ECHO | DICOM_RESPONSE, "C-ECHO-RSP"},
		{DICOM_N_EVENT_REPORT, "N-EVENT-REPORT-RQ"},
		{DICOM_N_EVENT_REPORT | DICOM_RESPONSE, "N-EVENT-REPORT-RSP"},
		{DICOM_N_GET, "N-GET-RQ"},
		{DICOM_N_GET | DICOM_RESPONSE, "N-GET-RSP"},
		{DICOM_N_SET, "N-SET-RQ"},
		{DICOM_N_SET | DICOM_RESPONSE, "N-SET-RSP"},
		{DICOM_N_ACTION, "N-ACTION-RQ"},
		{DICOM_N_ACTION | DICOM_RESPONSE, "N-ACTION-RSP"},
		{DICOM_N_CREATE, "N-CREATE-RQ"},
		{DICOM_N_CREATE | DICOM_RESPONSE, "N-CREATE-RSP"},
		{DICOM_N_DELETE, "N-DELETE-RQ"},
		{DICOM_N_DELETE | DICOM_RESPONSE, "N-DELETE-RSP"},
		{DICOM_C_CANCEL, "C-CANCEL-RQ"},
	};

	return PROTO_NAME(names, field);
}

const char *dicom_priority_name(uint16_t n)
{
	static const struct proto_name names[] = {{0, "MEDIUM"}, {1, "HIGH"}, {2, "LOW"}};
	const char *name = PROTO_NAME(names, n);

	return name ? name : "unknown";
}

const char *dicom_context_result(uint8_t n)
{
	static const struct proto_name names[] = {
		{0, "acceptance"},
		{1, "user-rejection"},
		{2, "no-reason"},
		{3, "abstract-syntax-not-supported"},
		{4, "transfer-syntaxes-not-supported"},
	};

	return PROTO_NAME(names, n);
}

const char *dicom_reject_result(uint8_t n)
{
	static const struct proto_name names[] = {{1, "rejected-permanent"},
						  {2, "rejected-transient"}};

	return PROTO_NAME(names, n);
}

const char *dicom_reject_source(uint8_t n)
{
	static const struct proto_name names[] = {
		{1, "service-user"},
		{2, "service-provider-acse"},
		{3, "service-provider-presentation"},
	};

	return PROTO_NAME(names, n);
}

const char *dicom_reject_reason(uint8_t source, uint8_t n)
{
	static const struct proto_name names[] = {
		{0x101, "no-reason-given"},
		{0x102, "application-context-name-not-supported"},
		{0x103, "calling-AE-title-not-recognized"},
		{0x107, "called-AE-title-not-recognized"},
		{0x201, "no-reason-given"},
		{0x202, "protocol-version-not-supported"},
		{0x301, "temporary-congestion"},
		{0x302, "local-limit-exceeded"},
	};

	return PROTO_NAME(names, (uint32_t)source << 8 | n);
}

const char *dicom_abort_source(uint8_t n)
{
	static const struct proto_name names[] = {{0, "service-user"}, {2, "service-provider"}};

	return PROTO_NAME(names, n);
}

const char *dicom_abort_reason(uint8_t n)
{
	static const struct proto_name names[] = {
		{0, "reason-not-specified"},	 {1, "unrecognized-PDU"},
		{2, "unexpected-PDU"},		 {4, "unrecognized-PDU-parameter"},
		{5, "unexpected-PDU-parameter"}, {6, "invalid-PDU-parameter-value"},
	};

	return PROTO_NAME(names, n);
}

const char *dicom_identity_name(uint8_t n)
{
	static const struct proto_name names[] = {
		{1, "username"}, {2, "username-and-passcode"}, {3, "kerberos"}, {4, "saml"},
		{5, "jwt"},
	};
	const char *name = PROTO_NAME(names, n);

	return name || !n ? name : "unknown";
}

/* PS3.7 annex C, and what all services use alike. */
static const struct proto_name common[] = {
	{0x0000, "Success"},
	{0x0001, "Warning: Requested optional Attributes are not supported"},
	{0x0105, "No such attribute"},
	{0x0106, "Invalid attribute value"},
	{0x0107, "Warning: Attribute list error"},
	{0x0110, "Processing failure"},
	{0x0111, "Duplicate SOP Instance"},
	{0x0112, "No such SOP Instance"},
	{0x0113, "No such event type"},
	{0x0114, "No such argument"},
	{0x0115, "Invalid argument value"},
	{0x0116, "Warning: Attribute value out of range"},
	{0x0117, "Invalid SOP Instance"},
	{0x0118, "No such SOP class"},
	{0x0119, "Class-Instance conflict"},
	{0x0120, "Missing attribute"},
	{0x0121, "Missing attribute value"},
	{0x0122, "Refused: SOP Class not supported"},
	{0x0123, "No such action"},
	{0x0124, "Refused: Not authorized"},
	{0x0210, "Duplicate invocation"},
	{0x0211, "Unrecognized operation"},
	{0x0212, "Mistyped argument"},
	{0x0213, "Resource limitation"},
	{0xfe00, "Cancel"},
	{0xff00, "Pending"},
	{0xff01, "Pending: Optional Keys not supported"},
};

static const char *store_status(uint16_t status)
{
	static const struct proto_name names[] = {
		{0xb000, "Warning: Coercion of Data Elements"},
		{0xb006, "Warning: Elements Discarded"},
		{0xb007, "Warning: Data Set does not match SOP Class"},
	};

	if ((status & 0xff00) == 0xa700)
		return "Refused: Out of Resources";
	if ((status & 0xff00) == 0xa900)
		return "Error: Data Set does not match SOP Class";
	if ((status & 0xf000) == 0xc000)
		return "Error: Cannot understand";
	return PROTO_NAME(names, status);
}

static const char *query_status(uint16_t status)
{
	static const struct proto_name names[] = {
		{0xa700, "Refused: Out of Resources"},
		{0xa701, "Refused: Out of Resources - Unable to calculate number of matches"},
		{0xa702, "Refused: Out of Resources - Unable to perform sub-operations"},
		{0xa710, "Refused: Invalid Prior Record Key"},
		{0xa801, "Refused: Move Destination unknown"},
		{0xa900, "Error: Data Set does not match SOP Class"},
		{0xaa00, "Failed: None of the frames requested were found in the SOP Instance"},
		{0xaa01, "Failed: Unable to create new object for this SOP Class"},
		{0xaa02, "Failed: Unable to extract frames"},
		{0xaa03, "Failed: Time-based request received for a non-time-based SOP Instance"},
		{0xaa04, "Failed: Invalid Request"},
		{0xb000, "Warning: Sub-operations Complete - One or more Failures"},
		{0xb001, "Warning: Matching reached response limit"},
	};
	const char *name = PROTO_NAME(names, status);

	if (!name && (status & 0xf000) == 0xc000)
		return "Failed: Unable to process";
	return name;
}

/* Print (PS3.4 §H.4), media creation (§S.3), logging (§P.2), worklists (§F.7, §CC.2). */
static const char *normalized_status(uint16_t status)
{
	static const struct proto_name names[] = {
		{0xa510, "Failed: Media creation action already received"},
		{0xb101, "Warning: Synchronization Frame of Reference does not match"},
		{0xb102, "Warning: Study Instance UID coercion"},
		{0xb104, "Warning: IDs inconsistent in matching a current study"},
		{0xb300, "Warning: The UPS was created with modifications"},
		{0xb301, "Warning: Deletion Lock not granted"},
		{0xb304, "Warning: The UPS is already in the requested state of CANCELED"},
		{0xb305, "Warning: Coerced invalid values to valid values"},
		{0xb306, "Warning: The UPS is already in the requested state of COMPLETED"},
		{0xb600, "Warning: Memory allocation not supported"},
		{0xb601, "Warning: Film Session printing is not supported"},
		{0xb602, "Warning: Film Session contains empty pages"},
		{0xb603, "Warning: Film Box contains an empty page"},
		{0xb604, "Warning: Image has been demagnified"},
		{0xb605, "Warning: Requested density outside the printer's range"},
		{0xb609, "Warning: Image has been cropped"},
		{0xb60a, "Warning: Image has been decimated"},
		{0xc101, "Failed: Procedural logging not available"},
		{0xc102, "Failed: Event information does not match template"},
		{0xc103, "Failed: Cannot match event to a current study"},
		{0xc104, "Failed: IDs inconsistent in matching a current study"},
		{0xc201, "Failed: Media creation request already completed"},
		{0xc202, "Failed: Media creation request already in progress"},
		{0xc203, "Failed: Cancellation denied"},
		{0xc300, "Refused: The UPS may no longer be updated"},
		{0xc301, "Refused: The correct Transaction UID was not provided"},
		{0xc302, "Refused: The UPS is already IN PROGRESS"},
		{0xc303, "Refused: The UPS may only become SCHEDULED via N-CREATE"},
		{0xc304, "Failed: The UPS has not met final state requirements"},
		{0xc307, "Failed: Specified SOP Instance UID does not exist"},
		{0xc308, "Failed: Receiving AE-TITLE is unknown to this SCP"},
		{0xc309, "Refused: The provided value of UPS State was not SCHEDULED"},
		{0xc310, "Refused: The UPS is not in the IN PROGRESS state"},
		{0xc311, "Refused: The UPS is already COMPLETED"},
		{0xc312, "Failed: The performer cannot be contacted"},
		{0xc313, "Refused: Performer chooses not to cancel"},
		{0xc314, "Refused: The specified action is not appropriate"},
		{0xc315, "Refused: The SCP does not support Event Reports"},
		{0xc600, "Failed: Film Session contains no Film Box"},
		{0xc601, "Failed: Print queue is full"},
		{0xc602, "Failed: Print queue is full"},
		{0xc603, "Failed: Image size is larger than the image box size"},
		{0xc605, "Failed: Insufficient memory in printer to store the image"},
		{0xc606, "Failed: More than one VOI LUT"},
		{0xc613, "Failed: Combined print image size is larger than the image box size"},
	};

	return PROTO_NAME(names, status);
}

const char *dicom_status_name(uint16_t field, uint16_t status)
{
	const char *name = PROTO_NAME(common, status);

	if (name)
		return name;
	switch (field & ~DICOM_RESPONSE) {
	case DICOM_C_STORE:
		return store_status(status);
	case DICOM_C_FIND:
	case DICOM_C_MOVE:
	case DICOM_C_GET:
		return query_status(status);
	default:
		return normalized_status(status);
	}
}
