/*
 * Where an advisory disagrees with itself: the mandatory tests of CSAF 2.0 §6.1 that concern what is
 * matched and shown, and what publishers get wrong in practice: words that say another version,
 * score or vector than the fields beside them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "update/advisory/csaf.h"
#include "update/advisory/cvss.h"

/* --- tracking ------------------------------------------------------------------ */

/* Integers or semantic versions, §3.1.11: the part before the first dot. */
static long major_of(const char *number)
{
	return strtol(number, NULL, 10);
}

/* Times that are written alike compare as their texts. */
static int compare_dates(const char *a, const char *b)
{
	return strncmp(a, b, 19);
}

static void check_revisions(struct csaf *c, const json_t *list)
{
	const char *last = "", *before = "", *newest = "", *newest_date = "", *oldest = "";
	const json_t *one, *other;
	size_t i, j;

	if (!json_array_size(list))
		return;
	json_array_foreach (list, i, one) {
		const char *number = csaf_text(one, "number"), *date = csaf_text(one, "date");

		for (j = 0; j < i && i < 256; j++) {
			other = json_array_get(list, j);
			if (strcmp(csaf_text(other, "number"), number) == 0)
				csaf_fault(c, "revision.twice", "revision %.40s is listed twice",
					   number);
		}
		if (i && compare_dates(before, date) > 0)
			csaf_fault(c, "revision.order",
				   "revision %.40s of %.30s stands behind %.40s of %.30s", number,
				   date, last, before);
		if (!*newest_date || compare_dates(date, newest_date) >= 0) {
			newest = number;
			newest_date = date;
		}
		if (!*oldest || compare_dates(date, oldest) < 0)
			oldest = date;
		last = number;
		before = date;
	}
	if (strcmp(newest, c->version) != 0 && *c->version)
		csaf_fault(c, "revision.version",
			   "it is version %.40s, and its newest revision is %.40s", c->version,
			   newest);
	if (compare_dates(newest_date, c->revised) != 0)
		csaf_fault(c, "revision.date",
			   "it was revised %.30s, its newest revision is of %.30s", c->revised,
			   newest_date);
	if (compare_dates(oldest, c->released) != 0)
		csaf_fault(c, "revision.first",
			   "it was released %.30s, its first revision is of %.30s", c->released,
			   oldest);
	if (json_array_size(list) < 1000 && major_of(newest) > (long)json_array_size(list))
		csaf_fault(c, "revision.missing", "it is revision %.40s, and %zu are listed",
			   newest, json_array_size(list));
}

static void check_tracking(struct csaf *c, const json_t *document, const char *name)
{
	const json_t *tracking = json_object_get(document, "tracking");
	char want[160];
	size_t n = 0;

	check_revisions(c, json_object_get(tracking, "revision_history"));
	if (compare_dates(c->released, c->revised) > 0)
		csaf_fault(c, "tracking.dates", "it was revised %.30s before it was released %.30s",
			   c->revised, c->released);
	if (strcmp(c->tracking, "draft") != 0 && *c->version == '0')
		csaf_fault(c, "tracking.draft", "its version %.40s is a draft's, its status %.20s",
			   c->version, c->tracking);
	if (!name)
		return;
	/* §5.1: the id in lower case, everything else than letters, digits, + and - as _. */
	for (const char *s = c->id; *s && n < sizeof(want) - 6; s++) {
		if (isalnum((unsigned char)*s) || *s == '+' || *s == '-')
			want[n++] = (char)tolower((unsigned char)*s);
		else if (!n || want[n - 1] != '_')
			want[n++] = '_';
	}
	memcpy(want + n, ".json", 6);
	if (strcmp(want, name) != 0)
		csaf_fault(c, "tracking.file_name", "the file is %.80s; its id makes that %.80s",
			   name, want);
}

/* --- products -------------------------------------------------------------------- */

/* §6.1.31 */
static bool says_range(const char *s)
{
	static const char *const words[] = {"<",      "<=",	 ">",	  ">=",	   "after",   "all",
					    "before", "earlier", "later", "prior", "versions"};
	char copy[256], *word, *save = NULL;

	if (strncmp(s, "vers:", 5) == 0 || strpbrk(s, "<>"))
		return true;
	snprintf(copy, sizeof(copy), "%s", s);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (strcasecmp(word, words[i]) == 0)
				return true;
	return false;
}

static void check_version_branches(struct csaf *c, const json_t *list, unsigned deep)
{
	const json_t *branch;
	size_t i;

	json_array_foreach (list, i, branch) {
		const char *name = csaf_text(branch, "name");

		if (strcmp(csaf_text(branch, "category"), "product_version") == 0 &&
		    says_range(name))
			csaf_fault(c, "range.in_product_version",
				   "'%.80s' is called a single version and is a range", name);
		if (deep < 30)
			check_version_branches(c, json_object_get(branch, "branches"), deep + 1);
	}
}

/* "IntelliBridge EC80 Hub: Versions 1.3 and prior" beside a branch that says "< 1.3". */
static void check_title(struct csaf *c, const struct csaf_product *p)
{
	const char *colon = strrchr(p->title, ':');
	struct range said;

	if (!colon || !p->range || *p->range->condition || strlen(colon) > 200)
		return;
	if (range_parse(colon + 1 + strspn(colon + 1, " "), &said) < 0 || *said.condition)
		return;
	if (!range_equal(&said, p->range))
		csaf_fault(c, "product.version_disagrees",
			   "%s: the name says '%.80s', its branch '%.80s'", p->id, colon + 2,
			   p->version);
}

/* UTF-8 that was taken for Latin-1 and encoded again: "Ã¤" for "ä". */
static bool is_mangled(const char *s)
{
	for (; *s; s++)
		if ((uint8_t)s[0] == 0xc3 && ((uint8_t)s[1] == 0x83 || (uint8_t)s[1] == 0x82) &&
		    (uint8_t)s[2] == 0xc2)
			return true;
	return false;
}

/* One letter more, less or other. */
static bool is_misspelt(const char *a, size_t n, const char *b, size_t m)
{
	size_t i = 0, j = 0;

	if (n + 1 < m || m + 1 < n || n < 5)
		return false;
	while (i < n && i < m && tolower((unsigned char)a[i]) == tolower((unsigned char)b[i]))
		i++;
	if (i == n && i == m)
		return false;
	while (j < n - i && j < m - i &&
	       tolower((unsigned char)a[n - 1 - j]) == tolower((unsigned char)b[m - 1 - j]))
		j++;
	return n - i - j <= 1 && m - i - j <= 1;
}

/* Who means the one must be found by the other, and told that it is not sure. */
static void take_both(struct csaf *c, struct csaf_product *p, const char *word, size_t len)
{
	char both[256];

	snprintf(both, sizeof(both), "%.*s (%.120s)", len < 100 ? (int)len : 100, word,
		 p->vendor.given);
	name_vendor(&c->arena, both, &p->vendor);
	p->misspelt = true;
}

static void check_vendor(struct csaf *c, struct csaf_product *p)
{
	const char *given = p->vendor.given;
	size_t n = strcspn(given, " ,");

	if (is_mangled(given) || is_mangled(p->title))
		csaf_fault(c, "text.encoding", "'%.80s' was encoded twice",
			   is_mangled(given) ? given : p->title);
	for (const char *word = c->title; *word;) {
		size_t m = strcspn(word, " ,");

		if (!p->misspelt && is_misspelt(given, n, word, m)) {
			csaf_fault(c, "vendor.spelling",
				   "the vendor is '%.60s', in the title '%.*s'", given,
				   m < 60 ? (int)m : 60, word);
			take_both(c, p, word, m);
		}
		word += m;
		word += strspn(word, " ,");
	}
}

static void check_products(struct csaf *c, const json_t *whole)
{
	bool *used = calloc(c->product_count + 1, sizeof(*used));
	unsigned unused = 0;

	check_version_branches(
		c, json_object_get(json_object_get(whole, "product_tree"), "branches"), 0);
	for (unsigned i = 0; i < c->product_count; i++) {
		check_title(c, &c->products[i]);
		check_vendor(c, &c->products[i]);
	}
	for (unsigned i = 0; used && i < c->vulnerability_count; i++)
		for (unsigned j = 0; j < c->vulnerabilities[i].state_count; j++)
			used[c->vulnerabilities[i].states[j].product] = true;
	for (unsigned i = 0; used && i < c->product_count; i++)
		if (c->products[i].component != CSAF_NONE && used[i]) {
			used[c->products[i].component] = true;
			if (c->products[i].host != CSAF_NONE)
				used[c->products[i].host] = true;
		}
	for (unsigned i = 0; used && i < c->product_count; i++)
		unused += !used[i];
	if (used && unused && c->vulnerability_count)
		csaf_fault(c, "product.unused",
			   "%u of %u products have no status in any vulnerability", unused,
			   c->product_count);
	free(used);
}

/* --- vulnerabilities ---------------------------------------------------------------- */

/* §6.1.6: of these groups a product may be in one. */
static int group_of(enum csaf_status s)
{
	switch (s) {
	case CSAF_KNOWN_AFFECTED:
	case CSAF_FIRST_AFFECTED:
	case CSAF_LAST_AFFECTED:
		return 0;
	case CSAF_NOT_AFFECTED:
		return 1;
	case CSAF_FIXED:
	case CSAF_FIRST_FIXED:
		return 2;
	case CSAF_INVESTIGATED:
		return 3;
	default:
		return -1;
	}
}

static const char *const group_names[] = {"affected", "not affected", "fixed",
					  "under investigation"};

static int state_order(const void *a, const void *b)
{
	const struct csaf_state *x = a, *y = b;

	if (x->product != y->product)
		return x->product < y->product ? -1 : 1;
	return (x->status > y->status) - (x->status < y->status);
}

static void check_states(struct csaf *c, struct csaf_vulnerability *v)
{
	if (v->state_count)
		qsort(v->states, v->state_count, sizeof(*v->states), state_order);
	for (unsigned i = 1; i < v->state_count; i++) {
		const struct csaf_state *a = &v->states[i - 1], *b = &v->states[i];
		int x = group_of(a->status), y = group_of(b->status);

		if (a->product == b->product && x >= 0 && y >= 0 && x != y)
			csaf_fault(c, "status.contradicts", "%s: product %.60s is %s and %s",
				   v->cve, c->products[a->product].id, group_names[x],
				   group_names[y]);
	}
}

/* Ids of the products that are affected, as keys. */
static json_t *affected_of(const struct csaf *c, const struct csaf_vulnerability *v)
{
	json_t *ids = json_object();

	for (unsigned i = 0; i < v->state_count; i++)
		if (group_of(v->states[i].status) == 0)
			json_object_set_new(ids, c->products[v->states[i].product].id, json_true());
	return ids;
}

static void check_score(struct csaf *c, const struct csaf_vulnerability *v, const json_t *one,
			const json_t *affected)
{
	const json_t *cvss = json_object_get(one, "cvss_v3"), *id;
	const char *vector = csaf_text(cvss, "vectorString");
	const char *severity = csaf_text(cvss, "baseSeverity");
	double score = json_number_value(json_object_get(cvss, "baseScore"));
	int said = score >= 0 && score <= 10 ? (int)(score * 10 + 0.5) : -1,
	    due = cvss_base(vector);
	size_t i;

	if (!cvss)
		return;
	if (due < 0)
		csaf_fault(c, "score.vector", "%s: '%.80s' is no CVSS 3 base vector", v->cve,
			   vector);
	else if (said != due)
		csaf_fault(c, "score.computation",
			   "%s: the base score is %d.%d, its vector stands for %d.%d", v->cve,
			   said / 10, said % 10, due / 10, due % 10);
	if (*severity && said >= 0 && strcasecmp(severity, cvss_severity(said)) != 0)
		csaf_fault(c, "score.severity", "%s: %.20s does not go with a score of %d.%d",
			   v->cve, severity, said / 10, said % 10);
	json_array_foreach (json_object_get(one, "products"), i, id)
		if (json_is_string(id) && !json_object_get(affected, json_string_value(id)))
			csaf_fault(
				c, "score.not_affected",
				"%s: a score is for product %.60s, which is not listed as affected",
				v->cve, json_string_value(id));
}

/* §6.1.7 */
static void check_scores(struct csaf *c, const struct csaf_vulnerability *v, const json_t *scores)
{
	json_t *seen = json_object(), *affected = affected_of(c, v);
	const json_t *one, *id;
	size_t i, j;

	json_array_foreach (scores, i, one) {
		const char *version = csaf_text(json_object_get(one, "cvss_v3"), "version");

		check_score(c, v, one, affected);
		json_array_foreach (json_object_get(one, "products"), j, id) {
			char key[200];

			if (!json_is_string(id) || !*version)
				continue;
			snprintf(key, sizeof(key), "%.20s %.160s", version, json_string_value(id));
			if (json_object_get(seen, key))
				csaf_fault(c, "score.twice",
					   "%s: product %.60s has two scores of CVSS %.10s", v->cve,
					   json_string_value(id), version);
			json_object_set_new(seen, key, json_true());
		}
	}
	json_decref(affected);
	json_decref(seen);
}

static bool any_score_is(const json_t *scores, int tenths)
{
	const json_t *one;
	size_t i;

	json_array_foreach (scores, i, one) {
		static const char *const kinds[] = {"cvss_v3", "cvss_v2"};

		for (int k = 0; k < 2; k++) {
			const json_t *n =
				json_object_get(json_object_get(one, kinds[k]), "baseScore");

			if (json_is_number(n) && (int)(json_number_value(n) * 10 + 0.5) == tenths)
				return true;
		}
	}
	return false;
}

static bool any_vector_has(const json_t *scores, const char *metrics, size_t len)
{
	const json_t *one;
	size_t i;

	json_array_foreach (scores, i, one) {
		const char *v = csaf_text(json_object_get(one, "cvss_v3"), "vectorString");

		for (const char *at = v; (at = strchr(at, '/')) != NULL;) {
			at++;
			if (strncmp(at, metrics, len) == 0 && !at[len])
				return true;
		}
		v = csaf_text(json_object_get(one, "cvss_v2"), "vectorString");
		if (strlen(v) == len && strncmp(v, metrics, len) == 0)
			return true;
	}
	return false;
}

/* "A CVSS v3 base score of 6.3 has been calculated; the CVSS vector string is (AV:A/…)." */
static void check_words(struct csaf *c, const struct csaf_vulnerability *v, const char *text,
			const json_t *scores)
{
	const char *at = strcasestr(text, "base score of ");
	double score;
	char *end;

	if (!json_array_size(scores))
		return;
	if (at) {
		score = strtod(at + 14, &end);
		if (end != at + 14 && score >= 0 && score <= 10 &&
		    !any_score_is(scores, (int)(score * 10 + 0.5)))
			csaf_fault(c, "score.words_disagree",
				   "%s: its text says a base score of %.1f, its fields say others",
				   v->cve, score);
	}
	at = strcasestr(text, "vector string is (");
	if (at) {
		size_t len = strcspn(at += 18, ")");

		if (strncmp(at, "AV:", 3) == 0 && len < 100 && !any_vector_has(scores, at, len))
			csaf_fault(c, "score.words_disagree",
				   "%s: its text says the vector %.*s, its fields say another",
				   v->cve, (int)len, at);
	}
}

/* VEX, §6.1.27.9 and §6.1.27.10: why not, and what to do. */
static void check_vex(struct csaf *c, const struct csaf_vulnerability *v, const json_t *o)
{
	bool denied = false, affected = false;

	for (unsigned i = 0; i < v->state_count; i++) {
		denied |= v->states[i].status == CSAF_NOT_AFFECTED;
		affected |= v->states[i].status == CSAF_KNOWN_AFFECTED;
	}
	if (denied && !*v->impact && !json_array_size(json_object_get(o, "flags")))
		csaf_fault(c, "vex.no_justification",
			   "%s: products are not affected, and nothing says why", v->cve);
	if (affected && !v->remedy_count)
		csaf_fault(c, "vex.no_action",
			   "%s: products are affected, and nothing says what to do", v->cve);
}

static void check_remedies(struct csaf *c, const struct csaf_vulnerability *v)
{
	for (unsigned i = 0; i < v->remedy_count; i++)
		if (!v->remedies[i].product_count)
			csaf_fault(c, "remediation.no_product",
				   "%s: a %.40s is for no product in particular", v->cve,
				   v->remedies[i].category);
}

static void check_vulnerabilities(struct csaf *c, const json_t *list)
{
	bool vex = strcmp(c->category, "csaf_vex") == 0;
	json_t *seen = json_object();
	const json_t *o, *note;
	size_t i, j;

	json_array_foreach (list, i, o) {
		struct csaf_vulnerability *v = &c->vulnerabilities[i];
		const json_t *scores = json_object_get(o, "scores");

		if (i >= c->vulnerability_count)
			break;
		if (*v->cve && json_object_get(seen, v->cve))
			csaf_fault(c, "vulnerability.twice", "%.40s stands there more than once",
				   v->cve);
		json_object_set_new(seen, v->cve, json_true());
		check_states(c, v);
		check_scores(c, v, scores);
		check_remedies(c, v);
		json_array_foreach (json_object_get(o, "notes"), j, note)
			check_words(c, v, csaf_text(note, "text"), scores);
		if (!v->state_count && c->product_count)
			csaf_fault(c, "vulnerability.no_product", "%.40s is of no product", v->cve);
		if (vex)
			check_vex(c, v, o);
	}
	json_decref(seen);
}

void csaf_check(struct csaf *c, const json_t *whole, const char *name)
{
	check_tracking(c, json_object_get(whole, "document"), name);
	check_products(c, whole);
	check_vulnerabilities(c, json_object_get(whole, "vulnerabilities"));
	if (!c->product_count)
		csaf_fault(c, "product.none", "it names no products, so it matches nothing");
	if (!c->vulnerability_count && strcmp(c->category, "csaf_security_advisory") == 0)
		csaf_fault(c, "vulnerability.none",
			   "it is a security advisory of no vulnerability");
}
