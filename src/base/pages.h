#ifndef BEDWARDEN_BASE_PAGES_H
#define BEDWARDEN_BASE_PAGES_H
/*
 * Memory for tables that are looked into all over: random access costs more in
 * page walks than in cache misses, so it comes in huge pages where the kernel
 * has them (madvise). Zeroed, and touched only as it is used.
 */
#include <stddef.h>

#define PAGES_HUGE ((size_t)2 << 20)

/* What pages_map() makes of a size. */
size_t pages_size(size_t size);
/* *size grows to whole pages. NULL where there is no memory. */
void *pages_map(size_t *size);
void pages_unmap(void *p, size_t size); /* `size` as pages_map() left it; p may be NULL */

#endif
