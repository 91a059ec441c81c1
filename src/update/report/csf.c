/* NIST Cybersecurity Framework 2.0 (NIST CSWP 29), functions and categories. */
#include "update/report/compliance.h"

#define ROW(section, title, ...)                  \
	{                                         \
		section, title, "", false, false, \
		{                                 \
			__VA_ARGS__               \
		}                                 \
	}
/* Outcomes of a whole organisation: a gateway shows its part. */
#define HEAD(title)                           \
	{                                     \
		title, NULL, "", false, true, \
		{                             \
			NULL                  \
		}                             \
	}

static const struct compliance_requirement requirements[] = {
	HEAD("Govern (GV)"),
	ROW("GV.OC", "Organizational context", NULL),
	ROW("GV.RM", "Risk management strategy", NULL),
	ROW("GV.RR", "Roles, responsibilities and authorities", measure_users),
	ROW("GV.PO", "Policy", measure_changes),
	ROW("GV.OV", "Oversight", measure_audit),
	ROW("GV.SC", "Cybersecurity supply chain risk management", measure_patches,
	    measure_inventory),

	HEAD("Identify (ID)"),
	ROW("ID.AM", "Asset management", measure_inventory, measure_segments),
	ROW("ID.RA", "Risk assessment", measure_patches),
	ROW("ID.IM", "Improvement", NULL),

	HEAD("Protect (PR)"),
	ROW("PR.AA", "Identity management, authentication and access control", measure_factors,
	    measure_users, measure_doors, measure_binding),
	ROW("PR.AT", "Awareness and training", NULL),
	ROW("PR.DS", "Data security", measure_rest, measure_sealed, measure_vitals),
	ROW("PR.PS", "Platform security", measure_patches, measure_shields, measure_events,
	    measure_updates),
	ROW("PR.IR", "Technology infrastructure resilience", measure_segments, measure_allowlist,
	    measure_continuity),

	HEAD("Detect (DE)"),
	ROW("DE.CM", "Continuous monitoring", measure_events, measure_vitals, measure_binding),
	ROW("DE.AE", "Adverse event analysis", measure_incidents),

	HEAD("Respond (RS)"),
	ROW("RS.MA", "Incident management", measure_incidents),
	ROW("RS.AN", "Incident analysis", measure_kept, measure_audit),
	ROW("RS.CO", "Incident response reporting and communication", NULL),
	ROW("RS.MI", "Incident mitigation", measure_allowlist, measure_shields),

	HEAD("Recover (RC)"),
	ROW("RC.RP", "Incident recovery plan execution", measure_continuity),
	ROW("RC.CO", "Incident recovery communication", NULL),
	{NULL},
};

const struct compliance_framework compliance_csf = {
	.name = "csf",
	.title = "NIST Cybersecurity Framework 2.0",
	.source = "NIST CSWP 29, February 2024",
	.note = "What one gateway enforces and measures for the devices behind it, by the "
		"framework's "
		"categories. Profiles and tiers are the organisation's to set.",
	.requirements = requirements,
};
