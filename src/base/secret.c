#include "base/secret.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

void *secret_new(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)mlock2(p, len, 0); /* ASan makes mlock() do nothing */
	(void)madvise(p, len, MADV_DONTDUMP);
	(void)madvise(p, len, MADV_WIPEONFORK);
	return p;
}

void secret_free(void *secret, size_t len)
{
	if (!secret)
		return;
	secret_wipe(secret, len);
	munmap(secret, len);
}

void secret_wipe(void *data, size_t len)
{
	explicit_bzero(data, len);
}

void secret_no_core(void)
{
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}
