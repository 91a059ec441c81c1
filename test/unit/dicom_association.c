/* DICOM associations: what is negotiated, in which order, and how they end. */
#include "dicom_kit.h"

/* Roles, window and identity are told; who it is and the passcode are not. */
static void negotiation_is_told_and_no_secret(void **state)
{
	static const char *const many[] = {JPEG, PRIVATE, NULL};
	static const uint8_t window[] = {0, 5, 0, 1};
	struct script *s = script_new();
	size_t at, user, sub;

	at = open_pdu(&s->w, 1);
	fixed(&s->w, "  ARCHIVE", "CT1");
	offer(&s->w, 5, CT, many);
	offer(&s->w, 255, PRIVATE, one);
	user = open_item(&s->w, 0x50);
	item(&s->w, 0x53, window, 4);
	sub = open_item(&s->w, 0x54);
	write_be16(&s->w, sizeof(CT) - 1);
	write_bytes(&s->w, CT, sizeof(CT) - 1);
	write_be16(&s->w, 1);
	fill(&s->w, sub, 2);
	sub = open_item(&s->w, 0x58);
	write_be16(&s->w, 0x0201);
	write_be16(&s->w, 5);
	write_bytes(&s->w, "alice", 5);
	write_be16(&s->w, 6);
	write_bytes(&s->w, "secret", 6);
	fill(&s->w, sub, 2);
	item(&s->w, 0x7f, "of later editions", 17);
	fill(&s->w, user, 2);
	text_item(&s->w, 0x66, "ignored");
	fill(&s->w, at, 4);
	say(s, 0, 0);
	say_short(s, 1, 3, 0x00010103);
	expect(s, "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RQ\"," TITLES
		  "\"user_identity\":\"username-and-passcode\","
		  "\"asynchronous_operations\":{\"invoked\":5,\"performed\":1},"
		  "\"presentation_contexts\":[{\"id\":5,\"abstract_syntax\":\"CT Image Storage\","
		  "\"transfer_syntaxes\":[\"JPEG Baseline (Process 1)\",\"" PRIVATE "\"],"
		  "\"scu\":false,\"scp\":true},{\"id\":255,\"abstract_syntax\":\"" PRIVATE "\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"]}]}}\n"
		  "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RJ\"," TITLES
		  "\"result\":\"rejected-permanent\",\"source\":\"service-user\","
		  "\"diagnostic\":\"calling-AE-title-not-recognized\"}}\n");
}

/* As many as a maker's own workstation offers, with roles; a name too long; no limit. */
static void makers_have_classes_of_their_own(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), user, sub;
	char uid[40];

	fixed(&s->w, "ARCHIVE", "CT1");
	for (uint8_t i = 0; i < 18; i++) {
		snprintf(uid, sizeof(uid), "1.3.46.670589.11.0.0.12.%u", i);
		offer(&s->w, (uint8_t)(2 * i + 1), uid, one);
	}
	user = open_item(&s->w, 0x50);
	item(&s->w, 0x51, "\0\0\0", 4);
	sub = open_item(&s->w, 0x54);
	write_be16(&s->w, (uint16_t)strlen(uid));
	write_bytes(&s->w, uid, strlen(uid));
	write_be16(&s->w, 0x0101);
	fill(&s->w, sub, 2);
	text_item(&s->w, 0x55, "WORKSTATION VERSION 12");
	fill(&s->w, user, 2);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "\"implementation_version\":\"WORKSTATION VERS\","));
	assert_non_null(strstr(r->said, "\"max_pdu_length\":0,"));
	assert_non_null(strstr(r->said,
			       "{\"id\":35,\"abstract_syntax\":\"1.3.46.670589.11.0.0.12.17\","
			       "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"],"
			       "\"scu\":true,\"scp\":true}"));
	free(s);
	free(r);
}

static void an_abort_says_whose_fault(void **state)
{
	struct script *s = script_new();

	associate(s, 32768);
	say_short(s, 1, 7, 0x00000202);
	expect(s,
	       ASSOCIATED "{\"dicom\":{\"pdu\":\"A-ABORT\"," TITLES
			  "\"source\":\"service-provider\",\"diagnostic\":\"unexpected-PDU\"}}\n");
}

/* All 128 contexts: the event says what has room, and how many had none. */
static void every_context_counts(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1);

	fixed(&s->w, "ARCHIVE", "CT1");
	for (unsigned id = 1; id < 256; id += 2)
		offer(&s->w, (uint8_t)id, CT, both);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 100);
	assert_non_null(strstr(r->said, "{\"id\":255,"));
	assert_null(strstr(r->said, "omitted"));
	free(s);
	free(r);
}

/* Lists and private UIDs beyond those that are kept: not told, and nothing else is lost. */
static void what_is_not_kept_is_not_told(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), from;

	fixed(&s->w, "ARCHIVE", "CT1");
	for (unsigned i = 0; i < 40; i++) {
		char uid[32], syntax[32];
		const char *const list[] = {syntax, IMPLICIT, NULL};

		snprintf(uid, sizeof(uid), "1.3.4.%u", i);
		snprintf(syntax, sizeof(syntax), "1.2.840.10008.1.2.4.%u", 50 + i % 17);
		offer(&s->w, (uint8_t)(2 * i + 1), uid, list);
	}
	fill(&s->w, at, 4);
	say(s, 0, 0);
	from = s->w.len;
	at = open_pdu(&s->w, 2);
	fixed(&s->w, "ARCHIVE", "CT1");
	for (unsigned i = 0; i < 40; i++)
		answer(&s->w, (uint8_t)(2 * i + 1), 0, IMPLICIT);
	fill(&s->w, at, 4);
	say(s, 1, from);
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "{\"id\":1,\"abstract_syntax\":\"1.3.4.0\","
					"\"transfer_syntaxes\":[\"Implicit VR Little Endian\","
					"\"JPEG Baseline (Process 1)\"]}"));
	assert_non_null(strstr(r->said, "{\"id\":67}"));
	assert_non_null(strstr(r->said, "\"1.3.4.17\""));
	assert_null(strstr(r->said, "\"1.3.4.18\""));
	assert_non_null(strstr(r->said, "{\"id\":67,\"result\":\"acceptance\","
					"\"transfer_syntax\":\"Implicit VR Little Endian\"}"));
	free(s);
	free(r);
}

static void broken_associations_are_refused(void **state)
{
	static const struct {
		const char *what;
		size_t len;
	} items[] = {
#define ITEM(bytes) {bytes, sizeof(bytes) - 1}
		ITEM("\x20\0\0\x08\2\0\0\0\x30\0\0\0"), /* an even number */
		ITEM("\x20\0\0\x04\1\0\0\0"),		/* no abstract syntax */
		ITEM("\x20\0\0\x03\1\0\0"),		/* too short */
		ITEM("\x20\0\0\x0b\1\0\0\0\x30\0\0\x04"
		     "1.2"), /* beyond its item */
		ITEM("\x20\0\0\x0b\1\0\0\0\x30\0\0\x03"
		     "1;2"), /* no UID */
		ITEM("\x20\0\0\x0b\1\0\0\0\x30\0\0\x03"
		     "1.2\x20\0\0\x0b\1\0\0\0\x30\0\0\x03"
		     "1.2"), /* one number twice */
		ITEM("\x20\0\0\x12\1\0\0\0\x30\0\0\x03"
		     "1.2\x30\0\0\x03"
		     "1.3"),				  /* two abstract syntaxes */
		ITEM("\x50\0\0\x08\x51\0\0\x05\0\0\0\0"), /* beyond user information */
		ITEM("\x50\0\0\x06\x51\0\0\x02\0\0"),	  /* too short a number */
		ITEM("\x50\0\0\x06\x58\0\0\x02\1\0"),	  /* no identity */
		ITEM("\x50\0\xff\xff"),			  /* beyond the PDU */
		ITEM("\x50\0\0"),			  /* no whole item */
	};

	for (unsigned i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		struct script *s = script_new();
		size_t at = open_pdu(&s->w, 1);

		fixed(&s->w, "ARCHIVE", "CT1");
		write_bytes(&s->w, items[i].what, items[i].len);
		fill(&s->w, at, 4);
		say(s, 0, 0);
		refused(s, "dicom.malformed");
	}
}

/* Titles that would write into a log or a terminal: told, and read on. */
static void titles_hold_no_control_characters(void **state)
{
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1);

	fixed(&s->w, "A\x1b[2J", "CT1");
	offer(&s->w, 1, VERIFICATION, one);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	say_short(s, 0, 7, 0);
	expect(s, "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RQ\",\"calling_ae\":\"CT1\","
		  "\"called_ae\":\"A\\u001b[2J\",\"presentation_contexts\":[{\"id\":1,"
		  "\"abstract_syntax\":\"Verification SOP Class\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"]}]},"
		  "\"reason\":\"dicom.malformed\"}\n"
		  "{\"dicom\":{\"pdu\":\"A-ABORT\",\"calling_ae\":\"CT1\","
		  "\"called_ae\":\"A\\u001b[2J\",\"source\":\"service-user\"}}\n");
}

static void role(struct writer *w, const char *uid, uint8_t scu, uint8_t scp)
{
	size_t at = open_item(w, 0x54);

	write_be16(w, (uint16_t)strlen(uid));
	write_bytes(w, uid, strlen(uid));
	write_u8(w, scu);
	write_u8(w, scp);
	fill(w, at, 2);
}

/* PS3.7 §D.3.3.4: a role holds for every context of its SOP class, and for no other one. */
static void a_role_is_of_a_sop_class(void **state)
{
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), user;

	fixed(&s->w, "ARCHIVE", "CT1");
	offer(&s->w, 1, CT, one);
	offer(&s->w, 3, VERIFICATION, one);
	offer(&s->w, 5, CT, one);
	offer(&s->w, 7, PRIVATE, one);
	user = open_item(&s->w, 0x50);
	role(&s->w, CT, 1, 0);
	role(&s->w, PRIVATE, 0, 1);
	role(&s->w, CT, 0, 1);
	fill(&s->w, user, 2);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	say_short(s, 1, 3, 0x00010103);
	expect(s, "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RQ\"," TITLES "\"presentation_contexts\":["
		  "{\"id\":1,\"abstract_syntax\":\"CT Image Storage\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"],"
		  "\"scu\":true,\"scp\":true},"
		  "{\"id\":3,\"abstract_syntax\":\"Verification SOP Class\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"]},"
		  "{\"id\":5,\"abstract_syntax\":\"CT Image Storage\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"],"
		  "\"scu\":true,\"scp\":true},"
		  "{\"id\":7,\"abstract_syntax\":\"" PRIVATE "\","
		  "\"transfer_syntaxes\":[\"Implicit VR Little Endian\"],"
		  "\"scu\":false,\"scp\":true}]}}\n"
		  "{\"dicom\":{\"pdu\":\"A-ASSOCIATE-RJ\"," TITLES
		  "\"result\":\"rejected-permanent\",\"source\":\"service-user\","
		  "\"diagnostic\":\"calling-AE-title-not-recognized\"}}\n");
}

/* The order of items says nothing: roles may come ahead of what they are for, and in two items. */
static void roles_may_come_first(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = script_new();
	size_t at = open_pdu(&s->w, 1), user;

	fixed(&s->w, "ARCHIVE", "CT1");
	user = open_item(&s->w, 0x50);
	role(&s->w, CT, 1, 0);
	role(&s->w, PRIVATE, 1, 1);
	fill(&s->w, user, 2);
	offer(&s->w, 1, CT, one);
	offer(&s->w, 3, PRIVATE, one);
	user = open_item(&s->w, 0x50);
	role(&s->w, CT, 0, 1);
	fill(&s->w, user, 2);
	fill(&s->w, at, 4);
	say(s, 0, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	for (unsigned i = 0; i < 2; i++) {
		const char *context = strstr(r->said, i ? "{\"id\":3" : "{\"id\":1");

		assert_non_null(context);
		context = strchr(context, ']');
		assert_memory_equal(context, "],\"scu\":true,\"scp\":true}", 24);
	}
	free(s);
	free(r);
}

static void order_is_kept(void **state)
{
	uint8_t buf[512], data[200] = {0};
	struct bytes echo = command(buf, VERIFICATION, 0x0030, 7, -1, false);
	uint8_t store_buf[512];
	struct bytes store = command(store_buf, CT, 0x0001, 7, -1, true);
	struct script *s;

	s = script_new(); /* a command before there is an association */
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = script_new();
	associate(s, 0);
	s->count = 1; /* and before it is accepted */
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = script_new();
	say_short(s, 0, 5, 0);
	refused(s, "dicom.out_of_order");
	s = script_new(); /* who asked does not answer */
	associate(s, 0);
	s->pieces[1].end = 0;
	refused(s, "dicom.out_of_order");
	s = associated();
	associate(s, 0);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_short(s, 1, 3, 0x00010101);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_short(s, 1, 6, 0);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_short(s, 0, 5, 0);
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_short(s, 0, 7, 0);
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = associated(); /* released once is enough */
	say_short(s, 0, 5, 0);
	say_short(s, 1, 6, 0);
	say_short(s, 1, 6, 0);
	refused(s, "dicom.out_of_order");
	s = associated(); /* a data set nobody announced */
	say_pdv(s, 0, 3, 2, (struct bytes){data, 200});
	refused(s, "dicom.out_of_order");
	s = associated(); /* a command within a data set */
	say_pdv(s, 0, 3, 3, store);
	say_pdv(s, 0, 3, 0, (struct bytes){data, 200});
	say_pdv(s, 0, 3, 3, store);
	refused(s, "dicom.out_of_order");
	s = associated(); /* another's fragment in between */
	say_pdv(s, 0, 3, 1, (struct bytes){store.data, 20});
	say_pdv(s, 0, 1, 3, echo);
	refused(s, "dicom.out_of_order");
	s = associated();
	say_pdv(s, 0, 3, 3, store);
	say_pdv(s, 0, 1, 2, (struct bytes){data, 200});
	refused(s, "dicom.out_of_order");
}

/* A client that asks to be released twice at once is answered twice. */
static void who_asks_twice_is_answered_twice(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	struct script *s = associated();

	say_short(s, 0, 5, 0);
	say_short(s, 0, 5, 0);
	say_short(s, 1, 6, 0);
	say_short(s, 1, 6, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_int_equal(r->last, PARSE_OK);
	assert_null(strstr(r->said, "reason"));
	say_short(s, 1, 6, 0);
	refused(s, "dicom.out_of_order");
	free(r);
}

/* What one end says while the other's abort is on its way (PS3.8 §9.2, Sta13). */
static void who_is_aborted_hears_of_it_later(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512], data[200] = {0};
	struct script *s = associated();
	struct talk_piece accepted;

	say_pdv(s, 0, 3, 3, command(buf, CT, 0x0001, 9, -1, true));
	say_short(s, 1, 7, 0);
	say_pdv(s, 0, 3, 2, (struct bytes){data, 200});
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_short(s, 0, 7, 0x0206);
	talk_play(r, "dicom", false, s->pieces, s->count, 5);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "C-ECHO-RQ"));
	assert_null(strstr(r->said, "reason"));
	free(s);
	s = script_new(); /* an acceptance that crosses it */
	associate(s, 0);
	say_short(s, 0, 7, 0);
	accepted = s->pieces[1];
	s->pieces[1] = s->pieces[2];
	s->pieces[2] = accepted;
	talk_play(r, "dicom", false, s->pieces, s->count, 0);
	assert_int_equal(r->last, PARSE_OK);
	assert_non_null(strstr(r->said, "A-ASSOCIATE-AC"));
	assert_null(strstr(r->said, "reason"));
	free(s);
	free(r);
}

/* Both ends may speak at once, and both may ask to be released. */
static void ends_do_not_disturb_each_other(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512], event_buf[512];
	struct bytes echo = command(buf, VERIFICATION, 0x0030, 7, -1, false);
	struct bytes event = command(event_buf, CT, 0x0100, 1, -1, false);
	struct script *s = associated();
	unsigned lines = 0;

	say_pdv(s, 0, 1, 1, (struct bytes){echo.data, 31});
	say_pdv(s, 1, 3, 1, (struct bytes){event.data, 11});
	say_pdv(s, 0, 1, 3, (struct bytes){echo.data + 31, echo.len - 31});
	say_pdv(s, 1, 3, 3, (struct bytes){event.data + 11, event.len - 11});
	say_short(s, 0, 5, 0);
	say_short(s, 1, 5, 0);
	say_short(s, 0, 6, 0);
	say_short(s, 1, 6, 0);
	talk_play(r, "dicom", false, s->pieces, s->count, 3);
	for (char *at = r->said; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 8);
	assert_non_null(strstr(r->said, "N-EVENT-REPORT-RQ"));
	assert_null(strstr(r->said, "reason"));
	free(s);
	free(r);
}

static void only_what_was_negotiated(void **state)
{
	struct talk_record *r = malloc(sizeof(*r));
	uint8_t buf[512];
	struct script *s = associated();
	size_t from, at;

	say_pdv(s, 0, 5, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
	expect(s, ASSOCIATED PART("P-DATA-TF") "\"command\":\"C-ECHO-RQ\",\"sop_class\":"
					       "\"Verification SOP Class\","
					       "\"sop_class_uid\":\"1.2.840.10008.1.1\","
					       "\"presentation_context\":5,"
					       "\"message_id\":7,\"data_set\":false},\"reason\":"
					       "\"dicom.not_negotiated\"}\n" ECHO_RQ);

	for (unsigned i = 0; i < 4; i++) {
		s = script_new();
		associate(s, 0);
		s->count = 1;
		from = s->w.len;
		at = open_pdu(&s->w, 2);
		fixed(&s->w, "ARCHIVE", "CT1");
		if (i == 0)
			answer(&s->w, 9, 0, IMPLICIT); /* a context that was not offered */
		if (i == 1)
			answer(&s->w, 1, 0, JPEG); /* a syntax that was not offered */
		if (i == 2)
			answer(&s->w, 1, 5, IMPLICIT); /* no result there is */
		if (i == 3)
			answer(&s->w, 1, 3, ""); /* not accepted, so its syntax means nothing */
		fill(&s->w, at, 4);
		say(s, 1, from);
		if (i < 3) {
			refused(s, i < 2 ? "dicom.not_negotiated" : "dicom.malformed");
			continue;
		}
		say_pdv(s, 0, 1, 3, command(buf, VERIFICATION, 0x0030, 7, -1, false));
		talk_play(r, "dicom", false, s->pieces, s->count, 0);
		assert_non_null(strstr(r->said, "\"result\":\"abstract-syntax-not-supported\"}"));
		assert_non_null(strstr(r->said, "\"reason\":\"dicom.not_negotiated\"}"));
		free(s);
	}
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(negotiation_is_told_and_no_secret),
		cmocka_unit_test(an_abort_says_whose_fault),
		cmocka_unit_test(every_context_counts),
		cmocka_unit_test(what_is_not_kept_is_not_told),
		cmocka_unit_test(broken_associations_are_refused),
		cmocka_unit_test(titles_hold_no_control_characters),
		cmocka_unit_test(a_role_is_of_a_sop_class),
		cmocka_unit_test(roles_may_come_first),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(ends_do_not_disturb_each_other),
		cmocka_unit_test(only_what_was_negotiated),
		cmocka_unit_test(makers_have_classes_of_their_own),
		cmocka_unit_test(who_asks_twice_is_answered_twice),
		cmocka_unit_test(who_is_aborted_hears_of_it_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
