/*
 * What the store does with a line: takes it apart, counts it, keeps it, and
 * gives rows of JSON back. Nothing that a line says may make a batch fail.
 */
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "keep/query.h"
#include "keep/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_row(void *arg, struct bytes row)
{
	json_t *json = json_loadb((const char *)row.data, row.len, JSON_ALLOW_NUL, NULL);

	if (!json_is_object(json))
		abort();
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct query_filter all;
	static struct store *store;
	struct store_counts c;
	int64_t after = 0;
	uint32_t rows;

	if (!store)
		store = store_new(":memory:", 16);
	if (!store)
		abort();
	if (store_put(store, (struct bytes){data, len}) != 0)
		return 0;
	if (store_commit(store) != 0)
		abort();
	store_counts(store, &c);
	if (c.queued != 0 || c.lost != 0 || c.events > 16)
		abort();
	if (query_groups(store_db(store), &all, check_row, NULL) != 0 ||
	    query_events(store_db(store), &all, &after, 100, check_row, NULL, &rows) != 0 ||
	    query_machines(store_db(store), 10, check_row, NULL) != 0)
		abort();
	return 0;
}
