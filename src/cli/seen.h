#ifndef BEDWARDEN_CLI_SEEN_H
#define BEDWARDEN_CLI_SEEN_H
/*
 * What was seen of a network: machines by hardware address, who started which
 * service of whom, and what was said there. Filled from EVE lines, from rows of
 * `devices` and `flows`, and from frames; bounded, however long the record is.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/said.h"
#include "guard/policy/oui.h"

#define SEEN_MACHINES 20000
#define SEEN_TALKS    65536
#define SEEN_IPS      8
#define SEEN_DATA     32768
#define SEEN_GROUPS   16

struct seen_machine {
	uint8_t mac[6];
	uint8_t ip[SEEN_IPS][16]; /* as address_prefix() gives them */
	bool announced[SEEN_IPS]; /* by ARP or the inventory: surely its own */
	unsigned ips;
	bool router; /* sends for many others */
	bool moves;  /* has several addresses of one network of IPv6: they change (RFC 8981) */
	bool leases; /* asks for its address by DHCP */
	bool listed; /* the inventory has it: it is on a ward's side */
	char name[64], vendor[96], profile[64], reasons[256], segment[64]; /* "" not known */
};

/* `from` opened conversations with a service of `to`. */
struct seen_talk {
	uint8_t from[16], to[16];
	uint16_t port; /* 0 where the protocol has none */
	uint8_t proto;
	char app[24]; /* "" not known */
	bool mixed;   /* not all of them spoke that */
	bool called;  /* `to` only answered what `from` asked of all: no conversation of the two */
	uint64_t flows, bytes;
};

/* A port of `at` that the other of two was told by FTP or TFTP: what comes there is data of that. */
struct seen_data {
	uint8_t at[16], other[16];
	uint16_t port;
	uint8_t proto, pad;
};

struct seen {
	struct seen_machine *machines; /* sorted by MAC after seen_settle() */
	size_t machine_count, machine_cap;
	uint32_t *slots;	 /* index by MAC while they come in */
	struct seen_talk *talks; /* merged, sorted after seen_settle() */
	size_t talk_count, talk_cap;
	struct saids said;
	uint8_t broadcast[SEEN_GROUPS][16]; /* addresses of everybody in a network */
	unsigned broadcasts;
	struct seen_data *data;
	uint32_t *data_slots; /* index while they come in */
	size_t data_count;
	uint64_t lines, refused; /* EVE lines taken, and those that were none */
	uint64_t unanswered;	 /* conversations nobody answered: not proposed */
	uint64_t forgotten;	 /* machines and talks beyond the bounds */
};

/* 0 or -ENOMEM. */
int seen_new(struct seen *ret_seen);
void seen_free(struct seen *s);
/* Does a rule for the one protocol let the other be spoken (proto.h)? By their names. */
bool seen_covers(const char *named, const char *spoken);

/* One EVE event, or one row of `devices`. */
void seen_event(struct seen *s, const json_t *event);
/* The same as a line; one that is no object is counted as refused. */
void seen_line(struct seen *s, const char *line, size_t len);
/* A frame's sender; `announced`: it says so itself (ARP). */
void seen_sender(struct seen *s, const uint8_t mac[6], const uint8_t ip[16], bool announced);
/* An address that frames for everybody bear. */
void seen_broadcast(struct seen *s, const uint8_t ip[16]);
bool seen_is_broadcast(const struct seen *s, const uint8_t ip[16]);
/* Merges, sorts, strikes routers' guests. */
void seen_settle(struct seen *s);
/* Names the makers that are not known yet by their hardware addresses. */
void seen_name_vendors(struct seen *s, const struct oui *oui);

#endif
