#ifndef BEDWARDEN_CLI_CONTROL_H
#define BEDWARDEN_CLI_CONTROL_H
/*
 * Asking the running gateway: the control socket's client, and the options that
 * all commands which ask have in common: -c FILE, --socket PATH, --json.
 */
#include <stdbool.h>

#include <jansson.h>

#include "cli/cli.h"

struct control_options {
	char socket[108]; /* of sun_path's size */
	bool json;
};

struct option;
/*
 * For getopt_long(): what stands before a command's own options and letters.
 * control_option() takes what it returned; CLI_OK: it was one of ours; else the
 * command is to end with that.
 */
#define CONTROL_LETTERS "c:"
#define CONTROL_OPTIONS                                                                     \
	{"config", required_argument, NULL, 'c'}, {"socket", required_argument, NULL, 'S'}, \
	{                                                                                   \
		"json", no_argument, NULL, 'J'                                              \
	}
void control_defaults(struct control_options *o);
/* Takes option `letter` with optarg. CLI_OK, CLI_FAILED (said why), or -1: not one of ours. */
int control_option(struct control_options *o, int letter);

/* Does a gateway listen there? Says nothing. */
bool control_is_there(const struct control_options *o);

/* One row of the answer, borrowed. */
typedef void (*control_row_fn)(void *arg, json_t *row);
/* Asks and gives every row of the answer. CLI_OK, or CLI_FAILED after saying why. Without end
 * where `follow`. */
int control_ask(const struct control_options *o, json_t *request, bool follow, control_row_fn fn,
		void *arg);

/* Who asks, where it is root: the person behind sudo or doas, else "root". Borrowed. */
const char *control_operator(void);

/* Rows as one JSON array on stdout; ASCII only, so that no byte of it moves a terminal. */
int control_print_json(const struct control_options *o, json_t *request);
/* Values of a row that may be missing: "" and 0. */
const char *control_text(const json_t *row, const char *key);
json_int_t control_number(const json_t *row, const char *key);

#endif
