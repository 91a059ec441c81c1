#ifndef BEDWARDEN_GUARD_BYPASS_H
#define BEDWARDEN_GUARD_BYPASS_H
/* Which conversations the kernel was asked to let pass, and until when; bounded. */
struct bypasses;

/* NULL with errno ENOMEM. */
struct bypasses *bypasses_new(void);
void bypasses_free(struct bypasses *b);

#endif
