/* Every option's list made into libcyaml's schema, and into what that does not know of it. */
#include "base/schema.h"
#include "base/schema_device.h"
#include "base/schema_gateway.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define REQUIRED CYAML_FLAG_DEFAULT
#define OPTIONAL CYAML_FLAG_OPTIONAL

#define MAX_SEGMENTS 64
#define MAX_HOSTS    65536
#define MAX_DEVICES  65536
#define MAX_RULES    64
#define MAX_LIST     64
#define MAX_RELAYS   64
#define MAX_PEERS    64 /* GATE_LINKS */
#define MAX_SHIELDS  4096

/* Words, each one above its enum value (schema.h). The first of equals is the one to write. */
static const cyaml_strval_t yes_no[] = {
	{"yes", 2}, {"no", 1}, {"true", 2}, {"false", 1}, {"on", 2}, {"off", 1},
};
static const cyaml_strval_t modes[] = {
	{"observe", GATE_OBSERVE + 1},
	{"simulate", GATE_SIMULATE + 1},
	{"enforce", GATE_ENFORCE + 1},
};
static const cyaml_strval_t fails[] = {{"open", GATE_OPEN + 1}, {"closed", GATE_CLOSED + 1}};
static const cyaml_strval_t actions[] = {
	{"inspect", GATE_INSPECT + 1},
	{"pass", GATE_PASS + 1},
	{"drop", GATE_DROP + 1},
	{"seal", GATE_SEAL + 1},
};
static const cyaml_strval_t sides[] = {{"in", 2}, {"out", 1}};
static const cyaml_strval_t verifies[] = {{"mutual", 2}, {"server", 1}};
static const cyaml_strval_t proxies[] = {
	{"none", CONFIG_PROXY_NONE + 1},
	{"out", CONFIG_PROXY_OUT + 1},
	{"in", CONFIG_PROXY_IN + 1},
	{"both", CONFIG_PROXY_BOTH + 1},
};
static const cyaml_strval_t shield_modes[] = {{"simulate", 1}, {"enforce", 2}};
static const cyaml_strval_t directions[] = {
	{"both", CONFIG_BOTH + 1},
	{"accepts", CONFIG_ACCEPTS + 1},
	{"starts", CONFIG_STARTS + 1},
};
static const cyaml_strval_t hashed_open[] = {{"hashed", 1}, {"open", 2}};
static const cyaml_strval_t block_observe[] = {{"block", 2}, {"observe", 1}};
static const cyaml_strval_t anywhere_ward[] = {{"anywhere", 2}, {"ward", 1}};
static const cyaml_strval_t auto_approve[] = {{"auto", 1}, {"approve", 2}};
static const cyaml_strval_t drivers[] = {
	{"person", CONFIG_PERSON + 1},
	{"agent", CONFIG_AGENT + 1},
	{"push", CONFIG_PUSH + 1},
};
static const cyaml_strval_t put_post[] = {{"put", 1}, {"post", 2}};
static const cyaml_strval_t block_report[] = {{"block", 2}, {"report", 1}};

/* Entries of lists of plain text: addresses, names, ports. */
static const struct cyaml_schema_value text_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 255),
};

/* The file itself. */
#define TOP(X)                                                                                     \
	X(MAP, schema_file, "gateway", config, gateway_fields, OPTIONAL, NULL, 0, 0,               \
	  "The gateway itself.")                                                                   \
	X(MAP, schema_file, "console", config, console_fields, OPTIONAL, NULL, 0, 0,               \
	  "The page and the API.")                                                                 \
	X(MAP, schema_file, "people", config, people_fields, OPTIONAL, NULL, 0, 0,                 \
	  "Who may sign in, and how.")                                                             \
	X(MAP, schema_file, "audit", config, audit_fields, OPTIONAL, NULL, 0, 0,                   \
	  "The audit trail.")                                                                      \
	X(MAP, schema_file, "backup", config, backup_fields, OPTIONAL, NULL, 0, 0,                 \
	  "What the gateway backs up by itself.")                                                  \
	X(MAP, schema_file, "updates", config, updates_fields, OPTIONAL, NULL, 0, 0, "Updates.")   \
	X(MAP, schema_file, "pki", config, pki_fields, OPTIONAL, NULL, 0, 0, "Certificates.")      \
	X(MAPS, schema_file, "relays", config.relays, &relay_entry, OPTIONAL, NULL, 0, MAX_RELAYS, \
	  "TCP in the clear on one side and TLS on the other.")                                    \
	X(MAP, schema_file, "link", config, link_fields, OPTIONAL, NULL, 0, 0,                     \
	  "The sealed link to other gateways.")                                                    \
	X(MAPS, schema_file, "peers", config.peers, &peer_entry, OPTIONAL, NULL, 0, MAX_PEERS,     \
	  "Other gateways, with hosts behind them.")                                               \
	X(MAPS, schema_file, "segments", config.segments, &segment_entry, REQUIRED, NULL, 1,       \
	  MAX_SEGMENTS, "Pairs of ports with a ward behind one of them.")                          \
	X(MAPS, schema_file, "hosts", config.hosts, &host_entry, OPTIONAL, NULL, 0, MAX_HOSTS,     \
	  "Machines and networks that devices talk to.")                                           \
	X(MAPS, schema_file, "devices", config.devices, &device_entry, OPTIONAL, NULL, 0,          \
	  MAX_DEVICES, "The devices that are guarded.")                                            \
	X(MAPS, schema_file, "shields", config.shields, &shield_entry, OPTIONAL, NULL, 0,          \
	  MAX_SHIELDS, "Virtual patches of devices that have no update yet.")

/* A line as libcyaml wants it. */
#define FIELD(kind, ...) FIELD_##kind(__VA_ARGS__),
#define FIELD_TEXT(tag, key, member, extra, flags, fallback, min, max, what) \
	CYAML_FIELD_STRING_PTR(key, (flags) | CYAML_FLAG_POINTER, struct tag, member, min, max)
#define FIELD_NUMBER(tag, key, member, extra, flags, fallback, min, max, what) \
	CYAML_FIELD_UINT_PTR(key, (flags) | CYAML_FLAG_POINTER, struct tag, member)
#define FIELD_WORD(tag, key, member, extra, flags, fallback, min, max, what) \
	CYAML_FIELD_ENUM(key, (flags) | CYAML_FLAG_STRICT, struct tag, member, extra, COUNT(extra))
#define FIELD_WORD_AT(tag, key, member, extra, flags, fallback, min, max, what)                 \
	CYAML_FIELD_ENUM_PTR(key, (flags) | CYAML_FLAG_STRICT | CYAML_FLAG_POINTER, struct tag, \
			     member, extra, COUNT(extra))
#define FIELD_TEXTS(tag, key, member, extra, flags, fallback, min, max, what) \
	CYAML_FIELD_SEQUENCE(key, (flags) | CYAML_FLAG_POINTER, struct tag, member, extra, min, max)
#define FIELD_MAPS FIELD_TEXTS
#define FIELD_MAP_AT(tag, key, member, extra, flags, fallback, min, max, what) \
	CYAML_FIELD_MAPPING_PTR(key, (flags) | CYAML_FLAG_POINTER, struct tag, member, extra)
/* The gateway's options count from the start of the file's struct, see struct schema_given. */
#define FIELD_MAP(tag, key_, member, extra, flags_, fallback, min, max, what) \
	{                                                                     \
		.key = (key_), .data_offset = 0,                              \
		.value = {                                                    \
			.type = CYAML_MAPPING,                                \
			.flags = (enum cyaml_flag)(flags_),                   \
			.data_size = sizeof(struct tag),                      \
			.mapping = {.fields = (extra)},                       \
		},                                                            \
	}

/* The same line as everything else wants it. */
#define OPTION(kind, ...) OPTION_##kind(__VA_ARGS__),
#define OPTION_TEXT(tag, key, member, extra, flags, fallback_, min_, max_, what_)      \
	{                                                                              \
		.fallback = (fallback_), .min = (min_), .max = (max_), .what = (what_) \
	}
#define OPTION_NUMBER(tag, key, member, extra, flags, fallback_, min_, max_, what_) \
	{                                                                           \
		.fallback = (fallback_), .min = (min_), .max = (max_),              \
		.target = offsetof(struct tag, extra), .what = (what_)              \
	}
#define OPTION_WORD    OPTION_TEXT
#define OPTION_WORD_AT OPTION_TEXT
#define OPTION_TEXTS   OPTION_TEXT
#define OPTION_MAPS    OPTION_TEXT
#define OPTION_MAP_AT  OPTION_TEXT
#define OPTION_MAP     OPTION_TEXT

#define TABLE(name, LIST)                                                                       \
	static const struct cyaml_schema_field name##_fields[] = {LIST(FIELD) CYAML_FIELD_END}; \
	static const struct schema_option name##_options[] = {LIST(OPTION)};
#define ENTRY(name, tag)                                                            \
	static const struct cyaml_schema_value name##_entry = {                     \
		CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct tag, name##_fields), \
	};

/* clang-format off */
TABLE(gateway, GATEWAY)
TABLE(console, CONSOLE)
TABLE(pki, PKI)
TABLE(relay, RELAY)
ENTRY(relay, config_relay)
TABLE(link, LINK)
TABLE(peer, PEER)
ENTRY(peer, config_peer)
TABLE(people, PEOPLE)
TABLE(export, EXPORT)
TABLE(audit, AUDIT)
TABLE(backup, BACKUP)
TABLE(rollout, ROLLOUT)
TABLE(updates, UPDATES)
TABLE(segment, SEGMENT)
ENTRY(segment, config_segment)
TABLE(host, HOST)
ENTRY(host, config_host)
TABLE(rule, RULE)
ENTRY(rule, config_rule)
TABLE(service, SERVICE)
ENTRY(service, config_service)
TABLE(update, UPDATE)
TABLE(device, DEVICE)
ENTRY(device, config_device)
TABLE(shield, SHIELD)
ENTRY(shield, config_shield)
TABLE(identify, IDENTIFY)
TABLE(profile, PROFILE)
TABLE(top, TOP)

#define ROW(row, name, what) {name, what, row##_fields, row##_options}
/* In the order of the manual. */
const struct schema_table schema_tables[] = {
	ROW(top, "", "The policy file"),
	ROW(gateway, "gateway", "The gateway itself"),
	ROW(console, "console", "The page and the API"),
	ROW(pki, "pki", "Certificates"),
	ROW(relay, "relays", "A relay between the clear and TLS"),
	ROW(link, "link", "The sealed link to other gateways"),
	ROW(peer, "peers", "A gateway at the other end of a sealed link"),
	ROW(people, "people", "Who may sign in, and how"),
	ROW(audit, "audit", "The audit trail"),
	ROW(export, "audit.export", "Where the audit trail is sent"),
	ROW(backup, "backup", "What the gateway backs up by itself"),
	ROW(updates, "updates", "Where updates come from, and when they are installed"),
	ROW(rollout, "updates.rollout", "How firmware comes to devices"),
	ROW(segment, "segments", "A pair of ports with a ward behind one of them"),
	ROW(host, "hosts", "Machines and networks that devices talk to"),
	ROW(device, "devices", "A device that is guarded"),
	ROW(update, "update", "How a device gets firmware"),
	ROW(shield, "shields", "A virtual patch"),
	ROW(profile, "profile", "A profile, in a file of its own"),
	ROW(rule, "rule", "An entry of starts or accepts"),
	ROW(service, "service", "An entry of services"),
	ROW(identify, "identify", "What a device of a profile is recognised by"),
	{NULL},
};
/* clang-format on */

const struct cyaml_schema_value schema_policy = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct schema_file, top_fields),
};
const struct cyaml_schema_value schema_profile = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_profile, profile_fields),
};

static const struct cyaml_schema_value profile_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct config_profile, profile_fields),
};
const struct cyaml_schema_value schema_profiles = {
	CYAML_VALUE_SEQUENCE(CYAML_FLAG_POINTER, struct config_profile, &profile_entry, 0,
			     CYAML_UNLIMITED),
};
