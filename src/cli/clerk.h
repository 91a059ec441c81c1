#ifndef BEDWARDEN_CLI_CLERK_H
#define BEDWARDEN_CLI_CLERK_H
/*
 * The clerk: runs one command for somebody who asked by the API (role/errand.h), and
 * answers with what it printed. It has no network but the gateway's own socket, and of root's rights that
 * of reading; what it writes is what the command writes.
 *
 *   bedwarden _clerk WORD...
 *
 * fd 3 is its end of the parent's pair, fd 4 becomes standard input.
 */
int clerk_main(int argc, char **argv);

#endif
