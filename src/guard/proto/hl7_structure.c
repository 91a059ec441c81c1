#include "guard/proto/hl7_structure.h"

#define CODE	  3
#define STRUCTURE 7

/* Where the structure is named after another event; with whatever is the same in any version. */
static const struct {
	char code[CODE + 1], structure[STRUCTURE + 1];
	const char *triggers; /* three characters and a blank each */
} table[] = {
	{"ADT", "ADT_A01", "A04 A08 A13"},
	{"ADT", "ADT_A05", "A14 A28 A31"},
	{"ADT", "ADT_A06", "A07"},
	{"ADT", "ADT_A09", "A10 A11 A12"},
	{"ADT", "ADT_A21", "A22 A23 A25 A26 A27 A29 A32 A33"},
	{"ADT", "ADT_A30", "A34 A35 A36 A46 A47 A48 A49"},
	{"ADT", "ADT_A39", "A40 A41 A42"},
	{"ADT", "ADT_A43", "A44 A49"},
	{"ADT", "ADT_A44", "A47"},
	{"ADT", "ADT_A50", "A51"},
	{"ADT", "ADT_A52", "A53 A55"},
	{"ADT", "ADT_A54", "A55"},
	{"ADT", "ADT_A61", "A62"},
	{"CCR", "CCR_I16", "I17 I18"},
	{"CRM", "CRM_C01", "C02 C03 C04 C05 C06 C07 C08"},
	{"CSU", "CSU_C09", "C10 C11 C12"},
	{"LSR", "LSU_U12", "U13"},
	{"MDM", "MDM_T01", "T03 T05 T07 T09 T11"},
	{"MDM", "MDM_T02", "T04 T06 T08 T10"},
	{"MFK", "MFK_M01", "M02 M03 M04 M05 M06 M07 M08 M09 M10 M11 M12 M13 M14"},
	{"MFN", "MFN_Znn", "M14"},
	{"MFQ", "MFQ_M01", "M02 M03 M04 M05 M06 M07 M08 M09 M10 M11 M12 M13 M14"},
	{"MFR", "MFR_M01", "M02 M03"},
	{"ORU", "ORU_R01", "R40 R42 R43"},
	{"ORU", "ORU_R30", "R31 R32"},
	{"PEX", "PEX_P07", "P08"},
	{"PGL", "PGL_PC6", "PC7 PC8"},
	{"PIN", "RQI_I01", "I07"},
	{"PMU", "PMU_B01", "B02"},
	{"PMU", "PMU_B04", "B05 B06"},
	{"PPG", "PPG_PCG", "PCH PCJ"},
	{"PPP", "PPP_PCB", "PCC PCD"},
	{"PPR", "PPR_PC1", "PC2 PC3"},
	{"QBP", "QBP_O33", "Q33"},
	{"QBP", "QBP_O34", "Q34"},
	{"QBP", "QBP_Q11", "Q31"},
	{"QBP", "QBP_Q21", "Q22 Q23 Q24 Q25 Q32"},
	{"QRY", "QRY_PC4", "PC9 PCE PCK"},
	{"QRY", "QRY_Q01", "Q26 Q27 Q28 Q29 Q30"},
	{"QSX", "QCN_J01", "J02"},
	{"RDE", "RDE_O11", "O25"},
	{"REF", "REF_I12", "I13 I14 I15"},
	{"RPA", "RPA_I08", "I09 I10 I11"},
	{"RQA", "RQA_I08", "I09 I10 I11"},
	{"RQC", "RQC_I05", "I06"},
	{"RQI", "RQI_I01", "I02 I03"},
	{"RRE", "RRE_O12", "O26"},
	{"RRI", "RRI_I12", "I13 I14 I15"},
	{"RSP", "RSP_K21", "K22"},
	{"RSP", "RSP_K23", "K24"},
	{"RSP", "RSP_O33", "K33"},
	{"RSP", "RSP_O34", "K34"},
	{"SCN", "SDR_S32", "S37"},
	{"SDN", "SDR_S31", "S36"},
	{"SIU", "SIU_S12", "S13 S14 S15 S16 S17 S18 S19 S20 S21 S22 S23 S24 S26 S27"},
	{"SLN", "SLR_S28", "S34 S35"},
	{"SLR", "SLR_S28", "S29"},
	{"SMD", "SDR_S32", "S32"},
	{"SRM", "SRM_S01", "S02 S03 S04 S05 S06 S07 S08 S09 S10 S11"},
	{"SRR", "SRR_S01", "S02 S03 S04 S05 S06 S07 S08 S09 S10 S11"},
	{"STI", "SLR_S28", "S30"},
	{"TCR", "TCU_U10", "U11"},
};

static bool is(struct bytes b, const char *text, size_t len)
{
	return b.len == len && !memcmp(b.data, text, len);
}

static bool is_among(const char *triggers, struct bytes trigger)
{
	for (const char *t = triggers; trigger.len == CODE; t += CODE + 1) {
		if (!memcmp(t, trigger.data, CODE))
			return true;
		if (!t[CODE])
			return false;
	}
	return false;
}

bool hl7_structure_fits(struct bytes code, struct bytes trigger, struct bytes structure)
{
	struct bytes rest = structure;

	if (!structure.len)
		return true;
	if (code.len && structure.len >= code.len && !memcmp(structure.data, code.data, code.len)) {
		rest.data += code.len;
		rest.len -= code.len;
		if (!rest.len ||
		    (rest.data[0] == '_' && trigger.len &&
		     (trigger.data[0] == 'Z' || is((struct bytes){rest.data + 1, rest.len - 1},
						   (const char *)trigger.data, trigger.len))))
			return true;
	}
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (is(code, table[i].code, CODE) && is(structure, table[i].structure, STRUCTURE))
			return is_among(table[i].triggers, trigger);
	return false;
}
