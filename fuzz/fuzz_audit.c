/*
 * An audit trail as somebody who can write to the disk would leave it: a
 * checkpoint in the first line, the log behind it. Whatever it is, it is read to
 * its end or to where it breaks, and never taken for ours: nobody here has a key.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keep/audit_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int log_of(const uint8_t *data, size_t len)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (fd >= 0 && len && write(fd, data, len) != (ssize_t)len) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What is read is written the same. */
static void checkpoint(struct bytes line, struct audit_checkpoint *ret_c, int *ret_error)
{
	char text[AUDIT_CHECKPOINT_MAX];

	*ret_error = audit_checkpoint_parse(line, ret_c) ? 0 : -EBADMSG;
	if (*ret_error)
		return;
	while (line.len && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
		line.len--;
	assert(audit_checkpoint_text(ret_c, text) == line.len);
	assert(memcmp(text, line.data, line.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t key[CRYPTO_KEY] = {1};
	const uint8_t *end = len ? memchr(data, '\n', len) : NULL;
	size_t line = end ? (size_t)(end - data) : len;
	struct audit_proof p = {.key = key};
	struct audit_chain c;
	struct audit_report r;
	int fd;

	checkpoint((struct bytes){data, line}, &p.own, &p.own_error);
	if (p.own_error == 0)
		p.elsewhere = &p.own;
	fd = log_of(data + line + (end != NULL), len - line - (end != NULL));
	if (fd < 0)
		return 0;
	if (audit_chain_begin(&c, fd) == 0 && audit_judge(&c, &p, NULL, NULL, &r) == 0) {
		assert(r.state != AUDIT_WHOLE || r.count == 0);
		assert(c.off <= len);
	}
	audit_chain_end(&c);
	close(fd);
	return 0;
}
