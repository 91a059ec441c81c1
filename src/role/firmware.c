#include "role/firmware.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/number.h"
#include "base/secret.h"
#include "guard/policy/policy.h"

#define PASSWORD_MAX 4096
#define SETUP_MAX    (64u << 20)

static const char *const drivers[DRIVERS] = {
	[DRIVER_PERSON] = "person", [DRIVER_AGENT] = "agent", [DRIVER_PUSH] = "push"};

bool firmware_wanted(const struct config *c)
{
	for (unsigned i = 0; i < c->devices_count; i++)
		if (c->devices[i].update)
			return true;
	return false;
}

/* --- what the parent tells --------------------------------------------------------- */

/* The first line of a file. Without it the device refuses, and says so. */
static json_t *password_of(const char *file, const char *device)
{
	struct bytes text = {0};
	json_t *line = NULL;
	int err = *file ? file_read(file, PASSWORD_MAX, &text) : 0;

	if (err < 0)
		log_error("device %s: password_file %s cannot be read: %s; firmware is sent "
			  "without a password",
			  device, file, strerror(-err));
	if (err == 0 && text.len) {
		const uint8_t *end = memchr(text.data, '\n', text.len);

		line = json_stringn((const char *)text.data,
				    end ? (size_t)(end - text.data) : text.len);
		secret_wipe((void *)text.data, text.len);
	}
	free((void *)text.data);
	return line ? line : json_string("");
}

static json_t *push_json(const struct config_update *u, const char *device)
{
	return json_pack("{s:s, s:s, s:b, s:s, s:o, s:s, s:s, s:i}", "url", u->url, "then", u->then,
			 "post", u->post, "user", u->user, "password",
			 password_of(u->password_file, device), "ca", u->ca, "host_key",
			 u->host_key, "seconds", (int)u->seconds);
}

bool firmware_seen(const struct policy *p, uint32_t device)
{
	uint32_t count, rule_count;
	const struct gate_device *d = policy_devices(p, &count);
	const struct gate_rule *r = policy_rules(p, &rule_count);

	for (uint32_t i = 0; device < count && i < d[device].rule_count; i++) {
		uint8_t action = r[d[device].rule_first + i].action;

		if (action == GATE_INSPECT || action == GATE_SEAL)
			return true;
	}
	return false;
}

static json_t *device_json(const struct config *c, const struct policy *p, unsigned i)
{
	const struct config_device *d = &c->devices[i];
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "name", d->name, "vendor",
			      d->vendor, "model", d->model, "version", d->version, "driver",
			      drivers[d->update->driver], "seen",
			      firmware_seen(p, c->segments_count + i));

	if (d->update->driver == CONFIG_PUSH)
		json_object_set_new(o, "push", push_json(d->update, d->name));
	return o;
}

static void minutes_of(const char *window, int ret_minutes[2])
{
	unsigned from = 0, to = 0;

	number_window(window, &from, &to);
	ret_minutes[0] = (int)from;
	ret_minutes[1] = (int)to % 1440;
}

int firmware_setup(const struct config *c, const struct policy *p)
{
	const struct config_rollout *r = &c->updates.rollout;
	json_t *list = json_array(), *root;
	int window[2], fd = -ENOMEM;
	char *text;

	minutes_of(r->window, window);
	for (unsigned i = 0; i < c->devices_count; i++)
		if (c->devices[i].update)
			json_array_append_new(list, device_json(c, p, i));
	root = json_pack("{s:b, s:{s:i,s:i,s:i,s:I,s:i,s:i,s:i,s:[i,i]}, s:o}", "auto",
			 !c->updates.firmware_waits, "plan", "few", (int)r->few, "parallel",
			 (int)r->parallel, "success", (int)r->success, "pause_s",
			 (json_int_t)r->pause_minutes * 60, "install_s", (int)r->install_seconds,
			 "watch_s", (int)r->watch_seconds, "patient_s", (int)r->patient_seconds,
			 "window", window[0], window[1], "devices", list);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	if (text) {
		size_t len = strlen(text);

		fd = file_memory("firmware", (struct bytes){(const uint8_t *)text, len});
		secret_wipe(text, len);
	}
	free(text);
	json_decref(root);
	return fd;
}

/* --- what the updater hears ---------------------------------------------------------- */

static bool copy(const json_t *o, const char *key, char *ret_text, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && snprintf(ret_text, size, "%s", s) < (int)size;
}

static bool read_push(const json_t *o, struct push *p)
{
	p->post = json_is_true(json_object_get(o, "post"));
	p->seconds = (uint32_t)json_integer_value(json_object_get(o, "seconds"));
	return copy(o, "url", p->url, sizeof(p->url)) &&
	       copy(o, "then", p->then, sizeof(p->then)) &&
	       copy(o, "user", p->user, sizeof(p->user)) &&
	       copy(o, "password", p->password, sizeof(p->password)) &&
	       copy(o, "ca", p->ca, sizeof(p->ca)) &&
	       copy(o, "host_key", p->host_key, sizeof(p->host_key));
}

static bool read_device(const json_t *o, struct firmware_device *d)
{
	const char *driver = json_string_value(json_object_get(o, "driver"));

	for (unsigned i = 0; driver && i < DRIVERS; i++)
		if (strcmp(driver, drivers[i]) == 0)
			d->driver = (enum driver)i;
	d->seen = json_is_true(json_object_get(o, "seen"));
	return copy(o, "name", d->name, sizeof(d->name)) &&
	       copy(o, "vendor", d->vendor, sizeof(d->vendor)) &&
	       copy(o, "model", d->model, sizeof(d->model)) &&
	       copy(o, "version", d->version, sizeof(d->version)) &&
	       (d->driver != DRIVER_PUSH || read_push(json_object_get(o, "push"), &d->push));
}

static bool read_plan(const json_t *o, struct rollout_plan *p)
{
	int few, parallel, success, from, to;
	json_int_t pause, install, watch, patient;

	if (json_unpack((json_t *)o, "{s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:[i,i]}", "few", &few,
			"parallel", &parallel, "success", &success, "pause_s", &pause, "install_s",
			&install, "watch_s", &watch, "patient_s", &patient, "window", &from,
			&to) < 0)
		return false;
	*p = (struct rollout_plan){.few = (unsigned)few,
				   .parallel = (unsigned)parallel,
				   .success = (unsigned)success,
				   .pause_s = pause,
				   .install_s = install,
				   .watch_s = watch,
				   .patient_s = patient,
				   .window = {from, to}};
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct firmware_device *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int is_called(const void *name, const void *entry)
{
	const struct firmware_device *const *d = entry;

	return strcmp(name, (*d)->name);
}

static struct firmware *read_all(const json_t *root)
{
	const json_t *list = json_object_get(root, "devices"), *o;
	struct firmware *f = calloc(1, sizeof(*f));
	size_t i;

	if (!f)
		return NULL;
	f->automatic = json_is_true(json_object_get(root, "auto"));
	f->devices = calloc(json_array_size(list) + 1, sizeof(*f->devices));
	f->by_name = calloc(json_array_size(list) + 1, sizeof(*f->by_name));
	if (!f->devices || !f->by_name || !read_plan(json_object_get(root, "plan"), &f->plan)) {
		firmware_free(f);
		return NULL;
	}
	json_array_foreach (list, i, o) {
		f->by_name[i] = &f->devices[i];
		f->count++;
		if (!read_device(o, &f->devices[i])) {
			firmware_free(f);
			return NULL;
		}
	}
	qsort(f->by_name, f->count, sizeof(*f->by_name), by_name);
	return f;
}

struct firmware *firmware_read(int fd)
{
	struct firmware *f = NULL;
	struct bytes text;
	json_t *root;

	if (file_read_memory(fd, SETUP_MAX, &text) < 0)
		return NULL;
	root = json_loadb((const char *)text.data, text.len, 0, NULL);
	if (root)
		f = read_all(root);
	json_decref(root);
	secret_wipe((void *)text.data, text.len);
	free((void *)text.data);
	return f;
}

void firmware_free(struct firmware *f)
{
	if (!f)
		return;
	if (f->devices)
		secret_wipe(f->devices, f->count * sizeof(*f->devices));
	free(f->devices);
	free(f->by_name);
	free(f);
}

const struct firmware_device *firmware_find(const struct firmware *f, const char *name)
{
	const struct firmware_device **d =
		f ? bsearch(name, f->by_name, f->count, sizeof(*f->by_name), is_called) : NULL;

	return d ? *d : NULL;
}
