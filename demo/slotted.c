#include "demo/slotted.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "demo/actor.h"

#define LOOK_MS	 50
#define BUS_MS	 3000
#define AGENT	 "bedwarden-agent"
#define TEXT_MAX 4096
#define TRIAL_S	 60

/* In these, @ is the folder. The boot loader's own variables, as RAUC asks for them (its manual, "custom" back end). */
static const char backend[] =
	"#!/bin/sh\n"
	"cd @/boot || exit 1\n"
	"name() { case $1 in A) echo a ;; B) echo b ;; esac }\n"
	"put() { echo \"$2\" >\"$1.new\" && mv \"$1.new\" \"$1\"; }\n"
	"case $1 in\n"
	"get-primary) case $(cat primary) in a) echo A ;; b) echo B ;; esac ;;\n"
	"set-primary) put \"$(name \"$2\")\" good && put primary \"$(name \"$2\")\" ;;\n"
	"get-state) cat \"$(name \"$2\")\" ;;\n"
	"set-state) put \"$(name \"$2\")\" \"$3\" ;;\n"
	"*) exit 1 ;;\n"
	"esac\n";
static const char slots[] = "[system]\ncompatible=" MAKER_MODEL "\nbootloader=custom\n"
			    "mountprefix=@/mnt\nstatusfile=@/rauc.status\n"
			    "bundle-formats=plain\n"
			    "[handlers]\nbootloader-custom-backend=@/backend\n"
			    "[keyring]\npath=@/maker.pem\n"
			    "[slot.rootfs.0]\ndevice=@/slot-a\ntype=raw\nbootname=A\n"
			    "[slot.rootfs.1]\ndevice=@/slot-b\ntype=raw\nbootname=B\n";
static const char bus[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
	" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig><type>system</type><listen>unix:path=@/bus</listen><policy "
	"context=\"default\">"
	"<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>"
	"<allow own=\"*\"/><allow user=\"*\"/></policy></busconfig>\n";
static const char agent_conf[] =
	"server = %2$s\nport = %3$d\nname = %4$s\nca = %1$s/ca.pem\n"
	"certificate = %1$s/pump.pem\nkey = %1$s/pump.key\n"
	"vendor = " MAKER_VENDOR "\nmodel = " MAKER_MODEL "\nstate = %1$s/agent\npoll = 1\n"
	"trial = %5$d\n";
static const char by_rauc[] = "installer = rauc\nversion-file = %1$s/run/version\n"
			      "restart = touch %1$s/run/reboot\n"
			      "health = grep -q ^well %1$s/run/well\n";
static const char by_folder[] = "folder = %1$s\nhealth = grep -q ^well %1$s/current/health\n";

static int put(const struct slotted *s, const char *name, const char *text)
{
	return folder_write(folder_path(s->dir, name),
			    (struct bytes){(const uint8_t *)text, strlen(text)});
}

/* The first line of a file; "" none. */
static void line_of(const char *path, char ret_line[32])
{
	struct bytes b = folder_read(path);

	snprintf(ret_line, 32, "%.*s", b.data ? (int)strcspn((const char *)b.data, "\n") : 0,
		 b.data ? (const char *)b.data : "");
	free((void *)b.data);
}

/* `text` with the folder for each '@'. */
static int put_for(const struct slotted *s, const char *name, const char *text, mode_t mode)
{
	char out[TEXT_MAX];
	size_t n = 0;
	int err;

	for (; *text && n + FOLDER_MAX < sizeof(out); text++)
		n += (size_t)(*text == '@' ? snprintf(out + n, sizeof(out) - n, "%s", s->dir)
					   : snprintf(out + n, sizeof(out) - n, "%c", *text));
	err = folder_write(folder_path(s->dir, name), (struct bytes){(uint8_t *)out, n});
	return err ? err : chmod(folder_path(s->dir, name), mode) ? -errno : 0;
}

static int make_rauc(const struct slotted *s)
{
	static const char *const folders[] = {"boot", "run", "mnt"};
	struct bytes image = maker_image(MAKER_FIRST, true),
		     maker = folder_read(folder_path(s->maker->dir, "maker.pem"));
	uint8_t *none = calloc(1, MAKER_IMAGE);
	int err = image.data && maker.data && none ? 0 : -ENOMEM;

	for (unsigned i = 0; i < sizeof(folders) / sizeof(*folders) && !err; i++)
		err = folder_make(folder_path(s->dir, folders[i]));
	if (!err)
		err = folder_write(folder_path(s->dir, "slot-a"), image);
	if (!err)
		err = folder_write(folder_path(s->dir, "slot-b"),
				   (struct bytes){none, MAKER_IMAGE});
	if (!err)
		err = folder_write(folder_path(s->dir, "maker.pem"), maker);
	if (!err && (put(s, "boot/primary", "a\n") || put(s, "boot/a", "good\n") ||
		     put(s, "boot/b", "bad\n")))
		err = -EIO;
	if (!err)
		err = put_for(s, "backend", backend, 0755);
	if (!err)
		err = put_for(s, "system.conf", slots, 0600);
	if (!err)
		err = put_for(s, "bus.conf", bus, 0644);
	free((void *)image.data);
	free((void *)maker.data);
	free(none);
	return err;
}

static int make_folders(const struct slotted *s)
{
	const char *slot = folder_path(s->dir, "a"), *file = maker_file(s->maker, MAKER_FIRST);
	const char *argv[] = {"tar", "-C", slot, "-xf", file, NULL};
	struct actor_tool t = {.argv = argv};
	int err = folder_make(slot);

	if (!err && actor_run(-1, &t, 5000))
		err = -EIO;
	return err ? err : symlink("a", folder_path(s->dir, "current")) ? -errno : 0;
}

int slotted_make(const struct slotted *s)
{
	const char *request[] = {
		"req",	  "-newkey",  "ec",	    "-pkeyopt", "ec_paramgen_curve:P-256",
		"-nodes", "-subj",    "/CN=pump-1", "-keyout",	"pump.key",
		"-out",	  "pump.csr", NULL};
	char text[TEXT_MAX];
	size_t n;
	int err = folder_make(s->dir);

	if (!err)
		err = s->maker->rauc ? make_rauc(s) : make_folders(s);
	if (!err)
		err = maker_openssl(s->dir, request);
	if (err)
		return err;
	n = (size_t)snprintf(text, sizeof(text), agent_conf, s->dir, s->server, s->port,
			     s->server_name, TRIAL_S);
	if (s->maker->rauc)
		snprintf(text + n, sizeof(text) - n, by_rauc, s->dir);
	else
		snprintf(text + n, sizeof(text) - n, by_folder, s->dir);
	return put(s, "agent.conf", text);
}

/* --- the machine ---------------------------------------------------------------------------- */

struct power {
	const struct slotted *s;
	pid_t bus, service, agent;
	char log[FOLDER_MAX + 32];
	char slot[32], version[32];
};

static void on_bus(void *arg)
{
	const struct slotted *s = arg;
	char address[FOLDER_MAX + 32];

	snprintf(address, sizeof(address), "unix:path=%s/bus", s->dir);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
}

static pid_t begin(struct power *p, const char *const *argv)
{
	struct actor_tool t = {.argv = argv,
			       .output = p->log,
			       .dir = p->s->dir,
			       .prepare = on_bus,
			       .prepare_arg = (void *)p->s};

	return actor_exec(-1, &t);
}

static void end(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		actor_wait(*pid, 2000);
	}
	*pid = 0;
}

/* The one that is primary, unless it is marked bad. */
static void choose_slot(struct power *p)
{
	char primary[32], state[32];

	line_of(folder_path(p->s->dir, "boot/primary"), primary);
	line_of(folder_path(p->s->dir, *primary == 'a' ? "boot/a" : "boot/b"), state);
	snprintf(p->slot, sizeof(p->slot), "%s",
		 (*primary == 'a') == (strcmp(state, "good") == 0) ? "a" : "b");
}

static void note(struct power *p)
{
	int fd = open(folder_path(p->s->dir, "ran"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		      0600);

	dprintf(fd, "%s\n", p->version);
	close(fd);
}

static bool boot(struct power *p)
{
	char name[16];
	const char *second;
	struct bytes image;

	choose_slot(p);
	snprintf(name, sizeof(name), "slot-%.1s", p->slot);
	image = folder_read(folder_path(p->s->dir, name));
	second = image.data ? memchr(image.data, '\n', 64) : NULL;
	if (!second) {
		free((void *)image.data);
		return false;
	}
	snprintf(p->version, sizeof(p->version), "%.*s", (int)(second - (const char *)image.data),
		 (const char *)image.data);
	put(p->s, "run/slot", p->slot);
	put(p->s, "run/well", second[1] == 'w' ? "well\n" : "ill\n");
	put(p->s, "run/version", p->version);
	free((void *)image.data);
	return true;
}

static bool is_there(const struct slotted *s, const char *name)
{
	return access(folder_path(s->dir, name), F_OK) == 0;
}

static void find_agent(char ret_path[256])
{
	ssize_t n = readlink("/proc/self/exe", ret_path, 200);
	char *slash;

	ret_path[n > 0 ? n : 0] = 0;
	slash = strrchr(ret_path, '/');
	if (slash)
		snprintf(slash, 50, "/agent/" AGENT);
	if (access(ret_path, X_OK))
		snprintf(ret_path, 256, AGENT);
}

static void power_on(struct power *p)
{
	char which[64], agent[256];
	const char *service[] = {"rauc", "-c", "system.conf", which, "service", NULL},
		   *call[] = {agent, "-c", "agent.conf", NULL};

	if (p->s->maker->rauc) {
		unlink(folder_path(p->s->dir, "run/reboot"));
		if (!boot(p))
			return;
		note(p);
		snprintf(which, sizeof(which), "--override-boot-slot=%s",
			 p->slot[0] == 'a' ? "A" : "B");
		p->service = begin(p, service);
	}
	find_agent(agent);
	p->agent = begin(p, call);
}

static void power_off(struct power *p)
{
	end(&p->agent);
	end(&p->service);
	umount2(folder_path(p->s->dir, "mnt/bundle"), MNT_DETACH);
}

static void start_bus(struct power *p)
{
	const char *daemon[] = {"dbus-daemon", "--config-file=bus.conf", "--nofork", "--nopidfile",
				NULL};

	p->bus = begin(p, daemon);
	for (int ms = 0; ms < BUS_MS && !is_there(p->s, "bus"); ms += LOOK_MS)
		actor_sleep(LOOK_MS);
}

/* Folders are switched under a running system. */
static void look_at_folders(struct power *p)
{
	char version[32];

	line_of(folder_path(p->s->dir, "current/VERSION"), version);
	if (!*version || strcmp(version, p->version) == 0)
		return;
	snprintf(p->version, sizeof(p->version), "%s", version);
	note(p);
}

int slotted_run(void *arg)
{
	struct power p = {.s = arg};

	snprintf(p.log, sizeof(p.log), "%s/log", p.s->dir);
	if (p.s->maker->rauc)
		start_bus(&p);
	power_on(&p);
	for (;;) {
		actor_sleep(LOOK_MS);
		if (!p.s->maker->rauc) {
			look_at_folders(&p);
		} else if (is_there(p.s, "run/reboot")) {
			power_off(&p);
			power_on(&p);
		}
	}
}

/* --- what is seen of it ----------------------------------------------------------------------- */

void slotted_version(const struct slotted *s, char ret_version[32])
{
	line_of(folder_path(s->dir, s->maker->rauc ? "run/version" : "current/VERSION"),
		ret_version);
}

bool slotted_holds(const struct slotted *s, const char *version, char ret_sha256[65])
{
	struct bytes image = maker_image(version, true), held;
	struct digest d = digest_new(DIGEST_SHA256);
	char slot[32], name[32] = "current/rootfs.img";
	bool same;

	if (s->maker->rauc) {
		line_of(folder_path(s->dir, "run/slot"), slot);
		snprintf(name, sizeof(name), "slot-%.1s", slot);
	}
	held = folder_read(folder_path(s->dir, name));
	same = image.data && held.data && held.len == image.len &&
	       memcmp(held.data, image.data, held.len) == 0;
	digest_add(&d, held.data, held.len);
	digest_hex(&d, ret_sha256);
	free((void *)image.data);
	free((void *)held.data);
	return same;
}

bool slotted_ran(const struct slotted *s, const char *version)
{
	struct bytes b = folder_read(folder_path(s->dir, "ran"));
	char line[40];
	bool found;

	snprintf(line, sizeof(line), "%s\n", version);
	found = b.data && strstr((const char *)b.data, line);
	free((void *)b.data);
	return found;
}
