#include "people/audit/send.h"

#include "people/audit/dicom.h"

#define FRAME_MAX (DICOM_AUDIT_MAX + SYSLOG_HEAD_MAX + 32)

int audit_send(struct syslog *link, const char *name, const json_t *entry, const char *checkpoint,
	       char ret_error[SYSLOG_ERROR])
{
	static char xml[DICOM_AUDIT_MAX];
	static uint8_t frame[FRAME_MAX];
	struct dicom_audit_site site = {.source = name, .checkpoint = checkpoint};
	const char *time = json_string_value(json_object_get(entry, "time"));
	size_t len = dicom_audit(entry, &site, xml);

	if (!len || !time)
		return 0; /* no entry of ours: nothing that could be said of it */
	len = syslog_frame(name, "bedwarden", time, (struct bytes){(const uint8_t *)xml, len},
			   frame, sizeof(frame));
	return syslog_send(link, (struct bytes){frame, len}, ret_error);
}
