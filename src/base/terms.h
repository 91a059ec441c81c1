#ifndef BEDWARDEN_BASE_TERMS_H
#define BEDWARDEN_BASE_TERMS_H
/*
 * The words a policy is written in, as numbers. Also compiled for BPF: nothing
 * here but enums.
 */

/* What the policy table says of a packet. GATE_SEAL: it goes by the sealed link to the gateway
 * that its other end is behind. */
enum gate_action { GATE_PASS = 0, GATE_INSPECT = 1, GATE_SEAL = 2, GATE_DROP = 3 };

/* How far the gateway may go for a device. */
enum gate_mode { GATE_OBSERVE = 0, GATE_SIMULATE = 1, GATE_ENFORCE = 2 };

/* What happens to a device's `inspect` traffic while nobody inspects. */
enum gate_fail { GATE_OPEN = 0, GATE_CLOSED = 1 };

#endif
