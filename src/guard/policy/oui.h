#ifndef BEDWARDEN_GUARD_POLICY_OUI_H
#define BEDWARDEN_GUARD_POLICY_OUI_H
/*
 * Who made a network card, by the beginning of its hardware address: the IEEE
 * registries as Debian's ieee-data ships them (oui.txt, mam.txt, oui36.txt),
 * given as bytes. The longest assignment that fits counts.
 */
#include "base/bytes.h"

struct oui;

/* NULL with errno ENOMEM. An empty table knows nobody. */
struct oui *oui_new(void);
void oui_free(struct oui *o);
/* Adds a registry; lines that make no sense are passed over. How many entries, or -ENOMEM. */
int oui_add(struct oui *o, struct bytes text);
/* "" where it is not known, and for addresses that a machine gave itself. Borrowed. */
const char *oui_vendor(const struct oui *o, const uint8_t mac[6]);

#endif
