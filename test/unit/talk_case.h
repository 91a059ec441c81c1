#ifndef BEDWARDEN_TEST_TALK_CASE_H
#define BEDWARDEN_TEST_TALK_CASE_H
/* What a parser says in a test: a record for each. */
#include "seed.h"

static struct talk_record *r;

static int setup(void **state)
{
	r = malloc(sizeof(*r));
	return 0;
}

static int teardown(void **state)
{
	free(r);
	return 0;
}

#endif
