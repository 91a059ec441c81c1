#ifndef BEDWARDEN_GUARD_CAPTURE_GATE_INTERNAL_H
#define BEDWARDEN_GUARD_CAPTURE_GATE_INTERNAL_H
/*
 * What the files of the gate share: gate.c opens and pins, gate_apply.c fills
 * the tables, gate_port.c attaches, gate_read.c counts.
 */
#include "guard/capture/gate.h"

struct gate_bpf;

struct gate {
	struct gate_bpf *bpf;
	struct gate_config *config; /* shared with the kernel */
	char dir[200];
};

/* Says why, formatted, and returns `err` (negative). */
int gate_say(char ret_why[256], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Takes the program off a pinned port and the pin away. */
void gate_unlink_port(const char *dir, uint32_t ifindex);

#endif
