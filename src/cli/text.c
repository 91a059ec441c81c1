#include "cli/text.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/log.h"
#include "keep/record.h"

void text_init(void)
{
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

/* Marks that are not seen but change what is: directions, joiners, separators, tags. */
static bool is_invisible(wchar_t c)
{
	return c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe0fff);
}

/* The next character of s: its bytes, 0 where they are to be replaced. */
static size_t next(const char *s, size_t len, wchar_t *ret_c)
{
	mbstate_t state = {0};
	wchar_t c = 0;
	size_t n = mbrtowc(&c, s, len, &state);

	if (n == 0 || n > len || wcwidth(c) < 0 || is_invisible(c))
		return 0;
	*ret_c = c;
	return n;
}

/* How many bytes one '?' stands for: a whole character where it is one. */
static size_t skip(const char *s, size_t len)
{
	mbstate_t state = {0};
	size_t n = mbrtowc(NULL, s, len, &state);

	return n == 0 || n > len ? 1 : n;
}

char *text_clean(const char *s, size_t len)
{
	char *out = malloc(len + 1), *at = out;
	wchar_t c;

	if (!out)
		fatal("out of memory");
	while (len > 0) {
		size_t n = next(s, len, &c);

		if (n > 0) {
			memcpy(at, s, n);
			at += n;
		} else {
			n = skip(s, len);
			*at++ = '?';
		}
		s += n;
		len -= n;
	}
	*at = 0;
	return out;
}

void text_say(const char *fmt, ...)
{
	char line[4096], *clean;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	clean = text_clean(line, strlen(line));
	puts(clean);
	free(clean);
}

size_t text_fit(const char *clean, int columns, int *ret_columns)
{
	size_t at = 0, len = strlen(clean);
	int used = 0;

	while (at < len) {
		wchar_t c;
		size_t n = next(clean + at, len - at, &c);
		int w = n ? wcwidth(c) : 1;

		if (used + w > columns)
			break;
		used += w;
		at += n ? n : 1;
	}
	*ret_columns = used;
	return at;
}

int text_width(const char *clean)
{
	int columns;

	text_fit(clean, 1 << 20, &columns);
	return columns;
}

const char *text_time(const char *eve, char ret_text[TEXT_SHORT])
{
	time_t now = time(NULL), t;
	struct tm today, then;
	int64_t ns;

	ret_text[0] = 0;
	if (!eve || !record_time(eve, &ns))
		return ret_text;
	t = (time_t)(ns / (int64_t)NSEC_PER_SEC);
	localtime_r(&now, &today);
	localtime_r(&t, &then);
	if (today.tm_year != then.tm_year)
		strftime(ret_text, TEXT_SHORT, "%e %b %Y", &then);
	else if (today.tm_yday != then.tm_yday)
		strftime(ret_text, TEXT_SHORT, "%e %b %H:%M", &then);
	else
		strftime(ret_text, TEXT_SHORT, "%H:%M:%S", &then);
	return ret_text;
}

const char *text_bytes(uint64_t bytes, char ret_text[TEXT_SHORT])
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
	double n = (double)bytes;
	unsigned u = 0;

	for (; n >= 1000 && u + 1 < sizeof(units) / sizeof(*units); u++)
		n /= 1000;
	snprintf(ret_text, TEXT_SHORT, u == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, units[u]);
	return ret_text;
}

const char *text_span(uint64_t seconds, char ret_text[TEXT_SHORT])
{
	uint64_t days = seconds / 86400, hours = seconds / 3600 % 24, minutes = seconds / 60 % 60;

	if (days)
		snprintf(ret_text, TEXT_SHORT, "%" PRIu64 " day%s %" PRIu64 " h", days,
			 days == 1 ? "" : "s", hours);
	else if (hours)
		snprintf(ret_text, TEXT_SHORT, "%" PRIu64 " h %" PRIu64 " min", hours, minutes);
	else if (minutes)
		snprintf(ret_text, TEXT_SHORT, "%" PRIu64 " min", minutes);
	else
		snprintf(ret_text, TEXT_SHORT, "%" PRIu64 " s", seconds);
	return ret_text;
}

const char *text_count(uint64_t n, char ret_text[TEXT_SHORT])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			ret_text[at++] = ',';
		ret_text[at++] = digits[i];
	}
	ret_text[at] = 0;
	return ret_text;
}
