#include "guard/vitals/rhythm.h"

#define MS	   1000000ull
#define GAP_MAX	   4000 /* ms: what is longer is no interval between beats */
#define ALIKE	   6	/* ms: onsets are found to a part of a step of 8 */
#define NEAREST	   8	/* beats: by fours and less, hearts repeat themselves */
#define LEAST	   14	/* beats in a row */
#define ERAS_LEAST 6	/* that tell what is usual */
#define HABIT	   16	/* beats: what repeats itself longer by habit is not judged */
#define AGAIN	   16
#define ASKED	   24 /* beats that are looked for at other distances */

void rhythm_break(struct rhythm *r)
{
	r->last_ns = 0;
}

static uint16_t gap_back(const struct rhythm *r, uint32_t back)
{
	return r->gap[(r->count - 1 - back) % RHYTHM_BEATS];
}

double rhythm_ago(const struct rhythm *r, uint32_t distance)
{
	double ms = 0;

	for (uint32_t i = 0; i < distance && i < r->count && i < RHYTHM_BEATS; i++)
		ms += gap_back(r, i);
	return ms / 1000;
}

/* The last interval against those of all distances. The longest run now. */
static uint32_t compare(struct rhythm *r)
{
	uint32_t known = r->count - 1 < RHYTHM_BEATS ? r->count - 1 : RHYTHM_BEATS - 1;
	int gap = gap_back(r, 0);
	uint8_t longest = 0;

	for (uint32_t k = 1; k <= known; k++) {
		int then = gap_back(r, k), shift = r->shift[k] + gap - then;

		if (!gap || !then || shift > ALIKE || shift < -ALIKE) {
			r->run[k] = 0;
			r->shift[k] = 0;
			continue;
		}
		r->run[k] += r->run[k] < UINT8_MAX;
		r->shift[k] = (int8_t)shift;
		longest = r->run[k] > longest ? r->run[k] : longest;
	}
	return longest;
}

/* The longest repetition before the last `beats`, as far as that is kept; 255 where too little is. */
static uint8_t usual_before(const struct rhythm *r, uint32_t beats)
{
	uint32_t end = r->count > beats ? (r->count - beats) / RHYTHM_ERA : 0, eras = 0;
	uint32_t now = r->count / RHYTHM_ERA;
	uint8_t usual = 0;

	/* The first era has little to compare with. */
	for (uint32_t e = end; e-- > 1 && now - e < RHYTHM_ERAS; eras++) {
		uint8_t l = r->longest[e % RHYTHM_ERAS];

		usual = l > usual ? l : usual;
	}
	return eras < ERAS_LEAST ? UINT8_MAX : usual;
}

/*
 * Do the last beats have most of their intervals at other distances, too? Whatever repeats at a
 * distance does so at twice and thrice of it, so those do not count.
 */
static bool is_habit(const struct rhythm *r, uint32_t beats, uint32_t distance)
{
	uint32_t n = beats < ASKED ? beats : ASKED;

	for (uint32_t k = 1; k + n < RHYTHM_BEATS && k + n < r->count; k++) {
		uint32_t alike = 0;

		for (uint32_t i = 0; k % distance && i < n; i++) {
			int apart = gap_back(r, i) - gap_back(r, i + k);

			alike += apart <= ALIKE && apart >= -ALIKE;
		}
		if (4 * alike >= 3 * n)
			return true;
	}
	return false;
}

static bool is_replay(struct rhythm *r, struct rhythm_finding *f)
{
	for (uint32_t k = NEAREST; k < RHYTHM_BEATS; k++)
		if (r->run[k] > f->beats) {
			f->beats = r->run[k];
			f->distance = k;
		}
	if (f->beats < LEAST)
		return false;
	f->usual = usual_before(r, f->beats);
	return f->usual < UINT8_MAX && f->usual <= HABIT && f->beats >= 2u * f->usual + 4 &&
	       !is_habit(r, f->beats, f->distance);
}

bool rhythm_beat(struct rhythm *r, uint64_t time_ns, struct rhythm_finding *ret_f)
{
	uint64_t ms = r->last_ns && time_ns > r->last_ns ? (time_ns - r->last_ns) / MS : 0;
	struct rhythm_finding f = {.beats = 0};
	uint32_t longest, era;

	r->last_ns = time_ns;
	r->gap[r->count++ % RHYTHM_BEATS] = (uint16_t)(ms <= GAP_MAX ? ms : 0);
	longest = compare(r);
	era = r->count / RHYTHM_ERA;
	if (r->count % RHYTHM_ERA == 0)
		r->longest[era % RHYTHM_ERAS] = 0;
	if (longest > r->longest[era % RHYTHM_ERAS])
		r->longest[era % RHYTHM_ERAS] = (uint8_t)longest;
	if (longest < LEAST || (r->told && r->count - r->told < AGAIN) || !is_replay(r, &f))
		return false;
	r->told = r->count;
	*ret_f = f;
	return true;
}
