#ifndef BEDWARDEN_DEMO_INTELLIVUE_H
#define BEDWARDEN_DEMO_INTELLIVUE_H
/*
 * Philips IntelliVue Data Export over UDP/IP, as far as the demo's monitor and
 * central station speak it: association, MDS Create Event, extended poll
 * requests and their results with wave and numeric observations ("Data Export
 * Interface Programming Guide", rev. G.0; chapter 5 unless said otherwise).
 * Everything is big-endian. Relative times are in 1/8 ms.
 *
 * A message encodes into the writer (check its `bad`); decoding borrows the
 * datagram. Attributes that are not listed here are skipped when read.
 */
#include "base/bytes.h"

#define IVUE_PORT     24105
#define IVUE_TICKS_MS 8
#define IVUE_MTU      1364 /* the most the guide allows on a LAN */
#define IVUE_WAVES    4
#define IVUE_NUMERICS 8

enum ivue_kind {
	IVUE_ASSOCIATE = 1, /* central → monitor */
	IVUE_ASSOCIATED,    /* monitor → central */
	IVUE_REFUSED,
	IVUE_RELEASE, /* central → monitor */
	IVUE_RELEASED,
	IVUE_ABORT,
	IVUE_MDS_CREATE,  /* monitor → central */
	IVUE_MDS_CREATED, /* central → monitor */
	IVUE_POLL,	  /* central → monitor, extended */
	IVUE_RESULT,	  /* monitor → central, extended */
};

/* Object classes that are polled (NOM_MOC_VMO_METRIC_*). */
enum ivue_class { IVUE_CLASS_NUMERIC = 0x0006, IVUE_CLASS_WAVE = 0x0009 };

/* Physiological identifiers, partition SCADA. */
enum ivue_physio {
	IVUE_ECG_II = 0x0102,	  /* NOM_ECG_ELEC_POTL_II */
	IVUE_PLETH = 0x4bb4,	  /* NOM_PLETH */
	IVUE_HEART_RATE = 0x4182, /* NOM_ECG_CARD_BEAT_RATE */
	IVUE_PULSE_RATE = 0x4822, /* NOM_PLETH_PULS_RATE */
};

enum ivue_unit { IVUE_UNIT_BPM = 0x0aa0, IVUE_UNIT_MV = 0x10b2, IVUE_UNIT_NONE = 0x0200 };

struct ivue_wave {
	uint16_t handle, physio, state;
	struct bytes samples; /* 16-bit big-endian values */
	/* SaSpec, ScaleRangeSpec16 and sample period; sent where period_ticks is not 0 */
	uint8_t bits;
	uint32_t period_ticks;
	double low, high; /* physical values of the two scaled ones; NAN without unit */
	uint16_t low_raw, high_raw;
};

struct ivue_numeric {
	uint16_t handle, physio, state, unit;
	double value; /* NAN: invalid */
};

struct ivue_message {
	enum ivue_kind kind;
	uint16_t invoke;
	uint16_t poll;	   /* POLL, RESULT: poll number */
	uint16_t sequence; /* RESULT */
	uint32_t time;	   /* relative time stamp */
	uint32_t period;   /* POLL: how long results shall come, 0 once */
	uint16_t class_;   /* POLL, RESULT */
	unsigned waves, numerics;
	struct ivue_wave wave[IVUE_WAVES];
	struct ivue_numeric numeric[IVUE_NUMERICS];
};

void ivue_write(struct writer *w, const struct ivue_message *m);
/* PARSE_OK or PARSE_BAD: a datagram is whole or wrong. */
enum parse ivue_read(struct bytes datagram, struct ivue_message *ret_m);

#endif
