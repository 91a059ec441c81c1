#ifndef BEDWARDEN_GUARD_VITALS_MONITOR_H
#define BEDWARDEN_GUARD_VITALS_MONITOR_H
/*
 * What is known of one monitored device, and who may touch it: the room's own,
 * see vitals.h. The table owns monitors and waves alike; a wave belongs to its
 * monitor until one of both is forgotten.
 */
#include "base/hash.h"
#include "base/recent.h"
#include "guard/vitals/continuity.h"
#include "guard/vitals/course.h"
#include "guard/vitals/echo.h"
#include "guard/vitals/flatline.h"
#include "guard/vitals/numbers.h"
#include "guard/proto/param.h"
#include "guard/vitals/pulse.h"
#include "guard/vitals/rhythm.h"
#include "guard/vitals/stamp.h"

#define MONITOR_WAVES	 12
#define MONITOR_CHANNELS 8
#define MONITOR_ALARMS	 8
#define MONITOR_EPISODES 12
#define MONITOR_KINDS	 4 /* enum param_kind */

#define SEC_NS 1000000000ull
#define MS_NS  1000000ull

struct wave {
	struct recent recent;
	struct vitals_monitor *owner; /* NULL: free */
	uint64_t touched_ns;
	uint16_t code;
	enum param_kind kind;
	uint32_t period_ns;
	uint64_t next_ns;   /* of the monitor's time: where the next sample belongs; 0 unknown */
	uint64_t length_ns; /* of what was taken last, */
	uint64_t taken_ns;  /* and when it came */
	bool anew;	    /* the monitor began anew since: what comes need not follow */
	uint64_t off_ns;    /* when the monitor last said that it does not measure: arrival */
	int32_t last;	    /* the last value, */
	uint32_t same;	    /* and how many in a row were it */
	/* those that moved below and above the range that the monitor states: up to BEYOND */
	uint8_t below, above;
	struct pulse pulse;
	struct flatline flat; /* the last that was found of it, */
	uint16_t flat_by;     /* and the wave that went on */
	struct echo echo;
	struct rhythm rhythm;
	uint64_t rhythm_beats; /* beats that it was given */
};

struct channel {
	uint32_t id;
	uint64_t touched_ns; /* 0: free */
	struct continuity row;
	struct stamp stamp;
};

struct pending {
	uint64_t id;		   /* 0: free */
	uint64_t since_ns, due_ns; /* due 0: nothing is expected any more */
	uint16_t source, code;
};

/* A finding that lasts is told once, and again every minute, or once it is no more doubted. What stays
 * doubtful is told ever more rarely, up to an hour apart: it may last for days. */
struct episode {
	uint16_t reason, code; /* reason 0: free */
	bool doubted;
	uint8_t again; /* times that it was told again, with doubt */
	uint64_t seen_ns, said_ns;
};

struct vitals_monitor {
	struct recent recent;
	struct vitals_source source; /* as it was last heard */
	uint64_t touched_ns;
	/* the message at hand: when it came, and the one before, its place in the monitor's own time */
	uint64_t arrival_ns, before_ns, time_ns;
	enum continuity_kind step;
	bool has_clock;
	uint32_t clock;
	/* identity */
	uint64_t bound_ns; /* when it was last heard as the bound machine; 0 never */
	uint8_t other_mac[6];
	uint64_t mac_ns; /* since when it is this hardware address and not the other */
	/* alarms */
	uint64_t inop_ns[MONITOR_KINDS]; /* when a technical alarm about such waves was last on */
	uint64_t in_alarm_ns;		 /* since when numerics say so and no list has it; 0 */
	unsigned empty_lists;

	struct wave *wave[MONITOR_WAVES];
	struct channel channel[MONITOR_CHANNELS];
	struct numbers numbers;
	struct pending alarm[MONITOR_ALARMS];
	struct episode episode[MONITOR_EPISODES];
	uint32_t next; /* in its bucket, from 1; 0 the last */
	uint32_t next_system,
		last_system; /* of those whose systems share a bucket, and the one before */
	struct monitor_past *past;
};

/* Apart, since most that is asked of a monitor is not asked of this. */
struct monitor_past {
	struct stamps stamps;
	struct numbers_row numbers;
	struct course course; /* of the pulse rate */
};

struct vitals {
	struct vitals_options o;
	vitals_fn fn;
	void *arg;
	struct hash_key key;
	struct vitals_monitor *monitors;
	struct monitor_past *pasts; /* of each monitor its own */
	uint32_t *buckets;	    /* numbers of monitors, from 1; by what they are, */
	uint32_t *systems;	    /* and by what they call themselves */
	uint32_t monitor_count, mask;
	uint32_t monitors_used, waves_used;	     /* those behind were never touched */
	struct recent monitors_recent, waves_recent; /* of waves the free ones first */
	struct wave *waves;
	size_t waves_size; /* bytes */
	uint64_t now_ns;
	uint64_t due_ns;	       /* the first that an answer is due; 0: none */
	struct vitals_finding finding; /* being put together */
};

/* NULL where it was never heard. */
struct vitals_monitor *monitor_find(const struct vitals *v, const struct vitals_source *s);

/*
 * A finding: begun, given its facts, and told. NULL where this was told less
 * than a minute ago and goes on, and with no less doubt; `code` tells apart what may last side by side.
 */
struct vitals_finding *tell_begin(struct vitals *v, struct vitals_monitor *m, enum reason why,
				  uint16_t code, double confidence);
void tell_number(struct vitals_finding *f, const char *name, double n);
void tell_text(struct vitals_finding *f, const char *name, const char *text);
void tell_end(struct vitals *v, struct vitals_finding *f);

/* Gives its waves back. */
void wave_release(struct vitals *v, struct vitals_monitor *m);
/* Beats a minute as counted from a live wave of that kind; 0: none. */
double wave_rate(const struct vitals_monitor *m, enum param_kind kind);

/* Says what a message's place gives to say. False where it is not to be read. */
bool place_take(struct vitals *v, struct vitals_monitor *m, const struct vitals_place *p);
/* What the monitor calls itself from now on; 0: nothing. */
void identity_name(struct vitals *v, struct vitals_monitor *m, uint64_t system);
/* Who sends, compared with who did. */
void identity_take(struct vitals *v, struct vitals_monitor *m, const struct vitals_source *s);
/* Another monitor of the same name that was heard since; NULL: none. */
const struct vitals_monitor *identity_other(const struct vitals *v, const struct vitals_monitor *m,
					    uint64_t since_ns);
/* Says that two machines speak in its name. */
void identity_doubled(struct vitals *v, struct vitals_monitor *m);

#endif
