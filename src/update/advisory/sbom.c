#include "update/advisory/sbom.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "update/advisory/csaf.h"
#include "update/tuf/canon.h"

#define NESTED 30

static const struct identifier *take_identifier(struct arena *a, const char *text, bool cpe)
{
	struct identifier id, *copy;

	if (!*text || identifier_parse(text, &id) < 0 || id.cpe != cpe)
		return NULL;
	copy = arena_take(a, sizeof(*copy));
	if (copy)
		*copy = id;
	return copy;
}

static const char *maker_of(const json_t *o)
{
	const char *const found[] = {
		csaf_text(json_object_get(o, "supplier"), "name"),
		csaf_text(json_object_get(o, "manufacturer"), "name"),
		csaf_text(json_object_get(o, "manufacture"), "name"),
		csaf_text(o, "publisher"),
		csaf_text(o, "group"),
	};

	for (unsigned i = 0; i < sizeof(found) / sizeof(*found); i++)
		if (*found[i])
			return found[i];
	return "";
}

static bool take_component(struct sbom *s, const json_t *o, struct sbom_component *c)
{
	const char *name = csaf_text(o, "name");

	if (!*name)
		return false;
	c->title = arena_text(&s->arena, name);
	c->version = arena_text(&s->arena, csaf_text(o, "version"));
	name_product(&s->arena, name, &c->name);
	name_vendor(&s->arena, maker_of(o), &c->vendor);
	c->cpe = take_identifier(&s->arena, csaf_text(o, "cpe"), true);
	c->purl = take_identifier(&s->arena, csaf_text(o, "purl"), false);
	if (!*c->version && c->purl)
		c->version = c->purl->version;
	return true;
}

static size_t count_components(const json_t *list, unsigned deep)
{
	const json_t *o;
	size_t n = 0, i;

	json_array_foreach (list, i, o)
		n += 1 + (deep < NESTED
				  ? count_components(json_object_get(o, "components"), deep + 1)
				  : 0);
	return n;
}

static void take_components(struct sbom *s, const json_t *list, unsigned deep)
{
	const json_t *o;
	size_t i;

	json_array_foreach (list, i, o) {
		if (take_component(s, o, &s->components[s->count]))
			s->count++;
		else
			s->nameless++;
		if (deep < NESTED)
			take_components(s, json_object_get(o, "components"), deep + 1);
	}
}

static int read_document(struct sbom *s, const json_t *whole, char why[160])
{
	const json_t *meta = json_object_get(whole, "metadata");
	const json_t *list = json_object_get(whole, "components");
	const char *spec = csaf_text(whole, "specVersion");
	size_t n = count_components(list, 0);

	if (strcmp(csaf_text(whole, "bomFormat"), "CycloneDX") != 0) {
		snprintf(why, 160, "bomFormat is '%.30s'; expected CycloneDX in JSON",
			 csaf_text(whole, "bomFormat"));
		return -EBADMSG;
	}
	if (strlen(spec) != 3 || strncmp(spec, "1.", 2) != 0 || spec[2] < '2' || spec[2] > '6') {
		snprintf(why, 160, "specVersion is '%.20s'; expected 1.2 to 1.6", spec);
		return -EBADMSG;
	}
	if (n > SBOM_COMPONENTS_MAX) {
		snprintf(why, 160, "more than %d components", SBOM_COMPONENTS_MAX);
		return -EFBIG;
	}
	s->spec = arena_text(&s->arena, spec);
	s->serial = arena_text(&s->arena, csaf_text(whole, "serialNumber"));
	s->made = arena_text(&s->arena, csaf_text(meta, "timestamp"));
	s->has_self = take_component(s, json_object_get(meta, "component"), &s->self);
	s->components = arena_take(&s->arena, (n + 1) * sizeof(*s->components));
	if (s->components)
		take_components(s, list, 0);
	if (!s->arena.no_memory)
		return 0;
	snprintf(why, 160, "out of memory");
	return -ENOMEM;
}

int sbom_parse(struct bytes text, struct sbom **ret_sbom, char ret_why[160])
{
	json_t *whole = NULL;
	struct sbom *s;
	int err;

	if (text.len > SBOM_BYTES_MAX) {
		snprintf(ret_why, 160, "it is longer than %d MiB", SBOM_BYTES_MAX >> 20);
		return -EFBIG;
	}
	err = canon_parse(text, &whole, ret_why);
	if (err < 0)
		return err;
	s = calloc(1, sizeof(*s));
	if (!s)
		snprintf(ret_why, 160, "out of memory");
	err = s ? read_document(s, whole, ret_why) : -ENOMEM;
	json_decref(whole);
	if (err < 0) {
		sbom_free(s);
		return err;
	}
	*ret_sbom = s;
	return 0;
}

void sbom_free(struct sbom *s)
{
	if (!s)
		return;
	arena_free(&s->arena);
	free(s);
}
