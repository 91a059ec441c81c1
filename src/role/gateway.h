#ifndef BEDWARDEN_ROLE_GATEWAY_H
#define BEDWARDEN_ROLE_GATEWAY_H
/*
 * The running gateway as its parent holds it, shared by the parent's files:
 *
 *   parent.c   the loop: signals, messages, time
 *   member.c   the roles' table: how each child is started and first spoken to
 *   reload.c   a policy taken into force, at start, on request, for changed ports
 *   watch.c    what is looked at once a second: counters, hearts
 *   install.c  updates put in place
 *   errand.c   commands done for who asks by the API
 *   releases.c another release of the gateway itself
 *   grants.c   doors that the keeper opens and shuts, and those for data that guards announce
 *   sealing.c  memory that guards share with the link
 *   handover.c connections of relays from one link's process to the next
 *   status.c   the answer to `bedwarden status`
 */
#include "bpf/shared.h"
#include "guard/announced.h"
#include "role/child.h"
#include "role/control.h"
#include "role/doors.h"
#include "role/errand.h"
#include "role/fact.h"
#include "role/front.h"
#include "role/port.h"
#include "role/setup.h"
#include "role/site.h"

enum role_id {
	ROLE_KEEPER,
	ROLE_GUARD,
	ROLE_CONSOLE,
	ROLE_LINK,
	ROLE_COURIER,
	ROLE_UPDATER,
	ROLE_INSTALLER,
	ROLE_SURVEYOR,
	ROLE_CLERK,
	ROLE_EXPORTER,
	ROLE_COUNT
};

#define MEMBERS_MAX (ROLE_COUNT - 1 + SETUP_GUARDS_MAX)

struct gate;
struct gateway;

#define MEMBER_TEXT 4096

struct member {
	struct child child;
	enum role_id role;
	uint32_t generation; /* guards: of the policy it says is in force there */
	struct setup_counts counts;
	char arguments[MEMBER_TEXT]; /* what it was started with, … */
	struct setup_guard setup;    /* … and was told; guards only */
	int frames;		     /* guards: the memory that it shares with the link; 0 none */
};

/* What the installer is to do, see install.c. */
struct install {
	bool wanted, again; /* again: look once more when that is done */
	uint32_t id;	    /* of the keeper's question; 0 nobody's */
	char *order;
	size_t len;
};

/* What the clerk is sent for, see errand.c. */
struct errand {
	bool wanted, under_way;
	bool long_;  /* it takes its time: a bundle */
	uint32_t id; /* of the keeper's question */
	int fd;	     /* what it is about, until it has it; 0 none */
	struct errand_words words;
};

struct gateway {
	const char *config_file;
	char name[64];
	uint64_t started_ns; /* monotonic */
	uint32_t generation;
	struct site site;
	struct ports ports;
	struct gate *gate;	  /* the kernel's floor; NULL: back end `packet` */
	char why_packet[256];	  /* what forbids the kernel's floor; "" where it stands */
	char refused[SITE_ERROR]; /* what was wrong with the last policy; "" nothing */
	struct control control;
	struct front front; /* where the console listens */
	struct doors doors; /* where relays do */
	struct facts facts;
	struct gate_grant_row
		grants[GATE_GRANTS]; /* in force, as the keeper last said, if it has */
	uint32_t grant_count;
	bool grants_known;
	struct announced announced; /* doors for data, by guards */
	struct member members[MEMBERS_MAX];
	unsigned member_count;
	unsigned guards;
	struct watch *watch;
	int links;	  /* memory of struct gate_link, without the kernel's floor; 0 none */
	int link_wake;	  /* what wakes the link; 0 none */
	int estate;	  /* memory in which keys outlive the link's process; 0 none */
	bool link_shares; /* the link that runs was given all this */
	struct setup_peers peers; /* as the link last said */
	int handover[2];	  /* in which connections lie from link to link; -1 none */
	bool followed; /* who holds that pair besides outlives us: another gateway takes over */
	bool heir;     /* and is about to, by the supervisor's word */
	struct install install;
	bool survey; /* the keeper wants one */
	struct errand errand;
	int supervisor;	       /* who changes releases; -1: started by hand */
	char release[64];      /* the one that this is; "" the packaged one */
	uint64_t ports_due_ns; /* when to look at the ports again; 0 not */
	bool ports_changed;    /* an interface came or vanished: recompile */
	bool stopping;
};

/* member.c */
void members_init(struct gateway *g);
/* A guard without a single port to guard has nothing to do until one comes. */
bool member_wanted(const struct gateway *g, const struct member *m);
/* Starts it and says what it must know first. */
void member_start(struct gateway *g, struct member *m);
/* Sends; a child that does not take its messages is ended, to be started anew. */
void member_send(struct member *m, enum ipc_type type, uint32_t id, struct bytes body, int fd);
struct member *member_keeper(struct gateway *g);
/* Tells the keeper what the policy wishes of it. */
void member_wishes(struct gateway *g);
/* Tells the updater which devices get firmware, and how, if it is there. */
void member_firmware(struct gateway *g);
/* The link, NULL before members_init(). */
struct member *member_link(struct gateway *g);
/* Gives the link its relays and their sockets, if it is there. */
void member_relays(struct gateway *g);
/* What guards and link share, for the sealed link, is sealing.c's. */
/* Its name for people: "keeper", "guard 1". */
#define MEMBER_NAME 32
const char *member_name(const struct member *m, char ret_name[MEMBER_NAME]);
/* Would it be started differently now? */
bool member_outdated(const struct gateway *g, const struct member *m);

/* reload.c */
/* From nothing to a floor in force. 0; -errno with ret_error said. */
int reload_first(struct gateway *g, char ret_error[SITE_ERROR]);
/* Reads the file again. 0; -EINVAL: refused, the old policy stays, ret_error says why. */
int reload_apply(struct gateway *g, char ret_error[SITE_ERROR]);
/*
 * Puts the text that `fd` holds in the policy file's place, if that still has the SHA-256
 * `base`, and takes it into force. 0; -ESTALE the file is another by now; -EINVAL:
 * refused, file and policy stay, ret_error says why.
 */
int reload_replace(struct gateway *g, int fd, const uint8_t *base, char ret_error[SITE_ERROR]);
/* An interface came or vanished: the same policy on other ports. */
void reload_ports(struct gateway *g);
/* Those of a role that would be started differently now are ended in order, to be started anew. */
void reload_restart(struct gateway *g, enum role_id role);

/* sealing.c */
bool sealing_wanted(const struct gateway *g);
/* A guard or the link was just started: it gets its memory, and queues with whoever is there. */
void sealing_guard(struct gateway *g, struct member *guard);
void sealing_link(struct gateway *g, struct member *link);
void sealing_close(struct gateway *g);

/* handover.c */
/* The pair that outlives this gateway, where a supervisor gave one; else one of our own. And the sealed
 * links' keys and socket, where the gateway before this one left them. */
void handover_open(struct gateway *g);
/* Leaves ours to the supervisor, for the next one. */
void handover_bequeath(struct gateway *g);
/* A link was just started, and knows its relays. */
void handover_greet(struct gateway *g, struct member *link);
void handover_close(struct gateway *g);

/* grants.c */
/* The keeper says which doors are open. False: that is no message of its kind. */
bool grants_take(struct gateway *g, struct member *keeper, const struct ipc_message *m);
/* A guard read of a door for data. Only what a grant in force allows is opened. */
bool grants_announced(struct gateway *g, struct member *guard, const struct ipc_message *m);
/* A policy came into force, the first one too: doors for data that it forbids are shut. */
void grants_policy(struct gateway *g);
/* Tells a guard that was just started. */
void grants_greet(struct gateway *g, struct member *guard);

/* install.c */
/* The keeper wants something installed, or, with an empty body, to know what is in place. */
bool install_take(struct gateway *g, struct member *keeper, const struct ipc_message *m);
void install_look(struct gateway *g);
/* Gives an installer that was just started its order. */
void install_greet(struct gateway *g, struct member *installer);
/* It is done. False: that is no message of its kind. */
bool install_done(struct gateway *g, struct member *installer, const struct ipc_message *m);
/* The updater's folder, made for it; a descriptor to close(), or -errno. */
int install_mirror(const char *state_dir);

/* watch.c */
struct watch *watch_new(void); /* NULL: no memory */
void watch_free(struct watch *w);
/* Once a second: what went uninspected and what was shut out, per device; guards gone quiet. */
void watch_second(struct gateway *g, uint64_t now_ns);
/* The counters now, and what is to be said of them; before the floor's device ids change. */
void watch_counts(struct gateway *g);
/* A policy came into force in the floor: device ids mean something else now. */
void watch_policy(struct gateway *g);
/* A port's link or interface changed: port_changed_fn. */
void watch_port(void *arg, const struct port *p, unsigned changes);

/* take.c */
/* What a child that may say so said (role/parent.c). False: that is no message of its kind. The
 * descriptor stays the caller's. */
bool take_message(struct gateway *g, struct member *m, const struct ipc_message *msg);

/* status.c */
/* The JSON object; its length, 0 where it does not fit. */
size_t status_json(struct gateway *g, uint64_t now_ns, char *buf, size_t cap);

#endif
