#include "guard/vitals/numeric.h"

#include <math.h>
#include <string.h>

#include "guard/proto/param.h"

#define SEC_NS	      1000000000ull
#define COLDEST	      10.0 /* degrees Celsius, of bodies that lived */
#define HOTTEST	      50.0
#define FASTEST	      500.0 /* a minute; 8388607 and others stand for no value (IEEE 11073-20601) */
#define LEAP_WITHIN   (3 * SEC_NS)
#define CALM_VALUES   8
#define CALM_WITHIN   (40 * SEC_NS)
#define DIFFERS_FOR   (12 * SEC_NS)
#define DIFFERS_TIMES 8
#define RATE_OFF      0.2 /* relative, and */
#define RATE_OFF_BPM  15.0
#define CLOSE_BPM     3.0  /* a number and its wave that agree, two waves of a heart */
#define LEFT	      0.08 /* relative, and */
#define LEFT_BPM      6.0
#define STILL_FOR     (30 * SEC_NS)
#define STILL_TIMES   12
#define LEFT_FOR      (20 * SEC_NS)

/* How far a parameter may lie apart in a calm past, and how far it must leap to be told. */
struct bounds {
	double calm, calm_part;
	double leap, leap_part;
};

static bool bounds_of(uint16_t code, struct bounds *ret_b)
{
	switch (param_numeric(code)) {
	case PARAM_HEART_RATE:
	case PARAM_PULSE_RATE:
		*ret_b = (struct bounds){8, 0.15, 40, 0.4};
		return true;
	case PARAM_SATURATION:
		*ret_b = (struct bounds){4, 0, 15, 0};
		return true;
	case PARAM_TEMPERATURE:
		*ret_b = (struct bounds){0.3, 0, 1, 0};
		return true;
	default:
		return false;
	}
}

static double larger(double absolute, double part, double of)
{
	return fmax(absolute, part * of);
}

static bool is_calm(const struct numeric *n, const struct bounds *b, uint64_t now_ns)
{
	double low = INFINITY, high = -INFINITY;

	if (n->count < CALM_VALUES)
		return false;
	for (unsigned i = 1; i <= CALM_VALUES; i++) {
		unsigned k = (n->count - i) % NUMERIC_PAST;

		if (now_ns - n->past[k].time_ns > CALM_WITHIN)
			return false;
		low = fmin(low, n->past[k].value);
		high = fmax(high, n->past[k].value);
	}
	return high - low <= larger(b->calm, b->calm_part, low);
}

bool numeric_is_of_body(uint16_t code, double value)
{
	switch (param_numeric(code)) {
	case PARAM_HEART_RATE:
	case PARAM_PULSE_RATE:
		return value <= FASTEST;
	case PARAM_SATURATION:
		return value > 0 && value <= 100;
	case PARAM_TEMPERATURE:
		return value > COLDEST && value < HOTTEST;
	default:
		return true;
	}
}

bool numeric_is_calm(const struct numeric *n)
{
	struct bounds b;

	return n->count && bounds_of(n->code, &b) && is_calm(n, &b, numeric_last(n).time_ns);
}

static bool leaps(const struct numeric *n, double value, uint64_t time_ns)
{
	struct numeric_value last = numeric_last(n);
	struct bounds b;

	return bounds_of(n->code, &b) && time_ns - last.time_ns <= LEAP_WITHIN &&
	       fabs(value - last.value) > larger(b.leap, b.leap_part, last.value) &&
	       is_calm(n, &b, time_ns);
}

void numeric_take(struct numeric *n, double value, uint64_t time_ns)
{
	struct numeric_value last = numeric_last(n);

	n->leapt = n->count && leaps(n, value, time_ns);
	if (n->leapt)
		n->leap = (struct numeric_leap){last.value, value,
						(double)(time_ns - last.time_ns) / SEC_NS};
	if (!n->count || value != last.value) {
		n->still_ns = time_ns;
		n->still = 0;
		n->agreed = false;
		n->left_ns = 0;
	}
	n->still++;
	n->past[n->count++ % NUMERIC_PAST] = (struct numeric_value){value, time_ns};
}

void numeric_break(struct numeric *n)
{
	n->count = 0;
	n->leapt = false;
	n->differs_ns = 0;
}

bool numeric_rates_agree(double a, double b)
{
	return fabs(a - b) <= larger(RATE_OFF_BPM, RATE_OFF, fmax(a, b));
}

bool numeric_rates_close(double a, double b)
{
	return fabs(a - b) <= CLOSE_BPM;
}

bool numeric_is_frozen(struct numeric *n, double wave_rate, uint64_t *ret_since)
{
	struct numeric_value last = numeric_last(n);
	uint64_t now_ns;
	double apart;

	if (!n->count || wave_rate <= 0)
		return false;
	now_ns = last.time_ns;
	apart = fabs(last.value - wave_rate);
	if (apart < larger(LEFT_BPM, LEFT, last.value)) {
		n->agreed |= apart <= CLOSE_BPM;
		n->left_ns = 0;
		return false;
	}
	if (!n->left_ns)
		n->left_ns = now_ns;
	*ret_since = n->left_ns;
	return n->agreed && n->still >= STILL_TIMES && now_ns - n->still_ns >= STILL_FOR &&
	       now_ns - n->left_ns >= LEFT_FOR;
}

bool numeric_differs(struct numeric *n, double wave_rate, uint64_t *ret_since)
{
	struct numeric_value last = numeric_last(n);

	if (!n->count || wave_rate <= 0 || numeric_rates_agree(last.value, wave_rate)) {
		n->differs_ns = 0;
		return false;
	}
	if (!n->differs_ns) {
		n->differs_ns = last.time_ns;
		n->differs = 0;
	}
	*ret_since = n->differs_ns;
	return ++n->differs >= DIFFERS_TIMES && last.time_ns - n->differs_ns >= DIFFERS_FOR;
}
