#include "cli/pki.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"
#include "cli/control.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/text.h"

#define CSR_MAX 65536

struct options {
	struct control_options control;
	const char *name, *profile, *csr, *out, *purpose, *hours, *days;
	json_t *names;
};

static int number_arg(json_t *args, const char *key, const char *text)
{
	uint64_t n;

	if (!text)
		return CLI_OK;
	if (!number_read(text, 1, 100000, &n))
		return cli_misuse("pki: '%.40s' is no number for --%s", text, key);
	json_object_set_new(args, key, json_integer((json_int_t)n));
	return CLI_OK;
}

/* A file's text as an argument. */
static int file_arg(json_t *args, const char *key, const char *path)
{
	struct bytes text;
	int err = strcmp(path, "-") == 0 ? file_read_fd(0, CSR_MAX, &text)
					 : file_read(path, CSR_MAX, &text);
	json_t *t;

	if (err < 0)
		return cli_fail("pki: %s: %s", path, strerror(-err));
	t = json_stringn((const char *)text.data, text.len);
	free((void *)text.data);
	if (!t)
		return cli_fail("pki: %s is no text; expected PEM (openssl req -outform PEM)",
				path);
	json_object_set_new(args, key, t);
	return CLI_OK;
}

static int order_args(const struct options *o, json_t *args)
{
	if (o->name)
		json_object_set_new(args, "name", json_string(o->name));
	if (o->profile)
		json_object_set_new(args, "profile", json_string(o->profile));
	if (json_array_size(o->names))
		json_object_set(args, "names", o->names);
	if (o->purpose)
		json_object_set_new(args, "for", json_string(o->purpose));
	if (number_arg(args, "days", o->days) != CLI_OK)
		return CLI_FAILED;
	return number_arg(args, "hours", o->hours);
}

/* --- what is printed ------------------------------------------------------------- */

struct answer {
	const struct options *o;
	int code;
};

static void print_pem(void *arg, json_t *row)
{
	struct answer *a = arg;
	const char *pem = control_text(row, "pem");

	a->code = output_put(a->o->out, (struct bytes){(const uint8_t *)pem, strlen(pem)}, 0644);
}

static void print_code(void *arg, json_t *row)
{
	printf("%s\n", control_text(row, "code"));
	fprintf(stderr,
		"Good once, for %lld hours. The machine enrols by EST with it as the password.\n",
		(long long)control_number(row, "hours"));
}

static void print_done(void *arg, json_t *row)
{
	if (json_object_get(row, "revoked"))
		printf("%lld withdrawn; the list ('bedwarden pki crl') says so.\n",
		       (long long)control_number(row, "revoked"));
	else
		puts("Done.");
}

static void print_list(void *arg, json_t *row)
{
	static const struct table_column columns[] = {
		{"NAME", false},  {"FOR", false},   {"STATE", false},
		{"UNTIL", false}, {"NAMES", false}, {"SERIAL", false},
	};
	const json_t *list = json_object_get(row, "certificates"), *c;
	struct table *t = table_new(columns, sizeof(columns) / sizeof(*columns));
	size_t i;

	if (!json_array_size(list)) {
		puts("No certificate was issued yet.");
		table_free(t);
		return;
	}
	json_array_foreach (list, i, c) {
		table_cell(t, control_text(c, "name"));
		table_cell(t, control_text(c, "profile"));
		table_cell(t, control_text(c, "state"));
		table_cell(t, control_text(c, "until"));
		table_cell(t, control_text(c, "names"));
		table_cell(t, control_text(c, "serial"));
	}
	table_print(t, stdout, table_width(stdout));
	table_free(t);
}

/* --- verbs -------------------------------------------------------------------------- */

enum wants { NOTHING, A_NAME, A_WHICH, A_FILE };
static const struct verb {
	const char *name, *call;
	enum wants wants;
	void (*print)(void *arg, json_t *row);
	const char *usage;
} verbs[] = {
	{"init", "pki.init", NOTHING, print_pem, "[--name NAME] [--days N] [-o FILE]"},
	{"show", "pki.show", NOTHING, print_pem, "[-o FILE]"},
	{"ls", "pki.ls", NOTHING, print_list, "[--json]"},
	{"issue", "pki.issue", A_NAME, print_pem,
	 "NAME --csr FILE [--profile gateway|server|device|console] [--san NAME]... [--days N] [-o "
	 "FILE]"},
	{"code", "pki.code", A_NAME, print_code,
	 "NAME [--profile PROFILE] [--san NAME]... [--days N] [--hours N]"},
	{"revoke", "pki.revoke", A_WHICH, print_done, "NAME|SERIAL"},
	{"crl", "pki.crl", NOTHING, print_pem, "[-o FILE]"},
	{"renew", "pki.renew", NOTHING, print_done, ""},
	{"request", "pki.request", A_NAME, print_pem,
	 "NAME [--for link|console] [--san NAME]... [-o FILE]"},
	{"install", "pki.install", A_FILE, print_done, "FILE | --remove [--for link|console]"},
	{NULL},
};

static int usage(const struct verb *v)
{
	if (v) {
		fprintf(stderr, "usage: bedwarden pki %s %s\n", v->name, v->usage);
		return CLI_USAGE;
	}
	fputs("usage:\n", stderr);
	for (v = verbs; v->name; v++)
		fprintf(stderr, "  bedwarden pki %s %s\n", v->name, v->usage);
	return CLI_USAGE;
}

static int ask(const struct verb *v, const struct options *o, json_t *args)
{
	json_t *request = json_pack("{s:s,s:O}", "call", v->call, "args", args);
	struct answer a = {.o = o, .code = CLI_OK};
	int code;

	if (o->control.json)
		code = control_print_json(&o->control, request);
	else
		code = control_ask(&o->control, request, false, v->print, &a);
	json_decref(request);
	return code != CLI_OK ? code : a.code;
}

static int run(const struct verb *v, struct options *o, const char *word, bool remove)
{
	json_t *args = json_object();
	int code = CLI_OK;

	if (v->wants == A_NAME)
		o->name = word;
	if (v->wants == A_WHICH)
		json_object_set_new(args, "which", json_string(word));
	if (v->wants == A_FILE && remove)
		json_object_set_new(args, "remove", json_true());
	else if (v->wants == A_FILE)
		code = file_arg(args, "pem", word);
	if (code == CLI_OK && o->csr)
		code = file_arg(args, "csr", o->csr);
	if (code == CLI_OK)
		code = order_args(o, args);
	if (code == CLI_OK)
		code = ask(v, o, args);
	json_decref(args);
	return code;
}

int pki_run(int argc, char **argv)
{
	static const struct option known[] = {
		CONTROL_OPTIONS,
		{"name", required_argument, NULL, 'n'},
		{"profile", required_argument, NULL, 'p'},
		{"san", required_argument, NULL, 's'},
		{"csr", required_argument, NULL, 'r'},
		{"out", required_argument, NULL, 'o'},
		{"days", required_argument, NULL, 'd'},
		{"hours", required_argument, NULL, 'h'},
		{"for", required_argument, NULL, 'f'},
		{"remove", no_argument, NULL, 'x'},
		{NULL},
	};
	const struct verb *v = verbs;
	struct options o = {.names = json_array()};
	bool remove = false, wants;
	int c, code;

	while (argc > 1 && v->name && strcmp(v->name, argv[1]) != 0)
		v++;
	if (argc < 2 || !v->name)
		return usage(NULL);
	control_defaults(&o.control);
	argc--;
	argv++;
	while ((c = getopt_long(argc, argv, CONTROL_LETTERS "o:", known, NULL)) != -1) {
		code = control_option(&o.control, c);
		if (code == CLI_FAILED)
			return code;
		if (code == CLI_OK)
			continue;
		if (c == 'n')
			o.name = optarg;
		else if (c == 'p')
			o.profile = optarg;
		else if (c == 's')
			json_array_append_new(o.names, json_string(optarg));
		else if (c == 'r')
			o.csr = optarg;
		else if (c == 'o')
			o.out = optarg;
		else if (c == 'd')
			o.days = optarg;
		else if (c == 'h')
			o.hours = optarg;
		else if (c == 'f')
			o.purpose = optarg;
		else if (c == 'x')
			remove = true;
		else
			return usage(v);
	}
	wants = v->wants != NOTHING && !(v->wants == A_FILE && remove);
	if (argc - optind != (wants ? 1 : 0) || (strcmp(v->name, "issue") == 0 && !o.csr)) {
		json_decref(o.names);
		return usage(v);
	}
	code = run(v, &o, wants ? argv[optind] : NULL, remove);
	json_decref(o.names);
	return code;
}
