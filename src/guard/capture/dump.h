#ifndef BEDWARDEN_GUARD_CAPTURE_DUMP_H
#define BEDWARDEN_GUARD_CAPTURE_DUMP_H
/*
 * The two formats of capture files, pcap and pcapng (draft-ietf-opsawg-pcap,
 * draft-ietf-opsawg-pcapng), read from bytes that come in pieces. Either byte
 * order, micro-, nano- or any other resolution, many sections, many interfaces
 * each with a link type of its own; of pcap the forms of old kernels and of Nokia's
 * firewalls as well (pcap-savefile(5), `editcap -F`). Holds no bytes: a record points into them.
 */
#include "guard/decode/packet.h"

enum dump_step {
	DUMP_FRAME, /* ret holds a frame */
	DUMP_SKIP,  /* something else was read: a header, a block without a packet */
	DUMP_MORE,  /* ret->used is how many bytes must be there at once to go on */
	DUMP_BAD,   /* see dump_error(); nothing behind this place can be read */
};

struct dump_record {
	size_t used; /* bytes of input */
	struct bytes data;
	uint64_t time_ns;
	uint32_t wire_len;
	uint32_t interface; /* 0 for a plain pcap; counts on over sections */
	enum link link;
};

/* No record, block or frame is longer; as much must fit a reader's buffer. */
#define DUMP_BLOCK_MAX (16u << 20)

struct dump;

struct dump *dump_new(void); /* NULL with errno ENOMEM */
void dump_free(struct dump *d);
enum dump_step dump_next(struct dump *d, struct bytes in, struct dump_record *ret);
/* What was wrong, "" if nothing was. */
const char *dump_error(const struct dump *d);
/* What the file calls an interface of dump_record's; "" where it does not say. */
const char *dump_interface(const struct dump *d, uint32_t interface);
/* Frames skipped because their link type is none that is read; its name in *ret_name. */
uint64_t dump_unread(const struct dump *d, const char **ret_name);

#endif
