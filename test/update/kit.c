/*
 * The updater's and the installer's work by hand, for tests that kill it:
 *   update-kit fetch FOLDER ROOT_FILE [rate=BYTES] MIRROR...	BYTES a second at most
 *   update-kit install UPDATES_DIR ROOT_FILE FOLDER [TARGET...]	and the new set is adopted
 * What came of it is JSON on standard output.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "update/fetch/fetch.h"
#include "update/place/content.h"
#include "update/place/install.h"
#include "update/place/place.h"

#define ROOT_MAX (512u << 10)

static int fetch(char **argv, int argc, struct bytes root)
{
	struct fetch_options o = {
		.dir = argv[0], .mirrors = argv + 2, .mirror_count = (unsigned)argc - 2};
	struct tuf_error e;
	json_t *report;

	if (strncmp(argv[2], "rate=", 5) == 0) {
		o.bytes_per_s = strtoull(argv[2] + 5, NULL, 10);
		o.mirrors++;
		o.mirror_count--;
	}
	if (fetch_begin(o.dir, root, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	report = fetch_look(&o);
	json_dumpf(report, stdout, JSON_COMPACT);
	json_decref(report);
	return 0;
}

static int install(char **argv, int argc, struct bytes root)
{
	struct install_options o = {.dir = argv[0], .root = root, .running = ""};
	json_t *names = json_array(), *report;
	struct install_sets sets;
	int place;

	o.mirror = open(argv[2], O_RDONLY | O_DIRECTORY);
	for (int i = 3; i < argc; i++)
		json_array_append_new(names, json_string(argv[i]));
	report = install_run(&o, names, &sets);
	json_dumpf(report, stdout, JSON_COMPACT);
	place = place_open(o.dir);
	if (sets.now != sets.before && content_adopt(place, sets.now) < 0)
		return 1;
	json_decref(report);
	json_decref(names);
	return 0;
}

int main(int argc, char **argv)
{
	struct bytes root = {0};
	int code;

	if (argc < 5 || file_read(argv[3], ROOT_MAX, &root) < 0)
		return 2;
	code = strcmp(argv[1], "fetch") == 0 ? fetch(argv + 2, argc - 2, root)
					     : install(argv + 2, argc - 2, root);
	free((void *)root.data);
	return code;
}
