#include "cli/repo.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/number.h"
#include "cli/cli.h"
#include "cli/passphrase.h"
#include "update/bundle/bundle.h"
#include "update/repo/body.h"

#define DAYS_MAX     36500
#define DRAFT_MAX    (32u << 20)
#define TARGETS_DAYS 180

static int usage(void)
{
	return cli_usage(cli_find("repo"));
}

struct repo *repo_cli_open(const char *dir)
{
	struct tuf_error e;
	struct repo *r;

	if (repo_open(dir, &r, &e) == 0)
		return r;
	cli_fail("%s", e.text);
	return NULL;
}

/* From the environment for a program, else from the terminal. */
static int ask(void *arg, const char *path, bool fresh, char ret_text[SIGNER_PASSPHRASE])
{
	char prompt[512], *text;

	snprintf(prompt, sizeof(prompt), "Passphrase for %.400s: ", path);
	if (passphrase_in_environment())
		text = passphrase_from_environment();
	else
		text = fresh ? passphrase_new() : passphrase_ask(prompt);
	if (!text)
		return -ECANCELED;
	snprintf(ret_text, SIGNER_PASSPHRASE, "%s", text);
	passphrase_free(text);
	return 0;
}

int repo_cli_fail(int err, const struct tuf_error *e)
{
	return err == -ECANCELED ? CLI_FAILED : cli_fail("%s", e->text);
}

const struct signer_ask repo_cli_ask = {.passphrase = ask};

/* --- targets --------------------------------------------------------------------------------- */

static int read_custom(const struct repo_cli *o, json_t **ret_custom)
{
	json_error_t at;

	*ret_custom = NULL;
	if (!o->custom)
		return CLI_OK;
	*ret_custom = json_loads(o->custom, JSON_REJECT_DUPLICATES, &at);
	if (!json_is_object(*ret_custom))
		return cli_fail("--custom is no JSON object: %s", at.text);
	return CLI_OK;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int add_one(struct repo *r, const struct repo_cli *o, json_t *whole, const char *path,
		   json_t *custom)
{
	const char *name = o->name ? o->name : base_name(path);
	struct tuf_file file;
	struct tuf_error e;
	char hex[HASH_HEX_MAX];

	if (repo_put_target(r, path, name, &file, &e) < 0)
		return cli_fail("%s", e.text);
	if (body_add_target(whole, name, &file, custom) < 0)
		return cli_fail("out of memory");
	printf("%s  %s\n", tuf_file_name(&file, hex), name);
	return CLI_OK;
}

static int edit_role(struct repo *r, const struct repo_cli *o, const char *role, json_t **ret_whole)
{
	struct tuf_error e;

	if (strcmp(role, "targets") != 0 && tuf_type_is_name(role))
		return cli_fail("role '%s' lists no targets", role);
	if (repo_edit(r, role, o->days ? o->days : TARGETS_DAYS, ret_whole, &e) < 0)
		return cli_fail("%s", e.text);
	return CLI_OK;
}

/* A draft on its travels: what was signed already is the next version's beginning. */
static int begin_version(const struct repo_cli *o, json_t *whole)
{
	json_t *body = json_object_get(whole, "signed");
	int64_t version = json_integer_value(json_object_get(body, "version")),
		expires = (int64_t)time(NULL) + (o->days ? o->days : TARGETS_DAYS) * 86400ll;

	if (json_array_size(json_object_get(whole, "signatures")) > 0)
		version++;
	if (json_object_set_new(body, "version", json_integer(version)) < 0 ||
	    body_expire(whole, expires) < 0 ||
	    json_object_set_new(whole, "signatures", json_array()) < 0)
		return cli_fail("out of memory");
	return CLI_OK;
}

static int describe_one(const struct repo_cli *o, json_t *whole, const char *path, json_t *custom)
{
	const char *name = o->name ? o->name : base_name(path), *wrong = repo_judge_name(name);
	struct tuf_file file;
	struct tuf_error e;
	char hex[HASH_HEX_MAX];

	if (wrong)
		return cli_fail("'%s' is no path for a target: %s", name, wrong);
	if (repo_hash_file(path, &file, &e) < 0)
		return cli_fail("%s", e.text);
	if (body_add_target(whole, name, &file, custom) < 0)
		return cli_fail("out of memory");
	printf("%s  %s\n", tuf_file_name(&file, hex), name);
	return CLI_OK;
}

static int add_to_file(const struct repo_cli *o, int argc, char **argv, json_t *custom)
{
	struct tuf_metadata *m;
	struct tuf_error e;
	struct bytes raw;
	char *out;
	int c, err = file_read(argv[0], DRAFT_MAX, &raw);

	if (err < 0)
		return cli_fail("%s: %s", argv[0], strerror(-err));
	err = tuf_metadata_parse(raw, TUF_TARGETS, argv[0], &m, &e);
	free((void *)raw.data);
	if (err < 0)
		return cli_fail("%s", e.text);
	c = begin_version(o, m->whole);
	for (int i = 1; i < argc && c == CLI_OK; i++)
		c = describe_one(o, m->whole, argv[i], custom);
	out = c == CLI_OK ? json_dumps(m->whole, JSON_INDENT(1)) : NULL;
	if (out &&
	    (err = file_replace(argv[0], (struct bytes){(uint8_t *)out, strlen(out)}, 0644)) < 0)
		c = cli_fail("%s: %s", argv[0], strerror(-err));
	free(out);
	tuf_metadata_free(m);
	return c;
}

static int add_to_repo(const struct repo_cli *o, int argc, char **argv, json_t *custom)
{
	const char *role = o->role ? o->role : "targets";
	struct repo *r = repo_cli_open(argv[0]);
	json_t *whole = NULL;
	struct tuf_error e;
	int c = r ? CLI_OK : CLI_FAILED;

	if (c == CLI_OK)
		c = edit_role(r, o, role, &whole);
	for (int i = 1; i < argc && c == CLI_OK; i++)
		c = add_one(r, o, whole, argv[i], custom);
	if (c == CLI_OK && repo_save(r, role, whole, &e) < 0)
		c = cli_fail("%s", e.text);
	json_decref(whole);
	repo_close(r);
	return c;
}

static int add(const struct repo_cli *o, int argc, char **argv)
{
	json_t *custom = NULL;
	struct stat st;
	int c = read_custom(o, &custom);

	if (c == CLI_OK && o->name && argc != 2)
		c = cli_fail("--name is for one file; %d were given", argc - 1);
	if (c == CLI_OK)
		c = stat(argv[0], &st) == 0 && S_ISREG(st.st_mode)
			    ? add_to_file(o, argc, argv, custom)
			    : add_to_repo(o, argc, argv, custom);
	json_decref(custom);
	return c;
}

static int drop(const struct repo_cli *o, int argc, char **argv)
{
	const char *role = o->role ? o->role : "targets";
	struct repo *r = repo_cli_open(argv[0]);
	json_t *whole = NULL;
	struct tuf_error e;
	int c = r ? edit_role(r, o, role, &whole) : CLI_FAILED;

	for (int i = 1; i < argc && c == CLI_OK; i++)
		if (json_object_del(json_object_get(json_object_get(whole, "signed"), "targets"),
				    argv[i]) < 0)
			c = cli_fail("role '%s' has no target '%s'", role, argv[i]);
	if (c == CLI_OK && repo_save(r, role, whole, &e) < 0)
		c = cli_fail("%s", e.text);
	json_decref(whole);
	repo_close(r);
	return c;
}

static int bundle(const struct repo_cli *o, int argc, char **argv)
{
	struct repo *r;
	struct bundle_made made;
	struct tuf_error e;
	char until[TUF_TIME_LEN];
	int err;

	if (!o->out)
		return cli_fail("where to? name the bundle's file with -o");
	r = repo_cli_open(argv[0]);
	if (!r)
		return CLI_FAILED;
	err = bundle_write(r, (const char *const *)argv + 1, (unsigned)argc - 1, o->out, &made, &e);
	repo_close(r);
	if (err < 0)
		return cli_fail("%s", e.text);
	tuf_time_write(made.expires, until);
	printf("%s: %u metadata files, %u targets; a site can import it until %s\n", o->out,
	       made.metadata, made.targets, until);
	return CLI_OK;
}

/* --- options --------------------------------------------------------------------------------- */

enum { /* options without a letter */
       O_KEY = 256,
       O_ADD,
       O_REMOVE,
       O_PATH,
       O_ROOT,
       O_TARGETS,
       O_ONLINE,
       O_NAME,
       O_ROLE,
       O_BY,
       O_CUSTOM,
       O_KIND,
       O_DAYS,
       O_TIMESTAMP_DAYS,
       O_SNAPSHOT_DAYS,
       O_THRESHOLD,
       O_ROOT_THRESHOLD,
       O_TARGETS_THRESHOLD,
       O_PLAIN,
       O_TERMINATING,
       O_JSON,
};

static const struct option options[] = {
	{"key", required_argument, NULL, O_KEY},
	{"add-key", required_argument, NULL, O_ADD},
	{"remove-key", required_argument, NULL, O_REMOVE},
	{"path", required_argument, NULL, O_PATH},
	{"root", required_argument, NULL, O_ROOT},
	{"targets", required_argument, NULL, O_TARGETS},
	{"online", required_argument, NULL, O_ONLINE},
	{"name", required_argument, NULL, O_NAME},
	{"role", required_argument, NULL, O_ROLE},
	{"by", required_argument, NULL, O_BY},
	{"custom", required_argument, NULL, O_CUSTOM},
	{"kind", required_argument, NULL, O_KIND},
	{"days", required_argument, NULL, O_DAYS},
	{"timestamp-days", required_argument, NULL, O_TIMESTAMP_DAYS},
	{"snapshot-days", required_argument, NULL, O_SNAPSHOT_DAYS},
	{"threshold", required_argument, NULL, O_THRESHOLD},
	{"root-threshold", required_argument, NULL, O_ROOT_THRESHOLD},
	{"targets-threshold", required_argument, NULL, O_TARGETS_THRESHOLD},
	{"plain", no_argument, NULL, O_PLAIN},
	{"terminating", no_argument, NULL, O_TERMINATING},
	{"json", no_argument, NULL, O_JSON},
	{"output", required_argument, NULL, 'o'},
	{NULL},
};

static int take_number(const char *what, int max, int *ret)
{
	uint64_t n;

	if (!number_read(optarg, 1, (uint64_t)max, &n))
		return cli_fail("%s is '%s'; expected a number from 1 to %d", what, optarg, max);
	*ret = (int)n;
	return CLI_OK;
}

static int take_list(struct repo_list *l)
{
	if (l->count == REPO_LIST_MAX)
		return cli_fail("an option is given more than %d times", REPO_LIST_MAX);
	l->at[l->count++] = optarg;
	return CLI_OK;
}

static struct repo_list *list_of(struct repo_cli *o, int c)
{
	struct repo_list *const lists[] = {&o->keys, &o->add,	  &o->remove, &o->paths,
					   &o->root, &o->targets, &o->online};

	return c >= O_KEY && c <= O_ONLINE ? lists[c - O_KEY] : NULL;
}

static const char **text_of(struct repo_cli *o, int c)
{
	const char **const texts[] = {&o->name, &o->role, &o->by, &o->custom, &o->kind};

	if (c == 'o')
		return &o->out;
	return c >= O_NAME && c <= O_KIND ? texts[c - O_NAME] : NULL;
}

static int take_option(struct repo_cli *o, int c)
{
	const char **text = text_of(o, c);
	struct repo_list *list = list_of(o, c);

	if (list)
		return take_list(list);
	if (text) {
		*text = optarg;
		return CLI_OK;
	}
	switch (c) {
	case O_DAYS:
		return take_number("--days", DAYS_MAX, &o->days);
	case O_TIMESTAMP_DAYS:
		return take_number("--timestamp-days", DAYS_MAX, &o->timestamp_days);
	case O_SNAPSHOT_DAYS:
		return take_number("--snapshot-days", DAYS_MAX, &o->snapshot_days);
	case O_THRESHOLD:
		return take_number("--threshold", REPO_LIST_MAX, &o->threshold);
	case O_ROOT_THRESHOLD:
		return take_number("--root-threshold", REPO_LIST_MAX, &o->root_threshold);
	case O_TARGETS_THRESHOLD:
		return take_number("--targets-threshold", REPO_LIST_MAX, &o->targets_threshold);
	case O_PLAIN:
		o->plain = true;
		return CLI_OK;
	case O_TERMINATING:
		o->terminating = true;
		return CLI_OK;
	case O_JSON:
		o->json = true;
		return CLI_OK;
	default:
		return usage();
	}
}

static const struct repo_verb verbs[] = {
	{"key", repo_cli_key, 1, 1,
	 "FILE [--kind ed25519|ecdsa|rsa] [--plain] | pkcs11:URI -o FILE.pub"},
	{"init", repo_cli_init, 1, 1,
	 "DIR [--root PUB]... [--root-threshold N] [--targets PUB]... [--targets-threshold N] "
	 "[--online PUB]... [--kind KIND] [--plain] [--days N]"},
	{"add", add, 2, 1000,
	 "DIR|DRAFT.json FILE... [--name PATH] [--role ROLE] [--custom JSON] [--days N]"},
	{"remove", drop, 2, 1000, "DIR NAME... [--role ROLE] [--days N]"},
	{"delegate", repo_cli_delegate, 2, 2,
	 "DIR ROLE --key PUB... [--threshold N] [--path PATTERN]... [--terminating] [--by ROLE] "
	 "[--days N]"},
	{"rotate", repo_cli_rotate, 2, 64,
	 "DIR ROLE... [--add-key PUB]... [--remove-key PUB|ID]... [--threshold N] [--days N]"},
	{"renew", repo_cli_renew, 2, 64, "DIR ROLE... [--days N]"},
	{"sign", repo_cli_sign, 1, 2,
	 "DIR [ROLE] [--key FILE|pkcs11:URI]... | DRAFT.json --key FILE..."},
	{"take", repo_cli_take, 2, 1000, "DIR DRAFT.json [FILE]..."},
	{"publish", repo_cli_publish, 1, 1,
	 "DIR [--key FILE]... [--timestamp-days N] [--snapshot-days N]"},
	{"bundle", bundle, 1, 1000, "DIR [NAME]... -o FILE"},
	{"tidy", repo_cli_tidy, 1, 1, "DIR [--days N]"},
	{"status", repo_cli_status, 1, 1, "DIR [--json]"},
	{NULL},
};

static int usage_of(const struct repo_verb *v)
{
	fprintf(stderr, "usage: bedwarden repo %s %s\n", v->name, v->usage);
	return CLI_USAGE;
}

int cli_repo(int argc, char **argv)
{
	struct repo_cli o = {0};
	int c, r = CLI_OK;

	while (r == CLI_OK && (c = getopt_long(argc, argv, "o:", options, NULL)) != -1)
		r = take_option(&o, c);
	if (r != CLI_OK)
		return r;
	for (const struct repo_verb *v = verbs; optind < argc && v->name; v++) {
		if (strcmp(v->name, argv[optind]) != 0)
			continue;
		argc -= optind + 1;
		argv += optind + 1;
		return argc >= v->least && argc <= v->most ? v->run(&o, argc, argv) : usage_of(v);
	}
	return usage();
}
