#ifndef BEDWARDEN_DEMO_WEAKNESS_H
#define BEDWARDEN_DEMO_WEAKNESS_H
/*
 * A weakness that its maker knows of and cannot mend yet: the CT scanner's service page obeys whoever asks, and the
 * policy has to allow that page, for the service needs it. An advisory (CSAF 2.0) names scanner, version
 * and port; `bedwarden update` finds that it is this ward's scanner and what would shield it.
 */
#include "demo/attacker.h"
#include "demo/gateway.h"

#define WEAKNESS_PORT	  8080
#define WEAKNESS_ADVISORY "CT-2026-0001"
/* The scanner, as the policy has it. */
#define WEAKNESS_VENDOR	 "Demo Imaging"
#define WEAKNESS_MODEL	 "Tomograph 5"
#define WEAKNESS_VERSION "2.1"

/* The scanner's service page; counts board->commands that it obeyed. */
int weakness_serve(void *board);
/* Somebody at the service's own machine has the victim obey. */
int weakness_exploit(void *arg);

/*
 * What a clinic does about the advisory, with the command line alone: asks whom it concerns, takes the shield that
 * the answer proposes, enforces it. 0; -errno with ret_why (96 bytes) where the answer was another.
 */
int weakness_shield(const struct gateway *g, const char *dir, char *ret_why);

#endif
