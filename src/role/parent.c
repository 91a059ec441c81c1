#include "role/parent.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "guard/capture/gate.h"
#include "role/gateway.h"
#include "role/jump.h"
#include "role/notify.h"
#include "role/releases.h"

/* Who may say what to the parent. */
static const struct ipc_right rights[] = {
	{ROLE_KEEPER, IPC_READY},   {ROLE_KEEPER, IPC_STATUS},	    {ROLE_KEEPER, IPC_APPLY},
	{ROLE_KEEPER, IPC_GRANTS},  {ROLE_KEEPER, IPC_POLICY_FILE}, {ROLE_KEEPER, IPC_POLICY_TEXT},
	{ROLE_CONSOLE, IPC_READY},  {ROLE_GUARD, IPC_READY},	    {ROLE_GUARD, IPC_POLICY_TAKEN},
	{ROLE_GUARD, IPC_COUNTS},   {ROLE_LINK, IPC_READY},	    {ROLE_COURIER, IPC_READY},
	{ROLE_GUARD, IPC_BLOCK},    {ROLE_UPDATER, IPC_READY},	    {ROLE_INSTALLER, IPC_READY},
	{ROLE_KEEPER, IPC_INSTALL}, {ROLE_KEEPER, IPC_SWITCH},	    {ROLE_INSTALLER, IPC_INSTALL},
	{ROLE_EXPORTER, IPC_READY}, {ROLE_LINK, IPC_PEERS},	    {ROLE_GUARD, IPC_ANNOUNCED},
	{ROLE_SURVEYOR, IPC_READY}, {ROLE_KEEPER, IPC_SURVEY},	    {ROLE_SURVEYOR, IPC_SURVEYED},
	{ROLE_CLERK, IPC_READY},    {ROLE_KEEPER, IPC_ERRAND},	    {ROLE_CLERK, IPC_ERRAND},
	{ROLE_GUARD, IPC_BYPASS},   {ROLE_KEEPER, IPC_COUNTERS},
};

#define MESSAGES_PER_TURN 64
#define READY_PATIENCE_NS (10 * NSEC_PER_SEC)
#define GUARD_STOP_MS	  2000
#define KEEPER_STOP_MS	  5000
#define GUARDS_FIRST_NS	  (2 * NSEC_PER_SEC)
#define REST_MS		  500
#define FILES_MAX	  262144
/* A link's state is only true a moment after the notice of its change. */
#define PORTS_SETTLE_NS (50 * NSEC_PER_MSEC)

/* What the loop sleeps on; members' sockets follow in the poll set. */
enum { POLL_SIGNAL, POLL_CLOCK, POLL_NOTICE, POLL_SUPERVISOR, POLL_MEMBERS };

struct loop {
	int signals;
	struct jump clock;
	uint64_t next_second;
	bool told_ready;
	bool reload;
	bool hurry; /* told to stop twice */
};

/* --- messages ------------------------------------------------------------- */

static void refuse(struct gateway *g, struct member *m)
{
	char text[96], name[MEMBER_NAME];

	snprintf(text, sizeof(text), "%s sent a malformed message and was ended",
		 member_name(m, name));
	log_error("%s", text);
	facts_say(&g->facts, &(struct fact){.reason = REASON_GATEWAY_BAD_MESSAGE, .text = text});
	child_kill(&m->child);
}

/* Its socket is of no more use; if it lives on, it is ended. */
static void hang_up(struct member *m)
{
	close(m->child.sock);
	m->child.sock = -1;
	m->child.ready = false;
	if (!m->child.stopping)
		child_kill(&m->child);
}

static void member_read(struct gateway *g, struct member *m)
{
	static uint8_t buf[IPC_BUF];
	struct ipc_message msg;
	bool fine;

	for (unsigned i = 0; i < MESSAGES_PER_TURN && m->child.sock >= 0; i++) {
		int err = ipc_hear(m->child.sock, buf, rights, sizeof(rights) / sizeof(rights[0]),
				   (int)m->role, &msg);

		if (err == -EAGAIN)
			return;
		if (err == -EBADMSG)
			refuse(g, m);
		if (err < 0) {
			hang_up(m);
			return;
		}
		m->child.heard_ns = clock_mono_ns();
		m->child.unheard = 0;
		fine = take_message(g, m, &msg);
		if (msg.fd >= 0)
			close(msg.fd);
		if (!fine) {
			refuse(g, m);
			hang_up(m);
			return;
		}
	}
}

/* --- deaths --------------------------------------------------------------- */

static void say_death(struct gateway *g, const struct member *m, pid_t pid, int status)
{
	char text[160], name[MEMBER_NAME];

	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "%s (pid %d) was ended by signal %d (%s)",
			 member_name(m, name), (int)pid, WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(text, sizeof(text), "%s (pid %d) ended with code %d", member_name(m, name),
			 (int)pid, WEXITSTATUS(status));
	log_error("%s; it is started again", text);
	facts_say(&g->facts, &(struct fact){.reason = REASON_GATEWAY_PROCESS_DIED, .text = text});
}

static void reap(struct gateway *g)
{
	uint64_t now = clock_mono_ns();
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < g->member_count; i++) {
			struct member *m = &g->members[i];

			if (m->child.pid != pid)
				continue;
			m->child.pid = 0; /* the number may be another's already */
			if (m->child.sock >= 0)
				member_read(g, m); /* its last words */
			if (!m->child.stopping)
				say_death(g, m, pid, status);
			if (m->role == ROLE_CLERK)
				errand_gone(g);
			child_gone(&m->child, now);
		}
	}
}

static bool guards(const struct member *m)
{
	return m->role == ROLE_GUARD || m->role == ROLE_KEEPER || m->role == ROLE_LINK;
}

/* While those come up that guard, nobody else takes processors from them. */
static bool may_start(const struct gateway *g, const struct member *m, uint64_t now)
{
	if (guards(m) || now - g->started_ns >= GUARDS_FIRST_NS)
		return true;
	for (unsigned i = 0; i < g->member_count; i++)
		if (guards(&g->members[i]) && !g->members[i].child.ready &&
		    member_wanted(g, &g->members[i]))
			return false;
	return true;
}

/* Starts whoever is due. When the next one is, in monotonic time; UINT64_MAX none. */
static uint64_t start_due(struct gateway *g, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < g->member_count; i++) {
		struct member *m = &g->members[i];

		if (!member_wanted(g, m) || !may_start(g, m, now))
			continue;
		if (m->child.pid == 0 && m->child.again_ns <= now)
			member_start(g, m);
		if (m->child.pid == 0 && m->child.again_ns < next)
			next = m->child.again_ns;
	}
	return next;
}

/* --- the clock ------------------------------------------------------------ */

static void clock_was_set(struct gateway *g, struct loop *l)
{
	int64_t ns = jump_take(&l->clock);
	char text[JUMP_TEXT];

	if (ns == 0)
		return;
	jump_text(ns, text);
	log_warn("%s", text);
	facts_say(&g->facts, &(struct fact){.reason = REASON_GATEWAY_CLOCK_JUMP, .text = text});
}

/* --- the loop ------------------------------------------------------------- */

static void take_signals(struct gateway *g, struct loop *l)
{
	struct signalfd_siginfo s;

	while (read(l->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGCHLD) {
			reap(g);
		} else if (s.ssi_signo == SIGHUP) {
			l->reload = true;
		} else {
			l->hurry = g->stopping;
			g->stopping = true;
		}
	}
}

static void announce(struct gateway *g, struct loop *l, uint64_t now)
{
	bool all = true;

	if (l->told_ready)
		return;
	for (unsigned i = 0; i < g->member_count; i++)
		all = all && (g->members[i].child.ready || !member_wanted(g, &g->members[i]));
	/* A child that does not come up is no reason to be restarted as a whole: the floor
	 * stands, and the child is tried again and again. */
	if (!all && now - g->started_ns < READY_PATIENCE_NS)
		return;
	l->told_ready = true;
	log_info("%s: guarding %u segments, policy generation %u, capture %s, %u guards", g->name,
		 g->site.config->segments_count, g->generation, g->gate ? "xdp" : "packet",
		 g->guards);
	notify_say("READY=1");
}

static void housekeeping(struct gateway *g, struct loop *l, uint64_t now)
{
	struct member *keeper = member_keeper(g);
	char error[SITE_ERROR];

	if (l->reload) {
		l->reload = false;
		reload_apply(g, error);
	}
	if (g->ports_due_ns && now >= g->ports_due_ns) {
		g->ports_due_ns = 0;
		ports_refresh(&g->ports, watch_port, g);
	}
	if (g->ports_changed) {
		g->ports_changed = false;
		reload_ports(g);
	}
	if (now >= l->next_second) {
		l->next_second = now + NSEC_PER_SEC;
		watch_second(g, now);
		notify_say("WATCHDOG=1");
	}
	if (keeper->child.ready)
		facts_flush(&g->facts, keeper->child.sock);
	announce(g, l, now);
}

/* Milliseconds to sleep until something is due. */
static int until(uint64_t then, uint64_t now)
{
	uint64_t ms = then > now ? (then - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC : 0;

	return ms < 1000 ? (int)ms : 1000;
}

static void turn(struct gateway *g, struct loop *l, int timeout_ms)
{
	struct pollfd set[POLL_MEMBERS + MEMBERS_MAX];

	set[POLL_SIGNAL] = (struct pollfd){l->signals, POLLIN, 0};
	set[POLL_CLOCK] = (struct pollfd){l->clock.timer, POLLIN, 0};
	set[POLL_SUPERVISOR] = (struct pollfd){g->supervisor, POLLIN, 0};
	set[POLL_NOTICE] = (struct pollfd){g->ports.notice, POLLIN, 0};
	for (unsigned i = 0; i < g->member_count; i++)
		set[POLL_MEMBERS + i] = (struct pollfd){g->members[i].child.sock, POLLIN, 0};
	if (poll(set, POLL_MEMBERS + g->member_count, timeout_ms) <= 0)
		return;
	for (unsigned i = 0; i < g->member_count; i++)
		if (set[POLL_MEMBERS + i].revents && g->members[i].child.sock >= 0)
			member_read(g, &g->members[i]);
	if (set[POLL_SIGNAL].revents)
		take_signals(g, l);
	if (set[POLL_SUPERVISOR].revents)
		releases_hear(g);
	if (set[POLL_CLOCK].revents)
		clock_was_set(g, l);
	if (set[POLL_NOTICE].revents && ports_drain(&g->ports) && !g->ports_due_ns)
		g->ports_due_ns = clock_mono_ns() + PORTS_SETTLE_NS;
}

static bool any_alive(const struct gateway *g, enum role_id role)
{
	for (unsigned i = 0; i < g->member_count; i++)
		if (g->members[i].role == role && g->members[i].child.pid)
			return true;
	return false;
}

static uint32_t how_to_stop(const struct gateway *g)
{
	if (!g->followed)
		return SETUP_STOP_ALONE;
	return g->heir && g->estate > 0 && *g->doors.link.name ? SETUP_STOP_HEIR
							       : SETUP_STOP_FOLLOWED;
}

static void send_stop(struct member *m, uint32_t how)
{
	bool told = m->role == ROLE_LINK || m->role == ROLE_GUARD;

	member_send(m, IPC_STOP, 0,
		    told ? (struct bytes){(const uint8_t *)&how, sizeof(how)} : (struct bytes){0},
		    -1);
}

/* Asks all of a role to end, waits, ends those that did not. */
static void stop_role(struct gateway *g, struct loop *l, enum role_id role, unsigned patience_ms)
{
	uint64_t end = clock_mono_ns() + patience_ms * NSEC_PER_MSEC;

	for (unsigned i = 0; i < g->member_count; i++) {
		struct member *m = &g->members[i];

		if (m->role != role || !m->child.pid)
			continue;
		m->child.stopping = true;
		send_stop(m, how_to_stop(g));
	}
	while (any_alive(g, role)) {
		uint64_t now = clock_mono_ns();

		if (now >= end || l->hurry)
			for (unsigned i = 0; i < g->member_count; i++)
				if (g->members[i].role == role)
					child_kill(&g->members[i].child);
		turn(g, l, now >= end ? 50 : until(end, now));
	}
}

/* What peers send is the heir's from here on: no guard of ours reads what the link would open. */
static void rest_link(struct gateway *g, struct loop *l, struct member *link)
{
	uint64_t end = clock_mono_ns() + REST_MS * NSEC_PER_MSEC, now;

	link->child.ready = false;
	send_stop(link, SETUP_STOP_REST);
	while (!link->child.ready && link->child.sock >= 0 && (now = clock_mono_ns()) < end)
		turn(g, l, until(end, now));
}

/*
 * The keeper last, for it stores what the others say. Where an heir takes the sealed links over, the
 * link outlives guards, whose last frames it seals, and leaves to the heir what no guard reads any more.
 */
static void stop_all(struct gateway *g, struct loop *l)
{
	struct member *keeper = member_keeper(g), *link = member_link(g);
	bool heir = how_to_stop(g) == SETUP_STOP_HEIR && link && link->child.sock >= 0;

	notify_say("STOPPING=1");
	for (unsigned role = ROLE_COUNT; role-- > 0;) {
		if (role == ROLE_GUARD && heir)
			rest_link(g, l, link);
		if (role == ROLE_KEEPER && heir)
			stop_role(g, l, ROLE_LINK, GUARD_STOP_MS);
		if (role == ROLE_KEEPER && keeper->child.ready)
			facts_flush(&g->facts, keeper->child.sock);
		if (role != ROLE_LINK || !heir)
			stop_role(g, l, (enum role_id)role,
				  role == ROLE_KEEPER ? KEEPER_STOP_MS : GUARD_STOP_MS);
	}
	if (heir)
		handover_bequeath(g);
}

static int loop_open(struct loop *l)
{
	sigset_t mine;

	sigemptyset(&mine);
	sigaddset(&mine, SIGTERM);
	sigaddset(&mine, SIGINT);
	sigaddset(&mine, SIGHUP);
	sigaddset(&mine, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &mine, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	l->signals = signalfd(-1, &mine, SFD_CLOEXEC | SFD_NONBLOCK);
	return l->signals < 0 ? -errno : jump_open(&l->clock);
}

/* Patients' data may stand in memory: no core files. Packet memory is locked. A relay's connection
 * takes its link two descriptors. */
static void set_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < FILES_MAX) {
		files.rlim_max = FILES_MAX;
		setrlimit(RLIMIT_NOFILE, &files); /* children take what there is of it */
	}
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
}

/* What the parent needs itself, and what its children need until they are locked in. */
static void drop_rights(void)
{
	static const unsigned keep[] = {
		CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF,	      CAP_PERFMON,	    CAP_SYS_ADMIN,
		CAP_IPC_LOCK,  CAP_SETUID,  CAP_SETGID,	      CAP_SETPCAP,	    CAP_CHOWN,
		CAP_FOWNER,    CAP_KILL,    CAP_DAC_OVERRIDE, CAP_NET_BIND_SERVICE,
	};
	int err = sandbox_keep(keep, sizeof(keep) / sizeof(keep[0]));

	if (err < 0)
		fatal("rights that are not needed cannot be given up: %s", strerror(-err));
}

static void run(struct gateway *g, struct loop *l)
{
	while (!g->stopping) {
		uint64_t now = clock_mono_ns(), next = start_due(g, now);

		housekeeping(g, l, now);
		if (l->next_second < next)
			next = l->next_second;
		if (g->ports_due_ns && g->ports_due_ns < next)
			next = g->ports_due_ns;
		turn(g, l, until(next, clock_mono_ns()));
	}
	stop_all(g, l);
}

int parent_run(const struct parent_options *o)
{
	struct gateway *g = calloc(1, sizeof(*g));
	struct loop l = {.signals = -1, .clock = {.timer = -1}};
	char error[SITE_ERROR];
	int err, code = 1;

	log_init("bedwarden", LOG_INFO);
	set_limits();
	drop_rights();
	if (!g || !(g->watch = watch_new()))
		fatal("out of memory");
	releases_open(g);
	handover_open(g);
	g->config_file = o->config_file;
	g->started_ns = clock_mono_ns();
	err = loop_open(&l);
	if (err == 0)
		err = ports_open(&g->ports);
	if (err < 0)
		fatal("no signals, clock or netlink from the kernel: %s", strerror(-err));
	if (reload_first(g, error) < 0) {
		log_error("%s", error);
		goto out;
	}
	members_init(g);
	run(g, &l);
	code = 0;
	control_close(&g->control, g->site.config->gateway.run_dir);
	if (g->gate && o->unload)
		log_info("the floor is taken down: nothing is forwarded from now on");
	else if (g->gate)
		log_info("stopped; the floor stays and goes on enforcing");
	else
		log_info("stopped; nothing is forwarded until the gateway runs again");
out:
	if (g->gate)
		gate_close(g->gate, o->unload);
	front_close(&g->front);
	doors_close(&g->doors);
	sealing_close(g);
	handover_close(g);
	facts_free(&g->facts);
	free(g->install.order);
	site_free(&g->site);
	watch_free(g->watch);
	ports_close(&g->ports);
	close(l.signals);
	jump_close(&l.clock);
	free(g);
	return code;
}
