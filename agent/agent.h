#ifndef BEDWARDEN_AGENT_AGENT_H
#define BEDWARDEN_AGENT_AGENT_H
/*
 * bedwarden-agent: on a Linux device, asks the gateway for firmware, installs it beside what
 * runs, runs it on trial, and goes back by itself where nobody says that it is well.
 *
 *   main.c       the loop
 *   settings.c   its file, /etc/bedwarden-agent.conf
 *   talk         src/update/agent/talk.h, over TLS 1.3 (session.c)
 *   memory.c     what it must not forget over a reboot
 *   install.c    RAUC (rauc.c), SWUpdate, other programs, or two folders and a link (slots.c)
 */
#include "update/agent/talk.h"

#define AGENT_ERROR 256
#define AGENT_ARGS  15
#define AGENT_SLOT  64

struct program {
	char *argv[AGENT_ARGS + 1]; /* NULL: none */
};

struct settings {
	char *server, *port, *name; /* of the gateway, and in its certificate */
	char *ca, *certificate, *key;
	char *vendor, *model, *hardware, *serial;
	char *state; /* folder of its own */
	char *version_file;
	char *folder; /* of slots "a" and "b" and the link "current"; NULL: programs */
	struct program install, keep, back, restart, health;
	struct program slot; /* says which slot runs */
	bool rauc;	     /* which slot runs is asked of RAUC */
	unsigned poll_s, trial_s;
	char *text; /* what the others point into */
};

/* 0; -EINVAL or -errno, ret_error says where and what. */
int settings_read(const char *path, struct settings *ret_s, char ret_error[AGENT_ERROR]);
void settings_free(struct settings *s);

/* What lasts. */
struct memory {
	enum talk_state state;
	char target[TALK_TEXT], version[64], text[TALK_TEXT];
	char sha256[65];
	uint64_t length;
	int64_t trial_since;  /* wall clock */
	char was[AGENT_SLOT]; /* the slot that ran before the trial; "" none, not known */
};

/* A file of it. 0; -EBADMSG. */
int memory_read(struct bytes text, struct memory *ret_m);
/* 0, also where there is none yet; -EBADMSG, -errno. */
int memory_load(const char *folder, struct memory *ret_m);
/* On the disk when it returns. 0 or -errno. */
int memory_keep(const char *folder, const struct memory *m);

/*
 * Puts `file` beside what runs, and makes it what runs next. `was` is what runs now, as
 * install_current() said before the first try. 0 or -errno with ret_error said.
 */
int install_begin(const struct settings *s, const char *was, const char *file,
		  char ret_error[AGENT_ERROR]);
/* The slot that runs; "" where the installer has no names for them. 0 or -errno with ret_error said. */
int install_current(const struct settings *s, char ret_slot[AGENT_SLOT],
		    char ret_error[AGENT_ERROR]);
int install_keep(const struct settings *s, char ret_error[AGENT_ERROR]);
int install_back(const struct settings *s, const char *was, char ret_error[AGENT_ERROR]);
/* What starts the new one: a reboot, a service. */
int install_restart(const struct settings *s, char ret_error[AGENT_ERROR]);
/* True: it is well, or nothing is there to ask. */
bool install_is_healthy(const struct settings *s);
/* Of what runs; "" not known. */
void install_version(const struct settings *s, char ret_version[64]);

/* What a program writes to its standard output, ended by a zero; the caller's. NULL with errno. */
char *install_output(char *const argv[]);
/* The slot that RAUC says is booted. 0 or -errno with ret_error said. */
int rauc_booted(char ret_slot[AGENT_SLOT], char ret_error[AGENT_ERROR]);

/* The slot that `current` leads to, 'a' or 'b'; 0 none. */
char slots_current(const char *folder);
/* Unpacks an archive into the slot that is not `was`, then turns the link: as often as one likes. */
int slots_install(const char *folder, char was, const char *file, char ret_error[AGENT_ERROR]);
int slots_back(const char *folder, char was, char ret_error[AGENT_ERROR]);

/* A conversation with the gateway. */
struct session;
/* NULL with ret_error said. */
struct session *session_open(const struct settings *s, char ret_error[AGENT_ERROR]);
void session_close(struct session *t);
/* 0; -EBADMSG, -EPIPE, -ETIMEDOUT. */
int session_ask(struct session *t, const struct talk_report *r, struct talk_order *ret_order);
/* So many bytes after TALK_BYTES, into `fd` at its end. */
int session_take(struct session *t, uint64_t len, int fd);

#endif
