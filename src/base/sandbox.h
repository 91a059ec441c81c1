#ifndef BEDWARDEN_BASE_SANDBOX_H
#define BEDWARDEN_BASE_SANDBOX_H
/*
 * Least privilege, taken for good. Each call only ever removes rights, and a
 * failure to remove them is fatal to the process that asked: a guard without
 * its sandbox must not run.
 */
#include <stdbool.h>
#include <stddef.h>

/* Becomes the user (with its groups), drops every capability, sets no_new_privs. Where the
 * user does not exist, `nobody`. Under a user namespace with a single mapping the uid stays. */
int sandbox_drop(const char *user);

struct sandbox_path {
	const char *path;
	bool write; /* else read only */
};
/* Landlock: these trees and nothing else of the file system; count 0: nothing at all. 0,
 * -ENOSYS or -EOPNOTSUPP where the kernel has none. */
int sandbox_files(const struct sandbox_path *paths, size_t count);

/* seccomp: only these system calls, any other kills the process. Names as libseccomp knows them. */
int sandbox_calls(const char *const *names, size_t count);

#endif
