#ifndef BEDWARDEN_UPDATE_ADVISORY_SBOM_H
#define BEDWARDEN_UPDATE_ADVISORY_SBOM_H
/*
 * What a device is made of: a software bill of materials in CycloneDX JSON (ECMA-424, versions 1.2 to 1.6),
 * attached to a model. Written by the maker, so bounded and never believed to be consistent.
 */
#include "base/bytes.h"
#include "update/advisory/arena.h"
#include "update/advisory/identifier.h"
#include "update/advisory/name.h"

enum { SBOM_BYTES_MAX = 32 << 20, SBOM_COMPONENTS_MAX = 20000 };

struct sbom_component {
	const char *title, *version;	     /* "" not said */
	struct name vendor, name;	     /* supplier, manufacturer, publisher or group */
	const struct identifier *cpe, *purl; /* NULL none */
};

struct sbom {
	const char *spec, *serial;  /* "1.5", "urn:uuid:…" */
	const char *made;	    /* timestamp */
	struct sbom_component self; /* metadata.component: the device's own software */
	bool has_self;
	struct sbom_component *components; /* nested ones, too */
	unsigned count;
	unsigned nameless; /* without a name: not counted above */
	struct arena arena;
};

/* 0, to sbom_free(); -EBADMSG: no CycloneDX that can be read; -EFBIG; ret_why says what and where. */
int sbom_parse(struct bytes text, struct sbom **ret_sbom, char ret_why[160]);
void sbom_free(struct sbom *s);

#endif
