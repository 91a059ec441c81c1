#ifndef BEDWARDEN_CLI_PKI_H
#define BEDWARDEN_CLI_PKI_H
/* bedwarden pki: the gateway's authority, by calls to the keeper (role/pki.h). */
int pki_run(int argc, char **argv);

#endif
