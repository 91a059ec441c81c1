#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/number.h"
#include "base/secret.h"
#include "cli/cli.h"

#define GROUPS	  6
#define PER_GROUP 5
#define SIGNALS	  7

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	interrupted = signal;
}

/* Up to the end of a line, or to the end of all. Bytes, or -errno. */
static ssize_t read_line(int fd, char *text)
{
	size_t len = 0;

	while (!interrupted) {
		ssize_t n = read(fd, text + len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || text[len] == '\n')
			break;
		if (++len == PASSPHRASE_MAX)
			return -E2BIG;
	}
	text[len] = 0;
	return interrupted ? -EINTR : (ssize_t)len;
}

static bool is_stop(int signal)
{
	return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* Once, up to the line's end or a signal, which *ret_signal names; else it is 0. */
static ssize_t read_once(int fd, const char *prompt, char *text, int *ret_signal)
{
	static const int signals[SIGNALS] = {SIGINT,  SIGTERM, SIGHUP, SIGQUIT,
					     SIGTSTP, SIGTTIN, SIGTTOU};
	struct sigaction catch = {.sa_handler = interrupt}, was[SIGNALS];
	struct termios shown, unseen;
	ssize_t n;

	if (tcgetattr(fd, &shown) != 0)
		return -errno;
	interrupted = 0;
	for (unsigned i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &catch, &was[i]);
	unseen = shown;
	unseen.c_lflag = (unseen.c_lflag & ~(tcflag_t)ECHO) | ICANON | ISIG;
	tcsetattr(fd, TCSANOW, &unseen);
	if (!interrupted)
		dprintf(fd, "%s", prompt);
	n = read_line(fd, text);
	*ret_signal = interrupted;
	/* In the background this would be one more SIGTTOU, and the shell has shown it again already. */
	if (*ret_signal != SIGTTIN && *ret_signal != SIGTTOU) {
		dprintf(fd, "\n");
		tcsetattr(fd, TCSANOW, &shown);
	}
	for (unsigned i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &was[i], NULL);
	return n;
}

/*
 * The terminal shows again what is typed whatever happens, an interrupt or a stop (Ctrl-Z) among it,
 * behind which the prompt comes anew. It is silenced before the prompt appears, and nothing typed
 * ahead is thrown away, so that a program that answers the prompt at once is heard.
 */
static ssize_t read_unseen(int fd, const char *prompt, char *text)
{
	int signal = 0;
	ssize_t n;

	do {
		n = read_once(fd, prompt, text, &signal);
		if (signal)
			raise(signal);
	} while (is_stop(signal));
	return n;
}

static char *new_buffer(void)
{
	char *p = secret_new(PASSPHRASE_MAX);

	if (!p)
		cli_fail("out of memory");
	return p;
}

char *passphrase_ask(const char *prompt)
{
	char *text = new_buffer();
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY), fd = tty;
	ssize_t n = -ENOTTY;

	if (!text)
		goto close;
	if (fd < 0 && isatty(STDIN_FILENO))
		fd = STDIN_FILENO;
	if (fd >= 0)
		n = read_unseen(fd, prompt, text);
	if (n < 0) {
		if (fd < 0)
			cli_fail("there is no terminal to ask for the passphrase; a program gives "
				 "it in AGE_PASSPHRASE_FD (seal and open: with -j batchpass)");
		else
			cli_fail("the passphrase was not read: %s", strerror((int)-n));
		passphrase_free(text);
		text = NULL;
	}
close:
	if (tty >= 0)
		close(tty);
	return text;
}

/* 150 bits, in letters and digits that are not taken for one another. */
static char *make_up(void)
{
	static const char alphabet[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
	uint8_t random[GROUPS * PER_GROUP];
	char *text = new_buffer(), *p = text;

	if (text && crypto_random(random, sizeof(random)) < 0) {
		cli_fail("there is no randomness to be had");
		passphrase_free(text);
		return NULL;
	}
	for (unsigned i = 0; text && i < sizeof(random); i++) {
		if (i && i % PER_GROUP == 0)
			*p++ = '-';
		*p++ = alphabet[random[i] & 31];
	}
	secret_wipe(random, sizeof(random));
	if (text)
		fprintf(stderr, "bedwarden: using the generated passphrase \"%s\"\n", text);
	return text;
}

char *passphrase_new(void)
{
	char *first, *second;
	bool same;

	first = passphrase_ask("Enter passphrase (leave empty to generate a secure one): ");
	if (!first)
		return NULL;
	if (!*first) {
		passphrase_free(first);
		return make_up();
	}
	second = passphrase_ask("Confirm passphrase: ");
	same = second && strcmp(first, second) == 0;
	if (second && !same)
		cli_fail("the passphrases differ; nothing was sealed");
	passphrase_free(second);
	if (same)
		return first;
	passphrase_free(first);
	return NULL;
}

/* All that a descriptor gives, without the ends of its last lines. */
static int read_all(int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, PASSPHRASE_MAX - len)) > 0) {
		len += (size_t)n;
		if (len == PASSPHRASE_MAX)
			return -E2BIG;
	}
	if (n < 0)
		return -errno;
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	text[len] = 0;
	return 0;
}

bool passphrase_in_environment(void)
{
	const char *value = getenv("AGE_PASSPHRASE"), *fd = getenv("AGE_PASSPHRASE_FD");

	return (value && *value) || (fd && *fd);
}

char *passphrase_from_environment(void)
{
	const char *value = getenv("AGE_PASSPHRASE"), *fd = getenv("AGE_PASSPHRASE_FD");
	char *text;
	uint64_t n;
	int r = 0;

	value = value && *value ? value : NULL;
	fd = fd && *fd ? fd : NULL;
	if (!value == !fd) {
		cli_fail("-j batchpass takes the passphrase from AGE_PASSPHRASE or from the "
			 "descriptor "
			 "AGE_PASSPHRASE_FD: set one of them");
		return NULL;
	}
	text = new_buffer();
	if (!text)
		return NULL;
	if (value && snprintf(text, PASSPHRASE_MAX, "%s", value) >= PASSPHRASE_MAX)
		r = -E2BIG;
	if (fd)
		r = number_read(fd, 0, INT32_MAX, &n) ? read_all((int)n, text) : -EBADF;
	if (r == 0 && *text)
		return text;
	cli_fail("%s: %s", value ? "AGE_PASSPHRASE" : "AGE_PASSPHRASE_FD",
		 r < 0 ? strerror(-r) : "the passphrase is empty");
	passphrase_free(text);
	return NULL;
}

void passphrase_free(char *passphrase)
{
	secret_free(passphrase, PASSPHRASE_MAX);
}
