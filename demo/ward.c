#include "demo/ward.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "demo/actor.h"

#define ROUTER_IP "10.77.0.1"

const struct ward_machine ward_machines[WARD_PLACES] = {
	[WARD_CT] = {"ct-1", "CT scanner", "10.77.1.10", {0x02, 0xbe, 0xd0, 0, 1, 0x10}},
	[WARD_ANALYSER] = {"analyser-1",
			   "laboratory analyser",
			   "10.77.1.11",
			   {0x02, 0xbe, 0xd0, 0, 1, 0x11}},
	[WARD_MONITOR] = {"monitor-1",
			  "bedside monitor",
			  "10.77.1.12",
			  {0x00, 0x09, 0xfb, 0, 1, 0x12}},
	[WARD_FRIDGE] = {"fridge-1",
			 "vaccine fridge",
			 "10.77.1.13",
			 {0x02, 0xbe, 0xd0, 0, 1, 0x13}},
	[WARD_PUMP] = {"pump-1", "infusion pump", "10.77.1.14", {0x02, 0xbe, 0xd0, 0, 1, 0x14}},
	[WARD_PUMP_2] = {"pump-2",
			 "second infusion pump",
			 "10.77.1.15",
			 {0x02, 0xbe, 0xd0, 0, 1, 0x15}},
	[WARD_CAMERA] = {"camera-1",
			 "camera, taken over by an attacker",
			 "10.77.1.66",
			 {0x02, 0xbe, 0xd0, 0, 1, 0x66}},
	[WARD_PACS] = {"pacs-1",
		       "image archive (PACS)",
		       "10.77.0.20",
		       {0x02, 0xbe, 0xd0, 0, 0, 0x20}},
	[WARD_LAB] = {"lab-1",
		      "laboratory system (HL7)",
		      "10.77.0.21",
		      {0x02, 0xbe, 0xd0, 0, 0, 0x21}},
	[WARD_CENTRAL] = {"central-1",
			  "central station",
			  "10.77.0.22",
			  {0x02, 0xbe, 0xd0, 0, 0, 0x22}},
	[WARD_BROKER] = {"broker-1", "MQTT broker", "10.77.0.23", {0x02, 0xbe, 0xd0, 0, 0, 0x23}},
	[WARD_OUTSIDER] = {"outsider",
			   "an attacker's machine in the hospital",
			   "10.77.0.66",
			   {0x02, 0xbe, 0xd0, 0, 0, 0x66}},
	[WARD_ROUTER] = {"router-1",
			 "the hospital's router",
			 ROUTER_IP,
			 {0x02, 0xbe, 0xd0, 0, 0, 0x01}},
	[WARD_INTERNET] = {"internet", "a machine in the internet", "203.0.113.80", {0}},
	[WARD_SWITCH] = {"ward-sw", "the ward's switch", "", {0}},
	[WARD_HOSPITAL] = {"hosp-sw", "the hospital's switch", "", {0}},
	[WARD_ROOM] = {"room-sw", "the server room's switch", "", {0}},
	[WARD_GATEWAY] = {"gateway", "the ward's gateway", "", {0}},
	[WARD_FAR] = {"gateway-2", "the servers' gateway", "", {0}},
};

struct text {
	char data[8192];
	size_t len;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->data + t->len, sizeof(t->data) - t->len, fmt, ap);
	va_end(ap);
	if (n > 0 && t->len + (size_t)n < sizeof(t->data))
		t->len += (size_t)n;
}

int ward_ip(const struct ward *w, enum ward_place p, const char *lines)
{
	static const char *const argv[] = {"ip", "-batch", "-", NULL};
	struct actor_tool ip = {.argv = argv, .input = lines, .output = w->log};
	int err = actor_run(w->netns[p], &ip, 20000);

	if (err)
		log_error("demo: setting up %s failed (%d); %s has what ip said",
			  ward_machines[p].title, err, w->log);
	return err ? -EIO : 0;
}

static void sysctl(const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* an option that this kernel does not have needs no switching off */
	if (write(fd, value, strlen(value)) < 0)
		log_debug("demo: %s: %s", path, strerror(errno));
	close(fd);
}

/* In its namespace: quiet, no IPv6 chatter; then says its pid outside and waits for the end. */
static int hold(void *arg)
{
	int say_fd = *(int *)arg;
	char self[32];
	ssize_t n;

	if (unshare(CLONE_NEWNET))
		return 1;
	sysctl("ipv6/conf/all/disable_ipv6", "1");
	sysctl("ipv6/conf/default/disable_ipv6", "1");
	sysctl("ipv4/conf/all/send_redirects", "0");
	sysctl("ipv4/conf/default/send_redirects", "0");
	sysctl("ipv4/conf/all/accept_redirects", "0");
	sysctl("ipv4/ip_forward", "0");
	/* Several ports, several networks: each answers for its own addresses alone. */
	sysctl("ipv4/conf/all/arp_ignore", "1");
	sysctl("ipv4/conf/all/arp_announce", "2");
	/* /proc is the outside's: what it calls us */
	n = readlink("/proc/self", self, sizeof(self) - 1);
	if (n <= 0 || write(say_fd, self, (size_t)n) != n)
		return 1;
	close(say_fd);
	for (;;)
		pause();
}

static int open_place(struct ward *w, enum ward_place p)
{
	char text[64] = "";
	int fds[2];
	ssize_t n;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	w->holder[p] = actor_start(-1, hold, &fds[1]);
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	if (w->holder[p] < 0 || n <= 0)
		return -EPERM;
	w->outer[p] = strtol(text, NULL, 10);
	snprintf(text, sizeof(text), "/proc/%ld/ns/net", w->outer[p]);
	w->netns[p] = open(text, O_RDONLY | O_CLOEXEC);
	return w->netns[p] < 0 ? -errno : 0;
}

static void cable(const struct ward *w, struct text *t, const char *here, const char *there,
		  enum ward_place p)
{
	say(t, "link add %s type veth peer name %s netns /proc/%ld/ns/net\n", here, there,
	    w->outer[p]);
}

static void plug(struct text *t, const char *port)
{
	say(t, "link set %s master br0 up\n", port);
}

static void bridge(struct text *t)
{
	say(t, "link add br0 type bridge stp_state 0 mcast_snooping 0 forward_delay 0\n"
	       "link set br0 up\nlink set lo up\n");
}

static enum ward_place switch_of(int p)
{
	return p < WARD_DEVICES ? WARD_SWITCH : p < WARD_SERVERS ? WARD_ROOM : WARD_HOSPITAL;
}

static const enum ward_place switches[] = {WARD_SWITCH, WARD_HOSPITAL, WARD_ROOM};

/* One gateway's cables to the switch within and to the hospital's, by names of their ends there. */
static void wire_gateway(const struct ward *w, enum ward_place p, struct text *in, struct text *out,
			 const char *within, const char *without, bool guarded)
{
	struct text *side[2] = {out, in};
	const char *const name[2] = {without, within};
	char port[16], here[8];

	for (int i = 0; i < (guarded ? 4 : 2); i++) {
		int to = i == 1 || i == 2; /* eth1, eth2: within */

		snprintf(port, sizeof(port), "%s%s", name[to], i > 1 ? "-2" : "");
		snprintf(here, sizeof(here), "eth%d", i);
		cable(w, side[to], port, here, p);
		plug(side[to], port);
	}
}

static void say_neighbour(struct text *t, enum ward_place p)
{
	const struct ward_machine *m = &ward_machines[p];

	say(t, "neigh replace %s lladdr %02x:%02x:%02x:%02x:%02x:%02x dev eth2 nud permanent\n",
	    m->ip, m->mac[0], m->mac[1], m->mac[2], m->mac[3], m->mac[4], m->mac[5]);
}

/* A gateway's own addresses. Its neighbours within are written down: whom the policy does not
 * know may not ask for them. */
static int open_gateway(const struct ward *w, enum ward_place p, bool guarded)
{
	bool ward = p == WARD_GATEWAY;
	static const enum ward_place within[] = {WARD_FRIDGE, WARD_PUMP, WARD_PUMP_2};
	struct text t = {.len = 0};

	if (!guarded) {
		bridge(&t);
		plug(&t, "eth0");
		plug(&t, "eth1");
		return ward_ip(w, p, t.data);
	}
	say(&t, "link set lo up\n");
	for (int i = 0; i < 4; i++)
		say(&t, "link set eth%d up\n", i);
	say(&t, "addr add %s/24 dev eth0\naddr add %s/24 dev eth3\naddr add %s/24 dev eth2\n",
	    ward ? WARD_LINK_IP : WARD_FAR_LINK_IP, ward ? WARD_UPLINK_IP : WARD_FAR_UPLINK_IP,
	    ward ? WARD_RELAY_IP : WARD_FAR_RELAY_IP);
	for (unsigned i = 0; ward && i < sizeof(within) / sizeof(*within); i++)
		say_neighbour(&t, within[i]);
	if (!ward)
		say_neighbour(&t, WARD_BROKER);
	return ward_ip(w, p, t.data);
}

/* The ward's switch isolates the devices from each other, not from the uplink. */
static int open_switches(struct ward *w, bool guarded)
{
	struct text text[WARD_PLACES] = {0};
	int err = 0;

	for (unsigned i = 0; i < 3; i++)
		bridge(&text[switches[i]]);
	for (int p = 0; p < WARD_MACHINES; p++) {
		struct text *t = &text[switch_of(p)];

		cable(w, t, ward_machines[p].name, "eth0", p);
		plug(t, ward_machines[p].name);
		if (p < WARD_DEVICES && guarded)
			say(t, "link set %s type bridge_slave isolated on\n",
			    ward_machines[p].name);
	}
	wire_gateway(w, WARD_GATEWAY, &text[WARD_SWITCH], &text[WARD_HOSPITAL], "uplink", "ward",
		     guarded);
	wire_gateway(w, WARD_FAR, &text[WARD_ROOM], &text[WARD_HOSPITAL], "uplink", "room",
		     guarded);
	for (unsigned i = 0; i < 3 && !err; i++)
		err = ward_ip(w, switches[i], text[switches[i]].data);
	if (!err)
		err = open_gateway(w, WARD_GATEWAY, guarded);
	return err ? err : open_gateway(w, WARD_FAR, guarded);
}

static int open_machine(struct ward *w, enum ward_place p)
{
	const struct ward_machine *m = &ward_machines[p];
	struct text t = {.len = 0};

	say(&t, "link set lo up\n");
	say(&t, "link set eth0 address %02x:%02x:%02x:%02x:%02x:%02x\n", m->mac[0], m->mac[1],
	    m->mac[2], m->mac[3], m->mac[4], m->mac[5]);
	say(&t, "addr add %s/16 dev eth0\nlink set eth0 up\n", m->ip);
	if (p == WARD_ROUTER) {
		cable(w, &t, "wan", "eth0", WARD_INTERNET);
		say(&t, "addr add 203.0.113.1/24 dev wan\nlink set wan up\n"
			"addr add " WARD_ROUTER_IP "/24 dev eth0\n");
	} else {
		say(&t, "route add default via " ROUTER_IP "\n");
	}
	return ward_ip(w, p, t.data);
}

/* A central station sits behind an access link of its own; without that limit a virtual
 * cable has no end of bandwidth and a flood starves nobody. A switch's queue holds frames,
 * whatever their size. */
static int open_central_link(const struct ward *w)
{
	static const char *const rate[] = {
		"tc",  "qdisc", "add",	  "dev",   "central-1", "root",	   "handle", "1:",
		"tbf", "rate",	"10mbit", "burst", "32k",	"latency", "50ms",   NULL};
	static const char *const queue[] = {"tc", "qdisc", "add",   "dev", "central-1", "parent",
					    "1:", "pfifo", "limit", "32",  NULL};
	struct actor_tool tc = {.argv = rate, .output = w->log};
	int err = actor_run(w->netns[WARD_ROOM], &tc, 5000);

	tc.argv = queue;
	if (!err)
		err = actor_run(w->netns[WARD_ROOM], &tc, 5000);
	if (err)
		log_error("demo: tc cannot limit the central station's link (is the kernel's "
			  "sch_tbf there?); %s has what it said",
			  w->log);
	return err ? -EIO : 0;
}

/* Frames as a real cable carries them: whole checksums, no super-frames. */
static void real_frames(int sock, const char *name)
{
	static const uint32_t off[] = {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO};
	struct ifreq ifr = {0};

	for (unsigned i = 0; i < 4; i++) {
		struct ethtool_value v = {.cmd = off[i]};

		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
		ifr.ifr_data = (void *)&v;
		if (ioctl(sock, SIOCETHTOOL, &ifr) && errno != EOPNOTSUPP)
			log_debug("demo: offload of %s: %s", name, strerror(errno));
	}
}

static int without_offload(void *arg)
{
	struct if_nameindex *all = if_nameindex();
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!all || sock < 0)
		return 1;
	for (struct if_nameindex *i = all; i->if_index; i++)
		if (strcmp(i->if_name, "lo") != 0 && strcmp(i->if_name, "br0") != 0)
			real_frames(sock, i->if_name);
	if_freenameindex(all);
	close(sock);
	return 0;
}

static int forwards(void *arg)
{
	sysctl("ipv4/ip_forward", "1");
	return 0;
}

static int run_in(const struct ward *w, enum ward_place p, actor_fn fn)
{
	pid_t pid = actor_start(w->netns[p], fn, NULL);

	return pid < 0 ? (int)pid : actor_wait(pid, 5000) ? -EIO : 0;
}

int ward_open(struct ward *w, const char *log, bool guarded)
{
	int err = 0;

	memset(w, 0, sizeof(*w));
	snprintf(w->log, sizeof(w->log), "%s", log);
	for (int p = 0; p < WARD_PLACES; p++)
		w->netns[p] = -1;
	for (int p = 0; p < WARD_PLACES && !err; p++)
		err = open_place(w, p);
	if (!err)
		err = open_switches(w, guarded);
	for (int p = 0; p < WARD_MACHINES && !err; p++)
		err = open_machine(w, p);
	if (!err)
		err = ward_ip(w, WARD_INTERNET,
			      "link set lo up\naddr add 203.0.113.80/24 dev eth0\n"
			      "link set eth0 up\nroute add default via 203.0.113.1\n");
	if (!err)
		err = open_central_link(w);
	for (int p = 0; p < WARD_PLACES && !err; p++)
		err = run_in(w, p, without_offload);
	return err ? err : run_in(w, WARD_ROUTER, forwards);
}

void ward_close(struct ward *w)
{
	for (int p = 0; p < WARD_PLACES; p++) {
		if (w->netns[p] >= 0)
			close(w->netns[p]);
		w->netns[p] = -1;
		if (w->holder[p] > 0)
			actor_stop(w->holder[p]);
		w->holder[p] = 0;
	}
}
