#include "guard/proto/smb.h"

#include <stdio.h>
#include <strings.h>

#define SESSION_HEAD	4    /* NetBIOS's, RFC 1002 §4.3.1 */
#define COMMAND_MAX	2048 /* bytes of a command that are looked at */
#define HEAD1		32
#define HEAD2		64
#define PIPES		8
#define FILE_OPEN	1
#define DELETE_ON_CLOSE 0x1000
#define COMPRESSED	0xfc
#define ENCRYPTED	0xfd

#define SESSION_MESSAGE	  0x00
#define SESSION_REQUEST	  0x81
#define SESSION_KEEPALIVE 0x85
#define PORT_NETBIOS	  139

#define INFO_FILE   1
#define FILE_RENAME 10
#define FILE_LINK   11

enum smb2_command {
	SMB2_NEGOTIATE = 0,
	SMB2_TREE_CONNECT = 3,
	SMB2_CREATE = 5,
	SMB2_READ = 8,
	SMB2_WRITE = 9,
	SMB2_IOCTL = 11,
	SMB2_SET_INFO = 17,
	SMB2_LAST = 18,
};

enum smb1_command {
	SMB1_RENAME = 0x07,
	SMB1_READ = 0x2e,
	SMB1_WRITE = 0x2f,
	SMB1_TRANS2 = 0x32,
	SMB1_NT_TRANS = 0xa0,
	SMB1_NEGOTIATE = 0x72,
	SMB1_TREE_CONNECT = 0x75,
	SMB1_CREATE = 0xa2,
	SMB1_OPEN = 0x2d,
	SMB1_NONE = 0xff,
};

static const struct proto_name smb2_commands[] = {
	{0, "NEGOTIATE_PROTOCOL"},
	{1, "SESSION_SETUP"},
	{2, "SESSION_LOGOFF"},
	{3, "TREE_CONNECT"},
	{4, "TREE_DISCONNECT"},
	{5, "CREATE"},
	{6, "CLOSE"},
	{7, "FLUSH"},
	{8, "READ"},
	{9, "WRITE"},
	{10, "LOCK"},
	{11, "IOCTL"},
	{12, "CANCEL"},
	{13, "KEEPALIVE"},
	{14, "FIND"},
	{15, "CHANGE_NOTIFY"},
	{16, "GET_INFO"},
	{17, "SET_INFO"},
	{18, "OPLOCK_BREAK"},
};

static const struct proto_name smb1_commands[] = {
	{0x00, "CREATE_DIRECTORY"},
	{0x01, "DELETE_DIRECTORY"},
	{0x02, "OPEN"},
	{0x03, "CREATE"},
	{0x04, "CLOSE"},
	{0x05, "FLUSH"},
	{0x06, "DELETE"},
	{0x07, "RENAME"},
	{0x08, "QUERY_INFORMATION"},
	{0x09, "SET_INFORMATION"},
	{0x0a, "READ"},
	{0x0b, "WRITE"},
	{0x10, "CHECK_DIRECTORY"},
	{0x24, "LOCKING_ANDX"},
	{0x25, "TRANS"},
	{0x2b, "ECHO"},
	{0x2d, "OPEN_ANDX"},
	{0x2e, "READ_ANDX"},
	{0x2f, "WRITE_ANDX"},
	{0x32, "TRANS2"},
	{0x33, "TRANS2_SECONDARY"},
	{0x34, "FIND_CLOSE2"},
	{0x71, "TREE_DISCONNECT"},
	{0x72, "NEGOTIATE_PROTOCOL"},
	{0x73, "SESSION_SETUP_ANDX"},
	{0x74, "LOGOFF_ANDX"},
	{0x75, "TREE_CONNECT_ANDX"},
	{0x80, "QUERY_INFO_DISK"},
	{0xa0, "NT_TRANS"},
	{0xa1, "NT_TRANS_SECONDARY"},
	{0xa2, "NT_CREATE_ANDX"},
	{0xa4, "NT_CANCEL"},
};

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

static const struct proto_name dialects[] = {
	{0x0202, "2.02"}, {0x0210, "2.10"}, {0x02ff, "2.??"},
	{0x0300, "3.00"}, {0x0302, "3.02"}, {0x0311, "3.11"},
};

static const struct proto_name share_types[] = {{1, "FILE"}, {2, "PIPE"}, {3, "PRINT"}};

static const struct proto_name dispositions[] = {
	{0, "FILE_SUPERSEDE"}, {1, "FILE_OPEN"},      {2, "FILE_CREATE"},
	{3, "FILE_OPEN_IF"},   {4, "FILE_OVERWRITE"}, {5, "FILE_OVERWRITE_IF"},
};

/* Commands of SMB 1 whose files are named by paths: to make, remove, open, delete, rename, look at. */
#define BY_PATH "\x00\x01\x02\x03\x06\x07\x08\x09\x0e\x0f\x10"

/* Commands of one SMB 1 message, each behind the other. */
struct chain {
	bool on; /* the next one is not read yet */
	bool reply, wide;
	uint8_t command, lead;
	uint16_t tree, session;
	uint32_t at; /* where in the message what is read next begins */
	uint32_t status;
};

struct state {
	struct chain chain[2];
	uint32_t left[2];      /* of the session message that the end is in */
	uint32_t pipes[PIPES]; /* trees that hold named pipes */
	uint8_t pipe_count;
	bool connects_pipes; /* the tree that is being connected to does */
	bool told_read, told_write, told_encrypted;
	bool told_change, told_sealed; /* a WRITE that is one; what may be one, encrypted */
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

static struct bytes put(struct smb_msg *m, const char *text)
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
static struct bytes put_wide(struct smb_msg *m, struct bytes b)
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

static void put_status(struct smb_msg *m, uint32_t status)
{
	const char *name = PROTO_NAME(statuses, status);
	char hex[16];

	snprintf(hex, sizeof(hex), "0x%x", status);
	m->status_code = put(m, hex);
	m->status = put(m, name ? name : "UNKNOWN");
}

static void put_command(struct smb_msg *m, unsigned version, const struct proto_name *names,
			size_t count, uint32_t command)
{
	const char *name = proto_name(names, count, command);
	char text[64];

	if (name)
		snprintf(text, sizeof(text), "SMB%u_COMMAND_%s", version, name);
	else
		snprintf(text, sizeof(text), "SMB%u_COMMAND_%u", version, command);
	m->command = put(m, text);
	m->version = (uint8_t)version;
}

static bool is_pipes(struct bytes share)
{
	static const char name[] = "\\IPC$";
	size_t n = sizeof(name) - 1;

	return share.len >= n && !strncasecmp((const char *)share.data + share.len - n, name, n);
}

static bool is_pipe_tree(const struct state *st, uint32_t tree)
{
	for (unsigned i = 0; i < st->pipe_count; i++)
		if (st->pipes[i] == tree)
			return true;
	return false;
}

static void note_tree(struct state *st, uint32_t tree)
{
	if (st->connects_pipes && !is_pipe_tree(st, tree)) {
		if (st->pipe_count == PIPES)
			memmove(st->pipes, st->pipes + 1, --st->pipe_count * sizeof(st->pipes[0]));
		st->pipes[st->pipe_count++] = tree;
	}
	st->connects_pipes = false;
}

static void put_opened(struct state *st, struct smb_msg *m, struct bytes name)
{
	if (is_pipe_tree(st, m->tree_id))
		m->named_pipe = name;
	else
		m->filename = name;
	st->told_read = st->told_write = st->told_change = false;
}

/* What is said through a pipe is a program's, and may be a question: `named_pipe` tells which. */
static void mark(const struct state *st, struct smb_msg *m, bool changes)
{
	m->msg.control = changes && !is_pipe_tree(st, m->tree_id);
}

/* MS-SMB2 §2.2.13: as FILE_OPEN it neither makes a file nor empties one; or it goes when it is closed. */
static bool creates(uint32_t disposition, uint32_t options)
{
	return disposition != FILE_OPEN || options & DELETE_ON_CLOSE;
}

/* MS-FSCC §2.3, MS-SMB2 §2.2.31: those that only ask. */
static bool asks(uint32_t fsctl)
{
	static const uint32_t codes[] = {
		0x00060194, /* DFS_GET_REFERRALS */
		0x000601b0, /* DFS_GET_REFERRALS_EX */
		0x00110018, /* PIPE_WAIT */
		0x001401fc, /* QUERY_NETWORK_INTERFACE_INFO */
		0x00140204, /* VALIDATE_NEGOTIATE_INFO */
		0x00144064, /* SRV_ENUMERATE_SNAPSHOTS */
		0x00140078, /* SRV_REQUEST_RESUME_KEY */
		0x001441bb, /* SRV_READ_HASH */
		0x001401d4, /* LMR_REQUEST_RESILIENCY */
		0x0009003c, /* GET_COMPRESSION */
		0x00090064, /* GET_NTFS_VOLUME_DATA */
		0x000900a8, /* GET_REPARSE_POINT */
		0x0009009c, /* GET_OBJECT_ID */
		0x000940cf, /* QUERY_ALLOCATED_RANGES */
		0x0009027c, /* GET_INTEGRITY_INFORMATION */
	};

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i] == fsctl)
			return true;
	return false;
}

/* A range that a command names by offset from its own beginning. What begins behind what is looked at
 * would be a name that nobody is told. */
static struct bytes range(struct reader *r, struct bytes command, uint32_t offset, uint32_t len)
{
	if (offset >= command.len) {
		r->bad |= len > 0;
		return (struct bytes){NULL, 0};
	}
	if (len > command.len - offset)
		len = (uint32_t)(command.len - offset);
	return (struct bytes){command.data + offset, len};
}

static void read_negotiate2(struct smb_msg *m, struct reader *r, bool reply)
{
	uint16_t best = 0, count, dialect;

	read_skip(r, 2);
	if (reply) {
		read_skip(r, 2); /* security mode */
		best = read_le16(r);
	} else {
		count = read_le16(r);
		read_skip(r, 32);
		for (; count && reader_left(r) >= 2; count--) {
			dialect = read_le16(r);
			if (dialect > best && dialect != 0x2ff)
				best = dialect;
		}
	}
	if (best && PROTO_NAME(dialects, best))
		m->dialect = put(m, PROTO_NAME(dialects, best));
}

static void read_tree2(struct state *st, struct smb_msg *m, struct bytes command, struct reader *r,
		       bool reply, uint32_t status)
{
	uint16_t offset, len;

	read_skip(r, 2);
	if (reply) {
		if (!status) {
			m->share_type = PROTO_NAME(share_types, read_u8(r));
			note_tree(st, m->tree_id);
		}
		return;
	}
	read_skip(r, 2);
	offset = read_le16(r);
	len = read_le16(r);
	m->share = put_wide(m, range(r, command, offset, len));
	st->connects_pipes = is_pipes(m->share);
}

static void read_create2(struct state *st, struct smb_msg *m, struct bytes command,
			 struct reader *r)
{
	uint16_t offset, len;
	uint32_t disposition;

	read_skip(r, 2 + 2 + 4 + 8 + 8 + 4 + 4 + 4);
	disposition = read_le32(r);
	m->disposition = PROTO_NAME(dispositions, disposition);
	mark(st, m, creates(disposition, read_le32(r)) || r->bad);
	offset = read_le16(r);
	len = read_le16(r);
	if (!r->bad)
		put_opened(st, m, put_wide(m, range(r, command, offset, len)));
}

/* MS-SMB2 §2.2.39, MS-FSCC §2.4.42: what was opened gets another name, or one more. */
static void read_set_info2(struct smb_msg *m, struct bytes command, struct reader *r)
{
	uint8_t type, class;
	struct reader info;
	uint32_t len;

	read_skip(r, 2);
	type = read_u8(r);
	class = read_u8(r);
	if (type != INFO_FILE || (class != FILE_RENAME && class != FILE_LINK))
		return;
	read_skip(r, 4);
	info = reader_new(command.data, command.len);
	read_skip(&info, read_le16(r));
	read_skip(&info, 16);
	len = read_le32(&info);
	if (!r->bad && !info.bad)
		m->new_name = put_wide(m, range(r, command, (uint32_t)info.off, len));
	r->bad |= info.bad;
}

/* Much is read and written; what matters is that it is, of what was opened. */
static bool is_told(struct state *st, const struct smb_msg *m, bool read, bool write)
{
	bool *at = read ? &st->told_read : m->msg.control ? &st->told_change : &st->told_write;
	bool told = *at;

	if (!read && !write)
		return true;
	if (m->msg.answer)
		return false;
	*at = true;
	return !told;
}

/* One of the rest that is not known to read only. `r` behind the head. */
static bool changes2(uint16_t command, struct reader *r)
{
	if (command != SMB2_IOCTL)
		return command == SMB2_WRITE || command == SMB2_SET_INFO || command > SMB2_LAST;
	read_skip(r, 4);
	return !asks(read_le32(r)) || r->bad;
}

/* MS-SMB2 §2.2.1. `left`: of the session's message, the command included; 0 where it lies. */
static uint32_t read_smb2(struct state *st, struct bytes b, uint32_t left, struct smb_msg *m,
			  struct proto_output *out)
{
	struct reader r = reader_new(b.data, b.len);
	uint32_t status, flags, next, high;
	uint16_t command, size;
	bool reply;

	read_skip(&r, 4);
	size = read_le16(&r);
	read_skip(&r, 2);
	status = read_le32(&r);
	command = read_le16(&r);
	read_skip(&r, 2);
	flags = read_le32(&r);
	next = read_le32(&r);
	read_skip(&r, 8 + 4);
	m->tree_id = read_le32(&r);
	m->session_id = read_le32(&r);
	high = read_le32(&r);
	m->session_id |= (uint64_t)high << 32;
	read_skip(&r, 16);
	if (r.bad || size != HEAD2 || (next && (next < HEAD2 || next % 8 || next >= left)))
		return 0;
	if (flags & 2)
		m->tree_id = 0; /* asynchronous: another number stands there */
	reply = flags & 1;
	m->msg.answer = reply;
	put_command(m, 2, smb2_commands, sizeof(smb2_commands) / sizeof(smb2_commands[0]), command);
	if (reply)
		put_status(m, status);
	if (command == SMB2_NEGOTIATE)
		read_negotiate2(m, &r, reply);
	else if (command == SMB2_TREE_CONNECT)
		read_tree2(st, m, b, &r, reply, status);
	else if (command == SMB2_CREATE && !reply)
		read_create2(st, m, b, &r);
	else if (!reply)
		mark(st, m, changes2(command, &r));
	if (command == SMB2_SET_INFO && !reply)
		read_set_info2(m, b, &r);
	/* A name that is not where it may be looked at: nobody would be told. */
	if (r.bad && !reply && command != SMB2_NEGOTIATE && command != SMB2_IOCTL)
		return 0;
	out->has_msg = is_told(st, m, command == SMB2_READ, command == SMB2_WRITE);
	return next ? next : left;
}

/* The last of the dialects that is offered is the newest (MS-CIFS §2.2.4.52). */
static void read_negotiate1(struct smb_msg *m, struct reader *r)
{
	struct bytes last = {NULL, 0};

	read_skip(r, (size_t)read_u8(r) * 2);
	read_skip(r, 2);
	while (reader_left(r) > 1) {
		struct bytes rest = {r->in.data + r->off + 1, reader_left(r) - 1};
		const uint8_t *zero = memchr(rest.data, 0, rest.len);

		if (!zero)
			break;
		last = (struct bytes){rest.data, (size_t)(zero - rest.data)};
		read_skip(r, last.len + 2);
	}
	m->dialect = last;
}

/* A text that may be wide, and then lies at an even place of the command; up to its zero, or all. */
static struct bytes read_text1(struct smb_msg *m, struct reader *r, bool wide)
{
	size_t step = wide ? 2 : 1, len = 0;
	const uint8_t *at;

	if (wide && r->off % 2)
		read_skip(r, 1);
	if (r->bad)
		return (struct bytes){NULL, 0};
	at = r->in.data + r->off;
	while (len + step <= reader_left(r) && (at[len] || (wide && at[len + 1])))
		len += step;
	read_skip(r, len);
	read_skip(r, step < reader_left(r) ? step : reader_left(r));
	return wide ? put_wide(m, (struct bytes){at, len}) : (struct bytes){at, len};
}

static void read_tree1(struct state *st, struct smb_msg *m, struct reader *r, bool wide)
{
	uint16_t password;

	if (read_u8(r) < 4)
		return;
	read_skip(r, 6);
	password = read_le16(r);
	read_skip(r, 2);
	read_skip(r, password);
	m->share = read_text1(m, r, wide);
	st->connects_pipes = is_pipes(m->share);
}

static void read_create1(struct state *st, struct smb_msg *m, struct reader *r, bool wide)
{
	uint8_t words = read_u8(r);

	uint32_t disposition;

	if (words < 24)
		return;
	read_skip(r, 35);
	disposition = read_le32(r);
	m->disposition = PROTO_NAME(dispositions, disposition);
	mark(st, m, creates(disposition, read_le32(r)));
	read_skip(r, words * 2u - 43 + 2);
	put_opened(st, m, read_text1(m, r, wide));
}

/*
 * MS-CIFS §2.2.4.1 and on: what is done to a file by its name rather than to one that was opened. Each
 * text has a byte of its kind before it, which servers pass over.
 */
static void read_paths1(struct smb_msg *m, uint8_t command, struct reader *r, bool wide)
{
	struct bytes name;

	read_skip(r, read_u8(r) * 2u);
	read_skip(r, 2);
	for (unsigned i = 0; i < (command == SMB1_RENAME ? 2 : 1); i++) {
		read_skip(r, 1);
		name = read_text1(m, r, wide);
		*(i ? &m->new_name : &m->filename) = name;
	}
}

/*
 * DoublePulsar, the back door that WannaCry uses, answers to a subcommand of
 * TRANS2 that no program has a use for (MS-CIFS §2.2.6.15: "reserved").
 */
static bool is_backdoor(struct reader *r)
{
	uint8_t words = read_u8(r);

	read_skip(r, 28);
	return words >= 15 && read_le16(r) == 0x0e && !r->bad;
}

/* MS-CIFS §2.2.4.41: as NT_CREATE, of older clients. */
static void read_open1(struct state *st, struct smb_msg *m, struct reader *r, bool wide)
{
	uint8_t words = read_u8(r);
	uint16_t how;

	if (words < 15)
		return;
	read_skip(r, 16);
	how = read_le16(r);
	mark(st, m, how & 0x10 || (how & 3) == 2); /* made where it is not there; emptied */
	read_skip(r, words * 2u - 18 + 2);
	put_opened(st, m, read_text1(m, r, wide));
}

/* One of the rest that is not known to read only (MS-CIFS §2.2.2.1, §2.2.2.2). */
static bool changes1(uint8_t command, struct reader r)
{
	static const char reads[] = "\x02\x04\x05\x08\x0a\x0c\x0d\x10\x12\x23\x24\x25\x2b\x2e\x33"
				    "\x34\x71\x73\x74\x80\x81\x82\x83\x84\xa1\xa4";
	uint16_t function;
	uint8_t words = read_u8(&r);

	if (command == SMB1_TRANS2) { /* FIND_…, QUERY_…, GET_DFS_REFERRAL */
		read_skip(&r, 28);
		function = read_le16(&r);
		return r.bad || words < 15 || function >= 17 || !(0x100ae >> function & 1);
	}
	if (command == SMB1_NT_TRANS) { /* NOTIFY_CHANGE, QUERY_SECURITY_DESC */
		read_skip(&r, 36);
		function = read_le16(&r);
		return r.bad || words < 19 || (function != 4 && function != 6);
	}
	return !memchr(reads, command, sizeof(reads) - 1);
}

/*
 * MS-CIFS §2.2.3.4: behind a command of the kind AndX another one may follow in the same message;
 * each is told. How far the next one is; 0 where it would lie nowhere.
 */
static uint32_t follow_chain(struct chain *c, struct reader r, uint32_t left)
{
	uint8_t next;
	uint32_t to;

	c->on = false;
	if (!memchr("\x24\x2d\x2e\x2f\x73\x74\x75\xa2", c->command, 8) || read_u8(&r) < 2)
		return left;
	next = read_u8(&r);
	read_skip(&r, 1);
	to = read_le16(&r);
	if (r.bad || next == SMB1_NONE)
		return left;
	if (to < c->at + r.off || to - c->at >= left)
		return c->reply ? left : 0;
	to -= c->at;
	c->lead = (uint8_t)((c->at + to) & 1);
	to -= c->lead; /* what is wide lies at even places of all of it */
	c->at += to;
	c->command = next;
	c->on = true;
	return to;
}

static uint32_t read_command1(struct state *st, struct chain *c, struct reader r, uint32_t left,
			      struct smb_msg *m, struct proto_output *out)
{
	struct reader behind = r;
	uint8_t command = c->command;
	bool reply = c->reply;

	m->tree_id = c->tree;
	m->session_id = c->session;
	m->msg.answer = reply;
	put_command(m, 1, smb1_commands, sizeof(smb1_commands) / sizeof(smb1_commands[0]), command);
	if (reply)
		put_status(m, c->status);
	if (reply && command == SMB1_TREE_CONNECT && !c->status)
		note_tree(st, m->tree_id);
	else if (!reply && command == SMB1_NEGOTIATE)
		read_negotiate1(m, &r);
	else if (!reply && command == SMB1_TREE_CONNECT)
		read_tree1(st, m, &r, c->wide);
	else if (!reply && command == SMB1_CREATE)
		read_create1(st, m, &r, c->wide);
	else if (!reply && command == SMB1_OPEN)
		read_open1(st, m, &r, c->wide);
	else if (!reply)
		mark(st, m, changes1(command, r));
	if (!reply && memchr(BY_PATH, command, sizeof(BY_PATH) - 1))
		read_paths1(m, command, &r, c->wide);
	else if (!reply && command == SMB1_TRANS2 && is_backdoor(&r))
		m->msg.reason = REASON_SMB_BACKDOOR;
	out->has_msg = is_told(st, m, command == SMB1_READ, command == SMB1_WRITE);
	return follow_chain(c, behind, left);
}

/* MS-CIFS §2.2.3.1. */
static uint32_t read_smb1(struct state *st, struct chain *c, struct bytes b, uint32_t left,
			  struct smb_msg *m, struct proto_output *out)
{
	struct reader r = reader_new(b.data, b.len);
	uint8_t flags;

	*c = (struct chain){.on = false};
	read_skip(&r, 4);
	c->command = read_u8(&r);
	c->status = read_le32(&r);
	flags = read_u8(&r);
	c->wide = read_le16(&r) & 0x8000;
	read_skip(&r, 12);
	c->tree = read_le16(&r);
	read_skip(&r, 2);
	c->session = read_le16(&r);
	read_skip(&r, 2);
	if (r.bad)
		return 0;
	c->reply = flags & 0x80;
	return read_command1(st, c, r, left, m, out);
}

/* The next command of a chain. */
static uint32_t read_chained(struct state *st, struct chain *c, struct bytes b, uint32_t left,
			     struct smb_msg *m, struct proto_output *out)
{
	struct reader r = reader_new(b.data, b.len);

	read_skip(&r, c->lead);
	return read_command1(st, c, r, left, m, out);
}

/*
 * MS-SMB2 §2.2.42.1: an offset beyond the message, which made unpatched systems
 * write beyond their memory (CVE-2020-0796).
 */
static bool is_ghost(struct bytes b, uint32_t left)
{
	struct reader r = reader_new(b.data, b.len);

	read_skip(&r, 12);
	return read_le32(&r) > left && b.data[0] == COMPRESSED;
}

static bool is_smb(const uint8_t *id)
{
	return id[0] >= 0xfc && !memcmp(id + 1, "SMB", 3);
}

static enum parse probe(const struct proto_input *in)
{
	const uint8_t *b = in->data.data;

	if (b[0] == SESSION_REQUEST && in->port[1] == PORT_NETBIOS)
		return PARSE_OK;
	if (b[0] != SESSION_MESSAGE)
		return PARSE_BAD;
	if (in->data.len < SESSION_HEAD + 4)
		return PARSE_MORE;
	return is_smb(b + SESSION_HEAD) ? PARSE_OK : PARSE_BAD;
}

static enum parse broken(struct smb_msg *m, struct proto_output *out)
{
	m->msg.reason = REASON_SMB_MALFORMED;
	out->has_msg = true;
	return PARSE_BAD;
}

static enum parse read_session(struct state *st, const struct proto_input *in, struct smb_msg *m,
			       struct proto_output *out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	uint32_t head = read_be32(&r);

	if (r.bad)
		return PARSE_MORE;
	out->used = SESSION_HEAD;
	if (head >> 24 == SESSION_MESSAGE)
		st->left[in->end] = head & 0xffffff;
	else if (head >> 24 >= SESSION_REQUEST && head >> 24 <= SESSION_KEEPALIVE)
		out->skip = head & 0x1ffff;
	else
		return broken(m, out);
	return PARSE_OK;
}

static enum parse smb_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct smb_msg *m = (struct smb_msg *)ret_m;
	struct state *st = state;
	uint32_t left = st->left[in->end], len;
	struct bytes b = in->data;

	if (!left)
		return read_session(st, in, m, ret_out);
	if (b.len < left && b.len < COMMAND_MAX)
		return PARSE_MORE;
	if (b.len > left)
		b.len = left;
	if (b.len > COMMAND_MAX)
		b.len = COMMAND_MAX;
	if (!st->chain[in->end].on && (b.len < 4 || !is_smb(b.data)))
		return broken(m, ret_out);
	if (st->chain[in->end].on) {
		len = read_chained(st, &st->chain[in->end], b, left, m, ret_out);
	} else if (b.data[0] == 0xfe) {
		len = read_smb2(st, b, left, m, ret_out);
	} else if (b.data[0] == 0xff) {
		len = read_smb1(st, &st->chain[in->end], b, left, m, ret_out);
	} else { /* encrypted or compressed */
		m->version = 2;
		m->encrypted = b.data[0] == ENCRYPTED;
		m->msg.control = m->encrypted && !in->end; /* it may be anything */
		if (is_ghost(b, left))
			return broken(m, ret_out);
		ret_out->has_msg =
			m->encrypted && !(m->msg.control ? st->told_sealed : st->told_encrypted);
		st->told_encrypted |= m->encrypted;
		st->told_sealed |= m->msg.control;
		len = left;
	}
	if (!len)
		return broken(m, ret_out);
	st->left[in->end] = left - len;
	ret_out->used = b.len < len ? b.len : len;
	ret_out->skip = len - ret_out->used;
	return PARSE_OK;
}

#define FIELD(name, member, type, flags)                                       \
	{                                                                      \
		PROTO_KEY(name), offsetof(struct smb_msg, member), type, flags \
	}
static const struct proto_field fields[] = {
	FIELD("version", version, FIELD_U8, FIELD_MATCH),
	FIELD("dialect", dialect, FIELD_TEXT, FIELD_MATCH),
	FIELD("command", command, FIELD_TEXT, FIELD_MATCH),
	FIELD("status", status, FIELD_TEXT, 0),
	FIELD("status_code", status_code, FIELD_TEXT, 0),
	FIELD("session_id", session_id, FIELD_U64, FIELD_ZERO),
	FIELD("tree_id", tree_id, FIELD_U32, FIELD_ZERO),
	FIELD("share", share, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS),
	FIELD("share_type", share_type, FIELD_NAME, 0),
	FIELD("filename", filename, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS),
	{PROTO_KEY("new_name"),
	 offsetof(struct smb_msg, new_name),
	 FIELD_TEXT,
	 FIELD_MATCH | FIELD_CASELESS,
	 NULL,
	 {"filename"}},
	FIELD("named_pipe", named_pipe, FIELD_TEXT, FIELD_MATCH | FIELD_CASELESS),
	FIELD("disposition", disposition, FIELD_NAME, FIELD_MATCH),
	FIELD("encrypted", encrypted, FIELD_BOOL, 0),
	{""},
};

const struct proto smb_proto = {
	.name = "smb",
	.over = PROTO_OVER_TCP,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct smb_msg),
	.msg_zero = offsetof(struct smb_msg, room),
	.fields = fields,
	.probe = probe,
	.read = smb_read,
};
