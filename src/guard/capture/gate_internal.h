#ifndef BEDWARDEN_GUARD_CAPTURE_GATE_INTERNAL_H
#define BEDWARDEN_GUARD_CAPTURE_GATE_INTERNAL_H
/*
 * What the files of the gate share: gate.c opens and pins, gate_program.c keeps
 * the program, gate_apply.c fills the tables, gate_grants.c the doors,
 * gate_port.c attaches, gate_read.c counts.
 */
#include "guard/capture/gate.h"

struct bpf_map;
struct gate_bpf;

/* How the tables inside a table of tables look: libbpf forgets that once they are loaded. */
struct gate_inner {
	const struct bpf_map *outer;
	uint32_t type, key_size, value_size, flags;
};

#define GATE_INNER_MAX 16

struct gate {
	struct gate_bpf *bpf;
	struct gate_config *config; /* shared with the kernel */
	struct gate_inner inner[GATE_INNER_MAX];
	unsigned inner_count;
	int program; /* what stands at the ports, -1 none */
	char dir[200];
};

/* Says why, formatted, and returns `err` (negative). */
int gate_say(char ret_why[256], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A new table like those in the table of tables `outer`, for n entries. A descriptor or -errno. */
int gate_make_table(const struct gate *g, const struct bpf_map *outer, uint32_t n);
/* Takes away every pin in `dir` whose name `only` accepts. */
void gate_unpin(const char *dir, bool (*only)(const char *name));
/* A pin in `dir`: a descriptor, or -errno. */
int gate_open_pin(const char *dir, const char *name);
/*
 * The pinned program as `g->program`, if it is this release's and uses the very maps that are pinned
 * beside it: the verifier need not read it again. To be asked when maps of another shape are gone.
 */
bool gate_take_program(struct gate *g);
/* The program just loaded as `g->program`, pinned for the next one in the place of all others. 0 or -errno. */
int gate_keep_program(struct gate *g);
/* Takes the program off a pinned port and the pin away. */
void gate_unlink_port(const char *dir, uint32_t ifindex);

#endif
