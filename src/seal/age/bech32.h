#ifndef BEDWARDEN_SEAL_AGE_BECH32_H
#define BEDWARDEN_SEAL_AGE_BECH32_H
/*
 * Bech32, BIP 173, without its limit of 90 characters: how age writes keys.
 */
#include "base/bytes.h"

/* Characters of len bytes under a prefix, without the zero. */
#define BECH32_LEN(prefix_len, len) ((prefix_len) + 1 + ((len)*8 + 4) / 5 + 6)

/* `prefix` in lower case; the text gets a zero and needs BECH32_LEN + 1 bytes. `upper` writes
 * all of it in capitals. */
void bech32_write(const char *prefix, const void *data, size_t len, bool upper, char *ret_text);

/*
 * All in one case, whose checksum fits and whose prefix is `prefix` (given in
 * lower case). 0 and the length, at most max; -EINVAL.
 */
int bech32_read(const char *prefix, struct bytes text, uint8_t *ret_data, size_t max,
		size_t *ret_len);

#endif
