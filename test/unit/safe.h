#ifndef BEDWARDEN_TEST_SAFE_H
#define BEDWARDEN_TEST_SAFE_H
/* A vault of its own for every test, whose keys a file holds, in memory where that may be. */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "place.h"

#include "base/clock.h"
#include "keep/vault.h"

#define DAY_NS (86400ll * (int64_t)NSEC_PER_SEC)

static char dir[64];
static char error[KEYS_ERROR];

/* A path below the folder, good until eight others were asked for; "v" is the vault's. */
static inline const char *in_dir(const char *name)
{
	static char path[8][160];
	static unsigned next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static inline const struct holder_ask *asking(void)
{
	static struct holder_ask ask;
	static char vault[128];

	snprintf(vault, sizeof(vault), "%s/v", dir);
	ask = (struct holder_ask){.dir = vault, .place = ""};
	return &ask;
}

static inline int safe_open(void **state)
{
	strcpy(dir,
	       access("/dev/shm", W_OK) == 0 ? "/dev/shm/bw-safe-XXXXXX" : "/tmp/bw-safe-XXXXXX");
	return mkdtemp(dir) == NULL ||
	       vault_init(in_dir("v"), &holder_file, asking(), NULL, error) < 0;
}

static inline int safe_close(void **state)
{
	place_clear(dir);
	return 0;
}

/* The vault, by two threads. */
static inline struct vault *open_vault(void)
{
	struct vault *v = vault_open(in_dir("v"), asking(), 2, error);

	if (!v)
		print_message("%s\n", error);
	assert_non_null(v);
	return v;
}

struct safe_comparing {
	struct vault *v;
	struct bytes left; /* of what is to come */
	size_t size;
};

static inline int safe_compare(void *arg, struct bytes data)
{
	struct bytes *left = &((struct safe_comparing *)arg)->left;

	assert_true(data.len <= left->len);
	assert_memory_equal(data.data, left->data, data.len);
	*left = (struct bytes){left->data + data.len, left->len - data.len};
	return 0;
}

static inline int safe_compare_entry(void *arg, const struct vault_entry *e)
{
	struct safe_comparing *c = arg;

	assert_int_equal(e->size, c->size);
	return vault_stream(c->v, e, safe_compare, c, true);
}

/* That `name` is kept, as `want` to the byte: 0, or what vault_find() and vault_stream() say. */
static inline int safe_holds(struct vault *v, const char *name, struct bytes want)
{
	struct safe_comparing c = {.v = v, .left = want, .size = want.len};
	int err = vault_find(v, name, safe_compare_entry, &c);

	if (err == 0)
		assert_int_equal(c.left.len, 0);
	return err;
}

#endif
