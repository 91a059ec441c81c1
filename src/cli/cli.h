#ifndef BEDWARDEN_CLI_CLI_H
#define BEDWARDEN_CLI_CLI_H
/*
 * The command line: one file a command, one row in the table. Exit codes: 0
 * done, 1 it failed (one line on stderr says what, where and what to do), 2
 * wrong usage.
 */
#include <stdbool.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct cli_command {
	const char *name;
	const char *usage;		   /* what stands behind the name */
	const char *what;		   /* one line; NULL hides it from the list */
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
	bool verbs;			   /* each says itself how it is used */
};

extern const struct cli_command cli_commands[]; /* ends with name NULL */

/* "bedwarden: FMT" and a newline on stderr; returns CLI_FAILED. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same of an argument that can be none; returns CLI_USAGE. */
int cli_misuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct config_error;
/* "FILE:LINE:COLUMN: TEXT" on stderr, as compilers say it; the file alone where the error has no
 * place in it. CLI_FAILED. */
int cli_misread(const struct config_error *e);
/* Says how the command is used; returns CLI_USAGE. */
int cli_usage(const struct cli_command *c);
const struct cli_command *cli_find(const char *name);
/* The commands, each in the file of its name. */
int cli_run(int argc, char **argv);
int cli_agent(int argc, char **argv);
int cli_supervise(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_devices(int argc, char **argv);
int cli_flows(int argc, char **argv);
int cli_events(int argc, char **argv);
int cli_grants(int argc, char **argv);
int cli_keygen(int argc, char **argv);
int cli_seal(int argc, char **argv);
int cli_open(int argc, char **argv);
int cli_tuf(int argc, char **argv);
int cli_repo(int argc, char **argv);
int cli_update(int argc, char **argv);
int cli_report(int argc, char **argv);

/* The whole program: picks the command and runs it. */
int cli_main(int argc, char **argv);

#endif
