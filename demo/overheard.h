#ifndef BEDWARDEN_DEMO_OVERHEARD_H
#define BEDWARDEN_DEMO_OVERHEARD_H
/*
 * What a listener got out of its capture. What is sealed is recognised by what
 * it is, record by record, and not by its port alone; everything else that ward
 * and servers say to each other counts as heard. And the capture is searched
 * for what patients' devices are known to have said.
 */
#include "base/bytes.h"
#include "demo/patient.h"

enum overheard_kind {
	OVERHEARD_HL7,
	OVERHEARD_DICOM,
	OVERHEARD_VITALS,
	OVERHEARD_MQTT,
	OVERHEARD_NAME, /* a patient's, in messages and images alike */
	OVERHEARD_KINDS,
};

struct overheard {
	unsigned frames;
	unsigned link;	   /* frames of nothing but DTLS records, between the gateways */
	unsigned relay;	   /* frames of TLS, between the gateways */
	unsigned plumbing; /* ARP, and DHCP that asks everybody: who has which address */
	unsigned outsider; /* what an attacker's machine on this wire sent by itself */
	unsigned clear;	   /* all else */
	bool broken;	   /* TLS that is none, or that was not heard whole */
	unsigned found[OVERHEARD_KINDS]; /* frames that hold it, readable */
	char first[96];			 /* of the clear frames, for people */
};

/*
 * Reads a capture of Ethernet frames. `vitals`: samples as the monitor sent
 * them, of blocks whose passing is certain; `count` of them. 0 or -errno.
 */
int overheard_read(const char *path, const struct patient_block *const *vitals, unsigned count,
		   struct overheard *ret_o);
/* DTLS and TLS were heard, and plumbing, and nothing besides. */
bool overheard_sealed(const struct overheard *o);
/* Everything there was to read was read. */
bool overheard_readable(const struct overheard *o);
/* In words, into `text`. */
void overheard_say(const struct overheard *o, char *ret_text, size_t cap);

/* Is it whole DTLS records and nothing else (RFC 6347 §4.1)? */
bool overheard_dtls(struct bytes datagram);
/* Is it TLS from its first byte to its last (RFC 8446 §5.1)? An unfinished record at the end is no
 * fault. */
bool overheard_tls(struct bytes stream);

#endif
