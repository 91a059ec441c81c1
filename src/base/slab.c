#include "base/slab.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/pages.h"

/* Few, since what one class had is not another's any more; of all a parser's state may be, and
 * close above what most of them are: a hundred thousand of them live at once. */
static const uint16_t classes[] = {64, 128, 256, 320, 448, 512, 832, 1152, 1792, 2048, SLAB_MAX};
#define CLASSES (sizeof(classes) / sizeof(classes[0]))

struct block {
	struct block *next;
	size_t size;
};

struct slab {
	void *spare[CLASSES]; /* each begins with a pointer to the next */
	struct block *blocks;
	uint8_t *at; /* of the newest block: from here on unused */
	size_t left;
	uint8_t class_of[SLAB_MAX / 64 + 1]; /* by whole cache lines */
};

struct slab *slab_new(void)
{
	struct slab *s = calloc(1, sizeof(*s));
	unsigned class = 0;

	for (unsigned lines = 0; s && lines <= SLAB_MAX / 64; lines++) {
		if (lines * 64 > classes[class])
			class ++;
		s->class_of[lines] = (uint8_t) class;
	}
	return s;
}

void slab_free(struct slab *s)
{
	struct block *b;

	if (!s)
		return;
	while ((b = s->blocks)) {
		s->blocks = b->next;
		pages_unmap(b, b->size);
	}
	free(s);
}

static bool add_block(struct slab *s)
{
	size_t size = PAGES_HUGE;
	struct block *b = pages_map(&size);

	if (!b)
		return false;
	b->next = s->blocks;
	b->size = size;
	s->blocks = b;
	s->at = (uint8_t *)b + 64;
	s->left = size - 64;
	return true;
}

static unsigned class_of(const struct slab *s, size_t size)
{
	return s->class_of[(size + 63) / 64];
}

void *slab_take(struct slab *s, size_t size)
{
	unsigned class = class_of(s, size);
	void *p = s->spare[class];

	if (SLAB_OFF)
		return malloc(size);
	if (p) {
		memcpy(&s->spare[class], p, sizeof(void *));
		__builtin_prefetch(s->spare[class], 1); /* it begins with the one after it */
		return p;
	}
	if (s->left < classes[class] && !add_block(s))
		return NULL;
	p = s->at;
	s->at += classes[class];
	s->left -= classes[class];
	return p;
}

void slab_give(struct slab *s, void *p, size_t size)
{
	unsigned class = class_of(s, size);

	if (SLAB_OFF || !p) {
		free(p);
		return;
	}
	memcpy(p, &s->spare[class], sizeof(void *));
	s->spare[class] = p;
}
