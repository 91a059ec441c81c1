#ifndef BEDWARDEN_BASE_LOG_H
#define BEDWARDEN_BASE_LOG_H
/*
 * The program's own log: one line per message on stderr, which systemd keeps.
 * Roles log; library folders stay at debug or below. Never pass text from the
 * network without a %s, and never a patient identifier.
 */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* `role` prefixes every line and must outlive the program. */
void log_init(const char *role, enum log_level most);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Start-up only: says why, exits 1. */
_Noreturn void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
