#include "role/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "guard/policy/policy.h"
#include "keep/eve.h"
#include "keep/intake.h"
#include "keep/pcaps.h"
#include "keep/person.h"
#include "keep/store.h"
#include "role/amend.h"
#include "role/deposit.h"
#include "role/desk.h"
#include "role/look.h"
#include "role/door.h"
#include "role/pki.h"
#include "role/secrets.h"
#include "role/serve.h"
#include "role/staff.h"
#include "role/trail.h"

#define COMMIT_MS	 200  /* a batch waits no longer, */
#define LIVE_MS		 50   /* and where somebody looks on, this long */
#define BATCH_EARLY	 4096 /* events that do not wait */
#define RETRY_MS	 1000 /* between attempts while nothing can be written */
#define TURN_MAX	 64   /* messages of one sender before the others' turn */
#define BAD_EVERY_NS	 (60 * NSEC_PER_SEC)
#define PROFILE_FOLDERS	 4
#define EVIDENCE_RESERVE (64ull << 20) /* of the disk, that evidence does not touch */

enum { FROM_PARENT, FROM_GUARD, FROM_CONSOLE_KEY, FROM_COURIER };

/* Who may say what to the keeper. Anything else costs a guard its connection. */
static const struct ipc_right rights[] = {
	{FROM_PARENT, IPC_POLICY}, /* whom the devices' names and modes come from */
	{FROM_PARENT, IPC_PEER},   /* a guard's socket */
	{FROM_PARENT, IPC_CONSOLE},
	{FROM_PARENT, IPC_LINK},
	{FROM_PARENT, IPC_COURIER},
	{FROM_PARENT, IPC_POLICY_FILE}, /* an answer, */
	{FROM_PARENT, IPC_POLICY_TEXT}, /* and one */
	{FROM_PARENT, IPC_EVENTS},	/* what happened to the gateway itself */
	{FROM_PARENT, IPC_STATUS},	/* an answer */
	{FROM_PARENT, IPC_APPLY},	/* an answer */
	{FROM_PARENT, IPC_GRANTS},	/* an answer */
	{FROM_PARENT, IPC_STOP},
	{FROM_COURIER, IPC_SMS}, /* an answer */
	{FROM_GUARD, IPC_EVENTS},
	{FROM_GUARD, IPC_FLOWS}, /* an answer */
	{FROM_GUARD, IPC_EVIDENCE},
	{FROM_GUARD, IPC_ARCHIVE},
	/* For which purposes says role/secrets.c. */
	{FROM_PARENT, IPC_SIGN},
	{FROM_PARENT, IPC_WRAP},
	{FROM_PARENT, IPC_UNWRAP},
	{FROM_GUARD, IPC_WRAP},
	{FROM_CONSOLE_KEY, IPC_TLS_KEY},
	{FROM_CONSOLE_KEY, IPC_TLS_SIGN},
};

/* Besides what every role lives on: files in state_dir, clients on the control socket. */
static const char *const calls[] = {
	"accept4",
	"access",
	"faccessat",
	"faccessat2",
	"fallocate",
	"fchmod",
	"fchown",
	"fcntl",
	"flock",
	"mlock",
	"mlock2",
	"fdatasync",
	"fstatfs",
	"fsync",
	"ftruncate",
	"getcwd",
	"getegid",
	"geteuid",
	"getgid",
	"getsockopt",
	"getuid",
	"lstat",
	"newfstatat",
	"open",
	"openat",
	"pread64",
	"pwrite64",
	"readlink",
	"readlinkat",
	"rename",
	"renameat",
	"stat",
	"getdents64",
	"mkdir",
	"memfd_create",
	"mkdirat",
	"statfs",
	"sysinfo",
	"uname",
	"unlink",
	"unlinkat",
	"memfd_create",
	/* What the vault's threads, which are there already, say as they begin. */
	"sched_getaffinity",
	"set_robust_list",
};

struct options {
	const char *state_dir, *user, *eve_file, *key_holder, *key_place, *config_file;
	const char *profiles_dir;
	uint64_t eve_rotate_mb, eve_keep, store_events;
	uint64_t evidence_mb, evidence_days; /* 0: none is kept */
	uint64_t archive_mb;
	bool eve_open;
	struct staff_options staff;
	char boot_id[DOOR_BOOT_ID];
};

static uint64_t number_of(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*end || end == text || n > UINT32_MAX)
		fatal("keeper: '%s' is no number from 0 to %u", text, UINT32_MAX);
	return n;
}

static struct options read_options(int argc, char **argv)
{
	struct options o = {.eve_rotate_mb = 100,
			    .eve_keep = 5,
			    .store_events = 1000000,
			    .archive_mb = 512,
			    .staff.site = "bedwarden"};
	int c;

	while ((c = getopt(argc, argv, "d:u:e:m:k:n:E:D:A:H:P:c:p:s:S:3:I:O:W:F:R")) != -1)
		switch (c) {
		case 'd':
			o.state_dir = optarg;
			break;
		case 'u':
			o.user = optarg;
			break;
		case 'e':
			o.eve_file = optarg;
			break;
		case 'm':
			o.eve_rotate_mb = number_of(optarg);
			break;
		case 'k':
			o.eve_keep = number_of(optarg);
			break;
		case 'n':
			o.store_events = number_of(optarg);
			break;
		case 'R':
			o.eve_open = true;
			break;
		case 'E':
			o.evidence_mb = number_of(optarg);
			break;
		case 'D':
			o.evidence_days = number_of(optarg);
			break;
		case 'A':
			o.archive_mb = number_of(optarg);
			break;
		case 'H':
			o.key_holder = optarg;
			break;
		case 'P':
			o.key_place = optarg;
			break;
		case 'c':
			o.config_file = optarg;
			break;
		case 'p':
			o.profiles_dir = optarg;
			break;
		case 's':
			o.staff.site = optarg;
			break;
		case 'S':
			o.staff.sms = number_of(optarg) != 0;
			break;
		case '3':
			o.staff.aal3 = (unsigned)number_of(optarg);
			break;
		case 'W':
			o.staff.sms_url = optarg;
			break;
		case 'F':
			o.staff.sms_from = optarg;
			break;
		case 'I':
			o.staff.wish.idle_minutes = (uint32_t)number_of(optarg);
			break;
		case 'O':
			o.staff.wish.overall_hours = (uint32_t)number_of(optarg);
			break;
		default:
			fatal("keeper: started by hand? 'bedwarden run' starts it");
		}
	if (!o.state_dir || !o.user || optind != argc)
		fatal("keeper: started by hand? 'bedwarden run' starts it");
	return o;
}

/* Our own reports go the way of everybody's. */
void keeper_put(struct keeper *k, struct json *j)
{
	size_t len = event_end(j);

	store_put(k->store, (struct bytes){j->out.data, len});
	if (k->eve)
		eve_put(k->eve, (struct bytes){j->out.data, len});
	k->commit_ns = clock_mono_ns();
}

void keeper_report(struct keeper *k, enum reason why, uint64_t count, const char *text)
{
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "audit",
				 .src_port = -1,
				 .dest_port = -1,
				 .reason = why};
	char buf[EVENT_MAX];
	struct json j = event_begin(&e, buf);

	if (count)
		json_u64(&j, "count", count);
	if (text) {
		json_open(&j, "audit");
		json_str(&j, "message", text);
		json_close(&j);
	}
	keeper_put(k, &j);
}

/* What concerns who may sign in. */
static void tell_staff(void *arg, enum reason why, const char *user, const char *text,
		       uint64_t count)
{
	struct keeper *k = arg;
	struct event_common e = {.time_ns = clock_wall_ns(),
				 .type = "audit",
				 .src_port = -1,
				 .dest_port = -1,
				 .reason = why};
	char buf[EVENT_MAX];
	struct json j = event_begin(&e, buf);

	if (count)
		json_u64(&j, "count", count);
	json_open(&j, "audit");
	if (*user)
		json_str(&j, "user", user);
	json_str(&j, "message", text);
	json_close(&j);
	keeper_put(k, &j);
}

/* Something of our own processes was refused: counted always, said once a minute. */
static void refuse(struct keeper *k, const char *who, const char *what)
{
	static uint64_t said_ns;
	static uint64_t said;
	uint64_t now = clock_mono_ns();
	char text[128];

	k->refused++;
	if (said_ns && now - said_ns < BAD_EVERY_NS)
		return;
	snprintf(text, sizeof(text), "%s: %s", who, what);
	log_warn("refused from %s", text);
	keeper_report(k, REASON_GATEWAY_BAD_MESSAGE, k->refused - said, text);
	said_ns = now;
	said = k->refused;
}

static void note_evidence(struct keeper *k)
{
	struct pcaps_counts n;

	pcaps_counts(k->pcaps, &n);
	if (n.lost == k->evidence_told || k->full_ns)
		return;
	keeper_report(k, REASON_GATEWAY_EVIDENCE_LOST, n.lost - k->evidence_told,
		      n.error ? strerror(-n.error) : NULL);
	k->evidence_told = n.lost;
}

static void take_evidence(struct keeper *k, unsigned guard, const char *who, struct bytes body)
{
	if (!k->pcaps)
		return; /* it was turned off a moment ago */
	if (pcaps_take(k->pcaps, guard, body, clock_mono_ns(), clock_wall_ns()) < 0)
		refuse(k, who, "evidence that is none");
}

static void take_archive(struct keeper *k, unsigned guard, const char *who, struct bytes body)
{
	if (deposit_take(k, guard, body) < 0)
		refuse(k, who, "something to archive that is none");
}

static void take_line(struct keeper *k, const char *who, struct bytes line)
{
	char *stored = NULL, *told = NULL;
	struct bytes outside = line;
	struct record *r;

	if (person_hide(k->person, line, clock_wall_ns(), &stored, &told)) {
		line = (struct bytes){(uint8_t *)stored, stored ? strlen(stored) : 0};
		if (!k->eve_open)
			outside = (struct bytes){(uint8_t *)told, told ? strlen(told) : 0};
	}
	r = record_parse(line);
	if (r && k->eve && outside.len)
		eve_put(k->eve, outside); /* counts what it has no room for */
	free(stored);
	free(told);
	if (!r && errno == EBADMSG)
		refuse(k, who, "a line that is no event");
	if (!r)
		return;
	if (r->audit) {
		k->commit_ns = 1; /* at once */
		if (strcmp(who, "parent") == 0)
			trail_fact(k, r);
	}
	store_put_record(k->store, r); /* and so does the store */
}

static void take_events(struct keeper *k, const char *who, struct bytes body)
{
	while (body.len > 0) {
		const uint8_t *newline = memchr(body.data, '\n', body.len);
		size_t len = newline ? (size_t)(newline - body.data) : body.len;

		if (newline)
			take_line(k, who, (struct bytes){body.data, len});
		else
			refuse(k, who, "a line without its end");
		len += newline != NULL;
		body = (struct bytes){body.data + len, body.len - len};
	}
	if (!k->commit_ns)
		k->commit_ns =
			clock_mono_ns() +
			(k->desk && desk_live(k->desk) ? LIVE_MS : COMMIT_MS) * NSEC_PER_MSEC;
	if (store_queued(k->store) >= BATCH_EARLY)
		k->commit_ns = 1;
}

/* The first time that writing fails and the first time that it works again are events. */
static void note_disk(struct keeper *k, int err, uint64_t now_ns)
{
	char text[96];

	if (err != 0 && err != -EAGAIN && !k->full_ns) {
		k->full_ns = now_ns;
		log_error("cannot write to %s (%s); events are kept in memory, as far as they fit",
			  k->state_dir, strerror(-err));
		keeper_report(k, REASON_GATEWAY_DISK_FULL, 0, strerror(-err));
	} else if (err == 0 && k->full_ns) {
		snprintf(text, sizeof(text), "after %llu seconds",
			 (unsigned long long)((now_ns - k->full_ns) / NSEC_PER_SEC));
		k->full_ns = 0;
		log_info("%s can be written to again", k->state_dir);
		keeper_report(k, REASON_GATEWAY_DISK_FREED, 0, text);
	}
}

static void note_losses(struct keeper *k)
{
	const char *aside = store_set_aside(k->store);
	uint64_t lost = store_lost(k->store);

	if (aside) {
		log_error("the event database could not be used; it is kept as %s", aside);
		keeper_report(k, REASON_GATEWAY_STORE_BROKEN, 0, aside);
	}
	if (lost > k->lost_told && !k->full_ns) {
		keeper_report(k, REASON_GATEWAY_EVENTS_LOST, lost - k->lost_told, NULL);
		k->lost_told = lost;
	}
}

/* Everything taken so far, durable. 0 or why not. */
static int write_out(struct keeper *k, uint64_t now_ns)
{
	int err = store_commit(k->store);
	int eve = k->eve ? eve_flush(k->eve) : 0;

	k->commit_ns = k->retry_ns = 0;
	note_disk(k, err ? err : eve, now_ns);
	note_losses(k);
	if (err || eve)
		k->commit_ns = k->retry_ns = now_ns + RETRY_MS * NSEC_PER_MSEC;
	serve_wake(k->serve);
	if (k->desk)
		desk_wake(k, k->desk);
	return err ? err : eve;
}

static uint64_t write_due(const struct keeper *k)
{
	if (!k->commit_ns)
		return UINT64_MAX;
	return k->commit_ns > k->retry_ns ? k->commit_ns : k->retry_ns;
}

void keeper_events(struct keeper *k, const char *who, struct bytes lines)
{
	take_events(k, who, lines);
}

void keeper_refuse(struct keeper *k, const char *who, const char *what)
{
	refuse(k, who, what);
}

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
		refuse(k, "parent", "a policy that is none");
		return;
	}
	if (k->policy_block)
		munmap(k->policy_block, k->policy_len);
	k->policy = policy;
	k->policy_block = block;
	k->policy_len = (size_t)st.st_size;
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
}

static void take_peer(struct keeper *k, struct ipc_message *m)
{
	uint32_t n;

	if (!ipc_u32(m, &n) || n >= KEEPER_GUARDS_MAX) {
		refuse(k, "parent", "a guard without a number");
		return;
	}
	if (k->guards[n] >= 0)
		lose_guard(k, n);
	k->guards[n] = m->fd;
	m->fd = -1; /* it is ours now */
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
		refuse(k, "parent", "a console's socket without its purpose");
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

static void from_parent(struct keeper *k, struct ipc_message *m)
{
	if (!ipc_may(rights, sizeof(rights) / sizeof(*rights), FROM_PARENT, m->type)) {
		refuse(k, "parent", "a message it may not send");
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
	else if (m->type == IPC_POLICY_FILE || m->type == IPC_POLICY_TEXT)
		amend_answer(k, m);
	else if (m->type == IPC_EVENTS)
		take_events(k, "parent", m->body);
	else if (m->type == IPC_STATUS)
		answer_status(k, m);
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
		int err = ipc_recv(k->guards[n], ipc_buf, &m);

		if (err == -EAGAIN)
			return count;
		if (err == 0 && m.fd >= 0)
			close(m.fd);
		if (err == 0 &&
		    !ipc_may(rights, sizeof(rights) / sizeof(*rights), FROM_GUARD, m.type))
			err = -EBADMSG;
		if (err == -EBADMSG)
			refuse(k, who, "a malformed message; its connection is closed");
		if (err != 0) {
			lose_guard(k, n);
			return count;
		}
		if (m.type == IPC_EVENTS)
			take_events(k, who, m.body);
		else if (m.type == IPC_EVIDENCE)
			take_evidence(k, n, who, m.body);
		else if (m.type == IPC_ARCHIVE)
			take_archive(k, n, who, m.body);
		else if (m.type == IPC_FLOWS)
			answer_flows(k, n, &m);
		else if (k->secrets)
			secrets_answer(k->secrets, SECRETS_GUARD, k->guards[n], &m);
	}
	return count;
}

static void hear_console(struct keeper *k, short revents)
{
	int err = desk_turn(k, k->desk, revents);

	if (err == -EBADMSG)
		refuse(k, "console", "a malformed message; its connection is closed");
	if (err != 0)
		lose_console(k);
}

/* Signatures of TLS handshakes, and nothing else. */
static void hear_console_key(struct keeper *k)
{
	struct ipc_message m;
	int err = 0;

	for (unsigned i = 0; err == 0 && i < TURN_MAX; i++) {
		err = ipc_recv(k->console_key, ipc_buf, &m);
		if (err == 0 && m.fd >= 0)
			close(m.fd);
		if (err == 0 &&
		    (!ipc_may(rights, sizeof(rights) / sizeof(*rights), FROM_CONSOLE_KEY, m.type) ||
		     !k->secrets))
			err = -EBADMSG;
		if (err == 0)
			secrets_answer(k->secrets, SECRETS_CONSOLE, k->console_key, &m);
	}
	if (err == 0 || err == -EAGAIN)
		return;
	if (err == -EBADMSG)
		refuse(k, "console", "a malformed question for a signature");
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
	uint64_t at = write_due(k), clients = serve_deadline(k->serve), deposits = deposit_due(k);
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
	int err = ipc_recv(k->courier, ipc_buf, &m);

	if (err == -EAGAIN)
		return;
	if (err == 0 && m.fd >= 0)
		close(m.fd);
	if (err == 0 && ipc_may(rights, sizeof(rights) / sizeof(*rights), FROM_COURIER, m.type)) {
		staff_sent(k, &m);
		return;
	}
	if (err != -EPIPE)
		refuse(k, "courier", "a malformed message; its connection is closed");
	close(k->courier);
	k->courier = -1;
	staff_without_courier(k);
}

static void turn(struct keeper *k, int signals)
{
	struct pollfd fds[7 + KEEPER_GUARDS_MAX + SERVE_CLIENTS + 1];
	const struct desk *desk = k->desk;
	unsigned count = 0, clients, at;

	fds[count++] = (struct pollfd){.fd = k->parent, .events = POLLIN};
	fds[count++] = (struct pollfd){.fd = signals, .events = POLLIN};
	fds[count++] =
		(struct pollfd){.fd = k->intake ? intake_fd(k->intake) : -1, .events = POLLIN};
	for (unsigned n = 0; n < KEEPER_GUARDS_MAX; n++) /* poll() passes over those that are -1 */
		fds[count++] = (struct pollfd){.fd = k->guards[n], .events = POLLIN};
	fds[count++] = desk ? desk_poll(desk) : (struct pollfd){.fd = -1};
	fds[count++] = (struct pollfd){.fd = k->console_key, .events = POLLIN};
	fds[count++] = (struct pollfd){.fd = pki_sock(k->pki), .events = POLLIN};
	fds[count++] = (struct pollfd){.fd = k->courier, .events = POLLIN};
	at = count;
	clients = serve_poll(k->serve, fds + at);
	count += clients;

	if (poll(fds, count, poll_timeout(k, clock_mono_ns())) < 0)
		return; /* EINTR */
	if (fds[1].revents)
		hear_signal(k, signals);
	for (unsigned n = 0; n < KEEPER_GUARDS_MAX; n++)
		if (fds[3 + n].revents && fds[3 + n].fd == k->guards[n])
			hear_guard(k, n, TURN_MAX);
	if (fds[0].revents)
		hear_parent(k);
	if (fds[at - 4].revents && k->desk == desk)
		hear_console(k, fds[at - 4].revents);
	if (fds[at - 3].revents && k->console_key == fds[at - 3].fd)
		hear_console_key(k);
	if (fds[at - 2].revents && pki_sock(k->pki) == fds[at - 2].fd)
		pki_hear(k, k->pki);
	if (fds[at - 1].revents && k->courier == fds[at - 1].fd)
		hear_courier(k);
	if (pki_due(k->pki) <= clock_mono_ns())
		pki_tick(k, k->pki);
	serve_turn(k->serve, fds + at, clients, clock_mono_ns());
	call_turn(k, clock_mono_ns());
	staff_tick(k->staff);
	answer_turn(k);
	door_turn(k);
	if (k->pcaps) {
		pcaps_tick(k->pcaps, clock_mono_ns(), clock_wall_ns());
		note_evidence(k);
	}
	deposit_turn(k, clock_mono_ns());
	if (write_due(k) <= clock_mono_ns())
		write_out(k, clock_mono_ns());
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
	deposit_close(k);
	if (k->pcaps)
		note_evidence(k);
	pcaps_free(k->pcaps);
	k->pcaps = NULL;
	err = write_out(k, clock_mono_ns());
	if (err != 0)
		log_error("%u events could not be stored in %s: %s", store_queued(k->store),
			  k->state_dir, strerror(-err));
	return err == 0 ? 0 : 1;
}

static void make_folders(const char *path)
{
	char part[PATH_MAX];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		mkdir(part, 0755);
	}
	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		fatal("keeper: cannot make state_dir '%s': %s", path, strerror(errno));
}

/* Who we are now may be kept out by any folder on the way: which one, and what opens it. */
static void pass_through(const char *setting, const char *path)
{
	const struct passwd *me = getpwuid(geteuid());
	const char *user = me ? me->pw_name : "nobody";
	char part[PATH_MAX];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (access(part, X_OK) < 0)
			fatal("keeper: %s '%s': user '%s' cannot pass through '%s' (%s); chmod o+x "
			      "it, or set %s to another place",
			      setting, path, user, part, strerror(errno), setting);
	}
}

/* While root may still ask a TPM, load a token's module or read a credential. */
static void unlock(struct keeper *k, const struct options *o, const struct passwd *user)
{
	if (!o->key_holder)
		return;
	k->secrets = secrets_new(o->state_dir, o->key_holder, o->key_place,
				 user ? user->pw_uid : geteuid(), user ? user->pw_gid : getegid());
	if (!k->secrets)
		fatal("keeper: no memory");
	if (*secrets_locked(k->secrets))
		log_error("the keys stay locked: %s", secrets_locked(k->secrets));
}

/* Where a policy's profiles may be (base/config.h): to read, for who wants one checked. */
static bool profile_folder(const struct options *o, unsigned i, char ret_path[PATH_MAX])
{
	const char *file = o->config_file ? o->config_file : "";
	const char *slash = strrchr(file, '/');
	char self[PATH_MAX / 2];
	ssize_t len;

	*ret_path = 0;
	if (i == 0 && o->profiles_dir)
		snprintf(ret_path, PATH_MAX, "%s", o->profiles_dir);
	else if (i == 1 && slash)
		snprintf(ret_path, PATH_MAX, "%.*s/profiles", (int)(slash - file), file);
	else if (i == 2)
		snprintf(ret_path, PATH_MAX, "%s/profiles", BEDWARDEN_DATADIR);
	else if (i == 3 && (len = readlink("/proc/self/exe", self, sizeof(self))) > 0 &&
		 (slash = memrchr(self, '/', (size_t)len)))
		snprintf(ret_path, PATH_MAX, "%.*s/../profiles", (int)(slash - self), self);
	return *ret_path != 0;
}

/* Our user's folder, whatever it is called; then no rights but in there. */
static void lock_in(struct keeper *k, const struct options *o)
{
	const struct passwd *user = getpwnam(o->user);
	struct sandbox_path paths[2 + PROFILE_FOLDERS] = {{.path = o->state_dir, .write = true}};
	char eve_folder[PATH_MAX], profiles[PROFILE_FOLDERS][PATH_MAX], *slash;
	size_t count = 1;
	int err;

	if (!user)
		user = getpwnam("nobody");
	make_folders(o->state_dir);
	umask(0027); /* what we make in there is for our group to read */
	/* In a user namespace that maps no such user the folder stays ours as it is. */
	if (geteuid() == 0 && user && chown(o->state_dir, user->pw_uid, user->pw_gid) < 0 &&
	    errno != EINVAL && errno != EPERM)
		fatal("keeper: cannot own state_dir '%s': %s", o->state_dir, strerror(errno));
	unlock(k, o, user);
	if (o->eve_file && *o->eve_file == '/') {
		snprintf(eve_folder, sizeof(eve_folder), "%s", o->eve_file);
		slash = strrchr(eve_folder, '/');
		slash[slash == eve_folder] = 0;
		if (access(eve_folder, F_OK) == 0)
			paths[count++] = (struct sandbox_path){.path = eve_folder, .write = true};
		else
			log_error("eve_file: no folder '%s'; make it and restart", eve_folder);
	}
	err = sandbox_drop(o->user);
	if (err < 0)
		fatal("keeper: cannot become '%s': %s", o->user, strerror(-err));
	pass_through("state_dir", o->state_dir);
	if (count > 1)
		pass_through("eve_file", eve_folder);
	for (unsigned i = 0; i < PROFILE_FOLDERS; i++)
		if (profile_folder(o, i, profiles[i]) && access(profiles[i], R_OK) == 0)
			paths[count++] = (struct sandbox_path){.path = profiles[i]};
	err = sandbox_files(paths, count);
	if (err < 0 && err != -ENOSYS && err != -EOPNOTSUPP)
		fatal("keeper: Landlock: %s", strerror(-err));
	if (err < 0)
		log_warn("this kernel has no Landlock; seccomp alone confines the keeper");
	err = sandbox_network();
	if (err < 0 && err != -ENOSYS && err != -EOPNOTSUPP)
		fatal("keeper: Landlock: %s", strerror(-err));
	deposit_open(k, o->archive_mb << 20); /* has threads: from here on there are no more */
	err = sandbox_calls(calls, sizeof(calls) / sizeof(*calls));
	if (err < 0)
		fatal("keeper: seccomp: %s", strerror(-err));
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

/* Without it the gateway goes on. */
static void open_evidence(struct keeper *k, const struct options *o)
{
	struct pcaps_options p = {.max_bytes = o->evidence_mb << 20,
				  .max_age_s = o->evidence_days * 24 * 60 * 60,
				  .reserve_bytes = EVIDENCE_RESERVE,
				  .kept = deposit_kept,
				  .seal = k->intake ? deposit_evidence : NULL,
				  .arg = k};
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/evidence", o->state_dir);
	p.folder = path;
	k->pcaps = pcaps_new(&p, clock_wall_ns());
	if (!k->pcaps)
		log_error("no evidence is kept: %s: %s", path, strerror(errno));
	k->evidence_bytes = p.max_bytes;
	k->evidence_age_s = p.max_age_s;
}

static void open_all(struct keeper *k, const struct options *o, gid_t gid)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/events.db", o->state_dir);
	k->store = store_new(path, (uint32_t)o->store_events);
	if (!k->store)
		fatal("keeper: events.db: %s", strerror(errno));
	k->person = person_new(k->secrets ? secrets_keys(k->secrets) : NULL);
	if (!k->person)
		fatal("keeper: no memory");
	store_opens(k->store, k->person);
	k->eve_open = o->eve_open;
	query_last_time(store_db(k->store), &k->last_event_ns);
	if (o->eve_file && *o->eve_file) {
		snprintf(path, sizeof(path), "%s%s%s", *o->eve_file == '/' ? "" : o->state_dir,
			 *o->eve_file == '/' ? "" : "/", o->eve_file);
		k->eve = eve_new(path, o->eve_rotate_mb << 20, (unsigned)o->eve_keep);
		if (!k->eve)
			fatal("keeper: %s: %s", path, strerror(errno));
	}
	if (o->evidence_mb)
		open_evidence(k, o);
	k->calls = calls_new();
	k->looks = looks_new();
	k->amends = amends_new(o->config_file ? o->config_file : "policy");
	staff_open(k->staff, o->state_dir, k->secrets ? secrets_keys(k->secrets) : NULL);
	k->pki = pki_new(k);
	if (!k->pki)
		fatal("keeper: no memory");
	k->serve = serve_new(KEEPER_CONTROL_FD, gid, &answer_calls, k);
	trail_open(k);
	k->note_act = trail_act;
	k->door = door_new(k, o->boot_id);
	if (!k->door || !k->serve || !k->calls || !k->looks || !k->amends)
		fatal("keeper: no memory");
}

call_identify_fn keeper_identify;

int keeper_main(int argc, char **argv)
{
	struct keeper k = {.parent = KEEPER_IPC_FD,
			   .console_key = -1,
			   .courier = -1,
			   .identify = keeper_identify ? keeper_identify : staff_identify};
	const struct group *group;
	struct options o;
	unsigned char seed;
	gid_t gid;
	int signals, status;

	log_init("keeper", LOG_INFO);
	o = read_options(argc, argv);
	k.state_dir = o.state_dir;
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
	k.staff = staff_new(&o.staff, tell_staff, &k);
	if (!k.staff)
		fatal("keeper: no memory");
	door_boot_id(o.boot_id);
	lock_in(&k, &o);
	open_all(&k, &o, gid);
	write_out(&k, clock_mono_ns());
	if (ipc_send(k.parent, IPC_READY, 0, (struct bytes){0}, -1) < 0)
		fatal("keeper: the parent is gone");
	while (!k.stopping)
		turn(&k, signals);
	trail_close(&k);
	status = finish(&k);
	pki_free(k.pki);
	staff_free(k.staff); /* before the keys that it was lent */
	door_free(k.door);
	secrets_free(k.secrets);
	free(k.deposits);
	lose_console(&k);
	serve_free(k.serve);
	calls_free(k.calls);
	looks_free(k.looks);
	amends_free(k.amends);
	eve_free(k.eve);
	store_free(k.store);
	person_free(k.person);
	if (k.policy_block)
		munmap(k.policy_block, k.policy_len);
	return status;
}
