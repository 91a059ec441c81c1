#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/number.h"

#define SETTINGS_MAX 65536

/* A setting is a word, a number or a program with its arguments. */
struct setting {
	const char *name;
	enum { WORD, NUMBER, PROGRAM, PRESET } kind;
	size_t at;
	bool needed;
};

#define AT(member) offsetof(struct settings, member)
static const struct setting table[] = {
	{"server", WORD, AT(server), true},
	{"port", WORD, AT(port), false},
	{"name", WORD, AT(name), true},
	{"ca", WORD, AT(ca), true},
	{"certificate", WORD, AT(certificate), true},
	{"key", WORD, AT(key), true},
	{"vendor", WORD, AT(vendor), true},
	{"model", WORD, AT(model), true},
	{"hardware", WORD, AT(hardware), false},
	{"serial", WORD, AT(serial), false},
	{"state", WORD, AT(state), false},
	{"version-file", WORD, AT(version_file), false},
	{"folder", WORD, AT(folder), false},
	{"install", PROGRAM, AT(install), false},
	{"keep", PROGRAM, AT(keep), false},
	{"back", PROGRAM, AT(back), false},
	{"restart", PROGRAM, AT(restart), false},
	{"slot", PROGRAM, AT(slot), false},
	{"health", PROGRAM, AT(health), false},
	{"poll", NUMBER, AT(poll_s), false},
	{"trial", NUMBER, AT(trial_s), false},
	{"installer", PRESET, 0, false},
};

/* What `installer = NAME` stands for; single settings after it change it. */
static const struct {
	const char *name, *install, *keep, *back, *restart;
} presets[] = {
	/* By name: `other` would be the new one again, were the device not restarted yet. */
	{"rauc", "rauc install {}", "rauc status mark-good booted", "rauc status mark-active {was}",
	 "systemctl reboot"},
	/* What takes it back is the boot loader's, and each calls it otherwise: `back` is to be set. */
	{"swupdate", "swupdate -i {}", "fw_setenv ustate 0", "", "systemctl reboot"},
};

static int wrong(char error[AGENT_ERROR], const char *path, unsigned line, const char *what,
		 const char *name)
{
	snprintf(error, AGENT_ERROR, "%s:%u: %s '%s'", path, line, what, name);
	return -EINVAL;
}

static bool split(char *text, struct program *ret_p)
{
	struct program p = {{NULL}};
	unsigned n = 0;

	for (char *rest = NULL, *w = strtok_r(text, " \t", &rest); w;
	     w = strtok_r(NULL, " \t", &rest)) {
		if (n == AGENT_ARGS)
			return false;
		p.argv[n++] = w;
	}
	*ret_p = p;
	return true;
}

/* Presets are constants: programs point into a copy of theirs that is never freed. */
static bool take_preset(struct settings *s, const char *name)
{
	for (unsigned i = 0; i < sizeof(presets) / sizeof(*presets); i++) {
		static char copy[4][64];

		if (strcmp(presets[i].name, name) != 0)
			continue;
		snprintf(copy[0], sizeof(copy[0]), "%s", presets[i].install);
		snprintf(copy[1], sizeof(copy[1]), "%s", presets[i].keep);
		snprintf(copy[2], sizeof(copy[2]), "%s", presets[i].back);
		snprintf(copy[3], sizeof(copy[3]), "%s", presets[i].restart);
		s->rauc = strcmp(name, "rauc") == 0;
		return split(copy[0], &s->install) && split(copy[1], &s->keep) &&
		       split(copy[2], &s->back) && split(copy[3], &s->restart);
	}
	return false;
}

static bool take_number(const char *text, unsigned *ret)
{
	uint64_t n;

	if (!number_read(text, 1, 86400, &n))
		return false;
	*ret = (unsigned)n;
	return true;
}

static bool take(struct settings *s, const struct setting *t, char *value)
{
	char *at = (char *)s + t->at;

	if (!*value)
		return false;
	if (t->kind == PROGRAM)
		return split(value, (struct program *)(void *)at);
	if (t->kind == NUMBER)
		return take_number(value, (unsigned *)(void *)at);
	if (t->kind == PRESET)
		return take_preset(s, value);
	*(char **)(void *)at = value;
	return true;
}

static char *trim(char *t)
{
	char *end;

	t += strspn(t, " \t\r");
	end = t + strlen(t);
	while (end > t && strchr(" \t\r", end[-1]))
		*--end = 0;
	return t;
}

static const struct setting *setting_of(const char *name)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static int read_line(struct settings *s, char *line, const char *path, unsigned number,
		     char error[AGENT_ERROR])
{
	char *equals = strchr(line, '='), *name = trim(line);
	const struct setting *t;

	if (!*name || *name == '#')
		return 0;
	if (!equals)
		return wrong(error, path, number, "expected 'NAME = VALUE', not", name);
	*equals = 0;
	name = trim(name);
	t = setting_of(name);
	if (!t)
		return wrong(error, path, number, "there is no setting", name);
	if (!take(s, t, trim(equals + 1)))
		return wrong(error, path, number, "that is no value for", name);
	return 0;
}

static int complete(const struct settings *s, const char *path, char error[AGENT_ERROR])
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		const char *const *at = (const void *)((const char *)s + table[i].at);

		if (table[i].needed && !*at) {
			snprintf(error, AGENT_ERROR, "%s: '%s' is missing", path, table[i].name);
			return -EINVAL;
		}
	}
	if (!s->folder && (!s->install.argv[0] || !s->back.argv[0])) {
		snprintf(error, AGENT_ERROR,
			 "%s: set 'folder', or 'installer = rauc', or both 'install' and 'back'",
			 path);
		return -EINVAL;
	}
	return 0;
}

int settings_read(const char *path, struct settings *ret_s, char ret_error[AGENT_ERROR])
{
	struct settings s = {
		.port = "8086", .state = "/var/lib/bedwarden-agent", .poll_s = 60, .trial_s = 3600};
	struct bytes text;
	unsigned number = 0;
	char *next;
	int err = file_read(path, SETTINGS_MAX, &text);

	if (err < 0) {
		snprintf(ret_error, AGENT_ERROR, "%s: %s", path, strerror(-err));
		return err;
	}
	s.text = strndup((const char *)text.data, text.len);
	free((void *)text.data);
	if (!s.text)
		return -ENOMEM;
	next = s.text;
	for (char *line; err == 0 && (line = strsep(&next, "\n"));)
		err = read_line(&s, line, path, ++number, ret_error);
	if (err == 0)
		err = complete(&s, path, ret_error);
	if (err < 0) {
		free(s.text);
		return err;
	}
	*ret_s = s;
	return 0;
}

void settings_free(struct settings *s)
{
	free(s->text);
	s->text = NULL;
}
