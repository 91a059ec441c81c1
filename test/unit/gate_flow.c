/* What the floor remembers of single conversations: bypassed ones, and blocked ones. */
#include "gate_kit.h"

static struct gate_flow_key number_key(uint8_t device, uint16_t sport)
{
	struct gate_ip src = {.b = {[10] = 255, 255, 10, 1, 1, (uint8_t)(10 + device)}},
		       dst = {.b = {[10] = 255, 255, 10, 1, 0, 5}};
	struct gate_flow_key key;

	gate_flow_key_make(&key, 0, 0, 17, &src, sport, &dst, 9001);
	return key;
}

static enum gate_action number_action(uint8_t device, uint16_t sport, enum reason *ret_reason)
{
	struct bytes f = number(device, 100);
	struct gate_verdict v;

	((uint8_t *)(uintptr_t)f.data)[34] = (uint8_t)(sport >> 8);
	((uint8_t *)(uintptr_t)f.data)[35] = (uint8_t)sport;
	run(f, ward, &v);
	free((void *)(uintptr_t)f.data);
	*ret_reason = v.reason;
	return v.reason == REASON_FLOOR_NO_GUARD ? GATE_INSPECT : v.action;
}

/* A guard has read enough: the kernel lets it pass and counts, until the time is over, the guard
 * says so, a new policy comes, or it is blocked. */
static void a_bypassed_conversation_passes_and_is_counted(void **state)
{
	const struct gate_flow_key key = number_key(2, 41000);
	uint64_t later = clock_mono_ns() + 60 * NSEC_PER_SEC;
	struct gate_count passed[2] = {{0}};
	struct gate_flow flow;
	enum reason why;

	need_kernel();
	renew(20);
	set_heart(0);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), -ENOENT);
	assert_int_equal(number_action(2, 41000, &why), GATE_INSPECT);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), 0);
	assert_int_equal(passed[0].packets + passed[1].packets, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(number_action(2, 41000, &why), GATE_PASS);
	/* Its neighbour is not. */
	assert_int_equal(number_action(2, 41001, &why), GATE_INSPECT);
	/* The guard wants to see it again. */
	assert_int_equal(gate_flow_bypass(gate, &key, 0, &flow, passed), 0);
	assert_int_equal(passed[0].packets + passed[1].packets, 5);
	assert_int_equal(passed[0].bytes + passed[1].bytes, 500);
	assert_int_equal(number_action(2, 41000, &why), GATE_INSPECT);
	/* Its time is over. */
	assert_int_equal(
		gate_flow_bypass(gate, &key, clock_mono_ns() + 20 * NSEC_PER_MSEC, &flow, passed),
		0);
	assert_int_equal(number_action(2, 41000, &why), GATE_PASS);
	usleep(25000);
	assert_int_equal(number_action(2, 41000, &why), GATE_INSPECT);
	/* A new policy judges anew. */
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), 0);
	assert_int_equal(passed[0].packets + passed[1].packets, 6);
	assert_true(flow.flags & GATE_FLOW_BYPASSED);
	renew(21);
	assert_int_equal(number_action(2, 41000, &why), GATE_INSPECT);
	/* A block ends it, and what is blocked is not bypassed. */
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), 0);
	assert_int_equal(gate_flow_block(gate, &key, REASON_FLOOD, clock_mono_ns(), later), 0);
	assert_int_equal(number_action(2, 41000, &why), GATE_DROP);
	assert_int_equal(why, REASON_POLICY_FLOW_BLOCKED);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), -ENOENT);
}

/* Under a grant nothing is bypassed; of TCP what begins and ends it goes to a guard in any case. */
static void a_bypass_hides_no_end_and_no_grant(void **state)
{
	struct gate_grant_row row = door(0x11, 6, 23, 23);
	struct gate_ip src = {.b = {[10] = 255, 255, 10, 1, 0, 5}},
		       dst = {.b = {[10] = 255, 255, 10, 1, 1, 11}};
	uint64_t later = clock_mono_ns() + 60 * NSEC_PER_SEC;
	struct gate_count passed[2];
	struct gate_flow flow;
	struct gate_flow_key key;
	struct gate_verdict v;
	uint8_t frame[54];
	uint32_t grant;

	need_kernel();
	renew(22);
	gate_flow_key_make(&key, 0, 0, 6, &src, 0x9c41, &dst, 23);
	assert_int_equal(gate_set_grants(gate, &row, 1), 0);
	assert_int_equal(reason_of(5, 5, 2, &grant), REASON_NONE);
	assert_int_equal(grant, 7);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), -ENOENT);
	assert_int_equal(gate_set_grants(gate, NULL, 0), 0);
	assert_int_equal(reason_of(5, 5, 16, &grant), REASON_GRANT_ENDED);

	/* Port 9001: by policy, inspected where the mode is soft; here it passes by rule. */
	gate_flow_key_make(&key, 0, 0, 6, &src, 0x9c41, &dst, 9001);
	telnet(frame, 5, 5, 2);
	frame[36] = 9001 >> 8;
	frame[37] = 9001 & 255;
	run((struct bytes){frame, 54}, hospital, &v);
	assert_int_equal(v.action, GATE_PASS);
	assert_int_equal(gate_flow_bypass(gate, &key, later, &flow, passed), -ENOENT);
}

/* A blocked conversation outlives a flood of new ones, wherever they come to lie. */
static void a_block_outlives_a_flood(void **state)
{
	const struct gate_flow_key key = number_key(2, 999), known = number_key(2, 1000);
	uint64_t now = clock_mono_ns(), until = now + 600 * NSEC_PER_SEC;
	char why_not[256] = "";
	struct gate_options few = {.flows = 1024};
	enum reason why;

	need_kernel();
	gate_close(gate, true);
	gate = gate_open(dir, &few, why_not);
	assert_non_null(gate);
	renew(23);
	set_heart(0);
	assert_int_equal(gate_flow_block(gate, &key, REASON_FLOOD, now, until), 0);
	assert_int_equal(number_action(2, 1000, &why), GATE_INSPECT);
	assert_int_equal(gate_flow_block(gate, &known, REASON_FLOOD, now, until), 0);
	for (unsigned i = 0; i < 20000; i++)
		assert_int_equal(number_action(2, (uint16_t)(2000 + i), &why), GATE_INSPECT);
	assert_int_equal(number_action(2, 999, &why), GATE_DROP);
	assert_int_equal(why, REASON_POLICY_FLOW_BLOCKED);
	assert_int_equal(number_action(2, 1000, &why), GATE_DROP);
	assert_int_equal(why, REASON_POLICY_FLOW_BLOCKED);
	/* Taken over by the next one, with its secret: nothing is lost. */
	gate_close(gate, false);
	gate = gate_open(dir, &few, why_not);
	assert_non_null(gate);
	assert_int_equal(number_action(2, 999, &why), GATE_DROP);
	assert_int_equal(why, REASON_POLICY_FLOW_BLOCKED);
	/* With the usual number of them it begins anew. */
	gate_close(gate, false);
	gate = gate_open(dir, NULL, why_not);
	assert_non_null(gate);
	renew(24);
	assert_int_equal(number_action(2, 999, &why), GATE_INSPECT);
}

static uint32_t program_number(void)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(gate->program, &info, &len), 0);
	return info.id;
}

/* Of the program that the next gateway runs, over the same directory. */
static uint32_t number_of_next(const struct gate_options *o)
{
	char why_not[256] = "";

	gate_close(gate, false);
	gate = gate_open(dir, o, why_not);
	assert_non_null(gate);
	renew(25);
	return program_number();
}

/* The verifier reads a release's program once: who comes next takes it, while it uses the same maps. */
static void a_program_is_taken_over(void **state)
{
	struct gate_options few = {.flows = 2048};
	char path[300];
	uint32_t first, other;
	enum reason why;

	need_kernel();
	first = number_of_next(NULL);
	assert_int_equal(number_of_next(NULL), first);
	assert_int_equal(number_action(2, 1001, &why), GATE_INSPECT);
	other = number_of_next(&few);
	assert_int_not_equal(other, first);
	assert_int_equal(number_of_next(&few), other);
	/* A map that somebody else put in another's place is none it uses. */
	snprintf(path, sizeof(path), "%s/learned", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_not_equal(number_of_next(&few), other);
	assert_int_equal(number_action(2, 1001, &why), GATE_INSPECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bypassed_conversation_passes_and_is_counted),
		cmocka_unit_test(a_bypass_hides_no_end_and_no_grant),
		cmocka_unit_test(a_block_outlives_a_flood),
		cmocka_unit_test(a_program_is_taken_over),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
