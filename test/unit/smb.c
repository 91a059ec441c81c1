/* Shares, their files and pipes: SMB 1 to 3. */
#include "service_kit.h"

static void smb_tells_shares_files_and_pipes(void **state)
{
	seed_same(r, "smb", "smb-1");
	assert_says(r, "\"dialect\":\"3.11\",\"command\":\"SMB2_COMMAND_NEGOTIATE_PROTOCOL\","
		       "\"status\":\"STATUS_SUCCESS\",\"status_code\":\"0x0\"");
	assert_says(r, "\"share\":\"\\\\\\\\10.9.0.5\\\\results\"");
	assert_says(r, "\"share_type\":\"PIPE\"");
	assert_says(r, "\"filename\":\"new.txt\",\"disposition\":\"FILE_OVERWRITE_IF\"");
	assert_int_equal(seed_count(r, "SMB2_COMMAND_WRITE"), 1);
	assert_silent(r, "reason");
	seed_same(r, "smb", "smb-4");
	assert_says(r, "\"named_pipe\":\"srvsvc\"");
}

static void smb_1_is_told_by_its_version(void **state)
{
	seed_same(r, "smb", "smb-3");
	assert_says(r, "{\"smb\":{\"version\":1,\"dialect\":\"NT LM 0.12\","
		       "\"command\":\"SMB1_COMMAND_NEGOTIATE_PROTOCOL\"");
	assert_says(r, "\"command\":\"SMB1_COMMAND_NT_CREATE_ANDX\"");
	assert_says(r, "\"filename\":\"\\\\results.txt\"");
}

static void smb_knows_the_back_door(void **state)
{
	uint8_t b[4 + 32 + 1 + 30 + 2] = {0, 0, 0, 65, 0xff, 'S', 'M', 'B', 0x32};

	b[4 + 32] = 15;
	b[4 + 32 + 1 + 28] = 0x0e;
	expect("smb", false, 0, b, sizeof(b),
	       "{\"smb\":{\"version\":1,\"command\":\"SMB1_COMMAND_TRANS2\",\"session_id\":0,"
	       "\"tree_id\":0,\"control\":true},\"reason\":\"smb.backdoor\"}\n");
	b[4 + 32 + 1 + 28] = 0x03;
	expect("smb", false, 0, b, sizeof(b),
	       "{\"smb\":{\"version\":1,\"command\":\"SMB1_COMMAND_TRANS2\",\"session_id\":0,"
	       "\"tree_id\":0}}\n");
}

/* A command of SMB 2 with `number` at `at` of its body. */
static bool smb2_changes(uint8_t command, size_t at, uint32_t number, size_t options, uint32_t more)
{
	uint8_t b[4 + 64 + 64] = {0, 0, 0, 128, 0xfe, 'S', 'M', 'B', 64};
	struct talk_piece piece = {0, (char *)b, sizeof(b)};

	b[4 + 12] = command;
	for (int i = 0; i < 4; i++) {
		b[4 + 64 + at + i] = (uint8_t)(number >> 8 * i);
		b[4 + 64 + options + i] = (uint8_t)(more >> 8 * i);
	}
	talk_play(r, "smb", false, &piece, 1, 1);
	return strstr(r->said, "\"control\":true");
}

/* And one of SMB 1. */
static bool smb1_changes(uint8_t command, uint8_t words, size_t at, uint8_t number)
{
	uint8_t b[4 + 32 + 1 + 62] = {0, 0, 0, 95, 0xff, 'S', 'M', 'B', command};
	struct talk_piece piece = {0, (char *)b, sizeof(b)};

	b[4 + 32] = words;
	b[4 + 32 + 1] = 0xff; /* nothing is chained */
	b[4 + 32 + 1 + at] = number;
	talk_play(r, "smb", false, &piece, 1, 1);
	return strstr(r->said, "\"control\":true");
}

/* MS-SMB2 §2.2, MS-CIFS §2.2.4: what makes, writes, renames or deletes, and what only looks. */
static void smb_tells_what_changes(void **state)
{
	assert_true(smb2_changes(9, 0, 0, 0, 0));	     /* WRITE */
	assert_true(smb2_changes(17, 0, 0, 0, 0));	     /* SET_INFO */
	assert_true(smb2_changes(77, 0, 0, 0, 0));	     /* nobody knows */
	assert_false(smb2_changes(8, 0, 0, 0, 0));	     /* READ */
	assert_false(smb2_changes(14, 0, 0, 0, 0));	     /* QUERY_DIRECTORY */
	assert_false(smb2_changes(5, 36, 1, 40, 0));	     /* CREATE: what is there is opened */
	assert_true(smb2_changes(5, 36, 2, 40, 0));	     /* what is not is made */
	assert_true(smb2_changes(5, 36, 5, 40, 0));	     /* what is there is emptied */
	assert_true(smb2_changes(5, 36, 1, 40, 0x1000));     /* or goes when it is closed */
	assert_true(smb2_changes(11, 4, 0x001480f2, 8, 0));  /* IOCTL: SRV_COPYCHUNK_WRITE */
	assert_false(smb2_changes(11, 4, 0x00140204, 8, 0)); /* VALIDATE_NEGOTIATE_INFO */

	assert_true(smb1_changes(0x06, 1, 0, 0xff));   /* DELETE */
	assert_true(smb1_changes(0x2f, 12, 4, 0));     /* WRITE_ANDX */
	assert_false(smb1_changes(0x2e, 10, 4, 0));    /* READ_ANDX */
	assert_false(smb1_changes(0x32, 15, 28, 1));   /* TRANS2: FIND_FIRST2 */
	assert_true(smb1_changes(0x32, 15, 28, 6));    /* SET_PATH_INFORMATION */
	assert_false(smb1_changes(0xa0, 19, 36, 6));   /* NT_TRANS: QUERY_SECURITY_DESC */
	assert_true(smb1_changes(0xa0, 19, 36, 3));    /* SET_SECURITY_DESC */
	assert_false(smb1_changes(0xa2, 24, 35, 1));   /* NT_CREATE_ANDX: FILE_OPEN */
	assert_true(smb1_changes(0xa2, 24, 35, 2));    /* FILE_CREATE */
	assert_false(smb1_changes(0x2d, 15, 16, 1));   /* OPEN_ANDX */
	assert_true(smb1_changes(0x2d, 15, 16, 0x11)); /* made where it is not there */
}

static void smb_refuses_lies(void **state)
{
	uint8_t b[4 + 64] = {0, 0, 0, 64, 0xfe, 'S', 'M', 'B', 64};

	b[4 + 20] = 32; /* the next command would begin inside this one's head */
	expect("smb", false, 0, b, sizeof(b),
	       "{\"smb\":{\"session_id\":0,\"tree_id\":0},\"reason\":\"smb.malformed\"}\n");
	b[4 + 20] = 72; /* and here beyond the session's message */
	expect("smb", false, 0, b, sizeof(b),
	       "{\"smb\":{\"session_id\":0,\"tree_id\":0},\"reason\":\"smb.malformed\"}\n");
}

static void smb_compression_stays_inside(void **state)
{
	uint8_t b[4 + 20] = {0, 0, 0, 20, 0xfc, 'S', 'M', 'B', 0xff};

	memset(b + 4 + 12, 0xff, 4);
	expect("smb", false, 0, b, sizeof(b),
	       "{\"smb\":{\"version\":2,\"session_id\":0,\"tree_id\":0},\"reason\":\"smb."
	       "malformed\"}\n");
	memset(b + 4 + 12, 0, 4);
	expect("smb", false, 1, b, sizeof(b), "");
	/* A client's may be anything, a write as well. */
	expect("smb", false, 0, b, sizeof(b),
	       "{\"smb\":{\"version\":2,\"session_id\":0,\"tree_id\":0,\"compressed\":true,"
	       "\"unread\":true,\"control\":true}}\n");
}

/* MS-SMB2 §2.2.13 and §2.2.39: opened and renamed; characters beyond the first 65,536 are pairs. */
static void smb_tells_names_whole(void **state)
{
	static const uint8_t name[] = {'a',  0,	   0xfc, 0,    0xac, 0x20,
				       0x3d, 0xd8, 0x00, 0xde, 0x3d, 0xd8};
	uint8_t b[4 + 64 + 56 + 12] = {0, 0, 0, 132, 0xfe, 'S', 'M', 'B', 64};
	uint8_t set[4 + 64 + 32 + 20 + 2] = {0, 0, 0, 118, 0xfe, 'S', 'M', 'B', 64};

	b[4 + 12] = 5; /* create */
	b[4 + 64] = 57;
	b[4 + 64 + 36] = 1; /* open */
	b[4 + 64 + 44] = 64 + 56;
	b[4 + 64 + 46] = sizeof(name);
	memcpy(b + 4 + 64 + 56, name, sizeof(name));
	expect("smb", false, 0, b, sizeof(b),
	       "{\"smb\":{\"version\":2,\"command\":\"SMB2_COMMAND_CREATE\",\"session_id\":0,"
	       "\"tree_id\":0,\"filename\":\"a\u00fc\u20ac\U0001f600?\","
	       "\"disposition\":\"FILE_OPEN\"}}\n");
	b[4 + 64 + 44] = 200; /* where nobody looks */
	expect("smb", false, 0, b, sizeof(b),
	       "{\"smb\":{\"version\":2,\"command\":\"SMB2_COMMAND_CREATE\",\"session_id\":0,"
	       "\"tree_id\":0,\"disposition\":\"FILE_OPEN\"},\"reason\":\"smb.malformed\"}\n");
	set[4 + 12] = 17; /* set info */
	set[4 + 64] = 33;
	set[4 + 64 + 2] = 1;
	set[4 + 64 + 3] = 10; /* rename */
	set[4 + 64 + 4] = 22;
	set[4 + 64 + 8] = 64 + 32;
	set[4 + 64 + 32 + 16] = 2;
	set[4 + 64 + 32 + 20] = 'b';
	expect("smb", false, 0, set, sizeof(set),
	       "{\"smb\":{\"version\":2,\"command\":\"SMB2_COMMAND_SET_INFO\",\"session_id\":0,"
	       "\"tree_id\":0,\"new_name\":\"b\",\"control\":true}}\n");
	set[4 + 64 + 3] = 4; /* times */
	expect("smb", false, 0, set, sizeof(set),
	       "{\"smb\":{\"version\":2,\"command\":\"SMB2_COMMAND_SET_INFO\",\"session_id\":0,"
	       "\"tree_id\":0,\"control\":true}}\n");
}

/* MS-CIFS §2.2.4.7 and §2.2.4.8, in one byte a character and in two. */
static void smb_1_names_files_by_paths(void **state)
{
	uint8_t narrow[4 + 32 + 15] = {0, 0, 0, 47, 0xff, 'S', 'M', 'B', 7};
	uint8_t wide[4 + 32 + 12] = {0, 0, 0, 44, 0xff, 'S', 'M', 'B', 6};

	memcpy(narrow + 36, "\1\0\0\x0a\0\4\\old\0\4\\n", 14);
	expect("smb", false, 0, narrow, sizeof(narrow),
	       "{\"smb\":{\"version\":1,\"command\":\"SMB1_COMMAND_RENAME\",\"session_id\":0,"
	       "\"tree_id\":0,\"filename\":\"\\\\old\",\"new_name\":\"\\\\n\",\"control\":true}}"
	       "\n");
	wide[4 + 11] = 0x80;
	memcpy(wide + 36, "\1\0\0\7\0\4\\\0o\0\0\0", 12);
	expect("smb", false, 0, wide, sizeof(wide),
	       "{\"smb\":{\"version\":1,\"command\":\"SMB1_COMMAND_DELETE\",\"session_id\":0,"
	       "\"tree_id\":0,\"filename\":\"\\\\o\",\"control\":true}}\n");
}

/* A message of `command` with `words`, and behind them what `body` is; NetBIOS's head before it. */
static size_t smb1(uint8_t *to, uint8_t command, uint16_t flags2, const uint8_t *words,
		   unsigned word_count, const void *body, size_t len)
{
	size_t n = 32 + 1 + 2 * word_count + 2 + len;

	memset(to, 0, 4 + n);
	to[2] = (uint8_t)(n >> 8);
	to[3] = (uint8_t)n;
	memcpy(to + 4, "\xffSMB", 4);
	to[8] = command;
	to[14] = (uint8_t)flags2;
	to[15] = (uint8_t)(flags2 >> 8);
	to[36] = (uint8_t)word_count;
	for (unsigned i = 0; i < 2 * word_count; i++)
		to[37 + i] = words[i];
	memcpy(to + 39 + 2 * word_count, body, len);
	return 4 + n;
}

/* A message of SMB 2: its flags, its session and its tree, and what its body begins with. */
static struct talk_piece smb2(uint8_t b[4 + 64 + 16], uint8_t command, uint8_t flags,
			      uint8_t session, uint8_t tree, const char body[4])
{
	static const uint8_t head[9] = {0, 0, 0, 80, 0xfe, 'S', 'M', 'B', 64};

	memset(b, 0, 4 + 64 + 16);
	memcpy(b, head, sizeof(head));
	b[4 + 12] = command;
	b[4 + 16] = flags;
	b[4 + 36] = tree;
	b[4 + 40] = session;
	memcpy(b + 4 + 64, body, 4);
	return (struct talk_piece){flags & 1, b, 4 + 64 + 16};
}

/* Which tree holds named pipes is its server's to say, and a session's own: a write to another is one. */
static void smb_writes_hide_behind_no_pipe(void **state)
{
	static uint8_t b[8][4 + 64 + 16];
	static const char disk[] = "\x10\0\1", pipe[] = "\x10\0\2", write[] = "\x31\0\0";
	struct talk_piece pieces[] = {
		smb2(b[0], 3, 1, 7, 1, pipe),  smb2(b[1], 3, 1, 7, 2, disk),
		smb2(b[2], 9, 0, 7, 1, write), smb2(b[3], 9, 0, 7, 2, write),
		smb2(b[4], 3, 1, 8, 1, disk),  smb2(b[5], 9, 0, 8, 1, write),
		smb2(b[6], 3, 1, 7, 1, disk),  smb2(b[7], 9, 0, 7, 1, write),
	};

	talk_play(r, "smb", false, pieces, 3, 0);
	assert_silent(r, "control");
	talk_play(r, "smb", false, pieces, 4, 0);
	assert_int_equal(seed_count(r, "control"), 1);
	pieces[1] = pieces[4];
	pieces[2] = pieces[5];
	talk_play(r, "smb", false, pieces, 3, 0);
	assert_int_equal(seed_count(r, "control"), 1);
	pieces[1] = pieces[6];
	pieces[2] = pieces[7];
	talk_play(r, "smb", false, pieces, 3, 0);
	assert_int_equal(seed_count(r, "control"), 1);
	talk_seed("smb", false, pieces, 8);
}

/* In SMB 1 a tree's number holds for whoever is logged in. */
static void smb_1_writes_hide_behind_no_pipe(void **state)
{
	static const uint8_t none[24] = {0xff};
	uint8_t pipe[100], disk[100], write[100];
	struct talk_piece pieces[] = {
		{1, pipe, smb1(pipe, 0x75, 0, none, 3, "IPC\0", 4)},
		{1, disk, smb1(disk, 0x75, 0, none, 3, "A:\0\0", 4)},
		{0, write, smb1(write, 0x2f, 0, none, 12, "", 0)},
	};

	pipe[13] = disk[13] = 0x80;
	disk[4 + 28] = 9; /* somebody else's */
	talk_play(r, "smb", false, pieces, 3, 0);
	assert_int_equal(seed_count(r, "control"), 1);
	pieces[1] = pieces[2];
	talk_play(r, "smb", false, pieces, 2, 0);
	assert_silent(r, "control");
}

/* MS-SMB2 §3.3.5.2.7.2: what is related acts on the tree before it, whichever it names. */
static void smb_related_commands_share_a_tree(void **state)
{
	static const char disk[] = "\x10\0\1", pipe[] = "\x10\0\2", write[] = "\x31\0\0";
	uint8_t trees[2][4 + 64 + 16], both[4 + 2 * 80];
	struct talk_piece pieces[] = {
		smb2(trees[0], 3, 1, 7, 1, pipe),
		smb2(trees[1], 3, 1, 7, 2, disk),
		{0, both, sizeof(both)},
	};
	static const struct {
		uint8_t first, first_tree, flags, tree;
		bool control;
	} cases[] = {
		{8, 2, 4, 1, true},  /* behind a READ of a file's, a WRITE to what seems a pipe */
		{8, 2, 4, 2, true},  /* and to what it is */
		{8, 1, 4, 2, false}, /* behind one of a pipe's */
		{8, 1, 4, 255, false},
		{8, 2, 0, 1, false}, /* it is one, and unrelated */
		{8, 1, 0, 2, true},
		{3, 1, 4, 1, true}, /* behind TREE_CONNECT, which opens another one */
		{8, 1, 2, 1, true}, /* an asynchronous one has no tree there */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		smb2(both + 80, 9, cases[i].flags, 7, cases[i].tree, write);
		smb2(both, cases[i].first, 0, 7, cases[i].first_tree, write);
		both[3] = 160;
		both[4 + 20] = 80;
		talk_play(r, "smb", false, pieces, 3, 0);
		assert_int_equal(seed_count(r, "COMMAND_WRITE"), 1);
		assert_int_equal(seed_count(r, "control"), cases[i].control);
	}
	talk_seed("smb", false, pieces, 3);
}

/* MS-CIFS §2.2.4.55: what is chained to TREE_CONNECT_ANDX acts on the tree that it opens. */
static void smb_1_chains_act_on_a_new_tree(void **state)
{
	static const uint8_t none[24] = {0xff}, connect[8] = {0x2d, 0, 32 + 1 + 8 + 2 + 6};
	uint8_t pipe[100], both[200];
	struct talk_piece pieces[] = {
		{1, pipe, smb1(pipe, 0x75, 0, none, 3, "IPC\0", 4)},
		{0, both, 0},
	};
	uint8_t body[6 + 1 + 30 + 2 + 4] = {"\\s\fw"};

	pipe[13] = 0x80;
	body[6] = 15;
	body[6 + 1] = 0xff;
	body[6 + 1 + 16] = 2; /* OPEN_ANDX, to empty it */
	memcpy(body + 6 + 1 + 30 + 2, "x", 2);
	pieces[1].len = smb1(both, 0x75, 0, connect, 4, body, sizeof(body));
	talk_play(r, "smb", false, pieces, 2, 0);
	assert_says(r, "\"command\":\"SMB1_COMMAND_OPEN_ANDX\"");
	assert_says(r, "\"filename\":\"x\"");
	assert_int_equal(seed_count(r, "control"), 1);
	talk_seed("smb", false, pieces, 2);
}

/* MS-CIFS §2.2.4.33: the pipe of a transaction, unless it was named when it was opened. */
static void smb_1_names_pipes_in_transactions(void **state)
{
	static const uint8_t none[34] = {0};
	uint8_t b[200];
	struct talk_piece piece = {0, b, smb1(b, 0x25, 0, none, 14, "\\PIPE\\LANMAN", 13)};

	talk_play(r, "smb", false, &piece, 1, 0);
	assert_says(r, "\"command\":\"SMB1_COMMAND_TRANS\"");
	assert_says(r, "\"named_pipe\":\"\\\\PIPE\\\\LANMAN\"");
	talk_seed("smb", false, &piece, 1);
	piece.len = smb1(b, 0x25, 0x8000, none, 14, "\0\\\0P\0I\0P\0E\0\\\0x\0\0", 17);
	talk_play(r, "smb", false, &piece, 1, 0);
	assert_says(r, "\"named_pipe\":\"\\\\PIPE\\\\x\"");
	piece.len = smb1(b, 0x25, 0, none, 16, "\\pipe\\", 7);
	talk_play(r, "smb", false, &piece, 1, 0);
	assert_says(r, "\"command\":\"SMB1_COMMAND_TRANS\"");
	assert_silent(r, "named_pipe");
	piece.len = smb1(b, 0x25, 0, none, 17, "\\MAILSLOT\\BROWSE", 17);
	talk_play(r, "smb", false, &piece, 1, 0);
	assert_silent(r, "named_pipe");
}

/* An answer passes unasked: a client gives none. */
static void smb_clients_do_not_answer(void **state)
{
	uint8_t b[4 + 64 + 16], old[100];
	struct talk_piece piece = smb2(b, 9, 1, 0, 0, "\x31\0\0");

	piece.end = 0;
	talk_play(r, "smb", false, &piece, 1, 0);
	assert_says(r, "\"reason\":\"smb.malformed\"");
	piece = (struct talk_piece){0, old, smb1(old, 0x06, 0, NULL, 0, "", 0)};
	old[13] = 0x80;
	talk_play(r, "smb", false, &piece, 1, 0);
	assert_says(r, "\"reason\":\"smb.malformed\"");
}

/* Picked up in its middle the client may be either end: the port or the rule tells. */
static void smb_knows_its_client_in_the_middle(void **state)
{
	static const struct {
		uint16_t ports[2];
		bool answering;
		unsigned client;
	} cases[] = {
		{{40000, 445}, false, 0},
		{{445, 40000}, false, 1},
		{{40000, 4450}, false, 0},
		{{4450, 40000}, true, 1},
	};
	uint8_t b[4 + 52] = {0, 0, 0, 52, 0xfd, 'S', 'M', 'B'};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned end = 0; end < 2; end++) {
			talk_begin(r, "smb", false);
			r->in.midstream = true;
			r->in.answering = cases[i].answering;
			memcpy(r->in.port, cases[i].ports, sizeof(r->in.port));
			talk_feed(r, end, b, sizeof(b));
			assert_int_equal(strstr(r->said, "\"control\":true") != NULL,
					 end == cases[i].client);
			talk_finish(r);
		}
}

/* A TRANS2 of `function`, with what it says first and its data; `more`: parameters that are to come later. */
static void trans2(uint8_t function, const char *params, size_t len, const char *data,
		   size_t data_len, uint8_t more)
{
	uint8_t words[30] = {(uint8_t)(len + more), 0, (uint8_t)data_len}, body[100], m[300];
	struct talk_piece piece = {0, m, 0};

	words[18] = (uint8_t)len;
	words[20] = 32 + 1 + 30 + 2 + 3;
	words[22] = (uint8_t)data_len;
	words[24] = (uint8_t)(words[20] + len);
	words[26] = 1;
	words[28] = function;
	memset(body, 0, sizeof(body));
	memcpy(body + 3, params, len);
	memcpy(body + 3 + len, data, data_len);
	piece.len = smb1(m, 0x32, 0, words, 15, body, 3 + len + data_len);
	talk_seed("smb", false, &piece, 1);
	talk_play(r, "smb", false, &piece, 1, 1);
}
#define TRANS2(function, params, data) \
	trans2(function, params, sizeof(params) - 1, data, sizeof(data) - 1, 0)
#define OPEN2(how) "\0\0\0\0\0\0\0\0\0\0\0\0" how "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\\o"

static void smb_1_names_files_in_transactions(void **state)
{
	TRANS2(0x00, OPEN2("\1"), "");
	assert_says(r, "\"filename\":\"\\\\o\"}}\n"); /* what is there is opened, … */
	TRANS2(0x00, OPEN2("\x11"), "");
	assert_says(r, "\"filename\":\"\\\\o\",\"control\":true}}\n"); /* … or made */
	TRANS2(0x01, "\0\0\1\0\0\0\4\1\0\0\0\0\\*\0", "");
	assert_says(r, "\"filename\":\"\\\\*\"}}\n");
	TRANS2(0x05, "\1\1\0\0\0\0\\f", "");
	assert_says(r, "\"filename\":\"\\\\f\"}}\n");
	TRANS2(0x06, "\1\1\0\0\0\0\\f", "");
	assert_says(r, "\"filename\":\"\\\\f\",\"control\":true}}\n");
	TRANS2(0x0d, "\0\0\0\0\\d", "");
	assert_says(r, "\"filename\":\"\\\\d\",\"control\":true}}\n");
	/* Another name for what is open, and one more as Samba's clients ask for it. */
	TRANS2(0x08, "\1\0\xf2\3\0\0", "\1\0\0\0\0\0\0\0\4\0\0\0n\0w\0");
	assert_says(r, "\"new_name\":\"nw\",\"control\":true}}\n");
	TRANS2(0x06, "\3\2\0\0\0\0\\f\0", "to");
	assert_says(r, "\"filename\":\"\\\\f\",\"new_name\":\"to\",\"control\":true}}\n");
}

/* A name that comes in pieces, or from elsewhere, would be one that nobody is told. */
static void smb_1_hides_no_name(void **state)
{
	trans2(0x05, "\1\1\0\0\0\0\\f", 8, "", 0, 4);
	assert_says(r, "smb.malformed");
	trans2(0x05, "\1\1", 2, "", 0, 0);
	assert_says(r, "smb.malformed");
	trans2(0x08, "\1\0\xf2\3\0\0", 6, "\1\0\0\0\0\0\0\0\x40\0\0\0n\0w\0", 16, 0);
	assert_says(r, "smb.malformed");
}

static void smb_1_makes_files_in_transactions(void **state)
{
	uint8_t words[42] = {[19] = 56, [23] = 32 + 1 + 42 + 2 + 3, [35] = 2, [36] = 1};
	uint8_t body[3 + 56] = {0}, m[300];
	struct talk_piece piece = {0, m, 0};

	body[3 + 28] = 2; /* FILE_CREATE */
	body[3 + 44] = 3;
	memcpy(body + 3 + 53, "\\nt", 3);
	piece.len = smb1(m, 0xa0, 0, words, 21, body, sizeof(body));
	talk_seed("smb", false, &piece, 1);
	talk_play(r, "smb", false, &piece, 1, 0);
	assert_says(r, "\"filename\":\"\\\\nt\",\"disposition\":\"FILE_CREATE\",\"control\":true");
	words[23] = 200;
	piece.len = smb1(m, 0xa0, 0, words, 21, body, sizeof(body));
	talk_play(r, "smb", false, &piece, 1, 0);
	assert_says(r, "smb.malformed");
	memcpy(words + 36, "\2\0\x64\x40\x14\0", 6); /* IOCTL: SRV_ENUMERATE_SNAPSHOTS */
	piece.len = smb1(m, 0xa0, 0, words, 21, body, sizeof(body));
	talk_play(r, "smb", false, &piece, 1, 0);
	assert_silent(r, "control");
}

static void smb_1_names_dos_errors(void **state)
{
	static const struct {
		uint32_t status;
		uint16_t flags2;
		const char *said;
	} cases[] = {
		{0x00020001, 0, "\"status\":\"DOS_BAD_FILE\",\"status_code\":\"0x0002\""},
		{0x00020002, 0, "\"status\":\"SRV_BADPW\",\"status_code\":\"0x0002\""},
		{0x00130003, 0, "\"status\":\"UNKNOWN_03_0013\",\"status_code\":\"0x0013\""},
		{0, 0, "\"status\":\"STATUS_SUCCESS\",\"status_code\":\"0x0\""},
		{0xc0000022, 0x4000, "\"status\":\"STATUS_ACCESS_DENIED\""},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t m[100];
		struct talk_piece piece = {1, m, smb1(m, 0x06, cases[i].flags2, NULL, 0, "", 0)};

		for (unsigned b = 0; b < 4; b++)
			m[9 + b] = (uint8_t)(cases[i].status >> 8 * b);
		m[13] = 0x80;
		talk_play(r, "smb", false, &piece, 1, 0);
		assert_says(r, cases[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smb_tells_shares_files_and_pipes),
		cmocka_unit_test(smb_1_is_told_by_its_version),
		cmocka_unit_test(smb_knows_the_back_door),
		cmocka_unit_test(smb_tells_what_changes),
		cmocka_unit_test(smb_refuses_lies),
		cmocka_unit_test(smb_compression_stays_inside),
		cmocka_unit_test(smb_tells_names_whole),
		cmocka_unit_test(smb_1_names_files_by_paths),
		cmocka_unit_test(smb_writes_hide_behind_no_pipe),
		cmocka_unit_test(smb_1_writes_hide_behind_no_pipe),
		cmocka_unit_test(smb_related_commands_share_a_tree),
		cmocka_unit_test(smb_1_chains_act_on_a_new_tree),
		cmocka_unit_test(smb_1_names_pipes_in_transactions),
		cmocka_unit_test(smb_clients_do_not_answer),
		cmocka_unit_test(smb_knows_its_client_in_the_middle),
		cmocka_unit_test(smb_1_names_files_in_transactions),
		cmocka_unit_test(smb_1_hides_no_name),
		cmocka_unit_test(smb_1_makes_files_in_transactions),
		cmocka_unit_test(smb_1_names_dos_errors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
