#ifndef BEDWARDEN_BASE_SLAB_H
#define BEDWARDEN_BASE_SLAB_H
/*
 * Small objects that come and go with traffic, out of huge pages, each beginning
 * with a cache line: what was given back last is taken first, while it is still
 * in the cache. Memory is kept for the next of the same class until the end, so
 * that in all it is at most what each class had at its peak.
 *
 * For one thread. Under AddressSanitizer everything is malloc() and free(), so that
 * it sees every use after the end.
 */
#include <stddef.h>

#define SLAB_MAX 3712 /* bytes of the largest object */

/* Is everything to be malloc()'s own? */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_OFF 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SLAB_OFF 1
#endif
#ifndef SLAB_OFF
#define SLAB_OFF 0
#endif

struct slab;

struct slab *slab_new(void); /* NULL with errno ENOMEM */
void slab_free(struct slab *s);
/* Not zeroed. NULL where there is no memory. */
void *slab_take(struct slab *s, size_t size);
void slab_give(struct slab *s, void *p, size_t size); /* `size` as it was taken; p may be NULL */

#endif
