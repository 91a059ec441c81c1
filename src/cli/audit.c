#include "cli/audit.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/config.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/number.h"
#include "cli/table.h"
#include "cli/text.h"
#include "keep/audit.h"
#include "keep/keys.h"

#define DEFAULT_DIR "/var/lib/bedwarden"

struct audit_cli {
	char dir[400];
	const char *key, *against; /* NULL not given */
	struct audit_query query;
	bool json;
};

static int take_config(struct audit_cli *o, const char *file)
{
	struct config_error error;
	size_t errors;
	struct config *c = config_load(file, &error, 1, &errors);

	if (!c)
		return cli_fail("%s: %s", error.file, error.text);
	snprintf(o->dir, sizeof(o->dir), "%s", c->gateway.state_dir);
	config_free(c);
	return CLI_OK;
}

/* ---- verify ---- */

static const char *const states[] = {
	[AUDIT_WHOLE] = "whole",   [AUDIT_CHANGED] = "changed",	  [AUDIT_CUT] = "cut",
	[AUDIT_FORGED] = "forged", [AUDIT_UNSIGNED] = "unsigned",
};

/* The key that checkpoints must be signed by: the one given, else the gateway's own, if its holder
 * gives it out here. */
static bool find_key(const struct audit_cli *o, uint8_t ret_key[CRYPTO_KEY])
{
	struct holder_ask ask = {.place = ""};
	char vault[sizeof(o->dir) + 8], error[KEYS_ERROR];
	struct keys *keys;
	size_t len;
	bool found;

	if (o->key)
		return hex_read(o->key, strlen(o->key), ret_key, CRYPTO_KEY, &len) == 0 &&
		       len == CRYPTO_KEY;
	snprintf(vault, sizeof(vault), "%s/vault", o->dir);
	ask.dir = vault;
	keys = keys_open(vault, &ask, error);
	found = keys && keys_public(keys, AUDIT_PURPOSE, ret_key) == 0;
	keys_free(keys);
	return found;
}

/* The line itself, or a file that holds it. */
static bool read_checkpoint(const char *text, struct audit_checkpoint *ret_c)
{
	struct bytes file;
	bool ok;

	if (audit_checkpoint_parse((struct bytes){(const uint8_t *)text, strlen(text)}, ret_c))
		return true;
	if (file_read(text, 4096, &file) < 0)
		return false;
	ok = audit_checkpoint_parse(file, ret_c);
	free((void *)(uintptr_t)file.data);
	return ok;
}

static json_t *report_json(const struct audit_report *r)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:s, s:b, s:b}", "state", states[r->state], "count",
			 (json_int_t)r->count, "sure", (json_int_t)r->sure, "where",
			 (json_int_t)r->where, "text", r->text, "torn", r->torn, "key_known",
			 r->key_known);
}

json_t *audit_verified(const char *dir)
{
	struct audit_cli o = {.key = NULL};
	uint8_t key[CRYPTO_KEY];
	struct audit_report r;
	bool known;

	snprintf(o.dir, sizeof(o.dir), "%s", dir);
	known = find_key(&o, key);
	return audit_verify(o.dir, known ? key : NULL, NULL, &r) < 0 ? NULL : report_json(&r);
}

static void print_json(const struct audit_report *r)
{
	json_t *o = report_json(r);

	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static int verify(const struct audit_cli *o)
{
	struct audit_checkpoint elsewhere;
	uint8_t key[CRYPTO_KEY];
	bool known = find_key(o, key);
	struct audit_report r;
	int err;

	if (o->key && !known)
		return cli_fail("--key: no key; expected 64 hexadecimal digits");
	if (o->against && !read_checkpoint(o->against, &elsewhere))
		return cli_fail(
			"--against %s: no checkpoint, and no file with one; expected a line "
			"that begins with audit-checkpoint-1",
			o->against);
	err = audit_verify(o->dir, known ? key : NULL, o->against ? &elsewhere : NULL, &r);
	if (err < 0)
		return cli_fail("%s: the audit trail cannot be read: %s", o->dir, strerror(-err));
	if (o->json) {
		print_json(&r);
	} else if (r.state == AUDIT_WHOLE) {
		printf("The audit trail is whole: %" PRIu64 " entries, %" PRIu64
		       " of them under a checkpoint%s.\n",
		       r.count, r.sure,
		       known ? ""
			     : " (whose key is not checked: give --key, or run this as root on "
			       "the box)");
		if (!o->against)
			puts("Whether it was put back as it was earlier, only a checkpoint kept "
			     "elsewhere shows: --against.");
	} else {
		printf("The audit trail is NOT whole: %s.\n", r.text);
	}
	return r.state == AUDIT_WHOLE ? CLI_OK : CLI_FAILED;
}

/* ---- ls ---- */

static const struct table_column columns[] = {
	{"NO", true},	 {"TIME", false},    {"WHO", false},	 {"FROM", false},
	{"WHAT", false}, {"ON WHAT", false}, {"CAME TO", false}, {"TEXT", false},
};

static void add_row(void *arg, json_t *row)
{
	json_int_t outcome = json_integer_value(json_object_get(row, "outcome"));
	const char *texts[] = {"who", "source", "what", "object"};
	char number[24], when[TEXT_SHORT];
	const char *s = json_string_value(json_object_get(row, "time"));

	snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
		 json_integer_value(json_object_get(row, "seq")));
	table_cell(arg, number);
	table_cell(arg, text_time(s ? s : "", when));
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		s = json_string_value(json_object_get(row, texts[i]));
		table_cell(arg, s ? s : "");
	}
	s = json_string_value(json_object_get(row, "reason"));
	table_cell(arg, s ? s : outcome == AUDIT_SUCCESS ? "done" : "failed");
	s = json_string_value(json_object_get(row, "text"));
	table_cell(arg, s ? s : "");
}

static void collect(void *arg, struct bytes row)
{
	json_array_append_new(arg, json_loadb((const char *)row.data, row.len, 0, NULL));
}

static int ls(const struct audit_cli *o)
{
	char error[AUDIT_ERROR];
	struct audit_log *a = audit_open_to_read(o->dir, error);
	json_t *rows = json_array(), *row;
	struct table *t;
	uint64_t next;
	size_t i;
	int err;

	if (!a || !rows) {
		json_decref(rows);
		return cli_fail("%s", a ? "out of memory" : error);
	}
	err = audit_list(a, &o->query, collect, rows, &next);
	audit_free(a);
	if (err < 0) {
		json_decref(rows);
		return cli_fail("%s: the audit trail cannot be read: %s", o->dir, strerror(-err));
	}
	if (o->json) {
		json_array_foreach (rows, i, row) {
			json_dumpf(row, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
			putchar('\n');
		}
	} else {
		t = table_new(columns, sizeof(columns) / sizeof(*columns));
		json_array_foreach (rows, i, row)
			add_row(t, row);
		table_print(t, stdout, table_width(stdout));
		table_free(t);
	}
	json_decref(rows);
	return CLI_OK;
}

static int checkpoint(const struct audit_cli *o)
{
	char error[AUDIT_ERROR], text[AUDIT_CHECKPOINT_MAX];
	struct audit_log *a = audit_open_to_read(o->dir, error);
	struct audit_checkpoint c;
	size_t len;

	if (!a)
		return cli_fail("%s", error);
	audit_checkpoint_of(a, &c);
	audit_free(a);
	len = audit_checkpoint_text(&c, text);
	printf("%.*s\n", (int)len, text);
	return audit_checkpoint_signed(&c)
		       ? CLI_OK
		       : cli_fail("it bears no signature: the gateway's keys are "
				  "locked");
}

int cli_audit(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"dir", required_argument, NULL, 'd'},
		{"key", required_argument, NULL, 'k'},
		{"against", required_argument, NULL, 'a'},
		{"json", no_argument, NULL, 'J'},
		{"who", required_argument, NULL, 'w'},
		{"what", required_argument, NULL, 'W'},
		{"object", required_argument, NULL, 'o'},
		{NULL},
	};
	struct audit_cli o = {.dir = DEFAULT_DIR, .query.limit = 100};
	uint64_t n;
	const char *verb = argc > 1 ? argv[1] : "";
	int c;

	opterr = 0;
	text_init();
	if (strcmp(verb, "export") == 0)
		return audit_export(argc - 1, argv + 1);
	optind = 2;
	while ((c = getopt_long(argc, argv, "c:d:n:", options, NULL)) != -1) {
		if (c == 'c' && take_config(&o, optarg) != CLI_OK)
			return CLI_FAILED;
		else if (c == 'd')
			snprintf(o.dir, sizeof(o.dir), "%s", optarg);
		else if (c == 'k')
			o.key = optarg;
		else if (c == 'a')
			o.against = optarg;
		else if (c == 'J')
			o.json = true;
		else if (c == 'w')
			o.query.who = optarg;
		else if (c == 'W')
			o.query.what = optarg;
		else if (c == 'o')
			o.query.object = optarg;
		else if (c == 'n' && number_read(optarg, 1, UINT32_MAX, &n))
			o.query.limit = (uint32_t)n;
		else if (c != 'c')
			return cli_usage(cli_find("audit"));
	}
	if (optind == argc && strcmp(verb, "verify") == 0)
		return verify(&o);
	if (optind == argc && strcmp(verb, "ls") == 0)
		return ls(&o);
	if (optind == argc && strcmp(verb, "checkpoint") == 0)
		return checkpoint(&o);
	return cli_usage(cli_find("audit"));
}
