/* Logins over SSH, Telnet and FTP: counted, recognised, never shown. */
#include "guard/proto/logins.h"

#include "talk_case.h"

static void ssh_names_both_programs(void **state)
{
	seed_same(r, "ssh", "ssh-1");
	assert_says(r, "{\"ssh\":{\"client\":{\"proto_version\":\"2.0\","
		       "\"software_version\":\"OpenSSH_9.2p1 Debian-2+deb12u10\","
		       "\"hassh\":{\"hash\":\"472b5de333ad665af5cbf10ff892c4df\",");
	assert_says(r, "\"server\":{\"proto_version\":\"2.0\",");
}

static void ssh_guesses_are_counted(void **state)
{
	seed_same(r, "ssh", "ssh-1");
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 1);
	seed_same(r, "ssh", "ssh-3");
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 5);
	assert_says(r, "\"failed_logins\":3}}\n");
	assert_says(r, "\"failed_logins\":4},\"reason\":\"login.guessing\"");
	assert_silent(r, "succeeded");
}

#define NARROW "chacha20-poly1305@openssh.com"

/* A banner, an offer that names one cipher, and word that keys are changed. */
static size_t open_ssh(uint8_t *buf, size_t size, const char *program, const char *cipher)
{
	struct writer w = writer_new(buf, size);
	size_t n = strlen(cipher);

	write_bytes(&w, "SSH-2.0-", 8);
	write_bytes(&w, program, strlen(program));
	write_bytes(&w, "\r\n", 2);
	write_be32(&w, (uint32_t)(2 + 16 + 10 * 4 + n + 5));
	write_be16(&w, 20);
	for (unsigned i = 0; i < 4; i++)
		write_be32(&w, 0);
	for (unsigned i = 0; i < 10; i++) {
		write_be32(&w, i == 2 ? (uint32_t)n : 0);
		write_bytes(&w, cipher, i == 2 ? n : 0);
	}
	write_bytes(&w, "\0\0\0\0\0\0\0\0\2\0\x15", 11);
	assert_false(w.bad);
	return w.len;
}

/* What is said of an encrypted login by so many bytes, in turns: the client's, the server's; 0 ends it. */
static void login_of(const char *program, const char *cipher, const uint16_t *turns)
{
	static uint8_t open[2][256], sealed[512];
	static struct talk_piece pieces[32];
	size_t count = 2;

	pieces[0] = (struct talk_piece){0, open[0], open_ssh(open[0], 256, program, cipher)};
	pieces[1] =
		(struct talk_piece){1, open[1], open_ssh(open[1], 256, "x", "aes128-ctr," NARROW)};
	for (unsigned i = 0; turns[i]; i++)
		pieces[count++] = (struct talk_piece){i % 2, sealed, turns[i]};
	talk_play(r, "ssh", false, pieces, count, 0);
	assert_silent(r, "malformed");
}

/* As many bytes as their programs said (test/pcap/ssh-logins). */
static void ssh_keys_are_no_guesses(void **state)
{
	login_of("OpenSSH_9.2p1", NARROW,
		 (const uint16_t[]){44,	 44, 68,  76, 140, 76,	140, 76, 140, 76,
				    140, 76, 140, 76, 140, 100, 308, 28, 112, 0});
	assert_silent(r, "failed\"");
	assert_says(r, "\"login\":\"succeeded\"");
	/* An RSA key, to AES. */
	login_of("libssh_0.10.6", "aes256-ctr",
		 (const uint16_t[]){64, 64, 400, 96, 400, 96, 96, 96, 0});
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 1);
}

static void ssh_counts_the_last_guess(void **state)
{
	/* Prompts are not known; then two passwords, a longer one, and no more. */
	login_of("OpenSSH_9.2p1", NARROW,
		 (const uint16_t[]){44, 44, 68, 76, 92, 76, 84, 76, 148, 76, 0});
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 2);
	login_of("libssh2_1.10.0", "aes128-ctr",
		 (const uint16_t[]){64, 64, 80, 96, 96, 96, 112, 96, 0});
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 1);
	/* A password at once, without a look at what may be tried. */
	login_of("libssh_0.10.6", NARROW, (const uint16_t[]){44, 44, 76, 76, 52, 0});
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 1);
	/* The first one's failure stood behind a banner. */
	login_of("OpenSSH_9.2p1", NARROW, (const uint16_t[]){44, 44, 68, 160, 84, 76, 84, 76, 0});
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 2);
	/* PAM prompts, and its prompt is shorter than a failure. */
	login_of("OpenSSH_9.2p1", NARROW,
		 (const uint16_t[]){44, 44, 68, 76, 92, 60, 84, 76, 92, 60, 84, 28, 112, 0});
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 1);
	assert_says(r, "\"succeeded\"");
}

/* It fills up its success, and what is typed behind it is shorter than any answer before. */
static void ssh_typing_at_a_dropbear(void **state)
{
	login_of("OpenSSH_9.2p1", NARROW,
		 (const uint16_t[]){44, 44, 68, 52, 84, 52, 84, 36, 52, 44, 36,
				    36, 36, 36, 36, 36, 36, 36, 36, 36, 0});
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 1);
	assert_int_equal(seed_count(r, "\"login\":\"succeeded\""), 1);
}

static enum parse identify(const char *proto, unsigned end, uint16_t port, const char *data)
{
	struct proto_input in = {.end = (uint8_t)end, .port = {4000, port}};
	enum parse got;

	in.data = unit_exact(data, strlen(data));
	got = proto_find(proto)->probe(&in);
	free((void *)in.data.data);
	return got;
}

/* RFC 4253 §4.2: a server may greet before its banner, even alone and first. */
static void ssh_greetings_are_passed_over(void **state)
{
	static const struct talk_piece pieces[] = {
		TALK_PIECE(1,
			   "Authorized staff of the ward only\r\n\r\nSSH-2.0-dropbear_2022.83\r\n"),
		TALK_PIECE(0, "SSH-2.0-OpenSSH_9.2p1\r\n"),
		/* A KEXINIT of the server's, with ten empty lists. */
		TALK_PIECE(1, "\0\0\0\x43\4\x14"
			      "0123456789abcdef"
			      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			      "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			      "\0\0\0\0\0padx"),
	};

	talk_play(r, "ssh", false, pieces, 3, 0);
	assert_int_equal(r->last, PARSE_OK);
	assert_says(r, "\"software_version\":\"dropbear_2022.83\"");
	talk_seed("ssh", false, pieces, 3);
	assert_int_equal(identify("ssh", 1, 2222, "Staff only\r\nSSH-2.0-x\r\n"), PARSE_OK);
	assert_int_equal(identify("ssh", 1, 22, "Staff on"), PARSE_MORE);
	assert_int_equal(identify("ssh", 1, 22, "Staff only\r\nSSH"), PARSE_MORE);
	assert_int_equal(identify("ssh", 1, 25, "220 mail ESMTP\r\n"), PARSE_BAD);
	assert_int_equal(identify("ssh", 1, 2222, "Staff on"), PARSE_BAD);
	assert_int_equal(identify("ssh", 1, 22, "\xff\xfd\1\1\r\n"), PARSE_BAD);
	assert_int_equal(identify("ssh", 0, 22, "Staff only\r\nSSH-2.0-x\r\n"), PARSE_BAD);
}

static void ssh_refuses_nonsense(void **state)
{
	static const char banner[] = "SSH-2.0-x\r\n";
	static const char length[] = "\xff\xff\xff\xff\0\x14";
	struct talk_piece pieces[] = {{0, banner, sizeof(banner) - 1}, {0, length, 6}};

	talk_expect("ssh", false, pieces, 2, "{\"ssh\":{},\"reason\":\"ssh.malformed\"}\n");
	pieces[0] = (struct talk_piece){0, "SSH-\r\n", 6};
	talk_expect("ssh", false, pieces, 1, "{\"ssh\":{},\"reason\":\"ssh.malformed\"}\n");
}

static void telnet_logins_are_told_and_never_shown(void **state)
{
	seed_same(r, "telnet", "telnet-login-1");
	assert_string_equal(
		r->said, "{\"telnet\":{\"type\":\"begin\"}}\n"
			 "{\"telnet\":{\"type\":\"terminal\",\"terminal\":\"XTERM\"}}\n"
			 "{\"telnet\":{\"type\":\"login\",\"login\":\"user\",\"control\":true}}\n"
			 "{\"telnet\":{\"type\":\"login\",\"login\":\"password\",\"attempts\":1,"
			 "\"default_login\":true,\"control\":true}}\n"
			 "{\"telnet\":{\"type\":\"login\",\"login\":\"failed\",\"attempts\":1,"
			 "\"failed_logins\":1}}\n"
			 "{\"telnet\":{\"type\":\"login\",\"login\":\"user\",\"attempts\":1,"
			 "\"failed_logins\":1,\"control\":true}}\n"
			 "{\"telnet\":{\"type\":\"login\",\"login\":\"password\",\"attempts\":2,"
			 "\"failed_logins\":1,\"default_login\":true,\"control\":true}}\n"
			 "{\"telnet\":{\"type\":\"login\",\"login\":\"succeeded\",\"attempts\":2,"
			 "\"failed_logins\":1,\"default_login\":true}}\n");
	seed_same(r, "telnet", "telnet-login-2");
	assert_silent(r, "default_login");
}

static void telnet_without_a_password_is_seen(void **state)
{
	static const char evil[] = "\xff\xfa\x27\0\0USER\1-f root\xff\xf0";
	struct talk_piece pieces[] = {{1, "\xff\xfd\x27", 3}, {0, evil, sizeof(evil) - 1}};

	talk_expect("telnet", false, pieces, 2,
		    "{\"telnet\":{\"type\":\"begin\"}}\n"
		    "{\"telnet\":{\"type\":\"login\",\"control\":true},"
		    "\"reason\":\"telnet.login_bypass\"}\n");
}

/* A shell that nobody logged in to, or with a name alone; not one behind a password, or text that looks so. */
static void telnet_shells_without_a_login_are_seen(void **state)
{
	static const char hello[] = "\xff\xfb\1", shell[] = "BusyBox v1.19\r\n\r\n/ # ";
	static const char said[] = "{\"telnet\":{\"type\":\"input\",\"no_password\":true,"
				   "\"control\":true}}\n";
	struct talk_piece open[] = {{1, hello, 3}, {1, shell, sizeof(shell) - 1}, {0, "ls\r", 3}};
	struct talk_piece named[] = {{1, hello, 3},
				     {1, "login: ", 7},
				     {0, "root\r", 5},
				     {1, "\r\n# ", 4},
				     {0, "ls\r", 3}};
	struct talk_piece asked[] = {{1, hello, 3},	    {1, "login: ", 7}, {0, "root\r", 5},
				     {1, "Password: ", 10}, {0, "x\r", 2},     {1, "\r\n# ", 4},
				     {0, "ls\r", 3}};

	talk_play(r, "telnet", false, open, 3, 1);
	assert_says(r, said);
	talk_play(r, "telnet", false, named, 5, 1);
	assert_says(r, said);
	talk_play(r, "telnet", false, asked, 7, 1);
	assert_silent(r, "no_password");
	open[1] = (struct talk_piece){1, "it is 5 # of 7\r\nmenu 1-3: ", 26};
	talk_play(r, "telnet", false, open, 3, 1);
	assert_silent(r, "no_password");
}

/* Corrections count, commands within a name do not, and a fourth failure is guessing. */
static void telnet_guesses_are_counted(void **state)
{
	struct talk_piece pieces[16];
	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++) {
		static const char user[] = "Login: ", pass[] = "Password: ";

		pieces[n++] = (struct talk_piece){1, user, 7};
		pieces[n++] = (struct talk_piece){0, "rx\x08o\xff\xf1ot\r", 9};
		pieces[n++] = (struct talk_piece){1, pass, 10};
		pieces[n++] = (struct talk_piece){0, "toor\r\0", 6};
	}
	talk_play(r, "telnet", false, pieces, n, 1);
	assert_int_equal(seed_count(r, "\"default_login\":true"), 4);
	assert_int_equal(seed_count(r, "\"login\":\"failed\""), 3);
	assert_silent(r, "guessing");
	pieces[0] = (struct talk_piece){1, "Login: Password: ", 17};
	pieces[1] = (struct talk_piece){0, "a\r", 2};
	pieces[2] = (struct talk_piece){1, "Login incorrect\r\nPassword: ", 27};
	for (n = 3; n < 11; n++)
		pieces[n] = pieces[1 + (n + 1) % 2];
	talk_play(r, "telnet", false, pieces, n, 3);
	assert_says(r, "\"reason\":\"login.guessing\"");
}

/* Where nobody asks who one is, whatever is typed may change something; ahead of the question, too. */
static void telnet_without_a_login_is_control(void **state)
{
	struct talk_piece pieces[] = {
		{1, "\xff\xfb\1pump> ", 9}, {0, "\xff\xfd\1", 3}, {0, "reboot\r\nreboot\r\n", 16}};

	talk_expect("telnet", false, pieces, 3,
		    "{\"telnet\":{\"type\":\"begin\"}}\n"
		    "{\"telnet\":{\"type\":\"input\",\"no_password\":true,\"control\":true}}\n");
	talk_play(r, "telnet", false, pieces, 2, 0);
	assert_silent(r, "control");
	talk_seed("telnet", false, pieces, 3);
	pieces[1] = (struct talk_piece){0, "root\r\nroot\r\n", 12};
	pieces[2] = (struct talk_piece){1, "login: Password: ", 17};
	talk_play(r, "telnet", false, pieces, 3, 0);
	assert_says(r, "\"type\":\"input\",\"no_password\":true,\"control\":true");
	/* BusyBox takes what nobody asked for, or is too long, for typed; an answer is none. */
	pieces[0] = (struct talk_piece){1, "\xff\xfd\x1fpump> ", 9};
	pieces[1] = (struct talk_piece){0, "\xff\xfb\x1f\xff\xfa\x1f\0\x50\0\x18\xff\xf0", 12};
	talk_play(r, "telnet", false, pieces, 2, 0);
	assert_silent(r, "control");
	pieces[1] = (struct talk_piece){0, "\xff\xfa\x1f\0\x50\0\x18..reboot\r\n", 17};
	talk_play(r, "telnet", false, pieces, 2, 0);
	assert_says(r, "\"type\":\"input\",\"no_password\":true,\"control\":true");
	pieces[0] = (struct talk_piece){1, "\xff\xfb\1pump> ", 9};
	pieces[1] = (struct talk_piece){0, "\xff\xfa\1reboot\r\n", 11};
	talk_play(r, "telnet", false, pieces, 2, 0);
	assert_says(r, "\"type\":\"input\",\"no_password\":true,\"control\":true");
	pieces[1] = (struct talk_piece){0, "\xff\xfa\x18reboot\r\n", 11};
	talk_play(r, "telnet", false, pieces, 2, 0);
	assert_says(r, "\"type\":\"input\",\"no_password\":true,\"control\":true");
	talk_seed("telnet", false, pieces, 2);
}

/* RFC 854, RFC 2217: what does something without a letter, and what is known not to. */
static void telnet_keys_are_control(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool control;
	} cases[] = {
		{"\xff\xf3", 2, true},	       /* BREAK */
		{"\xff\xf4\xff\xf2", 4, true}, /* INTERRUPT */
		{"\xff\xec", 2, true},	       /* end of file */
		{"\x03", 1, true},
		{"\x1b", 1, true},
		{"\xff\xff", 2, true},		       /* a byte of that number */
		{"\xff\xfa\x2c\5\5\xff\xf0", 7, true}, /* a line's break */
		{"\xff\xfa\x2c\0x\xff\xf0", 7, false}, /* who one is */
		{"\xff\xf6\xff\xf1", 4, false},	       /* ARE YOU THERE, NOTHING */
		{"\r\0\r\n", 4, false},
	};
	struct talk_piece pieces[] = {{1, "\xff\xfd\x2cpump> ", 9}, {0, NULL, 0}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pieces[1] = (struct talk_piece){0, cases[i].bytes, cases[i].len};
		talk_play(r, "telnet", false, pieces, 2, 1);
		assert_int_equal(seed_count(r, "control"), cases[i].control);
		talk_seed("telnet", false, pieces, 2);
	}
}

/* Picked up in its middle: by the rule there is no need of a word that tells, and either end may be first. */
static void telnet_is_known_in_the_middle(void **state)
{
	static const struct {
		uint16_t ports[2];
		bool answering;
		unsigned client;
	} cases[] = {
		{{40000, 23}, false, 0},
		{{23, 40000}, false, 1},
		{{40000, 2323}, false, 0},
		{{2323, 40000}, true, 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (uint8_t end = 0; end < 2; end++) {
			struct proto_input in = {.data = {(const uint8_t *)"reboot\r\n", 8},
						 .end = end,
						 .midstream = true,
						 .answering = cases[i].answering};

			memcpy(in.port, cases[i].ports, sizeof(in.port));
			assert_int_not_equal(proto_find("telnet")->probe(&in), PARSE_OK);
			in.expected = true;
			assert_int_equal(proto_find("telnet")->probe(&in), PARSE_OK);
			talk_begin(r, "telnet", false);
			r->in.midstream = true;
			r->in.answering = cases[i].answering;
			memcpy(r->in.port, cases[i].ports, sizeof(r->in.port));
			talk_feed(r, end, in.data.data, in.data.len);
			assert_int_equal(seed_count(r, "control"), end == cases[i].client);
			talk_finish(r);
		}
}

static void ftp_tells_commands_but_no_password(void **state)
{
	seed_same(r, "ftp", "ftp-1");
	assert_says(r,
		    "{\"ftp\":{\"command\":\"PASS\",\"login\":\"password\",\"control\":true}}\n");
	assert_says(r, "\"mode\":\"passive\",\"dynamic_port\":2");
	assert_says(r, "{\"ftp\":{\"command\":\"RETR\",\"command_data\":\"export.csv\"}}\n");
	assert_silent(r, "example.com");
	seed_same(r, "ftp", "ftp-3");
	assert_says(r, "\"mode\":\"active\",\"dynamic_port\":");
	seed_same(r, "ftp", "ftp-5");
	assert_says(
		r,
		"{\"ftp\":{\"command\":\"STOR\",\"command_data\":\"up.csv\",\"control\":true}}\n");
	seed_same(r, "ftp", "ftp-7");
	assert_says(r, "\"default_login\":true");
	assert_says(r, "\"login\":\"failed\",\"failed_logins\":1");
}

/* RFC 959 §4.2: 230 behind a name alone; RFC 1635: any password of a name that is nobody's. */
static void ftp_without_a_password_is_seen(void **state)
{
	static const char in[] = "{\"ftp\":{\"completion_code\":\"230\",\"reply\":\"in\","
				 "\"login\":\"succeeded\",\"no_password\":true}}\n";
	struct talk_piece alone[] = {{0, "USER biomed\r\n", 13}, {1, "230 in\r\n", 8}};
	struct talk_piece anybody[] = {{0, "USER Anonymous\r\n", 16},
				       {1, "331 any\r\n", 9},
				       {0, "PASS x@y\r\n", 10},
				       {1, "230 in\r\n", 8}};
	struct talk_piece known[] = {{0, "USER biomed\r\n", 13},
				     {1, "331 say\r\n", 9},
				     {0, "PASS x@y\r\n", 10},
				     {1, "230 in\r\n", 8}};

	talk_play(r, "ftp", false, alone, 2, 1);
	assert_says(r, in);
	talk_play(r, "ftp", false, anybody, 4, 1);
	assert_says(r, in);
	talk_play(r, "ftp", false, known, 4, 1);
	assert_silent(r, "no_password");
	anybody[3] = (struct talk_piece){1, "530 no\r\n", 8};
	talk_play(r, "ftp", false, anybody, 4, 1);
	assert_silent(r, "no_password");
}

static void ftp_ports_and_long_replies(void **state)
{
	static const char server[] = "220-x\r\n220-FTP here\r\n 220 no\r\n220 ready\r\n"
				     "227 Entering Passive Mode (10,9,0,5,78,70).\r\n"
				     "234 go\r\n\x16\3\1";
	struct talk_piece pieces[] = {{0, "PORT 10,9,1,12,4,1\r\nAUTH TLS\r\n", 30},
				      {1, server, sizeof(server) - 1},
				      {0, "\x16\3\1", 3}};

	talk_expect(
		"ftp", false, pieces, 3,
		"{\"ftp\":{\"command\":\"PORT\",\"command_data\":\"10,9,1,12,4,1\","
		"\"mode\":\"active\",\"dynamic_port\":1025}}\n"
		"{\"ftp\":{\"command\":\"AUTH\",\"command_data\":\"TLS\",\"control\":true}}\n"
		"{\"ftp\":{\"completion_code\":\"220\",\"reply\":\"ready\"}}\n"
		"{\"ftp\":{\"completion_code\":\"227\","
		"\"reply\":\"Entering Passive Mode (10,9,0,5,78,70).\",\"mode\":\"passive\","
		"\"dynamic_port\":20038}}\n"
		"{\"ftp\":{\"completion_code\":\"234\",\"reply\":\"go\",\"encrypted\":true}}\n");
}

/* What servers take for a command is told as one, whatever stands around it; another is broken. */
static void ftp_commands_do_not_hide(void **state)
{
	static const char client[] = " STOR a\r\n\xff\xf4\xff\xf2"
				     "DELE b\r\n\xf2RMD c\r\nST\xff\xf1OR\td\r\n\r\nretr e\r\n";
	struct talk_piece pieces[] = {{0, client, sizeof(client) - 1}};

	talk_expect("ftp", false, pieces, 1,
		    "{\"ftp\":{\"command\":\"STOR\",\"command_data\":\"a\",\"control\":true}}\n"
		    "{\"ftp\":{\"command\":\"DELE\",\"command_data\":\"b\",\"control\":true}}\n"
		    "{\"ftp\":{\"command\":\"RMD\",\"command_data\":\"c\",\"control\":true}}\n"
		    "{\"ftp\":{\"command\":\"STOR\",\"command_data\":\"d\",\"control\":true}}\n"
		    "{\"ftp\":{\"command\":\"retr\",\"command_data\":\"e\"}}\n");
	pieces[0] = (struct talk_piece){0, "1STOR a\r\n", 9};
	talk_play(r, "ftp", false, pieces, 1, 0);
	assert_says(r, "\"reason\":\"ftp.malformed\"");
	/* To servers that end a command at either, there are two. */
	pieces[0] = (struct talk_piece){0, "NOOP\rSTOR a\r\n", 13};
	talk_play(r, "ftp", false, pieces, 1, 0);
	assert_says(r, "\"reason\":\"ftp.malformed\"");
	pieces[0] = (struct talk_piece){0, "NOOP\0STOR a\r\n", 13};
	talk_play(r, "ftp", false, pieces, 1, 0);
	assert_says(r, "\"reason\":\"ftp.malformed\"");
	talk_seed("ftp", false, pieces, 1);
}

/* Where a rule names it a protocol is as at home as at its port: what it begins with may be anybody's. */
static void rules_say_where_they_are(void **state)
{
	static const struct {
		const char *proto;
		unsigned end;
		const char *data;
		size_t len;
	} firsts[] = {
		{"ftp", 1, "220 Features: a .\r\n", 19},
		{"ftp", 0, "OPTS UTF8 ON\r\n", 14},
		{"telnet", 1, "pump login: ", 12},
		{"modbus", 0, "\0\1\0\0\0\4\1\x5a\0\2", 10},
		{"dns", 0, "\0\x0c\0\1\x30\0\0\0\0\0\0\0\0\0", 14},
	};

	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct proto_input in = {.data = unit_exact(firsts[i].data, firsts[i].len),
					 .port = {40000, 2021},
					 .end = (uint8_t)firsts[i].end};
		const struct proto *p = proto_find(firsts[i].proto);

		assert_int_equal(p->probe(&in), PARSE_BAD);
		in.expected = true;
		assert_int_equal(p->probe(&in), PARSE_OK);
		in.midstream = true; /* the rule says which end serves, too */
		assert_int_equal(p->probe(&in), PARSE_OK);
		in.answering = true;
		in.end = !in.end;
		assert_int_equal(p->probe(&in), PARSE_OK);
		free((void *)in.data.data);
	}
}

static void they_know_their_own(void **state)
{
	assert_int_equal(identify("ssh", 0, 80, "SSH-2.0"), PARSE_OK);
	assert_int_equal(identify("ssh", 0, 80, "SS"), PARSE_MORE);
	assert_int_equal(identify("ssh", 0, 22, "GET /"), PARSE_BAD);
	assert_int_equal(identify("ftp", 1, 2121, "220 my FTP server\r\n"), PARSE_OK);
	assert_int_equal(identify("ftp", 1, 25, "220 mail ESMTP\r\n"), PARSE_BAD);
	assert_int_equal(identify("ftp", 0, 110, "USER a\r\n"), PARSE_BAD);
	assert_int_equal(identify("telnet", 1, 2323, "\xff\xfb\1"), PARSE_OK);
	assert_int_equal(identify("telnet", 1, 2323, "\xff\xfe\1"), PARSE_MORE); /* or UTF-16 */
	assert_int_equal(identify("telnet", 1, 2323, "\xff\xfe\1\xff\xfb\3"), PARSE_OK);
	assert_int_equal(identify("telnet", 1, 23, "pump login: "), PARSE_OK);
	assert_int_equal(identify("telnet", 1, 24, "pump login: "), PARSE_BAD);
	assert_int_equal(identify("telnet", 0, 23, "\xff\x01"), PARSE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ssh_names_both_programs),
		cmocka_unit_test(ssh_guesses_are_counted),
		cmocka_unit_test(ssh_keys_are_no_guesses),
		cmocka_unit_test(ssh_counts_the_last_guess),
		cmocka_unit_test(ssh_typing_at_a_dropbear),
		cmocka_unit_test(ssh_greetings_are_passed_over),
		cmocka_unit_test(ssh_refuses_nonsense),
		cmocka_unit_test(telnet_logins_are_told_and_never_shown),
		cmocka_unit_test(telnet_without_a_password_is_seen),
		cmocka_unit_test(telnet_shells_without_a_login_are_seen),
		cmocka_unit_test(telnet_without_a_login_is_control),
		cmocka_unit_test(telnet_keys_are_control),
		cmocka_unit_test(telnet_is_known_in_the_middle),
		cmocka_unit_test(telnet_guesses_are_counted),
		cmocka_unit_test(ftp_tells_commands_but_no_password),
		cmocka_unit_test(ftp_without_a_password_is_seen),
		cmocka_unit_test(ftp_ports_and_long_replies),
		cmocka_unit_test(ftp_commands_do_not_hide),
		cmocka_unit_test(they_know_their_own),
		cmocka_unit_test(rules_say_where_they_are),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
