/* Logins by SMTP, POP3 and IMAP: recognised, never shown. */
#include "guard/policy/weakness.h"
#include "guard/proto/mail.h"
#include "guard/proto/talk.h"
#include "talk_case.h"

#define EXPECT(proto, pieces, said) \
	talk_expect(proto, false, pieces, sizeof(pieces) / sizeof((pieces)[0]), said)

/* RFC 4954: a name and a password in one line of base64, or in two; "admin" and "1234" here. */
static void smtp_logins_are_told_without_words(void **state)
{
	static const struct talk_piece plain[] = {
		TALK_PIECE(1, "220-mail.ward ESMTP\r\n220 ready\r\n"),
		TALK_PIECE(0, "EHLO pump-7\r\n"),
		TALK_PIECE(1, "250-mail.ward\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE\r\n"),
		TALK_PIECE(0, "AUTH PLAIN AGFkbWluADEyMzQ=\r\n"),
		TALK_PIECE(1, "235 2.7.0 in\r\n"),
		TALK_PIECE(0, "MAIL FROM:<pump-7@ward>\r\nRCPT TO:<desk@ward>\r\nDATA\r\n"),
		TALK_PIECE(1, "250 ok\r\n250 ok\r\n354 go\r\n"),
		TALK_PIECE(0, "Subject: battery\r\n\r\nlow\r\n.\r\nQUIT\r\n"),
	};
	static const struct talk_piece login[] = {
		TALK_PIECE(1, "220 mail.ward ESMTP\r\n"),
		TALK_PIECE(0, "EHLO pump-7\r\n"),
		TALK_PIECE(1, "250 mail.ward\r\n"),
		TALK_PIECE(0, "auth login\r\n"),
		TALK_PIECE(1, "334 VXNlcm5hbWU6\r\n"),
		TALK_PIECE(0, "YWRtaW4=\r\n"),
		TALK_PIECE(1, "334 UGFzc3dvcmQ6\r\n"),
		TALK_PIECE(0, "MTIzNA==\r\n"),
		TALK_PIECE(1, "535 5.7.8 no\r\n"),
		TALK_PIECE(0, "AUTH CRAM-MD5\r\n"),
		TALK_PIECE(1, "334 PDE4OTY=\r\n"),
		TALK_PIECE(0, "c2VjcmV0IGhhc2g=\r\n"),
		TALK_PIECE(1, "235 in\r\n"),
		TALK_PIECE(0, "QUIT\r\n"),
	};

	EXPECT("smtp", plain,
	       "{\"smtp\":{\"command\":\"EHLO\"}}\n"
	       "{\"smtp\":{\"command\":\"AUTH\",\"mechanism\":\"PLAIN\",\"login\":\"password\"}}\n"
	       "{\"smtp\":{\"login\":\"succeeded\",\"default_login\":true}}\n"
	       "{\"smtp\":{\"command\":\"MAIL\",\"unencrypted\":true}}\n");
	EXPECT("smtp", login,
	       "{\"smtp\":{\"command\":\"EHLO\"}}\n"
	       "{\"smtp\":{\"command\":\"auth\",\"mechanism\":\"login\"}}\n"
	       "{\"smtp\":{\"login\":\"password\"}}\n"
	       "{\"smtp\":{\"login\":\"failed\",\"failed_logins\":1}}\n"
	       "{\"smtp\":{\"command\":\"AUTH\",\"mechanism\":\"CRAM-MD5\"}}\n"
	       "{\"smtp\":{\"login\":\"succeeded\"}}\n"
	       "{\"smtp\":{\"command\":\"QUIT\"}}\n");
}

static void what_is_behind_tls_is_not_read(void **state)
{
	static const struct talk_piece smtp[] = {
		TALK_PIECE(1, "220 mail.ward ESMTP\r\n"),
		TALK_PIECE(0, "EHLO a\r\n"),
		TALK_PIECE(1, "250-mail\r\n250 STARTTLS\r\n"),
		TALK_PIECE(0, "STARTTLS\r\n"),
		TALK_PIECE(1, "220 go ahead\r\n"),
		TALK_PIECE(0, "\x16\3\1\0\5hello\n"),
		TALK_PIECE(1, "\x16\3\3\0\5hello\n"),
	};
	static const struct talk_piece refused[] = {
		TALK_PIECE(1, "* OK IMAP4 ready\r\n"),
		TALK_PIECE(0, "a1 STARTTLS\r\n"),
		TALK_PIECE(1, "a1 NO not here\r\n"),
		TALK_PIECE(0, "a2 LOGOUT\r\n"),
	};
	static const struct talk_piece stls[] = {
		TALK_PIECE(1, "+OK POP3\r\n"),
		TALK_PIECE(0, "CAPA\r\n"),
		TALK_PIECE(1, "+OK\r\nUSER\r\nSTLS\r\n.\r\n"),
		TALK_PIECE(0, "STLS\r\n"),
		TALK_PIECE(1, "+OK go\r\n"),
		TALK_PIECE(0, "\x16\3\1\0\5hello\n"),
	};

	EXPECT("smtp", smtp,
	       "{\"smtp\":{\"command\":\"EHLO\"}}\n{\"smtp\":{\"command\":\"STARTTLS\"}}\n"
	       "{\"smtp\":{\"encrypted\":true}}\n");
	EXPECT("imap", refused,
	       "{\"imap\":{\"command\":\"STARTTLS\"}}\n{\"imap\":{\"command\":\"LOGOUT\"}}\n");
	EXPECT("pop3", stls,
	       "{\"pop3\":{\"command\":\"CAPA\"}}\n{\"pop3\":{\"command\":\"STLS\"}}\n"
	       "{\"pop3\":{\"encrypted\":true}}\n");
}

/* RFC 3207 §4: what comes with STARTTLS some servers take for said within TLS. */
static void nothing_goes_with_starttls(void **state)
{
	static const struct talk_piece smtp[] = {
		TALK_PIECE(1, "220 mail.ward ESMTP\r\n"),
		TALK_PIECE(0, "STARTTLS\r\nRSET\r\n"),
	};
	static const struct talk_piece imap[] = {
		TALK_PIECE(1, "* OK IMAP4 ready\r\n"),
		TALK_PIECE(0, "a1 STARTTLS\r\na2 CAPABILITY\r\n"),
	};

	EXPECT("smtp", smtp,
	       "{\"smtp\":{\"command\":\"STARTTLS\"}}\n"
	       "{\"smtp\":{\"command\":\"RSET\"},\"reason\":\"mail.malformed\"}\n");
	EXPECT("imap", imap,
	       "{\"imap\":{\"command\":\"STARTTLS\"}}\n"
	       "{\"imap\":{\"command\":\"CAPABILITY\"},\"reason\":\"mail.malformed\"}\n");
}

static void pop3_logins(void **state)
{
	static const struct talk_piece in[] = {
		TALK_PIECE(1, "+OK ready\r\n"),	    TALK_PIECE(0, "USER root\r\n"),
		TALK_PIECE(1, "+OK\r\n"),	    TALK_PIECE(0, "PASS two words\r\n"),
		TALK_PIECE(1, "-ERR no\r\n"),	    TALK_PIECE(0, "USER root\r\nPASS toor\r\n"),
		TALK_PIECE(1, "+OK\r\n+OK in\r\n"), TALK_PIECE(0, "RETR 1\r\n"),
	};

	EXPECT("pop3", in,
	       "{\"pop3\":{\"command\":\"USER\",\"login\":\"user\"}}\n"
	       "{\"pop3\":{\"command\":\"PASS\",\"login\":\"password\"}}\n"
	       "{\"pop3\":{\"login\":\"failed\",\"failed_logins\":1}}\n"
	       "{\"pop3\":{\"command\":\"USER\",\"login\":\"user\"}}\n"
	       "{\"pop3\":{\"command\":\"PASS\",\"login\":\"password\"}}\n"
	       "{\"pop3\":{\"login\":\"succeeded\",\"default_login\":true,\"unencrypted\":true}}"
	       "\n");
}

/* RFC 9051 §6.2.3: words, texts in quotes, or literals in lines of their own. */
static void imap_logins(void **state)
{
	static const struct talk_piece words[] = {
		TALK_PIECE(1, "* OK [CAPABILITY IMAP4rev1] ready\r\n"),
		TALK_PIECE(0, "a1 LOGIN \"admin\" \"1234\"\r\n"),
		TALK_PIECE(1, "* CAPABILITY IMAP4rev1\r\na1 OK in\r\n"),
		TALK_PIECE(0, "a2 SELECT inbox\r\n"),
	};
	static const struct talk_piece literals[] = {
		TALK_PIECE(1, "* OK ready\r\n"),
		TALK_PIECE(0, "a1 LOGIN {5}\r\n"),
		TALK_PIECE(1, "+ go\r\n"),
		TALK_PIECE(0, "nurse {6}\r\n"),
		TALK_PIECE(1, "+ go\r\n"),
		TALK_PIECE(0, "secret\r\n"),
		TALK_PIECE(1, "a1 NO wrong\r\n"),
		TALK_PIECE(0, "a2 AUTHENTICATE PLAIN\r\n"),
		TALK_PIECE(1, "+\r\n"),
		TALK_PIECE(0, "*\r\n"),
		TALK_PIECE(1, "a2 BAD given up\r\n"),
		TALK_PIECE(0, "a3 NOOP\r\n"),
	};
	static const struct talk_piece before[] = {
		TALK_PIECE(1, "* PREAUTH you are known\r\n"),
		TALK_PIECE(0, "a1 SELECT inbox\r\n"),
	};

	EXPECT("imap", words,
	       "{\"imap\":{\"command\":\"LOGIN\",\"login\":\"password\"}}\n"
	       "{\"imap\":{\"login\":\"succeeded\",\"default_login\":true,\"unencrypted\":true}}"
	       "\n");
	EXPECT("imap", literals,
	       "{\"imap\":{\"command\":\"LOGIN\"}}\n{\"imap\":{\"login\":\"password\"}}\n"
	       "{\"imap\":{\"login\":\"failed\",\"failed_logins\":1}}\n"
	       "{\"imap\":{\"command\":\"AUTHENTICATE\",\"mechanism\":\"PLAIN\"}}\n"
	       "{\"imap\":{\"login\":\"failed\",\"failed_logins\":2}}\n"
	       "{\"imap\":{\"command\":\"NOOP\"}}\n");
	EXPECT("imap", before, "{\"imap\":{\"unencrypted\":true}}\n");
}

static void guesses_are_counted(void **state)
{
	struct talk_piece pieces[8];

	for (unsigned i = 0; i < 8; i += 2) {
		pieces[i] = (struct talk_piece){0, "PASS a\r\n", 8};
		pieces[i + 1] = (struct talk_piece){1, "-ERR\r\n", 6};
	}
	talk_play(r, "pop3", false, pieces, 8, 0);
	assert_int_equal(seed_count(r, "\"reason\":\"login.guessing\""), 1);
	talk_seed("pop3", false, pieces, 8);
}

static void nonsense_is_named(void **state)
{
	static char line[13000];
	struct talk_piece pieces[] = {{0, "<x> y\r\n", 7}, {0, line, sizeof(line)}};

	memset(line, 'A', sizeof(line));
	talk_play(r, "smtp", false, pieces, 1, 0);
	assert_says(r, "\"reason\":\"mail.malformed\"");
	talk_play(r, "imap", false, pieces + 1, 1, 0);
	assert_says(r, "\"reason\":\"mail.malformed\"");
	assert_int_equal(r->last, PARSE_BAD);
}

/* What is behind a hole may be a mail's own words. */
static void a_hole_ends_it(void **state)
{
	talk_begin(r, "smtp", false);
	talk_feed(r, 0, "EHLO a\r\n", 8);
	talk_gap(r->talk, 0, 100);
	talk_feed(r, 0, "AUTH PLAIN\r\n", 12);
	assert_silent(r, "AUTH");
	talk_finish(r);
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

static void they_know_their_own(void **state)
{
	assert_int_equal(identify("smtp", 1, 25, "220 mail.ward ready\r\n"), PARSE_OK);
	assert_int_equal(identify("smtp", 1, 2525, "220 mail.ward ESMTP\r\n"), PARSE_OK);
	assert_int_equal(identify("smtp", 1, 21, "220 vsFTPd\r\n"), PARSE_BAD);
	assert_int_equal(identify("smtp", 1, 25, "22"), PARSE_MORE);
	assert_int_equal(identify("smtp", 1, 25, "SSH-2.0-x\r\n"), PARSE_BAD);
	assert_int_equal(identify("smtp", 0, 587, "EHLO a\r\n"), PARSE_OK);
	assert_int_equal(identify("smtp", 0, 80, "EHLO a\r\n"), PARSE_BAD);
	assert_int_equal(identify("pop3", 1, 110, "+OK\r\n"), PARSE_OK);
	assert_int_equal(identify("pop3", 1, 6379, "+OK\r\n"), PARSE_BAD);
	assert_int_equal(identify("imap", 1, 143, "* OK x\r\n"), PARSE_OK);
	assert_int_equal(identify("imap", 1, 1143, "* OK IMAP4rev1 x\r\n"), PARSE_OK);
	assert_int_equal(identify("imap", 0, 143, "a1 CAPABILITY\r\n"), PARSE_OK);
	assert_int_equal(identify("ftp", 1, 25, "220 mail.ward ESMTP\r\n"), PARSE_BAD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(smtp_logins_are_told_without_words),
		cmocka_unit_test(what_is_behind_tls_is_not_read),
		cmocka_unit_test(nothing_goes_with_starttls),
		cmocka_unit_test(pop3_logins),
		cmocka_unit_test(imap_logins),
		cmocka_unit_test(guesses_are_counted),
		cmocka_unit_test(nonsense_is_named),
		cmocka_unit_test(a_hole_ends_it),
		cmocka_unit_test(they_know_their_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
