/*
 * The HIPAA Security Rule, 45 CFR Part 164 Subpart C, in its order, and what the notice of
 * proposed rulemaking of 6 January 2025 (90 FR 898) would ask besides.
 */
#include "update/report/compliance.h"

#define REQUIRED    "required"
#define ADDRESSABLE "addressable"
#define ROW(section, title, level, ...)              \
	{                                            \
		section, title, level, false, false, \
		{                                    \
			__VA_ARGS__                  \
		}                                    \
	}
#define PROPOSED(section, title, ...)                  \
	{                                              \
		section, title, REQUIRED, true, false, \
		{                                      \
			__VA_ARGS__                    \
		}                                      \
	}
#define HEAD(title, proposed, shared)              \
	{                                          \
		title, NULL, "", proposed, shared, \
		{                                  \
			NULL                       \
		}                                  \
	}

static const struct compliance_requirement requirements[] = {
	HEAD("Administrative safeguards, 164.308", false, true),
	ROW("164.308(a)(1)(ii)(A)", "Risk analysis", REQUIRED, measure_patches, measure_inventory),
	ROW("164.308(a)(1)(ii)(B)", "Risk management", REQUIRED, measure_patches, measure_shields,
	    measure_allowlist),
	ROW("164.308(a)(1)(ii)(C)", "Sanction policy", REQUIRED, NULL),
	ROW("164.308(a)(1)(ii)(D)", "Information system activity review", REQUIRED, measure_events,
	    measure_audit),
	ROW("164.308(a)(2)", "Assigned security responsibility", REQUIRED, NULL),
	ROW("164.308(a)(3)(ii)(A)", "Authorization and/or supervision of the workforce",
	    ADDRESSABLE, measure_users, measure_doors),
	ROW("164.308(a)(3)(ii)(B)", "Workforce clearance procedure", ADDRESSABLE, NULL),
	ROW("164.308(a)(3)(ii)(C)", "Termination procedures", ADDRESSABLE, measure_users),
	ROW("164.308(a)(4)(ii)(A)", "Isolating clearinghouse functions", REQUIRED, NULL),
	ROW("164.308(a)(4)(ii)(B)", "Access authorization", ADDRESSABLE, measure_doors,
	    measure_users),
	ROW("164.308(a)(4)(ii)(C)", "Access establishment and modification", ADDRESSABLE,
	    measure_users, measure_audit),
	ROW("164.308(a)(5)(ii)(A)", "Security reminders", ADDRESSABLE, NULL),
	ROW("164.308(a)(5)(ii)(B)", "Protection from malicious software", ADDRESSABLE,
	    measure_allowlist, measure_shields, measure_updates),
	ROW("164.308(a)(5)(ii)(C)", "Log-in monitoring", ADDRESSABLE, measure_sign_ins),
	ROW("164.308(a)(5)(ii)(D)", "Password management", ADDRESSABLE, measure_factors),
	ROW("164.308(a)(6)(ii)", "Response to and reporting of security incidents", REQUIRED,
	    measure_incidents),
	ROW("164.308(a)(7)(ii)(A)", "Data backup plan", REQUIRED, NULL),
	ROW("164.308(a)(7)(ii)(B)", "Disaster recovery plan", REQUIRED, NULL),
	ROW("164.308(a)(7)(ii)(C)", "Emergency mode operation plan", REQUIRED, measure_continuity,
	    measure_emergency),
	ROW("164.308(a)(7)(ii)(D)", "Testing and revision of contingency plans", ADDRESSABLE, NULL),
	ROW("164.308(a)(7)(ii)(E)", "Applications and data criticality analysis", ADDRESSABLE,
	    NULL),
	ROW("164.308(a)(8)", "Evaluation", REQUIRED, NULL),
	ROW("164.308(b)(3)", "Written contract or other arrangement with business associates",
	    REQUIRED, NULL),

	HEAD("Physical safeguards, 164.310", false, true),
	ROW("164.310(a)(2)(i)", "Facility access in contingency operations", ADDRESSABLE, NULL),
	ROW("164.310(a)(2)(ii)", "Facility security plan", ADDRESSABLE, NULL),
	ROW("164.310(a)(2)(iii)", "Access control and validation procedures", ADDRESSABLE, NULL),
	ROW("164.310(a)(2)(iv)", "Maintenance records of the facility", ADDRESSABLE, NULL),
	ROW("164.310(b)", "Workstation use", REQUIRED, NULL),
	ROW("164.310(c)", "Workstation security", REQUIRED, measure_logoff),
	ROW("164.310(d)(2)(i)", "Disposal", REQUIRED, NULL),
	ROW("164.310(d)(2)(ii)", "Media re-use", REQUIRED, NULL),
	ROW("164.310(d)(2)(iii)", "Accountability for hardware and media", ADDRESSABLE,
	    measure_inventory),
	ROW("164.310(d)(2)(iv)", "Data backup and storage", ADDRESSABLE, measure_kept),

	HEAD("Technical safeguards, 164.312", false, false),
	ROW("164.312(a)(1)", "Access control", REQUIRED, measure_allowlist, measure_doors,
	    measure_binding),
	ROW("164.312(a)(2)(i)", "Unique user identification", REQUIRED, measure_users),
	ROW("164.312(a)(2)(ii)", "Emergency access procedure", REQUIRED, measure_emergency),
	ROW("164.312(a)(2)(iii)", "Automatic logoff", ADDRESSABLE, measure_logoff),
	ROW("164.312(a)(2)(iv)", "Encryption and decryption", ADDRESSABLE, measure_rest),
	ROW("164.312(b)", "Audit controls", REQUIRED, measure_audit, measure_events),
	ROW("164.312(c)(1)", "Integrity", REQUIRED, measure_vitals, measure_audit),
	ROW("164.312(c)(2)", "Mechanism to authenticate electronic protected health information",
	    ADDRESSABLE, measure_vitals, measure_binding),
	ROW("164.312(d)", "Person or entity authentication", REQUIRED, measure_factors,
	    measure_binding),
	ROW("164.312(e)(1)", "Transmission security", REQUIRED, measure_sealed, measure_allowlist),
	ROW("164.312(e)(2)(i)", "Integrity controls in transmission", ADDRESSABLE, measure_vitals,
	    measure_sealed),
	ROW("164.312(e)(2)(ii)", "Encryption in transmission", ADDRESSABLE, measure_sealed),

	HEAD("Organisational requirements, 164.314", false, true),
	ROW("164.314(a)(1)", "Business associate contracts or other arrangements", REQUIRED, NULL),
	ROW("164.314(b)(1)", "Requirements for group health plans", REQUIRED, NULL),

	HEAD("Policies, procedures and documentation, 164.316", false, true),
	ROW("164.316(a)", "Policies and procedures", REQUIRED, measure_changes),
	ROW("164.316(b)(1)", "Documentation", REQUIRED, measure_changes, measure_audit),
	ROW("164.316(b)(2)(i)", "Time limit: documentation is kept six years", REQUIRED,
	    measure_kept),
	ROW("164.316(b)(2)(ii)", "Availability", REQUIRED, NULL),
	ROW("164.316(b)(2)(iii)", "Updates", REQUIRED, measure_changes),

	HEAD("Proposed, not law: notice of 6 January 2025", true, true),
	PROPOSED("164.308(a)(1)", "Technology asset inventory and network map", measure_inventory,
		 measure_segments),
	PROPOSED("164.308(a)(4)", "Patch management: critical in 15 days, high in 30",
		 measure_patches, measure_shields, measure_updates),
	PROPOSED("164.308(a)(13)", "Contingency plan: restoration within 72 hours", NULL),
	PROPOSED("164.308(a)(14)", "Compliance audit every 12 months", NULL),
	PROPOSED("164.312(a)(2)(v)", "Log-in attempts", measure_sign_ins),
	PROPOSED("164.312(a)(2)(vi)", "Network segmentation", measure_segments, measure_allowlist),
	PROPOSED("164.312(b)(2)", "Encryption at rest and in transit", measure_rest,
		 measure_sealed),
	PROPOSED("164.312(c)(2)(iv)", "Network ports that are not needed are off",
		 measure_allowlist, measure_doors),
	PROPOSED("164.312(d)", "Audit trail and system log controls", measure_audit,
		 measure_events),
	PROPOSED("164.312(f)(2)(ii)", "Multi-factor authentication", measure_factors,
		 measure_doors),
	PROPOSED("164.312(h)(2)", "Vulnerability management", measure_patches),
	PROPOSED("164.312(i)", "Data backup and recovery", NULL),
	{NULL},
};

const struct compliance_framework compliance_hipaa = {
	.name = "hipaa",
	.title = "HIPAA Security Rule",
	.source = "45 CFR 164.308 to 164.316; proposed: 90 FR 898",
	.note = "What one gateway enforces and measures for the devices behind it. Whether an "
		"organisation "
		"complies depends on more than that; what only the organisation can show is marked "
		"so.",
	.requirements = requirements,
};
