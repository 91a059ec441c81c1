#include "seal/age/identity.h"
#include "seal/age/recipient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Files of recipients and of identities; what was taken is written as it was read. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct age_identities *ids;
	struct age_recipients *to = age_recipients_new();
	char text[AGE_RECIPIENT_TEXT];
	struct bytes in = {data, len};
	unsigned line = 0;

	(void)age_recipients_read(to, in, &line);
	age_recipients_free(to);
	ids = age_identities_new();
	(void)age_identities_read(ids, in, &line);
	to = age_recipients_new();
	for (size_t i = 0; i < age_identities_count(ids); i++) {
		age_identity_recipient(ids, i, text);
		if (age_recipients_add(to,
				       (struct bytes){(const uint8_t *)text, sizeof(text) - 1}) < 0)
			__builtin_trap();
	}
	age_recipients_free(to);
	age_identities_free(ids);
	return 0;
}
