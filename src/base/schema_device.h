#ifndef BEDWARDEN_BASE_SCHEMA_DEVICE_H
#define BEDWARDEN_BASE_SCHEMA_DEVICE_H
/*
 * The options of what is guarded: segments, hosts, devices and how they get firmware, virtual patches; and
 * those of a profile. The lists that schema_tables.c makes tables of, as schema_gateway.h says.
 */
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
	  "push by sftp: the fingerprint of the device's host key, SHA256:..., as ssh-keygen -l "  \
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
	X(TEXT, config_rule, "app", app, 0, OPTIONAL, "", 1, 31,                                   \
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
	X(TEXT, config_shield, "app", app, 0, OPTIONAL, "", 1, 31,                                \
	  "Only messages of this protocol are denied, and the rest passes. None: everything is.") \
	X(TEXTS, config_shield, "deny", deny, &text_entry, OPTIONAL, NULL, 1, MAX_LIST,           \
	  "Of its messages only those that one of these lines fits, as command=C-GET-RQ.")        \
	X(WORD, config_shield, "control", control, yes_no, OPTIONAL, "yes", 0, 0,                 \
	  "no: of its messages those that change what a device does.")

#endif
