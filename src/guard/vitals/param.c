#include "guard/vitals/param.h"

#include <stddef.h>

struct row {
	uint16_t code;
	uint8_t kind;
	const char *name;
};

static const struct row waves[] = {
	{0x0100, PARAM_ECG, "ECG"},
	{0x0101, PARAM_ECG, "ECG I"},
	{0x0102, PARAM_ECG, "ECG II"},
	{0x0103, PARAM_ECG, "ECG V1"},
	{0x0104, PARAM_ECG, "ECG V2"},
	{0x0105, PARAM_ECG, "ECG V3"},
	{0x0106, PARAM_ECG, "ECG V4"},
	{0x0107, PARAM_ECG, "ECG V5"},
	{0x0108, PARAM_ECG, "ECG V6"},
	{0x013d, PARAM_ECG, "ECG III"},
	{0x013e, PARAM_ECG, "ECG aVR"},
	{0x013f, PARAM_ECG, "ECG aVL"},
	{0x0140, PARAM_ECG, "ECG aVF"},
	{0x0143, PARAM_ECG, "ECG V"},
	{0x014b, PARAM_ECG, "ECG MCL"},
	{0x014c, PARAM_ECG, "ECG MCL1"},
	{0x4bb4, PARAM_PULSE, "pleth"},
	{0x4a0c, PARAM_PULSE, "Ao"},
	{0x4a10, PARAM_PULSE, "ART"},
	{0x4a14, PARAM_PULSE, "ABP"},
	{0x4a1c, PARAM_PULSE, "PAP"},
	{0x4a28, PARAM_PULSE, "UAP"},
	{0xf08c, PARAM_PULSE, "pleth right"},
	{0xf08d, PARAM_PULSE, "pleth left"},
	{0xf09b, PARAM_PULSE, "pleth of telemetry"},
	{0xf0bc, PARAM_PULSE, "FAP"},
	{0xf0c0, PARAM_PULSE, "BAP"},
	{0x4a00, PARAM_PULSE, "P"},
	{0xf0a4, PARAM_PULSE, "P1"},
	{0xf0a8, PARAM_PULSE, "P2"},
	{0xf0ac, PARAM_PULSE, "P3"},
	{0xf0b0, PARAM_PULSE, "P4"},
	{0x5000, PARAM_BREATH, "Resp"},
	{0x50ac, PARAM_BREATH, "CO2"},
};

static const struct row numerics[] = {
	{0x4182, PARAM_HEART_RATE, "HR"},
	{0x480a, PARAM_PULSE_RATE, "Pulse"},
	{0x4812, PARAM_PULSE_RATE, "Pulse (IBP)"},
	{0x4822, PARAM_PULSE_RATE, "Pulse (SpO2)"},
	{0x4bb8, PARAM_SATURATION, "SpO2"},
	{0x481a, PARAM_PULSE_RATE, "Pulse (SpO2)"},
	{0x4b5c, PARAM_TEMPERATURE, "Tbody"},
	{0x4b48, PARAM_TEMPERATURE, "Temp"},
	{0xe014, PARAM_TEMPERATURE, "Tblood"},
	{0x4b50, PARAM_TEMPERATURE, "Tart"},
	{0x4b60, PARAM_TEMPERATURE, "Tcore"},
	{0x4b64, PARAM_TEMPERATURE, "Tesoph"},
	{0x4b74, PARAM_TEMPERATURE, "Tskin"},
	{0x500a, PARAM_BREATH_RATE, "RR"},
	{0x4a13, PARAM_PRESSURE, "ART mean"},
	{0x4a17, PARAM_PRESSURE, "ABP mean"},
	{0xf0bf, PARAM_PRESSURE, "FAP mean"},
	{0xf0c3, PARAM_PRESSURE, "BAP mean"},
	{0x4bc8, PARAM_SATURATION, "SpO2 left"},
	{0x4bcc, PARAM_SATURATION, "SpO2 right"},
	{0xf09c, PARAM_SATURATION, "SpO2 of telemetry"},
	{0xf09d, PARAM_PULSE_RATE, "Pulse of telemetry"},
};

/* LOINC's numbers for what numerics[] names. */
static const struct {
	uint32_t loinc;
	uint16_t code;
} loincs[] = {
	{8867, 0x4182}, {8889, 0x481a}, {59408, 0x4bb8},
	{2708, 0x4bb8}, {8310, 0x4b48}, {9279, 0x500a},
};

static const struct row *find(const struct row *table, size_t count, uint16_t code)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].code == code)
			return &table[i];
	return NULL;
}

#define FIND(table, code) find(table, sizeof(table) / sizeof((table)[0]), code)

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

const char *param_name(uint16_t code)
{
	const struct row *r = FIND(waves, code);

	if (!r)
		r = FIND(numerics, code);
	return r ? r->name : "other";
}
