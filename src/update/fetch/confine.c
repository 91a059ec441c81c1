#include "update/fetch/confine.h"

#include <errno.h>
#include <nss.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#define PATHS_MAX 16

/* Files, folders and links in what Landlock leaves. */
static const char *const file_calls[] = {
	"access",    "faccessat",    "faccessat2", "open",	"openat",     "newfstatat",
	"stat",	     "lstat",	     "statx",	   "readlink",	"readlinkat", "getdents64",
	"getcwd",    "fcntl",	     "ftruncate",  "fallocate", "fchmod",     "fsync",
	"fdatasync", "syncfs",	     "flock",	   "linkat",	"symlinkat",  "unlink",
	"unlinkat",  "rename",	     "renameat",   "renameat2", "mkdir",      "mkdirat",
	"pread64",   "pwrite64",     "umask",	   "getuid",	"geteuid",    "getgid",
	"getegid",   "uname",	     "statfs",	   "fstatfs",	"sysinfo",    "prctl",
	"dup",	     "dup2",	     "fadvise64",  "mlock",	"munlock",    "sync_file_range",
	"utimensat", "memfd_create", "ioctl", /* is standard output a terminal? */
};
/* curl looks names up in a thread of its own. */
static const char *const network_calls[] = {
	"socket",	 "connect",	"bind",	    "getsockopt",      "setsockopt",
	"getpeername",	 "getsockname", "pipe",	    "pipe2",	       "socketpair",
	"eventfd2",	 "clone",	"clone3",   "set_robust_list", "sched_getaffinity",
	"epoll_create1", "select",	"pselect6", "alarm",
};

static int enter_calls(bool network)
{
	const char *calls[sizeof(file_calls) / sizeof(*file_calls) +
			  sizeof(network_calls) / sizeof(*network_calls)];
	size_t count = 0;

	for (size_t i = 0; i < sizeof(file_calls) / sizeof(*file_calls); i++)
		calls[count++] = file_calls[i];
	for (size_t i = 0; network && i < sizeof(network_calls) / sizeof(*network_calls); i++)
		calls[count++] = network_calls[i];
	return sandbox_calls(calls, count);
}

static int enter_files(const struct confine *c)
{
	/* Certificates and names; resolv.conf is replaced by others while we run. */
	static const char *const looked_at[] = {"/etc", "/run/systemd/resolve",
						"/usr/share/zoneinfo", "/usr/share/ca-certificates",
						"/usr/local/share/ca-certificates"};
	const char *authorities = getenv("SSL_CERT_FILE");
	struct sandbox_path paths[PATHS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < c->count && count < PATHS_MAX; i++)
		paths[count++] = c->paths[i];
	for (size_t i = 0; c->network && i < sizeof(looked_at) / sizeof(*looked_at); i++)
		if (count < PATHS_MAX && access(looked_at[i], F_OK) == 0)
			paths[count++] = (struct sandbox_path){.path = looked_at[i]};
	if (c->network && authorities && count < PATHS_MAX && access(authorities, R_OK) == 0)
		paths[count++] = (struct sandbox_path){.path = authorities};
	return sandbox_files(paths, count);
}

int confine_enter(const struct confine *c)
{
	int err;

	tzset();
	if (c->network) {
		/* Other sources of names are libraries to be loaded, which nobody may any more. */
		if (__nss_configure_lookup("hosts", "files dns") < 0)
			return -errno;
		OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
		if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
			return -ENOMEM;
	}
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	err = enter_files(c);
	if (err < 0 && err != -ENOSYS && err != -EOPNOTSUPP)
		return err;
	return enter_calls(c->network);
}
