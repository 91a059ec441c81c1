#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/vault.h"
#include "keep/keys.h"
#include "keep/vault_choice.h"

#define PAGE	8192 /* rows in memory at once */
#define ROW_MAX (6 * OBJECT_NAME_MAX + 1024)

struct listing {
	const struct vault_cli *o;
	struct table *table;
	char *buf;
	uint64_t rows;
};

static const struct table_column columns[] = {
	{"NAME", false}, {"CLASS", false},	{"SIZE", true},
	{"PUT", false},	 {"KEPT UNTIL", false}, {"ADDRESS", false},
};

static void print_json(struct listing *l, const struct vault_entry *e)
{
	struct json j = json_new(l->buf, ROW_MAX);
	char address[VAULT_ADDRESS], when[CLOCK_EVE_LEN];

	json_open(&j, NULL);
	json_text(&j, "name", e->meta.name);
	json_str(&j, "class", e->meta.class);
	json_u64(&j, "size", e->size);
	clock_eve((uint64_t)e->meta.put_ns, when);
	json_str(&j, "put", when);
	clock_eve((uint64_t)e->meta.until_ns, when);
	json_str(&j, "until", when);
	json_str(&j, "address", vault_cli_address(e->address, address));
	json_close(&j);
	if (!j.out.bad)
		printf("%s%.*s", l->rows ? ",\n" : "", (int)j.out.len, l->buf);
}

static void add_row(struct listing *l, const struct vault_entry *e)
{
	char address[VAULT_ADDRESS], size[TEXT_SHORT], when[CLOCK_EVE_LEN], short_when[TEXT_SHORT];
	char *name = text_clean((const char *)e->meta.name.data, e->meta.name.len);

	vault_cli_address(e->address, address);
	table_cell(l->table, name);
	table_cell(l->table, e->meta.class);
	table_cell(l->table, text_bytes(e->size, size));
	clock_eve((uint64_t)e->meta.put_ns, when);
	table_cell(l->table, text_time(when, short_when));
	clock_eve((uint64_t)e->meta.until_ns, when);
	table_cell(l->table, text_time(when, short_when));
	address[12] = 0;
	table_cell(l->table, address);
	free(name);
}

static int list_one(void *arg, const struct vault_entry *e)
{
	struct listing *l = arg;

	if (l->o->class && strcmp(l->o->class, e->meta.class) != 0)
		return 0;
	if (l->o->json)
		print_json(l, e);
	else
		add_row(l, e);
	if (++l->rows % PAGE == 0 && !l->o->json)
		table_page(l->table, stdout, table_width(stdout));
	return 0;
}

int vault_cli_ls(const struct vault_cli *o)
{
	struct listing l = {.o = o, .buf = malloc(ROW_MAX)};
	struct vault *v = l.buf ? vault_cli_open(o, 1) : NULL;
	int err;

	if (!v) {
		free(l.buf);
		return CLI_FAILED;
	}
	l.table = table_new(columns, sizeof(columns) / sizeof(*columns));
	if (o->json)
		putchar('[');
	err = vault_each(v, list_one, &l);
	if (o->json)
		puts("]");
	else if (l.rows)
		table_print(l.table, stdout, table_width(stdout));
	else if (err == 0)
		puts("The vault is empty.");
	table_free(l.table);
	vault_close(v);
	free(l.buf);
	return err == 0 ? CLI_OK : cli_fail("%s: %s", o->dir, vault_cli_error(err));
}

/* --- log ------------------------------------------------------------------------------- */

static const struct table_column log_columns[] = {
	{"WHEN", false}, {"WHAT", false}, {"KEY", true}, {"OBJECT OR FINGERPRINT", false},
	{"WHY", false},
};

/* What an action is, for a person. */
static const struct {
	const char *name, *what;
} actions[] = {
	{"unname", "name dropped; others have the content"},
	{"shred", "object to be destroyed"},
	{"doom", "key to be destroyed"},
	{"destroyed", "key destroyed"},
	{"mend", "index made again"},
};

static const char *action_of(const json_t *line)
{
	const char *name = json_string_value(json_object_get(line, "action"));

	for (size_t i = 0; name && i < sizeof(actions) / sizeof(*actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return actions[i].what;
	return name;
}

static void add_log_row(struct listing *l, const char *when, struct bytes text)
{
	json_t *line = json_loadb((const char *)text.data, text.len, 0, NULL);
	const json_t *key = json_object_get(line, "key");
	const char *of = json_string_value(json_object_get(line, "address"));
	char short_when[TEXT_SHORT], number[24] = "";

	if (key)
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(key));
	if (!of)
		of = json_string_value(json_object_get(line, "print"));
	table_cell(l->table, text_time(when, short_when));
	table_cell(l->table, action_of(line));
	table_cell(l->table, number);
	table_cell(l->table, of);
	table_cell(l->table, json_string_value(json_object_get(line, "why")));
	json_decref(line);
}

static int log_line(void *arg, int64_t time_ns, struct bytes line)
{
	struct listing *l = arg;
	char when[CLOCK_EVE_LEN];

	clock_eve((uint64_t)time_ns, when);
	/* The lines are objects of our own making: the time goes in front. */
	if (!l->o->json)
		add_log_row(l, when, line);
	else if (line.len > 1)
		printf("%s{\"timestamp\":\"%s\",%.*s", l->rows ? ",\n" : "", when,
		       (int)line.len - 1, line.data + 1);
	l->rows++;
	return 0;
}

int vault_cli_log(const struct vault_cli *o)
{
	struct listing l = {.o = o};
	struct vault *v = vault_cli_open(o, 1);
	int err;

	if (!v)
		return CLI_FAILED;
	l.table = table_new(log_columns, sizeof(log_columns) / sizeof(*log_columns));
	if (o->json)
		putchar('[');
	err = vault_log(v, log_line, &l);
	if (o->json)
		puts("]");
	else if (l.rows)
		table_print(l.table, stdout, table_width(stdout));
	else if (err == 0)
		puts("Nothing was destroyed.");
	table_free(l.table);
	vault_close(v);
	if (err == -EUCLEAN)
		return cli_fail("%s: the log was altered behind this line", o->dir);
	return err == 0 ? CLI_OK : cli_fail("%s: %s", o->dir, vault_cli_error(err));
}

/* --- shred ------------------------------------------------------------------------------ */

static int shred(const struct vault_cli *o, struct vault_choice *c, struct vault *v)
{
	const char *why = o->why ? o->why : o->expired ? "kept long enough" : "";
	uint64_t count = 0;
	int err = vault_shred(v, vault_choice_picks, c, why, &count), code = CLI_OK;

	if (err < 0)
		return cli_fail("%s: %s; nothing is said to be destroyed until this is called "
				"again and ends well",
				o->dir, vault_cli_error(err));
	for (int i = 0; i < o->count; i++)
		if (!c->found[i])
			code = cli_fail("%s: the vault has nothing of that name or address",
					o->args[i]);
	printf("%" PRIu64 " destroyed\n", count);
	if (c->kept)
		code = cli_fail("%" PRIu64 " are to be kept longer; --force destroys them now",
				c->kept);
	return code;
}

int vault_cli_shred(const struct vault_cli *o)
{
	struct vault_choice c = {.names = (const char *const *)o->args,
				 .count = (size_t)o->count,
				 .class = o->class,
				 .expired = o->expired,
				 .all = o->all,
				 .force = o->force,
				 .now_ns = (int64_t)clock_wall_ns()};
	struct keys *keys;
	struct vault *v;
	int code;

	if ((o->count > 0) + o->expired + o->all != 1)
		return vault_cli_misused(
			"say what is to be destroyed: names or addresses, --expired or "
			"--all");
	keys = vault_cli_keys(o);
	if (!keys)
		return CLI_FAILED;
	code = vault_cli_note(o, keys, "vault.shred", o->why);
	keys_free(keys);
	if (code != CLI_OK)
		return code;
	c.found = calloc(c.count + 1, sizeof(*c.found));
	v = c.found ? vault_cli_open(o, 1) : NULL;
	code = v ? shred(o, &c, v) : CLI_FAILED;
	vault_close(v);
	free(c.found);
	return code;
}
