#ifndef BEDWARDEN_BASE_WILL_H
#define BEDWARDEN_BASE_WILL_H
/*
 * What a process leaves behind: the first thing that the kernel does for a thread that dies, in
 * whatever way, is to mark the robust futexes it holds (set_robust_list(2)). One word in memory
 * that others see, too, is enough to tell them, long before sockets and mappings are gone.
 */
#include <stdint.h>

/* The word holds this thread's number from now on, and FUTEX_OWNER_DIED when it has died; NULL: no
 * word does any more. One a process. 0 or -errno. */
int will_make(uint32_t *word);

#endif
