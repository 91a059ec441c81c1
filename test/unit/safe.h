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

#endif
