#ifndef BEDWARDEN_CLI_VAULT_H
#define BEDWARDEN_CLI_VAULT_H
/*
 * `bedwarden vault VERB DIR`: its options, and what the verbs share.
 *
 *   vault.c        the verbs, and those about the vault as a whole
 *   vault_files.c  put, get, export: between the vault and files
 *   vault_list.c   ls, log, shred
 *   vault_mount.c  mount
 *   vault_watch.c  watch
 *   vault_backup.c backup, copy, restore
 *   vault_note.c   what a gateway's audit trail is told
 */
#include "cli/cli.h"
#include "keep/vault.h"

struct vault_cli {
	const char *dir;
	const char *holder, *place; /* NULL: not given */
	const char *identity;	    /* a file with the recovery key; "-" standard input */
	const char *class, *out, *folder, *name, *why;
	const char *recipients[32];
	unsigned recipient_count;
	long keep_days; /* -1: not given */
	long settle_ms; /* -1: not given */
	bool json, verbose, all, force, expired, content, mend, recovery, once, allow_other;
	char **args; /* what stands behind DIR */
	int count;
};

int cli_vault(int argc, char **argv);

/* The keys as the options say, or NULL and it was said why. keys_free() them. */
struct keys *vault_cli_keys(const struct vault_cli *o);
/* The vault by its own keys, or NULL and it was said why. */
struct vault *vault_cli_open(const struct vault_cli *o, unsigned threads);
/*
 * Of a gateway's own vault: what is about to be done goes into its audit trail first. CLI_OK, also
 * where it is nobody's but the user's own; CLI_FAILED: it is not to be done.
 */
int vault_cli_note(const struct vault_cli *o, struct keys *keys, const char *what,
		   const char *text);
/* "15fc7a0c…" */
#define VAULT_ADDRESS (2 * CRYPTO_HASH + 1)
const char *vault_cli_address(const uint8_t address[CRYPTO_HASH], char ret_text[VAULT_ADDRESS]);
/* How long a thing of the class is kept that is put now. */
int64_t vault_cli_until(const struct vault_cli *o);

/* What an error of the vault means, and what to do, for a person. */
const char *vault_cli_error(int err);
/* The verb was used wrongly, and how: on stderr; CLI_USAGE. */
int vault_cli_misused(const char *how);
/* A folder to write into, made if need be, or -1 and it was said why. */
int vault_cli_folder(const char *path);

/* The verbs. */
int vault_cli_put(const struct vault_cli *o);
int vault_cli_get(const struct vault_cli *o);
int vault_cli_export(const struct vault_cli *o);
int vault_cli_ls(const struct vault_cli *o);
int vault_cli_log(const struct vault_cli *o);
int vault_cli_shred(const struct vault_cli *o);
int vault_cli_mount(const struct vault_cli *o);
int vault_cli_watch(const struct vault_cli *o);
int vault_cli_backup(const struct vault_cli *o);
int vault_cli_copy(const struct vault_cli *o);
int vault_cli_restore(const struct vault_cli *o);

#endif
