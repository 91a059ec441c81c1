#include "guard/capture/gate_internal.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/hash.h"
#include "gate.skel.h"

#define STRIPES_MAX 16

int gate_say(char ret_why[256], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret_why, 256, fmt, ap);
	va_end(ap);
	return err;
}

/* ---- the directory ---- */

static bool on_bpffs(const char *dir)
{
	struct statfs s;

	return statfs(dir, &s) == 0 && s.f_type == BPF_FS_MAGIC;
}

static int make_dirs(const char *dir)
{
	char path[256];

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(path, 0755) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

/* The directory on a bpffs; where none is mounted yet, one is: at the usual place, or right there. */
static int open_dir(const char *dir, char ret_why[256])
{
	static const char usual[] = "/sys/fs/bpf";
	const char *where = strncmp(dir, usual, sizeof(usual) - 1) == 0 ? usual : dir;
	int r;

	if (where == usual && !on_bpffs(usual) && mount("bpf", usual, "bpf", 0, "mode=0700"))
		return gate_say(ret_why, -errno, "%s: no bpffs, and it cannot be mounted: %s",
				usual, strerror(errno));
	r = make_dirs(dir);
	if (r)
		return gate_say(ret_why, r, "%s: cannot be made: %s", dir, strerror(-r));
	if (!on_bpffs(dir) && mount("bpf", dir, "bpf", 0, "mode=0700"))
		return gate_say(ret_why, -errno, "%s: no bpffs, and it cannot be mounted: %s", dir,
				strerror(errno));
	return 0;
}

void gate_unpin(const char *dir, bool (*only)(const char *name))
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && only(e->d_name))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

/* The program among them. */
static bool is_map(const char *name)
{
	return strncmp(name, "link_", 5) != 0;
}

static void unlink_ports(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	uint32_t ifindex;

	while (d && (e = readdir(d)))
		if (sscanf(e->d_name, "link_%u", &ifindex) == 1)
			gate_unlink_port(dir, ifindex);
	if (d)
		closedir(d);
}

void gate_remove(const char *dir)
{
	if (!on_bpffs(dir))
		return;
	unlink_ports(dir);
	gate_unpin(dir, is_map);
	rmdir(dir);
}

/* ---- what is pinned already ---- */

static void drop_pin(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

/* What the pinned maps are set to, if they are of this version. */
static bool pinned_config(const char *dir, struct gate_config *ret_c)
{
	struct bpf_map_info info = {0};
	uint32_t zero = 0, len = sizeof(info);
	int fd = gate_open_pin(dir, "config");
	bool ours;

	if (fd < 0)
		return false;
	ours = bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.value_size == sizeof(*ret_c) &&
	       bpf_map_lookup_elem(fd, &zero, ret_c) == 0 && ret_c->abi == GATE_ABI;
	close(fd);
	return ours;
}

/* A table of another shape or size than asked for begins empty. */
static void drop_reshaped(const char *dir, const struct bpf_map *m)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd = gate_open_pin(dir, bpf_map__name(m));

	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	    (info.max_entries != bpf_map__max_entries(m) || info.type != bpf_map__type(m) ||
	     info.key_size != bpf_map__key_size(m) || info.value_size != bpf_map__value_size(m)))
		drop_pin(dir, bpf_map__name(m));
	close(fd);
}

/* ---- loading ---- */

/* What the verifier found: the last line before its statistics. libbpf hands it to nobody else. */
static char finding[160];

static int overhear(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char *text, *end, *line;

	if (level != LIBBPF_WARN || !strstr(fmt, "PROG LOAD LOG") || vasprintf(&text, fmt, ap) < 0)
		return 0;
	end = strstr(text, "\nprocessed ");
	if (end) {
		*end = 0;
		line = strrchr(text, '\n');
		snprintf(finding, sizeof(finding), "%s", line ? line + 1 : text);
	}
	free(text);
	return 0;
}

static int note_inner(struct gate *g, struct bpf_map *outer)
{
	const struct bpf_map *inner = bpf_map__inner_map(outer);

	if (!inner)
		return 0;
	if (g->inner_count == GATE_INNER_MAX)
		return -E2BIG;
	g->inner[g->inner_count++] = (struct gate_inner){
		.outer = outer,
		.type = bpf_map__type(inner),
		.key_size = bpf_map__key_size(inner),
		.value_size = bpf_map__value_size(inner),
		.flags = bpf_map__map_flags(inner),
	};
	return 0;
}

/* As many as hold the conversations asked for. */
static uint32_t sets(const struct gate_options *o)
{
	return o->flows / GATE_SET_SHARE + 1;
}

/* With set 0, which holds none. */
static uint32_t blocks(const struct gate_options *o)
{
	return (1 + sets(o) + GATE_BLOCK_SETS - 1) / GATE_BLOCK_SETS;
}

/*
 * What puts the first set of a block on a cache line of its own: a map of one entry has it behind
 * its own `struct bpf_array`, whose size is the kernel's. Where that tells nothing of itself a slot
 * lies on three lines instead of two.
 */
static uint32_t measure_skew(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "bpf_array", BTF_KIND_STRUCT) : -1;
	const struct btf_type *t = id >= 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
	uint32_t at = t ? t->size & 63 : 0;

	btf__free(btf);
	return at ? 64 - at : 0;
}

static int prepare(struct gate *g, const struct gate_options *o)
{
	struct bpf_map *m;
	char path[256];
	int r;

	r = bpf_map__set_max_entries(g->bpf->maps.flows, blocks(o));
	if (r == 0)
		r = bpf_map__set_max_entries(g->bpf->maps.learned, o->learned);
	bpf_object__for_each_map(m, g->bpf->obj)
	{
		if (r == 0)
			r = note_inner(g, m);
		if (r)
			return r;
		if (m == g->bpf->maps.words || bpf_map__is_internal(m))
			continue; /* this process's scratch, and constants */
		drop_reshaped(g->dir, m);
		if (snprintf(path, sizeof(path), "%s/%s", g->dir, bpf_map__name(m)) >=
		    (int)sizeof(path))
			return -ENAMETOOLONG;
		r = bpf_map__set_pin_path(m, path);
	}
	return r;
}

static int no_memory(char ret_why[256], const struct gate_options *o)
{
	return gate_say(ret_why, -ENOMEM,
			"the kernel has no memory for %u conversations; set gateway.flows to fewer",
			o->flows);
}

/* Maps of this version are taken over, with what was measured for them, and so is their program.
 * Another version's make room: the program that runs keeps those until it is replaced itself. */
static int take_over(struct gate *g, const struct gate_options *o)
{
	struct gate_config c = {0};
	bool ours = pinned_config(g->dir, &c);
	int r;

	if (!ours)
		gate_unpin(g->dir, is_map);
	g->bpf->rodata->block_skew = ours ? c.block_skew : measure_skew();
	r = prepare(g, o);
	if (r == 0 && ours && gate_take_program(g))
		r = bpf_program__set_autoload(g->bpf->progs.gate, false);
	return r;
}

static int load(struct gate *g, const struct gate_options *o, char ret_why[256])
{
	int r;

	*finding = 0;
	g->bpf = gate_bpf__open();
	if (!g->bpf)
		return gate_say(ret_why, -errno, "the floor's program cannot be read: %s",
				strerror(errno));
	r = take_over(g, o);
	if (r == 0)
		r = gate_bpf__load(g->bpf);
	if (r == 0 && g->program < 0)
		r = gate_keep_program(g);
	if (r == 0)
		return 0;
	gate_bpf__destroy(g->bpf);
	g->bpf = NULL;
	if (*finding)
		return gate_say(ret_why, r, "the kernel's verifier refuses the floor's program: %s",
				finding);
	if (r == -EPERM || r == -EACCES)
		return gate_say(ret_why, r,
				"this user may not load programs into the kernel (run as root)");
	if (r == -ENOMEM)
		return no_memory(ret_why, o);
	return gate_say(ret_why, r, "the kernel refuses the floor's program: %s", strerror(-r));
}

static uint32_t stripes(void)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t n = 1;

	while ((int)n < cpus && n < STRIPES_MAX)
		n *= 2;
	return n;
}

static int share_config(struct gate *g, const struct gate_options *o)
{
	struct gate_config *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED,
				     bpf_map__fd(g->bpf->maps.config), 0);

	if (c == MAP_FAILED)
		return -errno;
	if (!c->stripes)
		c->stripes = stripes();
	c->stale_ns = (uint64_t)o->stale_ms * 1000000;
	c->backlog = o->backlog;
	c->frame_max = o->frame_max;
	c->samples_per_s = o->samples_per_s;
	c->block_skew = g->bpf->rodata->block_skew;
	c->abi = GATE_ABI;
	g->config = c;
	return 0;
}

/* A block, with what its first set says if it is the first of all. A descriptor or -errno. */
static int make_block(const struct gate *g, uint32_t count)
{
	struct hash_key secret = hash_key_random();
	int fd = gate_make_table(g, g->bpf->maps.flows, 1);
	struct gate_block *b;
	struct gate_set *head;
	uint32_t first = 0;

	if (fd < 0 || !count)
		return fd;
	b = calloc(1, sizeof(*b));
	if (b) {
		head = (void *)((uint8_t *)b + g->bpf->rodata->block_skew);
		head->count = count;
		memcpy(head->secret, secret.k, sizeof(head->secret));
	}
	if (!b || bpf_map_update_elem(fd, &first, b, BPF_ANY)) {
		int r = b ? -errno : -ENOMEM;

		close(fd);
		fd = r;
	}
	free(b);
	return fd;
}

#define BLOCKS_AT_ONCE 256 /* each change of a table of tables waits for all that look into it */

/* Blocks [from, from + n), n <= BLOCKS_AT_ONCE. 0 or -errno. */
static int put_blocks(const struct gate *g, uint32_t from, uint32_t n, uint32_t count)
{
	DECLARE_LIBBPF_OPTS(bpf_map_batch_opts, o, .elem_flags = BPF_ANY);
	uint32_t at[BLOCKS_AT_ONCE], done = n, made = 0;
	int outer = bpf_map__fd(g->bpf->maps.flows), fds[BLOCKS_AT_ONCE], r = 0;

	for (; r == 0 && made < n; made += r == 0) {
		at[made] = from + made;
		fds[made] = make_block(g, from + made ? 0 : count);
		r = fds[made] < 0 ? fds[made] : 0;
	}
	if (r == 0 && bpf_map_update_batch(outer, at, fds, &done, &o))
		r = -errno;
	while (made)
		close(fds[--made]);
	return r;
}

/*
 * A table of conversations that is new gets its blocks, the first one last: with that one it is
 * whole, and before, nothing is found in it or kept.
 */
static int begin_flows(struct gate *g, const struct gate_options *o)
{
	uint32_t first = 0, id, left = blocks(o), n;
	int r = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(g->bpf->maps.flows), &first, &id) == 0)
		return 0;
	while (r == 0 && left) {
		n = left < BLOCKS_AT_ONCE ? left : BLOCKS_AT_ONCE;
		left -= n;
		r = put_blocks(g, left, n, sets(o));
	}
	return r;
}

static struct gate_options complete(const struct gate_options *o)
{
	struct gate_options all = o ? *o : (struct gate_options){0};

	all.flows = all.flows ? all.flows : 262144;
	all.learned = all.learned ? all.learned : 65536;
	all.stale_ms = all.stale_ms ? all.stale_ms : 500;
	all.backlog = all.backlog ? all.backlog : 2048;
	all.frame_max = all.frame_max ? all.frame_max : 3500;
	all.samples_per_s = all.samples_per_s ? all.samples_per_s : 1000;
	return all;
}

static void forget_program(struct gate *g)
{
	if (g->program >= 0)
		close(g->program);
}

struct gate *gate_open(const char *dir, const struct gate_options *o, char ret_why[256])
{
	struct gate_options all = complete(o);
	struct gate *g = calloc(1, sizeof(*g));
	int r;

	if (!g) {
		errno = -gate_say(ret_why, -ENOMEM, "out of memory");
		return NULL;
	}
	g->program = -1;
	libbpf_set_print(overhear);
	if (snprintf(g->dir, sizeof(g->dir), "%s", dir) >= (int)sizeof(g->dir)) {
		r = gate_say(ret_why, -ENAMETOOLONG, "%s: too long", dir);
		goto fail;
	}
	r = open_dir(dir, ret_why);
	if (r)
		goto fail;
	r = load(g, &all, ret_why);
	if (r)
		goto fail;
	r = share_config(g, &all);
	if (r == 0)
		r = begin_flows(g, &all);
	if (r == 0)
		return g;
	if (r == -ENOMEM)
		no_memory(ret_why, &all);
	else
		gate_say(ret_why, r, "%s: %s", dir, strerror(-r));
	gate_bpf__destroy(g->bpf);
fail:
	forget_program(g);
	free(g);
	errno = -r;
	return NULL;
}

void gate_close(struct gate *g, bool unload)
{
	if (!g)
		return;
	munmap(g->config, sizeof(*g->config));
	forget_program(g);
	gate_bpf__destroy(g->bpf);
	if (unload)
		gate_remove(g->dir);
	free(g);
}

uint32_t gate_generation(const struct gate *g)
{
	return g->config->generation[g->config->slot & 1];
}

int gate_fd(const struct gate *g, enum gate_map which)
{
	const struct bpf_map *m[] = {
		[GATE_MAP_XSKS] = g->bpf->maps.xsks,
		[GATE_MAP_HEARTS] = g->bpf->maps.hearts,
		[GATE_MAP_INDEXES] = g->bpf->maps.indexes,
		[GATE_MAP_SAMPLES] = g->bpf->maps.samples,
		[GATE_MAP_HELD] = g->bpf->maps.held,
		[GATE_MAP_LINKS] = g->bpf->maps.links,
	};

	return bpf_map__fd(m[which]);
}
