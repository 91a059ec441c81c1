#include "role/keeper_start.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "base/sandbox.h"
#include "keep/eve.h"
#include "keep/pcaps.h"
#include "keep/person.h"
#include "keep/query.h"
#include "keep/store.h"
#include "role/amend.h"
#include "role/backups.h"
#include "role/custody.h"
#include "role/deposit.h"
#include "role/look.h"
#include "role/pki.h"
#include "role/secrets.h"
#include "role/serve.h"
#include "role/trail.h"
#include "role/trail_send.h"
#include "role/errands.h"
#include "role/holdings.h"
#include "role/survey.h"
#include "role/upload.h"
#include "role/updates.h"
#include "role/wave.h"

#define PROFILE_FOLDERS	 5
#define EVIDENCE_RESERVE (64ull << 20) /* of the disk, that evidence does not touch */

/* Besides what every role lives on: files in state_dir, clients on the control socket. */
static const char *const calls[] = {
	"accept4",
	"access",
	"faccessat",
	"faccessat2",
	"fallocate",
	"fadvise64",
	"fchmod",
	"fchown",
	"fcntl",
	"flock",
	"mlock",
	"mlock2",
	"fdatasync",
	"fstatfs",
	"fsync",
	"sync_file_range",
	"ftruncate",
	"getcwd",
	"getegid",
	"geteuid",
	"getgid",
	"getsockopt",
	"getuid",
	"lstat",
	"newfstatat",
	"open",
	"openat",
	"pipe2", /* what leaves the vault */
	"pread64",
	"pwrite64",
	"readlink",
	"readlinkat",
	"rename",
	"renameat",
	"stat",
	"getdents64",
	"mkdir",
	"mkdirat",
	"statfs",
	"sysinfo",
	"uname",
	"unlink",
	"unlinkat",
	"utimensat",
	"memfd_create",
	/* What the vault's threads, which are there already, say as they begin. */
	"sched_getaffinity",
	"set_robust_list",
};

/* What the parent says (role/parent.c), a letter each. */
static const struct {
	char letter;
	enum { TEXT, FLAG, SWITCH, NUMBER, NUMBER_32 } type;
	size_t at;
} options[] = {
#define OPTION(letter, type, field)                                  \
	{                                                            \
		letter, type, offsetof(struct keeper_options, field) \
	}
	OPTION('d', TEXT, state_dir),
	OPTION('u', TEXT, user),
	OPTION('e', TEXT, eve_file),
	OPTION('m', NUMBER, eve_rotate_mb),
	OPTION('k', NUMBER, eve_keep),
	OPTION('n', NUMBER, store_events),
	OPTION('R', FLAG, eve_open),
	OPTION('E', NUMBER, evidence_mb),
	OPTION('D', NUMBER, evidence_days),
	OPTION('A', NUMBER, archive_mb),
	OPTION('H', TEXT, key_holder),
	OPTION('P', TEXT, key_place),
	OPTION('c', TEXT, config_file),
	OPTION('p', TEXT, profiles_dir),
	OPTION('s', TEXT, staff.site),
	OPTION('S', SWITCH, staff.sms),
	OPTION('3', NUMBER_32, staff.aal3),
	OPTION('G', SWITCH, one_factor_anywhere),
	OPTION('W', TEXT, staff.sms_url),
	OPTION('F', TEXT, staff.sms_from),
	OPTION('C', TEXT, updates_dir),
	OPTION('U', TEXT, updates),
	OPTION('B', TEXT, backup.to),
	OPTION('b', NUMBER, backup.every_hours),
	OPTION('T', NUMBER, backup.keep_days),
	OPTION('I', NUMBER_32, staff.wish.idle_minutes),
	OPTION('O', NUMBER_32, staff.wish.overall_hours),
#undef OPTION
};
#define OPTIONS (sizeof(options) / sizeof(*options))

/* As getopt() reads them: a colon behind those that have a value. */
static void letters(char ret_letters[2 * OPTIONS + 1])
{
	for (size_t i = 0; i < OPTIONS; i++) {
		*ret_letters++ = options[i].letter;
		if (options[i].type != FLAG)
			*ret_letters++ = ':';
	}
	*ret_letters = 0;
}

static bool take_option(struct keeper_options *o, int letter, const char *value)
{
	uint64_t n = 0;
	size_t i = 0;
	void *at;

	while (i < OPTIONS && options[i].letter != letter)
		i++;
	if (i == OPTIONS)
		return false;
	at = (char *)o + options[i].at;
	if (options[i].type != TEXT && options[i].type != FLAG &&
	    !number_read(value, 0, UINT32_MAX, &n))
		fatal("keeper: '%s' is no number from 0 to %u", value, UINT32_MAX);
	if (options[i].type == TEXT)
		*(const char **)at = value;
	else if (options[i].type == FLAG)
		*(bool *)at = true;
	else if (options[i].type == SWITCH)
		*(bool *)at = n != 0;
	else if (options[i].type == NUMBER_32)
		*(uint32_t *)at = (uint32_t)n;
	else
		*(uint64_t *)at = n;
	return true;
}

struct keeper_options keeper_options_read(int argc, char **argv)
{
	struct keeper_options o = {.eve_rotate_mb = 100,
				   .eve_keep = 5,
				   .store_events = 1000000,
				   .archive_mb = 512,
				   .staff.site = "bedwarden"};
	char known[2 * OPTIONS + 1];
	int c;

	letters(known);
	while ((c = getopt(argc, argv, known)) != -1)
		if (!take_option(&o, c, optarg))
			fatal("keeper: started by hand? 'bedwarden run' starts it");
	if (!o.state_dir || !o.user || optind != argc)
		fatal("keeper: started by hand? 'bedwarden run' starts it");
	o.backup.config_file = o.config_file;
	return o;
}

static void make_folders(const char *path)
{
	char part[PATH_MAX];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		mkdir(part, 0755);
	}
	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		fatal("keeper: cannot make state_dir '%s': %s", path, strerror(errno));
}

/* Who we are now may be kept out by any folder on the way: which one, and what opens it. */
static void pass_through(const char *setting, const char *path)
{
	const struct passwd *me = getpwuid(geteuid());
	const char *user = me ? me->pw_name : "nobody";
	char part[PATH_MAX];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (access(part, X_OK) < 0)
			fatal("keeper: %s '%s': user '%s' cannot pass through '%s' (%s); chmod o+x "
			      "it, or set %s to another place",
			      setting, path, user, part, strerror(errno), setting);
	}
}

/* While root may still ask a TPM, load a token's module or read a credential. */
static void unlock(struct keeper *k, const struct keeper_options *o, const struct passwd *user)
{
	if (!o->key_holder)
		return;
	k->secrets = secrets_new(o->state_dir, o->key_holder, o->key_place,
				 user ? user->pw_uid : geteuid(), user ? user->pw_gid : getegid());
	if (!k->secrets)
		fatal("keeper: no memory");
	if (*secrets_locked(k->secrets))
		log_error("the keys stay locked: %s", secrets_locked(k->secrets));
}

/* Where a policy's profiles may be (base/config.h): to read, for who wants one checked. */
static bool profile_folder(const struct keeper_options *o, unsigned i, char ret_path[PATH_MAX])
{
	const char *file = o->config_file ? o->config_file : "";
	const char *slash = strrchr(file, '/');
	char self[PATH_MAX / 2];
	ssize_t len;

	*ret_path = 0;
	if (i == 0 && o->profiles_dir)
		snprintf(ret_path, PATH_MAX, "%s", o->profiles_dir);
	else if (i == 1 && slash)
		snprintf(ret_path, PATH_MAX, "%.*s/profiles", (int)(slash - file), file);
	else if (i == 2)
		snprintf(ret_path, PATH_MAX, "%s/profiles", BEDWARDEN_DATADIR);
	else if (i == 3 && (len = readlink("/proc/self/exe", self, sizeof(self))) > 0 &&
		 (slash = memrchr(self, '/', (size_t)len)))
		snprintf(ret_path, PATH_MAX, "%.*s/../profiles", (int)(slash - self), self);
	else if (i == 4 && o->updates_dir)
		snprintf(ret_path, PATH_MAX, "%s", o->updates_dir);
	return *ret_path != 0;
}

/* Where copies go, and what is beside the policy. A folder that is not there will be missed. */
static size_t backup_folders(const struct keeper_options *o, char config[PATH_MAX],
			     struct sandbox_path *ret_paths)
{
	const char *slash = o->config_file ? strrchr(o->config_file, '/') : NULL;
	size_t count = 0;

	if (access(o->backup.to, W_OK | X_OK) == 0)
		ret_paths[count++] = (struct sandbox_path){.path = o->backup.to, .write = true};
	else
		log_error("backup.to: %s: %s; it has to be there, and belong to the gateway's "
			  "user, when the gateway starts",
			  o->backup.to, strerror(errno));
	if (slash && slash != o->config_file) {
		snprintf(config, PATH_MAX, "%.*s", (int)(slash - o->config_file), o->config_file);
		if (access(config, R_OK) == 0)
			ret_paths[count++] = (struct sandbox_path){.path = config};
	}
	return count;
}

/* Who owns what we make, while that can be looked up. */
static struct backups_options name_owner(const struct keeper_options *o, const struct passwd *user)
{
	const struct group *group = user ? getgrgid(user->pw_gid) : NULL;
	struct backups_options b = o->backup;

	snprintf(b.user, sizeof(b.user), "%s", user ? user->pw_name : "-");
	snprintf(b.group, sizeof(b.group), "%s", group ? group->gr_name : "-");
	return b;
}

/* Our user's folder, whatever it is called; then no rights but in there. */
void keeper_lock_in(struct keeper *k, const struct keeper_options *o)
{
	const struct passwd *user = getpwnam(o->user);
	struct sandbox_path paths[4 + PROFILE_FOLDERS] = {{.path = o->state_dir, .write = true}};
	char eve_folder[PATH_MAX], config[PATH_MAX], profiles[PROFILE_FOLDERS][PATH_MAX], *slash;
	struct backups_options backup;
	size_t count = 1;
	int err;

	if (!user)
		user = getpwnam("nobody");
	backup = name_owner(o, user);
	make_folders(o->state_dir);
	umask(0027); /* what we make in there is for our group to read */
	/* In a user namespace that maps no such user the folder stays ours as it is. */
	err = geteuid() == 0 && user && chown(o->state_dir, user->pw_uid, user->pw_gid) < 0 ? errno
											    : 0;
	/* A disk with faults is mounted so: guarding goes on, as with a full one. */
	if (err == EROFS)
		log_error("state_dir '%s': %s; nothing is kept until it can be written to",
			  o->state_dir, strerror(err));
	else if (err && err != EINVAL && err != EPERM)
		fatal("keeper: cannot own state_dir '%s': %s", o->state_dir, strerror(err));
	unlock(k, o, user);
	if (o->eve_file && *o->eve_file == '/') {
		snprintf(eve_folder, sizeof(eve_folder), "%s", o->eve_file);
		slash = strrchr(eve_folder, '/');
		slash[slash == eve_folder] = 0;
		if (access(eve_folder, F_OK) == 0)
			paths[count++] = (struct sandbox_path){.path = eve_folder, .write = true};
		else
			log_error("eve_file: no folder '%s'; make it and restart", eve_folder);
	}
	err = sandbox_drop(o->user);
	if (err < 0)
		fatal("keeper: cannot become '%s': %s", o->user, strerror(-err));
	pass_through("state_dir", o->state_dir);
	if (count > 1)
		pass_through("eve_file", eve_folder);
	for (unsigned i = 0; i < PROFILE_FOLDERS; i++)
		if (profile_folder(o, i, profiles[i]) && access(profiles[i], R_OK) == 0)
			paths[count++] = (struct sandbox_path){.path = profiles[i]};
	if (o->backup.to)
		count += backup_folders(o, config, paths + count);
	err = sandbox_files(paths, count);
	if (err < 0 && err != -ENOSYS && err != -EOPNOTSUPP)
		fatal("keeper: Landlock: %s", strerror(-err));
	if (err < 0)
		log_warn("this kernel has no Landlock; seccomp alone confines the keeper");
	err = sandbox_network();
	if (err < 0 && err != -ENOSYS && err != -EOPNOTSUPP)
		fatal("keeper: Landlock: %s", strerror(-err));
	deposit_open(k, o->archive_mb << 20); /* has threads, and so do */
	backups_open(k, &backup);
	holdings_open(k);
	err = staff_start(k);
	if (err < 0)
		fatal("keeper: no thread for passwords: %s", strerror(-err));
	err = sandbox_calls(calls, sizeof(calls) / sizeof(*calls));
	if (err < 0)
		fatal("keeper: seccomp: %s", strerror(-err));
}

/* Without it the gateway goes on. */
static void open_evidence(struct keeper *k, const struct keeper_options *o)
{
	struct pcaps_options p = {.max_bytes = o->evidence_mb << 20,
				  .max_age_s = o->evidence_days * 24 * 60 * 60,
				  .reserve_bytes = EVIDENCE_RESERVE,
				  .kept = deposit_kept,
				  .seal = k->intake ? deposit_evidence : NULL,
				  .arg = k};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/evidence", o->state_dir);
	p.folder = path;
	k->pcaps = pcaps_new(&p, clock_wall_ns());
	if (!k->pcaps)
		log_error("no evidence is kept: %s: %s", path, strerror(errno));
	k->evidence_bytes = p.max_bytes;
	k->evidence_age_s = p.max_age_s;
}

void keeper_open_all(struct keeper *k, const struct keeper_options *o, gid_t gid)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/events.db", o->state_dir);
	k->store = store_new(path, (uint32_t)o->store_events);
	if (!k->store)
		fatal("keeper: events.db: %s", strerror(errno));
	k->person = person_new(k->secrets ? secrets_keys(k->secrets) : NULL);
	if (!k->person)
		fatal("keeper: no memory");
	store_opens(k->store, k->person);
	k->eve_open = o->eve_open;
	k->one_factor_anywhere = o->one_factor_anywhere;
	query_last_time(store_db(k->store), &k->last_event_ns);
	if (o->eve_file && *o->eve_file) {
		snprintf(path, sizeof(path), "%s%s%s", *o->eve_file == '/' ? "" : o->state_dir,
			 *o->eve_file == '/' ? "" : "/", o->eve_file);
		k->eve = eve_new(path, o->eve_rotate_mb << 20, (unsigned)o->eve_keep);
		if (!k->eve)
			fatal("keeper: %s: %s", path, strerror(errno));
	}
	if (o->evidence_mb)
		open_evidence(k, o);
	k->calls = calls_new();
	k->looks = looks_new();
	k->patients = json_object();
	k->amends = amends_new(o->config_file ? o->config_file : "policy");
	staff_open(k->staff, o->state_dir, k->secrets ? secrets_keys(k->secrets) : NULL);
	k->pki = pki_new(k);
	if (!k->pki)
		fatal("keeper: no memory");
	k->waves = waves_new(k->state_dir);
	k->updates = updates_new(k, o->updates);
	k->surveys = surveys_new();
	k->errands = errands_new();
	k->uploads = uploads_new(k->state_dir);
	k->custody = custody_new();
	if (!k->updates || !k->surveys || !k->errands || !k->uploads || !k->custody)
		fatal("keeper: no memory");
	k->serve = serve_new(KEEPER_CONTROL_FD, gid, &answer_calls, k);
	trail_open(k);
	k->trail_send = trail_send_new();
	k->note_act = trail_act;
	k->door = door_new(k, o->boot_id);
	if (!k->door || !k->trail_send || !k->serve || !k->calls || !k->looks || !k->amends)
		fatal("keeper: no memory");
}
