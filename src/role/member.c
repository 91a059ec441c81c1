#include "role/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "base/log.h"
#include "guard/capture/capture.h"
#include "people/role.h"
#include "role/firmware.h"
#include "role/wishes.h"

#define INTRODUCE_ROOM (4 << 20) /* bytes under way from a guard to the keeper */

/* Room for a child's arguments, while it is started. */
struct arguments {
	char *argv[CHILD_ARGS_MAX];
	unsigned argc;
	char text[MEMBER_TEXT];
	size_t used;
};

/*
 * A role is one row: the hidden command that a child of it runs, how it dies
 * with its parent, what it is told and given. A further role is a further row.
 */
struct role {
	const char *name;
	const char *command;
	int death_signal;
	void (*arguments)(const struct gateway *g, const struct member *m, struct arguments *a);
	unsigned (*descriptors)(const struct gateway *g, int fds[CHILD_FDS_MAX]);
	void (*greet)(struct gateway *g, struct member *m);
};

static void add(struct arguments *a, const char *option, const char *value)
{
	size_t len = strlen(value) + 1;

	if (a->argc + 3 > CHILD_ARGS_MAX || len > sizeof(a->text) - a->used)
		return;
	if (option)
		a->argv[a->argc++] = (char *)option;
	memcpy(a->text + a->used, value, len);
	a->argv[a->argc++] = a->text + a->used;
	a->used += len;
}

static void add_number(struct arguments *a, const char *option, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	add(a, option, text);
}

static void people_arguments(const struct config_people *p, struct arguments *a)
{
	enum people_role role;
	unsigned aal3 = 0;

	for (unsigned i = 0; i < p->aal3_count; i++)
		if (people_role_from_name(p->aal3[i], &role))
			aal3 |= PEOPLE_ONLY(role);
	/* All of them, always: member_outdated() looks at values alone. */
	add_number(a, "-S", p->sms);
	add_number(a, "-3", aal3);
	add_number(a, "-I", p->idle_minutes);
	add_number(a, "-O", p->overall_hours);
	add_number(a, "-G", p->one_factor_anywhere);
	add(a, "-W", p->sms_url);
	add(a, "-F", p->sms_from);
}

/* As role/updates.h has it. */
static void update_rules(const struct gateway *g, struct arguments *a)
{
	const struct config_updates *u = &g->site.config->updates;
	char text[256];
	int len = snprintf(text, sizeof(text), "%u %u %u %u %s", u->content_waits, u->gateway_waits,
			   u->warn_days, u->mirrors_count > 0, *g->release ? g->release : "-");

	for (unsigned i = 0; i < u->window_count && len < (int)sizeof(text) - 16; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, " %.12s", u->window[i]);
	add(a, "-U", text);
	add(a, "-C", u->dir);
}

static void backup_arguments(const struct config_backup *b, struct arguments *a)
{
	if (!*b->to)
		return;
	add(a, "-B", b->to);
	add_number(a, "-b", b->every_hours);
	add_number(a, "-T", b->keep_days);
}

static void keeper_arguments(const struct gateway *g, const struct member *m, struct arguments *a)
{
	const struct config_gateway *c = &g->site.config->gateway;

	add(a, "-d", c->state_dir);
	add(a, "-u", SETUP_USER);
	add(a, "-s", c->name);
	if (c->eve_file && *c->eve_file)
		add(a, "-e", c->eve_file);
	add_number(a, "-m", c->eve_rotate_mb);
	add_number(a, "-k", c->eve_keep);
	add_number(a, "-n", c->store_events);
	if (c->eve_open)
		add(a, NULL, "-R");
	if (c->evidence) {
		add_number(a, "-E", c->evidence_mb);
		add_number(a, "-D", c->evidence_days);
	}
	add_number(a, "-A", c->archive_mb);
	add(a, "-H", c->key_holder);
	if (*c->key_place)
		add(a, "-P", c->key_place);
	add(a, "-c", g->config_file);
	if (*c->profiles_dir)
		add(a, "-p", c->profiles_dir);
	backup_arguments(&g->site.config->backup, a);
	people_arguments(&g->site.config->people, a);
	update_rules(g, a);
}

static unsigned keeper_descriptors(const struct gateway *g, int fds[CHILD_FDS_MAX])
{
	fds[0] = g->control.sock;
	return 1;
}

static void introduce_console(struct gateway *g);
static void introduce_one(struct gateway *g, enum role_id role, enum ipc_type type);

static struct member *member_of(struct gateway *g, enum role_id role);

/* Gives a guard and the keeper the two ends of a new pair. */
static void introduce(struct gateway *g, struct member *guard)
{
	struct member *keeper = member_keeper(g);
	uint32_t number = guard->child.number;
	struct bytes body = {(const uint8_t *)&number, sizeof(number)};
	const int room = INTRODUCE_ROOM;
	int pair[2], err;

	if (keeper->child.sock < 0 || guard->child.sock < 0)
		return; /* whoever starts later introduces them */
	err = ipc_pair(pair);
	if (err == 0) /* images come at the speed of the network */
		(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (err < 0) {
		log_error("guard %u and keeper: no socket pair: %s", number, strerror(-err));
		return;
	}
	member_send(guard, IPC_PEER, 0, body, pair[0]);
	member_send(keeper, IPC_PEER, 0, body, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

static bool updater_wanted(const struct gateway *g);

/* The keeper reads no files but its own. Where it gets none, no passkey is added. */
static void send_roots(struct gateway *g)
{
	const char *path = g->site.config->people.attestation;
	int fd = *path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

	if (*path && fd < 0)
		log_error("people.attestation: %s: %s", path, strerror(errno));
	if (fd < 0)
		return;
	member_send(member_keeper(g), IPC_ROOTS, 0, (struct bytes){0}, fd);
	close(fd);
}

void member_wishes(struct gateway *g)
{
	char text[WISHES_MAX];
	size_t len = wishes_write(g->site.config, text);

	member_send(member_keeper(g), IPC_WISHES, 0, (struct bytes){(const uint8_t *)text, len},
		    -1);
	send_roots(g);
}

static void keeper_greet(struct gateway *g, struct member *m)
{
	member_wishes(g); /* before anybody asks for anything */
	for (unsigned i = 0; i < g->member_count; i++)
		if (g->members[i].role == ROLE_GUARD)
			introduce(g, &g->members[i]);
	introduce_console(g);
	introduce_one(g, ROLE_LINK, IPC_LINK);
	introduce_one(g, ROLE_COURIER, IPC_COURIER);
	introduce_one(g, ROLE_EXPORTER, IPC_EXPORT);
	introduce_one(g, ROLE_UPDATER, IPC_UPDATER);
	if (updater_wanted(g) || access(g->site.config->updates.dir, F_OK) == 0)
		install_look(g);
	member_send(m, IPC_POLICY, 0, (struct bytes){0}, g->site.memfd);
}

static void guard_arguments(const struct gateway *g, const struct member *m, struct arguments *a)
{
	add_number(a, NULL, m->child.number);
}

static void fill_setup(const struct gateway *g, unsigned number, struct setup_guard *ret_setup)
{
	const struct config_gateway *c = &g->site.config->gateway;
	struct setup_guard s = {
		.number = number,
		.queue = number,
		.guards = g->guards,
		.capture = g->gate ? SETUP_XDP : SETUP_PACKET,
		.max_flows = c->flows,
		.max_fragments = c->fragments,
		.streams_mb = c->streams_mb,
		.vitals = c->vitals,
		.evidence = c->evidence,
		.bypass = c->bypass,
		.stale_ms = c->stale_ms,
		.coalesce_us = g->site.config->link.coalesce_us,
	};
	char ip[ADDRESS_IP_LEN];
	unsigned len;

	for (unsigned i = 0; i < g->ports.count && s.port_count < SETUP_PORTS_MAX; i++) {
		const struct port *p = &g->ports.list[i];
		struct setup_port *to = &s.ports[s.port_count];

		if (!p->ifindex || number >= p->queues)
			continue; /* missing, or without that queue */
		memcpy(to->name, p->name, sizeof(to->name));
		to->ifindex = p->ifindex;
		s.port_count++;
	}
	if (address_endpoint(g->site.config->updates.agents, ip, &s.agents_port))
		(void)address_prefix(ip, s.agents, &len);
	if (sealing_wanted(g))
		s.chunks = g->gate ? capture_xdp_chunks(s.port_count) : capture_packet_chunks();
	snprintf(s.bpf_dir, sizeof(s.bpf_dir), "%s", c->bpf_dir);
	snprintf(s.config_file, sizeof(s.config_file), "%s", g->config_file);
	snprintf(s.profiles_dir, sizeof(s.profiles_dir), "%s", c->profiles_dir);
	*ret_setup = s;
}

static void guard_greet(struct gateway *g, struct member *m)
{
	fill_setup(g, m->child.number, &m->setup);
	m->counts = (struct setup_counts){0};
	m->generation = 0;
	member_send(m, IPC_SETUP, 0, (struct bytes){(const uint8_t *)&m->setup, sizeof(m->setup)},
		    -1);
	introduce(g, m);
	sealing_guard(g, m);
	grants_greet(g, m); /* before the policy, with which it begins to work */
	member_send(m, IPC_POLICY, 0, (struct bytes){0}, g->site.memfd);
}

static void console_arguments(const struct gateway *g, const struct member *m, struct arguments *a)
{
	const struct config_console *c = &g->site.config->console;

	add(a, "-u", SETUP_USER);
	for (unsigned i = 0; i < g->front.count; i++)
		add(a, "-a", g->front.at[i]);
	for (unsigned i = 0; i < c->names_count; i++)
		add(a, "-n", c->names[i]);
	for (unsigned i = 0; i < g->ports.count; i++)
		if (g->ports.list[i].ward && g->ports.list[i].ifindex && !c->ward)
			add_number(a, "-w", g->ports.list[i].ifindex);
	add_number(a, "-c", c->connections);
	add_number(a, "-s", c->per_source);
	add_number(a, "-r", c->requests);
	add_number(a, "-l", c->subscribers);
	add(a, "-C", c->client_ca);
}

static unsigned console_descriptors(const struct gateway *g, int fds[CHILD_FDS_MAX])
{
	for (unsigned i = 0; i < g->front.count; i++)
		fds[i] = g->front.sock[i];
	return g->front.count;
}

/* Console and keeper get two pairs: what takes its time must not hold up a handshake. */
static void introduce_console(struct gateway *g)
{
	struct member *keeper = member_keeper(g), *console = member_of(g, ROLE_CONSOLE);
	int pair[2];

	if (keeper->child.sock < 0 || console->child.sock < 0)
		return; /* whoever starts later introduces them */
	for (uint32_t which = 0; which < 2; which++) {
		struct bytes body = {(const uint8_t *)&which, sizeof(which)};

		if (ipc_pair(pair) < 0) {
			log_error("console and keeper: no socket pair");
			return;
		}
		member_send(console, IPC_PEER, 0, body, pair[0]);
		member_send(keeper, IPC_CONSOLE, 0, body, pair[1]);
		close(pair[0]);
		close(pair[1]);
	}
}

static void console_greet(struct gateway *g, struct member *m)
{
	introduce_console(g);
}

/* The keeper and one of the others get a new pair; both are told by the same message. */
static void introduce_one(struct gateway *g, enum role_id role, enum ipc_type type)
{
	struct member *keeper = member_keeper(g), *other = member_of(g, role);
	int pair[2];

	if (!other || keeper->child.sock < 0 || other->child.sock < 0)
		return; /* whoever starts later introduces them */
	if (ipc_pair(pair) < 0) {
		log_error("%s and keeper: no socket pair", other->child.name);
		return;
	}
	member_send(other, type, 0, (struct bytes){0}, pair[0]);
	member_send(keeper, type, 0, (struct bytes){0}, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

static void courier_greet(struct gateway *g, struct member *m)
{
	introduce_one(g, ROLE_COURIER, IPC_COURIER);
}

static void exporter_arguments(const struct gateway *g, const struct member *m, struct arguments *a)
{
	const struct config_audit *c = &g->site.config->audit;

	/* All of them, always: member_outdated() looks at values alone. */
	add(a, "-g", g->site.config->gateway.name);
	add(a, "-s", c->server);
	add_number(a, "-p", c->port);
	add(a, "-n", c->name);
	add(a, "-a", c->ca);
	add(a, "-c", c->cert);
	add(a, "-k", c->cert_key);
}

static void exporter_greet(struct gateway *g, struct member *m)
{
	introduce_one(g, ROLE_EXPORTER, IPC_EXPORT);
}

/* --- updates --------------------------------------------------------------- */

static bool updater_wanted(const struct gateway *g)
{
	const struct config *c = g->site.config;

	return c->updates.mirrors_count > 0 || firmware_wanted(c);
}

static void add_roles(const struct gateway *g, struct arguments *a)
{
	for (unsigned i = 0; i < g->site.config->updates.roles_count; i++)
		add(a, "-R", g->site.config->updates.roles[i]);
}

static void updater_arguments(const struct gateway *g, const struct member *m, struct arguments *a)
{
	const struct config_updates *u = &g->site.config->updates;
	char folder[SETUP_PATH];

	snprintf(folder, sizeof(folder), "%s/update", g->site.config->gateway.state_dir);
	add(a, "-d", folder);
	add(a, "-u", SETUP_USER);
	add(a, "-r", u->root);
	add(a, "-p", u->dir);
	add_number(a, "-i", u->minutes);
	add_number(a, "-b", u->kb_per_second);
	for (unsigned i = 0; i < u->mirrors_count; i++)
		add(a, "-m", u->mirrors[i]);
	add_roles(g, a);
}

/* What a stick brings has a folder that is there before the updater locks itself in. */
static unsigned updater_descriptors(const struct gateway *g, int fds[CHILD_FDS_MAX])
{
	if (mkdir(g->site.config->updates.dir, 0755) < 0 && errno != EEXIST)
		log_error("%s: %s; no stick can bring firmware", g->site.config->updates.dir,
			  strerror(errno));
	return 0;
}

void member_firmware(struct gateway *g)
{
	struct member *updater = member_of(g, ROLE_UPDATER);
	int fd;

	if (!updater || updater->child.sock < 0 || updater->child.stopping)
		return;
	fd = firmware_setup(g->site.config, g->site.policy);
	if (fd < 0) {
		log_error("the updater's devices: %s", strerror(-fd));
		return;
	}
	member_send(updater, IPC_FIRMWARE, 0, (struct bytes){0}, fd);
	close(fd);
}

/* What agents of devices say goes from the link to the updater. */
static void introduce_agents(struct gateway *g)
{
	struct member *link = member_of(g, ROLE_LINK), *updater = member_of(g, ROLE_UPDATER);
	int pair[2];

	if (!link || !updater || link->child.sock < 0 || updater->child.sock < 0)
		return; /* whoever starts later introduces them */
	if (ipc_pair(pair) < 0) {
		log_error("link and updater: no socket pair");
		return;
	}
	member_send(link, IPC_AGENTS, 0, (struct bytes){0}, pair[0]);
	member_send(updater, IPC_AGENTS, 0, (struct bytes){0}, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

static void updater_greet(struct gateway *g, struct member *m)
{
	member_firmware(g);
	introduce_one(g, ROLE_UPDATER, IPC_UPDATER);
	introduce_agents(g);
}

static void installer_arguments(const struct gateway *g, const struct member *m,
				struct arguments *a)
{
	const struct config_updates *u = &g->site.config->updates;

	add(a, "-d", u->dir);
	add(a, "-r", u->root);
	add(a, "-V", g->release);
	add_roles(g, a);
}

static unsigned installer_descriptors(const struct gateway *g, int fds[CHILD_FDS_MAX])
{
	fds[0] = install_mirror(g->site.config->gateway.state_dir);
	return fds[0] < 0 ? 0 : 1;
}

static void surveyor_arguments(const struct gateway *g, const struct member *m, struct arguments *a)
{
	add(a, "-c", g->config_file);
}

/* One try: what an advisory breaks it with would break it again. */
static void surveyor_greet(struct gateway *g, struct member *m)
{
	g->survey = false;
}

static void clerk_arguments(const struct gateway *g, const struct member *m, struct arguments *a)
{
	const struct errand_words *w = &g->errand.words;

	for (unsigned i = 0; i < w->count; i++)
		add(a, NULL, w->word[i]);
}

static unsigned clerk_descriptors(const struct gateway *g, int fds[CHILD_FDS_MAX])
{
	fds[0] = g->errand.fd;
	return 1;
}

/* One try, as of the surveyor. */
static void clerk_greet(struct gateway *g, struct member *m)
{
	errand_begun(g);
}

static void no_arguments(const struct gateway *g, const struct member *m, struct arguments *a)
{
}

static void tell_door(void *arg, const char *name, const char *why)
{
	log_error("relay %s: %s", name, why);
}

void member_relays(struct gateway *g)
{
	struct member *link = member_of(g, ROLE_LINK);
	int fd;

	if (!link || link->child.sock < 0 || link->child.stopping)
		return;
	if (sealing_wanted(g) && !g->link_shares)
		sealing_link(g, link);
	fd = doors_setup(g->site.config, &g->ports, g->generation, tell_door, NULL);
	if (fd < 0) {
		log_error("the link's relays: %s", strerror(-fd));
		return;
	}
	member_send(link, IPC_RELAYS, 0, (struct bytes){0}, fd);
	close(fd);
	for (unsigned i = 0; i < g->doors.count; i++) {
		const struct door *d = &g->doors.list[i];

		member_send(link, IPC_LISTEN, 0,
			    (struct bytes){(const uint8_t *)d->name, strlen(d->name)}, d->sock);
	}
	if (*g->doors.link.name)
		member_send(link, IPC_LISTEN, 0, (struct bytes){0}, g->doors.link.sock);
}

static void link_greet(struct gateway *g, struct member *m)
{
	introduce_one(g, ROLE_LINK, IPC_LINK);
	introduce_agents(g);
	g->link_shares = false;
	member_relays(g);
	handover_greet(g, m);
}

static unsigned no_descriptors(const struct gateway *g, int fds[CHILD_FDS_MAX])
{
	return 0;
}

/* The keeper first, so that it is there to hear what the guards have to say. A guard may be
 * stopped, too: only SIGKILL ends it then. The keeper stores what it holds. */
static const struct role roles[ROLE_COUNT] = {
	[ROLE_KEEPER] = {"keeper", "_keeper", SIGTERM, keeper_arguments, keeper_descriptors,
			 keeper_greet},
	[ROLE_CONSOLE] = {"console", "_console", SIGKILL, console_arguments, console_descriptors,
			  console_greet},
	[ROLE_LINK] = {"link", "_link", SIGKILL, no_arguments, no_descriptors, link_greet},
	[ROLE_COURIER] = {"courier", "_courier", SIGKILL, no_arguments, no_descriptors,
			  courier_greet},
	[ROLE_EXPORTER] = {"exporter", "_exporter", SIGKILL, exporter_arguments, no_descriptors,
			   exporter_greet},
	[ROLE_UPDATER] = {"updater", "_updater", SIGKILL, updater_arguments, updater_descriptors,
			  updater_greet},
	[ROLE_INSTALLER] = {"installer", "_installer", SIGKILL, installer_arguments,
			    installer_descriptors, install_greet},
	[ROLE_SURVEYOR] = {"surveyor", "_surveyor", SIGKILL, surveyor_arguments, no_descriptors,
			   surveyor_greet},
	[ROLE_CLERK] = {"clerk", "_clerk", SIGKILL, clerk_arguments, clerk_descriptors,
			clerk_greet},
	[ROLE_GUARD] = {"guard", "_guard", SIGKILL, guard_arguments, no_descriptors, guard_greet},
};

void members_init(struct gateway *g)
{
	g->member_count = 0;
	for (unsigned role = 0; role < ROLE_COUNT; role++) {
		unsigned count = role == ROLE_GUARD ? g->guards : 1;

		for (unsigned n = 0; n < count; n++) {
			struct member *m = &g->members[g->member_count++];

			*m = (struct member){.role = (enum role_id)role};
			child_init(&m->child, roles[role].name, n);
		}
	}
}

bool member_wanted(const struct gateway *g, const struct member *m)
{
	struct setup_guard s;

	if (m->role == ROLE_CONSOLE)
		return g->front.count > 0;
	if (m->role == ROLE_LINK)
		return doors_wanted(g->site.config);
	if (m->role == ROLE_COURIER)
		return g->site.config->people.sms && *g->site.config->people.sms_url;
	if (m->role == ROLE_EXPORTER)
		return *g->site.config->audit.server;
	if (m->role == ROLE_UPDATER)
		return updater_wanted(g);
	if (m->role == ROLE_INSTALLER)
		return g->install.wanted;
	if (m->role == ROLE_SURVEYOR)
		return g->survey;
	if (m->role == ROLE_CLERK)
		return g->errand.wanted;
	if (m->role != ROLE_GUARD)
		return true;
	fill_setup(g, m->child.number, &s);
	return s.port_count > 0;
}

void member_start(struct gateway *g, struct member *m)
{
	const struct role *r = &roles[m->role];
	struct arguments a = {.argv = {"bedwarden", (char *)r->command}, .argc = 2};
	struct child_start how = {
		.program = "/proc/self/exe", .argv = a.argv, .death_signal = r->death_signal};
	int fds[CHILD_FDS_MAX], err;
	char name[MEMBER_NAME];

	r->arguments(g, m, &a);
	memcpy(m->arguments, a.text, sizeof(m->arguments));
	how.fds = fds;
	how.fd_count = r->descriptors(g, fds);
	err = child_start(&m->child, &how, clock_mono_ns());
	if (m->role == ROLE_INSTALLER && how.fd_count)
		close(fds[0]); /* it is that child's alone */
	if (err < 0) {
		log_error("%s could not be started: %s", member_name(m, name), strerror(-err));
		return;
	}
	log_debug("%s started, pid %d", member_name(m, name), (int)m->child.pid);
	r->greet(g, m);
}

void member_send(struct member *m, enum ipc_type type, uint32_t id, struct bytes body, int fd)
{
	char name[MEMBER_NAME];
	int err;

	if (m->child.sock < 0)
		return;
	err = ipc_send(m->child.sock, type, id, body, fd);
	if (err == 0 || err == -EPIPE)
		return; /* gone: its end is noticed elsewhere */
	log_error("%s does not take its messages (%s); ending it", member_name(m, name),
		  strerror(-err));
	child_kill(&m->child);
}

struct member *member_keeper(struct gateway *g)
{
	return &g->members[ROLE_KEEPER];
}

static struct member *member_of(struct gateway *g, enum role_id role)
{
	for (unsigned i = 0; i < g->member_count; i++)
		if (g->members[i].role == role)
			return &g->members[i];
	return NULL;
}

struct member *member_link(struct gateway *g)
{
	return member_of(g, ROLE_LINK);
}

const char *member_name(const struct member *m, char ret_name[MEMBER_NAME])
{
	if (m->role == ROLE_GUARD)
		snprintf(ret_name, MEMBER_NAME, "%s %u", m->child.name, m->child.number);
	else
		snprintf(ret_name, MEMBER_NAME, "%s", m->child.name);
	return ret_name;
}

bool member_outdated(const struct gateway *g, const struct member *m)
{
	struct arguments a = {.argc = 0};
	struct setup_guard now;

	if (m->child.sock < 0)
		return false;
	if (m->role == ROLE_COURIER)
		return !member_wanted(g, m);
	if (m->role == ROLE_INSTALLER || m->role == ROLE_SURVEYOR || m->role == ROLE_CLERK)
		return false; /* it ends by itself */
	if ((m->role == ROLE_UPDATER || m->role == ROLE_EXPORTER) && !member_wanted(g, m))
		return true;
	roles[m->role].arguments(g, m, &a);
	if (memcmp(a.text, m->arguments, sizeof(a.text)) != 0)
		return true;
	if (m->role != ROLE_GUARD)
		return false;
	fill_setup(g, m->child.number, &now);
	return memcmp(&now, &m->setup, sizeof(now)) != 0;
}
