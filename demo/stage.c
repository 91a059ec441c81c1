#include "demo/stage.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "demo/actor.h"
#include "demo/attacker.h"
#include "demo/folder.h"
#include "demo/frame.h"
#include "demo/implant.h"
#include "demo/insider.h"
#include "demo/listener.h"
#include "demo/monitor.h"
#include "demo/service.h"
#include "demo/weakness.h"

#define BLOCK_S	      (PATIENT_BLOCK_MS / 1000.0)
#define WARM_MS	      8000 /* for the first vital signs to be displayed */
#define CALM_BLOCKS   8	   /* of vital signs before anything else happens */
#define EVENT_WAIT_MS 4000
#define SETTLE_MS     300
#define IN_PATH_MS    5000 /* two pulses that no beat explains, and some more */
#define SCANNED	      1000
#define LISTEN_MS     3000
#define OVERHEARD     12 /* blocks of vital signs that a capture is searched for */
#define CAPTURE	      "listener.pcap"

const char *const stage_transfers[STAGE_TRANSFERS] = {
	"CT images (DICOM)",
	"laboratory results (HL7 over MLLP)",
	"vital signs (IntelliVue)",
	"vaccine fridge temperatures (MQTT)",
};

static void add(struct stage *s, pid_t pid)
{
	if (pid > 0 && s->actor_count < STAGE_ACTORS)
		s->actors[s->actor_count++] = pid;
}

static void play(struct stage *s, enum ward_place p, actor_fn fn, void *arg)
{
	add(s, actor_start(s->ward.netns[p], fn, arg));
}

static struct transfer_room room(struct stage *s)
{
	return (struct transfer_room){&s->ward, s->board, s->dir, s->data,
				      s->guarded ? WARD_RELAY_IP : ward_machines[WARD_BROKER].ip};
}

static void start_cast(struct stage *s)
{
	struct transfer_room r = room(s);
	struct monitor monitor = {.board = s->board, .patient = s->patient};
	struct central central = {s->board, ward_machines[WARD_MONITOR].ip};

	play(s, WARD_PUMP, service_pump, s->board);
	play(s, WARD_CT, service_witness, s->board);
	play(s, WARD_CT, service_smb, s->board);
	play(s, WARD_CT, weakness_serve, s->board);
	play(s, WARD_ANALYSER, service_smb, s->board);
	play(s, WARD_INTERNET, service_collect, s->board);
	add(s, imaging_serve(&r));
	add(s, mllp_serve(&r));
	add(s, fridge_serve(&r));
	play(s, WARD_MONITOR, monitor_run, &monitor);
	play(s, WARD_CENTRAL, central_run, &central);
}

/* Before there is anything to hear. */
static int start_listener(struct stage *s)
{
	struct listener l = {s->board, folder_path(s->dir, CAPTURE)};
	uint64_t end = clock_mono_ns() + LISTEN_MS * NSEC_PER_MSEC;

	s->listener = actor_start(s->ward.netns[WARD_HOSPITAL], listener_run, &l);
	while (!s->board->listening && clock_mono_ns() < end)
		actor_sleep(10);
	return s->board->listening ? 0 : -EIO;
}

int stage_open(struct stage *s, const char *capture, char *ret_why)
{
	uint64_t end;
	int err;

	memset(s->board, 0, sizeof(*s->board));
	s->actor_count = 0;
	s->forged_ns = 0;
	snprintf(ret_why, 256, "the ward could not be built");
	err = ward_open(&s->ward, folder_path(s->dir, "tools.log"), s->guarded);
	if (err)
		return err;
	if (s->guarded) {
		snprintf(ret_why, 256, "no firmware could be made and published (%.120s/maker)",
			 s->dir);
		err = upkeep_prepare(&s->upkeep, s->dir);
		if (err)
			return err;
		err = pair_start(&s->gateways, &s->ward, s->dir, capture, ret_why);
		if (err)
			return err;
	}
	snprintf(ret_why, 256, "nobody could listen on the wire between ward and servers");
	err = start_listener(s);
	if (err)
		return err;
	start_cast(s);
	snprintf(ret_why, 256, "no vital signs reached the central station");
	end = clock_mono_ns() + WARM_MS * NSEC_PER_MSEC;
	while (s->board->shown_count < 2 && clock_mono_ns() < end)
		actor_sleep(20);
	s->begun_ns = clock_mono_ns();
	return s->board->shown_count < 2 ? -ETIMEDOUT : 0;
}

void stage_close(struct stage *s)
{
	for (unsigned i = 0; i < s->actor_count; i++)
		kill(s->actors[i], SIGKILL);
	for (unsigned i = 0; i < s->actor_count; i++)
		actor_wait(s->actors[i], 1000);
	s->actor_count = 0;
	upkeep_end(&s->upkeep);
	actor_stop(s->listener);
	s->listener = 0;
	pair_stop(&s->gateways);
	ward_close(&s->ward);
}

int stage_upkeep(struct stage *s, char *ret_why)
{
	return upkeep_begin(&s->upkeep, &s->ward, &s->gateways, s->board, s->patient, ret_why);
}

/* Blocks that the central station has, so that they passed, exactly as the monitor sent them. */
static unsigned passed(const struct stage *s, const struct patient_block *ret[OVERHEARD])
{
	unsigned n = 0, shown = s->board->shown_count;

	for (unsigned i = 0; i < shown && i < BOARD_BLOCKS && n < OVERHEARD; i++)
		ret[n++] = patient_block(s->patient, s->board->shown[i].block);
	return n;
}

struct stage_heard stage_overheard(struct stage *s)
{
	const struct patient_block *vitals[OVERHEARD];
	struct stage_heard h = {0};
	struct overheard o;
	int err;

	actor_stop(s->listener);
	s->listener = 0;
	err = overheard_read(folder_path(s->dir, CAPTURE), vitals, passed(s, vitals), &o);
	if (err || s->board->unheard) {
		snprintf(h.what, sizeof(h.what),
			 err ? "its capture could not be read" : "it missed %u frames",
			 s->board->unheard);
		return h;
	}
	h.readable = overheard_readable(&o);
	h.sealed = overheard_sealed(&o);
	overheard_say(&o, h.what, sizeof(h.what));
	return h;
}

static struct transfer_result vitals_until(struct stage *s, uint64_t until)
{
	struct board_account a = board_judge(s->board, s->patient, s->begun_ns, until);
	struct transfer_result res = {.count = a.intact};

	res.intact =
		a.expected >= CALM_BLOCKS - 2 && a.intact == a.expected && !a.flat && !a.foreign;
	snprintf(res.what, sizeof(res.what), "%u of %u blocks (%.0f s), every sample%s", a.intact,
		 a.expected > a.due ? a.expected : a.due, a.due * BLOCK_S,
		 a.flat || a.foreign ? "; forged ones" : "");
	return res;
}

struct transfer_result stage_vitals(struct stage *s)
{
	uint64_t until = clock_mono_ns() - 500 * NSEC_PER_MSEC; /* what may still be under way */

	if (s->forged_ns && s->forged_ns < until)
		until = s->forged_ns;
	return vitals_until(s, until);
}

static struct transfer_result calm_vitals(struct stage *s)
{
	actor_sleep(CALM_BLOCKS * PATIENT_BLOCK_MS);
	return stage_vitals(s);
}

struct transfer_result stage_transfer(struct stage *s, unsigned n)
{
	struct transfer_room r = room(s);

	switch (n) {
	case 0:
		return imaging_send(&r);
	case 1:
		return mllp_send(&r);
	case 2:
		return calm_vitals(s);
	default:
		return fridge_send(&r);
	}
}

static struct attacker_end end_of(enum ward_place p)
{
	return (struct attacker_end){ward_machines[p].ip, ward_machines[p].mac};
}

static struct attacker attacker(struct stage *s, enum ward_place self, enum ward_place victim,
				enum ward_place other)
{
	return (struct attacker){.board = s->board,
				 .self = end_of(self),
				 .victim = end_of(victim),
				 .other = end_of(other),
				 .patient = s->rogue};
}

/* From his machine, until he is through or his time is up. */
static void act(struct stage *s, enum ward_place from, actor_fn fn, struct attacker *a)
{
	actor_wait(actor_start(s->ward.netns[from], fn, a), a->ms + 3000);
}

static struct stage_outcome flatline(struct stage *s)
{
	struct attacker a = attacker(s, WARD_CAMERA, WARD_MONITOR, WARD_CENTRAL);
	struct stage_outcome o = {0};
	uint64_t from = clock_mono_ns();
	struct board_account k;

	a.ms = s->vital_ms;
	act(s, WARD_CAMERA, attacker_flatline, &a);
	k = board_judge(s->board, s->patient, from, clock_mono_ns());
	o.through = k.flat > 0;
	snprintf(o.what, sizeof(o.what), "%.1f s of flat ECG displayed", k.flat * BLOCK_S);
	return o;
}

static struct stage_outcome rogue_monitor(struct stage *s)
{
	struct attacker a = attacker(s, WARD_CAMERA, WARD_MONITOR, WARD_CENTRAL);
	struct stage_outcome o = {0};
	uint64_t from = clock_mono_ns();
	struct board_account k;

	a.ms = s->vital_ms;
	act(s, WARD_CAMERA, attacker_rogue_monitor, &a);
	k = board_judge(s->board, s->patient, from, clock_mono_ns());
	o.through = k.foreign > 0;
	snprintf(o.what, sizeof(o.what), "%.1f s of a stranger's ECG displayed",
		 k.foreign * BLOCK_S);
	return o;
}

static struct stage_outcome port_scan(struct stage *s)
{
	const char *argv[] = {"nmap",
			      "-n",
			      "-Pn",
			      "-sS",
			      "--max-retries",
			      "0",
			      "--min-rate",
			      "500",
			      "--host-timeout",
			      "10s",
			      "-p",
			      "1-1000",
			      ward_machines[WARD_CT].ip,
			      NULL};
	struct actor_tool t = {.argv = argv, .output = s->ward.log};
	struct stage_outcome o = {0};
	unsigned n;

	memset((void *)s->board->knocked, 0, sizeof(s->board->knocked));
	actor_run(s->ward.netns[WARD_CAMERA], &t, 15000);
	n = board_knocked(s->board);
	o.through = n > 0;
	snprintf(o.what, sizeof(o.what), "%u of %d ports of the CT probed", n, SCANNED);
	return o;
}

static struct stage_outcome telnet_from(struct stage *s, enum ward_place from)
{
	struct attacker a = attacker(s, from, WARD_PUMP, from);
	struct stage_outcome o = {0};
	unsigned before = s->board->banners;

	a.port = SERVICE_TELNET;
	a.ms = 1500;
	act(s, from, attacker_telnet, &a);
	o.through = s->board->banners != before;
	snprintf(o.what, sizeof(o.what),
		 o.through ? "the pump's login prompt" : "the pump saw nobody");
	return o;
}

static struct stage_outcome telnet_inside(struct stage *s)
{
	return telnet_from(s, WARD_CAMERA);
}

static struct stage_outcome telnet_outside(struct stage *s)
{
	return telnet_from(s, WARD_OUTSIDER);
}

static struct stage_outcome worm(struct stage *s)
{
	struct attacker a = attacker(s, WARD_CAMERA, WARD_CT, WARD_ANALYSER);
	struct stage_outcome o = {0};
	unsigned before = s->board->infected;

	a.sweep = "10.77.1.";
	a.port = SERVICE_SMB;
	a.ms = 1500;
	act(s, WARD_CAMERA, attacker_worm, &a);
	o.through = s->board->infected != before;
	snprintf(o.what, sizeof(o.what), "%u of 2 devices infected", s->board->infected - before);
	return o;
}

static struct stage_outcome exfiltration(struct stage *s)
{
	struct attacker a = attacker(s, WARD_ANALYSER, WARD_INTERNET, WARD_INTERNET);
	struct stage_outcome o = {0};
	uint64_t before = s->board->stolen_bytes;

	a.port = SERVICE_OUT;
	a.ms = 2000;
	act(s, WARD_ANALYSER, attacker_exfiltrate, &a);
	o.through = s->board->stolen_bytes != before;
	snprintf(o.what, sizeof(o.what), "%llu kB of records outside",
		 (unsigned long long)(s->board->stolen_bytes - before) / 1024);
	return o;
}

static struct stage_outcome rogue_dhcp(struct stage *s)
{
	struct attacker a = attacker(s, WARD_CAMERA, WARD_PUMP, WARD_PUMP);
	struct attacker client = attacker(s, WARD_PUMP, WARD_PUMP, WARD_PUMP);
	struct stage_outcome o = {0};
	pid_t pid;

	a.ms = client.ms = 2500;
	s->board->lease_server = 0;
	pid = actor_start(s->ward.netns[WARD_CAMERA], attacker_dhcp, &a);
	act(s, WARD_PUMP, device_dhcp, &client);
	actor_stop(pid);
	o.through = s->board->lease_server == frame_ip_of(ward_machines[WARD_CAMERA].ip);
	snprintf(o.what, sizeof(o.what),
		 o.through ? "the pump took the offer" : "the pump got no offer");
	return o;
}

static struct stage_outcome flood(struct stage *s)
{
	struct attacker a = attacker(s, WARD_CAMERA, WARD_CENTRAL, WARD_CENTRAL);
	struct stage_outcome o = {0};
	uint64_t from = clock_mono_ns(), to;
	struct board_account k;

	a.port = 9;
	a.ms = s->vital_ms;
	act(s, WARD_CAMERA, attacker_flood, &a);
	to = clock_mono_ns();
	actor_sleep(1000); /* for what is still in a queue */
	k = board_judge(s->board, s->patient, from, to);
	if (k.due < k.expected)
		k.due = k.expected;
	o.through = k.intact < k.due;
	snprintf(o.what, sizeof(o.what), "%u of %u blocks of vital signs lost", k.due - k.intact,
		 k.due);
	return o;
}

static struct stage_outcome forged_result(struct stage *s)
{
	struct attacker a = attacker(s, WARD_PUMP, WARD_LAB, WARD_LAB);
	struct stage_outcome o = {0};
	unsigned before = s->board->forged_results;

	a.ms = 2000;
	act(s, WARD_PUMP, insider_forge, &a);
	o.through = s->board->forged_results != before;
	snprintf(o.what, sizeof(o.what),
		 o.through ? "a blood group that nobody measured" : "the laboratory got nothing");
	return o;
}

static struct stage_outcome pump_order(struct stage *s)
{
	struct attacker a = attacker(s, WARD_PUMP, WARD_PUMP, WARD_LAB);
	struct stage_outcome o = {0};
	unsigned before = s->board->orders;
	pid_t server;

	a.ms = 3000;
	server = actor_start(s->ward.netns[WARD_LAB], insider_order, &a);
	actor_sleep(200);
	act(s, WARD_PUMP, insider_pump, &a);
	actor_stop(server);
	o.through = s->board->orders != before;
	snprintf(o.what, sizeof(o.what),
		 o.through ? "the pump took the order" : "the pump got no order");
	return o;
}

/* Cuts the monitor's cable at the switch, and has the implant join the ends. */
static bool splice(struct stage *s, bool in)
{
	static const char *const begin[] = {
		"link add " IMPLANT_SWITCH " type veth peer name implant-br\n"
		"link set " IMPLANT_SWITCH " up\nlink set implant-br master br0 up\n",
		"link set " IMPLANT_MONITOR " nomaster\n"};
	static const char *const end[] = {"link set " IMPLANT_MONITOR " master br0\n",
					  "link del " IMPLANT_SWITCH "\n"};
	const char *const *lines = in ? begin : end;
	const char *port = in ? "implant-br" : IMPLANT_MONITOR;
	char isolate[96];
	int err;

	snprintf(isolate, sizeof(isolate), "link set %s type bridge_slave isolated %s\n", port,
		 s->guarded ? "on" : "off");
	err = ward_ip(&s->ward, WARD_SWITCH, lines[0]);
	return !err && !ward_ip(&s->ward, WARD_SWITCH, isolate) &&
	       !ward_ip(&s->ward, WARD_SWITCH, lines[1]);
}

/* The last of all: from here on the monitor's own datagrams are not what it measured. */
static struct stage_outcome in_path(struct stage *s)
{
	struct attacker a = attacker(s, WARD_MONITOR, WARD_MONITOR, WARD_CENTRAL);
	struct stage_outcome o = {0};
	struct board_account k;
	pid_t pid;

	s->forged_ns = clock_mono_ns();
	if (!splice(s, true))
		return o;
	pid = actor_start(s->ward.netns[WARD_SWITCH], implant_run, &a);
	actor_sleep(s->vital_ms > IN_PATH_MS ? s->vital_ms : IN_PATH_MS);
	splice(s, false);
	actor_stop(pid);
	k = board_judge(s->board, s->patient, s->forged_ns, clock_mono_ns());
	o.through = k.flat > 0;
	snprintf(o.what, sizeof(o.what), "%.1f s of flat ECG displayed", k.flat * BLOCK_S);
	return o;
}

static struct stage_outcome polyglot(struct stage *s)
{
	struct attacker a = attacker(s, WARD_CT, WARD_PACS, WARD_PACS);
	struct stage_outcome o = {0};
	unsigned before = s->board->programs;
	pid_t archive;

	a.ms = 2000;
	archive = actor_start(s->ward.netns[WARD_PACS], insider_archive, &a);
	actor_sleep(200);
	act(s, WARD_CT, insider_polyglot, &a);
	actor_stop(archive);
	o.through = s->board->programs != before;
	snprintf(o.what, sizeof(o.what),
		 o.through ? "the archive holds the program" : "the archive got no image");
	return o;
}

/* Allowed by the policy and stopped by the advisory's shield alone: no shield, and it gets through. */
static struct stage_outcome known_hole(struct stage *s)
{
	struct attacker a = attacker(s, WARD_OUTSIDER, WARD_CT, WARD_CT);
	struct stage_outcome o = {0};
	unsigned before = s->board->commands;

	a.ms = 2000;
	if (s->guarded && weakness_shield(&s->gateways.ward, s->dir, o.what) < 0) {
		o.through = true;
		return o;
	}
	act(s, WARD_OUTSIDER, weakness_exploit, &a);
	o.through = s->board->commands != before;
	snprintf(o.what, sizeof(o.what), "%s",
		 o.through ? "the CT obeys a stranger" : "the CT heard nothing, shielded");
	return o;
}

static const struct {
	struct stage_outcome (*run)(struct stage *s);
	enum ward_place from; /* whose traffic the gateway's events are about */
	enum ward_place as;   /* and whom he pretends to be */
	const char *report;   /* not blocked, but reported by events of this type */
} programme[STAGE_ATTACKS] = {
	{flatline, WARD_CAMERA, WARD_CAMERA},
	{rogue_monitor, WARD_CAMERA, WARD_MONITOR},
	{port_scan, WARD_CAMERA, WARD_CAMERA},
	{telnet_inside, WARD_CAMERA, WARD_CAMERA},
	{telnet_outside, WARD_OUTSIDER, WARD_OUTSIDER},
	{worm, WARD_CAMERA, WARD_CAMERA},
	{exfiltration, WARD_ANALYSER, WARD_ANALYSER},
	{rogue_dhcp, WARD_CAMERA, WARD_CAMERA},
	{flood, WARD_CAMERA, WARD_CAMERA},
	{forged_result, WARD_PUMP, WARD_PUMP},
	{pump_order, WARD_PUMP, WARD_LAB},
	{polyglot, WARD_CT, WARD_CT},
	{known_hole, WARD_OUTSIDER, WARD_OUTSIDER},
	{in_path, WARD_MONITOR, WARD_MONITOR, "vitals"},
};

const char *const stage_attacks[STAGE_ATTACKS] = {
	"ARP spoofing with a flatline injected",
	"rogue monitor with a stolen address",
	"port scan of the CT scanner",
	"telnet to the pump from inside the ward",
	"telnet to the pump from outside",
	"worm sweeping port 445 across the ward",
	"exfiltration of records to the internet",
	"rogue DHCP server",
	"flood that starves the vital signs",
	"forged result in another's name (HL7)",
	"order to the pump inside its report (HL7)",
	"image that is a program too (DICOM)",
	"hole in the CT that an advisory tells of",
	"flatline drawn in the monitor's own cable",
};

bool stage_is_reported(unsigned n)
{
	return programme[n].report;
}

struct stage_outcome stage_attack(struct stage *s, unsigned n)
{
	const struct ward_machine *from = &ward_machines[programme[n].from];
	const struct ward_machine *as = &ward_machines[programme[n].as];
	const char *about[] = {from->name, from->ip, as->name, as->ip, NULL};
	struct gateway_mark mark;
	struct stage_outcome o;

	if (s->guarded)
		gateway_mark(&s->gateways.ward, &mark);
	o = programme[n].run(s);

	actor_sleep(SETTLE_MS);
	if (s->guarded)
		gateway_reported(&s->gateways.ward, &mark, about, programme[n].report,
				 EVENT_WAIT_MS, o.reason);
	o.detected = programme[n].report && o.reason[0];
	return o;
}
