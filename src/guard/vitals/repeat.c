#include "guard/vitals/repeat.h"

#define ERAS_LEAST 6 /* that tell what is usual */
#define RUN_MAX	   (UINT8_MAX - 1)
#define ASKED	   24 /* terms that are looked for at other distances */

uint16_t repeat_back(const struct repeat *r, uint32_t back)
{
	return r->term[(r->count - 1 - back) % REPEAT_KEPT];
}

/* The farthest distance that is known. */
static uint32_t known_of(const struct repeat *r)
{
	return r->count - 1 < REPEAT_KEPT ? r->count - 1 : REPEAT_KEPT - 1;
}

/* The last term against those of all distances. The longest run now. */
static uint8_t compare(struct repeat *r, int alike)
{
	uint32_t known = known_of(r);
	int term = repeat_back(r, 0);
	uint8_t longest = 0;

	for (uint32_t k = 1; k <= known; k++) {
		int then = repeat_back(r, k), shift = r->shift[k] + term - then;

		if (!term || !then || shift > alike || shift < -alike) {
			r->run[k] = 0;
			r->shift[k] = 0;
			continue;
		}
		r->run[k] += r->run[k] < RUN_MAX;
		r->shift[k] = (int8_t)shift;
		longest = r->run[k] > longest ? r->run[k] : longest;
	}
	return longest;
}

uint32_t repeat_take(struct repeat *r, uint16_t term, int alike)
{
	uint8_t longest, *most;

	r->term[r->count++ % REPEAT_KEPT] = term;
	if (r->count <= REPEAT_KEPT)
		r->run[r->count - 1] = r->shift[r->count - 1] = 0;
	longest = compare(r, alike);
	most = &r->longest[r->count / REPEAT_ERA % REPEAT_ERAS];
	if (r->count == 1 || r->count % REPEAT_ERA == 0 || longest > *most)
		*most = longest;
	return longest;
}

/* The longest repetition before the last `terms`, as far as that is kept; 255 where too little is. */
static uint8_t usual_before(const struct repeat *r, uint32_t terms)
{
	uint32_t end = r->count > terms ? (r->count - terms) / REPEAT_ERA : 0, eras = 0;
	uint32_t now = r->count / REPEAT_ERA;
	uint8_t usual = 0;

	/* The first era has little to compare with. */
	for (uint32_t e = end; e-- > 1 && now - e < REPEAT_ERAS; eras++) {
		uint8_t l = r->longest[e % REPEAT_ERAS];

		usual = l > usual ? l : usual;
	}
	return eras < ERAS_LEAST ? UINT8_MAX : usual;
}

struct repeat_finding repeat_longest(const struct repeat *r, uint32_t nearest)
{
	struct repeat_finding f = {.length = 0};

	for (uint32_t k = nearest; r->count && k <= known_of(r); k++)
		if (r->run[k] > f.length) {
			f.length = r->run[k];
			f.distance = k;
		}
	f.usual = usual_before(r, f.length);
	return f;
}

/* Are most of the last `n` as those `back` before them? Mostly a few tell that they are not. */
static bool is_alike(const struct repeat *r, uint32_t n, uint32_t back, int alike)
{
	uint32_t others = 0;

	for (uint32_t i = 0; i < n && others <= n / 4; i++) {
		int apart = repeat_back(r, i) - repeat_back(r, i + back);

		others += apart > alike || apart < -alike;
	}
	return others <= n / 4;
}

/* Whatever repeats at a distance does so at twice and thrice of it, so those do not count. */
bool repeat_is_habit(const struct repeat *r, const struct repeat_finding *f, int alike)
{
	uint32_t n = f->length < ASKED ? f->length : ASKED;

	for (uint32_t k = 1; k + n < REPEAT_KEPT && k + n < r->count; k++)
		if (k % f->distance && is_alike(r, n, k, alike))
			return true;
	return false;
}
