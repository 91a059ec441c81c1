/* `bedwarden update shield`: virtual patches, and `accept`, `withdraw`: what is lived with. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/control.h"
#include "cli/shield_edit.h"
#include "cli/update.h"
#include "guard/policy/policy.h"

#define POLICY	    BEDWARDEN_SYSCONFDIR "/bedwarden.yaml"
#define DEVICES_MAX 1024
#define LIST_MAX    16
#define TEXT_MAX    (1u << 20)

enum verb { ADD, ENFORCE, SIMULATE, REMOVE };

struct shielding {
	struct control_options control;
	const char *config, *reason;
	enum verb verb;
	bool described, socket_given;
	char *devices[DEVICES_MAX], *ports[LIST_MAX], *deny[LIST_MAX];
	struct config_shield s;
};

static const struct option options[] = {
	CONTROL_OPTIONS,
	{"device", required_argument, NULL, 'd'},
	{"proto", required_argument, NULL, 'P'},
	{"port", required_argument, NULL, 'p'},
	{"peer", required_argument, NULL, 'e'},
	{"app", required_argument, NULL, 'a'},
	{"deny", required_argument, NULL, 'y'},
	{"no-control", no_argument, NULL, 'n'},
	{"accepts", no_argument, NULL, 'A'},
	{"starts", no_argument, NULL, 's'},
	{"enforce", no_argument, NULL, 'E'},
	{"simulate", no_argument, NULL, 'I'},
	{"remove", no_argument, NULL, 'R'},
	{"reason", required_argument, NULL, 'r'},
	{NULL},
};

static bool push(char **list, unsigned max, unsigned *count, char *text)
{
	if (*count == max)
		return false;
	list[(*count)++] = text;
	return true;
}

static bool take(struct shielding *o, int c)
{
	o->described |= strchr("PpeaynAs", c) != NULL;
	switch (c) {
	case 'd':
		return push(o->devices, DEVICES_MAX, &o->s.device_count, optarg);
	case 'P':
		o->s.proto = optarg;
		return true;
	case 'p':
		return push(o->ports, LIST_MAX, &o->s.port_count, optarg);
	case 'e':
		o->s.peer = optarg;
		return true;
	case 'a':
		o->s.app = optarg;
		return true;
	case 'y':
		return push(o->deny, LIST_MAX, &o->s.deny_count, optarg);
	case 'n':
		o->s.control = false;
		return true;
	case 'A':
		o->s.direction = CONFIG_ACCEPTS;
		return true;
	case 's':
		o->s.direction = CONFIG_STARTS;
		return true;
	case 'E':
		o->verb = ENFORCE;
		return true;
	case 'I':
		o->verb = SIMULATE;
		return true;
	case 'R':
		o->verb = REMOVE;
		return true;
	case 'r':
		o->reason = optarg;
		return true;
	case 'c':
		o->config = optarg;
		return true;
	case 'S':
		o->socket_given = true;
		/* fall through */
	default:
		return control_option(&o->control, c) == CLI_OK;
	}
}

/* --- the policy, by way of the gateway or, where none runs, its file --------------------- */

struct policy_text {
	char *text, *hash;
};

static void got_text(void *arg, json_t *row)
{
	struct policy_text *p = arg;

	free(p->text);
	free(p->hash);
	p->text = strdup(control_text(row, "text"));
	p->hash = strdup(control_text(row, "hash"));
}

static int ask(const struct shielding *o, const char *name, json_t *args, control_row_fn fn,
	       void *arg)
{
	json_t *request = json_pack("{s:s, s:s, s:o}", "call", name, "operator", control_operator(),
				    "args", args);
	int code = request ? control_ask(&o->control, request, false, fn, arg)
			   : cli_fail("out of memory, or a text that is no UTF-8");

	json_decref(request);
	return code;
}

static struct config *parse(const char *file, const char *text, bool say)
{
	struct config_error e[8];
	size_t count = 0;
	struct config *c = config_parse(file, (struct bytes){(const uint8_t *)text, strlen(text)},
					e, 8, &count);

	for (size_t i = 0; !c && say && i < count && i < 8; i++)
		cli_misread(&e[i]);
	return c;
}

static int edit(const struct shielding *o, const char *file, const char *text, char **ret_text)
{
	struct config *c = parse(file, text, true);
	char why[SHIELD_WHY] = "out of memory";
	int err = -EINVAL;

	if (!c)
		return cli_fail("%s: nothing was changed", file);
	if (o->verb == REMOVE)
		err = shield_edit_remove(text, c, &o->s, ret_text, why);
	else if (!o->described && o->verb != ADD)
		err = shield_edit_mode(text, c, &o->s, o->verb == ENFORCE, ret_text, why);
	else
		err = shield_edit_add(text, &o->s, ret_text, why);
	config_free(c);
	return err < 0 ? cli_fail("%s: %s", file, why) : CLI_OK;
}

/* What is to be in force must read and compile; else nothing changes. */
static int check(const char *file, const char *text)
{
	struct config *c = parse(file, text, true);
	struct policy *p;
	char why[256];

	if (!c)
		return cli_fail("%s: nothing was changed", file);
	p = policy_compile(c, NULL, 0, 1, why);
	if (!p)
		cli_fail("%s: %s; nothing was changed", file, why);
	policy_free(p);
	config_free(c);
	return p ? CLI_OK : CLI_FAILED;
}

static void ignore(void *arg, json_t *row)
{
}

static int change_live(struct shielding *o, const char *file)
{
	struct policy_text p = {NULL, NULL};
	char reason[300], *text = NULL;
	int code = ask(o, "policy.get", json_object(), got_text, &p);

	snprintf(reason, sizeof(reason), "shield %.95s%s%.180s", o->s.advisory,
		 o->reason ? ": " : "", o->reason ? o->reason : "");
	if (code == CLI_OK)
		code = edit(o, file, p.text, &text);
	if (code == CLI_OK)
		code = check(file, text);
	if (code == CLI_OK)
		code = ask(o, "policy.apply",
			   json_pack("{s:s, s:s, s:s}", "text", text, "base", p.hash, "reason",
				     reason),
			   ignore, NULL);
	free(text);
	free(p.text);
	free(p.hash);
	return code;
}

static int change_file(struct shielding *o, const char *file)
{
	struct bytes was;
	char *before, *text = NULL;
	int err = file_read(file, TEXT_MAX, &was), code;

	if (err < 0)
		return cli_fail("%s: %s", file, strerror(-err));
	before = strndup((const char *)was.data, was.len);
	code = before ? edit(o, file, before, &text) : cli_fail("out of memory");
	if (code == CLI_OK)
		code = check(file, text);
	if (code == CLI_OK) {
		err = file_replace(file, (struct bytes){(const uint8_t *)text, strlen(text)}, 0644);
		if (err < 0)
			code = cli_fail("%s: %s", file, strerror(-err));
	}
	free((void *)was.data);
	free(before);
	free(text);
	return code;
}

static int change(struct shielding *o)
{
	const char *file = o->config ? o->config : POLICY;
	struct config_error e = {.line = 0};
	size_t errors = 0;
	struct config *c = config_load(file, &e, 1, &errors);
	bool live;
	int code;

	if (!c)
		return cli_misread(&e);
	if (!o->socket_given && strlen(c->gateway.run_dir) + 9 < sizeof(o->control.socket))
		snprintf(o->control.socket, sizeof(o->control.socket), "%.90s/control",
			 c->gateway.run_dir);
	config_free(c);
	live = control_is_there(&o->control);
	code = live ? change_live(o, file) : change_file(o, file);
	if (code != CLI_OK)
		return code;
	if (o->verb == REMOVE)
		printf("the shield for %s is gone", o->s.advisory);
	else if (o->verb == ENFORCE)
		printf("the shield for %s blocks, where the devices' own mode is enforce",
		       o->s.advisory);
	else
		printf("the shield for %s is rehearsed: 'bedwarden events --reason "
		       "policy.shielded' "
		       "says what it would have blocked; 'bedwarden update shield %s --enforce' "
		       "lets it",
		       o->s.advisory, o->s.advisory);
	puts(live ? "" : "; no gateway runs, only the file was changed");
	return CLI_OK;
}

int update_cli_shield(int argc, char **argv)
{
	struct shielding o = {
		.s = {.proto = (char *)"any", .peer = (char *)"any", .control = true}};
	int c;

	control_defaults(&o.control);
	o.s.device = o.devices;
	o.s.port = o.ports;
	o.s.deny = o.deny;
	while ((c = getopt_long(argc, argv, CONTROL_LETTERS, options, NULL)) != -1)
		if (!take(&o, c))
			return cli_usage(cli_find("update"));
	if (argc - optind != 1 || (o.verb == REMOVE && o.described))
		return cli_usage(cli_find("update"));
	o.s.advisory = argv[optind];
	o.s.enforce = o.verb == ENFORCE;
	if (o.s.port_count && strcmp(o.s.proto, "any") == 0)
		o.s.proto = (char *)"tcp"; /* only what has ports has one */
	if (!o.s.device_count && (o.verb == ADD || o.described))
		return cli_fail("shield %s: which devices? Name each with --device", o.s.advisory);
	return change(&o);
}

/* --- what is lived with ------------------------------------------------------------------- */

static const struct option accept_options[] = {
	CONTROL_OPTIONS,
	{"reason", required_argument, NULL, 'r'},
	{"until", required_argument, NULL, 'u'},
	{NULL},
};

static int decide(int argc, char **argv, bool accept)
{
	struct shielding o = {.reason = NULL};
	const char *until = NULL;
	json_t *args;
	int c, code;

	control_defaults(&o.control);
	while ((c = getopt_long(argc, argv, CONTROL_LETTERS, accept_options, NULL)) != -1) {
		if (c == 'u' && accept)
			until = optarg;
		else if (c == 'r' && accept)
			o.reason = optarg;
		else if (control_option(&o.control, c) != CLI_OK)
			return cli_usage(cli_find("update"));
	}
	if (argc - optind != 2 || (accept && (!until || !o.reason)))
		return cli_usage(cli_find("update"));
	args = json_pack("{s:s, s:s}", "device", argv[optind], "advisory", argv[optind + 1]);
	if (args && accept)
		json_object_update_new(args,
				       json_pack("{s:s, s:s}", "reason", o.reason, "until", until));
	code = ask(&o, accept ? "advisory.accept" : "advisory.withdraw", args, ignore, NULL);
	if (code == CLI_OK && accept)
		printf("%s at %s is accepted until %s\n", argv[optind + 1], argv[optind], until);
	else if (code == CLI_OK)
		printf("%s at %s is accepted no longer\n", argv[optind + 1], argv[optind]);
	return code;
}

int update_cli_accept(int argc, char **argv)
{
	return decide(argc, argv, true);
}

int update_cli_withdraw(int argc, char **argv)
{
	return decide(argc, argv, false);
}
