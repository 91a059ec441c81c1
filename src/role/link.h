#ifndef BEDWARDEN_ROLE_LINK_H
#define BEDWARDEN_ROLE_LINK_H
/*
 * The link: what leaves a ward leaves sealed. Runs the sealed links to other gateways
 * (seal/link/link.h) and the TLS relays (seal/relay/relay.h), and answers machines that enrol (EST). Unprivileged, without files; it has no private
 * key, but asks the keeper for every signature. The parent gives it sockets that
 * listen and what there is to know (role/doors.h).
 *
 *   bedwarden _link
 *
 * fd 3 is its end of the parent's pair. SIGTERM, and IPC_STOP where it says so (enum setup_stop), ends it
 * with its connections handed over to the next link (seal/relay/relay.h); IPC_STOP that does not, when they
 * have ended or LINK_DRAIN_MS later. Peers are told that it goes, except where the next link
 * has its keys and its socket.
 *
 * Its files: link.c, the process, its rights and its loop; lines.c, the relays and their
 * certificates; peers.c, the sealed links; est.c, EST; agent.c, agents of devices.
 */
#include "base/ipc.h"
#include "role/outbox.h"
#include "seal/relay/relay.h"

#define LINK_DRAIN_MS 1500 /* less than the parent waits */
#define LINK_SHAKE_MS 1000 /* of that, for handshakes that are on */

struct est;
struct json;
struct lines;
struct peers;
struct tls_key;

struct link {
	int parent, keeper; /* sockets; keeper -1: none yet */
	int updater;	    /* socket, to hand agents over; -1 none yet */
	struct relays *relays;
	struct lines *lines;
	struct est *est;
	struct peers *peers;
	struct tls_key *key;
	struct outbox events;
	char state[IPC_BODY_MAX]; /* as the keeper was last told */
	size_t state_len;
	uint32_t asked; /* id of the last question to the keeper */
	int leave;	/* socket, where connections are left for the next link; -1 none */
	bool stopping;
	uint32_t stop; /* enum setup_stop, by the parent's word */
};

/* Asks the keeper about certificates; its answer comes with that id, see pki.h. 0: it cannot be asked. */
uint32_t link_ask(struct link *l, const char *json);
/* A line of JSON for the keeper. */
void link_tell(struct link *l, const char *line, size_t len);

int link_main(int argc, char **argv);

/* --- lines.c --- */
struct lines *lines_new(struct link *l); /* NULL: no memory */
/* After relays_free(). */
void lines_free(struct lines *s);
/* The relays as the parent has them now (role/doors.h). 0; -EBADMSG. */
int lines_take(struct lines *s, struct bytes json);
/* A socket for the relay of that name. */
void lines_listen(struct lines *s, const char *name, int fd);
/* The keeper's answer about our certificate; false: it was not asked that. */
bool lines_answer(struct lines *s, const struct ipc_message *m);
/* Asks for the certificate (again). */
void lines_ask(struct lines *s);
void lines_tick(struct lines *s);
/* Adds the list "relays": how each stands. */
void lines_state(const struct lines *s, struct json *j);
/* No more listening. */
void lines_close(struct lines *s);

/* --- est.c --- */
#define EST_CONNECTIONS 64 /* machines that enrol at once, */
#define EST_PER_SOURCE	4  /* and of one address: no machine keeps the others waiting */
struct est *est_new(struct link *l); /* NULL: no memory */
/* Before relays_free(); who was not answered yet is not. */
void est_free(struct est *e);
/* The `serve` of struct relay_options, with the struct est as its argument. */
int est_serve(void *arg, int fd, const uint8_t from[16], struct bytes certificate);
bool est_answer(struct est *e, const struct ipc_message *m);
void est_tick(struct est *e);

/* --- agent.c --- */
/* The updater's socket, which is taken over; -1 none. */
void agent_peer(struct link *l, int sock);
/* The `serve` of struct relay_options, with the struct link as its argument. */
int agent_serve(void *arg, int fd, const uint8_t from[16], struct bytes certificate);

#endif
