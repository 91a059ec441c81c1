#include "role/surveyor.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/ipc.h"
#include "base/log.h"
#include "update/advisory/accept.h"
#include "update/advisory/survey.h"
#include "update/fetch/confine.h"

#define PARENT_FD 3
#define FOLDERS	  4

/* What it reads: lists of parts beside the policy, and advisories. Folders that are not there are not missed. */
static void lock_in(const struct config *c, const char *file)
{
	/* The state is the keeper's; Landlock leaves nothing to be written. */
	static const unsigned reading[] = {CAP_DAC_OVERRIDE};
	static char text[FOLDERS][PATH_MAX];
	struct sandbox_path paths[FOLDERS];
	struct confine confine = {paths, 0, false};
	char copy[PATH_MAX];
	struct stat st;
	int err;

	snprintf(copy, sizeof(copy), "%s", file);
	snprintf(text[0], PATH_MAX, "%s", dirname(copy));
	snprintf(text[1], PATH_MAX, "%s/advisories", c->gateway.state_dir);
	snprintf(text[2], PATH_MAX, "%s/update/targets", c->gateway.state_dir);
	snprintf(text[3], PATH_MAX, "%s", c->updates.dir);
	for (unsigned i = 0; i < FOLDERS; i++)
		if (stat(text[i], &st) == 0)
			paths[confine.count++] = (struct sandbox_path){.path = text[i]};
	err = sandbox_keep(reading, 1);
	if (err == 0)
		err = confine_enter(&confine);
	if (err < 0)
		fatal("could not lock itself in: %s", strerror(-err));
}

static json_t *look(const struct config *c, const char *file, const json_t *accepted)
{
	struct survey_input in = {.config = c,
				  .file = file,
				  .accepted = accepted,
				  .state_dir = c->gateway.state_dir,
				  .updates_dir = c->updates.dir,
				  .now_s = (int64_t)time(NULL)};
	char why[SURVEY_WHY];
	struct survey s;
	json_t *o;

	if (survey_run(&in, &s, why) < 0)
		return json_pack("{s:s}", "error", why);
	o = survey_json(&s);
	survey_free(&s);
	return o;
}

static void answer(const json_t *report, int fd)
{
	char *text = report ? json_dumps(report, JSON_COMPACT) : NULL;
	int err = -ENOMEM;

	if (text)
		err = file_write(fd, (struct bytes){(const uint8_t *)text, strlen(text)});
	if (err == 0)
		err = ipc_send(PARENT_FD, IPC_SURVEYED, 0, (struct bytes){0}, fd);
	if (err < 0)
		fatal("the parent does not hear what was found: %s", strerror(-err));
	free(text);
}

int surveyor_main(int argc, char **argv)
{
	const char *file = argc == 3 && strcmp(argv[1], "-c") == 0 ? argv[2] : NULL;
	struct config_error e = {.line = 0};
	json_t *accepted = NULL, *report;
	struct config *c;
	size_t errors = 0;
	int fd;

	log_init("surveyor", LOG_INFO);
	if (!file)
		fatal("started by hand? 'bedwarden run' starts it");
	/* Our own files, before it is locked in. */
	c = config_load(file, &e, 1, &errors);
	fd = memfd_create("survey", MFD_CLOEXEC);
	if (fd < 0)
		fatal("no memory for what it finds: %s", strerror(errno));
	if (c && accept_load(c->gateway.state_dir, &accepted) < 0)
		log_warn("what was accepted cannot be read: %s/" ACCEPT_FILE, c->gateway.state_dir);
	if (c)
		lock_in(c, file);
	if (ipc_send(PARENT_FD, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("the parent is gone");
	report = c ? look(c, file, accepted) : json_pack("{s:s}", "error", e.text);
	answer(report, fd);
	json_decref(report);
	json_decref(accepted);
	config_free(c);
	return 0;
}
