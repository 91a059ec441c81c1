#ifndef BEDWARDEN_ROLE_KEEPER_H
#define BEDWARDEN_ROLE_KEEPER_H
/*
 * The keeper: the one process that touches the disk, and that answers people.
 * Takes events from guards and parent, keeps them (keep/store.h, keep/eve.h),
 * and serves the control socket. The parent starts it as root, with two
 * descriptors; it makes and owns state_dir, then gives everything else up.
 *
 *   bedwarden _keeper -d STATE_DIR -u USER [-e EVE_FILE] [-m ROTATE_MB] [-k KEEP] [-n EVENTS]
 *
 * fd 3 is its end of the parent's pair (base/ipc.h), fd 4 the control socket,
 * bound and listening. SIGHUP reopens the EVE file, IPC_STOP or SIGTERM ends it
 * after everything taken is stored.
 *
 * Of what it takes in, the store also reads (all optional):
 *   event_type "inventory" and binding.new_device carry an object "inventory":
 *     {"mac","name","vendor","profile","profile_reasons":[],"ips":[],"peers":[],"segment"}
 *   a whole number "count" on any event says how many times it happened since
 *   the last one like it (1 where it is missing).
 */
#define KEEPER_IPC_FD	  3
#define KEEPER_CONTROL_FD 4

int keeper_main(int argc, char **argv);

#endif
