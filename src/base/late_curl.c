/*
 * libcurl by its own names, loaded by the first call. It brings a directory's client, Kerberos, SSH and
 * twenty more libraries along: only a process that transfers something has them in its memory, and waits
 * for them when it starts. Whoever confines himself calls curl_global_init() before.
 */
#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>

#define SONAME "libcurl.so.4"

#define FUNCTIONS(F)      \
	F(global_init)    \
	F(easy_init)      \
	F(easy_setopt)    \
	F(easy_perform)   \
	F(easy_getinfo)   \
	F(easy_reset)     \
	F(easy_cleanup)   \
	F(easy_strerror)  \
	F(slist_append)   \
	F(slist_free_all) \
	F(url)            \
	F(url_set)        \
	F(url_get)        \
	F(url_cleanup)    \
	F(free)

/* The header makes macros of them, which check types. */
#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct {
	bool there;
#define POINTER(name) __typeof__(curl_##name) *name;
	FUNCTIONS(POINTER)
} late;

static void load(void)
{
	void *lib = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

	late.there = lib;
#define FIND(name)                                                     \
	*(void **)&late.name = lib ? dlsym(lib, "curl_" #name) : NULL; \
	late.there = late.there && late.name;
	FUNCTIONS(FIND)
}

static bool is_there(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return late.there;
}

/* --- what everything else begins with: without these nobody has anything to call the rest with --------- */

CURLcode curl_global_init(long flags)
{
	return is_there() ? late.global_init(flags) : CURLE_FAILED_INIT;
}

CURL *curl_easy_init(void)
{
	return is_there() ? late.easy_init() : NULL;
}

CURLU *curl_url(void)
{
	return is_there() ? late.url() : NULL;
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
	return is_there() ? late.slist_append(list, text) : NULL;
}

const char *curl_easy_strerror(CURLcode code)
{
	return is_there() ? late.easy_strerror(code) : SONAME " is not installed";
}

void curl_slist_free_all(struct curl_slist *list)
{
	if (list)
		late.slist_free_all(list);
}

/* --- the rest ------------------------------------------------------------------------------------------ */

CURLcode curl_easy_setopt(CURL *c, CURLoption option, ...)
{
	CURLcode r;
	va_list ap;

	va_start(ap, option);
	if (option < CURLOPTTYPE_OBJECTPOINT)
		r = late.easy_setopt(c, option, va_arg(ap, long));
	else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
		r = late.easy_setopt(c, option, va_arg(ap, curl_off_t));
	else
		r = late.easy_setopt(c, option, va_arg(ap, void *));
	va_end(ap);
	return r;
}

CURLcode curl_easy_getinfo(CURL *c, CURLINFO info, ...)
{
	CURLcode r;
	va_list ap;

	va_start(ap, info);
	r = late.easy_getinfo(c, info, va_arg(ap, void *));
	va_end(ap);
	return r;
}

CURLcode curl_easy_perform(CURL *c)
{
	return late.easy_perform(c);
}

void curl_easy_reset(CURL *c)
{
	late.easy_reset(c);
}

void curl_easy_cleanup(CURL *c)
{
	if (c)
		late.easy_cleanup(c);
}

CURLUcode curl_url_set(CURLU *u, CURLUPart what, const char *part, unsigned int flags)
{
	return late.url_set(u, what, part, flags);
}

CURLUcode curl_url_get(CURLU *u, CURLUPart what, char **part, unsigned int flags)
{
	return late.url_get(u, what, part, flags);
}

void curl_url_cleanup(CURLU *u)
{
	if (u)
		late.url_cleanup(u);
}

void curl_free(void *p)
{
	if (p)
		late.free(p);
}
