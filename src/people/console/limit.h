#ifndef BEDWARDEN_PEOPLE_CONSOLE_LIMIT_H
#define BEDWARDEN_PEOPLE_CONSOLE_LIMIT_H
/*
 * What one address may take of the console: connections at once, requests a
 * second. Addresses are IPv4 ones, and of IPv6 the first 64 bits, which are as
 * easily had as one. Memory is fixed: where more addresses come than there are
 * places, the one longest quiet without a connection makes room.
 */
#include <stdbool.h>
#include <stdint.h>

#define LIMIT_SOURCES 4096

struct limit;
struct sockaddr;

struct limit_rates {
	uint32_t connections; /* of one address */
	uint32_t requests;    /* a second; four times as many at once */
};

struct limit *limit_new(const struct limit_rates *rates); /* NULL: no memory */
void limit_free(struct limit *l);

/* A connection: false, it is one too many. Each that was let in is to be left. */
bool limit_enter(struct limit *l, const struct sockaddr *from, uint64_t now_ns);
void limit_leave(struct limit *l, const struct sockaddr *from);
/* How many that were let in it has now. */
uint32_t limit_connections(struct limit *l, const struct sockaddr *from);
/* A request: false, too many; *ret_wait_s is when to try again. */
bool limit_ask(struct limit *l, const struct sockaddr *from, uint64_t now_ns, unsigned *ret_wait_s);

#endif
