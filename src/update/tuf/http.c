#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fips_curl.h"
#include "update/tuf/source.h"

#define CONNECT_S     15L
#define SLOW_BYTES    1000L /* a second */
#define SLOW_S	      20L
#define TOTAL_S	      120L	  /* and on the whole, with what comes for */
#define TOTAL_RATE    10000	  /* so many bytes a second */
#define HEAD_MAX      (64u << 10) /* of an answer's header, and of a refusal */
#define BUFFER	      (512L << 10)
#define BUFFER_MIN    1024
#define PACE_MS	      50
#define REDIRECTS_MAX 3

struct http {
	struct tuf_source s;
	CURL *curl;
	char *base;	      /* ends in '/' */
	uint64_t bytes_per_s; /* 0: no limit */
	uint64_t paid_ns;     /* until when what came so far takes up the limit */
	bool (*stop)(void *arg);
	void *stop_arg;
};

/* One answer on its way. */
struct answer {
	struct http *http;
	int (*take)(void *arg, const void *data, size_t len);
	void *arg;
	uint64_t from, left;
	size_t head;
	size_t refusal; /* bytes of a page that says no */
	int err;
};

/*
 * Waits until what came fits the limit, over all files that this source gave: libcurl's own lets whole
 * files pass before it begins to count. The server is slowed by its full window meanwhile.
 */
static void pace(struct http *h, size_t len)
{
	uint64_t now = clock_mono_ns();

	if (!h->bytes_per_s)
		return;
	if (h->paid_ns < now)
		h->paid_ns = now;
	h->paid_ns += len * NSEC_PER_SEC / h->bytes_per_s;
	while (h->paid_ns > now + PACE_MS * NSEC_PER_MSEC && !(h->stop && h->stop(h->stop_arg))) {
		poll(NULL, 0, PACE_MS);
		now = clock_mono_ns();
	}
}

static size_t on_data(char *data, size_t one, size_t len, void *arg)
{
	struct answer *a = arg;
	long status = 0;

	curl_easy_getinfo(a->http->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200 && a->from > 0) { /* all of it, from the start */
		a->err = -ERANGE;
		return 0;
	}
	if (status != (a->from > 0 ? 206 : 200)) {
		a->refusal += len;
		return a->refusal <= HEAD_MAX ? len : 0;
	}
	if (len > a->left) {
		a->err = -EFBIG;
		return 0;
	}
	a->left -= len;
	pace(a->http, len);
	a->err = a->take(a->arg, data, len);
	return a->err == 0 ? len : 0;
}

static size_t on_head(char *data, size_t one, size_t len, void *arg)
{
	struct answer *a = arg;

	a->head += len;
	if (a->head <= HEAD_MAX)
		return len;
	a->err = -EFBIG;
	return 0;
}

static int on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
		       curl_off_t ulnow)
{
	const struct http *h = arg;

	return h->stop(h->stop_arg);
}

static int prepare(struct http *h, struct answer *a, uint64_t max)
{
	CURL *c = h->curl;
	const char *authorities = getenv("SSL_CERT_FILE"); /* as OpenSSL's own programs have it */
	CURLcode r = CURLE_OK;
	char range[24];

	curl_easy_reset(c);
	r |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	r |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	r |= curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L);
	r |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	r |= curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	r |= fips_curl(c);
	r |= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	r |= curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES);
	r |= curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SLOW_S);
	r |= curl_easy_setopt(c, CURLOPT_TIMEOUT, TOTAL_S + (long)(max / TOTAL_RATE));
	r |= curl_easy_setopt(c, CURLOPT_BUFFERSIZE, BUFFER);
	r |= curl_easy_setopt(c, CURLOPT_USERAGENT, "bedwarden/" BEDWARDEN_VERSION);
	r |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
	r |= curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
	r |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_head);
	r |= curl_easy_setopt(c, CURLOPT_HEADERDATA, a);
	if (authorities)
		r |= curl_easy_setopt(c, CURLOPT_CAINFO, authorities);
	/* No more at once than takes an eighth of a second. */
	if (h->bytes_per_s && h->bytes_per_s / 8 < BUFFER)
		r |= curl_easy_setopt(
			c, CURLOPT_BUFFERSIZE,
			(long)(h->bytes_per_s / 8 > BUFFER_MIN ? h->bytes_per_s / 8 : BUFFER_MIN));
	if (h->stop) {
		r |= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
		r |= curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
		r |= curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
	}
	if (a->from > 0) {
		snprintf(range, sizeof(range), "%" PRIu64 "-", a->from);
		r |= curl_easy_setopt(c, CURLOPT_RANGE, range);
	}
	return r == CURLE_OK ? 0 : -EIO;
}

static int judge_failure(CURLcode r, const struct answer *a, const char *url, struct tuf_error *e)
{
	if (a->err == -EFBIG)
		return tuf_fail(e, -EFBIG, "%s is longer than it may be: not taken", url);
	if (a->err == -ERANGE)
		return tuf_fail(e, -ERANGE, "%s cannot be taken up in the middle", url);
	if (a->err < 0)
		return a->err;
	if (r == CURLE_ABORTED_BY_CALLBACK)
		return tuf_fail(e, -ECANCELED, "%s: given up, as was asked for", url);
	if (r == CURLE_OPERATION_TIMEDOUT)
		return tuf_fail(e, -ETIMEDOUT,
				"%s came too slowly or not at all: try another mirror", url);
	return tuf_fail(e, -EIO, "%s cannot be fetched: %s", url, curl_easy_strerror(r));
}

static int judge_status(long status, const struct answer *a, const char *url, struct tuf_error *e)
{
	if (status == (a->from > 0 ? 206 : 200))
		return 0;
	if (a->from > 0 && (status == 200 || status == 416))
		return tuf_fail(e, -ERANGE, "%s cannot be taken up in the middle", url);
	if (status == 403 || status == 404 || status == 410)
		return tuf_fail(e, -ENOENT, "%s is not there (HTTP %ld)", url, status);
	return tuf_fail(e, -EIO, "%s cannot be fetched: the server answers HTTP %ld", url, status);
}

/* Does `to` lead to the host and port of `from`, and not out of HTTPS? */
static bool is_same_door(const char *from, const char *to)
{
	static const CURLUPart parts[] = {CURLUPART_HOST, CURLUPART_PORT, CURLUPART_SCHEME};
	CURLU *a = curl_url(), *b = curl_url();
	bool same = a && b && !curl_url_set(a, CURLUPART_URL, from, 0) &&
		    !curl_url_set(b, CURLUPART_URL, to, 0);

	for (unsigned i = 0; same && i < sizeof(parts) / sizeof(parts[0]); i++) {
		char *x = NULL, *y = NULL;

		same = !curl_url_get(a, parts[i], &x, CURLU_DEFAULT_PORT) &&
		       !curl_url_get(b, parts[i], &y, CURLU_DEFAULT_PORT) && strcasecmp(x, y) == 0;
		curl_free(x);
		curl_free(y);
	}
	curl_url_cleanup(a);
	curl_url_cleanup(b);
	return same;
}

/* One request. 0; -errno; or 1, and *url is where to go instead. */
static int request(struct http *h, struct answer *a, uint64_t max, char **url, struct tuf_error *e)
{
	char *to = NULL, *copy;
	long status = 0;
	CURLcode r;

	a->left = max;
	a->head = a->refusal = 0;
	if (prepare(h, a, max) < 0 || curl_easy_setopt(h->curl, CURLOPT_URL, *url))
		return tuf_fail(e, -EIO, "%s cannot be asked for", *url);
	r = curl_easy_perform(h->curl);
	if (r != CURLE_OK && a->refusal <= HEAD_MAX)
		return judge_failure(r, a, *url, e);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 == 3)
		curl_easy_getinfo(h->curl, CURLINFO_REDIRECT_URL, &to);
	if (!to)
		return judge_status(status, a, *url, e);
	if (!is_same_door(*url, to))
		return tuf_fail(e, -EACCES,
				"%s redirects to another server, %.200s: not followed; name the "
				"right address instead",
				*url, to);
	copy = strdup(to);
	if (!copy)
		return tuf_fail(e, -ENOMEM, "out of memory");
	free(*url);
	*url = copy;
	return 1;
}

static int get(struct tuf_source *s, const char *path, uint64_t from, uint64_t max,
	       int (*take)(void *arg, const void *data, size_t len), void *arg, struct tuf_error *e)
{
	struct http *h = (struct http *)s;
	struct answer a = {.http = h, .take = take, .arg = arg, .from = from};
	size_t size = strlen(h->base) + strlen(path) + 1;
	char *url = malloc(size);
	int r = url ? 1 : tuf_fail(e, -ENOMEM, "out of memory");

	if (url)
		snprintf(url, size, "%s%s", h->base, path);
	for (unsigned i = 0; r == 1 && i <= REDIRECTS_MAX; i++)
		r = request(h, &a, max, &url, e);
	if (r == 1)
		r = tuf_fail(e, -ELOOP, "%s%s redirects again and again", h->base, path);
	free(url);
	return r;
}

static void release(struct tuf_source *s)
{
	struct http *h = (struct http *)s;

	if (h->curl)
		curl_easy_cleanup(h->curl);
	free(h->base);
	free(h);
}

int tuf_http_new(const char *url, struct tuf_source **ret_source, struct tuf_error *e)
{
	size_t len = strlen(url);
	struct http *h;

	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return tuf_fail(
			e, -EPROTONOSUPPORT,
			"'%.200s' is no address of a mirror; expected http://… or https://…", url);
	h = calloc(1, sizeof(*h));
	if (!h)
		return tuf_fail(e, -ENOMEM, "out of memory");
	h->s = (struct tuf_source){.get = get, .free = release};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	h->curl = curl_easy_init();
	h->base = malloc(len + 2);
	if (!h->curl || !h->base) {
		release(&h->s);
		return tuf_fail(e, -ENOMEM, "out of memory");
	}
	snprintf(h->base, len + 2, "%s%s", url, len && url[len - 1] == '/' ? "" : "/");
	*ret_source = &h->s;
	return 0;
}

void tuf_http_limit(struct tuf_source *http, uint64_t bytes_per_s, bool (*stop)(void *arg),
		    void *arg)
{
	struct http *h = (struct http *)http;

	h->bytes_per_s = bytes_per_s;
	h->stop = stop;
	h->stop_arg = arg;
}
