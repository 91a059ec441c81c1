#include "role/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"

#define ERRORS_MAX 16

static int seal(struct bytes block)
{
	int fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t done = 0;
	int err;

	if (fd < 0)
		return -errno;
	while (done < block.len) {
		ssize_t n = write(fd, block.data + done, block.len - done);

		if (n <= 0)
			goto fail;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
		return fd;
fail:
	err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

int site_text(const char *file, char ret_error[SITE_ERROR])
{
	struct bytes text;
	int fd, err = file_read(file, SITE_TEXT_MAX, &text);

	if (err == 0) {
		fd = seal(text);
		free((void *)text.data);
		if (fd >= 0)
			return fd;
		err = fd;
	}
	snprintf(ret_error, SITE_ERROR, "%s: %s", file, strerror(-err));
	return err;
}

/* Every port of the policy is named, also those that are not there (ifindex 0). */
static int compile(const struct config *c, uint32_t generation, const struct ports *ports,
		   struct policy **ret_policy, int *ret_memfd, char ret_error[SITE_ERROR])
{
	struct policy_port named[PORTS_MAX] = {0};
	char why[256] = "out of memory";
	struct policy *p;
	int fd;

	for (unsigned i = 0; i < ports->count; i++) {
		memcpy(named[i].name, ports->list[i].name, sizeof(named[i].name));
		memcpy(named[i].mac, ports->list[i].mac, sizeof(named[i].mac));
		named[i].ifindex = ports->list[i].ifindex;
	}
	p = policy_compile(c, named, ports->count, generation, why);
	if (!p) {
		snprintf(ret_error, SITE_ERROR, "%s", why);
		return -EINVAL;
	}
	fd = seal(policy_bytes(p));
	if (fd < 0) {
		snprintf(ret_error, SITE_ERROR, "no memory for the policy: %s", strerror(-fd));
		policy_free(p);
		return -EINVAL;
	}
	*ret_policy = p;
	*ret_memfd = fd;
	return 0;
}

static int list_ports(const struct config *c, struct ports *ports, char ret_error[SITE_ERROR])
{
	ports->count = 0;
	for (unsigned s = 0; s < c->segments_count; s++) {
		const struct config_segment *segment = &c->segments[s];

		if (ports_add(ports, segment->ward, s, true) < 0 ||
		    ports_add(ports, segment->hospital, s, false) < 0) {
			snprintf(ret_error, SITE_ERROR,
				 "segment %s: not two usable interface names, or more than %d "
				 "ports in all",
				 segment->name, PORTS_MAX);
			return -EINVAL;
		}
	}
	return 0;
}

static void say_error(const struct config_error *e, size_t count, char ret_error[SITE_ERROR])
{
	char more[48] = "";

	if (count > 1)
		snprintf(more, sizeof(more), " (and %zu more)", count - 1);
	if (e->line)
		snprintf(ret_error, SITE_ERROR, "%s:%u:%u: %s%s", e->file, e->line, e->column,
			 e->text, more);
	else
		snprintf(ret_error, SITE_ERROR, "%s: %s%s", e->file, e->text, more);
}

int site_load(const char *file, uint32_t generation, struct ports *ports, struct site *ret_site,
	      char ret_error[SITE_ERROR])
{
	struct config_error *errors = calloc(ERRORS_MAX, sizeof(*errors));
	struct ports fresh = *ports;
	struct site s = {.memfd = -1};
	size_t count = 0;
	int err = -EINVAL;

	if (!errors) {
		snprintf(ret_error, SITE_ERROR, "out of memory");
		return -EINVAL;
	}
	s.config = config_load(file, errors, ERRORS_MAX, &count);
	if (!s.config) {
		say_error(&errors[0], count, ret_error);
		goto out;
	}
	err = list_ports(s.config, &fresh, ret_error);
	if (err == 0)
		err = compile(s.config, generation, &fresh, &s.policy, &s.memfd, ret_error);
	if (err < 0) {
		config_free(s.config);
		goto out;
	}
	*ports = fresh;
	*ret_site = s;
out:
	free(errors);
	return err;
}

int site_recompile(struct site *s, uint32_t generation, const struct ports *ports,
		   char ret_error[SITE_ERROR])
{
	struct policy *policy;
	int memfd, err;

	err = compile(s->config, generation, ports, &policy, &memfd, ret_error);
	if (err < 0)
		return err;
	policy_free(s->policy);
	close(s->memfd);
	s->policy = policy;
	s->memfd = memfd;
	return 0;
}

void site_free(struct site *s)
{
	if (!s->config)
		return;
	policy_free(s->policy);
	config_free(s->config);
	close(s->memfd);
	*s = (struct site){.memfd = -1};
}
