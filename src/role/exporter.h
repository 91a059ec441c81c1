#ifndef BEDWARDEN_ROLE_EXPORTER_H
#define BEDWARDEN_ROLE_EXPORTER_H
/*
 * The exporter: carries the audit trail to a collector, over syslog TLS (people/audit/syslog.h). It
 * has the collector's address, who is to vouch for it, and nothing else: no files, no keys but that
 * of its own certificate. The keeper (role/trail_send.h) hands it one batch after the other and
 * keeps what it has not confirmed. A collector that is away is tried again, ever less often.
 *
 *   bedwarden _exporter -g GATEWAY -s SERVER -p PORT [-n NAME] -a CA [-c CERT -k KEY]
 *
 * fd 3 is its end of the parent's pair.
 */

int exporter_main(int argc, char **argv);

#endif
