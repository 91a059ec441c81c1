#include "role/lock_in.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/sandbox.h"

static bool is_unknown(int err)
{
	return err == -ENOSYS || err == -EOPNOTSUPP;
}

void lock_in(const char *user, bool connects, const char *const *calls, size_t count)
{
	int err = sandbox_drop(user);

	if (err)
		fatal("could not give up its rights: %s", strerror(-err));
	err = sandbox_files(NULL, 0);
	if (err && !is_unknown(err))
		fatal("could not give up the file system: %s", strerror(-err));
	err = connects ? 0 : sandbox_network();
	if (err && !is_unknown(err))
		fatal("could not give up the network: %s", strerror(-err));
	err = sandbox_calls(calls, count);
	if (err)
		fatal("could not give up system calls: %s", strerror(-err));
}
