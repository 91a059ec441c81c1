#include "guard/capture/gate_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "gate.skel.h"

#define PREFIX	 "program_"
#define MAPS_MAX 64

int gate_open_pin(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return bpf_obj_get(path);
}

/* A release's program is known by the digest of the object it is loaded from. */
static void name_program(char ret_name[sizeof(PREFIX) + DIGEST_HEX_MAX])
{
	struct digest d = digest_new(DIGEST_SHA256);
	char hex[DIGEST_HEX_MAX];
	size_t len;
	const void *object = gate_bpf__elf_bytes(&len);

	digest_add(&d, object, len);
	digest_hex(&d, hex);
	snprintf(ret_name, sizeof(PREFIX) + DIGEST_HEX_MAX, PREFIX "%s", hex);
}

/* Is the map of that number the one that is pinned by its name, or each program's own? */
static bool is_pinned(struct gate *g, uint32_t id)
{
	struct bpf_map_info used = {0}, pinned = {0};
	uint32_t len = sizeof(used);
	const struct bpf_map *m;
	int fd = bpf_map_get_fd_by_id(id);
	bool known = fd >= 0 && bpf_obj_get_info_by_fd(fd, &used, &len) == 0;

	if (fd >= 0)
		close(fd);
	if (!known)
		return false;
	m = bpf_object__find_map_by_name(g->bpf->obj, used.name);
	if (!m || !bpf_map__pin_path(m))
		return true;
	fd = bpf_obj_get(bpf_map__pin_path(m));
	len = sizeof(pinned);
	known = fd >= 0 && bpf_obj_get_info_by_fd(fd, &pinned, &len) == 0 && pinned.id == id;
	if (fd >= 0)
		close(fd);
	return known;
}

static bool uses_pinned(struct gate *g, int program)
{
	uint32_t ids[MAPS_MAX], len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};

	if (bpf_obj_get_info_by_fd(program, &info, &len) || info.nr_map_ids > MAPS_MAX)
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids; i++)
		if (!is_pinned(g, ids[i]))
			return false;
	return info.nr_map_ids > 0;
}

bool gate_take_program(struct gate *g)
{
	char name[sizeof(PREFIX) + DIGEST_HEX_MAX];
	int fd;

	name_program(name);
	fd = gate_open_pin(g->dir, name);
	if (fd < 0)
		return false;
	if (uses_pinned(g, fd)) {
		g->program = fd;
		return true;
	}
	close(fd);
	return false;
}

static bool is_program(const char *name)
{
	return strncmp(name, PREFIX, sizeof(PREFIX) - 1) == 0;
}

int gate_keep_program(struct gate *g)
{
	char name[sizeof(PREFIX) + DIGEST_HEX_MAX], path[256 + sizeof(name)];

	g->program = fcntl(bpf_program__fd(g->bpf->progs.gate), F_DUPFD_CLOEXEC, 0);
	if (g->program < 0)
		return -errno;
	gate_unpin(g->dir, is_program);
	name_program(name);
	snprintf(path, sizeof(path), "%s/%s", g->dir, name);
	return bpf_obj_pin(g->program, path) ? -errno : 0;
}
