#ifndef BEDWARDEN_BASE_CHECK_INTERNAL_H
#define BEDWARDEN_BASE_CHECK_INTERNAL_H
/*
 * What the files of the check share: check.c goes through a policy and a profile,
 * check_name.c knows who is called what, check_address.c what an address is and
 * whose; the others each hold a part of the file against that. A function says what
 * is wrong by check_wrong() and goes on, so that a person reads all of it at once.
 */
#include "base/check.h"
#include "base/config.h"

#define CHECK_ROLES 61 /* what a rule's mask of roles has room for (bpf/shared.h) */

/* A name and whose it is. */
struct check_name {
	const char *text;
	uint32_t index;
	bool device;
};

struct checking {
	const struct config *c; /* NULL for a profile */
	const struct outline *o;
	struct errors *e;
	struct check_name *names; /* hosts and devices, sorted */
	size_t names_count;
	struct check_name *segments; /* sorted */
	const char *roles[CHECK_ROLES];
	unsigned roles_count;
};

/* An error at the place that a path names. */
__attribute__((format(printf, 3, 4))) void check_wrong(struct checking *k, const char *path,
						       const char *fmt, ...);
/* A text that is one of a few words; `expected` lists them for a person. */
void check_word(struct checking *k, const char *path, const char *key, const char *value,
		const char *const *words, const char *expected);

/* Fills in names and segments, the caller's to free in any case; false: no memory. */
bool check_names_gather(struct checking *k);
/* Of hosts and devices: each has one of its own. */
void check_names(struct checking *k);
const struct check_name *check_name_find(const struct check_name *names, size_t count,
					 const char *text);
/* "; did you mean 'x'?" for the name nearest to `text`, or what was expected at all. */
void check_name_hint(const struct check_name *names, size_t count, const char *text,
		     const char *expected, char *ret_hint, size_t size);
/* any, broadcast, multicast, dhcp: names that are nobody's. */
bool check_is_own_peer(const char *name);
/* One that a host has; those that rules may name come to be known by this. */
void check_role_add(struct checking *k, const char *path, const char *role);

/* `single`: it must be one machine's address. */
void check_prefix(struct checking *k, const char *path, const char *text, bool single);
bool check_mac(struct checking *k, const char *path, const char *text);
/* That none belongs to two. */
void check_addresses(struct checking *k);

void check_rules(struct checking *k, const char *path, const struct config_rule *rules,
		 unsigned count);
/* As config_words_fn; false where nobody is asked. */
bool check_words_wrong(const char *app, char *const *words, unsigned count, int *ret_line,
		       char ret_why[160]);
void check_shield(struct checking *k, unsigned i);

void check_roles(struct checking *k, const char *path, const char *key, char *const *roles,
		 unsigned count);
void check_services(struct checking *k, const char *path, const struct config_service *list,
		    unsigned count);

void check_segment(struct checking *k, unsigned i);
void check_host(struct checking *k, unsigned i);
void check_device(struct checking *k, unsigned i);

void check_relay(struct checking *k, unsigned i);
void check_link(struct checking *k);

/* What the gateway does for itself. */
void check_gateway(struct checking *k);
void check_console(struct checking *k);
void check_people(struct checking *k);
void check_audit(struct checking *k);
void check_backup(struct checking *k);
void check_updates(struct checking *k);
void check_pki(struct checking *k);

/* Firmware for devices: who brings it, where to, and that it can be found. */
void check_device_update(struct checking *k, unsigned i);
void check_rollouts(struct checking *k);

#endif
