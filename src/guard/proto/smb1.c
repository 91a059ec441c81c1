#include <strings.h>

#include "guard/proto/smb_internal.h"

enum smb1_command {
	SMB1_READ = 0x2e,
	SMB1_WRITE = 0x2f,
	SMB1_TRANS = 0x25,
	SMB1_TRANS2 = 0x32,
	SMB1_NT_TRANS = 0xa0,
	SMB1_NEGOTIATE = 0x72,
	SMB1_TREE_CONNECT = 0x75,
	SMB1_CREATE = 0xa2,
	SMB1_OPEN = 0x2d,
	SMB1_NONE = 0xff,
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
	{0x0e, "CREATE_TEMPORARY"},
	{0x0f, "CREATE_NEW"},
	{0x10, "CHECK_DIRECTORY"},
	{0x24, "LOCKING_ANDX"},
	{0x25, "TRANS"},
	{0x29, "COPY"},
	{0x2a, "MOVE"},
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
	{0x81, "SEARCH"},
	{0x82, "FIND"},
	{0x83, "FIND_UNIQUE"},
	{0xa0, "NT_TRANS"},
	{0xa1, "NT_TRANS_SECONDARY"},
	{0xa2, "NT_CREATE_ANDX"},
	{0xa4, "NT_CANCEL"},
	{0xa5, "NT_RENAME"},
};
/* Commands of SMB 1 whose files are named by paths: to make, remove, open, delete, rename, look at. */
#define BY_PATH	 "\x00\x01\x02\x03\x06\x08\x09\x0e\x0f\x10\x81\x82\x83"
#define BY_PATHS "\x07\x29\x2a\xa5" /* and those whose files get another name, or one more */

enum trans2 {
	TRANS2_OPEN2 = 0x00,
	TRANS2_FIND_FIRST2 = 0x01,
	TRANS2_QUERY_PATH = 0x05,
	TRANS2_SET_PATH = 0x06,
	TRANS2_SET_FILE = 0x08,
	TRANS2_CREATE_DIRECTORY = 0x0d,
	TRANS2_BACKDOOR = 0x0e,
};
/* Those that name a file, as bits. */
#define TRANS2_NAMED 0x2163
#define NT_CREATE    1
#define NT_IOCTL     2

/* MS-SMB §2.2.2.3.5, MS-FSCC §2.4: levels that give a file another name; Samba's, with their text alone. */
#define SET_RENAME    1010
#define SET_LINK      1011
#define SET_UNIX_LINK 0x0201
#define SET_UNIX_HARD 0x0203

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

/* A text that may be wide, and then lies at an even place of the command; up to its zero, or all. It is
 * blank, like no pattern, where it goes on behind what is looked at. */
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
	if (len + step > reader_left(r) && r->in.len == SMB_COMMAND_MAX) {
		read_skip(r, reader_left(r));
		return (struct bytes){at, 0};
	}
	read_skip(r, len);
	read_skip(r, step < reader_left(r) ? step : reader_left(r));
	return wide ? smb_put_wide(m, (struct bytes){at, len}) : (struct bytes){at, len};
}

static void read_tree1(struct smb_msg *m, struct reader *r, bool wide)
{
	uint16_t password;

	if (read_u8(r) < 4)
		return;
	read_skip(r, 6);
	password = read_le16(r);
	read_skip(r, 2);
	read_skip(r, password);
	m->share = read_text1(m, r, wide);
}

/* MS-CIFS §2.2.4.55.2: behind its words the server says what the tree holds. */
static void read_tree_answer1(struct smb_state *st, const struct smb_msg *m, struct reader r)
{
	struct bytes service;

	read_skip(&r, read_u8(&r) * 2u);
	read_skip(&r, 2);
	service = read_bytes(&r, 4);
	smb_note_tree(st, m, !r.bad && !memcmp(service.data, "IPC", 4));
}

static void read_create1(struct smb_state *st, struct smb_msg *m, struct reader *r, bool wide)
{
	uint8_t words = read_u8(r);

	uint32_t disposition;

	if (words < 24)
		return;
	read_skip(r, 35);
	disposition = read_le32(r);
	m->disposition = smb_disposition(disposition);
	smb_mark(m, smb_creates(disposition, read_le32(r)));
	read_skip(r, words * 2u - 43 + 2);
	smb_put_opened(st, m, read_text1(m, r, wide));
}

/*
 * MS-CIFS §2.2.4.1 and on: what is done to a file by its name rather than to one that was opened. Each
 * text has a byte of its kind before it, which servers pass over.
 */
static void read_paths1(struct smb_msg *m, unsigned count, struct reader *r, bool wide)
{
	struct bytes name;

	read_skip(r, read_u8(r) * 2u);
	read_skip(r, 2);
	for (unsigned i = 0; i < count; i++) {
		read_skip(r, 1);
		name = read_text1(m, r, wide);
		*(i ? &m->new_name : &m->filename) = name;
	}
}

/* The parameters or the data of a transaction: at `offset` of the message, of which `c` is being read. */
static struct reader part1(const struct smb_chain *c, struct bytes b, uint32_t offset, uint32_t len)
{
	struct reader r = {.bad = true};

	if (offset < c->at || offset - c->at > b.len || len > b.len - (offset - c->at))
		return r;
	r = reader_new(b.data, offset - c->at + len);
	read_skip(&r, offset - c->at);
	return r;
}

/*
 * MS-CIFS §2.2.4.33: to a pipe that is named here, as \PIPE\LANMAN for remote administration (MS-RAP),
 * or by a number, and was named when it was opened.
 */
static void read_trans1(struct smb_msg *m, struct reader *r, bool wide)
{
	static const char pipes[] = "\\PIPE\\";
	struct bytes name;

	read_skip(r, read_u8(r) * 2u);
	read_skip(r, 2);
	name = read_text1(m, r, wide);
	if (name.len >= sizeof(pipes) &&
	    !strncasecmp((const char *)name.data, pipes, sizeof(pipes) - 2))
		m->named_pipe = name;
}

/* MS-CIFS §2.2.6.1: as OPEN_ANDX. */
static void read_open2(struct smb_state *st, struct smb_msg *m, struct reader *r, bool wide)
{
	uint16_t how;

	read_skip(r, 12);
	how = read_le16(r);
	smb_mark(m, how & 0x10 || (how & 3) == 2);
	read_skip(r, 14);
	smb_put_opened(st, m, read_text1(m, r, wide));
}

/* What SET_PATH and SET_FILE say of another name is in their data. */
static void read_set1(struct smb_msg *m, uint16_t level, struct reader *data, bool wide)
{
	if (level == SET_UNIX_LINK || level == SET_UNIX_HARD) {
		m->new_name = read_text1(m, data, wide);
	} else if (level == SET_RENAME || level == SET_LINK) {
		read_skip(data, 8);
		m->new_name = smb_put_wide(m, read_bytes(data, read_le32(data)));
	} else {
		data->bad = false; /* nobody looks at it */
	}
}

/* MS-CIFS §2.2.6: what a function names, in its parameters `p`, or its data. */
static void read_named(struct smb_state *st, struct smb_msg *m, uint16_t function, struct reader *p,
		       struct reader *data, bool wide)
{
	uint16_t level = 0;

	switch (function) {
	case TRANS2_OPEN2:
		read_open2(st, m, p, wide);
		return;
	case TRANS2_SET_FILE:
		read_skip(p, 2);
		read_set1(m, read_le16(p), data, wide);
		return;
	case TRANS2_FIND_FIRST2:
		read_skip(p, 12);
		break;
	case TRANS2_CREATE_DIRECTORY:
		read_skip(p, 4);
		break;
	case TRANS2_QUERY_PATH:
	case TRANS2_SET_PATH:
		level = read_le16(p);
		read_skip(p, 4);
	}
	m->filename = read_text1(m, p, wide);
	if (function == TRANS2_SET_PATH)
		read_set1(m, level, data, wide);
}

/*
 * MS-CIFS §2.2.4.46. r->bad where a name is not whole in the message, or not where it may be looked at:
 * nobody would be told. DoublePulsar, the back door that WannaCry uses, answers to a function that no
 * program has a use for (§2.2.6.15: "reserved").
 */
static void read_trans2(struct smb_state *st, const struct smb_chain *c, struct smb_msg *m,
			struct reader *r)
{
	uint8_t words = read_u8(r);
	uint16_t total = read_le16(r), total_data = read_le16(r), len, at, data_len, function;
	struct reader p, data;

	read_skip(r, 14);
	len = read_le16(r);
	at = read_le16(r);
	data_len = read_le16(r);
	data = part1(c, r->in, read_le16(r), data_len);
	read_skip(r, 2);
	function = read_le16(r);
	if (words < 15 || r->bad)
		return;
	if (function == TRANS2_BACKDOOR)
		m->msg.reason = REASON_SMB_BACKDOOR;
	if (function > TRANS2_CREATE_DIRECTORY || !(TRANS2_NAMED >> function & 1))
		return;
	p = part1(c, r->in, at, len);
	read_named(st, m, function, &p, &data, c->wide);
	r->bad = p.bad || len != total || (m->new_name.data && data_len != total_data) ||
		 ((function == TRANS2_SET_PATH || function == TRANS2_SET_FILE) && data.bad);
}

/* MS-CIFS §2.2.7.1. */
static void read_nt_create(struct smb_state *st, const struct smb_chain *c, struct smb_msg *m,
			   struct reader *r)
{
	uint8_t words = read_u8(r);
	uint32_t len, name_len, disposition;
	struct reader p;

	read_skip(r, 19);
	len = read_le32(r);
	p = part1(c, r->in, read_le32(r), len);
	read_skip(r, 9);
	if (words < 19 || read_le16(r) != NT_CREATE || r->bad)
		return;
	read_skip(&p, 28);
	disposition = read_le32(&p);
	m->disposition = smb_disposition(disposition);
	smb_mark(m, smb_creates(disposition, read_le32(&p)));
	read_skip(&p, 8);
	name_len = read_le32(&p);
	read_skip(&p, 5 + (c->wide && p.off % 2 == 0));
	smb_put_opened(st, m,
		       c->wide ? smb_put_wide(m, read_bytes(&p, name_len))
			       : read_bytes(&p, name_len));
	r->bad |= p.bad;
}

/* MS-CIFS §2.2.4.41: as NT_CREATE, of older clients. */
static void read_open1(struct smb_state *st, struct smb_msg *m, struct reader *r, bool wide)
{
	uint8_t words = read_u8(r);
	uint16_t how;

	if (words < 15)
		return;
	read_skip(r, 16);
	how = read_le16(r);
	smb_mark(m, how & 0x10 || (how & 3) == 2); /* made where it is not there; emptied */
	read_skip(r, words * 2u - 18 + 2);
	smb_put_opened(st, m, read_text1(m, r, wide));
}

/* One of the rest that is not known to read only (MS-CIFS §2.2.2.1, §2.2.2.2). */
static bool changes1(uint8_t command, struct reader r)
{
	static const char reads[] = "\x02\x04\x05\x08\x0a\x0c\x0d\x10\x12\x23\x24\x25\x2b\x2e\x33"
				    "\x34\x71\x72\x73\x74\x75\x80\x81\x82\x83\x84\xa1\xa4";
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
		if (function == NT_IOCTL)
			return !smb_asks(read_le32(&r)) || r.bad;
		return r.bad || words < 19 || (function != 4 && function != 6);
	}
	return !memchr(reads, command, sizeof(reads) - 1);
}

/*
 * MS-CIFS §2.2.3.4: behind a command of the kind AndX another one may follow in the same message;
 * each is told. How far the next one is; 0 where it would lie nowhere.
 */
static uint32_t follow_chain(struct smb_chain *c, struct reader r, uint32_t left)
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

static void read_request1(struct smb_state *st, const struct smb_chain *c, struct smb_msg *m,
			  struct reader *r)
{
	uint8_t command = c->command;

	smb_mark(m, changes1(command, *r));
	if (memchr(BY_PATH, command, sizeof(BY_PATH) - 1))
		read_paths1(m, 1, r, c->wide);
	else if (memchr(BY_PATHS, command, sizeof(BY_PATHS) - 1))
		read_paths1(m, 2, r, c->wide);
	else if (command == SMB1_NEGOTIATE)
		read_negotiate1(m, r);
	else if (command == SMB1_TREE_CONNECT)
		read_tree1(m, r, c->wide);
	else if (command == SMB1_CREATE)
		read_create1(st, m, r, c->wide);
	else if (command == SMB1_OPEN)
		read_open1(st, m, r, c->wide);
	else if (command == SMB1_TRANS)
		read_trans1(m, r, c->wide);
	else if (command == SMB1_TRANS2)
		read_trans2(st, c, m, r);
	else if (command == SMB1_NT_TRANS)
		read_nt_create(st, c, m, r);
}

static uint32_t read_command1(struct smb_state *st, struct smb_chain *c, struct reader r,
			      uint32_t left, struct smb_msg *m, struct proto_output *out)
{
	struct reader behind = r;
	uint8_t command = c->command;

	m->tree_id = c->tree;
	m->session_id = c->session;
	m->of_pipes = c->of_pipes;
	if (command == SMB1_TREE_CONNECT)
		c->of_pipes = false; /* what is chained to it acts on the tree that it opens */
	m->msg.answer = c->reply;
	smb_put_command(m, 1, smb1_commands, sizeof(smb1_commands) / sizeof(smb1_commands[0]),
			command);
	if (!c->reply)
		read_request1(st, c, m, &r);
	else if (c->dos)
		smb_put_dos_status(m, c->status);
	else
		smb_put_status(m, c->status);
	if (c->reply && command == SMB1_TREE_CONNECT && !c->status)
		read_tree_answer1(st, m, behind);
	if (r.bad && (command == SMB1_TRANS2 || command == SMB1_NT_TRANS))
		return 0;
	out->has_msg = smb_is_told(st, m, command == SMB1_READ, command == SMB1_WRITE);
	return follow_chain(c, behind, left);
}

/* MS-CIFS §2.2.3.1. */
uint32_t smb1_read(struct smb_state *st, struct smb_chain *c, struct bytes b, uint32_t left,
		   struct smb_msg *m, struct proto_output *out)
{
	struct reader r = reader_new(b.data, b.len);
	uint16_t flags2;
	uint8_t flags;

	*c = (struct smb_chain){.on = false};
	read_skip(&r, 4);
	c->command = read_u8(&r);
	c->status = read_le32(&r);
	flags = read_u8(&r);
	flags2 = read_le16(&r);
	c->wide = flags2 & 0x8000;
	c->dos = !(flags2 & 0x4000);
	read_skip(&r, 12);
	c->tree = read_le16(&r);
	read_skip(&r, 2);
	c->session = read_le16(&r);
	read_skip(&r, 2);
	if (r.bad)
		return 0;
	c->reply = flags & 0x80;
	m->version = 1;
	m->tree_id = c->tree;
	c->of_pipes = smb_is_pipe_tree(st, m);
	return read_command1(st, c, r, left, m, out);
}

/* The next command of a chain. */
uint32_t smb1_read_chained(struct smb_state *st, struct smb_chain *c, struct bytes b, uint32_t left,
			   struct smb_msg *m, struct proto_output *out)
{
	struct reader r = reader_new(b.data, b.len);

	read_skip(&r, c->lead);
	return read_command1(st, c, r, left, m, out);
}
