#ifndef BEDWARDEN_KEEP_VAULT_READ_H
#define BEDWARDEN_KEEP_VAULT_READ_H
/* The chunks of one object in order, for the vault's own files. */
#include "keep/vault_internal.h"

struct reading_options {
	const struct catalog_object *object;
	const uint8_t *key; /* the object's own */
	int pack;	    /* descriptor */
	int (*write)(void *arg, struct bytes data);
	void *arg;
	bool verify;
};

/* In one thread, by its own sealer. As vault_stream(). */
int reading_alone(struct sealer *s, const struct reading_options *o);
/* On all cores; `write` is called by one thread at a time, but not by the caller's. */
int reading_together(struct vault *v, const struct reading_options *o);

#endif
