#ifndef BEDWARDEN_GUARD_CAPTURE_CAPTURE_H
#define BEDWARDEN_GUARD_CAPTURE_CAPTURE_H
/*
 * Frames in and out, behind one interface: `xdp` (AF_XDP under the kernel's
 * floor), `packet` (an AF_PACKET pair, the floor in user space) and `pcap` (a
 * file). A frame handed out is the caller's until it says what becomes of it:
 * every one of them ends in exactly one capture_forward() or capture_drop(),
 * in any order; a held frame (a fragment) keeps its memory until then.
 */
#include "base/bytes.h"
#include "bpf/shared.h"
#include "guard/decode/packet.h"

struct frame {
	struct bytes data;
	uint64_t time_ns; /* wall clock */
	uint32_t wire_len;
	uint32_t ifindex; /* where it came in; pcap: interface number of the file */
	enum link link;
	const struct gate_verdict *verdict; /* the floor's, from the kernel; NULL: not judged yet */
	uint64_t handle;		    /* the back end's own */
	uint64_t
		place; /* where it lies in a file, for capture_pcap_reread(); 0: it cannot be had again */
	uint16_t segment; /* TCP payload of each packet that this one stands for; 0: it is one */
	uint8_t sealed;	  /* the peer gateway whose link it came by; 0: by a port, in the clear */
	bool copied;	  /* the engine's: the frame itself went on already */
};

struct capture_counts {
	uint64_t received;
	uint64_t forwarded;
	uint64_t dropped;      /* by verdict */
	uint64_t lost_receive; /* ring full, or kept for too long */
	uint64_t lost_send;
};

struct capture;

struct capture_ops {
	const char *name;
	/* Sleeps until frames are there, or timeout_ms passed. 1 frames, 0 none, -errno;
	 * -ENODATA at the end of a file. */
	int (*wait)(struct capture *c, int timeout_ms);
	/* Up to `max` frames, never blocks. How many; -errno; -ENODATA at the end of a file. */
	int (*receive)(struct capture *c, struct frame *ret_frames, unsigned max);
	/* Out of the port `out_ifindex`; the bytes may have been changed in place only where
	 * the caller hairpins, or renumbers a fragment. Queued: gone by the next flush. */
	void (*forward)(struct capture *c, const struct frame *f, uint32_t out_ifindex);
	void (*drop)(struct capture *c, const struct frame *f);
	/* A frame of the caller's own (a reset, an ARP answer), copied. 0 or -errno. */
	int (*inject)(struct capture *c, struct bytes data, uint32_t out_ifindex);
	void (*flush)(struct capture *c);
	/* No new frames from now on: the floor passes what may go uninspected and keeps the rest
	 * for a successor, for GATE_HOLD_NS; with `sealed`, a link makes way, too, and what is to be
	 * sealed is kept whatever the device's fail mode. Those that had arrived can still be
	 * received and forwarded. NULL where there is nothing to do. */
	void (*retire)(struct capture *c, bool sealed);
	/* Whether a predecessor left it so. May be NULL: nobody can tell. */
	bool (*succeeds)(const struct capture *c);
	/* And for a link: then nothing that was kept is received before settle(),
	 * which the caller owes it once its link takes frames, or none will. May be NULL. */
	bool (*is_unsettled)(const struct capture *c);
	void (*settle)(struct capture *c);
	/* Descriptors for the caller's poll set; how many were written. */
	unsigned (*fds)(struct capture *c, int *ret_fds, unsigned max);
	void (*counts)(const struct capture *c, struct capture_counts *ret_counts);
	/*
	 * For capture/loan.h, where memory is shared (struct capture_memory); else NULL. lend(): the
	 * frame, its checksum whole, is at *ret_offset and not the caller's any more; lend_copy() the
	 * same of other bytes. 0; -EMSGSIZE it fits in no chunk, -ENOBUFS: it still is. restore(): the
	 * chunk that `offset` is in is free. spare(): a free chunk to be filled by the link; false:
	 * none. adopt(): fills in data and handle of a frame that lies there.
	 */
	int (*lend)(struct capture *c, const struct frame *f, uint32_t *ret_offset);
	int (*lend_copy)(struct capture *c, struct bytes data, uint32_t *ret_offset);
	void (*restore)(struct capture *c, uint32_t offset);
	bool (*spare)(struct capture *c, uint32_t *ret_offset);
	void (*adopt)(struct capture *c, uint32_t offset, uint32_t len, struct frame *ret_f);
	void (*close)(struct capture *c);
};

/* Back ends embed this first. */
struct capture {
	const struct capture_ops *ops;
};

/*
 * The two ports of every segment, received on queue `queue`. Needs CAP_NET_RAW
 * while it opens and nothing afterwards. NULL with errno set.
 */
struct capture_port {
	char name[16];
	uint32_t ifindex;
};

/* Memory shared with the link (base/share.h), the caller's, mapped until the capture is closed. */
struct capture_memory {
	uint8_t *at;
	uint32_t chunks; /* the last SHARE_INBOX are for what the link opens */
};
/* So many chunks a back end wants of it. */
uint32_t capture_xdp_chunks(unsigned port_count);
uint32_t capture_packet_chunks(void);

/* `memory` NULL: none is shared. `maps_dir`: where the floor's maps are pinned; registers itself in its XSKMAP and beats
 * its heart there until closed. */
struct capture *capture_xdp_open(const struct capture_port *ports, unsigned count, unsigned queue,
				 const char *maps_dir, const struct capture_memory *memory);
struct capture *capture_packet_open(const struct capture_port *ports, unsigned count,
				    const struct capture_memory *memory);
/*
 * pcap or pcapng, "-" for standard input; ret_error (256 bytes) says what is
 * wrong with the file. One that breaks off delivers what was readable, then
 * receive() answers -EBADMSG and capture_pcap_error() says at which packet and byte. `wrapped`: what
 * taps put ahead of a packet is read, too (LINK_WRAPPED); not where the file is judged as a link is.
 */
struct capture *capture_pcap_open(const char *path, bool wrapped, char ret_error[256]);
/* The bytes at a frame's place, or so far behind it. 0; -errno, -ENODATA: they are gone. */
int capture_pcap_reread(const struct capture *c, uint64_t place, uint8_t *buf, size_t len);
/* What the file calls the interface a frame's ifindex stands for; "" where it does not say. */
const char *capture_pcap_interface(const struct capture *c, uint32_t interface);
/* Also says what was passed over; "" where everything was read. Borrowed from the capture. */
const char *capture_pcap_error(const struct capture *c);

#endif
