#ifndef BEDWARDEN_GUARD_PROTO_DNS_RECORD_H
#define BEDWARDEN_GUARD_PROTO_DNS_RECORD_H
/*
 * Resource records of DNS (RFC 1035 §3.2) as events tell them: whose, of which
 * type, for how long, and what types say that hosts are found or believed by.
 * Members bear Suricata's names where it has them. What else a record holds
 * (keys, signatures, hashes) is left out.
 */
#include "base/bytes.h"
#include "base/json.h"

/* "AAAA", "TYPE4711"; static or in `buf`. */
const char *dns_type_text(uint16_t type, char buf[12]);

/* Is there room for one more record, whatever it holds? */
bool dns_record_room(const struct json *j);

/*
 * One object of the record at which `r`, over the whole message, stands, and which is
 * whole; `r` ends up behind it. Names in it that lead nowhere are left out.
 */
void dns_record_write(struct json *j, struct reader *r);

/* `r` ends up behind the record; bad where it is not whole. */
void dns_record_skip(struct reader *r);
/* Is it about the message rather than a name: OPT (RFC 6891), TSIG (RFC 8945)? */
bool dns_record_is_about_itself(struct reader r);

/* A name as a member; nothing where it cannot be read. */
void dns_record_name(struct json *j, const char *key, struct reader *r);

#endif
