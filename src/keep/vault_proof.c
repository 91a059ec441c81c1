#include "keep/vault_proof.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD 64 /* bytes of a line: as far as the key's number */

enum { DOOMED = 1, DESTROYED = 2 };

struct said {
	uint8_t *of; /* each key, what was said of it */
	uint32_t count;
	bool mended; /* what was said before is lost */
	bool going;  /* a key is doomed */
};

static int take_line(void *arg, int64_t time_ns, struct bytes line)
{
	struct said *s = arg;
	size_t len = line.len < HEAD ? line.len : HEAD - 1;
	char head[HEAD], action[16];
	unsigned key = 0;
	int n;

	memcpy(head, line.data, len);
	head[len] = 0;
	n = sscanf(head, "{\"action\":\"%15[a-z]\",\"key\":%u", action, &key);
	if (n >= 1 && strcmp(action, "mend") == 0)
		s->mended = true;
	if (n < 2 || key >= s->count)
		return 0;
	if (strcmp(action, "doom") == 0)
		s->of[key] |= DOOMED;
	else if (strcmp(action, "destroyed") == 0)
		s->of[key] |= DESTROYED;
	return 0;
}

/* Who was killed in the midst of it has said only that it is to be. */
static bool is_said(const struct said *s, uint32_t id)
{
	return s->mended || (s->of[id] & (s->going ? DOOMED | DESTROYED : DESTROYED));
}

int vault_prove(struct vault *v, struct vault_proof *ret_proof)
{
	struct vault_proof p = {0};
	struct keys_state keys;
	struct keys_info info;
	struct said s = {0};
	uint32_t doomed;
	int err;

	keys_state(v->keys, &keys);
	s.count = keys.next_id;
	s.of = calloc(s.count + 1, 1);
	err = s.of ? vault_log(v, take_line, &s) : -ENOMEM;
	s.going = catalog_next_doomed(v->catalog, &doomed) == 0;
	for (uint32_t id = 1; err == 0 && id < s.count; id++) {
		err = keys_describe(v->keys, id, &info);
		if (err == -ENOKEY && !is_said(&s, id) && !p.unsaid)
			p.unsaid = id;
		if (err == 0 && (s.of[id] & DESTROYED) && !p.back)
			p.back = id;
		if (err == -ENOKEY)
			err = 0;
	}
	free(s.of);
	if (err == 0)
		*ret_proof = p;
	return err;
}
