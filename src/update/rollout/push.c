#include "update/rollout/push.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/fips_curl.h"

#define SLOW_BYTES 100 /* a second, for … */
#define SLOW_S	   60

struct sending {
	int fd;
	uint64_t at, length;
	const volatile bool *stop;
};

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool is_http(const char *url)
{
	return begins(url, "http://") || begins(url, "https://");
}

/* NULL, or what is wrong with it, for a person. */
static const char *misfit(const struct push *p)
{
	if (!is_http(p->url) && !begins(p->url, "sftp://") && !begins(p->url, "tftp://"))
		return "the URL must begin with http://, https://, sftp:// or tftp://";
	if (*p->then && !is_http(p->then))
		return "what is asked afterwards must begin with http:// or https://";
	if (begins(p->url, "sftp://") && !*p->host_key)
		return "by sftp the host's key must be given: anybody could be there";
	return NULL;
}

static size_t give(char *data, size_t size, size_t count, void *arg)
{
	struct sending *s = arg;
	uint64_t rest = s->length - s->at;
	size_t want = size * count < rest ? size * count : (size_t)rest;
	ssize_t n = pread(s->fd, data, want, (off_t)s->at);

	if (n < 0 || *s->stop)
		return CURL_READFUNC_ABORT;
	s->at += (uint64_t)n;
	return (size_t)n;
}

static int rewind_to(void *arg, curl_off_t at, int origin)
{
	struct sending *s = arg;

	if (origin != SEEK_SET || at < 0 || (uint64_t)at > s->length)
		return CURL_SEEKFUNC_FAIL;
	s->at = (uint64_t)at;
	return CURL_SEEKFUNC_OK;
}

static size_t ignore(char *data, size_t size, size_t count, void *arg)
{
	return size * count;
}

static int interrupted(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct sending *s = arg;

	return *s->stop;
}

/* What holds for every request: no redirect (the policy names the device), no proxy, bounded time. */
static CURL *begin(const struct push *p, const char *url, struct sending *s,
		   char error[CURL_ERROR_SIZE])
{
	CURL *c = curl_easy_init();

	if (!c)
		return NULL;
	curl_easy_setopt(c, CURLOPT_URL, url);
	/* Which algorithms SSH agrees on is libssh2's. */
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR,
			 fips_on() ? "http,https,tftp" : "http,https,sftp,tftp");
	fips_curl(c);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 15L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)p->seconds);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, interrupted);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
	if (*p->ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, p->ca);
	if (*p->user) {
		curl_easy_setopt(c, CURLOPT_USERNAME, p->user);
		curl_easy_setopt(c, CURLOPT_PASSWORD, p->password);
		curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BASIC | CURLAUTH_DIGEST);
	}
	if (*p->host_key)
		curl_easy_setopt(c, CURLOPT_SSH_HOST_PUBLIC_KEY_SHA256,
				 p->host_key + (begins(p->host_key, "SHA256:") ? 7 : 0));
	/* No key of whoever runs the gateway is tried on a device. */
	curl_easy_setopt(c, CURLOPT_SSH_AUTH_TYPES,
			 (long)(CURLSSH_AUTH_PASSWORD | CURLSSH_AUTH_KEYBOARD));
	return c;
}

static int finish(CURL *c, const char *url, const struct sending *s, const char *said,
		  char error[PUSH_ERROR])
{
	CURLcode r = curl_easy_perform(c);
	long code = 0;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(c);
	if (r == CURLE_OK && is_http(url) && code / 100 != 2) {
		/* A redirect is no success: the file lies nowhere. */
		snprintf(error, PUSH_ERROR, "%.100s: it answers %ld and takes nothing", url, code);
		return -EIO;
	}
	if (r == CURLE_OK)
		return 0;
	if (*s->stop) {
		snprintf(error, PUSH_ERROR, "%.100s: broken off", url);
		return -ECANCELED;
	}
	snprintf(error, PUSH_ERROR, "%.100s: %.140s", url, *said ? said : curl_easy_strerror(r));
	return r == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;
}

/* `text` in quotes, for libcurl's quote commands. False: it does not fit. */
static bool quote(char *to, size_t size, const char *text)
{
	size_t n = 0;

	if (size < 3)
		return false;
	to[n++] = '"';
	for (; *text && n + 4 < size; text++) {
		if (*text == '"' || *text == '\\')
			to[n++] = '\\';
		to[n++] = *text;
	}
	to[n++] = '"';
	to[n] = 0;
	return !*text;
}

/* The path of an SFTP URL, quoted, with `more` behind it; "/~/" is the user's folder. */
static bool remote_path(const char *url, const char *more, char *to, size_t size)
{
	char path[PUSH_URL + 8], *decoded = NULL;
	CURLU *u = curl_url();
	bool fine = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		    curl_url_get(u, CURLUPART_PATH, &decoded, CURLU_URLDECODE) == CURLUE_OK;

	if (fine) {
		snprintf(path, sizeof(path), "%s%s", decoded + (begins(decoded, "/~/") ? 3 : 0),
			 more);
		fine = quote(to, size, path);
	}
	curl_free(decoded);
	curl_url_cleanup(u);
	return fine;
}

#define PART ".part"

/*
 * By SFTP a file gets its name when it is whole: a device that looks at the folder while the line
 * breaks would flash half of it. A rename replaces nothing in version 3 of SFTP, so the old one goes first.
 */
static struct curl_slist *rename_after(CURL *c, const struct push *p)
{
	char part[2 * PUSH_URL + 16], name[2 * PUSH_URL + 16], line[4 * PUSH_URL + 64];
	char url[PUSH_URL + sizeof(PART)];
	struct curl_slist *first = NULL, *both = NULL;

	if (!remote_path(p->url, PART, part, sizeof(part)) ||
	    !remote_path(p->url, "", name, sizeof(name)))
		return NULL;
	snprintf(line, sizeof(line), "*rm %s", name);
	first = curl_slist_append(NULL, line);
	snprintf(line, sizeof(line), "rename %s %s", part, name);
	both = first ? curl_slist_append(first, line) : NULL;
	if (!both) {
		curl_slist_free_all(first);
		return NULL;
	}
	snprintf(url, sizeof(url), "%s" PART, p->url);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_POSTQUOTE, both);
	return both;
}

static int send_file(const struct push *p, struct sending *s, char error[PUSH_ERROR])
{
	char said[CURL_ERROR_SIZE] = "";
	CURL *c = begin(p, p->url, s, said);
	struct curl_slist *head = NULL;
	int err;

	if (!c)
		return -ENOMEM;
	if (begins(p->url, "sftp://")) {
		head = rename_after(c, p);
		if (!head) {
			curl_easy_cleanup(c);
			snprintf(error, PUSH_ERROR, "%.100s: that is no path", p->url);
			return -EINVAL;
		}
	}
	if (is_http(p->url) && p->post) {
		head = curl_slist_append(NULL, "Content-Type: application/octet-stream");
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->length);
		curl_easy_setopt(c, CURLOPT_HTTPHEADER, head);
	} else {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)s->length);
	}
	curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(c, CURLOPT_READDATA, s);
	curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, rewind_to);
	curl_easy_setopt(c, CURLOPT_SEEKDATA, s);
	err = finish(c, p->url, s, said, error);
	curl_slist_free_all(head);
	if (err == 0 && s->at != s->length) {
		snprintf(error, PUSH_ERROR, "%.100s: it did not take all of it", p->url);
		err = -EIO;
	}
	return err;
}

static int ask_then(const struct push *p, struct sending *s, char error[PUSH_ERROR])
{
	char said[CURL_ERROR_SIZE] = "";
	CURL *c = begin(p, p->then, s, said);

	if (!c)
		return -ENOMEM;
	if (p->post)
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, "");
	return finish(c, p->then, s, said, error);
}

int push_run(const struct push *p, int fd, uint64_t length, const volatile bool *stop,
	     char ret_error[PUSH_ERROR])
{
	struct sending s = {.fd = fd, .length = length, .stop = stop};
	const char *wrong = misfit(p);
	int err;

	if (wrong) {
		snprintf(ret_error, PUSH_ERROR, "%s", wrong);
		return -EINVAL;
	}
	err = send_file(p, &s, ret_error);
	if (err == 0 && *p->then)
		err = ask_then(p, &s, ret_error);
	return err;
}
