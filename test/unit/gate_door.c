/* Doors in the floor: for whom they open, and that they shut by themselves. */
#include <pthread.h>

#include "gate_kit.h"

/* A door for data that somebody has come to is that conversation's alone; where it has ended, or is of
 * another one, the service's own range counts. */
static void a_door_that_was_met_is_of_who_met_it(void **state)
{
	struct gate_grant_row rows[] = {door(0x11, 6, 23, 23), door(0x11, 6, 20, 30)};
	uint32_t grant;

	need_kernel();
	rows[0].grant.flags = GATE_GRANT_MET;
	rows[0].grant.port_hi = 0x9c41; /* where telnet() comes from */
	assert_int_equal(gate_set_grants(gate, rows, 1), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	/* Beside it the same port may stand open for the next one. */
	rows[0].key.other = 0x9c41;
	rows[1] = door(0x11, 6, 23, 23);
	rows[1].grant.id = 8;
	assert_int_equal(gate_set_grants(gate, rows, 2), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	rows[1] = door(0x11, 6, 20, 30);
	rows[0].key.other = rows[0].grant.port_hi = 0x9c40;
	assert_int_equal(gate_set_grants(gate, rows, 1), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_GRANT_ENDED);
	assert_int_not_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	rows[1].grant.id = 8;
	assert_int_equal(gate_set_grants(gate, rows, 2), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 8);
	rows[0].grant.flags = 0;
	rows[0].key.other = 0;
	rows[0].grant.port_hi = 23;
	rows[0].grant.until_ns = clock_boot_ns() - 1;
	assert_int_equal(gate_set_grants(gate, rows, 2), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 8);
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
}

/* Somebody comes, and the door that stood open becomes his alone: no packet of his finds neither. */
static void *sends(void *arg)
{
	uint32_t refused = 0, grant;

	for (unsigned i = 0; i < 20000; i++)
		refused += reason_of(5, 5, 16, &grant) != REASON_NONE;
	return (void *)(uintptr_t)refused;
}

static void one_door_takes_anothers_place(void **state)
{
	static struct gate_grant_row many[GATE_GRANTS];
	struct gate_grant_row open = door(0x11, 6, 23, 23), met = open;
	pthread_t who;
	void *refused;
	uint32_t grant;

	need_kernel();
	met.grant.flags = GATE_GRANT_MET;
	met.key.other = met.grant.port_hi = 0x9c41;
	assert_int_equal(gate_set_grants(gate, &open, 1), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(pthread_create(&who, NULL, sends, NULL), 0);
	while (pthread_tryjoin_np(who, &refused)) {
		assert_int_equal(gate_set_grants(gate, &met, 1), 0);
		assert_int_equal(gate_set_grants(gate, &open, 1), 0);
	}
	assert_null(refused);
	for (unsigned n = 0; n < 2; n++) {
		for (unsigned i = 0; i < GATE_GRANTS; i++)
			many[i] = door(0x11, 6, (uint16_t)(1024 + n * GATE_GRANTS + i),
				       (uint16_t)(1024 + n * GATE_GRANTS + i));
		assert_int_equal(gate_set_grants(gate, many, GATE_GRANTS), 0);
	}
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
}

/* A door opens, for nobody but that workstation, and shuts by itself: in the kernel, with nobody
 * there to shut it. */
static void a_door_opens_and_shuts(void **state)
{
	struct gate_grant_row row = door(0x11, 6, 23, 23), held[GATE_GRANTS];
	uint32_t grant;

	need_kernel();
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
	assert_int_not_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(gate_grants(gate, held), 1);
	assert_memory_equal(held, &row, sizeof(row));
	/* The one beside it: another address; the same one from another machine. */
	assert_int_not_equal(reason_of(6, 6, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	assert_int_not_equal(reason_of(6, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	/* Another machine neither joins nor ends the conversation. */
	assert_int_equal(reason_of(6, 5, 16, &grant), REASON_POLICY_PEER_NOT_ALLOWED);
	assert_int_equal(reason_of(6, 5, 2, &grant), REASON_POLICY_PEER_NOT_ALLOWED);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	/* Under another grant an old conversation does not go on; a new one begins. */
	row.grant.id = 8;
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_GRANT_ENDED);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 8);
	/* A new policy leaves it open. */
	renew(3);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	assert_int_equal(grant, 8);
	row.grant.until_ns = clock_boot_ns() + 30 * NSEC_PER_MSEC;
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_NONE);
	usleep(40000);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_GRANT_ENDED);
	assert_int_not_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	/* What was refused meanwhile is let in by the next door. */
	assert_int_not_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	row.grant.id = 9;
	row.grant.until_ns = clock_boot_ns() + NSEC_PER_SEC;
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 9);
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
}

/* From the pump's port 20 to that one of the server, or `back`. */
static enum reason data_reason(uint8_t mac, uint16_t port, uint8_t flags, bool back,
			       uint32_t *ret_grant)
{
	struct gate_verdict v;
	uint8_t f[54], other[54];

	telnet(f, mac, 5, flags);
	f[34] = (uint8_t)(port >> 8);
	f[35] = (uint8_t)port;
	f[37] = 20;
	memcpy(other, f, sizeof(f));
	memcpy(other, f + 6, 6);
	memcpy(other + 6, f, 6);
	memcpy(other + 26, f + 30, 4);
	memcpy(other + 30, f + 26, 4);
	memcpy(other + 34, f + 36, 2);
	memcpy(other + 36, f + 34, 2);
	run((struct bytes){back ? f : other, 54}, back ? hospital : ward, &v);
	*ret_grant = v.grant;
	return v.reason == REASON_FLOOR_NO_GUARD ? REASON_NONE : v.reason;
}

/* Data that the workstation asked for: the pump begins, at that port of that machine alone. */
static void a_door_that_the_device_begins(void **state)
{
	struct gate_grant_row row = door(0x11, 6, 40001, 40001);
	uint32_t grant;

	need_kernel();
	row.key.kind = GATE_DOOR_BACK;
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
	assert_int_not_equal(data_reason(5, 40001, 2, false, &grant), REASON_NONE);
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	/* It is none for the workstation to begin by, */
	assert_int_not_equal(data_reason(5, 40001, 2, true, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	/* nor to another port or to another machine with its address. */
	assert_int_not_equal(data_reason(5, 40002, 2, false, &grant), REASON_NONE);
	assert_int_not_equal(data_reason(6, 40001, 2, false, &grant), REASON_NONE);
	assert_int_equal(grant, 0);
	assert_int_equal(data_reason(5, 40001, 2, false, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(data_reason(5, 40001, 2 | 16, true, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(data_reason(5, 40001, 16, false, &grant), REASON_NONE);
	assert_int_equal(data_reason(5, 40001, 16, true, &grant), REASON_NONE);
	assert_int_equal(data_reason(6, 40001, 16, true, &grant), REASON_POLICY_PEER_NOT_ALLOWED);
	/* An entry that was evicted meanwhile cuts nothing, whoever speaks first. */
	renew(4);
	assert_int_equal(data_reason(5, 40001, 16, true, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(data_reason(5, 40001, 16, false, &grant), REASON_NONE);
	/* With its grant it ends, in both directions. */
	row.grant.until_ns = clock_boot_ns() - 1;
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(data_reason(5, 40001, 16, false, &grant), REASON_GRANT_ENDED);
	assert_int_equal(data_reason(5, 40001, 16, true, &grant), REASON_GRANT_ENDED);
	assert_int_not_equal(data_reason(5, 40001, 2, false, &grant), REASON_NONE);
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_door_opens_and_shuts),
		cmocka_unit_test(a_door_that_was_met_is_of_who_met_it),
		cmocka_unit_test(one_door_takes_anothers_place),
		cmocka_unit_test(a_door_that_the_device_begins),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
