#ifndef BEDWARDEN_ROLE_CHILD_H
#define BEDWARDEN_ROLE_CHILD_H
/*
 * One process of the gateway, as its parent sees it: started by fork and exec of
 * this same binary, so that it inherits no memory, and with the descriptors it
 * is given and no others. It ends with its parent: by a signal from the kernel,
 * and by the end of its socket.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "role/respawn.h"

#define CHILD_IPC_FD   3 /* in the child: its end of the pair with the parent */
#define CHILD_ARGS_MAX 192
#define CHILD_FDS_MAX  4

struct child {
	const char *name;  /* of its role, static */
	unsigned number;   /* within its role */
	pid_t pid;	   /* 0: none runs */
	int sock;	   /* the parent's end; -1 none */
	bool ready;	   /* said IPC_READY */
	bool stopping;	   /* asked to end: its end is no news */
	uint64_t restarts; /* deaths that were not asked for */
	uint64_t heard_ns; /* last message from it, or its start */
	unsigned unheard;  /* times since then that it was asked whether it is there */
	uint64_t again_ns; /* when it may be started again */
	struct respawn respawn;
};

/* How to start it. Everything is borrowed for the call. */
struct child_start {
	const char *program; /* "/proc/self/exe" but in tests */
	char *const *argv;   /* ended by NULL */
	const int *fds;	     /* become descriptors 4, 5, … */
	unsigned fd_count;   /* at most CHILD_FDS_MAX */
	int death_signal;    /* what the kernel sends it when the parent ends */
};

void child_init(struct child *c, const char *name, unsigned number);
/* 0; -errno where no process could be made, which counts as a death. */
int child_start(struct child *c, const struct child_start *how, uint64_t now_ns);
/* It is gone (waitpid said so): forgets it, says when to start it again. */
void child_gone(struct child *c, uint64_t now_ns);
/* Ends it by SIGKILL if it runs; child_gone() follows once it is waited for. */
void child_kill(struct child *c);

#endif
