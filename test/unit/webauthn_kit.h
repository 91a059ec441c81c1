#ifndef BEDWARDEN_TEST_UNIT_WEBAUTHN_KIT_H
#define BEDWARDEN_TEST_UNIT_WEBAUTHN_KIT_H
/*
 * A passkey's registration and its use, as webauthn.h judges them, in heap blocks of their exact
 * size.
 */
#include "passkey.h"

#include "people/auth/webauthn.h"

#define assert_fault(got, want) assert_string_equal(webauthn_fault_name(got), #want)

static inline enum webauthn_fault try_register(const struct webauthn_want *w, struct bytes id,
					       struct bytes client, struct bytes object,
					       struct webauthn_credential *ret_c)
{
	struct bytes a = unit_exact(id.data, id.len), b = unit_exact(client.data, client.len),
		     c = unit_exact(object.data, object.len);
	enum webauthn_fault fault = webauthn_register(w, a, b, c, ret_c);

	free((void *)a.data);
	free((void *)b.data);
	free((void *)c.data);
	return fault;
}

static inline enum webauthn_fault try_assert(const struct webauthn_want *w,
					     const struct webauthn_credential *c,
					     struct bytes client, struct bytes auth,
					     struct bytes sig, struct webauthn_use *ret_use)
{
	struct bytes a = unit_exact(client.data, client.len), b = unit_exact(auth.data, auth.len),
		     s = unit_exact(sig.data, sig.len);
	enum webauthn_fault fault = webauthn_assert(w, c, a, b, s, ret_use);

	free((void *)a.data);
	free((void *)b.data);
	free((void *)s.data);
	return fault;
}

#endif
