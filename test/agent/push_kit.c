/*
 * One push by hand, for tests against servers that others wrote:
 *   push-kit FILE URL [NAME=VALUE]...
 * NAME is a member of struct push, or `stop`: milliseconds after which somebody ends it. Within the
 * updater's sandbox, to which the present folder is its own.
 * Exit code 0, or 1 with one line that says why.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "update/fetch/confine.h"
#include "update/rollout/push.h"

static volatile bool stop;

static void *end_it(void *ms)
{
	usleep((useconds_t)(intptr_t)ms * 1000);
	stop = true;
	return NULL;
}

static void set(char *to, size_t size, const char *value)
{
	if (snprintf(to, size, "%s", value) >= (int)size)
		exit(2);
}

static void take(struct push *p, char *word)
{
	char *value = strchr(word, '=');
	pthread_t t;

	if (!value)
		exit(2);
	*value++ = 0;
	if (strcmp(word, "then") == 0)
		set(p->then, sizeof(p->then), value);
	else if (strcmp(word, "post") == 0)
		p->post = *value == '1';
	else if (strcmp(word, "user") == 0)
		set(p->user, sizeof(p->user), value);
	else if (strcmp(word, "password") == 0)
		set(p->password, sizeof(p->password), value);
	else if (strcmp(word, "ca") == 0)
		set(p->ca, sizeof(p->ca), value);
	else if (strcmp(word, "host_key") == 0)
		set(p->host_key, sizeof(p->host_key), value);
	else if (strcmp(word, "seconds") == 0)
		p->seconds = (uint32_t)atoi(value);
	else if (strcmp(word, "stop") != 0 ||
		 pthread_create(&t, NULL, end_it, (void *)(intptr_t)atoi(value)))
		exit(2);
}

int main(int argc, char **argv)
{
	const struct sandbox_path own[] = {{.path = ".", .write = true}};
	const struct confine c = {own, 1, true};
	struct push p = {.seconds = 60};
	char error[PUSH_ERROR] = "";
	struct stat st;
	int fd, err;

	if (argc < 3)
		return 2;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return 2;
	if (confine_enter(&c) < 0)
		return 2;
	set(p.url, sizeof(p.url), argv[2]);
	for (int i = 3; i < argc; i++)
		take(&p, argv[i]);
	err = push_run(&p, fd, (uint64_t)st.st_size, &stop, error);
	if (err < 0)
		fprintf(stderr, "%s: %s\n", strerror(-err), error);
	return err < 0;
}
