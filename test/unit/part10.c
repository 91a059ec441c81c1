#include "unit.h"

#include <dirent.h>
#include <stdio.h>

#include "guard/proto/part10.h"

/* A file that begins with `start`, has `mark` where DICM belongs, and goes on. */
static struct bytes a_file(const char *start, size_t len, const char *mark)
{
	uint8_t buf[200] = {0};

	memcpy(buf + 128, mark, 4);
	memcpy(buf, start, len);
	return unit_exact(buf, sizeof(buf));
}

/* In pieces of `cut` bytes: what the last of them was answered. */
static enum parse take(struct bytes file, size_t cut, const char **ret_program)
{
	struct part10 p = {0};
	enum parse got = PARSE_MORE;

	for (size_t at = 0; at < file.len; at += cut) {
		size_t n = file.len - at < cut ? file.len - at : cut;
		struct bytes piece = unit_exact(file.data + at, n);

		*ret_program = NULL;
		got = part10_take(&p, piece, ret_program);
		assert_int_equal(got == PARSE_MORE, at + n < PART10_HEAD && !p.other);
		free((void *)piece.data);
	}
	return got;
}

static void programs_are_known(void **state)
{
	static const struct {
		const char *start;
		size_t len;
		const char *program;
	} starts[] = {
#define START(bytes, program) {bytes, sizeof(bytes) - 1, program}
		START("", NULL),
		START("II*\0\x10\0\0\0", NULL), /* a TIFF too: what a preamble is for */
		START("MM\0*\0\0\0\x10", NULL),
		START("II+\0\x08\0\0\0", NULL),
		START("MZ\x90\0\3", "PE"),
		START("M", NULL),
		START("ZM", "PE"),
		START("\177ELF\2\1\1", "ELF"),
		START("\177ELV", NULL),
		START("\xcf\xfa\xed\xfe", "Mach-O"),
		START("\xca\xfe\xba\xbe", "Mach-O"),
		START("#!/bin/sh\n", "script"),
		START("<?PHP system", "script"),
		START("<Html>", "script"),
		START("@echo off\r\n", "script"),
		START("\xef\xbb\xbf<?php ", "script"),
		START("II*\0\x10\0\0\0<SCRIPT src", "script"),
		START("\n <!DOCTYPE html>", "script"),
		START("<?xml version='1.0'?><job>", "script"),
		START("II*\0\x10\0\0\0<sc ript", NULL),
		START("%!PS-Adobe", "script"),
		START("ITSF\3", "CHM"),
		START("PK\3\4", "ZIP"),
		START("%PDF-1.7\n", "PDF"),
		START("pk\3\4", NULL),
		START("dex\n035", "DEX"),
		START("\0asm\1", "WebAssembly"),
		START("\0ASM\1", NULL),
		START("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "OLE"),
		START("L\0\0\0\1\x14\2\0\0\0\0\0\xc0\0\0\0\0\0\0F", "LNK"),
	};
	static const size_t cuts[] = {200, 1, 7, 127, 128, 131, 132};

	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct bytes b = a_file(starts[i].start, starts[i].len, "DICM");

		for (unsigned k = 0; k < sizeof(cuts) / sizeof(cuts[0]); k++) {
			const char *program;

			assert_int_equal(take(b, cuts[k], &program), PARSE_OK);
			if (starts[i].program)
				assert_string_equal(program, starts[i].program);
			else
				assert_null(program);
		}
		free((void *)b.data);
	}
}

/* A program that pretends nothing is not our business; nor is what ends too early. */
static void other_files_are_not_judged(void **state)
{
	const char *program = NULL;
	struct part10 p = {0};
	struct bytes b = a_file("MZ", 2, "DICN");

	assert_int_equal(take(b, 200, &program), PARSE_BAD);
	assert_null(program);
	assert_int_equal(part10_take(&p, (struct bytes){b.data, 131}, &program), PARSE_MORE);
	assert_int_equal(part10_take(&p, (struct bytes){NULL, 0}, &program), PARSE_MORE);
	free((void *)b.data);
}

/* How many programs are found in what comes in pieces of `cut` bytes. */
static unsigned search(struct bytes all, size_t cut, const char *expected)
{
	struct part10_search s = {{0}};
	unsigned found = 0;

	for (size_t at = 0, end = 0; at < all.len;) {
		const char *program = NULL;
		struct bytes piece;
		bool head;

		if (at == end)
			end = all.len - at < cut ? all.len : at + cut;
		piece = unit_exact(all.data + at, end - at);
		at += part10_search(&s, piece, &head, &program);
		assert_true(at == end || head);
		assert_true(head || !program);
		if (program)
			assert_string_equal(program, expected);
		found += program != NULL;
		free((void *)piece.data);
	}
	return found;
}

/* Wherever the file stands, and whatever is before it, but for a line's end. */
static void files_within_are_found(void **state)
{
	static const size_t cuts[] = {2000, 1, 2, 5, 127, 131, 132, 133, 134, 500};
	static const char *const before[] = {"\r\n\r\n", "--b\nA: MZ\n\n", "\n", "DICM\nDICM\n"};
	uint8_t all[1600];

	for (unsigned i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		size_t len = strlen(before[i]);

		for (size_t gap = 0; gap < 400; gap += 133) {
			size_t at = gap + len, next = at + 200 + gap;

			memset(all, 'M', sizeof(all));
			memcpy(all + gap, before[i], len);
			memcpy(all + at, "MZ", 2);
			memcpy(all + at + 128, "DICM", 4);
			all[next - 1] = '\n';
			memcpy(all + next, "\n\nMZ",
			       4); /* passed over: its head is 2 bytes too long */
			memcpy(all + next + 4 + 128, "DICM", 4);
			for (unsigned k = 0; k < sizeof(cuts) / sizeof(cuts[0]); k++) {
				struct bytes b = {all, next + 300};

				assert_int_equal(search(b, cuts[k], "PE"), 1);
				b.data += at; /* where no line ends */
				b.len = 200;
				assert_int_equal(search(b, cuts[k], "PE"), 0);
			}
		}
	}
}

#define IMAGES UNIT_SOURCE "/../shared/data/dicom"

/* Images that others made, where the folder with them is there: none of them starts anything. */
static unsigned judge_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	unsigned files = 0;

	while (d && (e = readdir(d))) {
		char name[1024];
		uint8_t buf[PART10_HEAD];
		const char *program = NULL;
		struct part10 p = {0};
		FILE *f;

		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(name, "r");
		if (!f)
			continue;
		part10_take(&p, (struct bytes){buf, fread(buf, 1, sizeof(buf), f)}, &program);
		assert_null(program);
		files += !p.other && p.seen == PART10_HEAD;
		fclose(f);
	}
	if (d)
		closedir(d);
	return files;
}

static void real_images_are_harmless(void **state)
{
	unsigned files = judge_folder(IMAGES "/pydicom") + judge_folder(IMAGES "/fodicom");

	if (!files) {
		print_message("no folder %s\n", IMAGES);
		skip();
	}
	assert_true(files > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_are_known),
		cmocka_unit_test(other_files_are_not_judged),
		cmocka_unit_test(files_within_are_found),
		cmocka_unit_test(real_images_are_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
