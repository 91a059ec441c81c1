#ifndef BEDWARDEN_ROLE_GUARD_H
#define BEDWARDEN_ROLE_GUARD_H
/*
 * A guard: receives on one queue of every port, judges, forwards. Started by
 * the parent as `bedwarden _guard N` with their pair on descriptor 3. Takes its
 * instructions, opens what it needs, then gives up every right it has but to go
 * on: no files, no further sockets, few system calls.
 *
 * Before it says IPC_READY its floor already beats a heart, so that a restart
 * leaves no gap but the one between the old guard's sockets and the new ones; the
 * kernel's floor bridges that by each device's fail mode.
 */
int guard_main(int argc, char **argv);

#endif
