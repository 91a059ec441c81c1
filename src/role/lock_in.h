#ifndef BEDWARDEN_ROLE_LOCK_IN_H
#define BEDWARDEN_ROLE_LOCK_IN_H
/*
 * A process that has opened what it needs gives up the rest: its user's rights, the file system,
 * new connections unless it `connects`, and every system call but what all roles live on and `calls`,
 * `count` names. Ends the process where the kernel refuses what it knows; a kernel without Landlock leaves
 * files and network to the user's rights.
 */
#include <stdbool.h>
#include <stddef.h>

void lock_in(const char *user, bool connects, const char *const *calls, size_t count);

#endif
