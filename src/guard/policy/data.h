#ifndef BEDWARDEN_GUARD_POLICY_DATA_H
#define BEDWARDEN_GUARD_POLICY_DATA_H
/*
 * Data that FTP and TFTP move by conversations of their own, at ports that nobody can list: a line
 * that names such a protocol (`app`) and has it inspected permits them as well, between its very ends.
 */
#include "guard/policy/policy.h"

/* Is it a protocol with data of its own? By its name. */
bool data_is_app(const char *app);
/*
 * The rule that permits a door for data between a device and its peer, or ~0: no line lets the device
 * (or, `towards`, the peer) begin to speak FTP (for a door of TCP) or TFTP (of UDP), or the first line
 * about the door's own port drops. Peers are known by address; one that is known by use alone (GATE_DEVICE_ANY_IP) is not.
 */
uint32_t data_rule(const struct policy *p, const struct gate_grant_key *door, bool towards);

#endif
