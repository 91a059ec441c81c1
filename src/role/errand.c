#include "role/errand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "base/address.h"
#include "base/clock.h"
#include "role/gateway.h"

/* --- words -------------------------------------------------------------------------- */

static void add(struct errand_words *w, const char *word)
{
	size_t len = strlen(word) + 1;

	if (w->count == ERRAND_WORDS || len > sizeof(w->text) - w->used) {
		w->count = ERRAND_WORDS + 1; /* too many: none */
		return;
	}
	if (w->count > ERRAND_WORDS)
		return;
	memcpy(w->text + w->used, word, len);
	w->word[w->count++] = w->text + w->used;
	w->used += len;
}

static const char *member(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static bool add_report(const json_t *order, struct errand_words *w)
{
	const char *framework = member(order, "framework");
	json_int_t days = json_integer_value(json_object_get(order, "days"));
	char text[16];

	if ((strcmp(framework, "hipaa") != 0 && strcmp(framework, "csf") != 0) || days < 1 ||
	    days > 3650)
		return false;
	add(w, "report");
	add(w, framework);
	if (!json_is_true(json_object_get(order, "html")))
		add(w, "--json");
	snprintf(text, sizeof(text), "%d", (int)days);
	add(w, "--days");
	add(w, text);
	return true;
}

static bool add_learn(const json_t *order, struct errand_words *w)
{
	const json_t *wards = json_object_get(order, "wards"), *one;
	uint8_t ip[16];
	unsigned len;
	size_t i;

	if (json_array_size(wards) > ERRAND_WARDS)
		return false;
	add(w, "policy");
	add(w, "learn");
	json_array_foreach (wards, i, one) {
		const char *ward = json_string_value(one);

		if (!ward || !address_prefix(ward, ip, &len))
			return false;
		add(w, "-w");
		add(w, ward);
	}
	return true;
}

static bool add_import(const json_t *order, struct errand_words *w)
{
	add(w, "update");
	add(w, "import");
	add(w, "--json");
	add(w, "-");
	return true;
}

bool errand_words(struct bytes order, const char *config_file, struct errand_words *ret_words)
{
	static const struct {
		const char *what;
		bool (*add)(const json_t *order, struct errand_words *w);
	} kinds[] = {{"report", add_report}, {"learn", add_learn}, {"import", add_import}};
	json_t *o = json_loadb((const char *)order.data, order.len, JSON_REJECT_DUPLICATES, NULL);
	struct errand_words *w = ret_words;
	bool fine = false;

	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].what, member(o, "do")) == 0)
			fine = kinds[i].add(o, w);
	json_decref(o);
	add(w, "-c");
	add(w, config_file);
	return fine && w->count <= ERRAND_WORDS;
}

/* --- the parent's side ---------------------------------------------------------------- */

static void tell(struct gateway *g, uint32_t id, struct bytes how, int fd)
{
	member_send(member_keeper(g), IPC_ERRAND, id, how, fd);
}

static void tell_failed(struct gateway *g, uint32_t id, const char *how)
{
	int fd = memfd_create("errand", MFD_CLOEXEC);

	if (fd < 0)
		return; /* the keeper waits no longer than it said */
	tell(g, id, (struct bytes){(const uint8_t *)how, strlen(how)}, fd);
	close(fd);
}

bool errand_take(struct gateway *g, struct member *keeper, const struct ipc_message *m)
{
	struct errand *x = &g->errand;
	int fd;

	if (x->wanted || x->under_way) {
		tell_failed(g, m->id, "{\"code\":-1,\"said\":\"another errand is under way\"}");
		return true;
	}
	if (!errand_words(m->body, g->config_file, &x->words))
		return false;
	fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return true;
	x->fd = fd;
	x->id = m->id;
	x->long_ = strcmp(x->words.word[0], "update") == 0;
	x->wanted = true;
	return true;
}

void errand_begun(struct gateway *g)
{
	g->errand.wanted = false;
	g->errand.under_way = true;
	if (g->errand.fd > 0)
		close(g->errand.fd);
	g->errand.fd = 0;
}

bool errand_done(struct gateway *g, struct member *clerk, const struct ipc_message *m)
{
	clerk->child.stopping = true; /* it ends, and that is no news */
	clerk->child.heard_ns = clock_mono_ns();
	if (!g->errand.under_way)
		return false;
	g->errand.under_way = false;
	tell(g, g->errand.id, m->body, m->fd);
	return true;
}

void errand_gone(struct gateway *g)
{
	if (!g->errand.under_way)
		return;
	g->errand.under_way = false;
	tell_failed(g, g->errand.id,
		    "{\"code\":-1,\"said\":\"what did it was ended; see the log\"}");
}
