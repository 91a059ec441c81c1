#ifndef BEDWARDEN_ROLE_SURVEY_H
#define BEDWARDEN_ROLE_SURVEY_H
/*
 * The keeper's side of the surveyor: what was found last, and who waits for it to be found anew.
 */
#include "role/keeper.h"

struct surveys;

struct surveys *surveys_new(void); /* NULL: no memory */
void surveys_free(struct surveys *s);
/* The parent's answer, IPC_SURVEYED. */
void surveys_take(struct keeper *k, const struct ipc_message *m);
/* What was found holds no longer: another policy, other advisories, something accepted. */
void surveys_forget(struct keeper *k);

#endif
