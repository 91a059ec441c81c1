#include "guard/capture/gate_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "gate.skel.h"

int gate_grants(const struct gate *g, struct gate_grant_row ret_rows[GATE_GRANTS])
{
	int fd = bpf_map__fd(g->bpf->maps.grants), count = 0;
	struct gate_grant_key key, next;
	bool more = bpf_map_get_next_key(fd, NULL, &next) == 0;

	while (more && count < GATE_GRANTS) {
		key = next;
		more = bpf_map_get_next_key(fd, &key, &next) == 0;
		ret_rows[count].key = key;
		if (bpf_map_lookup_elem(fd, &key, &ret_rows[count].grant) == 0)
			count++;
	}
	return count;
}

static bool wanted(const struct gate_grant_key *key, const struct gate_grant_row *rows,
		   uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (memcmp(key, &rows[i].key, sizeof(*key)) == 0)
			return true;
	return false;
}

int gate_set_grants(struct gate *g, const struct gate_grant_row *rows, uint32_t count)
{
	static struct gate_grant_row old[GATE_GRANTS];
	int fd = bpf_map__fd(g->bpf->maps.grants), had, err = 0;

	if (count > GATE_GRANTS)
		return -E2BIG;
	had = gate_grants(g, old);
	/* What takes another's place is there before that goes: no packet is to find neither. */
	for (uint32_t i = 0; i < count; i++)
		if (bpf_map_update_elem(fd, &rows[i].key, &rows[i].grant, BPF_ANY))
			err = -errno;
	for (int i = 0; i < had; i++)
		if (!wanted(&old[i].key, rows, count) && bpf_map_delete_elem(fd, &old[i].key) &&
		    errno != ENOENT)
			err = -errno;
	return err;
}
