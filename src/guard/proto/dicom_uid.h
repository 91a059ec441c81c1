#ifndef BEDWARDEN_GUARD_PROTO_DICOM_UID_H
#define BEDWARDEN_GUARD_PROTO_DICOM_UID_H
/*
 * The UIDs that DICOM registers (PS3.6 annex A) and that are negotiated: SOP
 * classes, meta SOP classes among them, and transfer syntaxes. Names are the
 * registry's; of a transfer syntax what stands before the colon. Tables are
 * kept in the order of the UIDs' bytes.
 */
#include "base/bytes.h"

enum dicom_registry { DICOM_SOP_CLASSES, DICOM_SYNTAXES };

#define DICOM_UID_MAX	    64	/* PS3.5 §9: characters */
#define DICOM_SYNTAX_MAX    95	/* no registered syntax has a greater number */
#define DICOM_SOP_CLASS_MAX 335 /* and no registered SOP class */

/* From 1 up, in the order of the table; 0 for what is not registered. */
unsigned dicom_uid_find(enum dicom_registry r, struct bytes uid);
/* Is it the one of that number? */
bool dicom_uid_is(enum dicom_registry r, unsigned n, struct bytes uid);
/* NULL where there is no such number. */
const char *dicom_uid_text(enum dicom_registry r, unsigned n);
const char *dicom_uid_name(enum dicom_registry r, unsigned n);

#endif
