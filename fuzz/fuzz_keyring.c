/*
 * A keyring file as somebody who can write to the disk would leave it: the fuzzer
 * gives everything but the sum at its end, which anybody can make.
 */
#include <assert.h>
#include <stdlib.h>

#include "keep/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t key[CRYPTO_KEY];
	struct bytes file = {malloc(len + CRYPTO_HASH), len + CRYPTO_HASH}, text, mac, again;
	struct mac *m = mac_new(key);
	struct keyring ring, same;

	assert(file.data && m);
	memcpy((uint8_t *)file.data, data, len);
	assert(crypto_sha256((struct bytes){data, len}, (uint8_t *)file.data + len) == 0);
	if (keyring_parse(file, &ring, &text, &mac) == 0) {
		/* Whatever is accepted is written again as the same bytes, but for the HMAC. */
		again.data = keyring_write(&ring, m, &again.len);
		assert(again.data && again.len == file.len);
		assert(memcmp(again.data, text.data, text.len) == 0);
		assert(keyring_parse(again, &same, &text, &mac) == 0);
		for (uint32_t i = 0; i < ring.count; i++)
			assert(keyring_find(&ring, ring.entries[i].id) == &ring.entries[i]);
		keyring_free(&same);
		keyring_free(&ring);
		free((void *)again.data);
	}
	mac_free(m);
	free((void *)file.data);
	return 0;
}
