#ifndef BEDWARDEN_ROLE_AMEND_H
#define BEDWARDEN_ROLE_AMEND_H
/*
 * The calls that read and change the policy. Its file is the parent's alone: the
 * keeper asks for its text, checks what somebody wants in its place, and hands
 * that to the parent, which takes it if the file still is what that somebody
 * had read, by its SHA-256. The second of two administrators is shown the difference.
 */
#include "base/ipc.h"

struct amends;
struct keeper;

#define AMEND_TEXT_MAX (1u << 20) /* bytes of a policy */

/* `config_file` is where the policy is, for the profiles around it; borrowed. */
struct amends *amends_new(const char *config_file); /* NULL: no memory */
void amends_free(struct amends *a);
/* What the parent answered. */
void amend_answer(struct keeper *k, struct ipc_message *m);

#endif
