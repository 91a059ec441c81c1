#ifndef BEDWARDEN_PEOPLE_AUDIT_SYSLOG_H
#define BEDWARDEN_PEOPLE_AUDIT_SYSLOG_H
/*
 * Messages to a syslog collector over TLS: RFC 5424 records, each counted in octets
 * (RFC 5425 §4.3), to a collector whose certificate is by a given authority and for the
 * name that was asked for. Syslog acknowledges nothing; syslog_settled() says whether the
 * other machine has at least all bytes, so that a sender knows from where to begin again.
 */
#include "base/bytes.h"

#define SYSLOG_ERROR	512
#define SYSLOG_HEAD_MAX 512

struct syslog;
struct syslog_trust;

struct syslog_to {
	const char *host, *port;
	const char *name; /* whom its certificate must be for; NULL: `host` */
	bool numeric;	  /* both are numbers: nothing is looked up, no file is read */
};

/*
 * Who is believed, and as whom we come: `ca`, a file with certificates of authorities; `cert`
 * and `key`, our own, for collectors that ask (ITI-19), NULL none. Reads the files. NULL with
 * ret_error.
 */
struct syslog_trust *syslog_trust_new(const char *ca, const char *cert, const char *key,
				      char ret_error[SYSLOG_ERROR]);
void syslog_trust_free(struct syslog_trust *t);

/*
 * The frame of a record: octet count, blank, header (facility 10, security; severity 5, notice;
 * MSGID as DICOM PS3.15 §A.6), byte order mark, message. Its length; 0: it does not fit.
 */
size_t syslog_frame(const char *host, const char *app, const char *time, struct bytes message,
		    uint8_t *ret_frame, size_t cap);

/* Connects, 10 seconds at most. NULL with ret_error. */
struct syslog *syslog_open(const struct syslog_to *to, const struct syslog_trust *trust,
			   char ret_error[SYSLOG_ERROR]);
void syslog_close(struct syslog *s);
/* 0, or -EPIPE with ret_error. */
int syslog_send(struct syslog *s, struct bytes frame, char ret_error[SYSLOG_ERROR]);
/* The collector's machine has everything that was sent, and has not hung up: within `ms`. */
bool syslog_settled(struct syslog *s, unsigned ms);

#endif
