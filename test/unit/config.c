#include "unit.h"

#include <stdio.h>

#include "base/config.h"

static const char good[] =
	"segments:\n"
	"  - {name: icu, ward: eth1, hospital: eth0}\n"
	"hosts:\n"
	"  - {name: central-1, ip: [10.1.0.5], role: [central]}\n"
	"devices:\n"
	"  - {name: m1, segment: icu, mac: '00:09:fb:01:02:03', ip: [10.1.1.12],\n"
	"     starts: [{service: vital signs, proto: udp, port: [24105], peer: central}]}\n";

static struct config *parse(const char *text, struct config_error *ret_errors, size_t *ret_count)
{
	struct bytes in = unit_exact(text, strlen(text));
	struct config *c = config_parse("test.yaml", in, ret_errors, 32, ret_count);

	free((void *)in.data);
	return c;
}

static void defaults_are_filled_in(void **state)
{
	struct config_error errors[32];
	size_t count;
	struct config *c = parse(good, errors, &count);

	for (size_t i = 0; i < count; i++)
		print_message("%u:%u: %s\n", errors[i].line, errors[i].column, errors[i].text);
	assert_non_null(c);
	assert_string_equal(c->gateway.run_dir, "/run/bedwarden");
	assert_int_equal(c->gateway.flows, 262144);
	assert_int_equal(c->gateway.workers, 0);
	assert_int_equal(c->segments[0].mode, GATE_ENFORCE);
	assert_true(c->segments[0].block_strangers && c->segments[0].block_binding);
	assert_false(c->segments[0].isolated);
	assert_int_equal(c->devices[0].starts[0].action, GATE_INSPECT);
	assert_null(c->devices[0].mode);
	assert_string_equal(c->devices[0].profile, "");
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_filled_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
