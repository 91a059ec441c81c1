#ifndef BEDWARDEN_CLI_DRAFT_H
#define BEDWARDEN_CLI_DRAFT_H
/*
 * What a proposal is going to say, before it is text: the devices, the policy's
 * own first, and the hosts they talk to, each with its name, its profile or
 * roles, and why. An address belongs to whoever claimed it first. A draft
 * borrows from what it was made of, and is to be freed whether or not that
 * succeeded.
 */
#include "cli/fit.h"

#define DRAFT_ROLES 8

struct draft_device {
	const struct config_device *known; /* NULL: new */
	const struct seen_machine *machine;
	const struct config_profile *profile; /* NULL none */
	char name[64], why[256];
	const char *segment;
};

struct draft_host {
	const struct config_host *known; /* NULL: new */
	uint8_t ip[16];
	char name[64];
	const char *role[DRAFT_ROLES];
	unsigned roles;
	char why[256];
};

/* Whose an address is. */
struct draft_owner {
	uint8_t ip[16];
	uint32_t index;
	bool device;
};

struct draft {
	struct propose *p;
	struct draft_device *devices;
	size_t device_count;
	struct draft_host *hosts;
	size_t host_count, new_hosts;
	struct draft_owner *owners; /* sorted once devices are there; hosts are appended behind */
	size_t owner_count, owners_sorted;
	uint64_t hosts_left_out;
};

/* 0; -ENOENT no machine could be told to be a device; -ENOMEM. */
int draft_make(struct propose *p, struct draft *ret_draft);
void draft_free(struct draft *x);

/* Whose address it is; NULL no device's. */
const struct draft_device *draft_device_of(const struct draft *x, const uint8_t ip[16]);
/* The host with an address, made if need be; NULL a device's, or there are too many. */
struct draft_host *draft_host_for(struct draft *x, const uint8_t ip[16]);
/*
 * The line by which it is allowed or dropped as things stand: the first that
 * fits, its own before its profile's; NULL none. `other` is NULL for broadcast,
 * multicast and devices.
 */
const struct config_rule *draft_rule(const struct draft_device *d, const struct draft_host *other,
				     const struct seen_talk *t, enum fit_far far, bool starts);

#endif
