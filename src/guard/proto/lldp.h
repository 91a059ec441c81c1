#ifndef BEDWARDEN_GUARD_PROTO_LLDP_H
#define BEDWARDEN_GUARD_PROTO_LLDP_H
/*
 * One LLDP data unit (IEEE 802.1AB §8), with the inventory of LLDP-MED
 * (ANSI/TIA-1057 §10.2.6) where it is there. Borrows the payload.
 */
#include "base/bytes.h"

#define LLDP_ETHERTYPE 0x88cc

struct lldp {
	struct bytes chassis_mac; /* six bytes, or empty: another kind of identifier */
	struct bytes system_name, system_description;
	struct bytes manufacturer, model; /* LLDP-MED */
};

enum parse lldp_read(struct bytes payload, struct lldp *ret_l);

#endif
