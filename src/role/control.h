#ifndef BEDWARDEN_ROLE_CONTROL_H
#define BEDWARDEN_ROLE_CONTROL_H
/*
 * The control socket, RUN_DIR/control, as the parent makes it: for root and the
 * gateway's own group, and kept open while keepers come and go, so that who asks
 * meanwhile waits instead of being refused. One gateway per RUN_DIR.
 */
struct control {
	int sock; /* listening */
	int lock;
};

/* 0; -EBUSY where another gateway runs from this directory; -EPERM where others than root may put
 * something in its place; -errno. */
int control_open(const char *run_dir, struct control *ret_control);
void control_close(struct control *c, const char *run_dir);

#endif
