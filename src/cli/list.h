#ifndef BEDWARDEN_CLI_LIST_H
#define BEDWARDEN_CLI_LIST_H
/*
 * A command that lists what the gateway knows: asks once, prints a table for a
 * person or, with --json, an array for a program.
 */
#include "cli/control.h"
#include "cli/table.h"

struct list {
	const char *command; /* of the control socket, and its name here */
	const struct table_column *columns;
	unsigned count;
	control_row_fn add;  /* a row of the answer into the table that is its argument */
	bool by_device;	     /* has --device NAME */
	const char *nothing; /* said where the table would be empty */
};

int list_run(const struct list *l, int argc, char **argv);
/* Asks `request` and prints its rows so. */
int list_print(const struct list *l, const struct control_options *o, json_t *request);

#endif
