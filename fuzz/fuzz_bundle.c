/*
 * A bundle from a stick, indexed and read as the mirror that it stands for. Sums of tar headers are
 * set right first, for anybody can make those.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "update/bundle/bundle.h"
#include "update/bundle/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void set_sums(uint8_t *data, size_t len)
{
	for (size_t at = 0; at + TAR_BLOCK <= len; at += TAR_BLOCK) {
		unsigned sum = 8 * ' ';

		if (memcmp(data + at + 257, "ustar", 6) != 0)
			continue;
		for (unsigned i = 0; i < TAR_BLOCK; i++)
			sum += i >= 148 && i < 156 ? 0 : data[at + i];
		snprintf((char *)data + at + 148, 8, "%06o", sum & 0777777);
	}
}

static int count(void *arg, const void *data, size_t len)
{
	*(size_t *)arg += len;
	return 0;
}

static void read_part(struct tuf_source *s, const char *path, size_t len)
{
	char *escaped = tuf_escape(path, "/");
	size_t got = 0;

	assert(escaped);
	if (s->get(s, escaped, len % 3, 1000, count, &got, NULL) == 0)
		assert(got <= 1000 && got <= len);
	free(escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	uint8_t *copy = malloc(len ? len : 1);
	struct bundle *b;
	struct tuf_error e;
	json_t *names, *entry;
	size_t i;

	assert(fd >= 0 && copy);
	if (len)
		memcpy(copy, data, len);
	set_sums(copy, len);
	assert(write(fd, copy, len) == (ssize_t)len);
	free(copy);
	if (bundle_open_fd(fd, "fuzz", &b, &e) < 0)
		return 0;
	read_part(bundle_metadata(b), "timestamp.json", len);
	read_part(bundle_metadata(b), "1.root.json", len);
	names = bundle_names(b);
	json_array_foreach (names, i, entry) {
		const char *name = json_string_value(entry);

		assert(name && *name != '/' && !strstr(name, "/../") &&
		       strncmp(name, "../", 3) != 0);
		read_part(bundle_targets(b), name, len);
	}
	json_decref(names);
	bundle_close(b);
	return 0;
}
