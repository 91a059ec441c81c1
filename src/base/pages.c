#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

size_t pages_size(size_t size)
{
	return size >= PAGES_HUGE ? (size + PAGES_HUGE - 1) & ~(PAGES_HUGE - 1) : size;
}

void *pages_map(size_t *size)
{
	size_t spare = *size >= PAGES_HUGE ? PAGES_HUGE : 0, before;
	uint8_t *p;

	*size = pages_size(*size);
	p = mmap(NULL, *size + spare, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (!spare)
		return p;
	before = -(uintptr_t)p & (PAGES_HUGE - 1);
	if (before)
		munmap(p, before);
	p += before;
	munmap(p + *size, PAGES_HUGE - before);
	(void)madvise(p, *size, MADV_HUGEPAGE);
	return p;
}

void pages_unmap(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}
