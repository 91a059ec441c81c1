#ifndef BEDWARDEN_TEST_HTTP_KIT_H
#define BEDWARDEN_TEST_HTTP_KIT_H
/* One request, and perhaps its answer. */
#include "talk_case.h"

/* In any cut, what both ends say comes to `expected`. */
static void expect(const char *request, const char *response, const char *expected)
{
	struct talk_piece pieces[2] = {{0, request, strlen(request)}};

	if (response)
		pieces[1] = (struct talk_piece){1, response, strlen(response)};
	talk_expect("http", false, pieces, response ? 2 : 1, expected);
}

#endif
