#ifndef BEDWARDEN_ROLE_NOTIFY_H
#define BEDWARDEN_ROLE_NOTIFY_H
/* Tells the service manager how things are: sd_notify(3), where NOTIFY_SOCKET is set. */
void notify_say(const char *state); /* "READY=1", "STATUS=…", "WATCHDOG=1", lines apart by \n */

/* Gives it a descriptor to keep under that name while the service is started again (FDSTORE). */
void notify_keep(const char *name, int fd);
/* The one that it kept, close-on-exec; -1 none. Before anything else takes descriptors. */
int notify_kept(const char *name);

/* From here on to this socket instead: a supervisor's, who hands it on. */
void notify_through(int sock);

#endif
