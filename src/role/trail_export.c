#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "people/audit/dicom.h"
#include "role/keeper.h"
#include "role/trail.h"

/*
 * The trail for whoever fetches it: as DICOM audit messages, a page at a time, or as the file that
 * it is, which `bedwarden audit verify` holds together elsewhere. What a collector is sent goes by
 * the exporter (role/exporter.h).
 */
#define PAGE	   100
#define PAGE_MOST  500
#define BYTES_MOST (4u << 20) /* of a page; one whose entries are long is short */

static void collect(void *arg, struct bytes row)
{
	json_array_append_new(arg, json_loadb((const char *)row.data, row.len, 0, NULL));
}

static json_t *unreadable(struct call_error *e, int err)
{
	return call_fail(e, 503, "audit.unavailable", "The audit trail cannot be read", "%s",
			 err < 0 ? strerror(-err) : "see the gateway's log");
}

/* As many messages as fit; how many entries that took. */
static size_t convert(struct keeper *k, const json_t *rows, const char *checkpoint,
		      json_t *messages)
{
	static char xml[DICOM_AUDIT_MAX];
	size_t i, bytes = 0, count = json_array_size(rows);

	for (i = 0; i < count && bytes < BYTES_MOST; i++) {
		struct dicom_audit_site site = {.source = k->site};
		size_t len;

		if (i + 1 == count)
			site.checkpoint = checkpoint;
		len = dicom_audit(json_array_get(rows, i), &site, xml);
		bytes += len;
		if (len)
			json_array_append_new(messages, json_stringn(xml, len));
	}
	return i;
}

static json_t *give_messages(struct keeper *k, uint64_t from, uint32_t limit, struct call_error *e)
{
	char checkpoint[AUDIT_CHECKPOINT_MAX], next[24];
	json_t *rows = json_array(), *messages = json_array(), *ok;
	struct audit_checkpoint c;
	size_t count;
	int err = audit_since(k->trail, from, limit, collect, rows);

	if (err < 0) {
		json_decref(rows);
		json_decref(messages);
		return unreadable(e, err);
	}
	audit_checkpoint_of(k->trail, &c);
	checkpoint[audit_checkpoint_text(&c, checkpoint)] = 0;
	count = convert(k, rows, checkpoint, messages);
	json_decref(rows);
	ok = json_pack("{s:o, s:s, s:I}", "messages", messages, "checkpoint", checkpoint, "count",
		       (json_int_t)audit_count(k->trail));
	snprintf(next, sizeof(next), "%" PRIu64, from + count);
	if (from + count <= audit_count(k->trail))
		json_object_set_new(ok, "next", json_string(next));
	return ok;
}

/* As long as it is now: what is appended meanwhile is no part of it. */
static json_t *give_log(struct keeper *k, const struct call_asker *by, struct call_error *e)
{
	char path[PATH_MAX];
	struct stat st;
	json_t *ok = NULL;
	int fd;

	snprintf(path, sizeof(path), "%s/audit.log", k->state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		unreadable(e, -errno);
	else if (!call_attach(k, by->ticket, fd))
		call_fail(e, 503, "gateway.busy", "It cannot be handed out just now",
			  "on the box itself it is %s", path);
	else
		ok = json_pack("{s:{s:s, s:s, s:I}}", "file", "name", "audit.log", "type",
			       "text/plain; charset=utf-8", "size", (json_int_t)st.st_size);
	if (fd >= 0)
		close(fd);
	return ok;
}

json_t *trail_export(struct keeper *k, const struct call_asker *by, const json_t *args,
		     struct call_error *e)
{
	const char *format = call_text(args, "format");
	bool log = format && strcmp(format, "log") == 0;
	int64_t limit = PAGE, from = 1;

	if (json_object_get(args, "format") && !log && (!format || strcmp(format, "dicom") != 0))
		return call_bad(e, "format", "dicom or log");
	if (json_object_get(args, "limit") && !call_number(args, "limit", 1, PAGE_MOST, &limit))
		return call_bad(e, "limit", "a number from 1 to 500");
	if (!call_cursor(args, INT64_MAX, &from) || from == 0)
		return call_bad(e, "cursor", "the value of 'next' of the page before");
	if (!k->trail)
		return unreadable(e, 0);
	if (log)
		return give_log(k, by, e);
	return give_messages(k, (uint64_t)from, (uint32_t)limit, e);
}
