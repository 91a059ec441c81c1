#ifndef BEDWARDEN_TEST_CSAF_TEXT_H
#define BEDWARDEN_TEST_CSAF_TEXT_H
/* Advisories in CSAF, put together from their members. */
#include "unit.h"

#include "update/advisory/csaf.h"

#define DOCUMENT(category)                                                                     \
	"\"document\":{\"category\":\"" category "\",\"csaf_version\":\"2.0\",\"title\":"      \
	"\"Acme Pump\",\"publisher\":{\"name\":\"CISA\"},\"tracking\":{\"id\":\"A-1\","        \
	"\"version\":\"1\",\"status\":\"final\",\"initial_release_date\":\"2024-01-01T00:00:"  \
	"00Z\","                                                                               \
	"\"current_release_date\":\"2024-01-01T00:00:00Z\",\"revision_history\":[{\"number\":" \
	"\"1\",\"date\":\"2024-01-01T00:00:00Z\"}]}}"
#define VERSION(category, name, id)                                                            \
	"{\"category\":\"" category "\",\"name\":\"" name "\",\"product\":{\"name\":\"P " name \
	"\",\"product_id\":\"" id "\"}}"
#define TREE(versions)                                                                       \
	"\"product_tree\":{\"branches\":[{\"category\":\"vendor\",\"name\":\"Acme Medical, " \
	"Inc.\",\"branches\":[{\"category\":\"product_name\",\"name\":\"InfuMax 300\","      \
	"\"branches\":[" versions "]}]}]}"

static inline struct csaf *parse(const char *text)
{
	struct bytes copy = unit_exact(text, strlen(text));
	struct csaf *c = NULL;
	char why[160];

	if (csaf_parse(copy, NULL, &c, why) < 0)
		fail_msg("%s: %s", why, text);
	free((void *)copy.data);
	return c;
}

static inline bool has_fault(const struct csaf *c, const char *name)
{
	for (unsigned i = 0; i < c->fault_count; i++)
		if (strcmp(c->faults[i].name, name) == 0)
			return true;
	return false;
}

#endif
