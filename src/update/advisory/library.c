#include "update/advisory/library.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"

#define DEEP 4

static bool grow(void **list, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 64;
	void *p = count < *cap ? *list : reallocarray(*list, more, size);

	if (!p)
		return false;
	*cap = count < *cap ? *cap : more;
	*list = p;
	return true;
}

static int refuse(struct library *l, const char *file, const char *why)
{
	void *list = l->refusals;
	struct library_refusal r = {.file = strdup(file), .why = strdup(why)};

	if (!r.file || !r.why ||
	    !grow(&list, l->refusal_count, &l->refusal_cap, sizeof(*l->refusals))) {
		free(r.file);
		free(r.why);
		return -ENOMEM;
	}
	l->refusals = list;
	l->refusals[l->refusal_count++] = r;
	return 0;
}

/* What the file is called behind its last slash, escaped or not. */
static const char *own_name(const char *name)
{
	const char *last = name;

	for (const char *at = name; (at = strchr(at, '%')) != NULL; at++)
		if (strncasecmp(at, "%2f", 3) == 0)
			last = at + 3;
	return last;
}

static int take(struct library *l, const char *path, const char *name)
{
	struct bytes text = {0};
	struct csaf *c = NULL;
	char why[160];
	void *list = l->list;
	int err;

	if (l->bytes > LIBRARY_BYTES_MAX)
		return refuse(l, path, "there are more advisories than memory is for");
	err = file_read(path, CSAF_BYTES_MAX, &text);
	if (err < 0)
		return refuse(l, path, strerror(-err));
	err = csaf_parse(text, own_name(name), &c, why);
	free((void *)text.data);
	if (err < 0)
		return err == -ENOMEM ? err : refuse(l, path, why);
	if (!grow(&list, l->count, &l->cap, sizeof(struct csaf *))) {
		csaf_free(c);
		return -ENOMEM;
	}
	l->list = list;
	l->list[l->count++] = c;
	l->bytes += c->arena.total;
	return 0;
}

static bool is_json(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && strcasecmp(name + n - 5, ".json") == 0;
}

static int read_folder(struct library *l, const char *path, bool content, unsigned deep);

static int read_entry(struct library *l, const char *folder, const struct dirent *e, bool content,
		      unsigned deep)
{
	bool here = !content || strncasecmp(e->d_name, "advisories%2f", 13) == 0;
	struct stat s;
	char *path;
	int err = 0;

	if (*e->d_name == '.')
		return 0;
	if (asprintf(&path, "%s/%s", folder, e->d_name) < 0)
		return -ENOMEM;
	if (stat(path, &s) == 0) {
		bool enter = !content || strcmp(e->d_name, "advisories") == 0;

		if (S_ISDIR(s.st_mode) && deep < DEEP && enter)
			err = read_folder(l, path, false, deep + 1);
		else if (S_ISREG(s.st_mode) && is_json(e->d_name) && here)
			err = take(l, path, e->d_name);
	}
	free(path);
	return err;
}

static int read_folder(struct library *l, const char *path, bool content, unsigned deep)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int err = 0;

	if (!d)
		return errno == ENOENT || deep ? 0 : -errno;
	while (err == 0 && (e = readdir(d)) != NULL && l->count < LIBRARY_FILES_MAX)
		err = read_entry(l, path, e, content, deep);
	closedir(d);
	return err;
}

int library_read(struct library *l, const char *path, bool content)
{
	return read_folder(l, path, content, 0);
}

/* By id; of one the newest first. */
static int newest_first(const void *a, const void *b)
{
	const struct csaf *x = *(const struct csaf *const *)a;
	const struct csaf *y = *(const struct csaf *const *)b;
	int r = strcmp(x->id, y->id);

	return r ? r : strcmp(y->revised, x->revised);
}

void library_settle(struct library *l)
{
	size_t kept = 0;

	if (l->count)
		qsort(l->list, l->count, sizeof(struct csaf *), newest_first);
	for (size_t i = 0; i < l->count; i++) {
		if (kept && strcmp(l->list[kept - 1]->id, l->list[i]->id) == 0) {
			csaf_free(l->list[i]);
			l->superseded++;
			continue;
		}
		l->list[kept++] = l->list[i];
	}
	l->count = kept;
}

void library_free(struct library *l)
{
	for (size_t i = 0; i < l->count; i++)
		csaf_free(l->list[i]);
	for (size_t i = 0; i < l->refusal_count; i++) {
		free(l->refusals[i].file);
		free(l->refusals[i].why);
	}
	free(l->list);
	free(l->refusals);
	*l = (struct library){0};
}
