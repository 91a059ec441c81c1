#ifndef BEDWARDEN_GUARD_FLOW_APP_H
#define BEDWARDEN_GUARD_FLOW_APP_H
/*
 * Which application a conversation carries, by what is in it and not by its
 * port (nDPI). Looks at the first packets with a payload only, and keeps its
 * state in a bounded pool: where all slots are taken, the conversation that has
 * held one for longest gives its slot up and stays unnamed.
 *
 * What a server's port speaks is found out from APP_AGREE conversations in a row
 * and then remembered; every APP_RECHECK-th conversation is looked at all the
 * same, so that a service that changes is noticed (doc/adr/0006).
 *
 * Under load fewer conversations are begun: one look costs as much as twenty
 * packets do otherwise, so it has to be earned by that many.
 *
 * The answer is left in flow->app; app_name() turns it into EVE's `app_proto`,
 * in Suricata's spelling where Suricata knows the protocol.
 */
#include "guard/flow/flow.h"

/* Packets with a payload that are looked at before a conversation stays unnamed. */
#define APP_PACKETS_TCP 6
#define APP_PACKETS_UDP 4
/* Looks that may be spent at once, and packets that earn one more: what identification may cost. */
#define APP_LOOKS 2048
#define APP_EARN  512

/* One that stayed unnamed took every look there is, and counts as two of these. */
#define APP_AGREE   4
#define APP_RECHECK 16

struct app;

/* `slots` conversations under identification at once. NULL with errno ENOMEM. */
struct app *app_new(uint32_t slots);
void app_free(struct app *a);

/* Looks at one packet of the flow; cheap once the flow is named or given up. */
void app_look(struct app *a, struct flow *f, const struct packet *p);
/* The flow ends: its slot is free again. */
void app_end(struct app *a, struct flow *f);

/* "tls", "mqtt", …; NULL where the application is not known. */
const char *app_name(const struct app *a, uint16_t app);

#endif
