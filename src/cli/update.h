#ifndef BEDWARDEN_CLI_UPDATE_H
#define BEDWARDEN_CLI_UPDATE_H
/*
 * `bedwarden update`: a verb a row of the table in update.c, and each verb its own file.
 */
struct update_verb {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the verb */
};

int update_cli_status(int argc, char **argv);
int update_cli_ask(int argc, char **argv); /* check, approve, hold, release, rollback, done */
int update_cli_import(int argc, char **argv);
int update_cli_advisories(int argc, char **argv);
int update_cli_shield(int argc, char **argv);
int update_cli_accept(int argc, char **argv);
int update_cli_withdraw(int argc, char **argv);

#endif
