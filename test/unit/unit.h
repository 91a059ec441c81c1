#ifndef BEDWARDEN_TEST_UNIT_H
#define BEDWARDEN_TEST_UNIT_H
/* What every unit test includes: cmocka, and inputs in heap blocks of their exact size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

/* A copy that ASan guards to the byte; free() its data. */
static inline struct bytes unit_exact(const void *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, data, len);
	return (struct bytes){copy, len};
}

#endif
