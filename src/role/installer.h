#ifndef BEDWARDEN_ROLE_INSTALLER_H
#define BEDWARDEN_ROLE_INSTALLER_H
/*
 * The installer: verifies what the updater fetched or a stick brought, and puts it in place
 * (update/place/install.h). It is root, for what it writes is root's alone, but has no capability, no
 * network, and of the file system the updater's folder to read and updates.dir to write. The
 * parent starts it when something is to be installed or looked at; it ends when that is done.
 *
 *   bedwarden _installer -d UPDATES_DIR -r ROOT_FILE -V RUNNING [-R ROLE]...
 *
 * fd 3 is its end of the parent's pair, fd 4 the updater's folder where there is one. One IPC_INSTALL
 * tells it what, {"targets":[name]}; it answers by one: struct installer_head, then JSON.
 */
#include <stdint.h>

struct installer_head {
	uint32_t before, now; /* as struct install_sets */
};

int installer_main(int argc, char **argv);

#endif
