#ifndef BEDWARDEN_BASE_RECENT_H
#define BEDWARDEN_BASE_RECENT_H
/*
 * Things in the order they were last used, whichever is to go first at one end:
 * a link within each, and one more that is the list itself. Nothing is owned or
 * allocated, and every call takes the same time however many there are.
 */
#include <stdbool.h>
#include <stddef.h>

struct recent {
	struct recent *older, *newer; /* of the list itself: the newest, the oldest */
};

#define RECENT_OF(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

static inline void recent_init(struct recent *list)
{
	list->older = list->newer = list;
}

static inline void recent_remove(struct recent *link)
{
	link->older->newer = link->newer;
	link->newer->older = link->older;
}

/* As the newest one; it must be in no list. */
static inline void recent_add(struct recent *list, struct recent *link)
{
	link->newer = list;
	link->older = list->older;
	list->older->newer = link;
	list->older = link;
}

/* It is the newest of its list from now on. */
static inline void recent_use(struct recent *list, struct recent *link)
{
	if (list->older == link)
		return;
	recent_remove(link);
	recent_add(list, link);
}

/* It is the next to go. */
static inline void recent_give_up(struct recent *list, struct recent *link)
{
	recent_remove(link);
	recent_add(list->newer, link); /* in front of the oldest */
}

/* NULL where the list is empty. */
static inline struct recent *recent_oldest(const struct recent *list)
{
	return list->newer == list ? NULL : list->newer;
}

#endif
