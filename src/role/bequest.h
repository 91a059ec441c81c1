#ifndef BEDWARDEN_ROLE_BEQUEST_H
#define BEDWARDEN_ROLE_BEQUEST_H
/*
 * What the sealed links of a gateway that makes way for another release leave to that one: the memory with
 * their keys (ADR 37) and the socket in which waits what peers send meanwhile. The old parent tells its
 * supervisor, that gives it to the new parent; nobody in between looks into it, and after the
 * change nobody in between has it (ADR 49).
 */
#include <stdbool.h>
#include <sys/types.h>

struct bequest {
	int keys, sock; /* descriptors; -1 none */
	char at[64];	/* where the socket is bound, as the policy file has it */
};
#define BEQUEST_NONE       \
	{                  \
		-1, -1, "" \
	}

/* Tells the supervisor. The descriptors stay the caller's. 0 or -errno. */
int bequest_tell(const struct bequest *b, int sock);
/* A word of a gateway's, with a 0 behind it, and what descriptors came with it (-1 none), the caller's. Its
 * length; 0 it is gone; -errno. */
ssize_t bequest_hear(int sock, char *ret_word, size_t size, int ret_fds[2]);
/* If that is what the word is, what came with it is ours from now on (-1 in `fds`), instead of an earlier one. */
bool bequest_take(struct bequest *b, const char *word, int fds[2]);
void bequest_drop(struct bequest *b);
/* For a child that gets it as those descriptors. 0 or -errno. */
int bequest_name(const struct bequest *b, int keys, int sock);
/* What a parent was given, closed on exec; false: nothing, or not that. */
bool bequest_inherit(struct bequest *ret_b);

#endif
