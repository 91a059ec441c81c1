#ifndef BEDWARDEN_SEAL_TREE_ATTRIBUTES_H
#define BEDWARDEN_SEAL_TREE_ATTRIBUTES_H
/*
 * What a file has besides mode and times: extended attributes of its users (xattr(7), "user.") and
 * an access control list (acl(5)).
 */
#include <stdbool.h>

/*
 * Copies them from one descriptor to another, which has the same mode already. Where the other file
 * system cannot keep them they are left out, or, `all`, -ENOTSUP; without its list a file grants its
 * group nothing, since the mode of one that has a list shows its mask there. 0 or -errno.
 */
int attributes_copy(int from, int to, bool all);

#endif
