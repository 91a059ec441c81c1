#ifndef BEDWARDEN_CLI_PASSPHRASE_H
#define BEDWARDEN_CLI_PASSPHRASE_H
/*
 * Passphrases from a person, who types them unseen on the terminal even where
 * standard input is a pipe; or from a program, in the environment.
 */
#include <stdbool.h>
#include <stddef.h>

enum { PASSPHRASE_MAX = 1024 }; /* with the zero */

/* Locked memory, passphrase_free() it; NULL, and it was said why. */
char *passphrase_ask(const char *prompt);
/* Twice, until they agree; nothing typed makes one up and shows it. */
char *passphrase_new(void);
/* Of AGE_PASSPHRASE, or of the descriptor AGE_PASSPHRASE_FD, as age-plugin-batchpass has it. */
char *passphrase_from_environment(void);
/* Is one of them set? */
bool passphrase_in_environment(void);
void passphrase_free(char *passphrase);

#endif
