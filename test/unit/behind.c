#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/behind.h"

#define MIB	  (1u << 20)
#define SIZE	  (32 * MIB)
#define IN_MEMORY (12 * MIB) /* some 8 MiB are promised, and the kernel reads ahead */

static int file;

static int set_up(void **state)
{
	char path[] = "/var/tmp/behind.XXXXXX";

	file = mkstemp(path);
	assert_true(file >= 0);
	unlink(path);
	return 0;
}

static int tear_down(void **state)
{
	close(file);
	return 0;
}

/* What is only in memory cannot leave it. */
static void skip_unless_on_a_disk(void)
{
	struct statfs s;

	assert_int_equal(fstatfs(file, &s), 0);
	if (s.f_type == TMPFS_MAGIC || s.f_type == RAMFS_MAGIC || s.f_type == OVERLAYFS_SUPER_MAGIC)
		skip();
}

/* How many bytes of it are in the page cache. */
static size_t in_memory(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = SIZE / page, count = 0;
	unsigned char *map = malloc(pages);
	void *at = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, file, 0);

	assert_non_null(map);
	assert_true(at != MAP_FAILED);
	assert_int_equal(mincore(at, SIZE, map), 0);
	for (size_t i = 0; i < pages; i++)
		count += map[i] & 1;
	munmap(at, SIZE);
	free(map);
	return count * page;
}

static void fill(uint8_t *block, unsigned number)
{
	for (unsigned i = 0; i < MIB; i++)
		block[i] = (uint8_t)(i * 7 + number);
}

static void write_all(struct behind *b)
{
	uint8_t *block = malloc(MIB);

	assert_non_null(block);
	for (unsigned i = 0; i < SIZE / MIB; i++) {
		fill(block, i);
		assert_int_equal(pwrite(file, block, MIB, (off_t)i * MIB), MIB);
		if (b)
			assert_int_equal(behind_written(b, (uint64_t)(i + 1) * MIB), 0);
	}
	free(block);
}

static void read_all(struct behind *b)
{
	uint8_t *block = malloc(MIB), *want = malloc(MIB);

	assert_true(block && want);
	for (unsigned i = 0; i < SIZE / MIB; i++) {
		fill(want, i);
		assert_int_equal(pread(file, block, MIB, (off_t)i * MIB), MIB);
		assert_memory_equal(block, want, MIB);
		behind_read(b, (uint64_t)(i + 1) * MIB);
	}
	free(block);
	free(want);
}

static void what_was_written_leaves_memory(void **state)
{
	struct behind b = behind_at(file, 0);

	skip_unless_on_a_disk();
	write_all(&b);
	assert_false(b.off);
	assert_true(in_memory() <= IN_MEMORY);
	b = behind_at(file, 0);
	read_all(&b);
}

static void what_was_read_leaves_memory(void **state)
{
	struct behind b = behind_at(file, 0);

	skip_unless_on_a_disk();
	write_all(NULL);
	assert_int_equal(fsync(file), 0);
	assert_true(in_memory() > IN_MEMORY);
	read_all(&b);
	assert_false(b.off);
	assert_true(in_memory() <= IN_MEMORY);
}

/* What was there before where it begins is nobody's to drop. */
static void what_lies_before_stays(void **state)
{
	struct behind b = behind_at(file, SIZE / 2);

	skip_unless_on_a_disk();
	write_all(NULL);
	assert_int_equal(fsync(file), 0);
	behind_read(&b, SIZE);
	assert_true(in_memory() >= SIZE / 2);
	assert_true(in_memory() <= SIZE / 2 + IN_MEMORY);
}

static void it_begins_where_the_descriptor_is(void **state)
{
	struct behind b;

	assert_int_equal(lseek(file, 12345, SEEK_SET), 12345);
	b = behind_here(file);
	assert_false(b.off);
	assert_int_equal(b.started, 12345);
	assert_int_equal(b.dropped, 12345);
}

/* Neither a pipe nor a device is an error, and neither is asked twice. */
static void where_there_is_no_disk_nothing_is_done(void **state)
{
	int ends[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct behind b;

	assert_true(null >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	b = behind_here(ends[1]);
	assert_true(b.off);
	assert_int_equal(behind_written(&b, SIZE), 0);
	behind_read(&b, SIZE);
	b = behind_at(ends[1], 0);
	assert_int_equal(behind_written(&b, SIZE), 0);
	assert_true(b.off);
	b = behind_at(null, 0);
	assert_int_equal(behind_written(&b, SIZE), 0);
	close(null);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(what_was_written_leaves_memory),
		T(what_was_read_leaves_memory),
		T(what_lies_before_stays),
		T(it_begins_where_the_descriptor_is),
		T(where_there_is_no_disk_nothing_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
