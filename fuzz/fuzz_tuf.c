/*
 * Metadata of an update repository: the first byte chooses the role, the rest is the file. What is
 * read is asked everything that a client would ask before and after it knows who signed.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "update/tuf/canon.h"
#include "update/tuf/delegation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void ask_root(const struct tuf_metadata *m)
{
	for (unsigned i = 0; i < TUF_TYPES; i++) {
		struct tuf_signers by = tuf_root_signers(m, (enum tuf_type)i);

		assert(by.threshold >= 1);
		tuf_metadata_verify(m, &by, "x", NULL);
		assert(!tuf_root_rotated(m, m, (enum tuf_type)i));
	}
	tuf_root_consistent(m);
}

static void ask_targets(const struct tuf_metadata *m)
{
	static const char *const paths[] = {"", "a/b.bin", "pump/fw-1.0.bin", "x"};
	json_t *delegations = json_object_get(m->body, "delegations");
	struct tuf_delegation d;
	struct tuf_file f;
	const char *key;
	json_t *entry;

	json_object_foreach (json_object_get(m->body, "targets"), key, entry)
		tuf_file_of_target(entry, &f);
	for (unsigned i = 0; delegations && i < 4; i++)
		for (size_t at = 0; delegation_next(delegations, paths[i], &at, &d);) {
			assert(*d.name && d.by.threshold >= 1);
			tuf_metadata_verify(m, &d.by, d.name, NULL);
		}
}

/* What is signed is the same after it was written and read again. */
static void check_canon(const json_t *v)
{
	struct bytes once, twice;
	json_t *again;

	if (canon_encode(v, &once) < 0)
		return;
	if (canon_parse(once, &again, NULL) == 0) {
		assert(canon_encode(again, &twice) == 0);
		assert(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
		free((void *)twice.data);
		json_decref(again);
	}
	free((void *)once.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	enum tuf_type type = len ? (enum tuf_type)(data[0] % TUF_TYPES) : TUF_ROOT;
	struct bytes raw = {malloc(len ? len : 1), len ? len - 1 : 0};
	struct tuf_metadata *m;
	struct tuf_error e;
	struct tuf_file f;

	assert(raw.data);
	if (len)
		memcpy((uint8_t *)raw.data, data + 1, raw.len);
	if (tuf_metadata_parse(raw, type, "x", &m, &e) == 0) {
		assert(m->version >= 1);
		check_canon(m->body);
		tuf_metadata_fresh(m, 1900000000, "x", &e);
		if (type == TUF_ROOT)
			ask_root(m);
		else if (type == TUF_TARGETS)
			ask_targets(m);
		else
			assert(tuf_meta_find(m, type == TUF_SNAPSHOT ? "targets" : "snapshot",
					     &f) == 0);
		tuf_metadata_free(m);
	} else {
		assert(*e.text);
	}
	free((void *)raw.data);
	return 0;
}
