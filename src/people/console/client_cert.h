#ifndef BEDWARDEN_PEOPLE_CONSOLE_CLIENT_CERT_H
#define BEDWARDEN_PEOPLE_CONSOLE_CLIENT_CERT_H
/*
 * Certificates that workstations show the console (RFC 8446 §4.3.2): asked for, never needed to connect.
 * Who shows one shows one by an authority that the site names, or is not let in at all.
 */
#include <openssl/ssl.h>

#include "base/bytes.h"

#define CLIENT_CERT_PRINT 64  /* hexadecimal digits of its SHA-256 */
#define CLIENT_CERT_TEXT  256 /* those, a blank, its subject (RFC 4514) as far as there is room */

/* `pem`: the authorities. 0; -EBADMSG it holds none, or something else; -ENOMEM. */
int client_cert_ask(SSL_CTX *tls, struct bytes pem);
/* What was shown; false: nothing was. */
bool client_cert_text(const SSL *ssl, char ret_text[CLIENT_CERT_TEXT]);

#endif
