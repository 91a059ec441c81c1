#include "demo/cast.h"

#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "demo/maker.h"
#include "demo/weakness.h"

#define PUMP_MODEL \
	", vendor: " MAKER_VENDOR ", model: " MAKER_MODEL ", version: \"" MAKER_FIRST "\""

/* Who plays which profile; everything else a device may do stands in the shipped profiles. */
static const struct {
	enum ward_place place;
	const char *profile;
	const char *starts; /* lines of its own */
	const char *more;   /* further keys */
} devices[] = {
	{WARD_CT, "dicom-modality",
	 "{service: uploads (DICOMweb), proto: tcp, port: [8042], peer: pacs, app: http}",
	 ", vendor: " WEAKNESS_VENDOR ", model: " WEAKNESS_MODEL ", version: \"" WEAKNESS_VERSION
	 "\", accepts: [{service: service page, proto: tcp, port: [8080], peer: service}]"},
	{WARD_ANALYSER, "hl7-analyser", NULL},
	{WARD_MONITOR, "philips-intellivue", NULL},
	{WARD_FRIDGE, "mqtt-sensor", NULL},
	{WARD_PUMP, "infusion-pump",
	 "{service: infusion reports (HL7), proto: tcp, port: [2575, 2580], peer: lab, app: hl7, "
	 "allow: [\"message_type=ORU^R01\", \"sending_application=PUMP-1\"]}",
	 PUMP_MODEL ", update: {driver: agent}"},
	{WARD_PUMP_2, "infusion-pump",
	 "{service: infusion reports (HL7), proto: tcp, port: [2580], peer: lab, app: hl7, "
	 "allow: [\"message_type=ORU^R01\", \"sending_application=PUMP-2\"]}",
	 PUMP_MODEL ", update: {driver: push, url: \"http://10.77.1.15/firmware\", "
		    "then: \"http://10.77.1.15/restart\"}"},
	{WARD_CAMERA, "ip-camera", NULL},
};

/* To its own gateway each server is a device; to the ward's, a host with a role. */
static const struct {
	enum ward_place place;
	const char *role;
	const char *starts, *accepts;
} servers[] = {
	{WARD_PACS, "pacs", "",
	 "{service: images (DICOM), proto: tcp, port: [104], peer: bed, app: dicom}, "
	 "{service: uploads (DICOMweb), proto: tcp, port: [8042], peer: bed, app: http}"},
	{WARD_LAB, "lab", "",
	 "{service: results (HL7), proto: tcp, port: [2575, 2580], peer: bed, app: hl7}, "
	 "{service: alarms, proto: udp, port: [5005], peer: bed}"},
	{WARD_CENTRAL, "central",
	 "{service: vital signs (IntelliVue), proto: udp, port: [24105], peer: bed}", ""},
	{WARD_BROKER, "broker", "", ""}, /* the relay speaks to it behind the gateway */
};

#define DEVICES (sizeof(devices) / sizeof(devices[0]))
#define SERVERS (sizeof(servers) / sizeof(servers[0]))

static void head(FILE *f, const char *name, const char *segment, const char *dir,
		 const char *capture)
{
	fprintf(f,
		"gateway:\n  name: %s\n  state_dir: %s/state\n  run_dir: %s/run\n"
		"  bpf_dir: %s/bpf\n  capture: %s\n"
		"segments:\n  - {name: %s, ward: eth1, hospital: eth0, isolated: %s, "
		"mode: enforce, unknown_devices: block, binding: block}\n",
		name, dir, dir, dir, capture, segment, strcmp(segment, "ward") ? "no" : "yes");
}

static void host(FILE *f, enum ward_place p, const char *role)
{
	fprintf(f, "  - {name: %s, ip: [%s], role: [%s]}\n", ward_machines[p].name,
		ward_machines[p].ip, role);
}

static void device(FILE *f, enum ward_place p, const char *segment)
{
	const struct ward_machine *m = &ward_machines[p];

	fprintf(f,
		"  - {name: %s, segment: %s, mac: \"%02x:%02x:%02x:%02x:%02x:%02x\", "
		"ip: [%s], ",
		m->name, segment, m->mac[0], m->mac[1], m->mac[2], m->mac[3], m->mac[4], m->mac[5],
		m->ip);
}

/* The sealed link, and at its end the machines that are behind the other gateway. */
static void link_to(FILE *f, const char *dir, const char *own, const char *other, const char *there)
{
	fprintf(f,
		"link: {listen: \"%s:%d\", ca: %s/" CAST_CA "}\n"
		"peers:\n  - {name: %s, address: \"%s:%d\", hosts: [",
		own, CAST_LINK_PORT, dir, there, other, CAST_LINK_PORT);
}

/* As short as rollouts may be: nobody watches a demonstration for a day. */
static void updates(FILE *f, bool alone, const char *dir)
{
	fprintf(f, "updates:\n  agents: \"" WARD_RELAY_IP ":%d\"\n", CAST_AGENTS_PORT);
	if (!alone)
		fprintf(f,
			"  mirrors: [\"" CAST_MIRROR "\"]\n  root: %s/" CAST_ROOT
			"\n  dir: %s/" CAST_PLACE "\n  minutes: 600\n",
			dir, dir);
	fprintf(f, "  rollout: {few: 1, parallel: 1, pause_minutes: 0, install_seconds: 20, "
		   "watch_seconds: 5, patient_seconds: 5}\n");
}

static void ward_policy(FILE *f, bool alone, const char *dir, const char *capture)
{
	head(f, alone ? "demo" : CAST_WARD, "ward", dir, capture);
	if (!alone) {
		link_to(f, dir, WARD_LINK_IP, WARD_FAR_LINK_IP, CAST_SERVERS);
		for (size_t i = 0; i < SERVERS; i++)
			fprintf(f, "%s%s", i ? ", " : "", ward_machines[servers[i].place].name);
		fprintf(f,
			"]}\nrelays:\n  - {name: fridge, listen: \"" WARD_RELAY_IP ":1883\", "
			"connect: \"" WARD_FAR_UPLINK_IP ":%d\", tls: out, from: [%s], "
			"names: [" CAST_SERVERS "], ca: %s/" CAST_CA ", app: mqtt}\n",
			CAST_RELAY_PORT, ward_machines[WARD_FRIDGE].name, dir);
	}
	updates(f, alone, dir);
	fprintf(f, "hosts:\n");
	for (size_t i = 0; i < SERVERS; i++)
		host(f, servers[i].place, servers[i].role);
	host(f, WARD_OUTSIDER, "service"); /* the vendor's, taken over */
	fprintf(f, "devices:\n");
	for (size_t i = 0; i < DEVICES; i++) {
		device(f, devices[i].place, "ward");
		fprintf(f, "profile: %s, starts: [%s]%s}\n", devices[i].profile,
			devices[i].starts ? devices[i].starts : "",
			devices[i].more ? devices[i].more : "");
	}
}

static void servers_policy(FILE *f, const char *dir, const char *capture)
{
	head(f, CAST_SERVERS, "servers", dir, capture);
	link_to(f, dir, WARD_FAR_LINK_IP, WARD_LINK_IP, CAST_WARD);
	for (size_t i = 0; i < DEVICES; i++)
		fprintf(f, "%s%s", i ? ", " : "", ward_machines[devices[i].place].name);
	fprintf(f,
		"]}\nrelays:\n  - {name: fridge, listen: \"" WARD_FAR_UPLINK_IP ":%d\", "
		"connect: \"%s:1883\", tls: in, names: [" CAST_WARD "], ca: %s/" CAST_CA
		", app: mqtt}\nhosts:\n",
		CAST_RELAY_PORT, ward_machines[WARD_BROKER].ip, dir);
	for (size_t i = 0; i < DEVICES; i++)
		host(f, devices[i].place, "bed");
	fprintf(f, "devices:\n");
	for (size_t i = 0; i < SERVERS; i++) {
		device(f, servers[i].place, "servers");
		fprintf(f, "fail: closed, starts: [%s], accepts: [%s]}\n", servers[i].starts,
			servers[i].accepts);
	}
}

int cast_policy(enum ward_place place, bool alone, const char *dir, const char *file,
		const char *capture)
{
	static char text[16384];
	size_t len;
	FILE *f = fmemopen(text, sizeof(text), "w");

	if (!f)
		return -errno;
	if (place == WARD_GATEWAY)
		ward_policy(f, alone, dir, capture);
	else
		servers_policy(f, dir, capture);
	len = (size_t)ftell(f);
	if (fclose(f) || len >= sizeof(text) - 1)
		return -E2BIG;
	return folder_write(file, (struct bytes){(uint8_t *)text, len});
}
