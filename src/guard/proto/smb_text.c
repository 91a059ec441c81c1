#include <stdio.h>

#include "guard/proto/smb_internal.h"

static const struct proto_name statuses[] = {
	{0x00000000, "STATUS_SUCCESS"},
	{0x00000103, "STATUS_PENDING"},
	{0x80000005, "STATUS_BUFFER_OVERFLOW"},
	{0x80000006, "STATUS_NO_MORE_FILES"},
	{0x0000010b, "STATUS_NOTIFY_CLEANUP"},
	{0x0000010c, "STATUS_NOTIFY_ENUM_DIR"},
	{0x8000002d, "STATUS_STOPPED_ON_SYMLINK"},
	{0xc0000002, "STATUS_NOT_IMPLEMENTED"},
	{0xc0000003, "STATUS_INVALID_INFO_CLASS"},
	{0xc0000004, "STATUS_INFO_LENGTH_MISMATCH"},
	{0xc0000008, "STATUS_INVALID_HANDLE"},
	{0xc000000d, "STATUS_INVALID_PARAMETER"},
	{0xc000000f, "STATUS_NO_SUCH_FILE"},
	{0xc0000010, "STATUS_INVALID_DEVICE_REQUEST"},
	{0xc0000011, "STATUS_END_OF_FILE"},
	{0xc0000016, "STATUS_MORE_PROCESSING_REQUIRED"},
	{0xc0000022, "STATUS_ACCESS_DENIED"},
	{0xc0000023, "STATUS_BUFFER_TOO_SMALL"},
	{0xc0000033, "STATUS_OBJECT_NAME_INVALID"},
	{0xc0000034, "STATUS_OBJECT_NAME_NOT_FOUND"},
	{0xc0000035, "STATUS_OBJECT_NAME_COLLISION"},
	{0xc000003a, "STATUS_OBJECT_PATH_NOT_FOUND"},
	{0xc0000043, "STATUS_SHARING_VIOLATION"},
	{0xc0000054, "STATUS_FILE_LOCK_CONFLICT"},
	{0xc0000055, "STATUS_LOCK_NOT_GRANTED"},
	{0xc0000056, "STATUS_DELETE_PENDING"},
	{0xc0000064, "STATUS_NO_SUCH_USER"},
	{0xc000006a, "STATUS_WRONG_PASSWORD"},
	{0xc000006d, "STATUS_LOGON_FAILURE"},
	{0xc000006e, "STATUS_ACCOUNT_RESTRICTION"},
	{0xc000006f, "STATUS_INVALID_LOGON_HOURS"},
	{0xc0000070, "STATUS_INVALID_WORKSTATION"},
	{0xc0000071, "STATUS_PASSWORD_EXPIRED"},
	{0xc0000072, "STATUS_ACCOUNT_DISABLED"},
	{0xc000007e, "STATUS_RANGE_NOT_LOCKED"},
	{0xc000007f, "STATUS_DISK_FULL"},
	{0xc000009a, "STATUS_INSUFFICIENT_RESOURCES"},
	{0xc00000ac, "STATUS_PIPE_NOT_AVAILABLE"},
	{0xc00000ae, "STATUS_PIPE_BUSY"},
	{0xc00000b0, "STATUS_PIPE_DISCONNECTED"},
	{0xc00000b1, "STATUS_PIPE_CLOSING"},
	{0xc00000b5, "STATUS_IO_TIMEOUT"},
	{0xc00000ba, "STATUS_FILE_IS_A_DIRECTORY"},
	{0xc00000bb, "STATUS_NOT_SUPPORTED"},
	{0xc00000c9, "STATUS_NETWORK_NAME_DELETED"},
	{0xc00000ca, "STATUS_NETWORK_ACCESS_DENIED"},
	{0xc00000cc, "STATUS_BAD_NETWORK_NAME"},
	{0xc00000d0, "STATUS_REQUEST_NOT_ACCEPTED"},
	{0xc00000d9, "STATUS_PIPE_EMPTY"},
	{0xc00000e2, "STATUS_OPLOCK_NOT_GRANTED"},
	{0xc0000101, "STATUS_DIRECTORY_NOT_EMPTY"},
	{0xc0000103, "STATUS_NOT_A_DIRECTORY"},
	{0xc0000120, "STATUS_CANCELLED"},
	{0xc0000121, "STATUS_CANNOT_DELETE"},
	{0xc0000128, "STATUS_FILE_CLOSED"},
	{0xc000015b, "STATUS_LOGON_TYPE_NOT_GRANTED"},
	{0xc0000184, "STATUS_INVALID_DEVICE_STATE"},
	{0xc0000193, "STATUS_ACCOUNT_EXPIRED"},
	{0xc000019c, "STATUS_FS_DRIVER_REQUIRED"},
	{0xc0000203, "STATUS_USER_SESSION_DELETED"},
	{0xc000020c, "STATUS_CONNECTION_DISCONNECTED"},
	{0xc0000224, "STATUS_PASSWORD_MUST_CHANGE"},
	{0xc0000225, "STATUS_NOT_FOUND"},
	{0xc0000234, "STATUS_ACCOUNT_LOCKED_OUT"},
	{0xc0000257, "STATUS_PATH_NOT_COVERED"},
	{0xc0000275, "STATUS_NOT_A_REPARSE_POINT"},
	{0xc000035c, "STATUS_NETWORK_SESSION_EXPIRED"},
};

static struct writer begin(struct smb_msg *m)
{
	struct writer w = writer_new(m->room + m->room_used, sizeof(m->room) - m->room_used);

	if (w.cap > SMB_TEXT_MAX)
		w.cap = SMB_TEXT_MAX;
	return w;
}

static struct bytes end(struct smb_msg *m, const struct writer *w)
{
	m->room_used += w->len;
	return (struct bytes){w->len ? w->data : NULL, w->len};
}

struct bytes smb_put(struct smb_msg *m, const char *text)
{
	struct writer w = begin(m);

	write_bytes(&w, text, strlen(text));
	return end(m, &w);
}

/* The character at `at` of UTF-16, the low byte first; half a pair shows as what it is. */
static uint32_t wide_at(struct bytes b, size_t *at)
{
	struct reader r = {.in = b, .off = *at};
	uint32_t c = read_le16(&r), low = c >> 10 == 0x36 ? read_le16(&r) : 0;

	if (low >> 10 == 0x37) {
		*at += 4;
		return 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
	}
	*at += 2;
	return c >> 11 == 0x1b ? '?' : c;
}

/* As UTF-8. */
struct bytes smb_put_wide(struct smb_msg *m, struct bytes b)
{
	struct writer w = begin(m);
	size_t at = 0;

	while (at + 1 < b.len && w.len + 4 < w.cap) {
		uint32_t c = wide_at(b, &at);
		int shift = c < 0x80 ? 0 : c < 0x800 ? 6 : c < 0x10000 ? 12 : 18;

		if (!c)
			break;
		write_u8(&w,
			 (uint8_t)(!shift ? c : (0xf00u >> (shift / 6 + 1) & 0xf0) | c >> shift));
		while ((shift -= 6) >= 0)
			write_u8(&w, (uint8_t)(0x80 | (c >> shift & 0x3f)));
	}
	return end(m, &w);
}

void smb_put_status(struct smb_msg *m, uint32_t status)
{
	const char *name = PROTO_NAME(statuses, status);
	char hex[16];

	snprintf(hex, sizeof(hex), "0x%x", status);
	m->status_code = smb_put(m, hex);
	m->status = smb_put(m, name ? name : "UNKNOWN");
}

/* MS-CIFS §2.2.2.4; named as Suricata names them, where it does. */
static const struct proto_name dos_errors[] = {
	{1, "DOS_BAD_FUNC"},
	{2, "DOS_BAD_FILE"},
	{3, "DOS_BAD_PATH"},
	{4, "DOS_TOO_MANY_OPEN_FILES"},
	{5, "DOS_ACCESS_DENIED"},
	{6, "DOS_BAD_FID"},
	{8, "DOS_NO_MEMORY"},
	{12, "DOS_BAD_ACCESS"},
	{15, "DOS_BAD_DRIVE"},
	{16, "DOS_REMOVE_CURRENT_DIRECTORY"},
	{17, "DOS_DIFFERENT_DEVICE"},
	{18, "DOS_NO_MORE_FILES"},
	{31, "DOS_GENERAL"},
	{32, "DOS_BAD_SHARE"},
	{33, "DOS_LOCK"},
	{38, "DOS_END_OF_FILE"},
	{50, "DOS_UNSUPPORTED"},
	{80, "DOS_FILE_EXISTS"},
	{87, "DOS_INVALID_PARAMETER"},
	{112, "DOS_DISK_FULL"},
	{122, "DOS_BUFFER_TOO_SMALL"},
	{123, "DOS_INVALID_NAME"},
	{124, "DOS_UNKNOWN_LEVEL"},
	{145, "DOS_DIRECTORY_NOT_EMPTY"},
	{230, "DOS_BAD_PIPE"},
	{231, "DOS_PIPE_BUSY"},
	{232, "DOS_PIPE_CLOSING"},
	{233, "DOS_PIPE_NOT_CONNECTED"},
	{234, "DOS_MORE_DATA"},
};

static const struct proto_name server_errors[] = {
	{1, "SRV_ERROR"},
	{2, "SRV_BADPW"},
	{3, "SRV_BADTYPE"},
	{4, "SRV_ACCESS"},
	{5, "SRV_BAD_TID"},
	{6, "SRV_BAD_NETNAME"},
	{7, "SRV_BAD_DEVICE"},
	{64, "SRV_UNKNOWN_COMMAND"},
	{65, "SRV_INTERNAL"},
	{87, "SRV_BAD_PERMISSIONS"},
	{91, "SRV_BADUID"},
	{2239, "SRV_ACCOUNT_EXPIRED"},
	{2240, "SRV_BAD_WORKSTATION"},
	{2241, "SRV_LOGON_HOURS"},
	{2242, "SRV_PASSWORD_EXPIRED"},
};

void smb_put_dos_status(struct smb_msg *m, uint32_t status)
{
	uint8_t class = (uint8_t)status;
	uint16_t code = (uint16_t)(status >> 16);
	const char *name = class == 1	? PROTO_NAME(dos_errors, code)
			   : class == 2 ? PROTO_NAME(server_errors, code)
					: NULL;
	char text[32];

	if (!status) {
		smb_put_status(m, status);
		return;
	}
	snprintf(text, sizeof(text), "0x%04x", code);
	m->status_code = smb_put(m, text);
	if (!name)
		snprintf(text, sizeof(text), "UNKNOWN_%02x_%04x", class, code);
	m->status = smb_put(m, name ? name : text);
}

void smb_put_command(struct smb_msg *m, unsigned version, const struct proto_name *names,
		     size_t count, uint32_t command)
{
	const char *name = proto_name(names, count, command);
	char text[64];

	if (name)
		snprintf(text, sizeof(text), "SMB%u_COMMAND_%s", version, name);
	else
		snprintf(text, sizeof(text), "SMB%u_COMMAND_%u", version, command);
	m->command = smb_put(m, text);
	m->version = (uint8_t)version;
}
