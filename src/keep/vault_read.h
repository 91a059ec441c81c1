#ifndef BEDWARDEN_KEEP_VAULT_READ_H
#define BEDWARDEN_KEEP_VAULT_READ_H
/* The chunks of one object in order, for the vault's own files. */
#include "base/behind.h"
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

/*
 * A descriptor that is written to: sink_write() is a reading's `write`. What is long need not go
 * through the page cache, which costs more than opening it: a file of our own is written around
 * it (O_DIRECT) where the file system can, any other leaves it behind (base/behind.h).
 */
struct sink {
	int fd;
	bool direct;
	uint64_t written;
	struct behind behind;
};
/* A new file, whose flags are ours. */
struct sink sink_of_new(int fd);
int sink_write(void *arg, struct bytes data);

#endif
