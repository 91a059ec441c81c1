#include "demo/maker.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demo/actor.h"
#include "demo/hypertext.h"

#define TOOL_MS	 20000
#define ARGS_MAX 24

static int run(const char *dir, const char *const *argv)
{
	char log[FOLDER_MAX + 32];
	struct actor_tool t = {.argv = argv, .output = log, .dir = dir};

	snprintf(log, sizeof(log), "%s/maker.log", dir);
	return actor_run(-1, &t, TOOL_MS) ? -EIO : 0;
}

/* `first`, perhaps `second`, and the words behind. */
static int run_words(const char *dir, const char *first, const char *second,
		     const char *const *words)
{
	const char *argv[ARGS_MAX + 3] = {first};
	unsigned n = 1;

	if (second)
		argv[n++] = second;
	for (unsigned i = 0; words[i] && i < ARGS_MAX; i++)
		argv[n++] = words[i];
	return run(dir, argv);
}

int maker_openssl(const char *dir, const char *const *words)
{
	return run_words(dir, "openssl", NULL, words);
}

static int repo(const struct maker *m, const char *const *words)
{
	return run_words(m->dir, "/proc/self/exe", "repo", words);
}

/* --- images ----------------------------------------------------------------------------- */

struct bytes maker_image(const char *version, bool well)
{
	uint32_t x = 2463534242u;
	uint8_t *data = malloc(MAKER_IMAGE);
	int n;

	if (!data)
		return (struct bytes){NULL, 0};
	for (const char *c = version; *c; c++)
		x = x * 31 + (uint8_t)*c;
	for (size_t i = 0; i < MAKER_IMAGE; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		data[i] = (uint8_t)x;
	}
	n = snprintf((char *)data, 64, "%s\n%s", version, well ? "well" : "ill");
	data[n] = '\n';
	return (struct bytes){data, MAKER_IMAGE};
}

static int write_image(const struct maker *m, const char *version, bool well)
{
	struct bytes image = maker_image(version, well);
	int err = image.data ? folder_make(folder_path(m->dir, "in")) : -ENOMEM;

	if (!err)
		err = folder_write(folder_path(m->dir, "in/rootfs.img"), image);
	free((void *)image.data);
	return err;
}

static int pack_rauc(const struct maker *m, const char *file)
{
	static const char manifest[] = "[update]\ncompatible=" MAKER_MODEL
				       "\nversion=1\n[image.rootfs]\nfilename=rootfs.img\n";
	const char *words[] = {"--cert", "maker.pem", "--key", "maker.key",
			       "bundle", "in",	      file,    NULL};
	int err = folder_write(folder_path(m->dir, "in/manifest.raucm"),
			       (struct bytes){(const uint8_t *)manifest, sizeof(manifest) - 1});

	return err ? err : run_words(m->dir, "rauc", NULL, words);
}

static int pack_tar(const struct maker *m, const char *file, const char *version, bool well)
{
	const char *words[] = {"-C",  "in", "--owner=0", "--group=0", "--format=ustar",
			       "-cf", file, "VERSION",	 "health",    "rootfs.img",
			       NULL};
	const char *health = well ? "well\n" : "ill\n";
	char line[32];
	int n = snprintf(line, sizeof(line), "%s\n", version), err;

	err = folder_write(folder_path(m->dir, "in/VERSION"),
			   (struct bytes){(uint8_t *)line, (size_t)n});
	if (!err)
		err = folder_write(folder_path(m->dir, "in/health"),
				   (struct bytes){(const uint8_t *)health, strlen(health)});
	return err ? err : run_words(m->dir, "tar", NULL, words);
}

const char *maker_file(const struct maker *m, const char *version)
{
	char name[64];

	snprintf(name, sizeof(name), "pump-%s", version);
	return folder_path(m->dir, name);
}

static int pack(const struct maker *m, const char *version, bool well)
{
	char file[64];
	int err = write_image(m, version, well);

	snprintf(file, sizeof(file), "pump-%s", version);
	if (err)
		return err;
	return m->rauc ? pack_rauc(m, file) : pack_tar(m, file, version, well);
}

/* --- the repository --------------------------------------------------------------------- */

int maker_publish(const struct maker *m, const char *file, const char *name, const char *custom)
{
	const char *add[] = {"add", "R", file, "--name", name, "--custom", custom, NULL},
		   *sign[] = {"sign", "R", NULL}, *publish[] = {"publish", "R", NULL};
	int err = repo(m, add);

	if (!err)
		err = repo(m, sign);
	return err ? err : repo(m, publish);
}

int maker_release(const struct maker *m, const char *version, bool well)
{
	char custom[256], file[64], name[64];
	int err = pack(m, version, well);

	snprintf(custom, sizeof(custom),
		 "{\"kind\":\"firmware\",\"vendor\":\"" MAKER_VENDOR "\",\"model\":\"" MAKER_MODEL
		 "\",\"version\":\"%s\"}",
		 version);
	snprintf(file, sizeof(file), "pump-%s", version);
	snprintf(name, sizeof(name), "demo/pump-%s", version);
	return err ? err : maker_publish(m, file, name, custom);
}

/* PROGRAM's own folder, perhaps with `more` behind it. */
static void beside(const char *more, char ret_path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret_path, PATH_MAX - 64);
	char *slash;

	ret_path[n > 0 ? n : 0] = 0;
	slash = strrchr(ret_path, '/');
	if (slash)
		snprintf(slash + 1, 60, "%s", more);
}

static int copy_program(const struct maker *m)
{
	struct bytes program = folder_read("/proc/self/exe");
	const char *to = folder_path(m->dir, "tree/bin/bedwarden");
	int err = program.data ? folder_write(to, program) : -ENOENT;

	free((void *)program.data);
	return err ? err : chmod(to, 0755) ? -errno : 0;
}

/* An archive of a release holds files and no folders: each is named. */
static int pack_gateway(const struct maker *m, const char *file)
{
	const char *argv[] = {"tar", "-C", "tree", "--owner=0", "--group=0", "--format=ustar",
			      "-cf", file, "-T",   "-",		NULL};
	char list[8192] = "bin/bedwarden\n", log[FOLDER_MAX + 32];
	struct actor_tool t = {.argv = argv, .input = list, .output = log, .dir = m->dir};
	struct dirent **names = NULL;
	int count = scandir(folder_path(m->dir, "tree/profiles"), &names, NULL, alphasort);
	size_t len = strlen(list);

	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.' && len + 300 < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "profiles/%s\n",
						names[i]->d_name);
		free(names[i]);
	}
	free(names);
	snprintf(log, sizeof(log), "%s/maker.log", m->dir);
	return actor_run(-1, &t, TOOL_MS) ? -EIO : 0;
}

int maker_gateway(const struct maker *m, const char *version)
{
	char profiles[PATH_MAX], file[64], name[64], custom[96];
	const char *with[] = {"-r", profiles, "tree/", NULL};
	int err = folder_make(folder_path(m->dir, "tree"));

	if (!err)
		err = folder_make(folder_path(m->dir, "tree/bin"));
	beside("../profiles", profiles); /* where it was built; installed, they have their place */
	snprintf(file, sizeof(file), "gateway-%s.tar", version);
	snprintf(name, sizeof(name), "gateway/%s.tar", version);
	snprintf(custom, sizeof(custom), "{\"kind\":\"gateway\",\"version\":\"%s\"}", version);
	if (!err)
		err = copy_program(m);
	if (!err && access(profiles, R_OK) == 0)
		err = run_words(m->dir, "cp", NULL, with);
	if (!err)
		err = pack_gateway(m, file);
	return err ? err : maker_publish(m, file, name, custom);
}

int maker_stick(const struct maker *m, const char *path)
{
	const char *words[] = {"bundle", "R", "-o", path, NULL};

	return repo(m, words);
}

/* --- the maker's own key ------------------------------------------------------------------ */

static const char *missing_tool(void)
{
	static const char *const tools[] = {"rauc", "dbus-daemon", "mksquashfs"};

	for (unsigned i = 0; i < sizeof(tools) / sizeof(*tools); i++)
		if (!actor_tool_there(tools[i]))
			return tools[i];
	return NULL;
}

/* May bundles be mounted here? One is. */
static bool mounts(const struct maker *m)
{
	const char *on[] = {"-o", "loop,ro", "-t", "squashfs", "probe", "mnt", NULL},
		   *off[] = {"mnt", NULL};

	return write_image(m, "0", true) == 0 && pack_rauc(m, "probe") == 0 &&
	       folder_make(folder_path(m->dir, "mnt")) == 0 &&
	       run_words(m->dir, "mount", NULL, on) == 0 &&
	       run_words(m->dir, "umount", NULL, off) == 0;
}

static void find_rauc(struct maker *m)
{
	const char *key[] = {"req",
			     "-x509",
			     "-newkey",
			     "rsa:2048",
			     "-nodes",
			     "-days",
			     "2",
			     "-subj",
			     "/CN=" MAKER_VENDOR,
			     "-addext",
			     "extendedKeyUsage=emailProtection",
			     "-keyout",
			     "maker.key",
			     "-out",
			     "maker.pem",
			     NULL};
	const char *missing = missing_tool();

	m->rauc = false;
	if (missing)
		snprintf(m->why, sizeof(m->why), "%s is not installed", missing);
	else if (maker_openssl(m->dir, key) || !mounts(m))
		snprintf(m->why, sizeof(m->why), "no bundle can be mounted here");
	else
		m->rauc = true;
}

int maker_open(struct maker *m, const char *dir)
{
	const char *init[] = {"init", "R", "--plain", NULL};
	int err;

	memset(m, 0, sizeof(*m));
	snprintf(m->dir, sizeof(m->dir), "%s", dir);
	err = folder_make(dir);
	if (err)
		return err;
	find_rauc(m);
	err = repo(m, init);
	return err ? err : maker_release(m, MAKER_FIRST, true);
}

/* --- its web server ------------------------------------------------------------------------- */

static unsigned answer(void *arg, const struct hypertext_request *r, struct bytes *ret_body)
{
	const struct maker *m = arg;
	char path[FOLDER_MAX + 300];

	if (strcmp(r->method, "GET") != 0 || strstr(r->path, "..") || r->path[0] != '/')
		return 400;
	snprintf(path, sizeof(path), "%s/R/public%s", m->dir, r->path);
	*ret_body = folder_read(path);
	return ret_body->data ? 200 : 404;
}

int maker_serve(void *maker)
{
	return hypertext_serve(MAKER_PORT, answer, maker);
}
