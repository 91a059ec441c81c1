#include "role/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/fips.h"
#include "base/file.h"
#include "base/log.h"
#include "guard/capture/gate.h"

#define LINK_PATIENCE_NS (3 * NSEC_PER_SEC)

/* --- the floor ------------------------------------------------------------ */

/* As many receive queues as there are guards, and a conversation in one of them. */
static void fit_queues(struct gateway *g, struct port *p)
{
	bool scattered = p->scatters;

	if (p->queues > g->guards && ports_set_queues(&g->ports, p, g->guards) < 0)
		log_warn("port %s has %u receive queues for %u guards: the rest goes by "
			 "each device's fail mode",
			 p->name, p->queues, g->guards);
	if (ports_balance(&g->ports, p) < 0 && !scattered)
		log_warn("port %s has %u receive queues and no symmetric hash: a guard may see "
			 "only one direction of a conversation",
			 p->name, p->queues);
}

/* The IP version of the address that the link is heard at, where that may be the port's. */
static uint8_t link_ip(const struct gateway *g, const struct port *p)
{
	const char *listen = g->site.config->link.listen;

	return p->ward || !*listen ? 0 : *listen == '[' ? 6 : 4;
}

/* One port that cannot be attached does not keep the others from being guarded. */
static void attach_ports(struct gateway *g)
{
	for (unsigned i = 0; i < g->ports.count; i++) {
		struct port *p = &g->ports.list[i];
		bool hid = p->hides_tags;
		int err;

		if (!p->ifindex)
			continue;
		if (g->gate)
			fit_queues(g, p);
		p->own = link_ip(g, p);
		err = ports_prepare(&g->ports, p);
		if (err < 0)
			log_error("port %s cannot be brought up: %s", p->name, strerror(-err));
		if (g->gate && p->hides_tags && !hid)
			log_warn("port %s takes VLAN tags off and cannot be told not to: the floor "
				 "judges tagged frames as if they had none",
				 p->name);
		err = g->gate ? gate_attach(g->gate, p->ifindex) : 0;
		if (err < 0)
			log_error("port %s: the floor cannot be attached: %s", p->name,
				  strerror(-err));
	}
}

/* The interfaces that a policy was compiled for. How many. */
static unsigned interfaces_of(const struct policy *p, uint32_t ret_ifindexes[PORTS_MAX])
{
	uint32_t count;
	const struct policy_port_row *rows = policy_ports(p, &count);
	unsigned n = 0;

	for (; n < count && n < PORTS_MAX; n++)
		ret_ifindexes[n] = rows[n].ifindex;
	return n;
}

/* Those that are ports no longer: another interface may get the number one day. */
static void detach_ports(struct gateway *g, const uint32_t *was, unsigned count)
{
	for (unsigned i = 0; g->gate && i < count; i++) {
		bool still = false;

		for (unsigned k = 0; k < g->ports.count; k++)
			still |= g->ports.list[k].ifindex == was[i];
		if (!still)
			gate_detach(g->gate, was[i]);
	}
}

/* As many as there are processors, or as asked for, and as the port with the fewest has queues. */
static unsigned guards_wanted(const struct gateway *g)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned guards = cpus < 1 ? 1 : (unsigned)cpus;

	if (g->site.config->gateway.workers)
		guards = g->site.config->gateway.workers;
	for (unsigned i = 0; i < g->ports.count; i++)
		if (g->ports.list[i].ifindex && g->ports.list[i].queues < guards)
			guards = g->ports.list[i].queues;
	return guards;
}

/* 0, or -EINVAL with ret_error said. */
static int open_gate(struct gateway *g, char ret_error[SITE_ERROR])
{
	const struct config_gateway *c = &g->site.config->gateway;
	struct gate_options o = {0};
	char why[256] = "";

	if (strcmp(c->capture, "packet") == 0) {
		snprintf(g->why_packet, sizeof(g->why_packet),
			 "the policy file says 'capture: packet'");
		gate_remove(c->bpf_dir); /* or it would take the frames away */
		return 0;
	}
	o.stale_ms = c->stale_ms;
	/* What the guards remember, the kernel does: else every packet of the rest is judged anew. */
	o.flows = c->flows * guards_wanted(g);
	g->gate = gate_open(c->bpf_dir, &o, why);
	if (g->gate)
		return 0;
	if (strcmp(c->capture, "xdp") == 0) {
		snprintf(ret_error, SITE_ERROR,
			 "the kernel's floor cannot be loaded: %s; say 'capture: packet' to do "
			 "without",
			 why);
		return -EINVAL;
	}
	snprintf(g->why_packet, sizeof(g->why_packet), "%s", why);
	log_warn("capture packet: the kernel's floor cannot be loaded: %s", why);
	return 0;
}

/* --- the console ----------------------------------------------------------- */

/* Where nobody can listen, the gateway guards all the same, and says so. */
static void open_front(struct gateway *g)
{
	char why[FRONT_ERROR];

	if (front_open(&g->front, &g->site.config->console, why) < 0)
		log_error("the console: %s", why);
}

static void tell_door(void *arg, const char *name, const char *why)
{
	struct gateway *g = arg;
	char text[sizeof(((struct door *)0)->name) + DOORS_ERROR];

	snprintf(text, sizeof(text), "relay %s: %s", name, why);
	log_error("%s", text);
	facts_say(&g->facts, &(struct fact){.reason = REASON_RELAY_LISTEN, .text = text});
}

static void open_doors(struct gateway *g)
{
	doors_open(&g->doors, g->site.config, tell_door, g);
}

/* --- guards --------------------------------------------------------------- */

/* Asks every port for `queues` receive queues. The most that any now has. */
static unsigned set_queues(struct gateway *g, unsigned queues)
{
	unsigned most = 1;

	for (unsigned i = 0; i < g->ports.count; i++) {
		struct port *p = &g->ports.list[i];

		if (p->ifindex && p->queues > queues)
			ports_set_queues(&g->ports, p, queues);
		if (p->queues > most)
			most = p->queues;
	}
	return most;
}

/* The first port that scatters conversations over its queues; NULL: none does. */
static const struct port *scattering(struct gateway *g)
{
	for (unsigned i = 0; i < g->ports.count; i++)
		if (g->ports.list[i].ifindex && ports_balance(&g->ports, &g->ports.list[i]) < 0)
			return &g->ports.list[i];
	return NULL;
}

/*
 * One a receive queue: the directions of a conversation come in by two ports and
 * must meet. Where they would not, one queue. A queue that nobody reads goes
 * uninspected, so a port that keeps more has a guard for each.
 */
static unsigned decide_guards(struct gateway *g)
{
	const struct port *p;
	unsigned queues;

	if (!g->gate)
		return 1; /* AF_PACKET sees all queues at once */
	queues = set_queues(g, guards_wanted(g));
	p = scattering(g);
	if (p && queues > 1) {
		log_info("port %s cannot be given a symmetric hash: one receive queue and one "
			 "guard for all ports",
			 p->name);
		queues = set_queues(g, 1);
	}
	return queues < SETUP_GUARDS_MAX ? queues : SETUP_GUARDS_MAX;
}

void reload_restart(struct gateway *g, enum role_id role)
{
	for (unsigned i = 0; i < g->member_count; i++) {
		struct member *m = &g->members[i];

		if (m->role != role || m->child.stopping || !member_outdated(g, m))
			continue;
		m->child.stopping = true;
		m->child.heard_ns = clock_mono_ns();
		member_send(m, IPC_STOP, 0, (struct bytes){0}, -1);
	}
}

/* Policy blocks are for who judges packets, and for who names devices. */
static void hand_out(struct gateway *g)
{
	for (unsigned i = 0; i < g->member_count; i++)
		if (!g->members[i].child.stopping &&
		    (g->members[i].role == ROLE_GUARD || g->members[i].role == ROLE_KEEPER))
			member_send(&g->members[i], IPC_POLICY, 0, (struct bytes){0},
				    g->site.memfd);
}

/* --- a policy into force -------------------------------------------------- */

/* The floor first: from its swap on no packet sees the old policy; guards follow. */
static int enforce(struct gateway *g, const struct policy *p, char ret_error[SITE_ERROR])
{
	struct gate_tables t;
	char why[256] = "";
	int err;

	policy_tables(p, &t);
	err = g->gate ? gate_apply(g->gate, &t, why) : 0;
	if (err < 0)
		snprintf(ret_error, SITE_ERROR, "the kernel does not take the policy: %s",
			 *why ? why : strerror(-err));
	return err < 0 ? -EINVAL : 0;
}

/* At the start every port is taken for well, so that only what is not becomes news, once links
 * had the time to come up. */
static void expect_links(struct gateway *g)
{
	for (unsigned i = 0; i < g->ports.count; i++) {
		struct port *p = &g->ports.list[i];

		p->link = p->ifindex != 0;
		if (!p->ifindex)
			watch_port(g, p, PORT_VANISHED);
	}
	g->ports_changed = false;
	g->ports_due_ns = clock_mono_ns() + LINK_PATIENCE_NS;
}

int reload_first(struct gateway *g, char ret_error[SITE_ERROR])
{
	const struct config_gateway *c;
	int err;

	g->generation = 1;
	err = site_load(g->config_file, g->generation, &g->ports, &g->site, ret_error);
	if (err < 0)
		return err;
	c = &g->site.config->gateway;
	snprintf(g->name, sizeof(g->name), "%s", c->name);
	if (strcmp(c->crypto, "fips") == 0)
		fips_begin();
	err = control_open(c->run_dir, &g->control);
	if (err < 0) {
		snprintf(
			ret_error, SITE_ERROR,
			err == -EBUSY
				? "%s: another gateway runs from there; stop it, or set run_dir"
			: err == -EPERM
				? "run_dir '%s': is no folder of root's that nobody else may write "
				  "to; chown and chmod it, or set run_dir to another place"
				: "run_dir '%s': no control socket can be made there: %s; make the "
				  "folder that it is in, or set run_dir to another place",
			c->run_dir, strerror(-err));
		return -EINVAL;
	}
	err = open_gate(g, ret_error);
	if (err < 0)
		return err;
	/* Conversations that a pinned floor remembers are judged anew under a newer number. */
	if (g->gate && gate_generation(g->gate)) {
		g->generation = gate_generation(g->gate) + 1;
		err = site_recompile(&g->site, g->generation, &g->ports, ret_error);
		if (err < 0)
			return err;
		log_info("taking over the floor that is pinned at %s", c->bpf_dir);
	}
	err = enforce(g, g->site.policy, ret_error);
	if (err < 0)
		return err;
	g->guards = decide_guards(g);
	attach_ports(g);
	open_front(g);
	open_doors(g);
	expect_links(g);
	watch_policy(g);
	grants_policy(g);
	return 0;
}

static int refused(struct gateway *g, const char *error)
{
	snprintf(g->refused, sizeof(g->refused), "%s", error);
	log_error("the policy is refused, the old one stays: %s", error);
	facts_say(&g->facts,
		  &(struct fact){.reason = REASON_GATEWAY_POLICY_REFUSED, .text = error});
	return -EINVAL;
}

/* What a running gateway was built around stays as it is until it is started anew. */
static void keep_fixed(struct config_gateway *was, struct config_gateway *now)
{
	char **pairs[][2] = {{&was->run_dir, &now->run_dir},
			     {&was->bpf_dir, &now->bpf_dir},
			     {&was->capture, &now->capture},
			     {&was->crypto, &now->crypto}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *swap = *pairs[i][0];

		if (strcmp(*pairs[i][0], *pairs[i][1]) == 0)
			continue;
		log_warn("'%s' instead of '%s' takes effect when the gateway is started anew",
			 *pairs[i][1], *pairs[i][0]);
		*pairs[i][0] = *pairs[i][1];
		*pairs[i][1] = swap;
	}
	if (was->workers != now->workers)
		log_warn("workers: %u instead of %u takes effect when the gateway is started anew",
			 now->workers, was->workers);
	now->workers = was->workers;
}

static void applied(struct gateway *g)
{
	char text[96];

	*g->refused = 0;
	snprintf(text, sizeof(text), "policy generation %u is in force", g->generation);
	log_info("%s", text);
	facts_say(&g->facts, &(struct fact){.reason = REASON_GATEWAY_POLICY_APPLIED, .text = text});
}

/* What was told of a port stays what the next look is compared with. */
static void carry_links(const struct ports *was, struct ports *now)
{
	for (unsigned i = 0; i < now->count; i++)
		for (unsigned k = 0; k < was->count; k++) {
			if (strcmp(now->list[i].name, was->list[k].name) != 0)
				continue;
			now->list[i].link = was->list[k].link;
			now->list[i].hides_tags = was->list[k].hides_tags;
			now->list[i].scatters = was->list[k].scatters;
		}
}

int reload_apply(struct gateway *g, char ret_error[SITE_ERROR])
{
	struct ports fresh = g->ports;
	uint32_t was[PORTS_MAX];
	unsigned was_count = interfaces_of(g->site.policy, was);
	struct site next;

	if (site_load(g->config_file, g->generation + 1, &fresh, &next, ret_error) < 0)
		return refused(g, ret_error);
	watch_counts(g); /* while the device ids still mean the same */
	if (enforce(g, next.policy, ret_error) < 0) {
		site_free(&next);
		return refused(g, ret_error);
	}
	keep_fixed(&g->site.config->gateway, &next.config->gateway);
	site_free(&g->site);
	g->site = next;
	carry_links(&g->ports, &fresh);
	g->ports = fresh;
	g->generation++;
	detach_ports(g, was, was_count);
	attach_ports(g);
	g->ports_due_ns = clock_mono_ns();
	watch_policy(g);
	reload_restart(g, ROLE_GUARD);
	open_front(g);
	open_doors(g);
	member_relays(g);
	reload_restart(g, ROLE_COURIER);
	reload_restart(g, ROLE_EXPORTER);
	member_wishes(g);
	member_firmware(g);
	reload_restart(g, ROLE_UPDATER);
	reload_restart(g, ROLE_CONSOLE);
	hand_out(g);
	grants_policy(g);
	applied(g);
	return 0;
}

void reload_ports(struct gateway *g)
{
	char error[SITE_ERROR];
	uint32_t was[PORTS_MAX];
	unsigned was_count = interfaces_of(g->site.policy, was);

	watch_counts(g);
	if (site_recompile(&g->site, g->generation + 1, &g->ports, error) < 0 ||
	    enforce(g, g->site.policy, error) < 0) {
		log_error("changed ports: %s; trying again", error);
		g->ports_changed = true;
		return;
	}
	g->generation++;
	detach_ports(g, was, was_count);
	attach_ports(g);
	watch_policy(g);
	reload_restart(g, ROLE_GUARD);
	reload_restart(g, ROLE_CONSOLE);
	member_relays(g);
	hand_out(g);
	grants_policy(g);
}

/* --- a policy in its place ------------------------------------------------ */

static int replace_failed(const struct gateway *g, int err, char ret_error[SITE_ERROR])
{
	snprintf(ret_error, SITE_ERROR,
		 "%s cannot be written: %s; its folder must be writable for the gateway's own "
		 "service (ReadWritePaths=)",
		 g->config_file, strerror(-err));
	return -EINVAL;
}

/* In its place, then in force; if not, everything as it was. */
static int replace(struct gateway *g, struct bytes was, struct bytes now,
		   char ret_error[SITE_ERROR])
{
	struct stat st = {.st_mode = 0644};
	char error[SITE_ERROR];
	int err;

	stat(g->config_file, &st);
	err = file_replace(g->config_file, now, st.st_mode & 07777);
	if (err < 0)
		return replace_failed(g, err, ret_error);
	err = reload_apply(g, ret_error);
	if (err < 0 && file_replace(g->config_file, was, st.st_mode & 07777) < 0)
		log_error("%s: the refused text could not be taken back", g->config_file);
	else if (err < 0)
		reload_apply(g, error); /* what status says is about the file that is there */
	return err;
}

int reload_replace(struct gateway *g, int fd, const uint8_t *base, char ret_error[SITE_ERROR])
{
	uint8_t hash[CRYPTO_HASH];
	struct bytes was = {0}, now = {0};
	int err = file_read(g->config_file, SITE_TEXT_MAX, &was);

	if (err == 0)
		err = crypto_sha256(was, hash);
	if (err == 0 && memcmp(hash, base, CRYPTO_HASH) != 0) {
		free((void *)was.data);
		return -ESTALE;
	}
	if (err == 0)
		err = file_read_memory(fd, SITE_TEXT_MAX, &now);
	if (err == 0)
		err = replace(g, was, now, ret_error);
	else
		err = replace_failed(g, err, ret_error);
	free((void *)was.data);
	free((void *)now.data);
	return err;
}
