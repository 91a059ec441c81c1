#ifndef BEDWARDEN_BASE_SECRET_H
#define BEDWARDEN_BASE_SECRET_H
/*
 * Memory for keys and passphrases: whole pages of their own, kept out of swap
 * and core files, empty in a forked child, wiped when freed.
 */
#include <stddef.h>

/*
 * Zeroed. Where the process may lock no more memory it is not locked, which a
 * tool that a user runs cannot insist on. NULL with errno.
 */
void *secret_new(size_t len);
/* Wipes all of it; NULL is fine. */
void secret_free(void *secret, size_t len);
/* No core file of this process, whatever else holds copies. */
void secret_no_core(void);
/* Overwrites what the compiler thinks nobody reads any more. */
void secret_wipe(void *data, size_t len);

#endif
