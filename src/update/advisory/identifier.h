#ifndef BEDWARDEN_UPDATE_ADVISORY_IDENTIFIER_H
#define BEDWARDEN_UPDATE_ADVISORY_IDENTIFIER_H
/*
 * Names that machines gave: CPE (NISTIR 7695, the bound forms "cpe:2.3:…" and "cpe:/…") and package
 * URLs ("pkg:type/namespace/name@version"). Where two of them say the same it is the same product, for sure.
 */
#include <stdbool.h>

enum { IDENTIFIER_MAX = 128 };

struct identifier {
	char kind[16];		     /* "a", "o", "h" of a CPE; a purl's type */
	char vendor[IDENTIFIER_MAX]; /* a purl's namespace; "" none */
	char product[IDENTIFIER_MAX];
	char version[IDENTIFIER_MAX]; /* "" any, or not said */
	bool cpe;		      /* else a purl */
};

/* 0 or -EINVAL. What is said beyond these parts (edition, qualifiers) is not compared. */
int identifier_parse(const char *text, struct identifier *ret_id);
/* One product, whatever its version? */
bool identifier_same(const struct identifier *a, const struct identifier *b);

#endif
