#ifndef BEDWARDEN_DEMO_PATIENT_H
#define BEDWARDEN_DEMO_PATIENT_H
/*
 * The patient that the bedside monitor is connected to: ECG lead II at 500 Hz,
 * pleth at 125 Hz and the two rates counted from them, cut into blocks of
 * 256 ms as the monitor exports them. From a recording that has both an ECG
 * and a pleth where there is one, else from the ECGSYN model. Repeats when it
 * is through.
 */
#include "base/bytes.h"

#define PATIENT_ECG	 128 /* samples a block, 2 ms apart */
#define PATIENT_PLETH	 32  /* samples a block, 8 ms apart */
#define PATIENT_BLOCK_MS 256

/* Scaled values as the monitor sends them. */
#define PATIENT_ECG_ZERO  8192 /* 14 bits */
#define PATIENT_ECG_MV	  200  /* a millivolt */
#define PATIENT_PLETH_TOP 4095 /* 12 bits */

struct patient_block {
	uint16_t ecg[PATIENT_ECG];
	uint16_t pleth[PATIENT_PLETH];
	double heart_rate, pulse_rate; /* beats a minute over the last seconds */
};

struct patient {
	struct patient_block *blocks;
	unsigned count;
	char source[96]; /* for people */
};

/* `dir` holds WFDB records; NULL or nothing usable there: the model, at `heart_rate`.
 * NULL with errno ENOMEM. */
struct patient *patient_new(const char *dir, double heart_rate);
void patient_free(struct patient *p);
const struct patient_block *patient_block(const struct patient *p, unsigned n);

#endif
