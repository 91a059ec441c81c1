#ifndef BEDWARDEN_PEOPLE_AUDIT_SEND_H
#define BEDWARDEN_PEOPLE_AUDIT_SEND_H
/* An entry of the audit trail on its way to a collector: a DICOM audit message in a syslog record. */
#include <jansson.h>

#include "people/audit/syslog.h"

/*
 * `entry` as the trail gives it out (keep/audit.h), from the gateway of that name. `checkpoint` goes
 * along, to be kept there; NULL none. 0, also for what is no entry; -EPIPE with ret_error.
 */
int audit_send(struct syslog *link, const char *name, const json_t *entry, const char *checkpoint,
	       char ret_error[SYSLOG_ERROR]);

#endif
