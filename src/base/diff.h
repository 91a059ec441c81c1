#ifndef BEDWARDEN_BASE_DIFF_H
#define BEDWARDEN_BASE_DIFF_H
/*
 * What differs between two texts, line by line, in the unified format: "-" lines
 * of the first, "+" lines of the second, "@@ -FROM,COUNT +FROM,COUNT @@" before each
 * stretch, three lines of what is alike around it. The shortest such script
 * (Myers 1986, "An O(ND) Difference Algorithm"), as long as fewer than DIFF_EDITS
 * lines differ; past that everything between the first and the last difference counts
 * as replaced.
 */
#include "base/bytes.h"

#define DIFF_EDITS 1000

/* The caller's to free(), ended by a zero, "" where they are alike. NULL: no memory. */
char *diff_unified(struct bytes a, struct bytes b);

#endif
