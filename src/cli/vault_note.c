#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/vault.h"
#include "keep/audit.h"
#include "keep/keys.h"

/* The folder that holds the vault's, where it is a gateway's: there is an audit trail. */
static bool gateway_of(const char *dir, char ret_dir[PATH_MAX])
{
	char log[PATH_MAX + 16], *slash;

	if (!realpath(dir, ret_dir))
		return false;
	slash = strrchr(ret_dir, '/');
	if (!slash || slash == ret_dir)
		return false;
	*slash = 0;
	snprintf(log, sizeof(log), "%s/audit.log", ret_dir);
	return access(log, F_OK) == 0;
}

int vault_cli_note(const struct vault_cli *o, struct keys *keys, const char *what, const char *text)
{
	struct audit_entry e = {.who = control_operator(), .as = "operator", .what = what};
	char dir[PATH_MAX], error[AUDIT_ERROR], object[300] = "vault:";
	struct audit_log *a;
	int err;

	if (!gateway_of(o->dir, dir))
		return CLI_OK;
	for (int i = 0; i < o->count && strlen(object) < sizeof(object) - 2; i++)
		snprintf(object + strlen(object), sizeof(object) - strlen(object), "%s%s",
			 i ? " " : "", o->args[i]);
	e.object = object;
	e.text = text;
	a = audit_open(dir, keys, error);
	if (!a)
		return cli_fail("%s; what cannot be recorded is not done", error);
	err = audit_append(a, &e);
	audit_free(a);
	return err == 0 ? CLI_OK
			: cli_fail("%s/audit.log: %s; what cannot be recorded is not done", dir,
				   strerror(-err));
}
