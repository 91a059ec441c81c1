#ifndef BEDWARDEN_KEEP_AUDIT_INTERNAL_H
#define BEDWARDEN_KEEP_AUDIT_INTERNAL_H
/*
 * What the files of the audit trail share: audit.c appends and lists,
 * audit_chain.c reads lines and follows the chain, audit_checkpoint.c is about
 * checkpoints, audit_verify.c puts trail and checkpoints side by side.
 */
#include "keep/audit.h"

#define AUDIT_LOG_NAME	      "audit.log"
#define AUDIT_CHECKPOINT_NAME "audit.checkpoint"
#define AUDIT_HEAD	      (2 * CRYPTO_HASH + 1) /* bytes of a line before its object */

/* A way through the lines, from the first or from a place that was checked before. */
struct audit_chain {
	int fd;			   /* borrowed */
	uint64_t off;		   /* behind the last good line */
	uint64_t count;		   /* good lines so far */
	uint8_t hash[CRYPTO_HASH]; /* the last good line's; zeros before the first */
	uint8_t trail[CRYPTO_HASH];
	uint8_t *buf; /* AUDIT_LINE_MAX bytes and more, the chain's */
	size_t have, at;
	struct bytes row; /* the last good line's object, borrowed until the next call */
};

int audit_chain_begin(struct audit_chain *c, int fd); /* 0 or -ENOMEM */
void audit_chain_end(struct audit_chain *c);
/*
 * The next line: 1 it is there and follows from the one before; 0 the end; -EAGAIN a line
 * without its end; -EUCLEAN it does not follow, or is none; or -errno.
 */
int audit_chain_next(struct audit_chain *c);
/* SHA-256 over what a line is chained by. */
int audit_chain_hash(const uint8_t before[CRYPTO_HASH], struct bytes row,
		     uint8_t ret_hash[CRYPTO_HASH]);

/* Signs by `keys`; NULL or locked keys leave zeros. 0 or -errno. */
int audit_checkpoint_sign(struct audit_checkpoint *c, struct keys *keys);
/* Made by the holder of c->key, and whole. */
bool audit_checkpoint_valid(const struct audit_checkpoint *c);
/* Reads DIR's. 0; -ENOENT; -EBADMSG; -errno. */
int audit_checkpoint_read(const char *dir, struct audit_checkpoint *ret_c);

/* What a trail is held against: its own checkpoint and, it may be, one kept elsewhere. */
struct audit_proof {
	const uint8_t *key; /* whose checkpoints count; NULL: anybody's */
	int own_error;	    /* of audit_checkpoint_read() */
	struct audit_checkpoint own;
	const struct audit_checkpoint *elsewhere; /* NULL none */
};
/* Follows the chain to its end, telling `each` of every good line's place, and says what is to be
 * said. 0 or -errno: it could not be read. */
int audit_judge(struct audit_chain *c, const struct audit_proof *p,
		void (*each)(void *arg, uint64_t off), void *arg, struct audit_report *ret_report);

#endif
