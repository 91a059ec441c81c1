#include "role/census.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/json.h"
#include "guard/decode/packet.h"
#include "guard/policy/policy.h"
#include "keep/inventory.h"
#include "role/setup.h"

#define ROW_MAX 65536

static const char *const mode_names[] = {"observe", "simulate", "enforce"};
static const char *const fail_names[] = {"open", "closed"};

/* A walk through the census: the machines seen, by hardware address. */
struct walk {
	json_t *machines;
	const json_t *patients;
	const char *device; /* "": all */
	query_row_fn fn;
	void *arg;
	char *buf;
	const struct policy_ip_row *ips;
	uint32_t *first, *next;
};

static void remember(void *arg, struct bytes row)
{
	json_t *machines = arg;
	json_t *m = json_loadb((const char *)row.data, row.len, JSON_ALLOW_NUL, NULL);
	const char *mac = json_string_value(json_object_get(m, "mac"));

	if (mac)
		json_object_set(machines, mac, m);
	json_decref(m);
}

/* Copies a value of the machine as it is, under the census's name for it. */
static void copy(struct json *j, const char *key, const json_t *machine, const char *from)
{
	char *text = json_dumps(json_object_get(machine, from), JSON_COMPACT | JSON_ENCODE_ANY);

	if (text)
		json_raw(j, key, (struct bytes){(const uint8_t *)text, strlen(text)});
	free(text);
}

static void put_seen(struct json *j, const json_t *machine)
{
	json_bool(j, "seen", machine);
	if (!machine)
		return;
	copy(j, "vendor", machine, "vendor");
	copy(j, "hostname", machine, "name");
	copy(j, "likely_profile", machine, "profile");
	copy(j, "profile_reasons", machine, "profile_reasons");
	copy(j, "dhcp_class", machine, "dhcp_class");
	copy(j, "first", machine, "first");
	copy(j, "last", machine, "last");
	copy(j, "ips", machine, "ips");
	copy(j, "peers", machine, "peers");
	copy(j, "services", machine, "services");
	copy(j, "apps", machine, "apps");
	copy(j, "weaknesses", machine, "weaknesses");
}

static void give(struct walk *w, struct json *j)
{
	json_close(j);
	if (!j->out.bad)
		w->fn(w->arg, (struct bytes){j->out.data, j->out.len});
}

static bool wanted(const struct walk *w, const char *name, const char *mac)
{
	return !*w->device || strcmp(w->device, name) == 0 || strcmp(w->device, mac) == 0;
}

/* The policy's addresses by device: a chain of rows each, as row number + 1. */
static int chain_addresses(struct walk *w, const struct policy *p, uint32_t devices)
{
	uint32_t rows;
	const struct policy_ip_row *ips = policy_ips(p, &rows);

	w->ips = ips;
	w->first = calloc(devices + 1, sizeof(*w->first));
	w->next = calloc(rows + 1, sizeof(*w->next));
	if (!w->first || !w->next)
		return -ENOMEM;
	for (uint32_t i = rows; i-- > 0;) {
		uint32_t id = ips[i].bind.peer & ~GATE_PEER_DEVICE;

		if (!(ips[i].bind.peer & GATE_PEER_DEVICE) || id >= devices)
			continue;
		w->next[i] = w->first[id];
		w->first[id] = i + 1;
	}
	return 0;
}

/* What the policy lists, which is not always what the machine uses. */
static void put_addresses(struct json *j, const struct walk *w, uint32_t id)
{
	char text[PACKET_IP_LEN];

	json_list(j, "addresses");
	for (uint32_t i = w->first[id]; i; i = w->next[i - 1])
		json_str(j, NULL, packet_ip_text(&w->ips[i - 1].key.ip, text));
	json_end(j);
}

static void put_patient(struct json *j, const struct walk *w, const char *name)
{
	json_int_t ns = json_integer_value(json_object_get(w->patients, name));
	time_t s = (time_t)(ns / (json_int_t)NSEC_PER_SEC);
	char text[32];
	struct tm tm;

	if (ns && gmtime_r(&s, &tm) && strftime(text, sizeof(text), "%FT%T+0000", &tm))
		json_str(j, "vital_signs", text);
}

static void give_registered(struct walk *w, const struct policy *p, uint32_t id,
			    const struct gate_device *d)
{
	const char *name = policy_device_name(p, id);
	struct json j = json_new(w->buf, ROW_MAX);
	const json_t *machine;
	char mac[ADDRESS_MAC_LEN];

	address_mac_text(d->mac, mac);
	machine = json_object_get(w->machines, mac);
	if (wanted(w, name, mac)) {
		json_open(&j, NULL);
		json_str(&j, "name", name);
		json_str(&j, "mac", mac);
		json_bool(&j, "registered", true);
		json_str(&j, "segment", policy_segment_name(p, d->segment));
		json_str(&j, "profile", policy_device_profile(p, id));
		json_str(&j, "mode", d->mode < 3 ? mode_names[d->mode] : "");
		json_str(&j, "fail", d->fail < 2 ? fail_names[d->fail] : "");
		put_addresses(&j, w, id);
		put_patient(&j, w, name);
		put_seen(&j, machine);
		give(w, &j);
	}
	json_object_del(w->machines, mac);
}

static void give_stranger(struct walk *w, const char *mac, const json_t *machine)
{
	struct json j = json_new(w->buf, ROW_MAX);

	if (!wanted(w, "", mac))
		return;
	json_open(&j, NULL);
	json_str(&j, "name", "");
	json_str(&j, "mac", mac);
	json_bool(&j, "registered", false);
	copy(&j, "segment", machine, "segment");
	put_seen(&j, machine);
	give(w, &j);
}

int census_rows(const struct policy *policy, struct sqlite3 *db, const json_t *patients,
		const char *device, query_row_fn fn, void *arg)
{
	struct walk w = {.patients = patients, .device = device, .fn = fn, .arg = arg};
	const struct gate_device *devices;
	const char *mac;
	json_t *machine;
	uint32_t count = 0;
	int err = -ENOMEM;

	w.buf = malloc(ROW_MAX);
	w.machines = json_object();
	if (!w.buf || !w.machines)
		goto out;
	err = query_machines(db, INVENTORY_MACHINES, remember, w.machines);
	if (err != 0 && err != -ENODEV)
		goto out;
	err = 0;
	devices = policy ? policy_devices(policy, &count) : NULL;
	if (policy)
		err = chain_addresses(&w, policy, count);
	if (err != 0)
		goto out;
	for (uint32_t id = 0; id < count; id++)
		if (!(devices[id].flags & GATE_DEVICE_STRANGER))
			give_registered(&w, policy, id, &devices[id]);
	/* In the order they were inserted: the latest first. */
	json_object_foreach (w.machines, mac, machine) {
		give_stranger(&w, mac, machine);
	}
out:
	json_decref(w.machines);
	free(w.first);
	free(w.next);
	free(w.buf);
	return err;
}

bool census_patients(const struct policy *policy, struct bytes body, json_t *patients)
{
	struct setup_patient row;
	uint32_t count;

	if (body.len % sizeof(row))
		return false;
	if (!policy)
		return true;
	policy_devices(policy, &count);
	for (size_t at = 0; at < body.len; at += sizeof(row)) {
		memcpy(&row, body.data + at, sizeof(row));
		if (row.generation != policy_generation(policy))
			continue;
		if (row.device >= count || row.wall_ns > INT64_MAX)
			return false;
		json_object_set_new(patients, policy_device_name(policy, row.device),
				    json_integer((json_int_t)row.wall_ns));
	}
	return true;
}

void census_modes(const struct policy *policy, struct census_modes *ret_modes)
{
	struct census_modes m = {0};
	const struct gate_device *devices;
	uint32_t count = 0;

	devices = policy ? policy_devices(policy, &count) : NULL;
	for (uint32_t id = 0; id < count; id++) {
		const struct gate_device *d = &devices[id];

		if (d->flags & GATE_DEVICE_STRANGER)
			continue;
		m.registered++;
		m.observe += d->mode == GATE_OBSERVE;
		m.simulate += d->mode == GATE_SIMULATE;
		m.enforce += d->mode == GATE_ENFORCE;
		m.open += d->fail == GATE_OPEN;
		m.closed += d->fail == GATE_CLOSED;
	}
	*ret_modes = m;
}
