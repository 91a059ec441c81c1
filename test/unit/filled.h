#ifndef BEDWARDEN_TEST_FILLED_H
#define BEDWARDEN_TEST_FILLED_H
/* A vault of files whose bytes tell which they are. */
#include "safe.h"

#include <fcntl.h>

#include "base/file.h"

/* Bytes that tell of their seed: half of them compress, half do not. */
static inline void fill(uint8_t *to, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		to[i] = i / 4096 % 2 ? (uint8_t)(seed >> 24) : (uint8_t)(i % 61 + seed % 2);
	}
}

static inline const char *make_file(const char *name, size_t len, uint32_t seed)
{
	const char *path = in_dir(name);
	struct bytes text = {malloc(len + 1), len};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);

	fill((uint8_t *)text.data, len, seed);
	assert_true(fd >= 0);
	assert_int_equal(file_write(fd, text), 0);
	close(fd);
	free((void *)text.data);
	return path;
}

/* 0; -EBADMSG… as safe_holds(). */
static inline int holds(struct vault *v, const char *name, size_t len, uint32_t seed)
{
	uint8_t *want = malloc(len + 1);
	int err;

	fill(want, len, seed);
	err = safe_holds(v, name, (struct bytes){want, len});
	free(want);
	return err;
}

static inline void complain(void *arg, const char *text)
{
	print_message("%s\n", text);
}

static inline int64_t wrong(struct vault *v)
{
	struct vault_report r = {.found = complain};

	return vault_check(v, true, &r);
}

static inline void mend(void)
{
	struct vault_report r = {.found = NULL};
	struct keys *k = keys_open(in_dir("v"), asking(), error);

	assert_non_null(k);
	assert_int_equal(vault_mend(in_dir("v"), k, &r, error), 0);
	keys_free(k);
}

#endif
