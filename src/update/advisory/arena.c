#include "update/advisory/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 16384
#define ALIGN 16

struct arena_block {
	struct arena_block *before;
	size_t size;
	_Alignas(ALIGN) char data[];
};

void *arena_take(struct arena *a, size_t size)
{
	struct arena_block *b = a->last;
	size_t want = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	char *at;

	if (want < size || a->no_memory) {
		a->no_memory = true;
		return NULL;
	}
	if (!b || want > b->size - a->used) {
		size_t cap = want > BLOCK ? want : BLOCK;

		b = malloc(sizeof(*b) + cap);
		if (!b) {
			a->no_memory = true;
			return NULL;
		}
		*b = (struct arena_block){.before = a->last, .size = cap};
		a->last = b;
		a->used = 0;
		a->total += cap;
	}
	at = b->data + a->used;
	a->used += want;
	memset(at, 0, want);
	return at;
}

static const char *part(struct arena *a, const char *text, size_t len)
{
	char *copy = len ? arena_take(a, len + 1) : NULL;

	if (!copy)
		return "";
	memcpy(copy, text, len);
	return copy;
}

const char *arena_text(struct arena *a, const char *text)
{
	return text ? part(a, text, strlen(text)) : "";
}

const char *arena_short(struct arena *a, const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len > max)
		for (len = max; len && ((unsigned char)text[len] & 0xc0) == 0x80;)
			len--;
	return part(a, text, len);
}

void arena_free(struct arena *a)
{
	struct arena_block *b;

	while ((b = a->last)) {
		a->last = b->before;
		free(b);
	}
	*a = (struct arena){0};
}
