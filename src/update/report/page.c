/* The report as one page: valid HTML, no script, nothing fetched, readable by a screen reader and on paper. */
#include <stdio.h>
#include <string.h>

#include "update/report/compliance.h"

/*
 * Colours are told apart by words as well. The policy forbids whatever a text could smuggle in; the style is
 * the only thing that it allows.
 */
static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	"'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<meta name=\"referrer\" content=\"no-referrer\">\n";
static const char style[] =
	"<style>\n"
	":root{--ink:#1b1f24;--soft:#57606a;--paper:#fff;--card:#f6f8fa;--line:#d0d7de;"
	"--met:#116329;--partly:#7d4e00;--not_met:#a40e26;--other:#57606a;--link:#0550ae}\n"
	"@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;--paper:#0d1117;"
	"--card:#161b22;--line:#3d444d;--met:#56d364;--partly:#e3b341;--not_met:#ff9492;"
	"--other:#9da7b3;--link:#79c0ff}}\n"
	"*{box-sizing:border-box}\n"
	"body{margin:0;color:var(--ink);background:var(--paper);font:16px/1.5 "
	"system-ui,sans-serif}\n"
	"a{color:var(--link)}\n"
	".skip{position:absolute;left:-100vw}.skip:focus{left:1rem;top:1rem;padding:.5rem;"
	"background:var(--card)}\n"
	"header,main,footer{max-width:70rem;margin:0 auto;padding:1.5rem 1rem}\n"
	"h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem}\n"
	"h2{font-size:1.25rem;margin:2.5rem 0 .75rem;padding-bottom:.25rem;border-bottom:2px solid "
	"var(--line)}\n"
	"h3{font-size:1rem;margin:0;display:inline}\n"
	".soft,footer{color:var(--soft)}\n"
	".sums{display:flex;flex-wrap:wrap;gap:.75rem;padding:0;margin:1rem 0;list-style:none}\n"
	".sums li{flex:1 1 8rem;background:var(--card);border:1px solid var(--line);"
	"border-radius:.5rem;padding:.5rem .75rem}\n"
	".sums b{display:block;font-size:1.5rem;line-height:1.2}\n"
	".sums a{text-decoration:none;color:inherit}\n"
	"article{background:var(--card);border:1px solid var(--line);border-left:.4rem solid "
	"var(--c,var(--other));border-radius:.5rem;padding:.75rem 1rem;margin:0 0 .75rem;"
	"break-inside:avoid}\n"
	".top{display:flex;flex-wrap:wrap;gap:.25rem .75rem;align-items:baseline}\n"
	".no{font-variant-numeric:tabular-nums;color:var(--soft)}\n"
	".state{margin-left:auto;font-weight:600;color:var(--c,var(--other))}\n"
	".tag{border:1px solid currentColor;border-radius:1rem;padding:0 "
	".6rem;font-size:.8125rem}\n"
	"h4{font-size:.875rem;margin:.75rem 0 0;color:var(--soft)}\n"
	"ul{margin:.25rem 0;padding-left:1.25rem}\n"
	"code{font:.8125rem/1.4 ui-monospace,monospace;color:var(--soft);overflow-wrap:anywhere}\n"
	".met{--c:var(--met)}.partly{--c:var(--partly)}.not_met{--c:var(--not_met)}\n"
	"nav ul{columns:2 18rem;padding-left:1.25rem}\n"
	"@media print{body{font-size:12px}article{border-color:#999}nav{display:none}}\n"
	"</style>\n";

static void put(FILE *out, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			/* Control characters are none of HTML's (HTML Living Standard §13.2.3.5). */
			if ((unsigned char)*s >= ' ' && *s != 0x7f)
				fputc(*s, out);
			else
				fputc(' ', out);
		}
	}
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static enum compliance_state state_named(const char *name)
{
	for (int s = 0; s < COMPLIANCE_STATES; s++)
		if (strcmp(compliance_state_name((enum compliance_state)s), name) == 0)
			return (enum compliance_state)s;
	return COMPLIANCE_NOT_MEASURED;
}

static void put_head(FILE *out, const json_t *report)
{
	const json_t *about = json_object_get(report, "about");

	fputs(head, out);
	fputs("<title>", out);
	put(out, text(report, "title"));
	fputs(": what the gateway shows</title>\n", out);
	fputs(style, out);
	fputs("</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the "
	      "requirements</a>\n<header>\n<h1>",
	      out);
	put(out, text(report, "title"));
	fputs("</h1>\n<p>What <strong>", out);
	put(out, text(about, "gateway"));
	fputs("</strong> enforces and measures, on <time datetime=\"", out);
	put(out, text(about, "made"));
	fputs("\">", out);
	put(out, text(about, "made_words"));
	fprintf(out, "</time>; events of the last %d days.</p>\n<p class=\"soft\">",
		(int)json_integer_value(json_object_get(about, "days")));
	put(out, text(report, "note"));
	fputs(" Source: ", out);
	put(out, text(report, "source"));
	fputs(".</p>\n", out);
}

static void put_notes(FILE *out, const json_t *about)
{
	const json_t *notes = json_object_get(about, "notes"), *n;
	size_t i;

	if (!json_array_size(notes))
		return;
	fputs("<h2>Before you read on</h2>\n<ul>\n", out);
	json_array_foreach (notes, i, n) {
		fputs("<li>", out);
		put(out, json_string_value(n) ? json_string_value(n) : "");
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static void put_sums(FILE *out, const json_t *summary)
{
	fputs("<ul class=\"sums\" aria-label=\"Requirements by state\">\n", out);
	for (int s = 0; s < COMPLIANCE_STATES; s++) {
		const char *name = compliance_state_name((enum compliance_state)s);

		fprintf(out, "<li class=\"%s\"><b>%d</b> %s</li>\n", name,
			(int)json_integer_value(json_object_get(summary, name)),
			compliance_state_words((enum compliance_state)s));
	}
	fputs("</ul>\n", out);
}

static void put_contents(FILE *out, const json_t *parts)
{
	const json_t *p;
	size_t i;

	fputs("<nav aria-label=\"Parts\">\n<ul>\n", out);
	json_array_foreach (parts, i, p) {
		fprintf(out, "<li><a href=\"#part-%zu\">", i + 1);
		put(out, text(p, "title"));
		fputs("</a></li>\n", out);
	}
	fputs("</ul>\n</nav>\n</header>\n", out);
}

/* Each with the command that gives its figures again, where it has any. */
static void put_list(FILE *out, const char *title, const json_t *list)
{
	const json_t *e;
	size_t i;

	if (!json_array_size(list))
		return;
	fprintf(out, "<h4>%s</h4>\n<ul>\n", title);
	json_array_foreach (list, i, e) {
		fputs("<li>", out);
		put(out, text(e, "text"));
		if (*text(e, "trace")) {
			fputs(" <code>", out);
			put(out, text(e, "trace"));
			fputs("</code>", out);
		}
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static void put_requirement(FILE *out, const json_t *r, size_t part, size_t number)
{
	enum compliance_state s = state_named(text(r, "state"));

	fprintf(out,
		"<article class=\"%s\" aria-labelledby=\"r-%zu-%zu\">\n<div class=\"top\">\n"
		"<span class=\"no\">",
		compliance_state_name(s), part, number);
	put(out, text(r, "section"));
	fprintf(out, "</span>\n<h3 id=\"r-%zu-%zu\">", part, number);
	put(out, text(r, "title"));
	fputs("</h3>\n", out);
	if (json_is_true(json_object_get(r, "proposed")))
		fputs("<span class=\"tag\">proposed</span>\n", out);
	else if (*text(r, "level"))
		fprintf(out, "<span class=\"tag\">%s</span>\n", text(r, "level"));
	fprintf(out, "<span class=\"state\">%s</span>\n</div>\n", compliance_state_words(s));
	if (s == COMPLIANCE_ORGANISATION)
		fputs("<p class=\"soft\">A matter of people and paper: no gateway can show "
		      "it.</p>\n",
		      out);
	put_list(out, "Measured", json_object_get(r, "evidence"));
	put_list(out, "Missing", json_object_get(r, "missing"));
	fputs("</article>\n", out);
}

bool compliance_page(FILE *out, const json_t *report)
{
	const json_t *parts = json_object_get(report, "parts"), *p, *r;
	const json_t *about = json_object_get(report, "about");
	size_t i, j;

	put_head(out, report);
	put_sums(out, json_object_get(report, "summary"));
	put_contents(out, parts);
	fputs("<main id=\"main\">\n", out);
	put_notes(out, about);
	json_array_foreach (parts, i, p) {
		fprintf(out, "<section aria-labelledby=\"part-%zu\">\n<h2 id=\"part-%zu\">", i + 1,
			i + 1);
		put(out, text(p, "title"));
		fputs("</h2>\n", out);
		json_array_foreach (json_object_get(p, "requirements"), j, r)
			put_requirement(out, r, i + 1, j + 1);
		fputs("</section>\n", out);
	}
	fputs("</main>\n<footer>\n<p>Made by Bedwarden ", out);
	put(out, text(about, "version"));
	fputs(". Behind each figure stands the command that gives it anew; FILE is the gateway's "
	      "policy.</p>\n"
	      "</footer>\n</body>\n</html>\n",
	      out);
	return !ferror(out);
}
