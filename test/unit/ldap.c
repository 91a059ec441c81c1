/* Directories: who logs in and how, what is asked, and where nothing more can be read. */
#include "guard/proto/ldap.h"
#include "guard/proto/talk.h"
#include "talk_case.h"

#define EXPECT(pieces, said) \
	talk_expect("ldap", false, pieces, sizeof(pieces) / sizeof((pieces)[0]), said)

/* RFC 4511 §4.2: version 3, a name, a password. */
#define BIND_ADMIN                                           \
	"\x30\x1b\2\1\1\x60\x16\2\1\3\4\13cn=admin,o=\x80\4" \
	"1234"
#define BIND_NOBODY "\x30\x0c\2\1\1\x60\7\2\1\3\4\0\x80\0"
#define BIND_SASL   "\x30\x18\2\1\3\x60\x13\2\1\3\4\0\xa3\x0c\4\6GSSAPI\4\2ab"
#define BOUND	    "\x30\x0c\2\1\1\x61\7\x0a\1\0\4\0\4\0"
#define REFUSED	    "\x30\x0c\2\1\1\x61\7\x0a\1\x31\4\0\4\0"
#define SEARCH	    "\x30\x23\2\1\2\x63\x1e\4\6o=ward\x0a\1\2\x0a\1\0\2\1\0\2\1\0\1\1\0\x87\3uid\x30\0"
#define SEARCH_ROOT "\x30\x1d\2\1\2\x63\x18\4\0\x0a\1\0\x0a\1\0\2\1\0\2\1\0\1\1\0\x87\3uid\x30\0"
#define ENTRY	    "\x30\x16\2\1\2\x64\x11\4\rcn=bed,o=ward\x30\0"
#define DONE	    "\x30\x0c\2\1\2\x65\7\x0a\1\0\4\0\4\0"
#define START_TLS                        \
	"\x30\x1d\2\1\5\x77\x18\x80\x16" \
	"1.3.6.1.4.1.1466.20037"
#define TLS_AGREED "\x30\x0c\2\1\5\x78\7\x0a\1\0\4\0\4\0"

static void a_simple_bind_shows_its_password(void **state)
{
	static const struct talk_piece in[] = {
		TALK_PIECE(0, BIND_ADMIN),
		TALK_PIECE(1, BOUND),
		TALK_PIECE(0, SEARCH),
		TALK_PIECE(1, ENTRY ENTRY DONE),
		TALK_PIECE(0, "\x30\5\2\1\3\x42\0"),
	};
	static const struct talk_piece refused[] = {
		TALK_PIECE(0, BIND_ADMIN), TALK_PIECE(1, REFUSED),    TALK_PIECE(0, BIND_ADMIN),
		TALK_PIECE(1, REFUSED),	   TALK_PIECE(0, BIND_ADMIN), TALK_PIECE(1, REFUSED),
		TALK_PIECE(0, BIND_ADMIN), TALK_PIECE(1, REFUSED),
	};

	EXPECT(in, "{\"ldap\":{\"message_id\":1,\"operation\":\"bind_request\","
		   "\"name\":\"cn=admin,o=\",\"login\":\"password\"}}\n"
		   "{\"ldap\":{\"message_id\":1,\"operation\":\"bind_response\","
		   "\"result_code\":\"success\",\"login\":\"succeeded\",\"default_login\":true}}\n"
		   "{\"ldap\":{\"message_id\":2,\"operation\":\"search_request\","
		   "\"unencrypted\":true}}\n"
		   "{\"ldap\":{\"message_id\":2,\"operation\":\"search_result_done\","
		   "\"result_code\":\"success\"}}\n"
		   "{\"ldap\":{\"message_id\":3,\"operation\":\"unbind_request\"}}\n");
	talk_play(r, "ldap", false, refused, 8, 0);
	assert_says(r, "\"result_code\":\"invalid_credentials\",\"login\":\"failed\","
		       "\"failed_logins\":3}}\n");
	assert_int_equal(seed_count(r, "\"reason\":\"login.guessing\""), 1);
	assert_silent(r, "default_login");
}

/* What a server says of itself it says to everybody (RFC 4512 §5.1); of others, to nobody. */
static void entries_for_nobody_are_told(void **state)
{
	static const struct talk_piece in[] = {
		TALK_PIECE(0, BIND_NOBODY), TALK_PIECE(1, BOUND),
		TALK_PIECE(0, SEARCH_ROOT), TALK_PIECE(1, "\x30\x09\2\1\2\x64\4\4\0\x30\0" DONE),
		TALK_PIECE(0, SEARCH),	    TALK_PIECE(1, ENTRY ENTRY DONE),
	};

	EXPECT(in, "{\"ldap\":{\"message_id\":1,\"operation\":\"bind_request\",\"name\":\"\","
		   "\"login\":\"anonymous\"}}\n"
		   "{\"ldap\":{\"message_id\":1,\"operation\":\"bind_response\","
		   "\"result_code\":\"success\",\"login\":\"succeeded\"}}\n"
		   "{\"ldap\":{\"message_id\":2,\"operation\":\"search_request\"}}\n"
		   "{\"ldap\":{\"message_id\":2,\"operation\":\"search_result_done\","
		   "\"result_code\":\"success\"}}\n"
		   "{\"ldap\":{\"message_id\":2,\"operation\":\"search_request\","
		   "\"unencrypted\":true}}\n"
		   "{\"ldap\":{\"message_id\":2,\"operation\":\"search_result_entry\","
		   "\"no_password\":true,\"unencrypted\":true}}\n"
		   "{\"ldap\":{\"message_id\":2,\"operation\":\"search_result_done\","
		   "\"result_code\":\"success\"}}\n");
}

static void what_is_sealed_is_not_read(void **state)
{
	static const struct talk_piece tls[] = {
		TALK_PIECE(0, START_TLS),
		TALK_PIECE(1, TLS_AGREED),
		TALK_PIECE(0, "\x15\3\1\0\2\1\0"),
	};
	/* It says it will, and goes on in clear text: that is read. */
	static const struct talk_piece pretended[] = {
		TALK_PIECE(0, START_TLS),
		TALK_PIECE(1, TLS_AGREED),
		TALK_PIECE(0, BIND_ADMIN),
	};

	EXPECT(tls, "{\"ldap\":{\"message_id\":5,\"operation\":\"extended_request\","
		    "\"control\":true}}\n"
		    "{\"ldap\":{\"message_id\":5,\"operation\":\"extended_response\","
		    "\"result_code\":\"success\",\"encrypted\":true}}\n");
	talk_play(r, "ldap", false, pretended, 3, 0);
	assert_says(r, "\"login\":\"password\"");
	talk_begin(r, "ldap", false);
	talk_feed(r, 0, BIND_SASL, sizeof(BIND_SASL) - 1);
	assert_says(r, "\"mechanism\":\"GSSAPI\"");
	assert_silent(r, "\"login\"");
	talk_feed(r, 0, "\0\0\0\5hello", 9);
	assert_says(r, "{\"ldap\":{\"encrypted\":true,\"unread\":true,\"control\":true}}\n");
	talk_finish(r);
}

static void changes_are_control(void **state)
{
	static const struct talk_piece in[] = {
		TALK_PIECE(0, "\x30\x0b\2\1\6\x4a\6o=ward"),		 /* delete */
		TALK_PIECE(0, "\x30\x0f\2\1\7\x66\x0a\4\6o=ward\x30\0"), /* modify */
		/* RFC 4532 */
		TALK_PIECE(0, "\x30\x1e\2\1\x08\x77\x19\x80\x17"
			      "1.3.6.1.4.1.4203.1.11.3"),
	};

	EXPECT(in, "{\"ldap\":{\"message_id\":6,\"operation\":\"del_request\","
		   "\"unencrypted\":true,\"control\":true}}\n"
		   "{\"ldap\":{\"message_id\":7,\"operation\":\"modify_request\","
		   "\"unencrypted\":true,\"control\":true}}\n"
		   "{\"ldap\":{\"message_id\":8,\"operation\":\"extended_request\"}}\n");
}

/* An entry of 100,000 bytes is passed over, whatever is in it. */
static void long_messages_are_passed_over(void **state)
{
	static uint8_t entry[100000];
	struct talk_piece pieces[] = {{1, entry, sizeof(entry)}, {1, DONE, sizeof(DONE) - 1}};

	memcpy(entry, "\x30\x84\0\1\x86\x9a\2\1\2\x64\x84\0\1\x86\x91\4\x06o=ward", 23);
	talk_play(r, "ldap", false, pieces, 2, 1000);
	assert_says(r, "search_result_done");
	assert_silent(r, "malformed");
}

static void nonsense_is_named(void **state)
{
	static const struct talk_piece wrong[] = {
		TALK_PIECE(0, "hello"),
		TALK_PIECE(0, BOUND),			 /* a server's */
		TALK_PIECE(1, SEARCH),			 /* a client's */
		TALK_PIECE(0, "\x30\5\2\1\1\x5f\0"),	 /* no operation */
		TALK_PIECE(0, "\x30\7\2\1\1\x60\2\2\0"), /* no version */
		TALK_PIECE(1, "\x30\5\2\1\1\x65\0"),	 /* no result */
		TALK_PIECE(0, "\x30\x89"
			      "12345678"),		   /* a length of nine bytes */
		TALK_PIECE(0, "\x30\7\2\1\1\x77\2\x81\0"), /* extended by nothing */
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		talk_play(r, "ldap", false, wrong + i, 1, 0);
		assert_says(r, "\"reason\":\"ldap.malformed\"");
		talk_seed("ldap", false, wrong + i, 1);
	}
}

static enum parse identify(unsigned end, uint16_t port, bool midstream, const char *data, size_t n)
{
	struct proto_input in = {.end = (uint8_t)end, .port = {4000, port}, .midstream = midstream};
	enum parse got;

	in.data = unit_exact(data, n);
	got = ldap_proto.probe(&in);
	free((void *)in.data.data);
	return got;
}

static void it_is_known_by_its_bytes(void **state)
{
	assert_int_equal(identify(0, 1389, false, BIND_NOBODY, sizeof(BIND_NOBODY) - 1), PARSE_OK);
	assert_int_equal(identify(0, 1389, true, BIND_NOBODY, sizeof(BIND_NOBODY) - 1), PARSE_BAD);
	assert_int_equal(identify(0, 389, true, BIND_NOBODY, sizeof(BIND_NOBODY) - 1), PARSE_OK);
	assert_int_equal(identify(0, 389, false, BIND_NOBODY, 4), PARSE_MORE);
	assert_int_equal(identify(1, 389, false, BOUND, sizeof(BOUND) - 1), PARSE_OK);
	assert_int_equal(identify(0, 389, false, BOUND, sizeof(BOUND) - 1), PARSE_BAD);
	/* SNMP over TCP. */
	assert_int_equal(identify(0, 161, false, "\x30\x0c\2\1\0\4\6public\xa0\0", 16), PARSE_BAD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_simple_bind_shows_its_password),
		cmocka_unit_test(entries_for_nobody_are_told),
		cmocka_unit_test(what_is_sealed_is_not_read),
		cmocka_unit_test(changes_are_control),
		cmocka_unit_test(long_messages_are_passed_over),
		cmocka_unit_test(nonsense_is_named),
		cmocka_unit_test(it_is_known_by_its_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
