#include "guard/vitals/stamp.h"

#include <stdbool.h>

#define LATE_S	5 /* two threads of a sender, two networks: no more comes out of order */
#define SETTLED 3 /* messages that follow each other from there: its clock was set back */

static bool came(const struct stamps *s, uint32_t print)
{
	for (uint32_t i = 0; i < STAMPS && i < s->count; i++)
		if (s->print[i] == print)
			return true;
	return false;
}

enum stamp_kind stamp_take(struct stamp *s, struct stamps *all, uint32_t sent_s, uint32_t print,
			   uint32_t *ret_behind_s)
{
	uint32_t behind = sent_s < s->newest_s ? s->newest_s - sent_s : 0;
	bool again = behind > LATE_S && came(all, print);

	*ret_behind_s = behind;
	if (!again)
		all->print[all->count++ % STAMPS] = print;
	if (behind <= LATE_S) {
		s->newest_s += s->newest_s < sent_s ? sent_s - s->newest_s : 0;
		s->back = 0;
		return STAMP_NEXT;
	}
	if (again)
		return STAMP_AGAIN;
	if (++s->back < SETTLED)
		return STAMP_BACK;
	s->newest_s = sent_s;
	s->back = 0;
	return STAMP_NEXT;
}
