#include "update/advisory/cvss.h"

#include <math.h>
#include <string.h>

/* The value of metric `name` ("AV"): a letter; 0 where the vector has none. */
static char metric(const char *vector, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = vector; (at = strchr(at, '/')) != NULL;) {
		at++;
		if (strncmp(at, name, n) == 0 && at[n] == ':' && at[n + 1] &&
		    (at[n + 2] == '/' || !at[n + 2]))
			return at[n + 1];
	}
	return 0;
}

/* -1: no such letter. */
static double weight(char letter, const char *letters, const double *weights)
{
	const char *at = letter ? strchr(letters, letter) : NULL;

	return at ? weights[at - letters] : -1;
}

/* §7.5 Appendix A: to the next tenth, by whole numbers, so that no binary fraction decides. */
static int round_up(double score)
{
	int64_t n = (int64_t)llround(score * 100000);

	return (int)(n % 10000 == 0 ? n / 10000 : n / 10000 + 1);
}

int cvss_base(const char *vector)
{
	static const double impact[] = {0.56, 0.22, 0};
	char scope = metric(vector, "S");
	bool changed = scope == 'C';
	double av = weight(metric(vector, "AV"), "NALP", (const double[]){0.85, 0.62, 0.55, 0.2});
	double ac = weight(metric(vector, "AC"), "LH", (const double[]){0.77, 0.44});
	double pr = weight(metric(vector, "PR"), "NLH",
			   changed ? (const double[]){0.85, 0.68, 0.5}
				   : (const double[]){0.85, 0.62, 0.27});
	double ui = weight(metric(vector, "UI"), "NR", (const double[]){0.85, 0.62});
	double c = weight(metric(vector, "C"), "HLN", impact);
	double i = weight(metric(vector, "I"), "HLN", impact);
	double a = weight(metric(vector, "A"), "HLN", impact);
	double iss, total, exploit;

	if (strncmp(vector, "CVSS:3.0/", 9) != 0 && strncmp(vector, "CVSS:3.1/", 9) != 0)
		return -1;
	if (av < 0 || ac < 0 || pr < 0 || ui < 0 || c < 0 || i < 0 || a < 0 ||
	    (scope != 'U' && scope != 'C'))
		return -1;
	iss = 1 - (1 - c) * (1 - i) * (1 - a);
	total = changed ? 7.52 * (iss - 0.029) - 3.25 * pow(iss - 0.02, 15) : 6.42 * iss;
	if (total <= 0)
		return 0;
	exploit = 8.22 * av * ac * pr * ui;
	total = (changed ? 1.08 : 1) * (total + exploit);
	return round_up(total < 10 ? total : 10);
}

const char *cvss_severity(int tenths)
{
	return tenths >= 90   ? "critical"
	       : tenths >= 70 ? "high"
	       : tenths >= 40 ? "medium"
	       : tenths > 0   ? "low"
			      : "none";
}
