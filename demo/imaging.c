#include "demo/transfer.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "demo/actor.h"
#include "demo/folder.h"

#define SLICES 4
#define SIDE   256
#define PORT   "104"
#define UID    "1.2.826.0.1.3680043.10.1337." /* a root for tests */

/* Real files that need no decompression to be sent as they are. */
static const char *const known[] = {"pydicom/CT_small.dcm", "pydicom/MR_small_implicit.dcm",
				    "pydicom/rtplan.dcm"};

/* Explicit VR little endian (PS3.5 §7.1.2): short form, or long for OB and OW. */
static void element(struct writer *w, uint16_t group, uint16_t number, const char *vr,
		    const void *value, size_t len)
{
	size_t padded = len + (len & 1);
	uint8_t tag[4] = {(uint8_t)group, (uint8_t)(group >> 8), (uint8_t)number,
			  (uint8_t)(number >> 8)};
	uint8_t size[4] = {(uint8_t)padded, (uint8_t)(padded >> 8), (uint8_t)(padded >> 16),
			   (uint8_t)(padded >> 24)};

	write_bytes(w, tag, 4);
	write_bytes(w, vr, 2);
	if (vr[0] == 'O') {
		write_be16(w, 0);
		write_bytes(w, size, 4);
	} else {
		write_bytes(w, size, 2);
	}
	write_bytes(w, value, len);
	if (len & 1)
		write_u8(w, vr[0] == 'U' ? 0 : ' ');
}

static void text(struct writer *w, uint16_t group, uint16_t number, const char *vr, const char *v)
{
	element(w, group, number, vr, v, strlen(v));
}

static void number(struct writer *w, uint16_t group, uint16_t at, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

	element(w, group, at, "US", b, 2);
}

/* PS3.10 §7.1: preamble, DICM, the file meta information. */
static void meta(struct writer *w, const char *instance)
{
	static const uint8_t preamble[128], version[2] = {0, 1};
	uint8_t buf[512], len[4];
	struct writer group = writer_new(buf, sizeof(buf));

	element(&group, 2, 1, "OB", version, 2);
	text(&group, 2, 2, "UI", "1.2.840.10008.5.1.4.1.1.2"); /* CT Image Storage */
	text(&group, 2, 3, "UI", instance);
	text(&group, 2, 0x10, "UI", "1.2.840.10008.1.2.1");
	text(&group, 2, 0x12, "UI", UID "1");
	write_bytes(w, preamble, sizeof(preamble));
	write_bytes(w, "DICM", 4);
	len[0] = (uint8_t)group.len;
	len[1] = (uint8_t)(group.len >> 8);
	len[2] = len[3] = 0;
	element(w, 2, 0, "UL", len, 4);
	write_bytes(w, buf, group.len);
}

static bool inside(double x, double y, double cx, double cy, double rx, double ry)
{
	return (x - cx) * (x - cx) / (rx * rx) + (y - cy) * (y - cy) / (ry * ry) < 1;
}

/* A head: skull, brain, two ventricles that change from slice to slice, and noise. */
static uint16_t voxel(unsigned col, unsigned row, unsigned slice, uint32_t *noise)
{
	double x = col * 2.0 / SIDE - 1, y = row * 2.0 / SIDE - 1, grow = 1 + 0.2 * slice;
	int hu = -1000;

	*noise = *noise * 1664525 + 1013904223;
	if (inside(x, y, 0, 0, 0.72, 0.92))
		hu = 900;
	if (inside(x, y, 0, 0, 0.66, 0.86))
		hu = 35;
	if (inside(x, y, -0.16, 0, 0.07 * grow, 0.22) || inside(x, y, 0.16, 0, 0.07 * grow, 0.22))
		hu = 8;
	return (uint16_t)(hu + 1024 + (int)(*noise >> 27) - 16);
}

static int slice(const char *path, unsigned n)
{
	size_t cap = SIDE * SIDE * 2 + 4096;
	uint8_t *buf = malloc(cap), *pixels = malloc(SIDE * SIDE * 2);
	struct writer w = writer_new(buf, cap);
	char instance[64], position[16];
	uint32_t noise = n + 1;
	int err = -1;

	if (!buf || !pixels)
		goto out;
	for (unsigned i = 0; i < SIDE * SIDE; i++) {
		uint16_t v = voxel(i % SIDE, i / SIDE, n, &noise);

		pixels[2 * i] = (uint8_t)v;
		pixels[2 * i + 1] = (uint8_t)(v >> 8);
	}
	snprintf(instance, sizeof(instance), UID "4.%u", n + 1);
	snprintf(position, sizeof(position), "%u", n + 1);
	meta(&w, instance);
	text(&w, 0x0008, 0x0008, "CS", "ORIGINAL\\PRIMARY\\AXIAL");
	text(&w, 0x0008, 0x0016, "UI", "1.2.840.10008.5.1.4.1.1.2");
	text(&w, 0x0008, 0x0018, "UI", instance);
	text(&w, 0x0008, 0x0020, "DA", "20260131");
	text(&w, 0x0008, 0x0030, "TM", "071500");
	text(&w, 0x0008, 0x0060, "CS", "CT");
	text(&w, 0x0008, 0x0070, "LO", "Bedwarden demo");
	text(&w, 0x0010, 0x0010, "PN", "PHANTOM^HEAD");
	text(&w, 0x0010, 0x0020, "LO", "DEMO-1");
	text(&w, 0x0018, 0x0050, "DS", "5");
	text(&w, 0x0020, 0x000d, "UI", UID "2");
	text(&w, 0x0020, 0x000e, "UI", UID "3");
	text(&w, 0x0020, 0x0013, "IS", position);
	number(&w, 0x0028, 0x0002, 1);
	text(&w, 0x0028, 0x0004, "CS", "MONOCHROME2");
	number(&w, 0x0028, 0x0010, SIDE);
	number(&w, 0x0028, 0x0011, SIDE);
	number(&w, 0x0028, 0x0100, 16);
	number(&w, 0x0028, 0x0101, 12);
	number(&w, 0x0028, 0x0102, 11);
	number(&w, 0x0028, 0x0103, 0);
	text(&w, 0x0028, 0x1052, "DS", "-1024");
	text(&w, 0x0028, 0x1053, "DS", "1");
	element(&w, 0x7fe0, 0x0010, "OW", pixels, SIDE * SIDE * 2);
	err = w.bad ? -1 : folder_write(path, (struct bytes){buf, w.len});
out:
	free(pixels);
	free(buf);
	return err;
}

/* The data set: what follows the file meta group, which every application writes anew. */
static struct bytes data_set(struct bytes file)
{
	struct bytes none = {NULL, 0};
	uint32_t len;

	if (file.len < 144 || memcmp(file.data + 128, "DICM\x02\0\0\0UL\4\0", 12) != 0)
		return none;
	len = file.data[140] | (uint32_t)file.data[141] << 8 | (uint32_t)file.data[142] << 16;
	if (len > file.len - 144)
		return none;
	return (struct bytes){file.data + 144 + len, file.len - 144 - len};
}

static bool same_data_set(const char *a, const char *b)
{
	struct bytes x = folder_read(a), y = folder_read(b);
	struct bytes p = data_set(x), q = data_set(y);
	bool same = p.len && p.len == q.len && memcmp(p.data, q.data, p.len) == 0;

	free((void *)x.data);
	free((void *)y.data);
	return same;
}

/* Every element and value, in words. Lengths may be written in two ways, so words, not bytes. */
static bool dump(const char *file, const char *to)
{
	const char *argv[] = {"dcmdump", "-q", "+L", "+R", "4096", file, NULL};
	struct actor_tool t = {.argv = argv, .output = to};

	return actor_run(-1, &t, 5000) == 0;
}

/* From the data set's headline on, without what may be written in two ways (lengths) and what
 * is no data: group lengths, padding behind the end (PS3.10 §7.2). */
static size_t normalise(struct bytes b)
{
	char *in = strstr((char *)b.data, "# Dicom-Data-Set"), *out = (char *)b.data, *to = out;
	char *save = NULL;

	for (char *line = in ? strtok_r(in, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *remark = strrchr(line, '#');
		char *length = strstr(line, " with explicit length");
		size_t n;

		if (!length)
			length = strstr(line, " with undefined length");
		if (line[0] == '#' || strstr(line, "0000) UL") || strstr(line, "(fffc,fffc)") ||
		    strstr(line, "DelimitationItem"))
			continue;
		if (remark && remark != line)
			*remark = 0;
		if (length)
			*length = 0;
		n = strcspn(line, "\n");
		while (n && line[n - 1] == ' ')
			n--;
		memmove(to, line, n);
		to += n;
		*to++ = '\n';
	}
	return (size_t)(to - out);
}

static bool same_in_words(const struct transfer_room *r, const char *a, const char *b)
{
	char x[FOLDER_MAX + 128], y[FOLDER_MAX + 128];
	struct bytes p, q;
	size_t n, m;
	bool same = false;

	snprintf(x, sizeof(x), "%s/a.txt", r->dir);
	snprintf(y, sizeof(y), "%s/b.txt", r->dir);
	unlink(x);
	unlink(y);
	if (!dump(a, x) || !dump(b, y))
		return false;
	p = folder_read(x);
	q = folder_read(y);
	if (p.data && q.data) {
		n = normalise(p);
		m = normalise(q);
		same = n > 40 && n == m && memcmp(p.data, q.data, n) == 0;
	}
	free((void *)p.data);
	free((void *)q.data);
	return same;
}

int imaging_serve(const struct transfer_room *r)
{
	const char *to = folder_path(r->dir, "pacs");
	const char *argv[] = {"storescp", "-dhl", "+B", "+xa", "-aet",
			      "PACS",	  "-od",  to,	PORT,  NULL};
	struct actor_tool t = {.argv = argv, .output = r->ward->log};
	int err = folder_make(to);

	return err ? err : actor_exec(r->ward->netns[WARD_PACS], &t);
}

struct image {
	char path[FOLDER_MAX + 128];
	bool generated;
};

static unsigned collect(const struct transfer_room *r, struct image *ret, unsigned max)
{
	unsigned n = 0;
	char name[16];

	folder_make(folder_path(r->dir, "ct"));
	for (unsigned i = 0; i < SLICES && n < max; i++) {
		snprintf(name, sizeof(name), "ct/%u.dcm", i);
		snprintf(ret[n].path, sizeof(ret[n].path), "%s/%s", r->dir, name);
		ret[n].generated = true;
		if (slice(ret[n].path, i) == 0)
			n++;
	}
	for (unsigned i = 0; r->data && i < sizeof(known) / sizeof(known[0]) && n < max; i++) {
		snprintf(ret[n].path, sizeof(ret[n].path), "%.150s/dicom/%s", r->data, known[i]);
		ret[n].generated = false;
		if (access(ret[n].path, R_OK) == 0)
			n++;
	}
	return n;
}

/* What was received in the name of this image: storescp names files MODALITY.SOPINSTANCE. */
static bool received(const struct transfer_room *r, const struct image *i)
{
	DIR *d = opendir(folder_path(r->dir, "pacs"));
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d))) {
		char path[FOLDER_MAX + 512];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/pacs/%s", r->dir, e->d_name);
		found = i->generated ? same_data_set(i->path, path)
				     : same_in_words(r, i->path, path);
	}
	if (d)
		closedir(d);
	return found;
}

struct transfer_result imaging_send(const struct transfer_room *r)
{
	struct image images[16];
	const char *argv[32] = {"storescu",
				"-R",
				"-to",
				"5",
				"-ta",
				"8",
				"-aet",
				"CT1",
				"-aec",
				"PACS",
				ward_machines[WARD_PACS].ip,
				PORT};
	struct actor_tool t = {.argv = argv, .output = r->ward->log};
	struct transfer_result res = {0};
	unsigned n = collect(r, images, 16), at = 12;
	int err;

	for (unsigned i = 0; i < n; i++)
		argv[at++] = images[i].path;
	err = actor_run(r->ward->netns[WARD_CT], &t, 20000);
	for (unsigned i = 0; i < n; i++)
		res.count += received(r, &images[i]);
	res.intact = err == 0 && n >= SLICES && res.count == n;
	snprintf(res.what, sizeof(res.what), "%u of %u objects, every element", res.count, n);
	return res;
}
