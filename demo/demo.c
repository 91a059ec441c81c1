#include "demo/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "demo/actor.h"
#include "demo/folder.h"
#include "demo/replay.h"
#include "demo/stage.h"
#include "demo/score.h"

#define VITAL_MS       4000
#define VITAL_LEAST_MS 2000
#define HEART_RATE     72
#define ROGUE_RATE     168
#define CAPTURE_ENV    "BEDWARDEN_DEMO_CAPTURE" /* back end to insist on, for tests */
#define KEEP_ENV       "BEDWARDEN_DEMO_KEEP"	/* set: the folder stays, to look into */
#define TAIL	       800			/* bytes of a log that are shown */
#define GUARDED_UP     'g' /* said to the outer process with the verdict behind it */

static const char *const tools[] = {
	"ip",	   "tc",	"nmap",		 "storescu",	  "storescp",
	"dcmdump", "mosquitto", "mosquitto_pub", "mosquitto_sub", "openssl",
	"tar"};

struct show {
	struct demo_options o;
	char dir[FOLDER_MAX];
	char data[FOLDER_MAX], *has_data; /* shared test data; NULL: none */
	const char *capture;
	struct patient *patient, *rogue;
	struct board *board;
	struct score score;
	int verdict_fd;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static bool tools_there(void)
{
	for (unsigned i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		if (actor_tool_there(tools[i]))
			continue;
		fprintf(stderr,
			"bedwarden: demo: %s is not installed; apt-get install iproute2 nmap dcmtk "
			"mosquitto mosquitto-clients openssl tar\n",
			tools[i]);
		return false;
	}
	return true;
}

/* ../shared/data, beside where we are or beside the tree that this program was built in. */
static void find_data(struct show *s)
{
	char exe[128];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	s->has_data = s->data;
	snprintf(s->data, sizeof(s->data), "../shared/data");
	if (access(s->data, R_OK | X_OK) == 0 && realpath("../shared/data", NULL)) {
		char *full = realpath("../shared/data", NULL);

		snprintf(s->data, sizeof(s->data), "%.150s", full ? full : s->data);
		free(full);
		return;
	}
	exe[n > 0 ? n : 0] = 0;
	slash = strrchr(exe, '/');
	if (slash)
		*slash = 0;
	snprintf(s->data, sizeof(s->data), "%.120s/../../shared/data", exe);
	if (access(s->data, R_OK | X_OK))
		s->has_data = NULL;
}

static bool prepare(struct show *s)
{
	char physio[FOLDER_MAX + 32];

	find_data(s);
	snprintf(physio, sizeof(physio), "%s/physio/wfdb-python", s->data);
	s->patient = patient_new(s->has_data ? physio : NULL, HEART_RATE);
	s->rogue = patient_new(NULL, ROGUE_RATE);
	s->board = board_new();
	return s->patient && s->rogue && s->board;
}

/* A stage in a folder of its own. */
static void set(struct show *s, struct stage *st, bool guarded)
{
	memset(st, 0, sizeof(*st));
	st->guarded = guarded;
	st->board = s->board;
	st->patient = s->patient;
	st->rogue = s->rogue;
	st->data = s->has_data;
	st->vital_ms = VITAL_MS;
	if (s->o.seconds > 0 && s->o.seconds * 1000 < VITAL_MS)
		st->vital_ms =
			s->o.seconds * 1000 > VITAL_LEAST_MS ? s->o.seconds * 1000 : VITAL_LEAST_MS;
	snprintf(st->dir, sizeof(st->dir), "%.140s/%s", s->dir, guarded ? "guarded" : "open");
	folder_make(st->dir);
}

/* The end of a log, because its folder goes with us. */
static void say_tail(const char *dir, const char *name)
{
	struct bytes b = folder_read(folder_path(dir, name));
	size_t from = b.len > TAIL ? b.len - TAIL : 0;

	if (b.len)
		fprintf(stderr, "%s ended with:\n%.*s\n", name, (int)(b.len - from), b.data + from);
	free((void *)b.data);
}

static void overhear(struct score *t, struct stage *st)
{
	t->heard[st->guarded] = stage_overheard(st);
	t->heard_at[st->guarded] = CELL_DONE;
}

/* How the guarded ward is kept patched. */
static int keep(struct show *s, struct stage *st)
{
	struct score *t = &s->score;
	char why[256];
	int err = stage_upkeep(st, why);

	if (err) {
		fprintf(stderr, "bedwarden: demo: %s (%s)\n", why, strerror(-err));
		say_tail(folder_path(st->dir, "pump-1"), "log");
		say_tail(st->dir, "gateway.log");
		return err;
	}
	for (unsigned i = 0; i < UPKEEP_STEPS; i++) {
		t->upkeep_at[i] = CELL_RUNNING;
		score_draw(t);
		t->upkeep[i] = upkeep_step(&st->upkeep, i);
		t->upkeep_at[i] = CELL_DONE;
	}
	score_draw(t);
	return 0;
}

/* The whole programme once. The stage stays open for who wants to look round. */
static int pass(struct show *s, struct stage *st, bool guarded)
{
	struct score *t = &s->score;
	char why[256];
	int err;

	set(s, st, guarded);
	err = stage_open(st, s->capture, why);
	if (err) {
		fprintf(stderr, "bedwarden: demo: %s (%s)\n", why, strerror(-err));
		say_tail(st->dir, "tools.log");
		say_tail(st->dir, "gateway.log");
		return err;
	}
	t->heard_at[guarded] = CELL_RUNNING;
	for (unsigned i = 0; i < STAGE_TRANSFERS; i++) {
		t->transfer_at[guarded][i] = CELL_RUNNING;
		score_draw(t);
		t->transfer[guarded][i] = stage_transfer(st, i);
		t->transfer_at[guarded][i] = CELL_DONE;
	}
	if (!guarded) /* the attacks would only fill its capture */
		overhear(t, st);
	for (unsigned i = 0; i < STAGE_ATTACKS; i++) {
		t->attack_at[guarded][i] = CELL_RUNNING;
		score_draw(t);
		t->attack[guarded][i] = stage_attack(st, i);
		t->attack_at[guarded][i] = CELL_DONE;
	}
	if (guarded) { /* nothing of the attacks may have touched the vital signs */
		t->transfer[1][STAGE_VITALS] = stage_vitals(st);
		overhear(t, st);
		return keep(s, st);
	}
	score_draw(t);
	return 0;
}

static void look_around(const struct stage *st)
{
	static const enum ward_place shown[] = {WARD_CAMERA,  WARD_MONITOR, WARD_PUMP,
						WARD_CENTRAL, WARD_GATEWAY, WARD_FAR,
						WARD_OUTSIDER};
	long camera = st->ward.outer[WARD_CAMERA];
	char exe[256];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = 0;

	printf("\nThe guarded ward stays up. In another terminal:\n\n"
	       "  %3$s status  -c %1$s\n"
	       "  %3$s devices -c %1$s\n"
	       "  %3$s events  -c %1$s\n"
	       "  tail -f %2$s\n"
	       "  %3$s status  -c %4$s   # the servers' gateway\n\n",
	       st->gateways.ward.config, st->gateways.ward.eve, exe, st->gateways.far.config);
	for (unsigned i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		printf("  nsenter -n -t %-8ld # %s %s\n", st->ward.outer[shown[i]],
		       ward_machines[shown[i]].title, ward_machines[shown[i]].ip);
	printf("\nAttacks by hand, from the camera that was taken over:\n\n"
	       "  nsenter -n -t %1$ld nmap -n -Pn -F %2$s\n"
	       "  nsenter -n -t %1$ld nc -w 2 %2$s 23\n"
	       "  nsenter -n -t %1$ld ping -c 3 %3$s\n\n"
	       "Listening by hand, on the wire between ward and servers:\n\n"
	       "  nsenter -n -t %4$ld tcpdump -nAi br0\n\n"
	       "Ctrl-C takes the ward down.\n",
	       camera, ward_machines[WARD_PUMP].ip, ward_machines[WARD_MONITOR].ip,
	       st->ward.outer[WARD_HOSPITAL]);
	fflush(stdout);
}

static void linger(struct show *s, struct stage *st)
{
	uint64_t end =
		clock_mono_ns() + (uint64_t)(s->o.seconds > 0 ? s->o.seconds : 0) * NSEC_PER_SEC;

	if (s->o.headless && s->o.seconds <= 0)
		return;
	if (!s->o.json)
		look_around(st);
	while (s->o.seconds < 0 || clock_mono_ns() < end)
		actor_sleep(200);
}

static int report(struct show *s)
{
	char why[256];
	bool good;

	if (s->o.json) {
		if (!score_json(&s->score))
			return 1;
	} else {
		score_print(&s->score);
	}
	good = score_good(&s->score, why, sizeof(why));
	if (!good)
		fprintf(stderr, "bedwarden: demo: %s\n", why);
	else if (!s->o.json)
		printf("\n%d attacks, all real, all stopped, or detected where stopping them "
		       "would withhold a vital sign; %d kinds of transfer, all intact, and none to "
		       "be read on the wire between the two gateways; the ward is kept patched.\n",
		       STAGE_ATTACKS, STAGE_TRANSFERS);
	return good ? 0 : 1;
}

/* First process of its PID namespace: when it ends, everything in it ends. */
static int direct(struct show *s)
{
	struct stage st;
	char said[2] = {GUARDED_UP, 1}, name[16] = "";
	int verdict;

	if (pass(s, &st, false))
		return 1;
	stage_close(&st);
	if (pass(s, &st, true)) {
		report(s);
		return 1;
	}
	verdict = report(s);
	if (!s->o.json && gateway_capture(&st.gateways.ward, name, sizeof(name)))
		printf("The gateway's back end was %s; the patient was %s.\n", name,
		       s->patient->source);
	said[1] = (char)verdict;
	fflush(stdout); /* who hears the verdict may end us */
	if (write(s->verdict_fd, said, 2) != 2)
		return 1;
	linger(s, &st);
	stage_close(&st);
	return verdict;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

/* Private namespaces, as root of the machine or, without that, of a user namespace. */
static int seclude(struct show *s)
{
	char map[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	s->capture = getenv(CAPTURE_ENV) ? getenv(CAPTURE_ENV) : "auto";
	if (unshare(CLONE_NEWNS | CLONE_NEWPID) == 0)
		goto private;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID))
		return -errno;
	s->capture = "packet";
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	if (!write_file("/proc/self/uid_map", map) || !write_file("/proc/self/setgroups", "deny"))
		return -EPERM;
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	if (!write_file("/proc/self/gid_map", map))
		return -EPERM;

      private:
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -errno : 0;
}

static pid_t start_director(struct show *s, int *ret_fd)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	fflush(NULL);
	pid = fork();
	if (pid) {
		close(fds[1]);
		*ret_fd = fds[0];
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0); /* Ctrl-C is for the outer process alone */
	signal(SIGTTOU, SIG_IGN);
	s->verdict_fd = fds[1];
	_exit(direct(s));
}

/* Outside: waits for the end or for Ctrl-C, then takes everything down. */
static int oversee(struct show *s)
{
	struct sigaction act = {.sa_handler = on_signal}; /* no SA_RESTART: waitpid() shall end */
	char said[2] = {0, 1};
	int fd = -1, status, verdict = 1;
	pid_t pid;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	pid = start_director(s, &fd);
	if (pid < 0)
		return 1;
	while (waitpid(pid, &status, 0) != pid) {
		if (!interrupted)
			continue;
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) != pid)
			;
		break;
	}
	if (read(fd, said, 2) == 2)
		verdict = said[1];
	else if (interrupted)
		fprintf(stderr, "bedwarden: demo: interrupted; the ward is taken down\n");
	else if (WIFSIGNALED(status))
		fprintf(stderr, "bedwarden: demo: ended by signal %d\n", WTERMSIG(status));
	close(fd);
	return verdict;
}

/* No ward to be had: what can be shown without one. */
static void replay(const struct show *s, int why)
{
	int err = replay_run(s->dir, s->o.json);

	fprintf(stderr,
		"bedwarden: demo: namespaces are not permitted here (%s), so nothing was "
		"measured%s; "
		"run it as root, or where unprivileged user namespaces are\n",
		strerror(-why), err ? " and the capture of a ward could not be judged" : "");
}

int demo_run(const struct demo_options *o)
{
	struct show s = {.o = *o};
	int lock, err, verdict = 1;

	if (!tools_there())
		return 1;
	if (!prepare(&s)) {
		fprintf(stderr, "bedwarden: demo: no memory for the patient\n");
		return 1;
	}
	s.score.live = !o->headless && !o->json && score_live();
	lock = folder_new(s.dir);
	if (lock < 0) {
		fprintf(stderr, "bedwarden: demo: cannot make %s (%s); is /tmp writable?\n", s.dir,
			strerror(-lock));
		return 1;
	}
	err = seclude(&s);
	if (err)
		replay(&s, err);
	else
		verdict = oversee(&s);
	if (!getenv(KEEP_ENV))
		folder_remove(s.dir);
	close(lock);
	board_free(s.board);
	patient_free(s.patient);
	patient_free(s.rogue);
	return verdict;
}
