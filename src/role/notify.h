#ifndef BEDWARDEN_ROLE_NOTIFY_H
#define BEDWARDEN_ROLE_NOTIFY_H
/* Tells the service manager how things are: sd_notify(3), where NOTIFY_SOCKET is set. */
void notify_say(const char *state); /* "READY=1", "STATUS=…", "WATCHDOG=1", lines apart by \n */

/* From here on to this socket instead: a supervisor's, who hands it on. */
void notify_through(int sock);

#endif
