#include "guard/proto/smb_internal.h"

#define SESSION_HEAD	4 /* NetBIOS's, RFC 1002 §4.3.1 */
#define HEAD2		64
#define FILE_OPEN	1
#define DELETE_ON_CLOSE 0x1000
#define ASYNC		2 /* flags of SMB 2 */
#define RELATED		4
#define COMPRESSED	0xfc
#define ENCRYPTED	0xfd

#define SESSION_MESSAGE	  0x00
#define SESSION_REQUEST	  0x81
#define SESSION_KEEPALIVE 0x85
#define PORT_NETBIOS	  139
#define PORT_SMB	  445

#define SHARE_PIPE  2
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

static const struct proto_name dialects[] = {
	{0x0202, "2.02"}, {0x0210, "2.10"}, {0x02ff, "2.??"},
	{0x0300, "3.00"}, {0x0302, "3.02"}, {0x0311, "3.11"},
};

static const struct proto_name share_types[] = {{1, "FILE"}, {SHARE_PIPE, "PIPE"}, {3, "PRINT"}};

static const struct proto_name dispositions[] = {
	{0, "FILE_SUPERSEDE"}, {1, "FILE_OPEN"},      {2, "FILE_CREATE"},
	{3, "FILE_OPEN_IF"},   {4, "FILE_OVERWRITE"}, {5, "FILE_OVERWRITE_IF"},
};

/* MS-CIFS §3.3.1.3: in SMB 1 a tree's number is the connection's. */
static uint64_t session_of(const struct smb_msg *m)
{
	return m->version == 1 ? 0 : m->session_id;
}

static unsigned find_pipes(const struct smb_state *st, const struct smb_msg *m)
{
	unsigned i = 0;

	while (i < st->pipe_count &&
	       (st->pipes[i].tree != m->tree_id || st->pipes[i].session != session_of(m)))
		i++;
	return i;
}

bool smb_is_pipe_tree(const struct smb_state *st, const struct smb_msg *m)
{
	return find_pipes(st, m) < st->pipe_count;
}

void smb_note_tree(struct smb_state *st, const struct smb_msg *m, bool pipes)
{
	unsigned at = find_pipes(st, m);

	if (at == SMB_PIPES)
		at = 0;
	if (at < st->pipe_count)
		memmove(st->pipes + at, st->pipes + at + 1,
			(--st->pipe_count - at) * sizeof(st->pipes[0]));
	if (pipes)
		st->pipes[st->pipe_count++] = (struct smb_tree){session_of(m), m->tree_id};
}

void smb_put_opened(struct smb_state *st, struct smb_msg *m, struct bytes name)
{
	if (m->of_pipes)
		m->named_pipe = name;
	else
		m->filename = name;
	st->told_read = st->told_write = st->told_change = false;
}

const char *smb_disposition(uint32_t disposition)
{
	return PROTO_NAME(dispositions, disposition);
}

/* What is said through a pipe is a program's, and may be a question: `named_pipe` tells which. */
void smb_mark(struct smb_msg *m, bool changes)
{
	m->msg.control = changes && !m->of_pipes;
}

/* MS-SMB2 §2.2.13: as FILE_OPEN it neither makes a file nor empties one; or it goes when it is closed. */
bool smb_creates(uint32_t disposition, uint32_t options)
{
	return disposition != FILE_OPEN || options & DELETE_ON_CLOSE;
}

/* MS-FSCC §2.3, MS-SMB2 §2.2.31: those that only ask. */
bool smb_asks(uint32_t fsctl)
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

/* A range that a command names by offset from its own beginning. Of what does not end where it may be
 * looked at there must be more than a name's text can hold, or nobody would be told that it goes on. */
static struct bytes range(struct reader *r, struct bytes command, uint32_t offset, uint32_t len)
{
	if (offset >= command.len) {
		r->bad |= len > 0;
		return (struct bytes){NULL, 0};
	}
	if (len > command.len - offset) {
		len = (uint32_t)(command.len - offset);
		r->bad |= len < 2 * SMB_TEXT_MAX;
	}
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
		m->dialect = smb_put(m, PROTO_NAME(dialects, best));
}

static void read_tree2(struct smb_state *st, struct smb_msg *m, struct bytes command,
		       struct reader *r, bool reply, uint32_t status)
{
	uint16_t offset, len;

	read_skip(r, 2);
	if (reply) {
		if (!status) {
			uint8_t type = read_u8(r);

			m->share_type = PROTO_NAME(share_types, type);
			smb_note_tree(st, m, type == SHARE_PIPE);
		}
		return;
	}
	read_skip(r, 2);
	offset = read_le16(r);
	len = read_le16(r);
	m->share = smb_put_wide(m, range(r, command, offset, len));
}

static void read_create2(struct smb_state *st, struct smb_msg *m, struct bytes command,
			 struct reader *r)
{
	uint16_t offset, len;
	uint32_t disposition;

	read_skip(r, 2 + 2 + 4 + 8 + 8 + 4 + 4 + 4);
	disposition = read_le32(r);
	m->disposition = smb_disposition(disposition);
	smb_mark(m, smb_creates(disposition, read_le32(r)) || r->bad);
	offset = read_le16(r);
	len = read_le16(r);
	if (!r->bad)
		smb_put_opened(st, m, smb_put_wide(m, range(r, command, offset, len)));
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
		m->new_name = smb_put_wide(m, range(r, command, (uint32_t)info.off, len));
	r->bad |= info.bad;
}

/* Much is read and written; what matters is that it is, of what was opened. */
bool smb_is_told(struct smb_state *st, const struct smb_msg *m, bool read, bool write)
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
	return !smb_asks(read_le32(r)) || r->bad;
}

/*
 * MS-SMB2 §3.3.5.2.7.2: a related command acts on the tree of the one before it in its message, whatever
 * tree it names itself. That of a TREE_CONNECT is not known yet.
 */
static void place2(const struct smb_state *st, struct smb_chain *c, struct smb_msg *m,
		   uint16_t command, uint32_t flags)
{
	m->of_pipes = flags & RELATED ? c->of_pipes : !(flags & ASYNC) && smb_is_pipe_tree(st, m);
	c->of_pipes = m->of_pipes && command != SMB2_TREE_CONNECT;
}

/* MS-SMB2 §2.2.1. `left`: of the session's message, the command included; 0 where it lies. */
static uint32_t read_smb2(struct smb_state *st, struct smb_chain *c, struct bytes b, uint32_t left,
			  struct smb_msg *m, struct proto_output *out)
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
	place2(st, c, m, command, flags);
	if (flags & ASYNC)
		m->tree_id = 0; /* another number stands there */
	reply = flags & 1;
	m->msg.answer = reply;
	smb_put_command(m, 2, smb2_commands, sizeof(smb2_commands) / sizeof(smb2_commands[0]),
			command);
	if (reply)
		smb_put_status(m, status);
	if (command == SMB2_NEGOTIATE)
		read_negotiate2(m, &r, reply);
	else if (command == SMB2_TREE_CONNECT)
		read_tree2(st, m, b, &r, reply, status);
	else if (command == SMB2_CREATE && !reply)
		read_create2(st, m, b, &r);
	else if (!reply)
		smb_mark(m, changes2(command, &r));
	if (command == SMB2_SET_INFO && !reply)
		read_set_info2(m, b, &r);
	/* A name that is not where it may be looked at: nobody would be told. */
	if (r.bad && !reply && command != SMB2_NEGOTIATE && command != SMB2_IOCTL)
		return 0;
	out->has_msg = smb_is_told(st, m, command == SMB2_READ, command == SMB2_WRITE);
	return next ? next : left;
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

static enum parse read_session(struct smb_state *st, const struct proto_input *in,
			       struct smb_msg *m, struct proto_output *out)
{
	struct reader r = reader_new(in->data.data, in->data.len);
	uint32_t head = read_be32(&r);

	if (r.bad)
		return PARSE_MORE;
	out->used = SESSION_HEAD;
	st->chain[in->end].of_pipes = false;
	if (head >> 24 == SESSION_MESSAGE)
		st->left[in->end] = head & 0xffffff;
	else if (head >> 24 >= SESSION_REQUEST && head >> 24 <= SESSION_KEEPALIVE)
		out->skip = head & 0x1ffff;
	else
		return broken(m, out);
	return PARSE_OK;
}

/* Picked up in its middle, ports say who serves; at others the headers do. */
static bool is_client(const struct proto_input *in)
{
	uint16_t other = in->port[!in->end];

	return in->midstream ? other == PORT_SMB || other == PORT_NETBIOS : !in->end;
}

static bool serves(const struct proto_input *in)
{
	bool by_port = in->port[0] == PORT_SMB || in->port[0] == PORT_NETBIOS;

	return in->midstream && by_port ? !in->end : proto_serves(in);
}

/* Encrypted or compressed: of a client's, it may be anything. */
static void put_unread(struct smb_state *st, struct smb_msg *m, uint8_t id,
		       const struct proto_input *in, struct proto_output *out)
{
	bool client = !serves(in), *told = client ? &st->told_sealed : &st->told_encrypted;

	m->encrypted = id == ENCRYPTED;
	m->compressed = id == COMPRESSED;
	m->msg.control = m->msg.unread = client;
	out->has_msg = !*told && (m->encrypted || client);
	*told |= out->has_msg;
	st->told_encrypted |= m->encrypted;
}

static enum parse smb_read(void *state, const struct proto_input *in, struct msg *ret_m,
			   struct proto_output *ret_out)
{
	struct smb_msg *m = (struct smb_msg *)ret_m;
	struct smb_state *st = state;
	uint32_t left = st->left[in->end], len;
	struct bytes b = in->data;

	if (!left)
		return read_session(st, in, m, ret_out);
	if (b.len < left && b.len < SMB_COMMAND_MAX)
		return PARSE_MORE;
	if (b.len > left)
		b.len = left;
	if (b.len > SMB_COMMAND_MAX)
		b.len = SMB_COMMAND_MAX;
	if (!st->chain[in->end].on && (b.len < 4 || !is_smb(b.data)))
		return broken(m, ret_out);
	if (st->chain[in->end].on) {
		len = smb1_read_chained(st, &st->chain[in->end], b, left, m, ret_out);
	} else if (b.data[0] == 0xfe) {
		len = read_smb2(st, &st->chain[in->end], b, left, m, ret_out);
	} else if (b.data[0] == 0xff) {
		len = smb1_read(st, &st->chain[in->end], b, left, m, ret_out);
	} else {
		m->version = 2;
		if (is_ghost(b, left))
			return broken(m, ret_out);
		put_unread(st, m, b.data[0], in, ret_out);
		len = left;
	}
	if (!len || (m->msg.answer && is_client(in)))
		return broken(m, ret_out);
	st->left[in->end] = left - len;
	ret_out->used = b.len < len ? b.len : len;
	ret_out->skip = len - ret_out->used;
	return PARSE_OK;
}

/* What is too long was cut: it is like no pattern but *, as what follows is not known. */
static struct bytes whole(struct bytes value, const char *pattern, size_t len)
{
	if (value.len >= SMB_TEXT_MAX - 4)
		value.len = 0;
	return value;
}

static struct bytes path(struct bytes value, const char *pattern, size_t len)
{
	return proto_path(whole(value, pattern, len), pattern, len);
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
	{PROTO_KEY("share"), offsetof(struct smb_msg, share), FIELD_TEXT,
	 FIELD_MATCH | FIELD_CASELESS, .meant = whole},
	FIELD("share_type", share_type, FIELD_NAME, 0),
	{PROTO_KEY("filename"), offsetof(struct smb_msg, filename), FIELD_TEXT,
	 FIELD_MATCH | FIELD_CASELESS, .meant = path},
	{PROTO_KEY("new_name"), offsetof(struct smb_msg, new_name), FIELD_TEXT,
	 FIELD_MATCH | FIELD_CASELESS, .like = {"filename"}, .meant = path},
	{PROTO_KEY("named_pipe"), offsetof(struct smb_msg, named_pipe), FIELD_TEXT,
	 FIELD_MATCH | FIELD_CASELESS, .meant = whole},
	FIELD("disposition", disposition, FIELD_NAME, FIELD_MATCH),
	FIELD("encrypted", encrypted, FIELD_BOOL, 0),
	FIELD("compressed", compressed, FIELD_BOOL, 0),
	{""},
};

const struct proto smb_proto = {
	.name = "smb",
	.over = PROTO_OVER_TCP,
	.state_size = sizeof(struct smb_state),
	.msg_size = sizeof(struct smb_msg),
	.msg_zero = offsetof(struct smb_msg, room),
	.fields = fields,
	.probe = probe,
	.read = smb_read,
};
