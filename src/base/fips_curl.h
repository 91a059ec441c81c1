#ifndef BEDWARDEN_BASE_FIPS_CURL_H
#define BEDWARDEN_BASE_FIPS_CURL_H
/* What base/fips.h promises, for transfers of libcurl's over TLS. */
#include <curl/curl.h>

#include "base/fips.h"

static inline CURLcode fips_curl_context(CURL *c, void *ctx, void *arg)
{
	return fips_context((struct ssl_ctx_st *)ctx) == 0 ? CURLE_OK : CURLE_SSL_CIPHER;
}

static inline CURLcode fips_curl(CURL *c)
{
	if (!fips_on())
		return CURLE_OK;
	return curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, fips_curl_context);
}

#endif
