#ifndef BEDWARDEN_KEEP_PCAPS_H
#define BEDWARDEN_KEEP_PCAPS_H
/*
 * Evidence at rest: a folder of pcapng files, one a case, named by time and
 * conversation (20261124T031500.250Z-HASH-FLOW_ID.pcapng), and in between by a
 * hash that tells devices apart, where it is one's. A case is gathered in
 * memory from what guards send and written at once when it is over: a file is
 * there whole or not at all. The folder is bounded in bytes and in days; of the
 * device that fills most of it the oldest go first, so that none pushes out what
 * another left; where the disk is nearly full they go too, and then nothing more
 * is written: events matter more.
 *
 * The files hold what was on the wire, patients' data among it: they are the
 * keeper's alone (0600), and where there are keys they rest in the vault instead
 * (`seal`): the folder then holds what was written before, until it is moved.
 */
#include "base/evidence.h"

#define PCAPS_CASES	  128
#define PCAPS_CASE_BYTES  (3u << 20)  /* of one case, as it is gathered */
#define PCAPS_FILE_BYTES  (16u << 20) /* no file of ours is longer */
#define PCAPS_TOTAL_BYTES (32u << 20) /* of all of them */
#define PCAPS_FILES	  65536
#define PCAPS_PATIENCE_NS 20000000000ull /* a case is over by then, whatever its guard says */
#define PCAPS_NAME	  64

/* A case that is over, and what its file is called. */
struct pcaps_case {
	char name[PCAPS_NAME];
	uint64_t id; /* of the conversation: EVE flow_id; 0: of a file that was there already */
	enum reason why;
	unsigned packets;
};
typedef void (*pcaps_kept_fn)(void *arg, const struct pcaps_case *c);
/* Takes a finished file to where it rests sealed, sooner or later. 0 or -errno. */
typedef int (*pcaps_seal_fn)(void *arg, const struct pcaps_case *c, struct bytes file);

struct pcaps_options {
	const char *folder; /* made where it is missing */
	uint64_t max_bytes;
	uint64_t max_age_s;
	uint64_t reserve_bytes; /* of the disk, that stay free */
	pcaps_kept_fn kept;	/* one was written; NULL: nobody asks */
	pcaps_seal_fn seal; /* not NULL: nothing is written to the folder, `kept` is not called */
	void *arg;
};

struct pcaps_counts {
	uint64_t files, bytes; /* there now */
	uint64_t written;
	uint64_t lost; /* cases and frames that found no room, in memory or on the disk */
	int error;     /* the last that a file could not be written for; 0: the last one was */
};

struct pcaps;

/* NULL with errno set where there is no memory or no folder. */
struct pcaps *pcaps_new(const struct pcaps_options *o, uint64_t wall_ns);
/* Every case is over now. */
void pcaps_flush(struct pcaps *p, uint64_t wall_ns);
/* NULL is fine. What was gathered is lost. */
void pcaps_free(struct pcaps *p);

/* What a guard sent. 0, or -EBADMSG: part of it was malformed. */
int pcaps_take(struct pcaps *p, unsigned guard, struct bytes records, uint64_t now_ns,
	       uint64_t wall_ns);
/* A guard is gone: its cases are over. */
void pcaps_lose(struct pcaps *p, unsigned guard, uint64_t wall_ns);
/* Ends cases by time, removes what is too old. */
void pcaps_tick(struct pcaps *p, uint64_t now_ns, uint64_t wall_ns);
/* When to tick again, by the clock of `now_ns`; UINT64_MAX: nothing is due. */
uint64_t pcaps_due(const struct pcaps *p);
/* A case that `seal` took was lost after all. */
void pcaps_unsealed(struct pcaps *p, int err);
/* The oldest file of the folder whole, the caller's to free(): to be sealed and then erased. 0;
 * -ENOENT there is none; -errno. */
int pcaps_oldest(struct pcaps *p, struct pcaps_case *ret_case, struct bytes *ret_file);
/* Overwrites and removes the oldest file, if it is that one. */
void pcaps_erase(struct pcaps *p, const char *name);
/* Whose a file is, by its name: as in struct evidence_record; 0: nobody's. */
uint32_t pcaps_device(struct bytes name);
void pcaps_counts(const struct pcaps *p, struct pcaps_counts *ret_counts);

#endif
