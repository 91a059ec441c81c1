#ifndef BEDWARDEN_DEMO_BOARD_H
#define BEDWARDEN_DEMO_BOARD_H
/*
 * Where the actors write down what they saw: memory that the director shares
 * with all of them. What got through an attack is read from here, from what
 * its victim recorded, never from what the attacker believes.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "demo/patient.h"

#define BOARD_BLOCKS 4096 /* 17 minutes of vital signs, then round again */
#define BOARD_PORTS  65536
#define BOARD_PUMPS  2

/* A block of vital signs as the central station displayed it. */
struct board_shown {
	uint64_t at_ns; /* monotonic */
	uint32_t block; /* the number that its time stamp says */
	uint16_t ecg[PATIENT_ECG];
	uint16_t pleth[PATIENT_PLETH];
};

struct board {
	/* monitor: when it sent block n (of BOARD_BLOCKS) */
	atomic_ullong sent_ns[BOARD_BLOCKS];
	atomic_uint sent;
	/* central station */
	struct board_shown shown[BOARD_BLOCKS];
	atomic_uint shown_count;
	atomic_uint associated;
	atomic_uint rate_shown, rate_sent; /* heart rate, tenths of a beat a minute */
	/* pump: who got its login banner */
	atomic_uint banners;
	/* pump: orders it received from its server */
	atomic_uint orders;
	/* devices with a file-sharing port: how many were given the worm */
	atomic_uint infected;
	/* the archive: uploads that are images and programs in one */
	atomic_uint programs;
	/* the CT's service page: commands of strangers that it obeyed */
	atomic_uint commands;
	/* the outside host */
	atomic_ullong stolen_bytes;
	/* the scanned device: ports that somebody knocked at */
	atomic_uchar knocked[BOARD_PORTS];
	/* DHCP client: who it believed, 0 nobody; the router it was told */
	atomic_uint lease_server, lease_router; /* network byte order */
	/* laboratory system */
	atomic_uint messages;
	atomic_uint forged_results; /* in a sender's name that it is not from */
	/* who listens on the wire: he hears; frames that he was too slow for */
	atomic_uint listening, unheard;
	/* infusion pumps: how fast each is to deliver (ml/h, 0: on nobody); its connections to whom it
	 * tells so, what was acknowledged; firmware that one was given and restarted with */
	atomic_uint pump_rate[BOARD_PUMPS], pump_lines[BOARD_PUMPS], pump_told[BOARD_PUMPS];
	atomic_uint pump_restarts;
	/* alarms of the fridge that reached the laboratory */
	atomic_uint alarms;
	/* attacker's own count, for people only */
	atomic_uint forged, relayed;
};

/* NULL with errno. */
struct board *board_new(void);
void board_free(struct board *b);

/* What the central station displayed between two instants, against what the patient had. */
struct board_account {
	unsigned due;	   /* blocks that this time is long enough for */
	unsigned expected; /* blocks the monitor sent */
	unsigned intact;   /* of these, displayed sample for sample */
	unsigned late;	   /* and these, too, but more than a second after they were sent */
	unsigned latest_ms;
	unsigned flat;	  /* displayed with a flat ECG that the patient does not have */
	unsigned foreign; /* displayed, but of no patient of this monitor */
};
struct board_account board_judge(const struct board *b, const struct patient *p, uint64_t from_ns,
				 uint64_t to_ns);
unsigned board_knocked(const struct board *b);

#endif
