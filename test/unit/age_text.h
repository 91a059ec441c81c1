#ifndef BEDWARDEN_TEST_AGE_TEXT_H
#define BEDWARDEN_TEST_AGE_TEXT_H
/* Texts of age files and keys. */
#include "unit.h"

/* The pair that the specification shows. */
#define SPEC_IDENTITY  "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
#define SPEC_RECIPIENT "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

#define V      "age-encryption.org/v1\n"
#define MAC43  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define LINE64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static inline struct bytes text_of(const char *s)
{
	return (struct bytes){(const uint8_t *)s, strlen(s)};
}

#endif
