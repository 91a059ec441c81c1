#include "people/auth/factor.h"

#include <string.h>

static const char *const names[FACTOR_COUNT] = {
	[FACTOR_PASSWORD] = "password", [FACTOR_TOTP] = "totp",
	[FACTOR_WEBAUTHN] = "webauthn", [FACTOR_SMS] = "sms",
	[FACTOR_RECOVERY] = "recovery",
};

const char *factor_name(enum factor f)
{
	return (unsigned)f < FACTOR_COUNT ? names[f] : "none";
}

bool factor_from_name(const char *name, enum factor *ret_f)
{
	for (unsigned i = 0; name && i < FACTOR_COUNT; i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		*ret_f = (enum factor)i;
		return true;
	}
	return false;
}

unsigned factor_aal(unsigned shown, bool bound)
{
	if (shown & FACTOR_ONLY(FACTOR_WEBAUTHN))
		return bound ? 3 : 2;
	/* Two things held are one kind of factor. */
	if (shown & FACTOR_ONLY(FACTOR_PASSWORD) && shown & FACTOR_SECOND)
		return 2;
	return shown ? 1 : 0;
}

bool factor_ready(unsigned enrolled)
{
	return factor_aal(enrolled, false) >= 2;
}

unsigned factor_next(unsigned shown, unsigned enrolled)
{
	unsigned next = 0;

	for (unsigned f = 0; f < FACTOR_COUNT; f++)
		if (enrolled & ~shown & FACTOR_ONLY(f) &&
		    factor_aal(shown | FACTOR_ONLY(f), false) >= 2)
			next |= FACTOR_ONLY(f);
	return next;
}
