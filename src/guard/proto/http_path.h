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

/*
 * How long the path is that the target has; it begins with a slash. Whole segments that
 * find no room are left out at its end. 0: the target is read as it is written (repeated
 * slashes aside), or has no path.
 */
size_t http_path_read(struct bytes target, uint8_t ret_path[HTTP_PATH_MAX]);

#endif
