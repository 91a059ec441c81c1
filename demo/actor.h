#ifndef BEDWARDEN_DEMO_ACTOR_H
#define BEDWARDEN_DEMO_ACTOR_H
/*
 * Processes that play a part: a function or a tool, each in the network
 * namespace of its place. No shell: arguments are handed to exec as they are.
 * An actor dies with the director; the director, as first process of its own
 * PID namespace, takes everything with it when it goes.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What runs in a place; its return value is the process's exit code. */
typedef int (*actor_fn)(void *arg);

struct actor_tool {
	const char *const *argv; /* ends with NULL; argv[0] is looked up in PATH and the sbins */
	const char *input;	 /* text for its standard input; NULL: nothing to read */
	const char *output;	 /* file that takes stdout and stderr; NULL: thrown away */
	const char *dir;	 /* where it starts; NULL: where we are */
	void (*prepare)(void *); /* called in the child before exec, or NULL */
	void *prepare_arg;
};

/* A pid, or -errno. netns -1: the caller's own. `arg` is copied with the process. */
pid_t actor_start(int netns, actor_fn fn, void *arg);
pid_t actor_exec(int netns, const struct actor_tool *t);
/* The exit code; 128 + signal; -ETIMEDOUT (and the actor is killed); -ECHILD. */
int actor_wait(pid_t pid, int timeout_ms);
/* SIGTERM, a second's patience, SIGKILL. Nothing where pid <= 0. */
void actor_stop(pid_t pid);
/* Starts it and waits for the end. */
int actor_run(int netns, const struct actor_tool *t, int timeout_ms);
bool actor_tool_there(const char *name);

/* Sleeps, however many signals arrive. */
void actor_sleep(int ms);

#endif
