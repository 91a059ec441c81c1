/* Agents of devices: who proved its name goes on to the updater, in the clear. */
#include <errno.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "role/link.h"
#include "seal/pki/tls.h"

void agent_peer(struct link *l, int sock)
{
	if (l->updater >= 0)
		close(l->updater);
	l->updater = sock;
}

int agent_serve(void *arg, int fd, const uint8_t from[16], struct bytes certificate)
{
	struct link *l = arg;
	const uint8_t *at = certificate.data;
	char name[128] = "";
	X509 *x = certificate.len ? d2i_X509(NULL, &at, (long)certificate.len) : NULL;
	int err;

	if (x)
		tls_name(x, name, sizeof(name));
	X509_free(x);
	if (!*name)
		return -EACCES;
	if (l->updater < 0)
		return -ENOTCONN; /* it calls again */
	err = ipc_send(l->updater, IPC_AGENT, 0,
		       (struct bytes){(const uint8_t *)name, strlen(name)}, fd);
	if (err == -EPIPE)
		agent_peer(l, -1);
	if (err == 0)
		close(fd); /* it is the updater's now */
	return err;
}
