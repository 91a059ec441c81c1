#ifndef BEDWARDEN_PEOPLE_AUDIT_DICOM_H
#define BEDWARDEN_PEOPLE_AUDIT_DICOM_H
/*
 * An entry of the audit trail as a DICOM audit message (PS3.15 §A.5.1): XML in
 * the codes of the DICOM Controlled Terminology, as audit record repositories
 * of hospitals collect it (IHE ITI-20).
 */
#include <stddef.h>

#include <jansson.h>

#define DICOM_AUDIT_MAX 32768 /* bytes of a message */

struct dicom_audit_site {
	const char *source;	/* AuditSourceID: this gateway's name */
	const char *checkpoint; /* put into the message, to be kept there; NULL none */
};

/* `entry` as the trail gives it out (keep/audit.h). The message's length, without an end; 0: it is
 * no entry, or does not fit. */
size_t dicom_audit(const json_t *entry, const struct dicom_audit_site *site,
		   char ret_xml[DICOM_AUDIT_MAX]);

#endif
