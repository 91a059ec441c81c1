#ifndef BEDWARDEN_DEMO_REPLAY_H
#define BEDWARDEN_DEMO_REPLAY_H
/*
 * What is left of the demonstration where not even namespaces are permitted:
 * `bedwarden inspect --inline` on a capture of the same ward under the same
 * attacks (demo/ward.pcapng, both ports of the gateway). It shows what the
 * engine makes of them; it measures nothing, so it never counts as passed.
 */
#include <stdbool.h>

/* Says what was found, for people or as {"attacks":[],"transfers":[],"replayed":[…]}.
 * `dir` takes its files. 0 where the capture could be judged; else -errno. */
int replay_run(const char *dir, bool json);

#endif
