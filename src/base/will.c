#include "base/will.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	struct robust_list_head head;
	struct robust_list node;
} will;

int will_make(uint32_t *word)
{
	will.head.list.next = word ? &will.node : &will.head.list;
	will.node.next = &will.head.list;
	will.head.futex_offset = word ? (long)((uintptr_t)word - (uintptr_t)&will.node) : 0;
	if (word)
		__atomic_store_n(word, (uint32_t)gettid(), __ATOMIC_RELEASE);
	return syscall(SYS_set_robust_list, &will.head, sizeof(will.head)) ? -errno : 0;
}
