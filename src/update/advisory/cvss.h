#ifndef BEDWARDEN_UPDATE_ADVISORY_CVSS_H
#define BEDWARDEN_UPDATE_ADVISORY_CVSS_H
/*
 * The base score that a CVSS 3.0 or 3.1 vector stands for (CVSS v3.1 Specification §7.1), to find
 * advisories whose score is not what their own vector says.
 */
#include <stdbool.h>
#include <stdint.h>

/* In tenths, 0 to 100; -1: it is no whole base vector of that version. */
int cvss_base(const char *vector);
/* "none", "low", "medium", "high", "critical" (§5); of tenths. */
const char *cvss_severity(int tenths);

#endif
