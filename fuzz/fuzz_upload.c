/*
 * Uploads as an administrator may send them, line after line: an object each of a piece or of what becomes of
 * it; in place of "@" for an upload stands the last one's. However they are mixed, cut or lied about: what is there
 * is as long as the pieces that were taken, there are no more than UPLOADS_MOST of them, and what is handed on is
 * whole.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "people/auth/base64url.h"
#include "role/keeper.h"
#include "role/upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define LINES_MOST 64

extern const struct call_row upload_calls[];
static char folder[FUZZ_FOLDER];
static struct keeper k;

/* The last one, as far as it was taken. */
static char last[64];
static int64_t size;

static void leave(void)
{
	uploads_free(k.uploads);
	rmdir(folder); /* fails where a file was left behind, and so the folder stays to be seen */
}

static void begin(void)
{
	folder_new(folder);
	k.state_dir = folder;
	k.parent = -1;
	atexit(leave);
}

/* A call of the table, as call_run() would come to it; those that hand on elsewhere are taken here. */
static void ask(const json_t *args, const char *name)
{
	struct call_asker by = {.user = "anna", .operator_ = true};
	struct call_error e = {0};
	json_t *ok = NULL;
	struct stat st;
	int fd = -1;

	if (strcmp(name, "take") == 0) {
		fd = upload_take(&k, &by, args, &e);
		if (fd < 0 && !e.status)
			abort();
	} else {
		ok = upload_calls[0].fn(&k, &by, args, &e);
		if ((ok != NULL) == (e.status != 0))
			abort();
	}
	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_nlink != 0))
		abort(); /* it has a name */
	if (fd >= 0 && call_text(args, "upload") && strcmp(call_text(args, "upload"), last) == 0 &&
	    st.st_size != size)
		abort();
	if (fd >= 0)
		close(fd);
	if (ok) {
		const char *id = call_text(ok, "upload");
		json_int_t now = json_integer_value(json_object_get(ok, "size"));

		if (!id || strlen(id) != 32 || now < 1 ||
		    (strcmp(id, last) == 0 && (now <= size || now > size + UPLOAD_PIECE)))
			abort();
		strcpy(last, id);
		size = now;
	}
	json_decref(e.more);
	json_decref(ok);
}

static void line(const uint8_t *text, size_t len)
{
	json_t *args = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *name = call_text(args, "call"), *id = call_text(args, "upload");

	if (id && strcmp(id, "@") == 0)
		json_object_set_new(args, "upload", json_string(last));
	if (json_is_object(args))
		ask(args, name ? name : "");
	json_decref(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!*folder)
		begin();
	uploads_free(k.uploads);
	k.uploads = uploads_new(folder);
	if (!k.uploads)
		abort();
	*last = 0;
	size = 0;
	for (unsigned n = 0; n < LINES_MOST && len; n++) {
		const uint8_t *end = memchr(data, '\n', len);
		size_t part = end ? (size_t)(end - data) : len;

		line(data, part);
		data += part + !!end;
		len -= part + !!end;
	}
	return 0;
}
