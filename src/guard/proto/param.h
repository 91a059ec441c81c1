#ifndef BEDWARDEN_GUARD_PROTO_PARAM_H
#define BEDWARDEN_GUARD_PROTO_PARAM_H
/*
 * What the codes of ISO/IEEE 11073-10101 partition 2 (SCADA) stand for, as far
 * as integrity needs it. IntelliVue uses the same numbers ("Data Export
 * Interface Programming Guide", Nomenclature); HL7's OBX-3 adds 2 << 16.
 */
#include "base/bytes.h"

enum param_kind { PARAM_OTHER, PARAM_ECG, PARAM_PULSE, PARAM_BREATH };

/* A wave: an ECG lead, something that pulses with every beat (pleth, arterial pressure), breath. */
enum param_kind param_wave(uint16_t code);
/* Of an oximeter: on either side, or of telemetry. */
bool param_is_pleth(uint16_t code);

enum param_number {
	PARAM_NUMBER_OTHER,
	PARAM_HEART_RATE, /* counted from the ECG */
	PARAM_PULSE_RATE, /* counted from pleth or pressure */
	PARAM_SATURATION,
	PARAM_TEMPERATURE,
	PARAM_BREATH_RATE,
	PARAM_PRESSURE, /* invasive, mean */
};

enum param_number param_numeric(uint16_t code);
/* The code of what LOINC calls by this number, its check digit left out; 0 where it is no vital sign. */
uint16_t param_loinc(uint32_t number);
/* The code that has this reference identifier, "MDC_ECG_HEART_RATE", of those known here; else 0. */
uint16_t param_ref_id(struct bytes id);
/* The same of what senders write who use no codes: "HR", "Pulse", "SpO2", "Temp", in any letters. */
uint16_t param_local(struct bytes id);

/* "ECG II", "pleth"; "other" where it is not known. Static. */
const char *param_name(uint16_t code);

#endif
