#ifndef BEDWARDEN_ROLE_FIRMWARE_H
#define BEDWARDEN_ROLE_FIRMWARE_H
/*
 * Which devices get firmware, and how, as the parent tells the updater (IPC_FIRMWARE) when that starts
 * and with every policy: a memfd with JSON, for passwords are in it.
 *
 *   {"auto","plan":{"few","parallel","success","pause_s","install_s","watch_s","patient_s",
 *                   "window":[from,to]},
 *    "devices":[{"name","vendor","model","version","driver","seen",
 *                "push":{"url","then","post","user","password","ca","host_key","seconds"}}]}
 *
 * `seen`: a guard reads what it sends, so that it can be told whether it is on a patient.
 */
#include <jansson.h>

#include "base/config.h"
#include "update/rollout/rollouts.h"

struct policy;

/* Does a device get any? */
bool firmware_wanted(const struct config *c);
/* Does a guard read anything that this device sends? What the kernel passes by itself nobody sees. */
bool firmware_seen(const struct policy *p, uint32_t device);
/* The parent's: the memfd, the caller's; -errno. */
int firmware_setup(const struct config *c, const struct policy *p);

/* The updater's. A device as the parent told of it; `push` of DRIVER_PUSH. */
struct firmware_device {
	char name[ROLLOUT_NAME], vendor[128], model[128], version[96];
	enum driver driver;
	bool seen;
	struct push push;
};

struct firmware {
	bool automatic; /* a rollout needs nobody's word */
	struct rollout_plan plan;
	struct firmware_device *devices; /* in the policy's order */
	const struct firmware_device **by_name;
	unsigned count;
};

/* NULL: it is none, or there is no memory. */
struct firmware *firmware_read(int fd);
void firmware_free(struct firmware *f);
/* NULL: the policy has no such device, or it gets none. Borrowed. */
const struct firmware_device *firmware_find(const struct firmware *f, const char *name);

#endif
