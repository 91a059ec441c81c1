#include "base/config.h"

#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/conform.h"
#include "base/file.h"
#include "base/schema.h"

#define FILE_MAX    (16u << 20)
#define PROFILE_MAX (256u << 10)

static const struct cyaml_config strict = {
	.mem_fn = cyaml_mem,
	.flags = CYAML_CFG_NO_ALIAS,
};
static const struct cyaml_config lenient = {
	.mem_fn = cyaml_mem,
	.flags = CYAML_CFG_NO_ALIAS | CYAML_CFG_IGNORE_UNKNOWN_KEYS,
};

/*
 * One file on its way from text to struct. libcyaml alone reads what is right,
 * in one pass; only where something is wrong the text is read again as an
 * outline, to say everything that is wrong, and where.
 */
struct loading {
	struct bytes text;
	const struct cyaml_schema_value *schema;
	struct errors *e;
	struct outline *outline; /* NULL until needed */
	void *data;
};

/*
 * libcyaml reads the first document only, guesses encodings, ends a text at the zero byte
 * that an escape may put there, and would not mention any of it. Escapes go by the outline.
 */
static bool one_plain_document(struct bytes text)
{
	const char *s = (const char *)text.data;

	return s && text.len && !memchr(s, 0, text.len) && (uint8_t)s[0] < 0xfe &&
	       !memmem(s, text.len, "\n---", 4) && !memmem(s, text.len, "\n...", 4) &&
	       !memchr(s, '\\', text.len) && !outline_hides(text);
}

static bool read_struct(struct loading *l, const struct cyaml_config *how)
{
	if (cyaml_load_data(l->text.data, l->text.len, how, l->schema, &l->data, NULL) != CYAML_OK)
		l->data = NULL;
	if (l->data && schema_settle(l->schema, l->data) < 0) {
		cyaml_free(&strict, l->schema, l->data, 0);
		l->data = NULL;
	}
	return l->data;
}

/* Whether the text conforms but for unknown keys; they are errors, but the rest can be checked. */
static bool read_outline(struct loading *l, bool *ret_unknown)
{
	size_t before = l->e->count;
	bool unknown_only;

	l->outline = outline_read(l->text, l->e);
	if (!l->outline)
		return false;
	conform(l->outline, l->schema, l->e, &unknown_only);
	*ret_unknown = l->e->count > before;
	return !*ret_unknown || unknown_only;
}

static bool load(struct loading *l)
{
	bool unknown;

	if (one_plain_document(l->text) && read_struct(l, &strict))
		return true;
	if (!read_outline(l, &unknown))
		return false;
	if (!read_struct(l, unknown ? &lenient : &strict) && !unknown)
		errors_add(l->e, 1, 1, "unreadable; expected text that libcyaml takes");
	return l->data;
}

/* Runs the checks; what they find gets its place from an outline. */
static void check(struct loading *l,
		  void (*run)(const void *, const struct outline *, struct errors *))
{
	size_t before = l->e->count;
	bool unknown;

	run(l->data, l->outline, l->e);
	if (l->e->count == before || l->outline)
		return;
	l->e->count = before;
	if (read_outline(l, &unknown))
		run(l->data, l->outline, l->e);
}

static void run_profile(const void *data, const struct outline *o, struct errors *e)
{
	check_profile(data, o, e);
}

static void run_policy(const void *data, const struct outline *o, struct errors *e)
{
	check_policy(&((const struct schema_file *)data)->config, o, e);
}

/* The profile's name is its file's. */
static char *name_of(const char *file)
{
	const char *base = strrchr(file, '/');
	const char *dot;

	base = base ? base + 1 : file;
	dot = strrchr(base, '.');
	return strndup(base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

static struct config_profile *parse_profile(const char *file, struct bytes text, struct errors *e)
{
	struct loading l = {.text = text, .schema = &schema_profile, .e = e};
	size_t before = e->count;
	const char *outer = e->file;
	struct config_profile *p = NULL;

	e->file = file;
	if (load(&l)) {
		p = l.data;
		check(&l, run_profile);
		p->name = name_of(file);
		if (!p->name)
			errors_add(e, 0, 0, "out of memory");
	}
	outline_free(l.outline);
	e->file = outer;
	if (p && e->count > before) {
		config_profile_free(p);
		p = NULL;
	}
	return p;
}

void config_profile_free(struct config_profile *p)
{
	if (!p)
		return;
	free(p->name);
	cyaml_free(&strict, &schema_profile, p, 0);
}

static const char *content = "current";

void config_content(const char *link)
{
	content = link;
}

/* Folders that profiles may be in, in order: 0; -ENOENT behind the last. */
static int profile_folder(const struct config *c, const char *file, unsigned i, char *ret_path,
			  size_t size)
{
	const char *slash = strrchr(file, '/');
	char self[256];
	ssize_t len;
	int n;

	switch (i) {
	case 0:
		n = snprintf(ret_path, size, "%s", c ? c->gateway.profiles_dir : "");
		break;
	case 1:
		n = snprintf(ret_path, size, "%.*s/profiles", slash ? (int)(slash - file) : 1,
			     slash ? file : ".");
		break;
	case 2:
		n = c && c->updates.dir ? snprintf(ret_path, size, "%s/content/%s/profiles",
						   c->updates.dir, content)
					: snprintf(ret_path, size, "%s", "");
		break;
	case 4:
		n = snprintf(ret_path, size, "%s", BEDWARDEN_DATADIR "/profiles");
		break;
	case 3: /* a release's own come before those of the package */
		len = readlink("/proc/self/exe", self, sizeof(self) - 1);
		self[len > 0 ? len : 0] = 0;
		slash = strrchr(self, '/');
		n = snprintf(ret_path, size, "%.*s/../profiles", slash ? (int)(slash - self) : 1,
			     slash ? self : ".");
		break;
	default:
		return -ENOENT;
	}
	if (n < 0 || (size_t)n >= size)
		*ret_path = 0;
	return 0;
}

/* Says at the device's own line what is wrong with the profile it names. */
__attribute__((format(printf, 3, 4))) static void profile_error(struct loading *l, unsigned device,
								const char *fmt, ...)
{
	const struct outline_node *at = NULL;
	char path[64], text[512];
	va_list ap;

	if (!l->outline)
		l->outline = outline_read(l->text, l->e);
	snprintf(path, sizeof(path), "devices[%u].profile", device);
	if (l->outline)
		at = outline_node(l->outline, outline_find(l->outline, path));
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	errors_add(l->e, at ? at->line : 0, at ? at->column : 0, "%s", text);
}

/* With the one that was probably meant. */
static void no_profile(struct loading *l, const struct config *c, const char *file,
		       const char *name, unsigned device)
{
	const char *dir = c->gateway.profiles_dir;
	struct nearest near = {.text = name};
	struct config_profile *list = NULL;
	unsigned count = 0;

	(void)config_profiles(c, file, &list, &count);
	for (unsigned i = 0; i < count; i++)
		nearest_offer(&near, list[i].name);
	if (near.best)
		profile_error(l, device, "there is no profile '%s'; did you mean '%s'?", name,
			      near.best);
	else
		profile_error(l, device,
			      "there is no profile '%s'; expected %s.yaml in %s%sa folder "
			      "'profiles' beside this file or " BEDWARDEN_DATADIR "/profiles",
			      name, name, dir, *dir ? ", " : "");
	config_profiles_free(list, count);
}

static struct config_profile *load_profile(struct loading *l, const struct config *c,
					   const char *file, const char *name, unsigned device)
{
	struct config_profile *p;
	struct bytes text;
	char folder[512], path[600];
	int r = -ENOENT;

	for (unsigned i = 0;
	     r == -ENOENT && profile_folder(c, file, i, folder, sizeof(folder)) == 0; i++) {
		snprintf(path, sizeof(path), "%s/%s.yaml", folder, name);
		r = *folder ? file_read(path, PROFILE_MAX, &text) : -ENOENT;
		if (r == -EACCES && i == 2)
			r = -ENOENT; /* made since a locked-in process began: not yet its to read */
	}
	if (r == -ENOENT || r == -ENOTDIR) {
		no_profile(l, c, file, name, device);
		return NULL;
	}
	if (r < 0) {
		profile_error(l, device, "profile %s can't be read: %s", path, strerror(-r));
		return NULL;
	}
	p = parse_profile(path, text, l->e);
	free((void *)text.data);
	return p;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct wanted {
	const char *name;
	unsigned device; /* the first that names it */
};

/* Each profile that a device names, once. */
static void load_profiles(struct loading *l, const char *file)
{
	struct config *c = &((struct schema_file *)l->data)->config;
	struct errors *e = l->e;
	struct wanted *want = calloc(c->devices_count + 1, sizeof(*want));
	unsigned n = 0, different = 0;

	for (unsigned i = 0; want && i < c->devices_count; i++)
		if (check_profile_name(c->devices[i].profile))
			want[n++] = (struct wanted){c->devices[i].profile, i};
	if (want && n)
		qsort(want, n, sizeof(*want), by_name);
	for (unsigned i = 0; i < n; i++)
		different += i == 0 || strcmp(want[i].name, want[i - 1].name) != 0;
	c->profiles = calloc(different + 1, sizeof(*c->profiles));
	if (!want || !c->profiles) {
		errors_add(e, 0, 0, "out of memory");
		free(want);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct config_profile *p;

		if (i && strcmp(want[i].name, want[i - 1].name) == 0)
			continue;
		p = load_profile(l, c, file, want[i].name, want[i].device);
		if (p) {
			/* The struct moves, what it points to stays; both came from malloc. */
			c->profiles[c->profiles_count++] = *p;
			free(p);
		}
	}
	free(want);
}

static int error_order(const void *a, const void *b)
{
	const struct config_error *x = a, *y = b;
	int r = strcmp(x->file, y->file);

	if (r)
		return r;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->text, y->text);
}

struct config *config_parse(const char *file, struct bytes text, struct config_error *ret_errors,
			    size_t max_errors, size_t *ret_count)
{
	struct errors e = {.list = ret_errors, .max = max_errors, .file = file};
	struct loading l = {.text = text, .schema = &schema_policy, .e = &e};
	struct schema_file *f = NULL;

	if (text.len > FILE_MAX) {
		errors_add(&e, 0, 0, "%zu bytes long; expected at most %u", text.len, FILE_MAX);
	} else if (load(&l)) {
		f = l.data;
		check(&l, run_policy);
		load_profiles(&l, file);
	}
	outline_free(l.outline);
	if (e.count && f) {
		config_free(&f->config);
		f = NULL;
	}
	if (e.count)
		qsort(e.list, e.count, sizeof(*e.list), error_order);
	*ret_count = e.count;
	return f ? &f->config : NULL;
}

struct config *config_load(const char *file, struct config_error *ret_errors, size_t max_errors,
			   size_t *ret_count)
{
	struct errors e = {.list = ret_errors, .max = max_errors, .file = file};
	struct config *c;
	struct bytes text;
	int r = file_read(file, FILE_MAX, &text);

	if (r < 0) {
		if (r == -EFBIG)
			errors_add(&e, 0, 0, "too long; expected at most %u MiB", FILE_MAX >> 20);
		else
			errors_add(&e, 0, 0, "can't be read: %s", strerror(-r));
		*ret_count = e.count;
		return NULL;
	}
	c = config_parse(file, text, ret_errors, max_errors, ret_count);
	free((void *)text.data);
	return c;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	config_profiles_free(c->profiles, c->profiles_count);
	cyaml_free(&strict, &schema_policy, c, 0);
}

struct config_profile *config_profile_parse(const char *file, struct bytes text,
					    struct config_error *ret_errors, size_t max_errors,
					    size_t *ret_count)
{
	struct errors e = {.list = ret_errors, .max = max_errors, .file = file};
	struct config_profile *p;

	if (text.len > PROFILE_MAX) {
		errors_add(&e, 0, 0, "%zu bytes long; expected at most %u", text.len, PROFILE_MAX);
		*ret_count = e.count;
		return NULL;
	}
	p = parse_profile(file, text, &e);
	*ret_count = e.count;
	return p;
}

static bool listed(const struct config_profile *list, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return true;
	return false;
}

/* Appends what can be read of one folder. */
static int add_folder(const char *folder, struct config_profile **list, unsigned *count)
{
	struct config_error ignored;
	char pattern[600];
	glob_t found;
	int r = 0;

	snprintf(pattern, sizeof(pattern), "%s/*.yaml", folder);
	if (glob(pattern, 0, NULL, &found) != 0)
		return 0;
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
		struct errors e = {.list = &ignored, .max = 1, .file = found.gl_pathv[i]};
		struct config_profile *p, *more;
		struct bytes text;

		if (file_read(found.gl_pathv[i], PROFILE_MAX, &text) < 0)
			continue;
		p = parse_profile(found.gl_pathv[i], text, &e);
		free((void *)text.data);
		if (!p || !check_profile_name(p->name) || listed(*list, *count, p->name)) {
			config_profile_free(p);
			continue;
		}
		more = realloc(*list, (*count + 1) * sizeof(*more));
		if (more) {
			more[(*count)++] = *p;
			*list = more;
			free(p);
		} else {
			config_profile_free(p);
			r = -ENOMEM;
		}
	}
	globfree(&found);
	return r;
}

int config_profiles(const struct config *c, const char *file, struct config_profile **ret_list,
		    unsigned *ret_count)
{
	struct config_profile *list = NULL;
	unsigned count = 0;
	char folder[512];
	int r = 0;

	for (unsigned i = 0; r == 0 && profile_folder(c, file, i, folder, sizeof(folder)) == 0; i++)
		if (*folder)
			r = add_folder(folder, &list, &count);
	if (r < 0) {
		config_profiles_free(list, count);
		return r;
	}
	*ret_list = list;
	*ret_count = count;
	return 0;
}

void config_profiles_free(struct config_profile *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		free(list[i].name);
	cyaml_free(&strict, &schema_profiles, list, count);
}
