#ifndef BEDWARDEN_KEEP_PAGE_H
#define BEDWARDEN_KEEP_PAGE_H
/*
 * Single events by any combination of filters, the newest first, a page at a
 * time. Whatever is asked for, a page takes a bounded time: where little fits
 * the filters it holds fewer rows than asked for, or none, and says where to
 * go on. Only at the end there is no next.
 */
#include "keep/query.h"
#include "keep/record.h"

#define PAGE_TEXT_MAX  128
#define PAGE_BUDGET_NS 10000000ull /* what a page may cost, about */

struct page_ask {
	struct query_filter filter; /* limit: rows at most, at least 1 */
	char type[QUERY_NAME_MAX];  /* event_type; "" any */
	int verdict;		    /* enum record_verdict; -1 any */
	int64_t until_ns;	    /* not later; 0 any */
	char text[PAGE_TEXT_MAX];   /* anywhere in the event, small or capital letters; "" any */
	int64_t before;		    /* the `next` of the page before; 0 the newest */
};

/* One event as it came, no newline, good until it returns. */
typedef void (*page_row_fn)(void *arg, int64_t id, struct bytes line);

/* *ret_next: what `before` is for the next page, 0 this was the last. Errors as query.h. */
int page_events(struct sqlite3 *db, const struct page_ask *a, uint64_t budget_ns, page_row_fn fn,
		void *arg, int64_t *ret_next);

#endif
