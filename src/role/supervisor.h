#ifndef BEDWARDEN_ROLE_SUPERVISOR_H
#define BEDWARDEN_ROLE_SUPERVISOR_H
/*
 * Runs the gateway, in whichever of its releases, and changes releases: `bedwarden supervise`, which
 * a service manager starts instead of `bedwarden run`. It stays while gateways come and go,
 * reads nothing but links and notes that are root's alone (update/place/place.h), and is of the
 * packaged version, which is known to work.
 *
 * A new release is first asked to read the policy file, while the old one still guards. Then the old
 * one ends in order, the kernel's floor goes on and keeps what must be inspected (doc/adr/0009),
 * the new one starts and has SUPERVISOR_PROVE_S to show that it guards, seals and
 * answers: `bedwarden _selfcheck` of this, the older, program judges that. If it does not, the one
 * before is started again. What is noted before each step makes a start after a crash, at any
 * moment, one of the release that last proved itself.
 *
 * The gateway's parent has the other end of a SOCK_SEQPACKET pair, its number in the environment
 * as SUPERVISOR_ENV, and says:
 *   "READY=1", "WATCHDOG=1"    handed on to the service manager
 *   "SWITCH=VERSION"           start that release; "SWITCH=": the packaged one
 *   "LINK=ADDRESS"             what its sealed links leave to the next gateway (role/bequest.h)
 * and is told "OUTCOME" when a change is decided, which is noted then, and SUPERVISOR_HEIR right before
 * it is asked to end because of one.
 *
 * It has both ends of another pair, too, their numbers in SUPERVISOR_HANDOVER_ENV: there one gateway's
 * relays leave their connections for the next one's. Between two lives of the
 * supervisor the service manager keeps that pair (sd_notify(3), FDSTORE).
 */
#define SUPERVISOR_ENV		"BEDWARDEN_SUPERVISOR"
#define SUPERVISOR_HANDOVER_ENV "BEDWARDEN_HANDOVER"
#define SUPERVISOR_HEIR		"HEIR" /* another release comes (ADR 49) */
#define SUPERVISOR_PROVE_S	25

struct supervisor_options {
	const char *config_file;
	const char *updates_dir;
};

/* Until it is told to stop by SIGTERM or SIGINT; the program's exit code. SIGHUP is handed on. */
int supervisor_run(const struct supervisor_options *o);

#endif
