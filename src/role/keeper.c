#include "role/keeper.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "guard/policy/policy.h"
#include "keep/eve.h"
#include "keep/intake.h"
#include "keep/pcaps.h"
#include "keep/person.h"
#include "keep/store.h"
#include "role/amend.h"
#include "role/backups.h"
#include "role/census.h"
#include "role/counters.h"
#include "role/custody.h"
#include "role/deposit.h"
#include "role/desk.h"
#include "role/door.h"
#include "role/errands.h"
#include "role/holdings.h"
#include "role/keeper_start.h"
#include "role/ledger.h"
#include "role/look.h"
#include "role/pki.h"
#include "role/secrets.h"
#include "role/serve.h"
#include "role/staff.h"
#include "role/survey.h"
#include "role/trail.h"
#include "role/trail_send.h"
#include "role/updates.h"
#include "role/upload.h"
#include "role/wave.h"
#include "role/wishes.h"

#define ROOTS_MAX (4u << 20)
#define TURN_MAX  64 /* messages of one sender before the others' turn */

enum { FROM_PARENT, FROM_GUARD, FROM_CONSOLE_KEY, FROM_COURIER };

/* Who may say what to the keeper. Anything else costs a guard its connection. */
static const struct ipc_right rights[] = {
	{FROM_PARENT, IPC_POLICY}, /* whom the devices' names and modes come from */
	{FROM_PARENT, IPC_PEER},   /* a guard's socket */
	{FROM_PARENT, IPC_CONSOLE},
	{FROM_PARENT, IPC_LINK},
	{FROM_PARENT, IPC_COURIER},
	{FROM_PARENT, IPC_EXPORT},
	{FROM_PARENT, IPC_WISHES},
	{FROM_PARENT, IPC_ROOTS},
	{FROM_PARENT, IPC_UPDATER},
	{FROM_PARENT, IPC_INSTALL},	/* what is in place */
	{FROM_PARENT, IPC_SWITCH},	/* an answer */
	{FROM_PARENT, IPC_SURVEYED},	/* an answer */
	{FROM_PARENT, IPC_ERRAND},	/* an answer */
	{FROM_PARENT, IPC_POLICY_FILE}, /* an answer, */
	{FROM_PARENT, IPC_POLICY_TEXT}, /* and one */
	{FROM_PARENT, IPC_EVENTS},	/* what happened to the gateway itself */
	{FROM_PARENT, IPC_STATUS},	/* an answer */
	{FROM_PARENT, IPC_COUNTED},	/* an answer */
	{FROM_PARENT, IPC_APPLY},	/* an answer */
	{FROM_PARENT, IPC_GRANTS},	/* an answer */
	{FROM_PARENT, IPC_STOP},
	{FROM_COURIER, IPC_SMS}, /* an answer */
	{FROM_GUARD, IPC_EVENTS},
	{FROM_GUARD, IPC_FLOWS}, /* an answer */
	{FROM_GUARD, IPC_EVIDENCE},
	{FROM_GUARD, IPC_ARCHIVE},
	{FROM_GUARD, IPC_PATIENTS},
	{FROM_GUARD, IPC_CONDUCT},
	/* For which purposes says role/secrets.c. */
	{FROM_PARENT, IPC_SIGN},
	{FROM_PARENT, IPC_WRAP},
	{FROM_PARENT, IPC_UNWRAP},
	{FROM_GUARD, IPC_WRAP},
	{FROM_CONSOLE_KEY, IPC_TLS_KEY},
	{FROM_CONSOLE_KEY, IPC_TLS_SIGN},
};

static void take_policy(struct keeper *k, const struct ipc_message *m)
{
	const struct policy *policy;
	struct stat st;
	void *block;

	if (fstat(m->fd, &st) < 0 || st.st_size <= 0)
		return;
	block = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, m->fd, 0);
	if (block == MAP_FAILED)
		return;
	policy = policy_open((struct bytes){block, (size_t)st.st_size});
	if (!policy) {
		munmap(block, (size_t)st.st_size);
		keeper_refuse(k, "parent", "a policy that is none");
		return;
	}
	if (k->policy_block)
		munmap(k->policy_block, k->policy_len);
	k->policy = policy;
	k->policy_block = block;
	k->policy_len = (size_t)st.st_size;
	waves_policy(k);
	surveys_forget(k);
	door_policy(k);
}

static void lose_guard(struct keeper *k, unsigned n)
{
	close(k->guards[n]);
	k->guards[n] = -1;
	if (k->pcaps)
		pcaps_lose(k->pcaps, n, clock_wall_ns());
	deposit_lose(k, n);
	answer_without(k, n);
	waves_guard(k, n, false);
}

static void take_peer(struct keeper *k, struct ipc_message *m)
{
	uint32_t n;

	if (!ipc_u32(m, &n) || n >= KEEPER_GUARDS_MAX) {
		keeper_refuse(k, "parent", "a guard without a number");
		return;
	}
	if (k->guards[n] >= 0)
		lose_guard(k, n);
	k->guards[n] = m->fd;
	m->fd = -1; /* it is ours now */
	waves_guard(k, n, true);
}

static void lose_console(struct keeper *k)
{
	desk_free(k->desk);
	k->desk = NULL;
}

static void take_console(struct keeper *k, struct ipc_message *m)
{
	uint32_t which;

	if (!ipc_u32(m, &which) || which > 1) {
		keeper_refuse(k, "parent", "a console's socket without its purpose");
		return;
	}
	if (which == 1) {
		if (k->console_key >= 0)
			close(k->console_key);
		k->console_key = m->fd;
		m->fd = -1;
		return;
	}
	lose_console(k);
	k->desk = desk_new(m->fd);
	if (k->desk)
		m->fd = -1; /* it is ours now */
}

static void take_link(struct keeper *k, struct ipc_message *m)
{
	pki_link(k->pki, m->fd);
	m->fd = -1; /* it is ours now */
}

static void take_courier(struct keeper *k, struct ipc_message *m)
{
	if (k->courier >= 0)
		close(k->courier);
	staff_without_courier(k); /* what the last one had in hand is lost */
	k->courier = m->fd;
	m->fd = -1; /* it is ours now */
}

static void take_exporter(struct keeper *k, struct ipc_message *m)
{
	trail_send_peer(k, m->fd);
	m->fd = -1; /* it is ours now */
}

static void take_wishes(struct keeper *k, const struct ipc_message *m)
{
	if (!wishes_take(k, m->body))
		keeper_refuse(k, "parent", "wishes that are none");
}

static void take_roots(struct keeper *k, const struct ipc_message *m)
{
	struct bytes pem;
	int err = file_read_fd(m->fd, ROOTS_MAX, &pem);

	if (err < 0) {
		log_error("people.attestation: %s", strerror(-err));
		return;
	}
	staff_take_roots(k->staff, pem);
	free((void *)(uintptr_t)pem.data);
}

/* Other advisories, perhaps. */
static void take_placed(struct keeper *k, const struct ipc_message *m)
{
	updates_placed(k, m);
	surveys_forget(k);
}

static void from_parent(struct keeper *k, struct ipc_message *m)
{
	if (!ipc_may(rights, sizeof(rights) / sizeof(*rights), FROM_PARENT, m->type)) {
		keeper_refuse(k, "parent", "a message it may not send");
		return;
	}
	if (m->type == IPC_POLICY)
		take_policy(k, m);
	else if (m->type == IPC_PEER)
		take_peer(k, m);
	else if (m->type == IPC_CONSOLE)
		take_console(k, m);
	else if (m->type == IPC_LINK)
		take_link(k, m);
	else if (m->type == IPC_COURIER)
		take_courier(k, m);
	else if (m->type == IPC_EXPORT)
		take_exporter(k, m);
	else if (m->type == IPC_WISHES)
		take_wishes(k, m);
	else if (m->type == IPC_ROOTS)
		take_roots(k, m);
	else if (m->type == IPC_UPDATER) {
		updates_meet(k, m->fd);
		m->fd = -1; /* it is ours now */
	} else if (m->type == IPC_INSTALL)
		take_placed(k, m);
	else if (m->type == IPC_SWITCH)
		updates_switched(k, m);
	else if (m->type == IPC_SURVEYED)
		surveys_take(k, m);
	else if (m->type == IPC_ERRAND)
		errands_take(k, m);
	else if (m->type == IPC_POLICY_FILE || m->type == IPC_POLICY_TEXT)
		amend_answer(k, m);
	else if (m->type == IPC_EVENTS)
		keeper_events(k, "parent", m->body);
	else if (m->type == IPC_STATUS)
		answer_status(k, m);
	else if (m->type == IPC_COUNTED)
		counters_answer(k, m);
	else if (m->type == IPC_APPLY)
		answer_apply(k, m);
	else if (m->type == IPC_GRANTS)
		door_answer(k, m);
	else if (m->type == IPC_STOP)
		k->stopping = true;
	else if (k->secrets)
		secrets_answer(k->secrets, SECRETS_PARENT, k->parent, m);
}

static char ipc_buf[IPC_BUF];

static void hear_parent(struct keeper *k)
{
	struct ipc_message m;
	int err = 0;

	for (unsigned i = 0; i < TURN_MAX && !k->stopping; i++) {
		err = ipc_recv(k->parent, ipc_buf, &m);
		if (err != 0)
			break;
		from_parent(k, &m);
		if (m.fd >= 0)
			close(m.fd);
	}
	if (err != 0 && err != -EAGAIN) {
		log_error("the parent is gone (%s); storing what was taken", strerror(-err));
		k->stopping = true;
	}
}

/* Up to `max` of its messages. How many there were. */
static unsigned hear_guard(struct keeper *k, unsigned n, unsigned max)
{
	struct ipc_message m;
	char who[16];
	unsigned count;

	snprintf(who, sizeof(who), "guard %u", n);
	for (count = 0; count < max; count++) {
		int err = ipc_hear(k->guards[n], ipc_buf, rights, sizeof(rights) / sizeof(*rights),
				   FROM_GUARD, &m);

		if (err == -EAGAIN)
			return count;
		if (err == 0 && m.fd >= 0)
			close(m.fd);
		if (err == 0 && m.type == IPC_PATIENTS &&
		    !census_patients(k->policy, m.body, k->patients))
			err = -EBADMSG;
		if (err == 0 && m.type == IPC_CONDUCT && !waves_conduct(k, m.body))
			err = -EBADMSG;
		if (err == -EBADMSG)
			keeper_refuse(k, who, "a malformed message; its connection is closed");
		if (err != 0) {
			lose_guard(k, n);
			return count;
		}
		if (m.type == IPC_EVENTS)
			keeper_events(k, who, m.body);
		else if (m.type == IPC_EVIDENCE)
			ledger_evidence(k, n, who, m.body);
		else if (m.type == IPC_ARCHIVE)
			ledger_archive(k, n, who, m.body);
		else if (m.type == IPC_FLOWS)
			answer_flows(k, n, &m);
		else if (m.type != IPC_PATIENTS && m.type != IPC_CONDUCT && k->secrets)
			secrets_answer(k->secrets, SECRETS_GUARD, k->guards[n], &m);
	}
	return count;
}

static void hear_console(struct keeper *k, short revents)
{
	int err = desk_turn(k, k->desk, revents);

	if (err == -EBADMSG)
		keeper_refuse(k, "console", "a malformed message; its connection is closed");
	if (err != 0)
		lose_console(k);
}

/* Signatures of TLS handshakes, and nothing else. */
static void hear_console_key(struct keeper *k)
{
	struct ipc_message m;
	int err = 0;

	for (unsigned i = 0; err == 0 && i < TURN_MAX; i++) {
		err = ipc_hear(k->console_key, ipc_buf, rights, sizeof(rights) / sizeof(*rights),
			       FROM_CONSOLE_KEY, &m);
		if (err == 0 && m.fd >= 0)
			close(m.fd);
		if (err == 0 && !k->secrets)
			err = -EBADMSG;
		if (err == 0)
			secrets_answer(k->secrets, SECRETS_CONSOLE, k->console_key, &m);
	}
	if (err == 0 || err == -EAGAIN)
		return;
	if (err == -EBADMSG)
		keeper_refuse(k, "console", "a malformed question for a signature");
	close(k->console_key);
	k->console_key = -1;
}

static void hear_signal(struct keeper *k, int signals)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP && k->eve)
		eve_reopen(k->eve); /* what fails is tried again at the next flush */
	else if (info.ssi_signo != SIGHUP)
		k->stopping = true;
}

static int poll_timeout(const struct keeper *k, uint64_t now_ns)
{
	uint64_t at = ledger_due(k), clients = serve_deadline(k->serve), deposits = deposit_due(k);
	uint64_t evidence = k->pcaps ? pcaps_due(k->pcaps) : UINT64_MAX;

	if (clients < at)
		at = clients;
	if (call_due(k) < at)
		at = call_due(k);
	if (staff_due(k->staff) < at)
		at = staff_due(k->staff);
	if (evidence < at)
		at = evidence;
	if (deposits < at)
		at = deposits;
	if (backups_due(k, now_ns) < at)
		at = backups_due(k, now_ns);
	if (holdings_due(k, now_ns) < at)
		at = holdings_due(k, now_ns);
	if (custody_due(k) < at)
		at = custody_due(k);
	if (updates_due(k->updates) < at)
		at = updates_due(k->updates);
	if (waves_due(k) < at)
		at = waves_due(k);
	if (pki_due(k->pki) < at)
		at = pki_due(k->pki);
	if (door_due(k, now_ns) < at)
		at = door_due(k, now_ns);
	if (at == UINT64_MAX)
		return -1;
	return at <= now_ns ? 0 : (int)((at - now_ns) / NSEC_PER_MSEC + 1);
}

static void hear_courier(struct keeper *k)
{
	struct ipc_message m;
	int err = ipc_hear(k->courier, ipc_buf, rights, sizeof(rights) / sizeof(*rights),
			   FROM_COURIER, &m);

	if (err == -EAGAIN)
		return;
	if (err == 0) {
		if (m.fd >= 0)
			close(m.fd);
		staff_sent(k, &m);
		return;
	}
	if (err != -EPIPE)
		keeper_refuse(k, "courier", "a malformed message; its connection is closed");
	close(k->courier);
	k->courier = -1;
	staff_without_courier(k);
}

/* What the loop sleeps on; clients of the control socket follow. */
enum {
	POLL_PARENT,
	POLL_SIGNALS,
	POLL_INTAKE,
	POLL_GUARDS,
	POLL_DESK = POLL_GUARDS + KEEPER_GUARDS_MAX,
	POLL_CONSOLE_KEY,
	POLL_PKI,
	POLL_COURIER,
	POLL_UPDATER,
	POLL_STAFF,
	POLL_TRAIL,
	POLL_CLIENTS,
};

/* How many. poll() passes over those that are -1. */
static unsigned gather(struct keeper *k, int signals, struct pollfd *fds)
{
	fds[POLL_PARENT].fd = k->parent;
	fds[POLL_SIGNALS].fd = signals;
	fds[POLL_INTAKE].fd = k->intake ? intake_fd(k->intake) : -1;
	for (unsigned n = 0; n < KEEPER_GUARDS_MAX; n++)
		fds[POLL_GUARDS + n].fd = k->guards[n];
	fds[POLL_CONSOLE_KEY].fd = k->console_key;
	fds[POLL_PKI].fd = pki_sock(k->pki);
	fds[POLL_COURIER].fd = k->courier;
	fds[POLL_UPDATER].fd = updates_sock(k->updates);
	fds[POLL_STAFF].fd = staff_fd(k->staff);
	fds[POLL_TRAIL].fd = trail_send_fd(k);
	for (unsigned i = 0; i < POLL_CLIENTS; i++)
		fds[i].events = POLLIN;
	fds[POLL_DESK] = k->desk ? desk_poll(k->desk) : (struct pollfd){.fd = -1};
	return POLL_CLIENTS + serve_poll(k->serve, fds + POLL_CLIENTS);
}

/* Who has something to say. Whoever was replaced meanwhile by the parent's word is heard next time. */
static void hear_all(struct keeper *k, int signals, const struct pollfd *fds,
		     const struct desk *desk)
{
	if (fds[POLL_SIGNALS].revents)
		hear_signal(k, signals);
	for (unsigned n = 0; n < KEEPER_GUARDS_MAX; n++)
		if (fds[POLL_GUARDS + n].revents && fds[POLL_GUARDS + n].fd == k->guards[n])
			hear_guard(k, n, TURN_MAX);
	if (fds[POLL_PARENT].revents)
		hear_parent(k);
	if (fds[POLL_DESK].revents && k->desk == desk)
		hear_console(k, fds[POLL_DESK].revents);
	if (fds[POLL_CONSOLE_KEY].revents && k->console_key == fds[POLL_CONSOLE_KEY].fd)
		hear_console_key(k);
	if (fds[POLL_PKI].revents && pki_sock(k->pki) == fds[POLL_PKI].fd)
		pki_hear(k, k->pki);
	if (fds[POLL_COURIER].revents && k->courier == fds[POLL_COURIER].fd)
		hear_courier(k);
	if (fds[POLL_UPDATER].revents && updates_sock(k->updates) == fds[POLL_UPDATER].fd)
		updates_hear(k);
	if (updates_due(k->updates) <= clock_mono_ns())
		updates_tick(k);
	waves_tick(k);
	if (fds[POLL_STAFF].revents)
		staff_hashed(k);
	if (fds[POLL_TRAIL].revents && trail_send_fd(k) == fds[POLL_TRAIL].fd)
		trail_send_hear(k);
}

static void turn(struct keeper *k, int signals)
{
	struct pollfd fds[POLL_CLIENTS + SERVE_CLIENTS + 1] = {{.fd = -1}};
	unsigned count = gather(k, signals, fds);
	const struct desk *desk = k->desk;

	if (poll(fds, count, poll_timeout(k, clock_mono_ns())) < 0)
		return; /* EINTR */
	hear_all(k, signals, fds, desk);
	if (pki_due(k->pki) <= clock_mono_ns())
		pki_tick(k, k->pki);
	serve_turn(k->serve, fds + POLL_CLIENTS, count - POLL_CLIENTS, clock_mono_ns());
	call_turn(k, clock_mono_ns());
	errands_turn(k, clock_mono_ns());
	uploads_turn(k, clock_mono_ns());
	holdings_turn(k);
	custody_turn(k, clock_mono_ns());
	staff_tick(k->staff);
	answer_turn(k);
	door_turn(k);
	trail_send_turn(k);
	if (k->pcaps) {
		pcaps_tick(k->pcaps, clock_mono_ns(), clock_wall_ns());
		ledger_evidence_lost(k);
	}
	deposit_turn(k, clock_mono_ns());
	backups_turn(k, clock_mono_ns());
	if (ledger_due(k) <= clock_mono_ns())
		ledger_write(k, clock_mono_ns());
}

/* What guards had sent before the end is taken too; at most what their sockets hold. */
static int finish(struct keeper *k)
{
	int err;

	for (unsigned n = 0; n < KEEPER_GUARDS_MAX; n++)
		if (k->guards[n] >= 0)
			hear_guard(k, n, 4096);
	if (k->pcaps)
		pcaps_flush(k->pcaps, clock_wall_ns()); /* says what it writes */
	backups_close(k);
	deposit_close(k);
	if (k->pcaps)
		ledger_evidence_lost(k);
	pcaps_free(k->pcaps);
	k->pcaps = NULL;
	err = ledger_write(k, clock_mono_ns());
	if (err != 0)
		log_error("%u events could not be stored in %s: %s", store_queued(k->store),
			  k->state_dir, strerror(-err));
	holdings_close(k); /* last: a check takes its time */
	return err == 0 ? 0 : 1;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

call_identify_fn keeper_identify;

static void free_all(struct keeper *k)
{
	updates_free(k->updates);
	waves_free(k->waves);
	surveys_free(k->surveys);
	errands_free(k->errands);
	uploads_free(k->uploads);
	custody_free(k->custody); /* whose chore the intake did, or never began */
	pki_free(k->pki);
	staff_free(k->staff); /* before the keys that it was lent */
	door_free(k->door);
	trail_send_free(k->trail_send);
	secrets_free(k->secrets);
	free(k->deposits);
	lose_console(k);
	serve_free(k->serve);
	calls_free(k->calls);
	json_decref(k->patients);
	looks_free(k->looks);
	amends_free(k->amends);
	eve_free(k->eve);
	store_free(k->store);
	person_free(k->person);
	json_decref(k->wishes);
	if (k->policy_block)
		munmap(k->policy_block, k->policy_len);
}

int keeper_main(int argc, char **argv)
{
	struct keeper k = {.parent = KEEPER_IPC_FD,
			   .console_key = -1,
			   .courier = -1,
			   .identify = keeper_identify ? keeper_identify : staff_identify};
	const struct group *group;
	struct keeper_options o;
	unsigned char seed;
	gid_t gid;
	int signals, status;

	log_init("keeper", LOG_INFO);
	o = keeper_options_read(argc, argv);
	k.state_dir = o.state_dir;
	k.site = o.staff.site;
	for (unsigned n = 0; n < KEEPER_GUARDS_MAX; n++)
		k.guards[n] = -1;
	group = getgrnam(o.user);
	gid = group ? group->gr_gid : (gid_t)-1;
	signals = open_signals();
	if (signals < 0)
		fatal("keeper: signalfd: %s", strerror(errno));
	/* What libraries would read outside state_dir later: the time zone, randomness. */
	tzset();
	sqlite3_initialize();
	sqlite3_randomness(sizeof(seed), &seed);
	k.staff = staff_new(&o.staff, ledger_staff, &k);
	if (!k.staff)
		fatal("keeper: no memory");
	clock_boot_id(o.boot_id);
	keeper_lock_in(&k, &o);
	keeper_open_all(&k, &o, gid);
	ledger_write(&k, clock_mono_ns());
	if (ipc_send(k.parent, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("keeper: the parent is gone");
	while (!k.stopping)
		turn(&k, signals);
	trail_close(&k);
	status = finish(&k);
	free_all(&k);
	return status;
}
