#include "base/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/*
 * The lists. One line an option:
 * X(kind, struct, key, member, extra, flags, default, min, max, sentence)
 * where extra is a word list, the entries' schema or, for a number, the member it settles into.
 */
#define GATEWAY(X)                                                                                 \
	X(TEXT, schema_file, "name", config.gateway.name, 0, OPTIONAL, "bedwarden", 1, 63,         \
	  "What this gateway is called in events and status.")                                     \
	X(TEXT, schema_file, "state_dir", config.gateway.state_dir, 0, OPTIONAL,                   \
	  "/var/lib/bedwarden", 1, 255, "Where the database, the events and the keys are kept.")   \
	X(TEXT, schema_file, "run_dir", config.gateway.run_dir, 0, OPTIONAL, "/run/bedwarden", 1,  \
	  90, "Where the control socket is.")                                                      \
	X(TEXT, schema_file, "bpf_dir", config.gateway.bpf_dir, 0, OPTIONAL,                       \
	  "/sys/fs/bpf/bedwarden", 1, 200,                                                         \
	  "Where the kernel program and its tables are pinned; on a bpffs.")                       \
	X(TEXT, schema_file, "profiles_dir", config.gateway.profiles_dir, 0, OPTIONAL, "", 0, 255, \
	  "A folder of profiles that is searched first. Then come the folder profiles beside "     \
	  "the policy file and the profiles that were installed.")                                 \
	X(TEXT, schema_file, "capture", config.gateway.capture, 0, OPTIONAL, "auto", 1, 15,        \
	  "How frames are taken: xdp, packet (AF_PACKET, where BPF is not permitted), or auto: "   \
	  "the first of these that works.")                                                        \
	X(NUMBER, schema_file, "workers", given.workers, config.gateway.workers, OPTIONAL, "0", 0, \
	  128, "How many guards run; 0: one per receive queue.")                                   \
	X(NUMBER, schema_file, "flows", given.flows, config.gateway.flows, OPTIONAL, "262144",     \
	  1024, 16777216,                                                                          \
	  "Most conversations at once, per guard; past it the idlest is evicted. The kernel "      \
	  "remembers as many, and sets 216 bytes aside for each.")                                 \
	X(NUMBER, schema_file, "fragments", given.fragments, config.gateway.fragments, OPTIONAL,   \
	  "1024", 16, 65536, "Most packets under reassembly at once, per guard.")                  \
	X(NUMBER, schema_file, "streams_mb", given.streams_mb, config.gateway.streams_mb,          \
	  OPTIONAL, "64", 1, 65536,                                                                \
	  "Most memory, in megabytes and per guard, for what TCP conversations say in pieces.")    \
	X(NUMBER, schema_file, "vitals", given.vitals, config.gateway.vitals, OPTIONAL, "512", 4,  \
	  65536,                                                                                   \
	  "Most waves of bedside monitors, per guard, that are watched for forged vital signs; "   \
	  "past it the monitor longest unheard is forgotten.")                                     \
	X(NUMBER, schema_file, "stale_ms", given.stale_ms, config.gateway.stale_ms, OPTIONAL,      \
	  "200", 10, 10000,                                                                        \
	  "A guard that was silent for so many milliseconds counts as gone, and each device's "    \
	  "fail mode decides.")                                                                    \
	X(TEXT, schema_file, "eve_file", config.gateway.eve_file, 0, OPTIONAL, "eve.json", 0, 255, \
	  "The file events are written to, relative to state_dir; empty for none.")                \
	X(NUMBER, schema_file, "eve_rotate_mb", given.eve_rotate_mb, config.gateway.eve_rotate_mb, \
	  OPTIONAL, "64", 1, 65536,                                                                \
	  "A new event file is begun when this one is so many megabytes long.")                    \
	X(NUMBER, schema_file, "eve_keep", given.eve_keep, config.gateway.eve_keep, OPTIONAL, "8", \
	  0, 1000, "How many finished event files are kept.")                                      \
	X(WORD, schema_file, "eve_names", config.gateway.eve_open, hashed_open, OPTIONAL,          \
	  "hashed", 0, 0,                                                                          \
	  "How the event file tells what could name a patient, such as web addresses, names of "   \
	  "files and users: hashed, the same for the same one, or open.")                          \
	X(NUMBER, schema_file, "store_events", given.store_events, config.gateway.store_events,    \
	  OPTIONAL, "200000", 1000, 100000000,                                                     \
	  "Most single events kept in the database; the oldest go first.")                         \
	X(WORD, schema_file, "bypass", config.gateway.bypass, yes_no, OPTIONAL, "off", 0, 0,       \
	  "Whether the kernel lets a conversation pass by the guards, for ten seconds at a time, " \
	  "once they can read nothing more of it, such as TLS after its beginning. It is counted " \
	  "whole. Never one that is kept as evidence, archived, sealed, or under a grant.")        \
	X(WORD, schema_file, "evidence", config.gateway.evidence, yes_no, OPTIONAL, "off", 0, 0,   \
	  "Whether the packets around what was blocked or found are kept: as pcapng files in the " \
	  "vault, class evidence; in the folder evidence of state_dir where the keys are locked. " \
	  "They hold what patients' devices said.")                                                \
	X(NUMBER, schema_file, "evidence_mb", given.evidence_mb, config.gateway.evidence_mb,       \
	  OPTIONAL, "256", 1, 1048576, "Most megabytes of evidence; the oldest go first.")         \
	X(NUMBER, schema_file, "evidence_days", given.evidence_days, config.gateway.evidence_days, \
	  OPTIONAL, "30", 1, 3650, "Evidence older than so many days is removed.")                 \
	X(NUMBER, schema_file, "archive_mb", given.archive_mb, config.gateway.archive_mb,          \
	  OPTIONAL, "512", 1, 1048576,                                                             \
	  "Most megabytes of messages and images that are on their way into the vault, sealed "    \
	  "on the disk meanwhile; what is more is lost, and told.")                                \
	X(TEXT, schema_file, "crypto", config.gateway.crypto, 0, OPTIONAL, "any", 1, 15,           \
	  "Which algorithms are used: any that are good, or fips, those alone that FIPS 140-3 "    \
	  "approves, by OpenSSL's FIPS provider where it is installed (doc/fips.md).")             \
	X(TEXT, schema_file, "key_holder", config.gateway.key_holder, 0, OPTIONAL, "file", 1, 15,  \
	  "What holds the key to all other keys when they are first made: tpm2, pkcs11, "          \
	  "credential, passphrase, or file, which is for a first trial only.")                     \
	X(TEXT, schema_file, "key_place", config.gateway.key_place, 0, OPTIONAL, "", 0, 400,       \
	  "Where that is: a TCTI for tpm2, a PKCS#11 URI, the credential's name, a file for "      \
	  "passphrase and file. Empty: the place the keys were made with, or its default.")

#define CONSOLE(X)                                                                                 \
	X(WORD, schema_file, "on", config.console.on, yes_no, OPTIONAL, "yes", 0, 0,               \
	  "Whether there is a console: the page and the API, over HTTPS.")                         \
	X(TEXTS, schema_file, "listen", config.console.listen, &text_entry, OPTIONAL, NULL, 1, 3,  \
	  "Addresses and ports it listens at, as 10.0.0.1:8443 or [fd00::1]:8443; of the "         \
	  "management network, never of a ward's port. None: 127.0.0.1:8443 and [::1]:8443.")      \
	X(TEXTS, schema_file, "names", config.console.names, &text_entry, OPTIONAL, NULL, 1, 8,    \
	  "Names that people open it by. The first is the one that passkeys are bound to. None: "  \
	  "localhost.")                                                                            \
	X(TEXT, schema_file, "client_ca", config.console.client_ca, 0, OPTIONAL, "", 0, 255,       \
	  "A file of certificates, PEM: workstations are asked for a certificate by one of these " \
	  "when they connect, and sessions and grants remember it. Empty: none is asked for.")     \
	X(WORD, schema_file, "ward", config.console.ward, yes_no, OPTIONAL, "no", 0, 0,            \
	  "Whether it may be used from a ward, through the gateway's own ports there: for "        \
	  "emergencies at the bedside while the rest of the network is down.")                     \
	X(NUMBER, schema_file, "connections", given.connections, config.console.connections,       \
	  OPTIONAL, "256", 8, 4096, "Most connections at once.")                                   \
	X(NUMBER, schema_file, "per_source", given.per_source, config.console.per_source,          \
	  OPTIONAL, "64", 1, 4096, "Most connections at once from one address.")                   \
	X(NUMBER, schema_file, "requests", given.requests, config.console.requests, OPTIONAL,      \
	  "50", 1, 100000, "Most requests a second from one address, four times as many at once.") \
	X(NUMBER, schema_file, "subscribers", given.subscribers, config.console.subscribers,       \
	  OPTIONAL, "200", 1, 4096, "Most who look at events as they come.")

#define PKI(X)                                                                                   \
	X(TEXTS, schema_file, "names", config.pki.names, &text_entry, OPTIONAL, NULL, 1, 16,     \
	  "Host names and addresses that the gateway's own certificate is for. None: its name.") \
	X(TEXT, schema_file, "est", config.pki.est, 0, OPTIONAL, "", 0, 63,                      \
	  "An address and a port as 10.0.0.9:8085 where machines get certificates by EST "       \
	  "(RFC 7030). Empty: nowhere.")                                                         \
	X(NUMBER, schema_file, "days", given.days, config.pki.days, OPTIONAL, "90", 2, 825,      \
	  "How long a certificate is good for; it is renewed after two thirds.")

#define RELAY(X)                                                                                   \
	X(TEXT, config_relay, "name", name, 0, REQUIRED, NULL, 1, 63,                              \
	  "What the relay is called in events.")                                                   \
	X(TEXT, config_relay, "listen", listen, 0, REQUIRED, NULL, 1, 63,                          \
	  "An address of the gateway and a port as 10.0.0.9:2575 or [fd00::9]:2575.")              \
	X(TEXT, config_relay, "connect", connect, 0, REQUIRED, NULL, 1, 127,                       \
	  "Where what comes in goes on to: an address, or the name of a host with one address, "   \
	  "and a port.")                                                                           \
	X(WORD, config_relay, "tls", tls_in, sides, REQUIRED, NULL, 0, 0,                          \
	  "in: it listens by TLS and goes on in the clear. out: it listens in the clear and goes " \
	  "on by TLS.")                                                                            \
	X(WORD, config_relay, "verify", mutual, verifies, OPTIONAL, "mutual", 0, 0,                \
	  "mutual: both ends show certificates. server: only the one that is called.")             \
	X(TEXTS, config_relay, "names", names, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,           \
	  "Names of the other end, one of which its certificate must be for. None: any.")          \
	X(TEXTS, config_relay, "pin", pin, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,               \
	  "Keys of the other end, one of which it must have: sha256/ and base64, or 64 hex "       \
	  "digits, of its SubjectPublicKeyInfo.")                                                  \
	X(TEXT, config_relay, "ca", ca, 0, OPTIONAL, "", 0, 255,                                   \
	  "A PEM file with the issuers that are trusted, and their revocation lists. Empty: the "  \
	  "gateway's own authority. none: nobody, the pins alone decide.")                         \
	X(WORD, config_relay, "tls12", tls12, yes_no, OPTIONAL, "no", 0, 0,                        \
	  "Whether TLS 1.2 will do, with ECDHE and an AEAD (DICOM PS3.15 B.12).")                  \
	X(WORD, config_relay, "proxy", proxy, proxies, OPTIONAL, "none", 0, 0,                     \
	  "Whether the PROXY header (version 2) is expected where it listens (in), written where " \
	  "it connects (out), both or none.")                                                      \
	X(TEXT, config_relay, "app", app, 0, OPTIONAL, "", 0, 31,                                  \
	  "The protocol that is spoken there (hl7, dicom, mqtt, syslog, ...). Nothing else "       \
	  "passes then, nor a message that breaks it. None: any, unread.")                         \
	X(TEXTS, config_relay, "allow", allow, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,           \
	  "What its messages may say, as in a rule.")                                              \
	X(WORD, config_relay, "control", control, yes_no, OPTIONAL, "yes", 0, 0,                   \
	  "Whether messages that change what a device does may pass; needs app.")                  \
	X(TEXTS, config_relay, "from", from, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,             \
	  "Who may connect: addresses, prefixes, names of hosts and devices. Required where it "   \
	  "listens in the clear.")                                                                 \
	X(WORD, config_relay, "fail", fail, fails, OPTIONAL, "closed", 0, 0,                       \
	  "What happens when a certificate has run out: open goes on with it and says so, "        \
	  "closed refuses. Nothing is ever sent in the clear instead.")                            \
	X(NUMBER, config_relay, "connections", given_connections, connections, OPTIONAL, "1024",   \
	  1, 65536, "Most connections at once.")                                                   \
	X(NUMBER, config_relay, "idle_s", given_idle_s, idle_s, OPTIONAL, "0", 0, 604800,          \
	  "Seconds after which a quiet connection is ended; 0: never.")

#define LINK(X)                                                                                   \
	X(TEXT, schema_file, "listen", config.link.listen, 0, OPTIONAL, "", 0, 63,                \
	  "An address of the gateway and a UDP port as 10.0.0.9:4789 or [fd00::9]:4789 where "    \
	  "other gateways are heard and spoken to. It may be an address of a hospital port.")     \
	X(TEXT, schema_file, "ca", config.link.ca, 0, OPTIONAL, "", 0, 255,                       \
	  "A PEM file with issuers that are trusted for other gateways besides our own "          \
	  "authority, "                                                                           \
	  "and their revocation lists.")                                                          \
	X(NUMBER, schema_file, "renew_minutes", given.renew_minutes, config.link.renew_minutes,   \
	  OPTIONAL, "60", 1, 1440, "Keys that are so old are replaced, without a gap.")           \
	X(NUMBER, schema_file, "dead_ms", given.dead_ms, config.link.dead_ms, OPTIONAL, "3500",   \
	  200, 60000,                                                                             \
	  "A gateway that was not heard for so many milliseconds though asked is down, and each " \
	  "device's fail mode decides.")                                                          \
	X(NUMBER, schema_file, "coalesce_us", given.coalesce_us, config.link.coalesce_us,         \
	  OPTIONAL, "800", 0, 1000,                                                               \
	  "Where frames to be sealed come so fast that at least four come in so many "            \
	  "microseconds, they are taken together so often: later by at most that, for a "         \
	  "fraction of the work. 0: each is taken at once.")

#define PEER(X)                                                                                \
	X(TEXT, config_peer, "name", name, 0, REQUIRED, NULL, 1, 63,                           \
	  "What the other gateway is called in events.")                                       \
	X(TEXT, config_peer, "address", address, 0, OPTIONAL, "", 0, 63,                       \
	  "Its address and UDP port as 10.0.0.10:4789. Empty: it is not known, it calls us.")  \
	X(TEXT, config_peer, "certificate", certificate, 0, OPTIONAL, "", 0, 253,              \
	  "The name that its certificate must be for. Empty: what it is called.")              \
	X(TEXT, config_peer, "segment", segment, 0, OPTIONAL, "", 0, 63,                       \
	  "The segment whose hospital port its frames count as coming in by. Empty: the only " \
	  "one.")                                                                              \
	X(TEXTS, config_peer, "hosts", hosts, &text_entry, REQUIRED, NULL, 1, MAX_HOSTS,       \
	  "The hosts behind it, by name. What is allowed with them goes by the sealed link.")

#define PEOPLE(X)                                                                                  \
	X(WORD, schema_file, "sms", config.people.sms, yes_no, OPTIONAL, "no", 0, 0,               \
	  "Whether codes by SMS may serve as a second factor. They can be read and redirected on " \
	  "their way: leave it off where passkeys or apps will do.")                               \
	X(TEXT, schema_file, "sms_url", config.people.sms_url, 0, OPTIONAL, "", 0, 512,            \
	  "The SMS gateway, as Kannel's sendsms: http://10.0.0.20:13013/cgi-bin/sendsms, an "      \
	  "address and no name. Its login is one line, name:password, in sms.login of state_dir.") \
	X(TEXT, schema_file, "sms_from", config.people.sms_from, 0, OPTIONAL, "", 0, 20,           \
	  "The number or name that messages come from; empty: the gateway's own.")                 \
	X(TEXTS, schema_file, "aal3", config.people.aal3, &text_entry, OPTIONAL, NULL, 1, 5,       \
	  "Roles that must sign in with a passkey that cannot leave its device (NIST SP 800-63B "  \
	  "level 3); all others need any two factors (level 2).")                                  \
	X(TEXTS, schema_file, "certificate", config.people.certificate, &text_entry, OPTIONAL,     \
	  NULL, 1, 5,                                                                              \
	  "Roles that may sign in only from a workstation with a certificate; needs "              \
	  "console.client_ca.")                                                                    \
	X(TEXT, schema_file, "attestation", config.people.attestation, 0, OPTIONAL, "", 0, 255,    \
	  "A file of certificates, PEM: a passkey is added only where its authenticator proves "   \
	  "by one of these who made it (attestation, packed or fido-u2f). Empty: any "             \
	  "authenticator may be used.")                                                            \
	X(WORD, schema_file, "one_factor", config.people.one_factor_anywhere, anywhere_ward,       \
	  OPTIONAL, "ward", 0, 0,                                                                  \
	  "From where one factor alone opens a door in an emergency: ward (only from the address " \
	  "of a machine that the policy names in the device's own segment) or anywhere. With two " \
	  "factors an emergency opens it from anywhere.")                                          \
	X(NUMBER, schema_file, "idle_minutes", given.idle_minutes, config.people.idle_minutes,     \
	  OPTIONAL, "0", 0, 60,                                                                    \
	  "A session that was not used for so long ends; 0: after what its "                       \
	  "role allows, 15 to 60.")                                                                \
	X(NUMBER, schema_file, "overall_hours", given.overall_hours, config.people.overall_hours,  \
	  OPTIONAL, "0", 0, 24,                                                                    \
	  "A session ends after so long, used or not; 0: after what its role allows, 4 to 12.")

#define AUDIT(X)                                                                   \
	X(MAP, schema_file, "export", config, export_fields, OPTIONAL, NULL, 0, 0, \
	  "Where the audit trail is sent: DICOM audit messages over syslog TLS (RFC 5425).")

#define EXPORT(X)                                                                                 \
	X(TEXT, schema_file, "server", config.audit.server, 0, OPTIONAL, "", 0, 64,               \
	  "The collector's address, as 10.0.0.30; empty: nothing is sent.")                       \
	X(NUMBER, schema_file, "port", given.export_port, config.audit.port, OPTIONAL, "6514", 1, \
	  65535, "Its port.")                                                                     \
	X(TEXT, schema_file, "name", config.audit.name, 0, OPTIONAL, "", 0, 253,                  \
	  "The name that its certificate must be for; empty: its address.")                       \
	X(TEXT, schema_file, "ca", config.audit.ca, 0, OPTIONAL, "", 0, 255,                      \
	  "A file with the certificates of the authorities that may vouch for it.")               \
	X(TEXT, schema_file, "cert", config.audit.cert, 0, OPTIONAL, "", 0, 255,                  \
	  "A file with the gateway's own certificate, for collectors that ask for one.")          \
	X(TEXT, schema_file, "cert_key", config.audit.cert_key, 0, OPTIONAL, "", 0, 255,          \
	  "A file with that certificate's key.")

#define BACKUP(X)                                                                                \
	X(TEXT, schema_file, "to", config.backup.to, 0, OPTIONAL, "", 0, 255,                    \
	  "A folder of another disk, or of a share, that the vault is copied to with a fresh "   \
	  "backup of the gateway in it. It has to be there when the gateway starts, and belong " \
	  "to the user bedwarden. Empty: no backups are made by themselves.")                    \
	X(NUMBER, schema_file, "every_hours", given.every_hours, config.backup.every_hours,      \
	  OPTIONAL, "24", 1, 744, "A backup is made every so many hours.")                       \
	X(NUMBER, schema_file, "keep_days", given.keep_days, config.backup.keep_days, OPTIONAL,  \
	  "30", 1, 3650, "How long each is kept in the vault.")

#define UPDATES(X)                                                                                 \
	X(TEXTS, schema_file, "mirrors", config.updates.mirrors, &text_entry, OPTIONAL, NULL, 1,   \
	  16,                                                                                      \
	  "Where updates are fetched, asked in this order: https://updates.example/bedwarden, "    \
	  "with metadata and targets below. None: nothing is fetched; sticks can be imported.")    \
	X(TEXT, schema_file, "root", config.updates.root, 0, OPTIONAL, "/etc/bedwarden/root.json", \
	  1, 255, "The file with the root metadata (TUF) that is trusted to begin with.")          \
	X(TEXT, schema_file, "dir", config.updates.dir, 0, OPTIONAL, "/var/lib/bedwarden-updates", \
	  1, 127,                                                                                  \
	  "Root's folder for what was verified, and for the gateway's own releases. Must not be "  \
	  "inside state_dir.")                                                                     \
	X(TEXTS, schema_file, "roles", config.updates.roles, &text_entry, OPTIONAL, NULL, 1, 16,   \
	  "Delegated roles, such as manufacturers, whose targets are followed besides those that " \
	  "the repository itself lists.")                                                          \
	X(NUMBER, schema_file, "minutes", given.minutes, config.updates.minutes, OPTIONAL, "360",  \
	  1, 10080, "Minutes between two looks, give or take a tenth.")                            \
	X(NUMBER, schema_file, "kb_per_second", given.kb_per_second, config.updates.kb_per_second, \
	  OPTIONAL, "0", 0, 1048576,                                                               \
	  "Most kilobytes a second that fetching may take, from 16 on; 0: no limit.")              \
	X(WORD, schema_file, "content", config.updates.content_waits, auto_approve, OPTIONAL,      \
	  "auto", 0, 0,                                                                            \
	  "Profiles, rules and advisories: installed once verified (auto), or when a person "      \
	  "says so (approve).")                                                                    \
	X(WORD, schema_file, "gateway", config.updates.gateway_waits, auto_approve, OPTIONAL,      \
	  "approve", 0, 0,                                                                         \
	  "Releases of the gateway itself: started in the next window (auto), or when a person "   \
	  "says so (approve).")                                                                    \
	X(TEXTS, schema_file, "window", config.updates.window, &text_entry, OPTIONAL, NULL, 1, 8,  \
	  "When the gateway may start another release, in local time: 02:00-05:00. None: at any "  \
	  "time.")                                                                                 \
	X(NUMBER, schema_file, "warn_days", given.warn_days, config.updates.warn_days, OPTIONAL,   \
	  "3", 1, 90,                                                                              \
	  "Days before metadata expires, or without anything fetched, after which somebody is "    \
	  "warned.")                                                                               \
	X(WORD, schema_file, "firmware", config.updates.firmware_waits, auto_approve, OPTIONAL,    \
	  "approve", 0, 0,                                                                         \
	  "Firmware for devices: a rollout begins by itself (auto), or when a person says so "     \
	  "(approve).")                                                                            \
	X(TEXT, schema_file, "agents", config.updates.agents, 0, OPTIONAL, "", 0, 63,              \
	  "Address and port where agents on devices call, as 10.1.1.2:8086, over mutual TLS with " \
	  "certificates of the gateway's own authority; empty: nowhere.")                          \
	X(MAP, schema_file, "rollout", config, rollout_fields, OPTIONAL, NULL, 0, 0,               \
	  "How firmware comes to devices: one first, then a few, then the rest.")

#define ROLLOUT(X)                                                                                 \
	X(NUMBER, schema_file, "few", given.few, config.updates.rollout.few, OPTIONAL, "3", 1,     \
	  4096, "Devices of the second wave; the first has one, the third all others.")            \
	X(NUMBER, schema_file, "parallel", given.parallel, config.updates.rollout.parallel,        \
	  OPTIONAL, "4", 1, 64, "Devices at a time, at most.")                                     \
	X(NUMBER, schema_file, "success", given.success, config.updates.rollout.success, OPTIONAL, \
	  "100", 1, 100,                                                                           \
	  "Percent of a wave's devices that must have come out well; with fewer, the rollout "     \
	  "stops.")                                                                                \
	X(NUMBER, schema_file, "pause_minutes", given.pause_minutes,                               \
	  config.updates.rollout.pause_minutes, OPTIONAL, "1440", 0, 43200, "Pause after a wave.") \
	X(NUMBER, schema_file, "install_seconds", given.install_seconds,                           \
	  config.updates.rollout.install_seconds, OPTIONAL, "1200", 5, 86400,                      \
	  "For a device to be heard of again after it got its firmware; then it is taken back.")   \
	X(NUMBER, schema_file, "watch_seconds", given.watch_seconds,                               \
	  config.updates.rollout.watch_seconds, OPTIONAL, "600", 5, 86400,                         \
	  "For so long a device is watched: it has to talk as its profile says, and to do "        \
	  "nothing else.")                                                                         \
	X(NUMBER, schema_file, "patient_seconds", given.patient_seconds,                           \
	  config.updates.rollout.patient_seconds, OPTIONAL, "900", 5, 86400,                       \
	  "A device counts as on a patient until it has shown no vital signs for so long.")        \
	X(TEXT, schema_file, "window", config.updates.rollout.window, 0, OPTIONAL, "", 0, 11,      \
	  "When devices may be updated, in local time: 01:00-05:00. Empty: at any time.")

#define UPDATE(X)                                                                                  \
	X(WORD, config_update, "driver", driver, drivers, REQUIRED, NULL, 0, 0,                    \
	  "agent (a program on the device asks for it), push (the gateway sends the file) or "     \
	  "person (somebody does it by hand, and says so).")                                       \
	X(TEXT, config_update, "url", url, 0, OPTIONAL, "", 0, 511,                                \
	  "push: where the file goes; http://, https://, sftp:// or tftp://.")                     \
	X(WORD, config_update, "method", post, put_post, OPTIONAL, "put", 0, 0,                    \
	  "push by HTTP: put or post.")                                                            \
	X(TEXT, config_update, "then", then, 0, OPTIONAL, "", 0, 511,                              \
	  "push: what is asked for afterwards, by GET (or POST), such as a restart.")              \
	X(TEXT, config_update, "user", user, 0, OPTIONAL, "", 0, 127, "push: whom it is sent as.") \
	X(TEXT, config_update, "password_file", password_file, 0, OPTIONAL, "", 0, 255,            \
	  "push: a file with that user's password as its first line.")                             \
	X(TEXT, config_update, "ca", ca, 0, OPTIONAL, "", 0, 255,                                  \
	  "push by https: a file with the certificates that may vouch for the device, below "      \
	  "/etc; empty: the system's authorities.")                                                \
	X(TEXT, config_update, "host_key", host_key, 0, OPTIONAL, "", 0, 63,                       \
	  "push by sftp: the fingerprint of the device's host key, SHA256:…, as ssh-keygen -l "  \
	  "shows it.")                                                                             \
	X(NUMBER, config_update, "seconds", seconds_given, seconds, OPTIONAL, "600", 5, 86400,     \
	  "push: for all of it, at most.")

#define SEGMENT(X)                                                                                 \
	X(TEXT, config_segment, "name", name, 0, REQUIRED, NULL, 1, 63,                            \
	  "What the segment is called; devices name it.")                                          \
	X(TEXT, config_segment, "ward", ward, 0, REQUIRED, NULL, 1, 15,                            \
	  "The interface towards the devices.")                                                    \
	X(TEXT, config_segment, "hospital", hospital, 0, REQUIRED, NULL, 1, 15,                    \
	  "The interface towards the rest of the network.")                                        \
	X(TEXTS, config_segment, "net", net, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,             \
	  "The segment's own networks as prefixes; their broadcast addresses are known by it.")    \
	X(WORD, config_segment, "isolated", isolated, yes_no, OPTIONAL, "no", 0, 0,                \
	  "Whether the ward's switch isolates its ports. If so the gateway answers for "           \
	  "neighbours and guards what devices send to each other.")                                \
	X(WORD, config_segment, "mode", mode, modes, OPTIONAL, "enforce", 0, 0,                    \
	  "How far the gateway may go for devices that say no mode of their own: observe "         \
	  "(nothing is blocked), simulate (it says what it would have blocked) or enforce.")       \
	X(WORD, config_segment, "unknown_devices", block_strangers, block_observe, OPTIONAL,       \
	  "block", 0, 0, "What happens to a machine on the ward side that no device entry names.") \
	X(WORD, config_segment, "binding", block_binding, block_report, OPTIONAL, "block", 0, 0,   \
	  "What happens to a packet whose addresses do not belong to its sender.")

#define HOST(X)                                                                                   \
	X(TEXT, config_host, "name", name, 0, REQUIRED, NULL, 1, 63,                              \
	  "What the machine or network is called.")                                               \
	X(TEXTS, config_host, "ip", ip, &text_entry, REQUIRED, NULL, 1, MAX_LIST,                 \
	  "Its addresses or prefixes, IPv4 or IPv6.")                                             \
	X(TEXT, config_host, "mac", mac, 0, OPTIONAL, NULL, 17, 17,                               \
	  "Its hardware address, where it is in the same network as the devices: nobody else "    \
	  "may then use its addresses.")                                                          \
	X(TEXTS, config_host, "role", role, &text_entry, OPTIONAL, NULL, 0, MAX_LIST,             \
	  "What it is for; profiles name roles as peers. The role dhcp marks an address server; " \
	  "one of DHCPv6 needs its mac, or its link-local address in ip.")

#define RULE(X)                                                                                    \
	X(TEXT, config_rule, "service", service, 0, REQUIRED, NULL, 1, 127,                        \
	  "What it is, in plain words.")                                                           \
	X(TEXT, config_rule, "proto", proto, 0, REQUIRED, NULL, 1, 15,                             \
	  "tcp, udp, icmp, icmpv6, igmp, any or an IP protocol number.")                           \
	X(TEXTS, config_rule, "port", port, &text_entry, OPTIONAL, NULL, 1, 16,                    \
	  "Ports or ranges of the side that is called; types for icmp. None: all.")                \
	X(TEXT, config_rule, "peer", peer, 0, REQUIRED, NULL, 1, 63,                               \
	  "The other end: a role, the name of a host or device, any, broadcast or multicast.")     \
	X(WORD, config_rule, "action", action, actions, OPTIONAL, "inspect", 0, 0,                 \
	  "inspect (guards read it), pass (only the kernel's floor sees it) or drop.")             \
	X(TEXT, config_rule, "app", app, 0, OPTIONAL, "", 0, 31,                                   \
	  "The protocol that is spoken there, as events name it (hl7, dicom, mqtt, ...). Nothing " \
	  "else passes then, nor a message that breaks it. None: any.")                            \
	X(TEXTS, config_rule, "allow", allow, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,            \
	  "What its messages may say, each line member=pattern as message_type=ORU^*; a message "  \
	  "that has the member must match one of its patterns. Answers are not asked.")            \
	X(WORD, config_rule, "control", control, yes_no, OPTIONAL, "yes", 0, 0,                    \
	  "Whether messages that change what a device does may pass; needs app.")

#define SERVICE(X)                                                                            \
	X(TEXT, config_service, "name", name, 0, REQUIRED, NULL, 1, 31,                       \
	  "What people ask for. telnet, ssh, ftp, web, vnc and rdp know their port.")         \
	X(TEXT, config_service, "proto", proto, 0, OPTIONAL, "tcp", 1, 15, "tcp or udp.")     \
	X(TEXTS, config_service, "port", port, &text_entry, OPTIONAL, NULL, 1, 16,            \
	  "Ports or ranges of the device that open; none: what the name stands for.")         \
	X(TEXTS, config_service, "ask", ask, &text_entry, OPTIONAL, NULL, 1, 5,               \
	  "The roles that may ask to be let in: viewer, clinical_engineer, administrator, "   \
	  "auditor, vendor. None: clinical_engineer and administrator.")                      \
	X(TEXTS, config_service, "alone", alone, &text_entry, OPTIONAL, NULL, 1, 5,           \
	  "Those of them that are let in without a second person's word. None: nobody.")      \
	X(NUMBER, config_service, "minutes", minutes_given, minutes, OPTIONAL, "60", 1, 720,  \
	  "The most minutes that may be asked for at once.")                                  \
	X(WORD, config_service, "record", record, yes_no, OPTIONAL, "no", 0, 0,               \
	  "Whether every packet is kept as evidence; needs evidence: on. Then nothing of it " \
	  "passes while nobody inspects.")                                                    \
	X(WORD, config_service, "certificate", certificate, yes_no, OPTIONAL, "no", 0, 0,     \
	  "Whether it opens only for a workstation that shows a certificate (needs "          \
	  "console.client_ca), also in an emergency.")                                        \
	X(WORD, config_service, "break_glass", break_glass, yes_no, OPTIONAL, "yes", 0, 0,    \
	  "Whether it may be opened at once in an emergency, to be reviewed afterwards.")

#define IDENTIFY(X)                                                                             \
	X(TEXTS, config_identify, "vendor", vendor, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,   \
	  "Parts of the maker's name as the registry of hardware addresses has it.")            \
	X(TEXTS, config_identify, "dhcp", dhcp, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,       \
	  "Parts of the DHCP vendor class or host name.")                                       \
	X(TEXTS, config_identify, "service", service, &text_entry, OPTIONAL, NULL, 1, MAX_LIST, \
	  "Ports it answers on or talks from, as udp/24105.")                                   \
	X(TEXTS, config_identify, "app", app, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,         \
	  "Applications it speaks, by nDPI's names.")

#define PROFILE(X)                                                                                 \
	X(TEXT, config_profile, "title", title, 0, REQUIRED, NULL, 1, 127,                         \
	  "What kind of device this is, for people.")                                              \
	X(TEXT, config_profile, "kind", kind, 0, REQUIRED, NULL, 1, 31,                            \
	  "monitor, pump, imaging, analyser, ecg, sensor, camera, printer, workstation or other.") \
	X(WORD, config_profile, "fail", fail, fails, REQUIRED, NULL, 0, 0,                         \
	  "What happens to allowed traffic while nobody inspects it: open lets it through, "       \
	  "closed stops it.")                                                                      \
	X(WORD, config_profile, "archive", archive, yes_no, OPTIONAL, "no", 0, 0,                  \
	  "Whether the HL7 messages and DICOM images that pass between such a device and others "  \
	  "are kept in the vault, for six years.")                                                 \
	X(TEXTS, config_profile, "source", source, &text_entry, REQUIRED, NULL, 1, MAX_LIST,       \
	  "The documents that the ports were taken from.")                                         \
	X(MAPS, config_profile, "starts", starts, &rule_entry, OPTIONAL, NULL, 0, MAX_RULES,       \
	  "What the device may start.")                                                            \
	X(MAPS, config_profile, "accepts", accepts, &rule_entry, OPTIONAL, NULL, 0, MAX_RULES,     \
	  "What may be started towards the device.")                                               \
	X(MAPS, config_profile, "services", services, &service_entry, OPTIONAL, NULL, 0, 16,       \
	  "Service ports that open for one person for a while, and for nobody otherwise.")         \
	X(MAP_AT, config_profile, "identify", identify, identify_fields, OPTIONAL, NULL, 0, 0,     \
	  "What such a device is recognised by.")

#define DEVICE(X)                                                                                 \
	X(TEXT, config_device, "name", name, 0, REQUIRED, NULL, 1, 63,                            \
	  "What the device is called in events.")                                                 \
	X(TEXT, config_device, "segment", segment, 0, REQUIRED, NULL, 1, 63,                      \
	  "The segment whose ward side it is on.")                                                \
	X(TEXT, config_device, "mac", mac, 0, REQUIRED, NULL, 17, 17, "Its hardware address.")    \
	X(TEXTS, config_device, "ip", ip, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,               \
	  "Its addresses. None: any address that nobody else owns.")                              \
	X(TEXT, config_device, "profile", profile, 0, OPTIONAL, "", 0, 63,                        \
	  "Its profile. Without one only its own starts and accepts count.")                      \
	X(TEXT, config_device, "vendor", vendor, 0, OPTIONAL, "", 0, 127,                         \
	  "Who made it, as advisories call them; else its hardware address says.")                \
	X(TEXT, config_device, "model", model, 0, OPTIONAL, "", 0, 127,                           \
	  "What it is, as its maker calls it; advisories are matched by it.")                     \
	X(TEXT, config_device, "version", version, 0, OPTIONAL, "", 0, 95,                        \
	  "Of its software. Without it no advisory can be ruled out.")                            \
	X(TEXT, config_device, "serial", serial, 0, OPTIONAL, "", 0, 127,                         \
	  "Its serial number, for advisories that name some.")                                    \
	X(TEXT, config_device, "sbom", sbom, 0, OPTIONAL, "", 0, 255,                             \
	  "A file with its model's bill of materials, CycloneDX JSON; relative to the policy.")   \
	X(TEXTS, config_device, "peer", peer, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,           \
	  "Hosts it is narrowed to: where a line allows a role that one of these "                \
	  "holds, only these are allowed. Other roles stay as they are.")                         \
	X(WORD_AT, config_device, "mode", mode, modes, OPTIONAL, NULL, 0, 0,                      \
	  "Its own mode; else the segment's.")                                                    \
	X(WORD_AT, config_device, "fail", fail, fails, OPTIONAL, NULL, 0, 0,                      \
	  "Its own fail mode; else the profile's, or closed without a profile.")                  \
	X(WORD_AT, config_device, "archive", archive, yes_no, OPTIONAL, NULL, 0, 0,               \
	  "Whether what it says is kept in the vault; else as the profile says.")                 \
	X(MAPS, config_device, "starts", starts, &rule_entry, OPTIONAL, NULL, 0, MAX_RULES,       \
	  "What it may start besides what its profile says.")                                     \
	X(MAPS, config_device, "accepts", accepts, &rule_entry, OPTIONAL, NULL, 0, MAX_RULES,     \
	  "What may be started towards it besides what its profile says.")                        \
	X(MAPS, config_device, "services", services, &service_entry, OPTIONAL, NULL, 0, 16,       \
	  "Service ports besides those of its profile, or in the place of the one of that name.") \
	X(MAP_AT, config_device, "update", update, update_fields, OPTIONAL, NULL, 0, 0,           \
	  "How it gets firmware; without it the gateway brings it none. Firmware is found by "    \
	  "vendor and model.")

#define SHIELD(X)                                                                                 \
	X(TEXT, config_shield, "advisory", advisory, 0, REQUIRED, NULL, 1, 95,                    \
	  "The advisory that it is for; events name it.")                                         \
	X(TEXTS, config_shield, "device", device, &text_entry, REQUIRED, NULL, 1, MAX_SHIELDS,    \
	  "The devices that are shielded.")                                                       \
	X(WORD, config_shield, "mode", enforce, shield_modes, OPTIONAL, "simulate", 0, 0,         \
	  "simulate: it is said what would be blocked. enforce: it is blocked, where the "        \
	  "device's "                                                                             \
	  "own mode is enforce, too.")                                                            \
	X(WORD, config_shield, "direction", direction, directions, OPTIONAL, "both", 0, 0,        \
	  "Whose conversations: accepts (those begun towards the device), starts (its own) or "   \
	  "both.")                                                                                \
	X(TEXT, config_shield, "proto", proto, 0, OPTIONAL, "any", 1, 15, "As in a rule.")        \
	X(TEXTS, config_shield, "port", port, &text_entry, OPTIONAL, NULL, 1, 16,                 \
	  "Ports or ranges of the side that is called. None: all.")                               \
	X(TEXT, config_shield, "peer", peer, 0, OPTIONAL, "any", 1, 63,                           \
	  "The other end: a role, the name of a host or device, or any.")                         \
	X(TEXT, config_shield, "app", app, 0, OPTIONAL, "", 0, 31,                                \
	  "Only messages of this protocol are denied, and the rest passes. None: everything is.") \
	X(TEXTS, config_shield, "deny", deny, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,           \
	  "Of its messages only those that one of these lines fits, as command=C-GET-RQ.")        \
	X(WORD, config_shield, "control", control, yes_no, OPTIONAL, "yes", 0, 0,                 \
	  "no: of its messages those that change what a device does.")

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
static const struct schema_table tables[] = {
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

const struct schema_table *schema_table(const struct cyaml_schema_field *fields)
{
	for (const struct schema_table *t = tables; t->name; t++)
		if (t->fields == fields)
			return t;
	return NULL;
}

/* A word's place in memory holds its number plus one, or 0; its default decides then. */
static void settle_word(const struct cyaml_schema_value *v, const char *fallback, void *at)
{
	bool byte = v->data_size == sizeof(uint8_t);
	int64_t n = byte ? *(uint8_t *)at : *(uint32_t *)at;

	for (uint32_t i = 0; n == 0 && fallback && i < v->enumeration.count; i++)
		if (strcmp(v->enumeration.strings[i].str, fallback) == 0)
			n = v->enumeration.strings[i].val;
	n = n > 0 ? n - 1 : 0;
	if (byte)
		*(uint8_t *)at = (uint8_t)n;
	else
		*(uint32_t *)at = (uint32_t)n;
}

static int settle_fields(const struct cyaml_schema_field *fields, void *data);

/* Every text is one line of a table for somebody. */
static int settle_text(const char *text)
{
	return text && strpbrk(text, "\t\n") ? -EINVAL : 0;
}

static int settle_list(const struct cyaml_schema_field *f, void *data)
{
	const struct cyaml_schema_value *entry = f->value.sequence.entry;
	char *list = *(char **)((char *)data + f->data_offset);
	unsigned count = *(unsigned *)((char *)data + f->count_offset);
	int r = 0;

	for (unsigned i = 0; r == 0 && entry->type == CYAML_STRING && i < count; i++)
		r = settle_text(((char **)list)[i]);
	for (unsigned i = 0; r == 0 && entry->type == CYAML_MAPPING && i < count; i++)
		r = settle_fields(entry->mapping.fields, list + (size_t)i * entry->data_size);
	return r;
}

static int settle_field(const struct cyaml_schema_field *f, const struct schema_option *o,
			void *data)
{
	void *at = (char *)data + f->data_offset;
	bool pointer = f->value.flags & CYAML_FLAG_POINTER;
	void *to = pointer ? *(void **)at : at;
	uint32_t n;

	switch (f->value.type) {
	case CYAML_STRING:
		if (!to && o->fallback && !(*(char **)at = strdup(o->fallback)))
			return -ENOMEM;
		return settle_text(to);
	case CYAML_UINT:
		n = to ? *(uint32_t *)to : (uint32_t)strtoul(o->fallback, NULL, 10);
		*(uint32_t *)((char *)data + o->target) = n;
		return n < o->min || n > o->max ? -ERANGE : 0;
	case CYAML_ENUM:
		if (to)
			settle_word(&f->value, o->fallback, to);
		return 0;
	case CYAML_SEQUENCE:
		return settle_list(f, data);
	case CYAML_MAPPING:
		return to ? settle_fields(f->value.mapping.fields, to) : 0;
	default:
		return 0;
	}
}

static int settle_fields(const struct cyaml_schema_field *fields, void *data)
{
	const struct schema_table *t = schema_table(fields);
	int r = 0;

	for (unsigned i = 0; r == 0 && fields[i].key; i++)
		r = settle_field(&fields[i], &t->options[i], data);
	return r;
}

int schema_settle(const struct cyaml_schema_value *schema, void *data)
{
	return settle_fields(schema->mapping.fields, data);
}

static void type_name(const struct cyaml_schema_value *v, const struct schema_option *o,
		      char *ret_text, size_t size)
{
	size_t len = 0;

	switch (v->type) {
	case CYAML_STRING:
		snprintf(ret_text, size, "text");
		return;
	case CYAML_UINT:
		snprintf(ret_text, size, "%u to %u", o->min, o->max);
		return;
	case CYAML_SEQUENCE:
		snprintf(ret_text, size,
			 v->sequence.entry->type == CYAML_MAPPING ? "list of entries"
								  : "list of text");
		return;
	case CYAML_MAPPING:
		snprintf(ret_text, size, "entry");
		return;
	default:
		break;
	}
	ret_text[0] = 0;
	for (uint32_t i = 0; i < v->enumeration.count && len < size; i++)
		len += (size_t)snprintf(ret_text + len, size - len, "%s%s", i ? "|" : "",
					v->enumeration.strings[i].str);
}

void config_describe(void (*fn)(void *arg, const struct config_option *option), void *arg)
{
	for (const struct schema_table *t = tables; t->name; t++)
		for (unsigned i = 0; t->fields[i].key; i++) {
			const struct cyaml_schema_value *v = &t->fields[i].value;
			struct config_option o = {.section = t->name,
						  .section_what = t->what,
						  .key = t->fields[i].key,
						  .fallback = t->options[i].fallback,
						  .what = t->options[i].what,
						  .required = !(v->flags & CYAML_FLAG_OPTIONAL)};

			type_name(v, &t->options[i], o.type, sizeof(o.type));
			fn(arg, &o);
		}
}
