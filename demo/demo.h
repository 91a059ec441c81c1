#ifndef BEDWARDEN_DEMO_DEMO_H
#define BEDWARDEN_DEMO_DEMO_H
/*
 * The demonstration: a ward out of network namespaces, attacked twice, without
 * and with Bedwarden. Everything it makes lives in namespaces of its own and
 * in one folder under /tmp, and goes with it.
 */
#include <stdbool.h>

struct demo_options {
	bool headless; /* no table while it runs; ends when it is through */
	bool json;
	int seconds; /* how long the guarded ward stays up; -1: until Ctrl-C, headless 0 */
};

/*
 * 0 only if every attack got through on the open network, every one was
 * stopped when guarded, and every transfer arrived intact; else 1, with one
 * line on stderr that says why.
 */
int demo_run(const struct demo_options *o);

#endif
