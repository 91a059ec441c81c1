#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"

/* The path that a new file has to replace, or to be; through a link to where it leads. */
static char *resolve(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : errno == ENOENT ? strdup(path) : NULL;
}

static int open_folder(struct output *o)
{
	char *slash = strrchr(o->path, '/');
	int fd;

	o->name = slash ? slash + 1 : o->path;
	if (!slash)
		return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (slash == o->path)
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = 0;
	fd = open(o->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	return fd;
}

/* Standard output goes by the name of /dev/stdout, also where it is a file that others write to. */
static bool is_descriptor(const char *path)
{
	static const char *const folders[] = {"/dev/std", "/dev/fd/", "/proc/self/fd/"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

int output_begin(const char *path, mode_t mode, struct output *o)
{
	struct stat st;
	int r;

	*o = OUTPUT_NONE;
	o->mode = mode;
	o->path = is_descriptor(path) ? strdup(path) : resolve(path);
	if (!o->path)
		return cli_fail("%s: %s", path, strerror(errno));
	if (stat(o->path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return cli_fail("%s: is a folder", path);
		if (!S_ISREG(st.st_mode) || is_descriptor(path)) {
			o->fd = open(o->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
			return o->fd >= 0 ? CLI_OK
					  : cli_fail("%s: cannot be written: %s", path,
						     strerror(errno));
		}
		o->mode = st.st_mode & 07777;
		o->replaces = true;
	}
	o->folder = open_folder(o);
	r = o->folder < 0 ? -errno : !*o->name ? -EISDIR : newfile_begin(o->folder, &o->file);
	if (r < 0)
		return cli_fail("%s: cannot be written: %s", path, strerror(-r));
	o->fd = o->file.fd;
	return CLI_OK;
}

int output_finish(struct output *o, const char *name, bool replace)
{
	int r = 0;

	if (fchmod(o->file.fd, o->mode) != 0 || fsync(o->file.fd) != 0)
		r = -errno;
	if (r == 0)
		r = newfile_commit(&o->file, name, replace);
	if (r == 0 && fsync(o->folder) != 0)
		r = -errno;
	return r;
}

void output_free(struct output *o)
{
	if (o->fd >= 0 && o->file.fd != o->fd && o->fd != STDOUT_FILENO && o->folder < 0)
		close(o->fd);
	newfile_abandon(&o->file);
	if (o->folder >= 0)
		close(o->folder);
	free(o->path);
	*o = OUTPUT_NONE;
}

int output_put(const char *path, struct bytes text, mode_t mode)
{
	struct output o;
	int r = 0, code;

	if (!path || strcmp(path, "-") == 0) {
		if (fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0)
			return CLI_OK;
		return cli_fail("standard output: writing failed: %s", strerror(errno));
	}
	code = output_begin(path, mode, &o);
	if (code == CLI_OK) {
		r = file_write(o.fd, text);
		if (r == 0 && o.file.fd >= 0)
			r = output_finish(&o, o.name, true);
	}
	output_free(&o);
	return r < 0 ? cli_fail("%s: writing failed: %s", path, strerror(-r)) : code;
}
