#include "cli/user.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/passphrase.h"
#include "cli/table.h"
#include "cli/text.h"
#include "people/auth/qr.h"

struct options {
	struct control_options control;
	const char *name, *role, *display;
	json_t *devices; /* NULL: none named */
	bool first, totp, password, recovery, approve, disable, enable, sessions;
};

static void keep(void *arg, json_t *row)
{
	*(json_t **)arg = json_incref(row);
}

/* The answer, a new reference; NULL after saying what is wrong. Takes `args`. */
static json_t *call(const struct options *o, const char *name, json_t *args)
{
	json_t *request = json_pack("{s:s, s:o}", "call", name, "args", args), *answer = NULL;

	if (control_ask(&o->control, request, false, keep, &answer) != CLI_OK) {
		json_decref(answer);
		answer = NULL;
	}
	json_decref(request);
	return answer;
}

static json_t *user_args(const struct options *o)
{
	return json_pack("{s:s}", "user", o->name);
}

static void print_code(const json_t *answer)
{
	printf("One-time code for '%s', good for a day:\n\n    %s\n\n"
	       "They open the gateway's page, choose \"I have a code\", enter it, and add a "
	       "passkey or "
	       "an\nauthenticator app; nothing else works before that.\n",
	       control_text(answer, "user"), control_text(answer, "code"));
}

static int add(const struct options *o)
{
	json_t *args = user_args(o), *answer;

	if (o->first) {
		answer = call(o, "auth.state", json_object());
		if (!answer)
			goto fail;
		if (!json_is_true(json_object_get(answer, "first"))) {
			json_decref(answer);
			json_decref(args);
			return cli_fail(
				"there are administrators already; add '%s' without --first",
				o->name);
		}
		json_decref(answer);
	}
	json_object_set_new(args, "role",
			    json_string(o->role	   ? o->role
					: o->first ? "administrator"
						   : "viewer"));
	if (o->display)
		json_object_set_new(args, "display", json_string(o->display));
	if (o->devices)
		json_object_set(args, "devices", o->devices);
	answer = call(o, "user.add", args);
	if (!answer)
		return CLI_FAILED;
	print_code(answer);
	json_decref(answer);
	return CLI_OK;

fail:
	json_decref(args);
	return CLI_FAILED;
}

static bool read_line(const char *prompt, char *ret_line, size_t cap)
{
	fputs(prompt, stderr);
	if (!fgets(ret_line, (int)cap, stdin))
		return false;
	ret_line[strcspn(ret_line, "\r\n")] = 0;
	return true;
}

/* The app scans the terminal; its first code proves that it has the secret. */
static int enrol_totp(const struct options *o)
{
	json_t *begun = call(o, "factor.totp_begin", user_args(o)), *done = NULL, *args;
	char *qr = begun ? qr_terminal(control_text(begun, "uri")) : NULL;
	char code[32];

	if (!begun)
		return CLI_FAILED;
	printf("%s\nScan this with an authenticator app, or type its secret in: %s\n", qr ? qr : "",
	       control_text(begun, "secret"));
	fflush(stdout);
	free(qr);
	if (read_line("The six digits that the app shows now: ", code, sizeof(code))) {
		args = user_args(o);
		json_object_set(args, "login", json_object_get(begun, "login"));
		json_object_set_new(args, "totp", json_string(code));
		done = call(o, "factor.totp_finish", args);
	} else {
		cli_fail("no code was typed; nothing was changed");
	}
	json_decref(begun);
	if (!done)
		return CLI_FAILED;
	json_decref(done);
	printf("'%s' has an authenticator app now.\n", o->name);
	return CLI_OK;
}

static int enrol_password(const struct options *o)
{
	char *once = passphrase_ask("New password: "),
	     *again = once ? passphrase_ask("The same again: ") : NULL;
	json_t *args, *done = NULL;

	if (once && again && strcmp(once, again) == 0) {
		args = user_args(o);
		json_object_set_new(args, "password", json_string(once));
		done = call(o, "factor.password_set", args);
	} else if (once && again) {
		cli_fail("the two are not the same; nothing was changed");
	}
	passphrase_free(once);
	passphrase_free(again);
	if (!done)
		return CLI_FAILED;
	json_decref(done);
	printf("'%s' has a new password.\n", o->name);
	return CLI_OK;
}

static int enrol_recovery(const struct options *o)
{
	json_t *answer = call(o, "factor.recovery_make", user_args(o)), *code;
	size_t i;

	if (!answer)
		return CLI_FAILED;
	printf("Recovery codes of '%s', each good once; earlier ones are void. Print them, and put "
	       "them away:\n\n",
	       o->name);
	json_array_foreach (json_object_get(answer, "codes"), i, code)
		printf("    %s\n", json_string_value(code));
	json_decref(answer);
	return CLI_OK;
}

static int enrol(const struct options *o)
{
	json_t *answer;

	if (o->totp)
		return enrol_totp(o);
	if (o->password)
		return enrol_password(o);
	if (o->recovery)
		return enrol_recovery(o);
	answer = call(o, "user.invite", user_args(o));
	if (!answer)
		return CLI_FAILED;
	print_code(answer);
	json_decref(answer);
	return CLI_OK;
}

static int reset(const struct options *o)
{
	json_t *answer =
		call(o, o->approve ? "user.reset_approve" : "user.reset_request", user_args(o));

	if (!answer)
		return CLI_FAILED;
	if (*control_text(answer, "code"))
		print_code(answer);
	else
		printf("Asked. An administrator must agree within a day, on the page: Users, '%s', "
		       "Reset.\n",
		       o->name);
	json_decref(answer);
	return CLI_OK;
}

static int change(const struct options *o)
{
	json_t *args = user_args(o), *answer;

	if (o->role)
		json_object_set_new(args, "role", json_string(o->role));
	if (o->display)
		json_object_set_new(args, "display", json_string(o->display));
	if (o->devices)
		json_object_set(args, "devices", o->devices);
	if (o->disable || o->enable)
		json_object_set_new(args, "disabled", json_boolean(o->disable));
	answer = call(o, "user.change", args);
	json_decref(answer);
	return answer ? CLI_OK : CLI_FAILED;
}

static int drop(const struct options *o)
{
	json_t *answer = call(o, "user.remove", user_args(o));

	json_decref(answer);
	return answer ? CLI_OK : CLI_FAILED;
}

/* "a, b" of a list of texts. */
static const char *joined(const json_t *list, char ret_text[256])
{
	const json_t *item;
	size_t i, len = 0;

	*ret_text = 0;
	json_array_foreach (list, i, item)
		if (json_is_string(item) && len < 256)
			len += (size_t)snprintf(ret_text + len, 256 - len, "%s%s", len ? ", " : "",
						json_string_value(item));
	return ret_text;
}

static void user_row(struct table *t, const json_t *u)
{
	char factors[256], state[160];
	const char *asked = control_text(u, "reset_asked_by");

	snprintf(state, sizeof(state), "%s%s%s",
		 json_is_true(json_object_get(u, "disabled")) ? "disabled"
		 : json_is_true(json_object_get(u, "ready"))  ? "ready"
							      : "has yet to enrol",
		 *asked ? "; reset asked by " : "", asked);
	table_cell(t, control_text(u, "user"));
	table_cell(t, control_text(u, "display"));
	table_cell(t, control_text(u, "role"));
	table_cell(t, joined(json_object_get(u, "factors"), factors));
	table_cell(t, state);
}

static void session_row(struct table *t, const json_t *s)
{
	char idle[TEXT_SHORT], aal[16];

	snprintf(aal, sizeof(aal), "%d", (int)control_number(s, "aal"));
	table_cell(t, control_text(s, "user"));
	table_cell(t, control_text(s, "source"));
	table_cell(t, control_text(s, "factors"));
	table_cell(t, aal);
	table_cell(t, text_span((uint64_t)control_number(s, "idle_for_seconds"), idle));
}

static int list(const struct options *o)
{
	static const struct table_column users[] = {{"USER", false},
						    {"NAME", false},
						    {"ROLE", false},
						    {"FACTORS", false},
						    {"STATE", false}};
	static const struct table_column sessions[] = {{"USER", false},
						       {"FROM", false},
						       {"FACTORS", false},
						       {"LEVEL", true},
						       {"IDLE", false}};
	json_t *answer = call(o, o->sessions ? "session.list" : "user.list", json_object()), *rows,
	       *row;
	struct table *t;
	size_t i;

	if (!answer)
		return CLI_FAILED;
	rows = json_object_get(answer, o->sessions ? "sessions" : "users");
	if (o->control.json) {
		json_dumpf(rows, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (json_array_size(rows) == 0) {
		puts(o->sessions
			     ? "Nobody is signed in."
			     : "There is no user yet; 'bedwarden user add NAME --first' makes the "
			       "first administrator.");
	} else {
		t = table_new(o->sessions ? sessions : users, 5);
		json_array_foreach (rows, i, row)
			(o->sessions ? session_row : user_row)(t, row);
		table_print(t, stdout, table_width(stdout));
		table_free(t);
	}
	json_decref(answer);
	return CLI_OK;
}

static const struct verb {
	const char *name;
	int (*run)(const struct options *o);
	bool named;	     /* takes a user's name */
	const char *letters; /* of the options below that it takes */
} verbs[] = {
	{"add", add, true, "rnd1"},  {"enrol", enrol, true, "tpR"},
	{"reset", reset, true, "a"}, {"change", change, true, "rndDE"},
	{"remove", drop, true, ""},  {"ls", list, false, "s"},
};

/* One of ours; false: it is none. */
static bool take(struct options *o, int letter)
{
	switch (letter) {
	case 'r':
		o->role = optarg;
		return true;
	case 'n':
		o->display = optarg;
		return true;
	case 'd':
		if (!o->devices)
			o->devices = json_array();
		json_array_append_new(o->devices, json_string(optarg));
		return true;
	case '1':
		return o->first = true;
	case 't':
		return o->totp = true;
	case 'p':
		return o->password = true;
	case 'R':
		return o->recovery = true;
	case 'a':
		return o->approve = true;
	case 'D':
		return o->disable = true;
	case 'E':
		return o->enable = true;
	case 's':
		return o->sessions = true;
	default:
		return false;
	}
}

int cli_user(int argc, char **argv)
{
	static const struct option options[] = {CONTROL_OPTIONS,
						{"role", required_argument, NULL, 'r'},
						{"display", required_argument, NULL, 'n'},
						{"device", required_argument, NULL, 'd'},
						{"first", no_argument, NULL, '1'},
						{"totp", no_argument, NULL, 't'},
						{"password", no_argument, NULL, 'p'},
						{"recovery", no_argument, NULL, 'R'},
						{"approve", no_argument, NULL, 'a'},
						{"disable", no_argument, NULL, 'D'},
						{"enable", no_argument, NULL, 'E'},
						{"sessions", no_argument, NULL, 's'},
						{0}};
	const struct cli_command *usage = cli_find("user");
	const struct verb *v = NULL;
	struct options o = {.name = NULL};
	int c, code = CLI_OK;

	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			v = &verbs[i];
	if (!v)
		return cli_usage(usage);
	control_defaults(&o.control);
	argc--;
	argv++;
	while (code == CLI_OK &&
	       (c = getopt_long(argc, argv, CONTROL_LETTERS, options, NULL)) != -1) {
		code = control_option(&o.control, c);
		if (code < 0)
			code = strchr(v->letters, c) && take(&o, c) ? CLI_OK : cli_usage(usage);
	}
	if (code == CLI_OK && argc - optind != (v->named ? 1 : 0))
		code = cli_usage(usage);
	if (code == CLI_OK && o.totp + o.password + o.recovery > 1)
		code = cli_usage(usage);
	if (code == CLI_OK) {
		o.name = v->named ? argv[optind] : NULL;
		code = v->run(&o);
	}
	json_decref(o.devices);
	return code;
}
