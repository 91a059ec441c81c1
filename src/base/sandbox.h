#ifndef BEDWARDEN_BASE_SANDBOX_H
#define BEDWARDEN_BASE_SANDBOX_H
/*
 * Least privilege, taken for good. Each call only ever removes rights, and a
 * failure to remove them is fatal to the process that asked: a guard without
 * its sandbox must not run.
 */
#include <stdbool.h>
#include <stddef.h>

/*
 * Becomes the user (with its groups), drops every capability, sets
 * no_new_privs. Where the user does not exist, `nobody`. Where the user
 * namespace maps no such uid, the uid stays and only the capabilities go.
 * Keeps PR_SET_PDEATHSIG, which a change of uid would clear. 0 or -errno.
 */
int sandbox_drop(const char *user);

/* For who must stay root: of the capabilities it has, these are kept (CAP_* of linux/capability.h)
 * and no others, also by what it executes. Sets no_new_privs. 0 or -errno. */
int sandbox_keep(const unsigned *capabilities, size_t count);

struct sandbox_path {
	const char *path;
	bool write; /* else read only */
};
/* Landlock: these trees and nothing else of the file system; count 0: nothing at all. 0,
 * -ENOSYS or -EOPNOTSUPP where the kernel has none. Needs no_new_privs. */
int sandbox_files(const struct sandbox_path *paths, size_t count);

/* Landlock: no TCP port is bound or connected to, and from Linux 6.12 on no abstract unix
 * socket and no signal reaches outside. 0; -EOPNOTSUPP before Linux 6.7. */
int sandbox_network(void);

/*
 * seccomp: only these system calls, any other kills the process. Besides the
 * names given (as libseccomp knows them), for every thread there is, the few that every role lives on: memory
 * that is not executable, read and write on open descriptors, send and receive
 * on open sockets, poll, time, futex, exit. None of them opens anything.
 * -EINVAL for a name that libseccomp does not know.
 */
int sandbox_calls(const char *const *names, size_t count);

#endif
