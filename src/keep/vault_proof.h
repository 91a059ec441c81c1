#ifndef BEDWARDEN_KEEP_VAULT_PROOF_H
#define BEDWARDEN_KEEP_VAULT_PROOF_H
/*
 * Whether log and keyring tell the same of which keys were destroyed. The log's chain alone
 * does not tell that its last lines are missing, nor the keyring that it is an old one.
 */
#include "keep/vault_internal.h"

struct vault_proof {
	uint32_t unsaid; /* a key that is gone, and no line says so; 0: none is */
	uint32_t back;	 /* one that was destroyed, and is there again; 0: none is */
};

/* 0; -EUCLEAN the log was altered; or -errno. Not beside somebody who destroys. */
int vault_prove(struct vault *v, struct vault_proof *ret_proof);

#endif
