#include "base/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's names (linux/landlock.h), of newer kernels than the headers may be. */
#define LANDLOCK_VERSION    1u
#define LANDLOCK_PATH	    1
#define FS_EXECUTE	    (1ull << 0)
#define FS_WRITE_FILE	    (1ull << 1)
#define FS_READ_FILE	    (1ull << 2)
#define FS_READ_DIR	    (1ull << 3)
#define FS_V1		    ((1ull << 13) - 1)
#define FS_REFER	    (1ull << 13)
#define FS_TRUNCATE	    (1ull << 14)
#define FS_IOCTL_DEV	    (1ull << 15)
#define NET_BIND_TCP	    (1ull << 0)
#define NET_CONNECT_TCP	    (1ull << 1)
#define SCOPE_ABSTRACT_UNIX (1ull << 0)
#define SCOPE_SIGNAL	    (1ull << 1)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_attr {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule	    445
#define SYS_landlock_restrict_self  446
#endif

static int abi(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);

	return v < 0 ? -errno : (int)v;
}

/* Older kernels refuse a longer struct even where the rest is zero: hand over what they know. */
static int create(const struct ruleset_attr *a, int version)
{
	size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
	long fd = syscall(SYS_landlock_create_ruleset, a, size, 0);

	return fd < 0 ? -errno : (int)fd;
}

/* Takes the ruleset's descriptor. */
static int restrict_self(int ruleset)
{
	int err = syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;

	close(ruleset);
	return err;
}

static int allow_path(int ruleset, const struct sandbox_path *p, uint64_t handled)
{
	const uint64_t file_only =
		FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
	struct path_attr a = {.allowed = FS_READ_FILE | FS_READ_DIR};
	struct stat st;
	int err = 0;

	if (p->write)
		a.allowed = handled & ~FS_EXECUTE;
	a.parent = open(p->path, O_PATH | O_CLOEXEC);
	if (a.parent < 0)
		return -errno;
	if (fstat(a.parent, &st) < 0) {
		err = -errno;
		goto out;
	}
	if (!S_ISDIR(st.st_mode))
		a.allowed &= file_only;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH, &a, 0) < 0)
		err = -errno;
out:
	close(a.parent);
	return err;
}

int sandbox_files(const struct sandbox_path *paths, size_t count)
{
	struct ruleset_attr a = {.fs = FS_V1};
	int version = abi(), ruleset, err;

	if (version < 0)
		return version;
	if (version >= 2)
		a.fs |= FS_REFER;
	if (version >= 3)
		a.fs |= FS_TRUNCATE;
	if (version >= 5)
		a.fs |= FS_IOCTL_DEV;
	ruleset = create(&a, version);
	if (ruleset < 0)
		return ruleset;
	for (size_t i = 0; i < count; i++) {
		err = allow_path(ruleset, &paths[i], a.fs);
		if (err < 0) {
			close(ruleset);
			return err;
		}
	}
	return restrict_self(ruleset);
}

int sandbox_network(void)
{
	struct ruleset_attr a = {.net = NET_BIND_TCP | NET_CONNECT_TCP};
	int version = abi(), ruleset;

	if (version < 0)
		return version;
	if (version < 4)
		return -EOPNOTSUPP;
	if (version >= 6)
		a.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	ruleset = create(&a, version);
	return ruleset < 0 ? ruleset : restrict_self(ruleset);
}

/* user_namespaces(7): lines of first-inside, first-outside, count. */
static bool mapped(const char *map, uint32_t id)
{
	unsigned long first, outside, count;
	FILE *f = fopen(map, "re");
	bool found = false;

	if (!f)
		return true; /* no user namespaces: every id is there */
	while (!found && fscanf(f, "%lu %lu %lu", &first, &outside, &count) == 3)
		found = id >= first && id - first < count;
	fclose(f);
	return found;
}

/* The bounding set can only be emptied by who has CAP_SETPCAP. */
static int drop_capabilities(void)
{
	bool bounds;

	if (capng_get_caps_process() < 0)
		return -EIO;
	bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(bounds ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return 0;
}

int sandbox_keep(const unsigned *capabilities, size_t count)
{
	bool have[64] = {false}, bounds;

	if (capng_get_caps_process() < 0)
		return -EIO;
	for (size_t i = 0; i < count; i++)
		have[capabilities[i] & 63] =
			capng_have_capability(CAPNG_PERMITTED, capabilities[i]);
	bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < count; i++)
		if (have[capabilities[i] & 63])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				     capabilities[i]);
	if (capng_apply(bounds ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int sandbox_drop(const char *user)
{
	const struct passwd *pw = getpwnam(user);
	int death = 0;

	if (!pw)
		pw = getpwnam("nobody");
	if (prctl(PR_GET_PDEATHSIG, &death) < 0)
		return -errno;
	if (geteuid() == 0 && pw && mapped("/proc/self/uid_map", pw->pw_uid) &&
	    mapped("/proc/self/gid_map", pw->pw_gid)) {
		capng_clear(CAPNG_SELECT_ALL);
		if (capng_change_id((int)pw->pw_uid, (int)pw->pw_gid,
				    CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING |
					    CAPNG_CLEAR_AMBIENT) < 0)
			return -EPERM;
	} else {
		int err = drop_capabilities();

		if (err < 0)
			return err;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, (unsigned long)death) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	return 0;
}

/* What every role lives on. Nothing here opens, makes or names a thing. */
static const char *const basic[] = {
	"brk",
	"clock_gettime",
	"clock_nanosleep",
	"close",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_wait",
	"exit",
	"exit_group",
	"fstat",
	"futex",
	"getpid",
	"getrandom",
	"gettid",
	"gettimeofday",
	"lseek",
	"madvise",
	"mremap",
	"munmap",
	"nanosleep",
	"poll",
	"ppoll",
	"read",
	"readv",
	"recvfrom",
	"recvmmsg",
	"recvmsg",
	"restart_syscall",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rseq",
	"sched_yield",
	"sendmmsg",
	"sendmsg",
	"sendto",
	"shutdown",
	"sigaltstack",
	"tgkill",
	"time",
	"write",
	"writev",
};

/* A number that libseccomp makes up for a call this machine does not have is no error. */
static int allow(scmp_filter_ctx ctx, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);
	int err;

	if (nr == __NR_SCMP_ERROR)
		return -EINVAL;
	err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
	return err == -EDOM ? 0 : err;
}

static int allow_masked(scmp_filter_ctx ctx, const char *name, unsigned arg, uint64_t mask,
			uint64_t value)
{
	struct scmp_arg_cmp cmp = SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, mask, value);
	int nr = seccomp_syscall_resolve_name(name);

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, &cmp);
}

/*
 * Memory may be asked for, but never such that code could be written and then
 * run; and a descriptor may be asked what it is, which the C library does by
 * newfstatat(2) with an empty path.
 */
static int allow_confined(scmp_filter_ctx ctx)
{
	int err = allow_masked(ctx, "mmap", 2, PROT_EXEC, 0);

	if (err == 0)
		err = allow_masked(ctx, "mprotect", 2, PROT_EXEC, 0);
	if (err == 0)
		err = allow_masked(ctx, "newfstatat", 3, AT_EMPTY_PATH, AT_EMPTY_PATH);
	return err == -EDOM ? 0 : err;
}

#ifdef __SANITIZE_ADDRESS__
/* The leak checker clones and traces: a locked-in process ends without it. */
static bool locked_in;
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return locked_in;
}
#endif

int sandbox_calls(const char *const *names, size_t count)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!ctx)
		return -ENOMEM;
	err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (err == 0)
		err = allow_confined(ctx);
	for (size_t i = 0; err == 0 && i < sizeof(basic) / sizeof(basic[0]); i++)
		err = allow(ctx, basic[i]);
	for (size_t i = 0; err == 0 && i < count; i++)
		err = allow(ctx, names[i]);
	if (err == 0)
		err = seccomp_load(ctx);
#ifdef __SANITIZE_ADDRESS__
	locked_in = err == 0;
#endif
	seccomp_release(ctx);
	return err;
}
