#ifndef BEDWARDEN_GUARD_POLICY_OUI_H
#define BEDWARDEN_GUARD_POLICY_OUI_H
/*
 * Who made a network card, by the beginning of its hardware address: the IEEE
 * registries as Debian's ieee-data ships them (oui.txt, mam.txt, oui36.txt),
 * given line by line. The longest assignment that fits counts.
 */
#include "base/bytes.h"

struct oui;

/* NULL with errno ENOMEM. An empty table knows nobody. */
struct oui *oui_new(void);
void oui_free(struct oui *o);
/* The next line of a registry, without its end. 1 it is an assignment, 0 it makes no sense here, or -ENOMEM. */
int oui_add(struct oui *o, struct bytes line);
/* After the last one: before, none is found. */
void oui_sort(struct oui *o);
/* "" where it is not known, and for addresses that a machine gave itself. Borrowed. */
const char *oui_vendor(const struct oui *o, const uint8_t mac[6]);

#endif
