#ifndef BEDWARDEN_ROLE_UPDATER_H
#define BEDWARDEN_ROLE_UPDATER_H
/*
 * The updater: asks mirrors for updates, now and then, and keeps what is verified in a folder of its
 * own, from which the installer takes it, verifying it again. It has no keys, sees no packet and
 * installs nothing on the gateway; besides its folder it can read /etc, and it starts connections.
 * Firmware it brings to devices (role/rolling.h). There is one where the site names mirrors, or a
 * device gets firmware.
 *
 *   bedwarden _updater -d FOLDER -u USER -r ROOT_FILE -i MINUTES -b KB_PER_SECOND
 *                      [-p UPDATES_DIR] [-m URL]... [-R ROLE]...
 *
 * fd 3 is its end of the parent's pair; IPC_UPDATER brings the keeper's. After each look, and when a
 * keeper is introduced, IPC_FETCHED says there what fetch/fetch.h says came of the last one, with
 * "next" (seconds since 1970, by today's clock) and "failures" in a row. An empty IPC_FETCHED from
 * there has it look at once. IPC_FIRMWARE says which devices get firmware, IPC_AGENTS brings the
 * link's socket, from which IPC_AGENT brings conversations with agents.
 */
int updater_main(int argc, char **argv);

#endif
