#include "guard/vitals/continuity.h"

#define SEC_NS	   1000000000ull
#define AHEAD_MAX  64		 /* more than is lost on a network at once */
#define LATE_MAX   8		 /* no more are overtaken */
#define JITTER_NS  (2 * SEC_NS)	 /* between a monitor's clock and the arrival */
#define MOMENT_NS  (SEC_NS / 5)	 /* messages of one moment come together */
#define FORGET_NS  (5 * SEC_NS)	 /* a row that does not go on */
#define TWO_LEAST  3		 /* messages of each row, then they are two */
#define SILENCE_NS (60 * SEC_NS) /* after so long the numbers may be anything */
#define ZERO_MAX   2		 /* a row that begins anew begins with no more than that */
#define ASTRAY	   8		 /* messages in a row, then there is no row */

/* How far `is` lies behind `was` in numbers of `bits`; negative: before. */
static int64_t distance(uint32_t was, uint32_t is, unsigned bits)
{
	uint32_t d = is - was;

	if (bits >= 32)
		return (int32_t)d;
	d &= (1u << bits) - 1;
	return d >= 1u << (bits - 1) ? (int64_t)d - (1ll << bits) : (int64_t)d;
}

static int64_t elapsed_ns(uint32_t was, uint32_t is, uint32_t hz)
{
	return (int64_t)((int32_t)(is - was)) * (int64_t)(SEC_NS / hz);
}

/* Do the monitor's clock and ours agree on how long it has been? */
static bool keeps_time(const struct continuity_row *r, const struct vitals_place *p)
{
	int64_t off;

	if (!p->clock_hz)
		return true;
	off = elapsed_ns(r->clock, p->clock, p->clock_hz) - (int64_t)(p->time_ns - r->time_ns);
	return off < (int64_t)JITTER_NS && off > -(int64_t)JITTER_NS;
}

static int64_t numbers_on(const struct continuity_row *r, const struct vitals_place *p)
{
	if (!p->sequence_bits)
		return elapsed_ns(r->clock, p->clock, p->clock_hz) > 0 ? 1 : 0;
	return distance(r->sequence, p->sequence, p->sequence_bits);
}

static bool follows(const struct continuity_row *r, const struct vitals_place *p)
{
	int64_t n = numbers_on(r, p);
	int64_t passed = p->clock_hz ? elapsed_ns(r->clock, p->clock, p->clock_hz) : 0;

	if (p->clock_hz && (passed < 0 || (!passed && p->time_ns - r->time_ns > MOMENT_NS)))
		return false;
	return r->count && n > 0 && n <= AHEAD_MAX && keeps_time(r, p);
}

static void go_on(struct continuity_row *r, const struct vitals_place *p)
{
	r->sequence = p->sequence;
	r->clock = p->clock;
	r->part = p->part;
	r->time_ns = p->time_ns;
	r->count++;
}

/* Neither the row that was, nor the one that began beside it: so far. */
static enum continuity_kind name_break(const struct continuity_row *r, const struct vitals_place *p)
{
	int64_t n = numbers_on(r, p);

	if (n <= 0 && p->sequence_bits)
		return CONTINUITY_BACK;
	return n > AHEAD_MAX ? CONTINUITY_AHEAD : CONTINUITY_CLOCK;
}

static enum continuity_kind leave_row(struct continuity *c, const struct vitals_place *p)
{
	enum continuity_kind kind;

	if (follows(&c->other, p)) {
		go_on(&c->other, p);
		if (c->other.count >= TWO_LEAST && c->since_other >= TWO_LEAST - 1)
			return CONTINUITY_TWO;
		if (c->other.count >= TWO_LEAST && !c->since_other) {
			c->main = c->other;
			c->other.count = 0;
			return CONTINUITY_NEXT; /* the first row has ended where it broke */
		}
		return CONTINUITY_OTHER;
	}
	kind = c->other.count && p->time_ns - c->other.time_ns < FORGET_NS
		       ? CONTINUITY_OTHER
		       : name_break(&c->main, p);
	c->other.count = 0;
	c->since_other = 0;
	go_on(&c->other, p);
	return kind;
}

static bool begins_anew(const struct continuity *c, const struct vitals_place *p)
{
	if (!c->main.count || p->time_ns - c->main.time_ns > SILENCE_NS)
		return true;
	return c->restart_ns && p->time_ns - c->restart_ns < FORGET_NS && p->sequence <= ZERO_MAX &&
	       !follows(&c->main, p);
}

static enum continuity_kind place(struct continuity *c, const struct vitals_place *p,
				  uint32_t *ret_missing)
{
	int64_t n = numbers_on(&c->main, p);

	if (follows(&c->main, p)) {
		go_on(&c->main, p);
		c->since_other++;
		*ret_missing = (uint32_t)(n - 1);
		return n > 1 ? CONTINUITY_MISSING : CONTINUITY_NEXT;
	}
	if (n == 0 && p->clock == c->main.clock) {
		if (p->part == c->main.part)
			return CONTINUITY_COPY;
		c->main.part = p->part;
		return CONTINUITY_NEXT;
	}
	if (n < 0 && n >= -LATE_MAX && p->time_ns - c->main.time_ns < SEC_NS &&
	    keeps_time(&c->main, p))
		return CONTINUITY_LATE;
	return leave_row(c, p);
}

struct continuity_step continuity_next(struct continuity *c, const struct vitals_place *p)
{
	struct continuity_step s = {
		.kind = CONTINUITY_NEXT, .was = c->main.sequence, .is = p->sequence};

	if (!p->sequence_bits && !p->clock_hz)
		return s;
	if (begins_anew(c, p)) {
		*c = (struct continuity){.astray = c->astray};
		go_on(&c->main, p);
		return s;
	}
	s.kind = place(c, p, &s.missing);
	c->astray = s.kind == CONTINUITY_NEXT || s.kind == CONTINUITY_MISSING ? 0 : c->astray + 1;
	s.astray = c->astray > ASTRAY;
	if (s.kind == CONTINUITY_CLOCK) {
		s.was = (uint32_t)((uint64_t)c->main.clock * 1000 / p->clock_hz);
		s.is = (uint32_t)((uint64_t)p->clock * 1000 / p->clock_hz);
	}
	return s;
}
