#include "cli/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/number.h"
#include "base/secret.h"
#include "cli/meter.h"
#include "cli/passphrase.h"
#include "cli/text.h"
#include "keep/recovery.h"

#define DAY_NS	    (86400ll * (int64_t)NSEC_PER_SEC)
#define DAYS_MAX    36500
#define SETTLE_MAX  3600000
#define PRINTED_MAX 4096 /* bytes of a file with a recovery key in it */

/* --- what the verbs share -------------------------------------------------------------- */

/* Why there is no passphrase was said where that was seen; what fails for that says nothing more. */
static bool told;

static int fail(const char *what, const char *error)
{
	return told ? CLI_FAILED : cli_fail("%s%s", what, error);
}

/* From the environment for a program, else from the terminal; twice where it is a new one. */
static int type(void *arg, const char *what, bool fresh, char ret_secret[HOLDER_SECRET])
{
	char prompt[96], *first = NULL, *again = NULL;
	int err = 0;

	snprintf(prompt, sizeof(prompt), "%s: ", what);
	if (passphrase_in_environment()) {
		first = passphrase_from_environment();
		err = first ? 0 : -ECANCELED;
	} else {
		first = passphrase_ask(prompt);
		if (first && fresh)
			again = passphrase_ask("Once more: ");
		if (!first || (fresh && !again))
			err = -ECANCELED;
		else if (fresh && strcmp(first, again) != 0)
			err = -EINVAL;
	}
	if (err == 0 && strlen(first) >= HOLDER_SECRET)
		err = -E2BIG;
	if (err == 0)
		memcpy(ret_secret, first, strlen(first) + 1);
	if (err == -EINVAL)
		cli_fail("the two passphrases differ");
	told = err == -EINVAL || err == -ECANCELED;
	passphrase_free(again);
	passphrase_free(first);
	return err;
}

/* How a holder asks for its passphrase or PIN here. */
static struct holder_ask holder_ask_of(const struct vault_cli *o)
{
	return (struct holder_ask){
		.dir = o->dir, .place = o->place ? o->place : "", .secret = type};
}

struct keys *vault_cli_keys(const struct vault_cli *o)
{
	struct holder_ask ask = holder_ask_of(o);
	char error[KEYS_ERROR];
	struct keys *k;

	if (o->holder)
		ask.place = ""; /* what was given is the new holder's */
	k = keys_open(o->dir, &ask, error);
	if (!k)
		fail("", error);
	return k;
}

int vault_cli_misused(const char *how)
{
	cli_fail("%s", how);
	return CLI_USAGE;
}

const char *vault_cli_error(int err)
{
	if (err == -EUCLEAN)
		return "the index is damaged; 'bedwarden vault fsck --mend' makes it again from "
		       "the packs";
	if (err == -ESTALE)
		return "there are names whose keys are gone: index or keyring is an old copy; "
		       "'bedwarden vault fsck' tells more, and 'fsck --mend' makes the index again "
		       "from the packs";
	if (err == -EAGAIN)
		return "others have been changing the vault for half a minute; try again";
	if (err == -ENOSPC)
		return "the disk is full; make room";
	if (err == -EKEYREVOKED)
		return "the keys have another holder since this was started; start it again";
	return strerror(-err);
}

struct vault *vault_cli_open(const struct vault_cli *o, unsigned threads)
{
	struct holder_ask ask = holder_ask_of(o);
	char error[KEYS_ERROR];
	struct vault *v = vault_open(o->dir, &ask, threads, error);

	if (!v)
		fail("", error);
	return v;
}

const char *vault_cli_address(const uint8_t address[CRYPTO_HASH], char ret_text[VAULT_ADDRESS])
{
	hex_write(address, CRYPTO_HASH, ret_text);
	return ret_text;
}

int64_t vault_cli_until(const struct vault_cli *o)
{
	long days = o->keep_days >= 0 ? o->keep_days : VAULT_KEEP_DAYS;

	return (int64_t)clock_wall_ns() + days * DAY_NS;
}

/* Whether a class's name is one: letters, digits, '-', '_'. */
static bool is_class(const char *class)
{
	size_t len = strspn(class, "abcdefghijklmnopqrstuvwxyz0123456789-_");

	return len > 0 && !class[len] && len < OBJECT_CLASS_MAX;
}

static const struct holder *chosen_holder(const struct vault_cli *o, const char *fallback)
{
	const struct holder *h = holder_find(o->holder ? o->holder : fallback);

	if (!h)
		cli_fail("there is no key holder '%s'; expected passphrase, tpm2, pkcs11, "
			 "credential or file",
			 o->holder);
	return h;
}

/* --- init, rotate, recover --------------------------------------------------------------- */

static void show_recovery(const char *identity)
{
	printf("The recovery key, which is shown this once and kept nowhere:\n\n    %s\n\n"
	       "Write it down or print it, and put it where the machine is not. With it and a copy "
	       "of "
	       "this folder, 'bedwarden vault recover' opens everything on any machine.\n",
	       identity);
}

/* A folder of ours that got no keys goes again: rmdir(2) takes nothing that has anything in it. */
static void unmake(const char *dir)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int lock = at < 0 ? -1 : openat(at, "keyring.lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (at >= 0 && (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) == 0)) {
		unlinkat(at, "packs", AT_REMOVEDIR);
		if (faccessat(at, "keyring", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			unlinkat(at, "keyring.lock", 0);
		rmdir(dir);
	}
	if (lock >= 0)
		close(lock);
	if (at >= 0)
		close(at);
}

static int init(const struct vault_cli *o)
{
	bool is_new = access(o->dir, F_OK) < 0;
	char identity[RECOVERY_TEXT] = "", made[RECOVERY_TEXT], error[KEYS_ERROR];
	const struct holder *h = chosen_holder(o, "passphrase");
	struct holder_ask ask = holder_ask_of(o);
	const char *recipient = o->recipient_count ? o->recipients[0] : made;
	int err;

	if (!h)
		return CLI_FAILED;
	if (!o->recipient_count && recovery_new(identity, made) < 0)
		return cli_fail("no recovery key could be made");
	err = vault_init(o->dir, h, &ask, recipient, error);
	if (err == 0 && *identity)
		show_recovery(identity);
	secret_wipe(identity, sizeof(identity));
	if (err < 0) {
		if (is_new)
			unmake(o->dir);
		return fail("", error);
	}
	if (h->trial)
		fprintf(stderr,
			"bedwarden: the keys are held by %s; choose another holder before anything "
			"in there matters\n",
			h->what);
	return CLI_OK;
}

static int new_recovery(struct keys *k)
{
	char identity[RECOVERY_TEXT], recipient[RECOVERY_TEXT], error[KEYS_ERROR];
	int err = recovery_new(identity, recipient);

	*error = 0;
	if (err == 0)
		err = keys_change_recipient(k, recipient, error);
	if (err == 0)
		show_recovery(identity);
	secret_wipe(identity, sizeof(identity));
	return err == 0 ? CLI_OK
			: cli_fail("the recovery key was not changed: %s",
				   *error ? error : vault_cli_error(err));
}

static int change_holder(const struct vault_cli *o, struct keys *k)
{
	const struct holder *h = chosen_holder(o, "passphrase");
	struct holder_ask ask = holder_ask_of(o);
	char error[KEYS_ERROR] = "";
	struct keys_state was;
	int err;

	if (!h)
		return CLI_FAILED;
	keys_state(k, &was);
	err = keys_change_holder(k, h, &ask, error);
	if (err < 0)
		return fail("the holder was not changed: ", *error ? error : vault_cli_error(err));
	printf("The keys are held by %s now. A gateway that uses them has to be restarted.\n",
	       h->what);
	/* It may be another folder's, too: nothing to remove unasked. */
	if (was.holder && was.holder->trial)
		printf("The old key file (trial.key in the folder, where none was named) still "
		       "opens copies that were made of the folder before; remove it, unless "
		       "another folder's keys are held by it, too.\n");
	return CLI_OK;
}

/* A new master key, and every data key after it. */
static int rotate_all(const struct vault_cli *o, struct keys *k)
{
	char error[KEYS_ERROR];
	struct vault *v;
	uint64_t count = 0;
	int err = keys_rotate(k);

	if (err < 0)
		return cli_fail("%s/keyring: %s", o->dir, strerror(-err));
	v = vault_open_with(o->dir, k, 1, error);
	if (!v)
		return cli_fail("%s", error);
	err = vault_rotate_data(v, &count);
	vault_close(v);
	if (err < 0)
		return cli_fail("%s: the master key is new; of the data keys %" PRIu64
				" are, then: %s; call it again to go on",
				o->dir, count, vault_cli_error(err));
	printf("The master key and %" PRIu64 " data keys are new; the old ones were destroyed.\n",
	       count);
	return CLI_OK;
}

static int rotate(const struct vault_cli *o)
{
	struct keys *k = vault_cli_keys(o);
	int code = CLI_OK;

	if (!k)
		return CLI_FAILED;
	code = vault_cli_note(o, k, "key.rotate",
			      o->recovery ? "a new recovery key"
			      : o->holder ? o->holder
					  : "a new master key");
	if (code == CLI_OK && o->recovery)
		code = new_recovery(k);
	if (code == CLI_OK && o->holder)
		code = change_holder(o, k);
	if (code == CLI_OK && !o->recovery && !o->holder)
		code = rotate_all(o, k);
	keys_free(k);
	return code;
}

/* A file with the recovery key: its line alone, or all that `init` printed; "-", standard input. */
static int read_identity(const struct vault_cli *o, char ret_identity[RECOVERY_TEXT])
{
	char *text = secret_new(PRINTED_MAX);
	bool in = strcmp(o->identity, "-") == 0;
	FILE *f = in ? stdin : fopen(o->identity, "re");
	int code = CLI_OK;

	if (!f)
		code = cli_fail("%s: %s", o->identity, strerror(errno));
	else if (!text)
		code = cli_fail("out of locked memory");
	if (code == CLI_OK) {
		setbuf(f, NULL);
		text[fread(text, 1, PRINTED_MAX - 1, f)] = 0;
		if (!recovery_find(text, ret_identity))
			code = cli_fail("%s: there is no recovery key in it; one begins "
					"AGE-SECRET-KEY-1",
					in ? "standard input" : o->identity);
	}
	if (f && !in)
		fclose(f);
	secret_free(text, PRINTED_MAX);
	return code;
}

static int recover(const struct vault_cli *o)
{
	char identity[RECOVERY_TEXT] = "", error[KEYS_ERROR];
	struct keys *k;
	int code;

	if (!o->identity) {
		char *typed = passphrase_ask("Recovery key: ");

		bool found = typed && recovery_find(typed, identity);

		passphrase_free(typed);
		if (!found)
			return typed ? cli_fail("that is no recovery key; one begins "
						"AGE-SECRET-KEY-1")
				     : CLI_FAILED;
	} else if (read_identity(o, identity) != CLI_OK) {
		return CLI_FAILED;
	}
	k = keys_recover(o->dir, identity, error);
	secret_wipe(identity, sizeof(identity));
	if (!k)
		return cli_fail("%s", error);
	code = change_holder(o, k);
	keys_free(k);
	return code;
}

/* --- fsck ------------------------------------------------------------------------------------ */

static void print_found(void *arg, const char *text)
{
	meter_clear();
	printf("%s\n", text);
}

static void print_noted(void *arg, const char *text)
{
	meter_clear();
	printf("note: %s\n", text);
}

static void print_progress(void *arg, uint64_t objects)
{
	meter_tell(0, objects);
}

static int fsck(const struct vault_cli *o)
{
	struct vault_report r = {
		.found = print_found, .noted = print_noted, .progress = print_progress};
	struct keys *k = vault_cli_keys(o);
	struct vault_totals t = {0};
	char error[KEYS_ERROR];
	struct vault *v;
	int64_t wrong;
	int err = 0;

	if (!k)
		return CLI_FAILED;
	if (o->mend)
		err = vault_mend(o->dir, k, &r, error);
	v = err == 0 ? vault_open_with(o->dir, k, 0, error) : NULL;
	if (!v) {
		keys_free(k);
		return cli_fail("%s", error);
	}
	vault_totals(v, &t);
	meter_begin(0, t.objects);
	wrong = vault_check(v, o->content, &r);
	meter_clear();
	vault_close(v);
	keys_free(k);
	if (wrong < 0)
		return cli_fail("%s: %s", o->dir, vault_cli_error((int)wrong));
	printf("%" PRIu64 " objects under %" PRIu64 " names%s: %" PRId64 " wrong\n", t.objects,
	       t.names, o->content ? ", read and compared" : "", wrong);
	return wrong == 0 ? CLI_OK : CLI_FAILED;
}

/* --- the verbs ---------------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*run)(const struct vault_cli *o);
	int least, most; /* arguments behind DIR; most -1: any number */
	const char *usage;
} verbs[] = {
	{"init", init, 0, 0,
	 "DIR [--holder passphrase|tpm2|pkcs11|credential|file] [--place PLACE] [-r RECIPIENT]"},
	{"put", vault_cli_put, 1, -1, "DIR [-c CLASS] [--keep DAYS] [--name NAME] [-v] PATH..."},
	{"get", vault_cli_get, 0, -1, "DIR [-c CLASS] [-o OUT | -C FOLDER] [NAME]..."},
	{"ls", vault_cli_ls, 0, 0, "DIR [-c CLASS] [--json]"},
	{"rotate", rotate, 0, 0, "DIR [--recovery | --holder HOLDER [--place PLACE]]"},
	{"shred", vault_cli_shred, 0, -1,
	 "DIR [-c CLASS] [--force] [--why TEXT] --expired | --all | NAME..."},
	{"watch", vault_cli_watch, 0, -1,
	 "DIR [-c CLASS] [--keep DAYS] [--settle MS] [--once] [FOLDER]..."},
	{"mount", vault_cli_mount, 0, 1, "DIR [-c CLASS] [--allow-other] [FOLDER]"},
	{"fsck", fsck, 0, 0, "DIR [--content] [--mend]"},
	{"export", vault_cli_export, 0, -1, "DIR -r RECIPIENT... -C FOLDER [-c CLASS] [NAME]..."},
	{"recover", recover, 0, 0, "DIR [-i FILE] [--holder HOLDER] [--place PLACE]"},
	{"log", vault_cli_log, 0, 0, "DIR [--json]"},
	{"backup", vault_cli_backup, 0, -1, "DIR [--keep DAYS] [-v] [PATH]..."},
	{"copy", vault_cli_copy, 1, 1, "DIR FOLDER"},
	{"restore", vault_cli_restore, 0, 1, "DIR -C FOLDER [MOMENT]"},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

enum {
	HOLDER = 256,
	PLACE,
	KEEP,
	WHY,
	ALL,
	FORCE,
	EXPIRED,
	CONTENT,
	MEND,
	RECOVERY,
	JSON,
	NAME,
	ONCE,
	ALLOW_OTHER,
	SETTLE,
	HELP
};

static const struct option options[] = {
	{"holder", required_argument, NULL, HOLDER},
	{"place", required_argument, NULL, PLACE},
	{"keep", required_argument, NULL, KEEP},
	{"why", required_argument, NULL, WHY},
	{"class", required_argument, NULL, 'c'},
	{"name", required_argument, NULL, NAME},
	{"all", no_argument, NULL, ALL},
	{"force", no_argument, NULL, FORCE},
	{"expired", no_argument, NULL, EXPIRED},
	{"content", no_argument, NULL, CONTENT},
	{"mend", no_argument, NULL, MEND},
	{"recovery", no_argument, NULL, RECOVERY},
	{"allow-other", no_argument, NULL, ALLOW_OTHER},
	{"once", no_argument, NULL, ONCE},
	{"settle", required_argument, NULL, SETTLE},
	{"json", no_argument, NULL, JSON},
	{"help", no_argument, NULL, HELP},
	{0},
};

static bool take_number(const char *what, const char *text, long most, long *ret_number)
{
	uint64_t n;

	if (!number_read(text, 0, (uint64_t)most, &n)) {
		cli_fail("%s: '%s' is no number from 0 to %ld", what, text, most);
		return false;
	}
	*ret_number = (long)n;
	return true;
}

static bool take_option(struct vault_cli *o, int c)
{
	switch (c) {
	case HOLDER:
		o->holder = optarg;
		return true;
	case PLACE:
		o->place = optarg;
		return true;
	case KEEP:
		return take_number("--keep, in days", optarg, DAYS_MAX, &o->keep_days);
	case SETTLE:
		return take_number("--settle, in ms", optarg, SETTLE_MAX, &o->settle_ms);
	case WHY:
		o->why = optarg;
		return true;
	case NAME:
		o->name = optarg;
		return true;
	case 'c':
		o->class = optarg;
		return is_class(optarg) ||
		       !cli_fail("'%s' is no class: small letters, digits, '-' and '_', at most %d",
				 optarg, OBJECT_CLASS_MAX - 1);
	case 'o':
		o->out = optarg;
		return true;
	case 'C':
		o->folder = optarg;
		return true;
	case 'i':
		o->identity = optarg;
		return true;
	case 'r':
		if (o->recipient_count == sizeof(o->recipients) / sizeof(*o->recipients))
			return false;
		o->recipients[o->recipient_count++] = optarg;
		return true;
	case 'v':
		o->verbose = true;
		return true;
	default:
		break;
	}
	o->all |= c == ALL;
	o->force |= c == FORCE;
	o->expired |= c == EXPIRED;
	o->content |= c == CONTENT;
	o->mend |= c == MEND;
	o->recovery |= c == RECOVERY;
	o->once |= c == ONCE;
	o->allow_other |= c == ALLOW_OTHER;
	o->json |= c == JSON;
	return c != '?';
}

static int usage(const struct verb *verb)
{
	fprintf(stderr, "usage: bedwarden vault %s %s\n", verb->name, verb->usage);
	return CLI_USAGE;
}

int cli_vault(int argc, char **argv)
{
	const struct cli_command *self = cli_find("vault");
	const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
	struct vault_cli o = {.keep_days = -1, .settle_ms = -1};
	int c;

	optind = 2;
	if (!verb)
		return cli_usage(self);
	while ((c = getopt_long(argc, argv, "c:o:C:i:r:v", options, NULL)) != -1) {
		if (c == HELP) {
			printf("usage: bedwarden vault %s %s\n", verb->name, verb->usage);
			return CLI_OK;
		}
		if (!take_option(&o, c))
			return usage(verb);
	}
	if (optind >= argc)
		return usage(verb);
	o.dir = argv[optind];
	o.args = argv + optind + 1;
	o.count = argc - optind - 1;
	if (o.count < verb->least || (verb->most >= 0 && o.count > verb->most))
		return usage(verb);
	text_init();
	return verb->run(&o);
}
