#ifndef BEDWARDEN_UPDATE_ADVISORY_MATCH_INTERNAL_H
#define BEDWARDEN_UPDATE_ADVISORY_MATCH_INTERNAL_H
/*
 * Shared by the files of match.h. match.c: devices and advisories, the walk over all pairs; match_index.c:
 * by what a product is looked up; match_find.c: which products fit a device; match_judge.c: what the
 * advisory says of a device then; match_text.c: in words.
 */
#include "update/advisory/match.h"

#define MATCH_REASONS 64     /* of one pair; an advisory that has more says the same of all */
#define MATCH_HITS    200000 /* of one device, in all advisories */

/* Where a product is looked up: by its vendor, its own name, or what a machine calls it. */
enum key_kind { BY_VENDOR, BY_NAME, BY_IDENTIFIER, BY_MODEL };

struct entry {
	uint64_t key;
	uint32_t advisory, product;
	uint32_t kind;
};

struct device {
	struct match_device d;
	struct name vendor, model, both; /* both: "Philips IntelliVue MX40" as one name */
	uint64_t sort;			 /* of vendor and model, to tell models apart */
};

struct advisory {
	const struct csaf *c;
	unsigned models; /* different ones it fitted */
	uint64_t last_sort;
};

struct matcher {
	struct device *devices;
	uint32_t device_count, device_cap;
	struct advisory *advisories;
	uint32_t advisory_count, advisory_cap;
	struct entry *entries;
	size_t entry_count, entry_cap;
	struct arena arena;
	unsigned models; /* different ones among the devices */
	unsigned cut;	 /* devices with more hits than the bound */
	bool sorted;
	/* of the pair at hand */
	struct match_reason reasons[MATCH_REASONS];
	unsigned reason_count;
	struct match_vulnerability *found;
	uint32_t found_cap;
};

/* A product that fits the device at hand. */
struct hit {
	uint32_t advisory;
	struct match_reason reason;
};

struct hits {
	struct hit *list;
	size_t count, cap;
	bool full;
	int err;
};

/* match.c: room for one more. False: no memory. */
bool match_grow(void **list, size_t count, size_t *cap, size_t size);
/* The version that a reason is about: the device's, or its part's. */
const char *match_version(const struct match_device *d, const struct match_reason *r);

/* match_index.c */
uint64_t match_hash(uint64_t h, const char *s);
uint64_t match_identifier_key(const struct identifier *id);
/* The product, number `i` of the advisory that is being added, under all its names. */
bool match_index(struct matcher *m, const struct csaf_product *p, uint32_t i);
void match_index_sort(struct matcher *m);
/* The first entry of a key; *ret_end is behind the last. */
size_t match_entries(const struct matcher *m, enum key_kind kind, uint64_t key, size_t *ret_end);

/* match_find.c: everything that fits, in the order of advisories and their products. */
void match_find(const struct matcher *m, const struct device *v, struct hits *h);

/* match_judge.c */
/* Adds to the reasons at hand those for "component on host". */
void match_relate(struct matcher *m, const struct csaf *c, const struct match_device *d);
/* False: it says nothing of this device. */
bool match_judge(const struct matcher *m, const struct csaf *c, const struct match_device *d,
		 const struct csaf_vulnerability *v, struct match_vulnerability *ret);

#endif
