#ifndef BEDWARDEN_ROLE_CONSOLE_H
#define BEDWARDEN_ROLE_CONSOLE_H
/*
 * The console: HTTPS for people and machines. It reads what the network sends
 * and decides nothing: every question goes to the keeper, over a pair of its
 * own (IPC_CALL), and so does every signature of a TLS handshake, over another.
 * No files, no keys, no rights; its listening sockets are the parent's gift.
 *
 *   bedwarden _console -u USER -a ADDRESS:PORT... [-n NAME...]
 *                      [-w IFINDEX...] -c CONNECTIONS -s PER_SOURCE -r REQUESTS -l SUBSCRIBERS
 *
 * By the interfaces after -w nobody comes in. fd 3 is its end of the parent's pair, 4 and on the sockets that listen, one for each -a.
 */
#define CONSOLE_IPC_FD	  3
#define CONSOLE_LISTEN_FD 4

int console_main(int argc, char **argv);

#endif
