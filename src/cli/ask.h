#ifndef BEDWARDEN_CLI_ASK_H
#define BEDWARDEN_CLI_ASK_H
/*
 * One question to the running gateway over its control socket, RUN_DIR/control:
 * a JSON line out, JSON lines back until {"end":true} or {"error":"…"}.
 */
#include <stddef.h>

/* One line of the answer, ended by a zero instead of its newline. Nonzero stops. */
typedef int (*ask_row_fn)(void *arg, const char *line, size_t len);

/*
 * 0; -errno, with one line for a person in ret_error (512 bytes): what, where,
 * what to do. A gateway that says nothing for a minute counts as gone.
 */
int ask(const char *run_dir, const char *request, ask_row_fn row, void *arg, char *ret_error);

#endif
