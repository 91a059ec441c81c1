#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/conform.h"
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

/* Reads a regular file whole. 0 or -errno; the block is the caller's. */
static int read_file(const char *path, size_t max, struct bytes *ret_text)
{
	struct stat st;
	uint8_t *data;
	size_t len = 0;
	ssize_t n = 0;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		r = -errno;
		goto close;
	}
	r = S_ISDIR(st.st_mode) ? -EISDIR : (uint64_t)st.st_size > max ? -EFBIG : 0;
	if (r < 0)
		goto close;
	/* What is no regular file, a pipe from a shell, tells no size. */
	max = S_ISREG(st.st_mode) ? (size_t)st.st_size : max;
	data = malloc(max + 1);
	if (!data) {
		r = -ENOMEM;
		goto close;
	}
	while (len <= max && (n = read(fd, data + len, max + 1 - len)) > 0)
		len += (size_t)n;
	r = n < 0 ? -errno : len > max ? -EFBIG : 0;
	if (r < 0)
		free(data);
	else
		*ret_text = (struct bytes){data, len};
close:
	close(fd);
	return r;
}

/* The steps every file goes through: tree, schema, struct, defaults. */
static void *load(struct bytes text, const struct cyaml_schema_value *schema, struct errors *e,
		  struct outline **ret_outline)
{
	struct outline *o = outline_read(text, e);
	size_t before = e->count;
	bool unknown_only;
	void *data = NULL;
	cyaml_err_t r;

	if (!o)
		return NULL;
	conform(o, schema, e, &unknown_only);
	if (e->count > before && !unknown_only)
		goto fail;
	r = cyaml_load_data(text.data, text.len, unknown_only ? &lenient : &strict, schema, &data,
			    NULL);
	if (r != CYAML_OK) {
		errors_add(e, 1, 1, "unreadable: %s", cyaml_strerror(r));
		goto fail;
	}
	if (schema_settle(schema, data) < 0) {
		errors_add(e, 0, 0, "out of memory");
		cyaml_free(&strict, schema, data, 0);
		goto fail;
	}
	*ret_outline = o;
	return data;
fail:
	outline_free(o);
	return NULL;
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
	size_t before = e->count;
	struct config_profile *p;
	const char *outer = e->file;
	struct outline *o;

	e->file = file;
	p = load(text, &schema_profile, e, &o);
	if (p) {
		check_profile(p, o, e);
		outline_free(o);
		p->name = name_of(file);
		if (!p->name)
			errors_add(e, 0, 0, "out of memory");
	}
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

/* Where profiles may be, in order; false behind the last. */
static bool profile_path(const struct config *c, const char *file, const char *name, unsigned i,
			 char *ret_path, size_t size)
{
	const char *slash = strrchr(file, '/');
	char self[256];
	ssize_t len;
	int n;

	switch (i) {
	case 0:
		if (!*c->gateway.profiles_dir)
			return profile_path(c, file, name, 1, ret_path, size);
		n = snprintf(ret_path, size, "%s/%s.yaml", c->gateway.profiles_dir, name);
		break;
	case 1:
		n = snprintf(ret_path, size, "%.*s/profiles/%s.yaml",
			     slash ? (int)(slash - file) : 1, slash ? file : ".", name);
		break;
	case 2:
		n = snprintf(ret_path, size, BEDWARDEN_DATADIR "/profiles/%s.yaml", name);
		break;
	case 3:
		len = readlink("/proc/self/exe", self, sizeof(self) - 1);
		self[len > 0 ? len : 0] = 0;
		slash = strrchr(self, '/');
		n = snprintf(ret_path, size, "%.*s/../profiles/%s.yaml",
			     slash ? (int)(slash - self) : 1, slash ? self : ".", name);
		break;
	default:
		return false;
	}
	if (n < 0 || (size_t)n >= size)
		*ret_path = 0;
	return true;
}

static struct config_profile *load_profile(const struct config *c, const char *file,
					   const char *name, unsigned line, unsigned column,
					   struct errors *e)
{
	struct config_profile *p;
	struct bytes text;
	char path[512];
	int r = -ENOENT;

	for (unsigned i = 0; r == -ENOENT && profile_path(c, file, name, i, path, sizeof(path));
	     i++)
		r = read_file(path, PROFILE_MAX, &text);
	if (r == -ENOENT || r == -ENOTDIR) {
		errors_add(e, line, column,
			   "there is no profile '%s'; expected %s.yaml in %s%sa folder 'profiles' "
			   "beside this file or " BEDWARDEN_DATADIR "/profiles",
			   name, name, c->gateway.profiles_dir,
			   *c->gateway.profiles_dir ? ", " : "");
		return NULL;
	}
	if (r < 0) {
		errors_add(e, line, column, "profile %s can't be read: %s", path, strerror(-r));
		return NULL;
	}
	p = parse_profile(path, text, e);
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
static void load_profiles(struct config *c, const struct outline *o, const char *file,
			  struct errors *e)
{
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
		const struct outline_node *at;
		struct config_profile *p;
		char path[64];

		if (i && strcmp(want[i].name, want[i - 1].name) == 0)
			continue;
		snprintf(path, sizeof(path), "devices[%u].profile", want[i].device);
		at = outline_node(o, outline_find(o, path));
		p = load_profile(c, file, want[i].name, at->line, at->column, e);
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
	struct schema_file *f = NULL;
	struct outline *o;

	if (text.len > FILE_MAX)
		errors_add(&e, 0, 0, "%zu bytes long; expected at most %u", text.len, FILE_MAX);
	else
		f = load(text, &schema_policy, &e, &o);
	if (f) {
		check_policy(&f->config, o, &e);
		load_profiles(&f->config, o, file, &e);
		outline_free(o);
	}
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
	int r = read_file(file, FILE_MAX, &text);

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
	for (unsigned i = 0; i < c->profiles_count; i++)
		free(c->profiles[i].name);
	cyaml_free(&strict, &schema_profiles, c->profiles, c->profiles_count);
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
