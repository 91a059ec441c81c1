#ifndef BEDWARDEN_GUARD_PROTO_HTTP_PATH_H
#define BEDWARDEN_GUARD_PROTO_HTTP_PATH_H
/*
 * The path of a request as servers come to read it (RFC 3986 §6.2.2, and beyond
 * it as some do): without dots, parameters of segments, empty segments and a
 * scheme with its host; letters, digits, "-._~", slashes and percent signs are
 * not encoded, however often they were; a backslash is a slash.
 *
 * What is written in one way and read in another is how rules for paths are
 * passed by: "/results/..;/%61dmin" is "/admin".
 */
#include "base/bytes.h"

#define HTTP_PATH_MAX 1024

/* Where the path begins of a target that names a scheme and a host (RFC 9112 §3.2.2); 0: it does not. */
size_t http_path_at(struct bytes target);
/*
 * How long the path is that the target has; it begins with a slash. Whole segments that
 * find no room are left out at its end. 0: the target's path is read as it is written
 * (repeated slashes aside), or it has none. *ret_unsure: some servers take it for neither
 * of the two. That is a NUL in it, and ".." beside what makes a segment to some only:
 * "/results/../admin/..;/results/" is three paths.
 */
size_t http_path_read(struct bytes target, uint8_t ret_path[HTTP_PATH_MAX], bool *ret_unsure);

#endif
