#ifndef BEDWARDEN_UPDATE_AGENT_TALK_H
#define BEDWARDEN_UPDATE_AGENT_TALK_H
/*
 * What an agent on a device and the gateway say to each other, within TLS (doc/agent.md). A
 * message is a length (32 bits, big-endian) and so many bytes of a JSON object; the agent speaks
 * first and gets one answer each time. Only {"bytes":N} is followed by N bytes of a file.
 *
 * Both ends read here, and neither believes the other: lengths are bounded, members that are
 * unknown are passed over, those that are known have their type and size or the message is BAD.
 */
#include <jansson.h>

#include "base/bytes.h"

#define TALK_MAX     16384 /* bytes of JSON */
#define TALK_TEXT    256
#define TALK_PIECE   (1u << 20) /* of a file, in one answer, at most */
#define TALK_VERSION 1

enum talk_state {
	TALK_IDLE,     /* runs `version`, and nothing else is there */
	TALK_RECEIVED, /* has `target` whole, not installed */
	TALK_TRIAL,    /* runs `version` from `target`, until it is kept or goes back */
	TALK_FAILED,   /* `target` could not be installed, or was taken back: `text` says why */
	TALK_STATES
};

/* The device about itself. */
struct talk_report {
	char vendor[64], model[64], hardware[64], serial[64], version[64];
	char target[TALK_TEXT], text[TALK_TEXT];
	enum talk_state state;
	bool healthy;
	/* It asks for the file, from here on. */
	bool asks;
	uint64_t from;
};

enum talk_do {
	TALK_WAIT,
	TALK_GET,     /* fetch `target` */
	TALK_INSTALL, /* and run it on trial */
	TALK_KEEP,
	TALK_BACK, /* to what it ran before */
	TALK_BYTES,
	TALK_ORDERS
};

struct talk_order {
	enum talk_do what;
	uint32_t seconds; /* WAIT: until it speaks again */
	char target[TALK_TEXT], version[64];
	uint64_t length; /* GET: of all; BYTES: of what follows */
	uint8_t sha256[32];
};

/*
 * A message at the start of `in`, with its length. OK and *ret_used; MORE; BAD: it is none.
 */
enum parse talk_read_report(struct bytes in, struct talk_report *ret_report, size_t *ret_used);
enum parse talk_read_order(struct bytes in, struct talk_order *ret_order, size_t *ret_used);

/* Its length; 0: it does not fit. */
size_t talk_write_report(const struct talk_report *r, uint8_t ret_data[TALK_MAX + 4]);
size_t talk_write_order(const struct talk_order *o, uint8_t ret_data[TALK_MAX + 4]);

const char *talk_state_name(enum talk_state s);

#endif
