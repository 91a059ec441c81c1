#include "guard/proto/param.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

struct row {
	uint16_t code;
	uint8_t kind;
	const char *name;
	const char *ref_id; /* NULL: none that is known */
};

static const struct row waves[] = {
	{0x0100, PARAM_ECG, "ECG", "MDC_ECG_ELEC_POTL"},
	{0x0101, PARAM_ECG, "ECG I", "MDC_ECG_ELEC_POTL_I"},
	{0x0102, PARAM_ECG, "ECG II", "MDC_ECG_ELEC_POTL_II"},
	{0x0103, PARAM_ECG, "ECG V1", "MDC_ECG_ELEC_POTL_V1"},
	{0x0104, PARAM_ECG, "ECG V2", "MDC_ECG_ELEC_POTL_V2"},
	{0x0105, PARAM_ECG, "ECG V3", "MDC_ECG_ELEC_POTL_V3"},
	{0x0106, PARAM_ECG, "ECG V4", "MDC_ECG_ELEC_POTL_V4"},
	{0x0107, PARAM_ECG, "ECG V5", "MDC_ECG_ELEC_POTL_V5"},
	{0x0108, PARAM_ECG, "ECG V6", "MDC_ECG_ELEC_POTL_V6"},
	{0x013d, PARAM_ECG, "ECG III", "MDC_ECG_ELEC_POTL_III"},
	{0x013e, PARAM_ECG, "ECG aVR", "MDC_ECG_ELEC_POTL_AVR"},
	{0x013f, PARAM_ECG, "ECG aVL", "MDC_ECG_ELEC_POTL_AVL"},
	{0x0140, PARAM_ECG, "ECG aVF", "MDC_ECG_ELEC_POTL_AVF"},
	{0x0143, PARAM_ECG, "ECG V", "MDC_ECG_ELEC_POTL_V"},
	{0x014b, PARAM_ECG, "ECG MCL", NULL},
	{0x014c, PARAM_ECG, "ECG MCL1", NULL},
	{0x4bb4, PARAM_PULSE, "pleth", "MDC_PULS_OXIM_PLETH"},
	{0x4a0c, PARAM_PULSE, "Ao", NULL},
	{0x4a10, PARAM_PULSE, "ART", "MDC_PRESS_BLD_ART"},
	{0x4a14, PARAM_PULSE, "ABP", "MDC_PRESS_BLD_ART_ABP"},
	{0x4a1c, PARAM_PULSE, "PAP", "MDC_PRESS_BLD_ART_PULM"},
	{0x4a28, PARAM_PULSE, "UAP", NULL},
	{0xf08c, PARAM_PULSE, "pleth right", NULL},
	{0xf08d, PARAM_PULSE, "pleth left", NULL},
	{0xf09b, PARAM_PULSE, "pleth of telemetry", NULL},
	{0xf0bc, PARAM_PULSE, "FAP", NULL},
	{0xf0c0, PARAM_PULSE, "BAP", NULL},
	{0x4a00, PARAM_PULSE, "P", "MDC_PRESS_BLD"},
	{0xf0a4, PARAM_PULSE, "P1", NULL},
	{0xf0a8, PARAM_PULSE, "P2", NULL},
	{0xf0ac, PARAM_PULSE, "P3", NULL},
	{0xf0b0, PARAM_PULSE, "P4", NULL},
	{0x5000, PARAM_BREATH, "Resp", "MDC_RESP"},
	{0x50ac, PARAM_BREATH, "CO2", NULL},
};

static const struct row numerics[] = {
	{0x4182, PARAM_HEART_RATE, "HR", "MDC_ECG_HEART_RATE"},
	{0x480a, PARAM_PULSE_RATE, "Pulse", "MDC_PULS_RATE"},
	{0x4812, PARAM_PULSE_RATE, "Pulse (IBP)", "MDC_BLD_PULS_RATE_INV"},
	{0x4822, PARAM_PULSE_RATE, "Pulse (SpO2)", NULL},
	{0x4bb8, PARAM_SATURATION, "SpO2", "MDC_PULS_OXIM_SAT_O2"},
	{0x481a, PARAM_PULSE_RATE, "Pulse (SpO2)", "MDC_PULS_OXIM_PULS_RATE"},
	{0x4b5c, PARAM_TEMPERATURE, "Tbody", "MDC_TEMP_BODY"},
	{0x4b48, PARAM_TEMPERATURE, "Temp", "MDC_TEMP"},
	{0xe014, PARAM_TEMPERATURE, "Tblood", "MDC_TEMP_BLD"},
	{0x4b50, PARAM_TEMPERATURE, "Tart", "MDC_TEMP_ART"},
	{0x4b60, PARAM_TEMPERATURE, "Tcore", "MDC_TEMP_CORE"},
	{0x4b64, PARAM_TEMPERATURE, "Tesoph", "MDC_TEMP_ESOPH"},
	{0x4b74, PARAM_TEMPERATURE, "Tskin", "MDC_TEMP_SKIN"},
	{0x4b6c, PARAM_TEMPERATURE, "Tnaso", "MDC_TEMP_NASOPH"},
	{0xe004, PARAM_TEMPERATURE, "Trect", "MDC_TEMP_RECT"},
	{0x4b4c, PARAM_TEMPERATURE, "Tfoley", "MDC_TEMP_FOLEY"},
	{0xf0c4, PARAM_TEMPERATURE, "Tvesic", NULL},
	{0x500a, PARAM_BREATH_RATE, "RR", "MDC_RESP_RATE"},
	{0x4a13, PARAM_PRESSURE, "ART mean", "MDC_PRESS_BLD_ART_MEAN"},
	{0x4a17, PARAM_PRESSURE, "ABP mean", "MDC_PRESS_BLD_ART_ABP_MEAN"},
	{0xf0bf, PARAM_PRESSURE, "FAP mean", NULL},
	{0xf0c3, PARAM_PRESSURE, "BAP mean", NULL},
	{0x4bc8, PARAM_SATURATION, "SpO2 left", NULL},
	{0x4bcc, PARAM_SATURATION, "SpO2 right", NULL},
	{0xf09c, PARAM_SATURATION, "SpO2 of telemetry", NULL},
	{0xf09d, PARAM_PULSE_RATE, "Pulse of telemetry", NULL},
};

/* What senders without a code write for one. */
static const struct row locals[] = {
	{0x4182, PARAM_HEART_RATE, NULL, "HR"},
	{0x4bb8, PARAM_SATURATION, NULL, "SpO2"},
	{0x4b48, PARAM_TEMPERATURE, NULL, "Temp"},
	{0x480a, PARAM_PULSE_RATE, NULL, "Pulse"},
};

/* LOINC's numbers for what numerics[] names. */
static const struct {
	uint32_t loinc;
	uint16_t code;
} loincs[] = {
	{8867, 0x4182}, {76282, 0x4182}, {8889, 0x481a}, {59408, 0x4bb8},
	{2708, 0x4bb8}, {8310, 0x4b48},	 {9279, 0x500a},
};

static const struct row *find(const struct row *table, size_t count, uint16_t code)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].code == code)
			return &table[i];
	return NULL;
}

static uint16_t find_id(const struct row *table, size_t count, struct bytes id)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].ref_id && strlen(table[i].ref_id) == id.len &&
		    !strncasecmp(table[i].ref_id, (const char *)id.data, id.len))
			return table[i].code;
	return 0;
}

#define COUNT(table)	   (sizeof(table) / sizeof((table)[0]))
#define FIND(table, code)  find(table, COUNT(table), code)
#define FIND_ID(table, id) find_id(table, COUNT(table), id)

enum param_kind param_wave(uint16_t code)
{
	const struct row *r = FIND(waves, code);

	return r ? (enum param_kind)r->kind : PARAM_OTHER;
}

bool param_is_pleth(uint16_t code)
{
	return code == 0x4bb4 || code == 0xf08c || code == 0xf08d || code == 0xf09b;
}

enum param_number param_numeric(uint16_t code)
{
	const struct row *r = FIND(numerics, code);

	return r ? (enum param_number)r->kind : PARAM_NUMBER_OTHER;
}

uint16_t param_loinc(uint32_t number)
{
	for (size_t i = 0; i < sizeof(loincs) / sizeof(loincs[0]); i++)
		if (loincs[i].loinc == number)
			return loincs[i].code;
	return 0;
}

uint16_t param_ref_id(struct bytes id)
{
	uint16_t code = 0;

	if (id.len > 4 && !memcmp(id.data, "MDC_", 4)) {
		code = FIND_ID(numerics, id);
		if (!code)
			code = FIND_ID(waves, id);
	}
	return code;
}

uint16_t param_local(struct bytes id)
{
	return id.len ? FIND_ID(locals, id) : 0;
}

const char *param_name(uint16_t code)
{
	const struct row *r = FIND(waves, code);

	if (!r)
		r = FIND(numerics, code);
	return r ? r->name : "other";
}
