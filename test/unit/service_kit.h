#ifndef BEDWARDEN_TEST_SERVICE_KIT_H
#define BEDWARDEN_TEST_SERVICE_KIT_H
/* What one end says, and what is told of it. */
#include "talk_case.h"

static void expect(const char *proto, bool datagram, unsigned end, const void *data, size_t len,
		   const char *expected)
{
	struct talk_piece piece = {end, data, len};

	talk_expect(proto, datagram, &piece, 1, expected);
}

#endif
