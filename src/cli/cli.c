#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/conform.h"
#include "base/fips.h"
#include "cli/audit.h"
#include "cli/clerk.h"
#include "cli/demo.h"
#include "cli/inspect.h"
#include "cli/pki.h"
#include "cli/policy.h"
#include "cli/selfcheck.h"
#include "cli/user.h"
#include "cli/vault.h"
#include "guard/policy/message.h"
#include "role/courier.h"
#include "role/exporter.h"
#include "role/guard.h"
#include "role/installer.h"
#include "role/surveyor.h"
#include "role/console.h"
#include "role/keeper.h"
#include "role/link.h"
#include "role/updater.h"

const struct cli_command cli_commands[] = {
	{"run", "[-c FILE] [--unload]", "start the gateway", cli_run},
	{"supervise", "[-c FILE] [--updates DIR]", "start it, and change its releases",
	 cli_supervise},
	{"agent", "[-c FILE] [-1]", "on a device: firmware for it, from a gateway", cli_agent},
	{"_selfcheck", "", NULL, selfcheck_main},
	{"status", "[--json] [-c FILE] [--socket PATH]", "is it guarding, and what needs attention",
	 cli_status},
	{"devices", "[--json] [--device NAME] [-c FILE] [--socket PATH]",
	 "registered devices, and machines seen", cli_devices},
	{"flows", "[--json] [--device NAME] [-c FILE] [--socket PATH]", "conversations under way",
	 cli_flows},
	{"events",
	 "[--json] [--all] [--follow] [--device NAME] [--reason REASON] [--since WHEN] [-n COUNT]"
	 " [-c FILE] [--socket PATH]",
	 "what was blocked or found", cli_events},
	{"grants",
	 "[--json] [-c FILE] [--socket PATH] | services | request|break-glass DEVICE SERVICE --ip "
	 "IP "
	 "--mac MAC|any --reason TEXT [--minutes N] [--record] | approve|deny|revoke|review NUMBER "
	 "[--reason TEXT] | invite USER DEVICE... --reason TEXT --minutes N | withdraw NUMBER",
	 "access that is open now; ask for it, allow it, end it", cli_grants},
	{"audit",
	 "verify [--against CHECKPOINT] [--key HEX] | ls [--who USER] [--what CALL] [--object "
	 "TEXT] "
	 "[-n COUNT] | checkpoint | export --to HOST:PORT --ca FILE [--cert FILE --cert-key FILE] "
	 "[--once]; all: [--json] [-c FILE | -d DIR]",
	 "who did what; has anybody changed the record", cli_audit},
	{"_guard", "N", NULL, guard_main},
	{"_keeper", "", NULL, keeper_main},
	{"_link", "", NULL, link_main},
	{"_console", "", NULL, console_main},
	{"_courier", "", NULL, courier_main},
	{"_exporter", "", NULL, exporter_main},
	{"_updater", "", NULL, updater_main},
	{"_installer", "", NULL, installer_main},
	{"_surveyor", "", NULL, surveyor_main},
	{"_clerk", "", NULL, clerk_main},
	{"demo", "[--headless] [--json] [--seconds N]", "a ward under attack, open and guarded",
	 cli_demo},
	{"inspect", "-r PCAP... [-c FILE] [-S RULES]... [-o OUT] [--inline] [--stats]",
	 "judge a capture file as if it came by", inspect_run},
	{"pki",
	 "init|show|ls|issue|code|revoke|crl|renew|request|install [OPTION]... [-c FILE] [--json]",
	 "certificates: the gateway's authority, and what it issues", pki_run},
	{"policy",
	 "check FILE [--json] | learn [-r PCAP | --eve FILE] [-w NET]... [-c FILE] [-o OUT] | "
	 "apply [-c FILE] [--json] | counters [--device NAME] [-c FILE] [--json]",
	 "say what a policy file allows, propose one, put it in force, or say what its rules "
	 "counted",
	 policy_run},
	{"keygen", "[-o FILE] [-y [FILE]]", "make a key pair, or tell the recipients of one",
	 cli_keygen},
	{"seal",
	 "[-e] [-r RECIPIENT | -R FILE | -i FILE]... [-p | -j batchpass] [-a] [-o OUT] "
	 "[--in-place] "
	 "[--force] [-v] [PATH]...",
	 "encrypt files or whole folders, as age does", cli_seal},
	{"open", "[-d] [-i FILE | -j batchpass]... [-o OUT] [--in-place] [--force] [-v] [PATH]...",
	 "decrypt what was sealed", cli_open},
	{"vault",
	 "init|put|get|ls|rotate|shred|watch|mount|fsck|export|recover|log|backup|copy|restore DIR "
	 "[OPTION]... [ARG]...",
	 "keep files sealed, for years, and destroy them for good", cli_vault, .verbs = true},
	{"user",
	 "add NAME [--first | --role ROLE] [--display TEXT] [--device NAME]... | "
	 "enrol NAME [--totp | --password | --recovery] | reset NAME [--approve] | "
	 "change NAME [--role ROLE] [--display TEXT] [--device NAME]... [--disable | --enable] | "
	 "remove NAME | ls [--sessions] [--json]  [-c FILE] [--socket PATH]",
	 "who may sign in, and by what", cli_user},
	{"tuf",
	 "--metadata-dir DIR [--metadata-url URL] [--target-name NAME]... [--target-base-url URL] "
	 "[--target-dir DIR] init ROOT | refresh | download",
	 "fetch from a repository what its keys vouch for", cli_tuf},
	{"repo",
	 "init|add|remove|delegate|rotate|renew|sign|take|publish|bundle|tidy|status DIR "
	 "[OPTION]... "
	 "[ARG]... | add|sign DRAFT.json [OPTION]... [FILE]... | key FILE",
	 "publish such a repository", cli_repo},
	{"update",
	 "status [--json] | check | approve NAME | hold [ROLLOUT] [--reason TEXT] | "
	 "release [ROLLOUT] | rollback [ROLLOUT] | done ROLLOUT DEVICE [--failed] | "
	 "import BUNDLE [--json] [--metadata-dir DIR] [--target-dir DIR] [--target-name NAME]... | "
	 "advisories [--device NAME] [--advisory ID] [--all] [--json] [--advisories DIR] "
	 "[--devices FILE] | shield ADVISORY [--device NAME]... [--accepts | --starts] [--proto P] "
	 "[--port N]... [--peer P] [--app A [--deny M=V]... [--no-control]] [--enforce | "
	 "--simulate | --remove] [--reason TEXT] | accept DEVICE ADVISORY --reason TEXT --until "
	 "DAY | withdraw DEVICE ADVISORY; all: [-c FILE] [--socket PATH]",
	 "what is up to date, what waits, sticks; what to do about known weaknesses", cli_update},
	{"report",
	 "hipaa|csf [-o FILE] [--json] [--days DAYS] [--advisories DIR] [-c FILE] [--socket PATH]",
	 "what the gateway can show of each requirement", cli_report},
	{NULL},
};

/* Names of files may hold what a terminal would obey. */
static void complain(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0) {
		fputs("bedwarden: out of memory\n", stderr);
		return;
	}
	for (char *p = text; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\n' && *p != '\t') || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "bedwarden: %s\n", text);
	free(text);
}

int cli_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return CLI_FAILED;
}

int cli_misuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return CLI_USAGE;
}

int cli_misread(const struct config_error *e)
{
	if (e->line)
		fprintf(stderr, "%s:%u:%u: %s\n", e->file, e->line, e->column, e->text);
	else
		fprintf(stderr, "%s: %s\n", e->file, e->text);
	return CLI_FAILED;
}

int cli_usage(const struct cli_command *c)
{
	fprintf(stderr, "usage: bedwarden %s %s\n", c->name, c->usage);
	return CLI_USAGE;
}

const struct cli_command *cli_find(const char *name)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

static void help(FILE *out)
{
	fputs("usage: bedwarden COMMAND [OPTIONS]\n\n", out);
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (c->what)
			fprintf(out, "  %-9s %s\n", c->name, c->what);
}

static int help_command(const struct cli_command *c)
{
	printf("usage: bedwarden %s %s\n", c->name, c->usage);
	if (c->what)
		printf("\n%s; more in bedwarden(8)\n", c->what);
	return CLI_OK;
}

static int no_command(const char *name)
{
	struct nearest near = {.text = name};

	if (*name == '-') {
		fprintf(stderr,
			"bedwarden: %s: a command comes first, then its verb, then options; "
			"'bedwarden --help' lists them\n",
			name);
		return CLI_USAGE;
	}
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (c->what)
			nearest_offer(&near, c->name);
	fprintf(stderr, "bedwarden: no command '%s'%s%s%s; 'bedwarden --help' lists them\n", name,
		near.best ? "; did you mean '" : "", near.best ? near.best : "",
		near.best ? "'?" : "");
	return CLI_USAGE;
}

static int pick(int argc, char **argv)
{
	const struct cli_command *c;

	config_check_words(message_is_wrong);
	if (fips_inherit() < 0) {
		fputs("bedwarden: crypto: fips: OpenSSL's FIPS module, which the gateway had when "
		      "it "
		      "started, cannot be loaded any more; reinstall it, or remove it and "
		      "restart\n",
		      stderr);
		return CLI_FAILED;
	}
	if (argc < 2) {
		help(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		if (argc == 2) {
			help(stdout);
			return CLI_OK;
		}
		c = cli_find(argv[2]);
		return c ? help_command(c) : no_command(argv[2]);
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("bedwarden " BEDWARDEN_VERSION);
		return CLI_OK;
	}
	c = cli_find(argv[1]);
	if (!c)
		return no_command(argv[1]);
	/* Behind whatever stands there, but a "--" that makes a name of it. */
	if (argc > 2 && strcmp(argv[argc - 1], "--help") == 0 &&
	    strcmp(argv[argc - 2], "--") != 0 && !(c->verbs && argc > 3))
		return help_command(c);
	return c->run(argc - 1, argv + 1);
}

/* What was printed arrived, or it was not done: a disk may be full, a pipe's reader gone. */
int cli_main(int argc, char **argv)
{
	int code = pick(argc, argv);

	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || code != CLI_OK)
		return code;
	return cli_fail("standard output: writing failed%s%s", errno ? ": " : "",
			errno ? strerror(errno) : "");
}
