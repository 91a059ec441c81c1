#ifndef BEDWARDEN_KEEP_RECOVERY_H
#define BEDWARDEN_KEEP_RECOVERY_H
/*
 * The way back when the machine is lost: the root key as an age file to one
 * X25519 recipient, whose identity is printed once and kept on paper. Nothing
 * of it stays on the machine but the recipient.
 */
#include "base/cipher.h"

#define RECOVERY_TEXT 128 /* bytes of an identity or a recipient, with its zero */

/* A new pair. ret_identity is the caller's to wipe. 0 or -errno. */
int recovery_new(char ret_identity[RECOVERY_TEXT], char ret_recipient[RECOVERY_TEXT]);
/*
 * The identity in a text as people give it: typed from paper, in small letters or with blanks in
 * between, a line of a key file, or all that was printed around it; lines that begin with '#' are passed
 * over. False: there is none.
 */
bool recovery_find(const char *text, char ret_identity[RECOVERY_TEXT]);
/* Appends the age file. -EINVAL: no X25519 recipient. */
int recovery_seal(const char *recipient, const uint8_t root[CRYPTO_KEY], struct writer *w);
/* -EINVAL: no X25519 identity; -EKEYREJECTED: not the recipient's, or no such file. */
int recovery_open(const char *identity, struct bytes file, uint8_t ret_root[CRYPTO_KEY]);

#endif
