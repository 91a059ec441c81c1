#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *role = "bedwarden";
static enum log_level most = LOG_INFO;

void log_init(const char *name, enum log_level level)
{
	role = name;
	most = level;
}

/* One write per line, so that processes sharing stderr do not mix theirs. */
static void log_line(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char line[1024];
	int n, m;

	if (level > most)
		return;
	n = snprintf(line, sizeof(line), "%s: %s: ", role, names[level]);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	n += m < (int)sizeof(line) - n - 1 ? m : (int)sizeof(line) - n - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to say it */
}

#define LOG_AT(level)                     \
	do {                              \
		va_list ap;               \
		va_start(ap, fmt);        \
		log_line(level, fmt, ap); \
		va_end(ap);               \
	} while (0)

void log_error(const char *fmt, ...)
{
	LOG_AT(LOG_ERROR);
}

void log_warn(const char *fmt, ...)
{
	LOG_AT(LOG_WARN);
}

void log_info(const char *fmt, ...)
{
	LOG_AT(LOG_INFO);
}

void log_debug(const char *fmt, ...)
{
	LOG_AT(LOG_DEBUG);
}

void fatal(const char *fmt, ...)
{
	LOG_AT(LOG_ERROR);
	exit(1);
}
