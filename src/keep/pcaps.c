#include "keep/pcaps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "keep/pcapng.h"
#include "keep/share.h"

#define PORTS	  64
#define EXPIRE_NS (60 * NSEC_PER_SEC) /* between looks for files too old */
#define SUFFIX	  ".pcapng"
#define PART	  "new.part" /* a file that is being written; not yet one of them */

struct gathered {
	uint64_t id;
	uint32_t device;
	unsigned guard;
	uint64_t until_ns; /* 0: free */
	uint64_t wall_ns;  /* of its first frame */
	enum reason why;   /* the first finding */
	uint8_t *data;	   /* records, one behind the other */
	size_t len, cap;
	unsigned packets;
};

struct file {
	char name[PCAPS_NAME];
	uint64_t size;
	int64_t time_s;
	uint32_t device;
};

struct pcaps {
	struct pcaps_options o;
	int folder;
	struct gathered cases[PCAPS_CASES];
	size_t gathered_bytes;
	struct file *files; /* oldest first */
	size_t file_count, file_cap;
	uint64_t bytes;
	uint64_t expire_ns;
	struct pcaps_counts counts;
};

/* The folder */

static int name_order(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static bool list_file(struct pcaps *p, const char *name, uint64_t size, int64_t time_s)
{
	if (p->file_count == p->file_cap) {
		size_t cap = p->file_cap ? p->file_cap * 2 : 64;
		struct file *bigger = realloc(p->files, cap * sizeof(*bigger));

		if (!bigger)
			return false;
		p->files = bigger;
		p->file_cap = cap;
	}
	snprintf(p->files[p->file_count].name, PCAPS_NAME, "%s", name);
	p->files[p->file_count].size = size;
	p->files[p->file_count].device =
		pcaps_device((struct bytes){(const uint8_t *)name, strlen(name)});
	p->files[p->file_count++].time_s = time_s;
	p->bytes += size;
	return true;
}

static bool is_ours(const char *name)
{
	size_t len = strlen(name);

	return len > sizeof(SUFFIX) && len < PCAPS_NAME &&
	       strcmp(name + len - (sizeof(SUFFIX) - 1), SUFFIX) == 0;
}

static int read_folder(struct pcaps *p)
{
	DIR *dir = fdopendir(openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *d;
	struct stat st;

	if (!dir)
		return -errno;
	unlinkat(p->folder, PART, 0);
	while ((d = readdir(dir)) != NULL)
		if (is_ours(d->d_name) &&
		    fstatat(p->folder, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			list_file(p, d->d_name, (uint64_t)st.st_size, st.st_mtime);
	closedir(dir);
	if (p->file_count)
		qsort(p->files, p->file_count, sizeof(*p->files), name_order);
	return 0;
}

static void remove_oldest(struct pcaps *p, size_t count)
{
	if (!count)
		return;
	for (size_t i = 0; i < count; i++) {
		unlinkat(p->folder, p->files[i].name, 0);
		p->bytes -= p->files[i].size;
	}
	p->file_count -= count;
	memmove(p->files, p->files + count, p->file_count * sizeof(*p->files));
}

/* Of who holds most the oldest go, until all of it is no more than `max`. */
static void reduce_to(struct pcaps *p, uint64_t max)
{
	uint64_t held[SHARES] = {0}, most;
	size_t left = 0;

	for (size_t i = 0; i < p->file_count; i++)
		held[share_of(p->files[i].device)] += p->files[i].size;
	most = share_most(held, max);
	for (size_t i = 0; i < p->file_count; i++) {
		uint64_t *of = &held[share_of(p->files[i].device)];

		if (*of > most) {
			unlinkat(p->folder, p->files[i].name, 0);
			*of -= p->files[i].size;
			p->bytes -= p->files[i].size;
		} else {
			p->files[left++] = p->files[i];
		}
	}
	p->file_count = left;
}

static bool is_disk_short(const struct pcaps *p, uint64_t more)
{
	struct statvfs v;

	return fstatvfs(p->folder, &v) == 0 &&
	       (uint64_t)v.f_bavail * v.f_frsize < p->o.reserve_bytes + more;
}

static void expire(struct pcaps *p, uint64_t wall_ns)
{
	int64_t now_s = (int64_t)(wall_ns / NSEC_PER_SEC);
	size_t old = 0;

	while (old < p->file_count && now_s - p->files[old].time_s > (int64_t)p->o.max_age_s)
		old++;
	remove_oldest(p, old);
}

/* Room for a file of so many bytes, by the bounds and on the disk. */
static bool make_room(struct pcaps *p, uint64_t size)
{
	if (size > p->o.max_bytes)
		return false;
	if (p->file_count >= PCAPS_FILES)
		remove_oldest(p, p->file_count - PCAPS_FILES + 1);
	if (p->bytes + size > p->o.max_bytes)
		reduce_to(p, p->o.max_bytes - size);
	while (is_disk_short(p, size) && p->bytes)
		reduce_to(p, p->bytes - 1);
	return !is_disk_short(p, size);
}

static int write_whole(int fd, struct bytes file)
{
	while (file.len) {
		ssize_t n = write(fd, file.data, file.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		file = (struct bytes){file.data + n, file.len - (size_t)n};
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The one place that a finished file goes through on its way to rest. 0 or -errno. */
static int keep_file(struct pcaps *p, const char *name, struct bytes file)
{
	int fd, r;

	if (!make_room(p, file.len))
		return -ENOSPC;
	fd = openat(p->folder, PART, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_whole(fd, file);
	close(fd);
	if (r == 0 && renameat(p->folder, PART, p->folder, name) < 0)
		r = -errno;
	if (r == 0)
		fsync(p->folder);
	else
		unlinkat(p->folder, PART, 0);
	return r;
}

/* A case */

/* "dropped: hl7.segment_too_long: A part of a message is absurdly long, ..." */
static void comment_on(const struct evidence_record *r, char ret_text[PCAPNG_COMMENT_MAX])
{
	static const char *const fates[] = {"passed", "would be dropped", "dropped"};

	if (r->reason == REASON_NONE && r->fate == EVIDENCE_PASSED)
		*ret_text = 0;
	else if (r->reason == REASON_NONE)
		snprintf(ret_text, PCAPNG_COMMENT_MAX, "%s", fates[r->fate]);
	else
		snprintf(ret_text, PCAPNG_COMMENT_MAX, "%s: %s: %s", fates[r->fate],
			 reason_name((enum reason)r->reason),
			 reason_sentence((enum reason)r->reason));
}

/* The number of a port's name in the order of their first frames; `count` where it is new. */
static unsigned port_of(char ports[PORTS][16], unsigned count, const char *name)
{
	unsigned i = 0;

	while (i < count && strcmp(ports[i], name) != 0)
		i++;
	return i;
}

static unsigned list_ports(const struct gathered *c, char ret_ports[PORTS][16])
{
	struct bytes rest = {c->data, c->len}, frame;
	struct evidence_record r;
	unsigned count = 0;

	while (evidence_next(&rest, &r, &frame))
		if (port_of(ret_ports, count, r.port) == count && count < PORTS)
			memcpy(ret_ports[count++], r.port, sizeof(r.port));
	return count;
}

/* The case as a file; data NULL where there is no memory. The caller's to free(). */
static struct bytes make_file(const struct gathered *c)
{
	size_t cap = PCAPNG_HEAD + PORTS * PCAPNG_INTERFACE + c->len +
		     c->packets * PCAPNG_PACKET((size_t)4);
	struct writer w = writer_new(malloc(cap), cap);
	struct bytes rest = {c->data, c->len}, frame;
	char ports[PORTS][16], comment[PCAPNG_COMMENT_MAX];
	struct evidence_record r;
	unsigned count = list_ports(c, ports), port;

	if (!w.data)
		return (struct bytes){NULL, 0};
	pcapng_begin(&w, "bedwarden " BEDWARDEN_VERSION);
	for (unsigned i = 0; i < count; i++)
		pcapng_interface(&w, ports[i]);
	while (evidence_next(&rest, &r, &frame)) {
		port = port_of(ports, count, r.port);
		comment_on(&r, comment);
		pcapng_packet(&w, port < count ? port : 0, r.time_ns, frame, r.wire_len, comment);
	}
	return (struct bytes){w.data, w.bad ? 0 : w.len};
}

static void name_file(const struct gathered *c, char ret_name[PCAPS_NAME])
{
	time_t s = (time_t)(c->wall_ns / NSEC_PER_SEC);
	char date[24] = "", hash[12];
	struct tm tm;

	if (gmtime_r(&s, &tm))
		strftime(date, sizeof(date), "%Y%m%dT%H%M%S", &tm);
	snprintf(hash, sizeof(hash), "%08x-", c->device);
	snprintf(ret_name, PCAPS_NAME, "%s.%03uZ-%s%llu" SUFFIX, date,
		 (unsigned)(c->wall_ns / NSEC_PER_MSEC % 1000), c->device ? hash : "",
		 (unsigned long long)c->id);
}

uint32_t pcaps_device(struct bytes name)
{
	char text[2 * PCAPS_NAME];
	unsigned device;
	const char *at;
	int len = 0;

	snprintf(text, sizeof(text), "%.*s", (int)name.len, (const char *)name.data);
	at = strstr(text, "Z-");
	/* Of a name without a hash it is the beginning of a longer number. */
	return at && sscanf(at, "Z-%8x-%n", &device, &len) == 1 && len == 11 ? device : 0;
}

static void drop_case(struct pcaps *p, struct gathered *c)
{
	p->gathered_bytes -= c->cap;
	free(c->data);
	*c = (struct gathered){0};
}

static void finish_case(struct pcaps *p, struct gathered *c, uint64_t wall_ns)
{
	struct pcaps_case told = {.id = c->id, .why = c->why, .packets = c->packets};
	struct bytes file = make_file(c);
	int r = file.len ? 0 : -ENOMEM;

	name_file(c, told.name);
	if (r == 0 && p->o.seal)
		r = p->o.seal(p->o.arg, &told, file);
	else if (r == 0)
		r = keep_file(p, told.name, file);
	p->counts.error = r;
	if (r == 0) {
		p->counts.written++;
		if (!p->o.seal)
			list_file(p, told.name, file.len, (int64_t)(wall_ns / NSEC_PER_SEC));
		if (!p->o.seal && p->o.kept)
			p->o.kept(p->o.arg, &told);
	} else {
		p->counts.lost++;
	}
	free((void *)file.data);
	drop_case(p, c);
}

static struct gathered *find_case(struct pcaps *p, unsigned guard, uint64_t id)
{
	for (unsigned i = 0; i < PCAPS_CASES; i++)
		if (p->cases[i].until_ns && p->cases[i].id == id && p->cases[i].guard == guard)
			return &p->cases[i];
	return NULL;
}

static struct gathered *begin_case(struct pcaps *p, unsigned guard, const struct evidence_record *r,
				   uint64_t now_ns)
{
	for (unsigned i = 0; i < PCAPS_CASES; i++)
		if (!p->cases[i].until_ns) {
			p->cases[i] = (struct gathered){.id = r->id,
							.device = r->device,
							.guard = guard,
							.until_ns = now_ns + PCAPS_PATIENCE_NS,
							.wall_ns = r->time_ns};
			return &p->cases[i];
		}
	return NULL;
}

/* No device's cases take more than half of the memory. */
static bool may_grow(const struct pcaps *p, const struct gathered *c, size_t by)
{
	size_t own = by;

	for (unsigned i = 0; i < PCAPS_CASES; i++)
		own += p->cases[i].device == c->device ? p->cases[i].cap : 0;
	return p->gathered_bytes + by <= PCAPS_TOTAL_BYTES && own <= PCAPS_TOTAL_BYTES / 2;
}

static bool add_record(struct pcaps *p, struct gathered *c, struct bytes record)
{
	size_t cap = c->cap ? c->cap : 4096;
	uint8_t *bigger;

	while (cap < c->len + record.len)
		cap *= 2;
	if (cap > PCAPS_CASE_BYTES || (cap != c->cap && !may_grow(p, c, cap - c->cap)))
		return false;
	if (cap != c->cap) {
		bigger = realloc(c->data, cap);
		if (!bigger)
			return false;
		p->gathered_bytes += cap - c->cap;
		c->data = bigger;
		c->cap = cap;
	}
	memcpy(c->data + c->len, record.data, record.len);
	c->len += record.len;
	c->packets++;
	return true;
}

int pcaps_take(struct pcaps *p, unsigned guard, struct bytes records, uint64_t now_ns,
	       uint64_t wall_ns)
{
	const uint8_t *at = records.data;
	struct evidence_record r;
	struct bytes frame;

	for (; evidence_next(&records, &r, &frame); at = records.data) {
		struct gathered *c = find_case(p, guard, r.id);

		if (r.flags & EVIDENCE_LAST) {
			if (c)
				finish_case(p, c, wall_ns);
			continue;
		}
		if (!c)
			c = begin_case(p, guard, &r, now_ns);
		if (!c || !add_record(p, c, (struct bytes){at, (size_t)(records.data - at)}))
			p->counts.lost++;
		else if (c->why == REASON_NONE)
			c->why = (enum reason)r.reason;
	}
	return records.len ? -EBADMSG : 0;
}

void pcaps_lose(struct pcaps *p, unsigned guard, uint64_t wall_ns)
{
	for (unsigned i = 0; i < PCAPS_CASES; i++)
		if (p->cases[i].until_ns && p->cases[i].guard == guard)
			finish_case(p, &p->cases[i], wall_ns);
}

void pcaps_tick(struct pcaps *p, uint64_t now_ns, uint64_t wall_ns)
{
	for (unsigned i = 0; i < PCAPS_CASES; i++)
		if (p->cases[i].until_ns && p->cases[i].until_ns <= now_ns)
			finish_case(p, &p->cases[i], wall_ns);
	if (now_ns < p->expire_ns)
		return;
	p->expire_ns = now_ns + EXPIRE_NS;
	expire(p, wall_ns);
}

uint64_t pcaps_due(const struct pcaps *p)
{
	uint64_t at = p->file_count ? p->expire_ns : UINT64_MAX;

	for (unsigned i = 0; i < PCAPS_CASES; i++)
		if (p->cases[i].until_ns && p->cases[i].until_ns < at)
			at = p->cases[i].until_ns;
	return at;
}

/* What was written before there were keys */

void pcaps_unsealed(struct pcaps *p, int err)
{
	p->counts.written--;
	p->counts.lost++;
	p->counts.error = err;
}

int pcaps_oldest(struct pcaps *p, struct pcaps_case *ret_case, struct bytes *ret_file)
{
	struct pcaps_case c = {.id = 0};
	int fd, err;

	if (!p->file_count)
		return -ENOENT;
	memcpy(c.name, p->files[0].name, sizeof(c.name));
	fd = openat(p->folder, c.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = file_read_fd(fd, PCAPS_FILE_BYTES, ret_file);
	close(fd);
	if (err == 0)
		*ret_case = c;
	return err;
}

void pcaps_erase(struct pcaps *p, const char *name)
{
	int fd;

	if (!p->file_count || strcmp(p->files[0].name, name) != 0)
		return;
	fd = openat(p->folder, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		file_overwrite(fd);
		close(fd);
	}
	remove_oldest(p, 1);
	fsync(p->folder);
}

/* Start and end */

struct pcaps *pcaps_new(const struct pcaps_options *o, uint64_t wall_ns)
{
	struct pcaps *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return NULL;
	p->o = *o;
	p->o.folder = NULL;
	if (mkdir(o->folder, 0700) < 0 && errno != EEXIST) {
		r = -errno;
		goto free;
	}
	p->folder = open(o->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->folder < 0) {
		r = -errno;
		goto free;
	}
	r = read_folder(p);
	if (r < 0)
		goto close;
	expire(p, wall_ns);
	make_room(p, 0);
	return p;
close:
	close(p->folder);
free:
	free(p->files);
	free(p);
	errno = -r;
	return NULL;
}

void pcaps_flush(struct pcaps *p, uint64_t wall_ns)
{
	for (unsigned i = 0; i < PCAPS_CASES; i++)
		if (p->cases[i].until_ns)
			finish_case(p, &p->cases[i], wall_ns);
}

void pcaps_free(struct pcaps *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < PCAPS_CASES; i++)
		drop_case(p, &p->cases[i]);
	close(p->folder);
	free(p->files);
	free(p);
}

void pcaps_counts(const struct pcaps *p, struct pcaps_counts *ret_counts)
{
	*ret_counts = p->counts;
	ret_counts->files = p->file_count;
	ret_counts->bytes = p->bytes;
}
