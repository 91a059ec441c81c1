#ifndef BEDWARDEN_BASE_CHECK_H
#define BEDWARDEN_BASE_CHECK_H
/*
 * What the schema cannot say: that names resolve, addresses and ports are
 * such, and nothing belongs to two. The outline gives what is wrong its place;
 * without one (NULL) errors have none.
 */
#include "base/outline.h"

/* The policy file itself; c->profiles are not looked at. */
void check_policy(const struct config *c, const struct outline *o, struct errors *e);
/* A profile, its name set. */
void check_profile(const struct config_profile *p, const struct outline *o, struct errors *e);
/* A profile's name is a file's: lower-case letters, digits and dashes. */
bool check_profile_name(const char *name);

#endif
