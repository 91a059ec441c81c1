#ifndef BEDWARDEN_CLI_REPO_H
#define BEDWARDEN_CLI_REPO_H
/*
 * `bedwarden repo`: what its verbs share.
 */
#include "update/repo/repo.h"

enum { REPO_LIST_MAX = 64 };

struct repo_list {
	const char *at[REPO_LIST_MAX];
	unsigned count;
};

struct repo_cli {
	struct repo_list keys, add, remove, paths, root, targets, online;
	const char *name, *role, *by, *custom, *out, *kind;
	int days, timestamp_days, snapshot_days, threshold, root_threshold, targets_threshold;
	bool plain, terminating, json;
};

struct repo_verb {
	const char *name;
	int (*run)(const struct repo_cli *o, int argc, char **argv); /* what stands behind it */
	int least, most;
	const char *usage; /* what stands behind the name */
};

/* Opens argv[0]; NULL, and it was said why. */
struct repo *repo_cli_open(const char *dir);
extern const struct signer_ask repo_cli_ask;
/* CLI_FAILED; says why, unless who was asked said it. */
int repo_cli_fail(int err, const struct tuf_error *e);

/* In repo_sign.c. */
int repo_cli_sign(const struct repo_cli *o, int argc, char **argv);
int repo_cli_take(const struct repo_cli *o, int argc, char **argv);
int repo_cli_publish(const struct repo_cli *o, int argc, char **argv);
int repo_cli_tidy(const struct repo_cli *o, int argc, char **argv);
int repo_cli_status(const struct repo_cli *o, int argc, char **argv);
/* In repo_keys.c. */
int repo_cli_key(const struct repo_cli *o, int argc, char **argv);
int repo_cli_init(const struct repo_cli *o, int argc, char **argv);
int repo_cli_delegate(const struct repo_cli *o, int argc, char **argv);
int repo_cli_rotate(const struct repo_cli *o, int argc, char **argv);
int repo_cli_renew(const struct repo_cli *o, int argc, char **argv);

#endif
