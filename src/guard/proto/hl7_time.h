#ifndef BEDWARDEN_GUARD_PROTO_HL7_TIME_H
#define BEDWARDEN_GUARD_PROTO_HL7_TIME_H
/*
 * Date and time (HL7 v2.9 §2A.2.22, DTM): YYYYMMDDHHMM[SS[.S[S[S[S]]]]][+/-ZZZZ]. Some monitors leave
 * out the point.
 */
#include "base/bytes.h"

/* Seconds since 1970, by UTC where no zone is said; 0: none, not to the minute, or not until 2106. */
uint32_t hl7_time(struct bytes dtm);
/* Nanoseconds since 1970; 0 where it is not said finer than to the second. */
uint64_t hl7_time_fine(struct bytes dtm);

#endif
