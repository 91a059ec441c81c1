#include "guard/vitals/rhythm.h"

#define MS	1000000ull
#define GAP_MAX 4000 /* ms: what is longer is no interval between beats */
#define ALIKE	6    /* ms: onsets are found to a part of a step of 8 */
#define NEAREST 8    /* beats: by fours and less, hearts repeat themselves */
#define LEAST	14   /* beats in a row */
#define HABIT	16   /* beats: what repeats itself longer by habit is not judged */
#define AGAIN	16

void rhythm_break(struct rhythm *r)
{
	r->last_ns = 0;
}

double rhythm_ago(const struct rhythm *r, uint32_t distance)
{
	double ms = 0;

	for (uint32_t i = 0; i < distance && i < r->gaps.count && i < REPEAT_KEPT; i++)
		ms += repeat_back(&r->gaps, i);
	return ms / 1000;
}

bool rhythm_beat(struct rhythm *r, uint64_t time_ns, struct repeat_finding *ret_f)
{
	uint64_t ms = r->last_ns && time_ns > r->last_ns ? (time_ns - r->last_ns) / MS : 0;
	struct repeat_finding f;

	r->last_ns = time_ns;
	if (repeat_take(&r->gaps, (uint16_t)(ms <= GAP_MAX ? ms : 0), ALIKE) < LEAST ||
	    (r->told && r->gaps.count - r->told < AGAIN))
		return false;
	f = repeat_longest(&r->gaps, NEAREST);
	if (f.length < LEAST || f.usual > HABIT || f.length < 2u * f.usual + 4 ||
	    repeat_is_habit(&r->gaps, &f, ALIKE))
		return false;
	r->told = r->gaps.count;
	*ret_f = f;
	return true;
}
