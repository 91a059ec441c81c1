#ifndef BEDWARDEN_UPDATE_ROLLOUT_PUSH_H
#define BEDWARDEN_UPDATE_ROLLOUT_PUSH_H
/*
 * Firmware for devices that take it from whoever brings it: by HTTP(S), SFTP or TFTP, to an
 * address that the policy gives. Such a device verifies nothing that we know of: the gateway has, and
 * the last hop is on trust.
 */
#include <stdbool.h>
#include <stdint.h>

#define PUSH_URL   512
#define PUSH_ERROR 256

struct push {
	char url[PUSH_URL];  /* http, https, sftp or tftp */
	char then[PUSH_URL]; /* asked for by GET or POST afterwards, as for a restart; "" nothing */
	bool post;	     /* HTTP: POST, not PUT; of `then`, too */
	char user[128], password[128];
	char ca[256]; /* PEM file of whom https is to trust; "" the system's */
	char host_key
		[64]; /* SFTP: "SHA256:…" of the host's key as ssh-keygen -l prints it; needed there */
	uint32_t seconds; /* for all of it, at most */
};

/*
 * Sends `length` bytes of `fd` from its start, and waits until the device has taken them; by SFTP
 * beside the name, which it gets when it is whole. HTTP succeeds with 2xx alone. From any thread. 0 or -errno, with ret_error said. `stop`, set by another thread, ends it with -ECANCELED.
 */
int push_run(const struct push *p, int fd, uint64_t length, const volatile bool *stop,
	     char ret_error[PUSH_ERROR]);

#endif
