#ifndef BEDWARDEN_CLI_SINGLE_H
#define BEDWARDEN_CLI_SINGLE_H
/*
 * One input to one output, as `age` does it: files, pipes, or the terminal.
 *
 * A file named with -o appears under that name when it is whole. Where a sealed
 * file turns out to be broken, OUT holds exactly the plain bytes before the break,
 * which are authentic. If there was an OUT before, that stays, and they are left in
 * OUT.part.
 */
#include <stdbool.h>

#include "seal/age/age.h"

struct single {
	const char *in;	 /* NULL or "-": standard input */
	const char *out; /* NULL or "-": standard output */
	bool open;	 /* else seal */
	struct age_seal_options seal;
	struct age_open_options opening;
};

/* Says what is wrong; CLI_OK or CLI_FAILED. */
int single_run(const struct single *s);
/* Why sealing or opening failed, for a person; either the text or strerror(). */
const char *single_why(int error, const char *why);

#endif
