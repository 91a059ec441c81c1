#include "guard/policy/likely.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

/* A vendor makes many kinds of machines, and anybody may open a port. */
enum weight {
	WEIGHT_VENDOR = 3,
	WEIGHT_DHCP = 4,
	WEIGHT_ANSWERS = 3,
	WEIGHT_TALKS = 1,
	WEIGHT_APP = 1,
	SCORE_LEAST = 3,
};

struct reasons {
	uint32_t score;
	unsigned count;
	char (*text)[128]; /* NULL: only the score is wanted */
};

static __attribute__((format(printf, 3, 4))) void add(struct reasons *r, uint32_t weight,
						      const char *fmt, ...)
{
	va_list ap;

	r->score += weight;
	if (!r->text || r->count == MACHINE_REASONS)
		return;
	va_start(ap, fmt);
	vsnprintf(r->text[r->count++], sizeof(r->text[0]), fmt, ap);
	va_end(ap);
}

void likely_service_text(const struct machine_service *s, char ret_text[16])
{
	snprintf(ret_text, 16, "%s/%u", s->proto == PROTO_TCP ? "tcp" : "udp", s->port);
}

static void match_vendor(const struct machine *m, const struct config_identify *id,
			 struct reasons *r)
{
	for (unsigned i = 0; i < id->vendor_count; i++)
		if (strcasestr(m->vendor, id->vendor[i])) {
			add(r, WEIGHT_VENDOR, "its network card was made by %.80s", m->vendor);
			return;
		}
}

static void match_dhcp(const struct machine *m, const struct config_identify *id, struct reasons *r)
{
	for (unsigned i = 0; i < id->dhcp_count; i++) {
		if (strcasestr(m->dhcp_class, id->dhcp[i])) {
			add(r, WEIGHT_DHCP, "it calls itself %s when it asks for an address",
			    m->dhcp_class);
			return;
		}
		if (m->name_from == MACHINE_NAME_DHCP && strcasestr(m->name, id->dhcp[i])) {
			add(r, WEIGHT_DHCP, "its name is %s", m->name);
			return;
		}
	}
}

static void match_services(const struct machine *m, const struct config_identify *id,
			   struct reasons *r)
{
	char text[16];

	for (unsigned i = 0; i < id->service_count; i++)
		for (unsigned s = 0; s < m->service_count; s++) {
			likely_service_text(&m->service[s], text);
			if (strcasecmp(text, id->service[i]) != 0)
				continue;
			if (m->service[s].answers)
				add(r, WEIGHT_ANSWERS, "it answers on %s", text);
			else
				add(r, WEIGHT_TALKS, "it talks to %s of others", text);
		}
}

static void match_apps(const struct machine *m, const struct config_identify *id, struct reasons *r)
{
	for (unsigned i = 0; i < id->app_count; i++)
		for (unsigned a = 0; a < m->app_count; a++)
			if (!strcasecmp(m->app[a], id->app[i]))
				add(r, WEIGHT_APP, "it speaks %s", m->app[a]);
}

static void match(const struct machine *m, const struct config_identify *id, struct reasons *r)
{
	if (!id)
		return;
	match_vendor(m, id, r);
	match_dhcp(m, id, r);
	match_services(m, id, r);
	match_apps(m, id, r);
}

int likely_profile(const struct machine *m, const struct inventory_profile *profiles,
		   unsigned count, uint32_t *ret_score)
{
	uint32_t most = SCORE_LEAST - 1;
	int best = -1;

	for (unsigned i = 0; i < count; i++) {
		struct reasons r = {0};

		match(m, profiles[i].identify, &r);
		if (r.score > most) {
			most = r.score;
			best = (int)i;
		} else if (r.score == most && most >= SCORE_LEAST) {
			best = -1;
		}
	}
	*ret_score = best < 0 ? 0 : most;
	return best;
}

unsigned likely_reasons(const struct machine *m, const struct inventory_profile *p,
			char ret_reasons[MACHINE_REASONS][128])
{
	struct reasons r = {.text = ret_reasons};

	match(m, p->identify, &r);
	return r.count;
}
