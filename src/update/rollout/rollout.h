#ifndef BEDWARDEN_UPDATE_ROLLOUT_ROLLOUT_H
#define BEDWARDEN_UPDATE_ROLLOUT_ROLLOUT_H
/*
 * One firmware for many devices of a model: one first, then a few, then the rest, with a pause
 * after each wave; no device while it is on a patient; each watched afterwards, and taken back to
 * what it had where it does not come back healthy.
 *
 * A pure machine. Whoever runs it tells it what is seen of each device and the time, makes it
 * durable (rollout_json()), and only then does what rollout_next() ordered: killed at any moment, the same
 * order comes again. So orders have to bear repetition. Times are wall clock seconds: a rollout
 * outlives the machine's uptime.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define ROLLOUT_NAME	64
#define ROLLOUT_TARGET	256
#define ROLLOUT_VERSION 64
#define ROLLOUT_TEXT	256
#define ROLLOUT_DEVICES 4096

enum rollout_state {
	ROLLOUT_PROPOSED, /* nobody has approved it */
	ROLLOUT_RUNNING,
	ROLLOUT_HELD,	 /* a person said so */
	ROLLOUT_STOPPED, /* a wave had too few successes */
	ROLLOUT_UNDOING, /* a person wants the old one back everywhere */
	ROLLOUT_DONE,
	ROLLOUT_STATES
};

enum rollout_step {
	STEP_WAITING,
	STEP_SENDING,	 /* a driver is at it, or will be once more */
	STEP_INSTALLING, /* has it; not heard of since as running it */
	STEP_WATCHING,	 /* says that it runs it; looked at for a while */
	STEP_DONE,
	STEP_UNDOING, /* back to what it had */
	STEP_UNDONE,
	STEP_FAILED, /* neither the new one nor the old one, as far as we know: a person has to look */
	STEP_SKIPPED, /* is not for it */
	STEP_COUNT
};

struct rollout_device {
	char name[ROLLOUT_NAME];
	char was[ROLLOUT_VERSION]; /* its version before; "" not known */
	char why[ROLLOUT_TEXT];	   /* why it waits, failed or was skipped */
	enum rollout_step step;
	unsigned wave, attempts;
	bool habit;    /* it did what it may not before, too: that it does so is no news */
	bool own_word; /* done because it said that it had it: nobody brought it, so nobody knows */
	bool held;     /* undoing waits: it is on a patient; found anew with every tick */
	int64_t since; /* it is at this step */
};

struct rollout_plan {
	unsigned few;	   /* devices of the second wave */
	unsigned parallel; /* devices at a time */
	unsigned success;  /* percent of a wave's that must have come out well */
	int64_t pause_s;   /* after a wave */
	int64_t install_s; /* for it to be heard of again, running it */
	int64_t watch_s;   /* healthy for so long, and it is well */
	int64_t patient_s; /* no vital signs for so long: it is on nobody */
	int window[2];	   /* minutes of the local day, from and to; equal: always */
};

struct rollout {
	char id[ROLLOUT_NAME]; /* "acme-pump-2.1" */
	char target[ROLLOUT_TARGET], version[ROLLOUT_VERSION];
	char previous
		[ROLLOUT_TARGET]; /* the target that takes a device back; "" the device can itself */
	char approved_by[ROLLOUT_NAME];
	enum rollout_state state;
	char why[ROLLOUT_TEXT];
	unsigned wave;	   /* at work, from 0 */
	int64_t wave_done; /* when it was; 0 it is not */
	struct rollout_plan plan;
	struct rollout_device *devices;
	unsigned count;
};

/* What is seen of a device. */
struct rollout_seen {
	bool known;	  /* the policy has it */
	bool reachable;	  /* its driver can talk to it now */
	const char *held; /* why it must not be begun with now, for people; NULL it may */
	/* Why nobody can tell whether it is on a patient, or well; NULL somebody can. It counts as on
	 * one then, and nothing is concluded from its silence. */
	const char *blind;
	int64_t vitals;	    /* when it last showed vital signs of a patient; 0 never */
	int64_t talked;	    /* when it was last seen to talk as its profile says; 0 never */
	int64_t misbehaved; /* when it last did what its profile does not say; 0 never */
	char version[ROLLOUT_VERSION]; /* as it said last; "" not known */
	int64_t said;		       /* when it did */
	bool unhealthy;		       /* it said so itself, after `said` */
};
/* Into *ret_seen, which is zero before. */
typedef void (*rollout_see)(void *arg, const char *device, struct rollout_seen *ret_seen);

enum rollout_do { DO_NOTHING, DO_SEND, DO_UNDO };
struct rollout_order {
	enum rollout_do what;
	const char *device; /* borrowed, until the rollout changes */
	int64_t since;	    /* that it is to be done */
};

extern const struct rollout_plan rollout_plan_usual;

/* Waves are laid out: the first device, then `plan->few`, then the others. NULL: no memory. */
struct rollout *rollout_new(const char *id, const char *target, const char *version,
			    const struct rollout_plan *plan, const char *const *devices,
			    unsigned count);
void rollout_free(struct rollout *r);

/* To be kept, and back. A file that is not ours is NULL with errno EBADMSG. */
json_t *rollout_json(const struct rollout *r);
struct rollout *rollout_of(const json_t *object);

/* True: it has changed, and is to be kept before anything else is done. */
bool rollout_tick(struct rollout *r, rollout_see see, void *arg, int64_t now, int local_minute);
/* What is to be done now; the same again until rollout_told(). `i` counts from 0, DO_NOTHING ends. */
struct rollout_order rollout_next(const struct rollout *r, unsigned i);
/* A driver's word about what was ordered. `text`: why not. */
void rollout_told(struct rollout *r, const char *device, bool well, const char *text, int64_t now);

/* What people say. 0; -EALREADY, -EPERM where its state does not allow it. */
int rollout_approve(struct rollout *r, const char *who, int64_t now);
int rollout_hold(struct rollout *r, const char *why, int64_t now);
int rollout_resume(struct rollout *r, int64_t now);
/* Every device that has it goes back, by the same driver. */
int rollout_undo(struct rollout *r, int64_t now);
/* "A person does it": this device is done with, well or not. -ENOENT. */
int rollout_person(struct rollout *r, const char *device, bool well, const char *text, int64_t now);

/* Begun with, and not at its end: its devices get nothing else. */
bool rollout_is_unfinished(const struct rollout *r);

#endif
