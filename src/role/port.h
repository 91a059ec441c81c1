#ifndef BEDWARDEN_ROLE_PORT_H
#define BEDWARDEN_ROLE_PORT_H
/*
 * The gateway's own network ports: which interface each is just now, and
 * whether it has a link. An interface may be missing, vanish and come back as
 * another one; nothing here fails for that. The kernel's notices only say that
 * something changed: what it is, is then read anew, so that a lost notice costs
 * a moment and never the truth.
 */
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORTS_MAX 64

struct port {
	char name[IF_NAMESIZE];
	uint32_t ifindex; /* 0: no such interface now */
	uint8_t mac[6];
	bool link;	 /* up, and something at the other end */
	unsigned queues; /* receive queues, at least 1 */
	unsigned segment;
	bool ward;
	bool hides_tags; /* takes VLAN tags off frames, and cannot be told not to */
	uint8_t own; /* the gateway has an address of its own there: 4 or 6, IP's version; 0 none */
	bool scatters; /* a conversation's two directions may reach different queues */
};

struct ports {
	int query;  /* for ioctl */
	int notice; /* rtnetlink, link changes; to be polled, then ports_drain() */
	unsigned count;
	struct port list[PORTS_MAX];
};

enum port_change {
	PORT_LINK_UP = 1,
	PORT_LINK_DOWN = 2,
	PORT_CAME = 4, /* an interface of that name, or another one than before */
	PORT_VANISHED = 8,
};

/* Called for each port that changed, after its fields were. `changes`: enum port_change, or'ed. */
typedef void (*port_changed_fn)(void *arg, const struct port *p, unsigned changes);

/* 0 or -errno. */
int ports_open(struct ports *ps);
void ports_close(struct ports *ps);
/* Appends a port, looked up at once. 0; -ENOSPC; -EINVAL for what can be no interface's name. */
int ports_add(struct ports *ps, const char *name, unsigned segment, bool ward);
/* Empties the socket of notices; true if there were any. */
bool ports_drain(struct ports *ps);
/* Looks at every port again. */
void ports_refresh(struct ports *ps, port_changed_fn changed, void *arg);

/*
 * Makes an interface fit to be a port: up, promiscuous (frames are for machines
 * behind it), silent by itself (no IPv6 of its own, no ARP answers for the
 * gateway's other addresses), without offloads that merge packets, for a merged
 * packet is none that was on the wire, and with VLAN tags left in the frames.
 * What cannot be set is left; hides_tags tells of the tags.
 * 0, or -errno where the interface could not even be brought up.
 */
int ports_prepare(const struct ports *ps, struct port *p);
/* Asks the driver for `queues` receive queues. 0 or -errno. */
int ports_set_queues(const struct ports *ps, struct port *p, unsigned queues);
/*
 * Asks for a hash that is the same for both directions of a conversation, so
 * that ports with as many queues each agree on the queue. To be asked for after
 * the number of queues was set; one queue needs none. 0 or -errno; scatters is set.
 */
int ports_balance(const struct ports *ps, struct port *p);

#endif
