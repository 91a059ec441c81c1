#ifndef BEDWARDEN_BASE_SCHEMA_GATEWAY_H
#define BEDWARDEN_BASE_SCHEMA_GATEWAY_H
/*
 * The options of the gateway itself: the box, its console, certificates, relays, sealed links, people,
 * records, updates. The lists that schema_tables.c makes tables of.
 *
 * One line an option: X(kind, struct, key, member, extra, flags, default, min, max, sentence), where extra is
 * a word list, the entries' schema or, for a number, the member it settles into.
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
	  "remembers as many, and sets 246 bytes aside for each.")                                 \
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
	  OPTIONAL, "256", 1, 1048576,                                                             \
	  "Most megabytes of evidence; of the device with most of it the oldest go.")              \
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
	X(TEXT, config_relay, "app", app, 0, OPTIONAL, "", 1, 31,                                  \
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

#endif
