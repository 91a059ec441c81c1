#include "people/auth/clientdata.h"

#include <errno.h>

/* A text, which must be there where `needed`. false: the member is something else. */
static bool take_text(const json_t *root, const char *key, bool needed, const char **ret_text)
{
	const json_t *v = json_object_get(root, key);

	if (!v)
		return !needed;
	/* A zero inside would end the text early for everybody who reads it. */
	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
		return false;
	*ret_text = json_string_value(v);
	return true;
}

int clientdata_parse(struct bytes json, struct clientdata *ret_c)
{
	struct clientdata c = {0};
	const json_t *cross;

	if (json.len > CLIENTDATA_MAX)
		return -EBADMSG;
	c.root = json_loadb((const char *)json.data, json.len,
			    JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!json_is_object(c.root) || !take_text(c.root, "type", true, &c.type) ||
	    !take_text(c.root, "challenge", true, &c.challenge) ||
	    !take_text(c.root, "origin", true, &c.origin) ||
	    !take_text(c.root, "topOrigin", false, &c.top_origin))
		goto bad;
	cross = json_object_get(c.root, "crossOrigin");
	if (cross && !json_is_boolean(cross))
		goto bad;
	c.cross_origin = json_is_true(cross);
	*ret_c = c;
	return 0;

bad:
	json_decref(c.root);
	return -EBADMSG;
}

void clientdata_free(struct clientdata *c)
{
	json_decref(c->root);
	*c = (struct clientdata){0};
}
