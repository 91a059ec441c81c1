#ifndef BEDWARDEN_BASE_REASON_H
#define BEDWARDEN_BASE_REASON_H
/*
 * Why something was blocked or reported: the one table of stable dotted
 * reasons. The kernel's floor, the guard and the store all use these numbers;
 * people and SIEMs see the dotted name and the sentence. Append only: a number
 * once released keeps its meaning, and one that nobody tells is a spare. This
 * header is also compiled for BPF, so it holds nothing but the table.
 *
 *        name                    dotted                       what a nurse manager reads
 */
#define REASONS(X)                                                                                 \
	X(NONE, "none", "Nothing to report.")                                                      \
	X(POLICY_NOT_ALLOWED, "policy.not_allowed",                                                \
	  "This device tried a connection that its profile does not list.")                        \
	X(POLICY_DATA_ELSEWHERE, "policy.data_elsewhere",                                          \
	  "A file transfer (FTP, TFTP) named another machine than the two that speak, or a port "  \
	  "of a service, to move its data by: no port was opened for that.")                       \
	X(POLICY_DATA_UNREADABLE, "policy.data_unreadable",                                        \
	  "A file transfer that is allowed went over to encryption: the gateway cannot see which " \
	  "further ports it needs, and opens none but those that are listed.")                     \
	X(POLICY_DATA_ENDED, "policy.data_ended",                                                  \
	  "The port that was opened for one file of an allowed transfer is shut again.")           \
	X(POLICY_PEER_NOT_ALLOWED, "policy.peer_not_allowed",                                      \
	  "The service is allowed, but not with this other machine.")                              \
	X(POLICY_INBOUND_NOT_ALLOWED, "policy.inbound_not_allowed",                                \
	  "Another machine tried to reach a service of this device that nobody needs.")            \
	X(POLICY_DEVICE_TO_DEVICE, "policy.device_to_device",                                      \
	  "One bedside device tried to reach another one directly.")                               \
	X(POLICY_UNKNOWN_DESTINATION, "policy.unknown_destination",                                \
	  "Traffic for an address in the ward where no known device lives.")                       \
	X(POLICY_FLOW_BLOCKED, "policy.flow_blocked",                                              \
	  "More of a conversation that was already blocked.")                                      \
	X(POLICY_PROTOCOL, "policy.protocol",                                                      \
	  "This kind of network traffic has no business on a ward.")                               \
	X(BINDING_UNKNOWN_DEVICE, "binding.unknown_device",                                        \
	  "A machine that was never registered is plugged into the ward network.")                 \
	X(BINDING_MAC_MOVED, "binding.mac_moved",                                                  \
	  "A device's hardware address showed up on the wrong side of the gateway.")               \
	X(BINDING_IP_MOVED, "binding.ip_moved",                                                    \
	  "A device's network address showed up on the wrong side of the gateway.")                \
	X(BINDING_IP_STOLEN, "binding.ip_stolen",                                                  \
	  "A machine uses the network address that belongs to another device.")                    \
	X(BINDING_IP_CONFLICT, "binding.ip_conflict",                                              \
	  "Two machines claim the same network address.")                                          \
	X(BINDING_IP_UNLISTED, "binding.ip_unlisted",                                              \
	  "A device uses a network address that is not registered for it.")                        \
	X(BINDING_ARP_SPOOF, "binding.arp_spoof",                                                  \
	  "A machine pretended to be another one, to listen in or to alter data.")                 \
	X(BINDING_ARP_MALFORMED, "binding.arp_malformed",                                          \
	  "A malformed address announcement (ARP) was stopped.")                                   \
	X(BINDING_ND_SPOOF, "binding.nd_spoof",                                                    \
	  "A machine pretended to be another one by IPv6 neighbour discovery.")                    \
	X(BINDING_ROGUE_RA, "binding.rogue_ra",                                                    \
	  "A machine in the ward posed as a router, to have data sent to itself.")                 \
	X(BINDING_NEW_DEVICE, "binding.new_device", "A device was seen here for the first time.")  \
	X(DHCP_ROGUE_SERVER, "dhcp.rogue_server",                                                  \
	  "A machine that is no address server handed out network addresses.")                     \
	X(DHCP_MALFORMED, "dhcp.malformed", "A malformed address request (DHCP) was stopped.")     \
	X(FLOOR_MALFORMED, "floor.malformed", "A broken network packet was stopped.")              \
	X(FLOOR_FRAGMENT, "floor.fragment", "Pieces of a packet arrived that nobody could check.") \
	X(FLOOR_NO_GUARD, "floor.no_guard",                                                        \
	  "The inspection program was not running; this device is set to stay closed then.")       \
	X(FLOOR_OVERLOAD, "floor.overload",                                                        \
	  "More traffic came than can be inspected; this device is set to stay closed then.")      \
	X(FLOOR_UNINSPECTED, "floor.uninspected",                                                  \
	  "Traffic of this device passed without inspection while inspection was unavailable.")    \
	X(DECODE_ANOMALY, "decode.anomaly", "A packet broke the rules of its own protocol.")       \
	X(FLOW_TABLE_FULL, "flow.table_full",                                                      \
	  "More conversations at once than the gateway keeps track of.")                           \
	X(SPARE_28, "spare.28", "Nobody tells this.")                                              \
	X(SCAN_PORTS, "scan.ports", "A machine searched another one for open doors (port scan).")  \
	X(SCAN_HOSTS, "scan.hosts",                                                                \
	  "A machine searched the ward for other machines, as a worm does.")                       \
	X(FLOOD, "flood", "A machine sent far more traffic than is normal.")                       \
	X(GATEWAY_PORT_DOWN, "gateway.port_down", "A network port of the gateway has no link.")    \
	X(GATEWAY_PORT_UP, "gateway.port_up", "A network port of the gateway has its link back.")  \
	X(GATEWAY_PROCESS_DIED, "gateway.process_died",                                            \
	  "A part of the gateway stopped and was started again.")                                  \
	X(GATEWAY_DISK_FULL, "gateway.disk_full",                                                  \
	  "The gateway's disk is full; events are kept in memory as far as they fit.")             \
	X(GATEWAY_CLOCK_JUMP, "gateway.clock_jump", "The gateway's clock jumped.")                 \
	X(GATEWAY_POLICY_APPLIED, "gateway.policy_applied", "A new policy is in force.")           \
	X(GATEWAY_POLICY_REFUSED, "gateway.policy_refused",                                        \
	  "A policy with an error was refused; the old one stays in force.")                       \
	X(GATEWAY_EVENTS_LOST, "gateway.events_lost",                                              \
	  "More events came than could be stored; some were only counted.")                        \
	X(GATEWAY_DISK_FREED, "gateway.disk_freed",                                                \
	  "The gateway's disk has room again; what was kept in memory is stored now.")             \
	X(GATEWAY_STORE_BROKEN, "gateway.store_broken",                                            \
	  "The gateway's event database was damaged; it was set aside and a new one begun.")       \
	X(GATEWAY_BAD_MESSAGE, "gateway.bad_message",                                              \
	  "A part of the gateway sent something malformed; it was refused.")                       \
	X(FLOOR_TOO_BIG, "floor.too_big",                                                          \
	  "A packet too large to inspect came from or for a device set to stay closed then.")      \
	X(STREAM_CONFLICT, "stream.conflict",                                                      \
	  "A machine repeated part of a conversation with other content, to hide what it says.")   \
	X(STREAM_OUTSIDE, "stream.out_of_window",                                                  \
	  "A packet belongs to no place of its conversation, as injected ones do.")                \
	X(STREAM_UNVERIFIED, "stream.unverified",                                                  \
	  "Part of a conversation was missed, or could not be compared with its first copy.")      \
	X(STREAM_MEMORY, "stream.memory",                                                          \
	  "More was on its way at once than there is memory to read and compare it.")              \
	X(STREAM_URGENT, "stream.urgent",                                                          \
	  "A conversation used a rare network feature that hides what is said.")                   \
	X(STREAM_CHECKSUM, "stream.checksum",                                                      \
	  "A packet with a wrong checksum, which its receiver would ignore and others might "      \
	  "read.")                                                                                 \
	X(PROTO_MALFORMED, "proto.malformed", "A message broke the rules of its own protocol.")    \
	X(POLICY_WRONG_PROTOCOL, "policy.wrong_protocol",                                          \
	  "A connection that is allowed for one kind of data carried something else.")             \
	X(POLICY_MESSAGE, "policy.message_not_allowed",                                            \
	  "Inside an allowed connection something was said that the profile does not list.")       \
	X(POLICY_CONTROL, "policy.control_not_allowed",                                            \
	  "Inside an allowed connection a machine tried to change or control a device.")           \
	X(HL7_FRAMING, "hl7.framing",                                                              \
	  "Data between two messages that belongs to neither, where something could hide.")        \
	X(HL7_NO_HEADER, "hl7.no_header", "A message without the header that says what it is.")    \
	X(HL7_DELIMITERS, "hl7.delimiters",                                                        \
	  "A message redefined its own punctuation so that programs read it differently.")         \
	X(HL7_SEGMENT_NAME, "hl7.segment_name", "A message has a part without a proper name.")     \
	X(HL7_SEGMENT_TOO_LONG, "hl7.segment_too_long",                                            \
	  "A part of a message is absurdly long, as those are that break programs.")               \
	X(DICOM_MALFORMED, "dicom.malformed",                                                      \
	  "A broken message was sent to or by an imaging machine.")                                \
	X(DICOM_COMMAND_CODING, "dicom.command_coding",                                            \
	  "An imaging machine was sent a command in a form that only some programs read.")         \
	X(DICOM_TOO_LONG, "dicom.too_long",                                                        \
	  "A message to or by an imaging machine was longer than the receiver takes.")             \
	X(DICOM_OUT_OF_ORDER, "dicom.out_of_order",                                                \
	  "An imaging machine was sent something before or after its time.")                       \
	X(DICOM_NOT_NEGOTIATED, "dicom.not_negotiated",                                            \
	  "An imaging machine was sent a kind of message that it had not agreed to.")              \
	X(DICOM_PREAMBLE_EXECUTABLE, "dicom.preamble_executable",                                  \
	  "A medical image hides a program in its first bytes.")                                   \
	X(MQTT_MALFORMED, "mqtt.malformed",                                                        \
	  "A message of the MQTT kind that medical gadgets exchange was broken or forged.")        \
	X(MQTT_LENGTH, "mqtt.length",                                                              \
	  "An MQTT message stated its length in a way that serves to slip past inspection.")       \
	X(MQTT_TOO_LONG, "mqtt.too_long", "An MQTT message was longer than any device needs.")     \
	X(MQTT_OUT_OF_TURN, "mqtt.out_of_turn",                                                    \
	  "An MQTT message came from the wrong side, or before both sides had greeted.")           \
	X(MODBUS_MALFORMED, "modbus.malformed",                                                    \
	  "A command or reading of an industrial controller (Modbus) was broken or forged.")       \
	X(MODBUS_UNASKED, "modbus.unasked",                                                        \
	  "A controller (Modbus) answered a question that nobody had asked.")                      \
	X(SNMP_MALFORMED, "snmp.malformed",                                                        \
	  "A broken message of the kind that looks after network equipment (SNMP).")               \
	X(ASTM_MALFORMED, "astm.malformed",                                                        \
	  "A message of a laboratory analyzer broke the rules of its own protocol (ASTM).")        \
	X(ASTM_CHECKSUM, "astm.checksum",                                                          \
	  "A message of a laboratory analyzer was altered or damaged on its way (ASTM).")          \
	X(ASTM_SEQUENCE, "astm.sequence",                                                          \
	  "A message of a laboratory analyzer was lost or slipped in between others (ASTM).")      \
	X(POCT1A_MALFORMED, "poct1a.malformed",                                                    \
	  "A message of a bedside test device broke the rules of its own protocol (POCT1-A).")     \
	X(COAP_MALFORMED, "coap.malformed",                                                        \
	  "A broken message of the kind that small sensors exchange (CoAP).")                      \
	X(BACNET_MALFORMED, "bacnet.malformed",                                                    \
	  "A broken message of the kind that runs a building's air and power (BACnet).")           \
	X(SDC_MALFORMED, "sdc.malformed",                                                          \
	  "A message of networked operating-room equipment (SDC) was broken or hid what it asks "  \
	  "for.")                                                                                  \
	X(VITALS_SEQUENCE_BREAK, "vitals.sequence_break",                                          \
	  "Parts of a monitor's stream were missing, came twice or were out of order.")            \
	X(VITALS_REPLAYED, "vitals.replayed",                                                      \
	  "A monitor's curve, or when its beats are, is the same as minutes ago.")                 \
	X(VITALS_TWO_SOURCES, "vitals.two_sources",                                                \
	  "Two machines send vital signs in the name of one monitor.")                             \
	X(VITALS_UNBOUND_SOURCE, "vitals.unbound_source",                                          \
	  "A monitor's vital signs suddenly come from a machine that is not that monitor.")        \
	X(VITALS_JUMP, "vitals.jump",                                                              \
	  "A vital sign leapt from one second to the next as no body does.")                       \
	X(VITALS_RATE_MISMATCH, "vitals.rate_mismatch",                                            \
	  "The heart or pulse rate shown is not the one that the curve beside it has.")            \
	X(VITALS_FLATLINE_PERFUSING, "vitals.flatline_perfusing",                                  \
	  "The ECG went flat although the pulse goes on: look at the patient and the electrodes.") \
	X(VITALS_ALARM_LOST, "vitals.alarm_lost",                                                  \
	  "An alarm left the monitor and was not taken by the station.")                           \
	X(TLS_MALFORMED, "tls.malformed",                                                          \
	  "The opening of an encrypted connection (TLS) broke the rules of its protocol.")         \
	X(TLS_CERTIFICATE, "tls.certificate",                                                      \
	  "A machine showed a digital identity card (certificate) that cannot be read.")           \
	X(TLS_HEARTBLEED, "tls.heartbleed",                                                        \
	  "A machine tried to read another one's memory through a known hole (Heartbleed).")       \
	X(HTTP_MALFORMED, "http.malformed",                                                        \
	  "A web request or answer broke the rules of its protocol.")                              \
	X(HTTP_PACKED, "http.packed",                                                              \
	  "More was sent in compressed form than can be looked into for hidden programs.")         \
	X(HTTP_SMUGGLING, "http.smuggling",                                                        \
	  "A web message could be read in two ways, as attackers do to hide a second one in it.")  \
	X(HTTP_VERSION, "http.version",                                                            \
	  "A version of the web's language (HTTP/2) was spoken of which nothing can be read.")     \
	X(DNS_MALFORMED, "dns.malformed",                                                          \
	  "A question for a machine's address, or its answer (DNS), broke the rules.")             \
	X(LOGIN_GUESSING, "login.guessing",                                                        \
	  "A machine tries one password after the other, as somebody does who knows none.")        \
	X(SSH_MALFORMED, "ssh.malformed", "A remote login (SSH) broke the rules of its protocol.") \
	X(TELNET_BYPASS, "telnet.login_bypass",                                                    \
	  "A machine tried to get in without a password, through a known hole of Telnet.")         \
	X(FTP_MALFORMED, "ftp.malformed",                                                          \
	  "A file transfer (FTP) broke the rules of its protocol.")                                \
	X(SMB_MALFORMED, "smb.malformed",                                                          \
	  "Windows file sharing (SMB) broke the rules of its protocol.")                           \
	X(SMB_BACKDOOR, "smb.backdoor",                                                            \
	  "A machine knocked at the back door that WannaCry leaves behind and comes in by.")       \
	X(RDP_MALFORMED, "rdp.malformed",                                                          \
	  "A remote desktop (RDP) broke the rules of its protocol.")                               \
	X(RDP_BLUEKEEP, "rdp.bluekeep",                                                            \
	  "A machine tried to take over another one by a known hole of remote desktops "           \
	  "(BlueKeep).")                                                                           \
	X(RFB_MALFORMED, "rfb.malformed",                                                          \
	  "A remote screen (VNC) broke the rules of its protocol.")                                \
	X(TFTP_MALFORMED, "tftp.malformed",                                                        \
	  "A simple file transfer (TFTP) broke the rules of its protocol.")                        \
	X(SIP_MALFORMED, "sip.malformed",                                                          \
	  "A telephone call or nurse call (SIP) broke the rules of its protocol.")                 \
	X(SYSLOG_MALFORMED, "syslog.malformed", "A log message broke the rules of its protocol.")  \
	X(CLEARTEXT_TELNET, "cleartext.telnet",                                                    \
	  "A machine is operated by Telnet: passwords and commands can be read by anybody on the " \
	  "way.")                                                                                  \
	X(CLEARTEXT_FTP, "cleartext.ftp",                                                          \
	  "A machine sends files by FTP: passwords and contents can be read by anybody on the "    \
	  "way.")                                                                                  \
	X(CLEARTEXT_TFTP, "cleartext.tftp",                                                        \
	  "A machine fetches files by TFTP, which asks nobody for a password.")                    \
	X(CLEARTEXT_HTTP, "cleartext.http",                                                        \
	  "A machine speaks HTTP without encryption: what it says can be read and altered on the " \
	  "way.")                                                                                  \
	X(CLEARTEXT_PASSWORD, "cleartext.password",                                                \
	  "A password crossed the network in clear text.")                                         \
	X(CLEARTEXT_VNC, "cleartext.vnc",                                                          \
	  "A machine's screen is shown to others without encryption.")                             \
	X(CLEARTEXT_RDP, "cleartext.rdp",                                                          \
	  "A remote desktop is protected in an old way that has been broken.")                     \
	X(CLEARTEXT_SMB1, "cleartext.smb1",                                                        \
	  "A machine speaks the outdated version of file sharing through which WannaCry came.")    \
	X(CLEARTEXT_SNMP, "cleartext.snmp",                                                        \
	  "A machine is managed by an old SNMP, whose passwords can be read on the way.")          \
	X(CLEARTEXT_SYSLOG, "cleartext.syslog", "A machine sends its log without encryption.")     \
	X(CLEARTEXT_SIP, "cleartext.sip",                                                          \
	  "A machine makes calls without encryption: who calls whom can be read on the way.")      \
	X(CLEARTEXT_MEDICAL, "cleartext.medical",                                                  \
	  "A machine sends medical data that can be read and altered on the way.")                 \
	X(CLEARTEXT_IOT, "cleartext.iot",                                                          \
	  "A machine reports or is steered by MQTT or CoAP without encryption.")                   \
	X(LOGIN_DEFAULT, "login.default",                                                          \
	  "A machine was entered, or tried, with the login it is delivered with.")                 \
	X(LOGIN_NONE, "login.none", "A machine lets anybody in without a password.")               \
	X(LOGIN_COMMUNITY, "login.snmp_community",                                                 \
	  "A machine answers to the SNMP password that everybody knows.")                          \
	X(TLS_OLD_VERSION, "tls.old_version",                                                      \
	  "A machine encrypts in an old way (below TLS 1.2) that has been broken.")                \
	X(TLS_EXPIRED, "tls.expired",                                                              \
	  "A machine shows a digital identity card (certificate) that has run out.")               \
	X(TLS_SELF_SIGNED, "tls.self_signed",                                                      \
	  "A machine vouches for itself: its certificate proves nothing to others.")               \
	X(GATEWAY_EVIDENCE_LOST, "gateway.evidence_lost",                                          \
	  "Packets around a finding could not be kept; the finding itself was.")                   \
	X(GATEWAY_ARCHIVE_LOST, "gateway.archive_lost",                                            \
	  "Messages or images that are to be archived could not be kept.")                         \
	X(GATEWAY_RETENTION, "gateway.retention",                                                  \
	  "Records that had been kept as long as they must be were destroyed for good.")           \
	X(GATEWAY_RETENTION_HELD, "gateway.retention_held",                                        \
	  "The clock cannot be right: no old records are destroyed until it is.")                  \
	X(GATEWAY_BACKUP, "gateway.backup", "The gateway has made a backup of itself.")            \
	X(GATEWAY_BACKUP_FAILED, "gateway.backup_failed",                                          \
	  "The gateway could not make a backup of itself: were it lost now, much would be.")       \
	X(GATEWAY_VAULT_STUCK, "gateway.vault_stuck",                                              \
	  "The vault cannot be written to; what is to be sealed waits in memory.")                 \
	X(GATEWAY_VAULT_FREED, "gateway.vault_freed", "The vault can be written to again.")        \
	X(RELAY_NO_CERTIFICATE, "relay.no_certificate",                                            \
	  "Somebody connected without showing a digital identity card (certificate).")             \
	X(RELAY_UNTRUSTED, "relay.certificate_untrusted",                                          \
	  "A certificate was shown that nobody we trust has issued.")                              \
	X(RELAY_EXPIRED, "relay.certificate_expired",                                              \
	  "A machine's certificate has run out: it has to be renewed.")                            \
	X(RELAY_EARLY, "relay.certificate_not_yet_valid",                                          \
	  "A certificate is not valid yet: the date of one of the machines may be wrong.")         \
	X(RELAY_REVOKED, "relay.certificate_revoked",                                              \
	  "A certificate was shown that has been withdrawn.")                                      \
	X(RELAY_NAME, "relay.certificate_wrong_name",                                              \
	  "A valid certificate was shown, but of another machine than the one that belongs here.") \
	X(RELAY_USAGE, "relay.certificate_wrong_usage",                                            \
	  "A certificate was shown that was not issued for this use.")                             \
	X(RELAY_PIN, "relay.certificate_wrong_pin",                                                \
	  "A server has another key than the one written down for it.")                            \
	X(RELAY_WEAK, "relay.certificate_weak",                                                    \
	  "A certificate was shown whose key or signature is too weak.")                           \
	X(RELAY_TLS, "relay.tls_refused", "Two machines could not agree on safe encryption.")      \
	X(RELAY_UNFINISHED, "relay.handshake_unfinished",                                          \
	  "A machine began to set up encryption and never finished.")                              \
	X(RELAY_FLOOD, "relay.flood",                                                              \
	  "One machine opens so many connections that it was held back.")                          \
	X(RELAY_FULL, "relay.full",                                                                \
	  "A relay has as many connections as it may have; new ones are refused.")                 \
	X(RELAY_SOURCE, "relay.source_not_allowed",                                                \
	  "A machine that may not use this relay tried to.")                                       \
	X(RELAY_UNREACHABLE, "relay.unreachable",                                                  \
	  "The machine behind a relay could not be reached.")                                      \
	X(RELAY_PROXY, "relay.proxy_header",                                                       \
	  "A connection did not begin with the address of the real sender, as agreed.")            \
	X(RELAY_CUT, "relay.cut_short", "An encrypted conversation was cut off in the middle.")    \
	X(RELAY_KEY, "relay.key_unavailable",                                                      \
	  "The gateway's own key or certificate cannot be used, so nothing can be encrypted.")     \
	X(RELAY_LISTEN, "relay.cannot_listen", "A relay cannot take connections at its address.")  \
	X(AUTH_SIGNED_IN, "auth.signed_in", "Somebody signed in to the gateway.")                  \
	X(AUTH_GUESSING, "auth.guessing",                                                          \
	  "Somebody tries to sign in to the gateway as another, and fails again and again.")       \
	X(AUTH_CLONED, "auth.passkey_cloned",                                                      \
	  "There seem to be two copies of somebody's passkey: one of them is a thief's.")          \
	X(AUTH_FIRST, "auth.code_used",                                                            \
	  "Somebody came in with the one-time code that they were given, to set up their "         \
	  "sign-in.")                                                                              \
	X(AUTH_RECOVERY, "auth.recovery_used",                                                     \
	  "Somebody signed in with one of the codes that they printed for emergencies.")           \
	X(AUTH_FACTOR_ADDED, "auth.factor_added", "Somebody added a way to sign in.")              \
	X(AUTH_FACTOR_REMOVED, "auth.factor_removed", "Somebody removed a way to sign in.")        \
	X(AUTH_RESET, "auth.reset",                                                                \
	  "Two people agreed to remove all of somebody's ways to sign in, as all were lost.")      \
	X(AUTH_USER_CHANGED, "auth.user_changed",                                                  \
	  "Somebody was given or denied the right to use the gateway, or another role in it.")     \
	X(AUTH_KEY_CHANGED, "auth.key_changed",                                                    \
	  "A key by which a machine may ask the gateway was made or withdrawn.")                   \
	X(GRANT_ENDED, "grant.ended",                                                              \
	  "The time for which a person was let into this device is over; the connection was cut.") \
	X(GRANT_REQUESTED, "grant.requested",                                                      \
	  "A person asks to be let into a device's service port.")                                 \
	X(GRANT_OPENED, "grant.opened",                                                            \
	  "A person was let into a device's service port for a while.")                            \
	X(GRANT_CLOSED, "grant.closed", "A person's time in a device's service port ended.")       \
	X(GRANT_BREAK_GLASS, "grant.break_glass",                                                  \
	  "Emergency: a person opened a device's service port without asking anybody.")            \
	X(GRANT_REVIEW, "grant.review_due",                                                        \
	  "An emergency opening of a device has not been looked at by a second person yet.")       \
	X(GRANT_REFUSED, "grant.refused",                                                          \
	  "A person who asked to be let into a device was turned down.")                           \
	X(GRANT_UNREADABLE, "grant.data_unreadable",                                               \
	  "File transfer by somebody who was let in is encrypted: the gateway cannot see which "   \
	  "further ports it needs, and opens none but those that its service names.")              \
	X(AUDIT_BROKEN, "audit.broken",                                                            \
	  "The record of who did what was changed by somebody, or is damaged.")                    \
	X(AUDIT_LOST, "audit.unrecorded",                                                          \
	  "The record of who did what cannot be written; what must be recorded is not done.")      \
	X(PKI_EXPIRES, "pki.certificate_expires",                                                  \
	  "A certificate runs out soon and nobody has renewed it: somebody has to.")               \
	X(PKI_EXPIRED, "pki.certificate_expired",                                                  \
	  "A certificate has run out: its machine is not believed any longer.")                    \
	X(PKI_ISSUED, "pki.certificate_issued",                                                    \
	  "A machine was given a digital identity card (certificate).")                            \
	X(PKI_REVOKED, "pki.certificate_revoked", "Certificates were withdrawn.")                  \
	X(PKI_REFUSED, "pki.request_refused",                                                      \
	  "A machine asked for a certificate that it does not get.")                               \
	X(POLICY_SHIELDED, "policy.shielded",                                                      \
	  "A device with a known weakness was kept from what could exploit it.")                   \
	X(UPDATE_FETCHED, "update.fetched",                                                        \
	  "An update was fetched, and it really is from who may send us one.")                     \
	X(UPDATE_NOT_FETCHED, "update.not_fetched",                                                \
	  "Nothing could be fetched from where updates come from.")                                \
	X(UPDATE_STALE, "update.nothing_for_days",                                                 \
	  "Updates have not reached this gateway for days: somebody should see to it.")            \
	X(UPDATE_EXPIRES, "update.expires_soon",                                                   \
	  "What vouches for updates runs out soon and nothing newer has come.")                    \
	X(UPDATE_WAITING, "update.waiting", "An update waits for a person's word.")                \
	X(UPDATE_INSTALLED, "update.installed", "An update was installed.")                        \
	X(UPDATE_REFUSED, "update.refused", "An update did not pass its checks; nothing changed.") \
	X(UPDATE_SWITCHED, "update.release_started",                                               \
	  "The gateway runs another release of itself, and it does its work.")                     \
	X(UPDATE_BACK, "update.release_failed",                                                    \
	  "A new release of the gateway did not do its work; the old one is back.")                \
	X(UPDATE_HELD, "update.held", "Somebody stopped updates, or let them go on.")              \
	X(SEAL_SILENT, "seal.peer_silent",                                                         \
	  "Another gateway is not heard any longer: what should go to it sealed does not go.")     \
	X(SEAL_LEFT, "seal.peer_left", "Another gateway said that it stops or starts anew.")       \
	X(SEAL_UNREACHED, "seal.peer_unreachable",                                                 \
	  "Another gateway does not answer, so nothing can be sealed for it.")                     \
	X(SEAL_SPENT, "seal.keys_spent",                                                           \
	  "The keys agreed with another gateway were used up before new ones were agreed.")        \
	X(SEAL_REPLAYED, "seal.replayed",                                                          \
	  "Somebody sends again what two gateways have said to each other before.")                \
	X(SEAL_FORGED, "seal.forged",                                                              \
	  "Somebody sends what looks like sealed traffic and was sealed by no gateway of ours.")   \
	X(SEAL_MALFORMED, "seal.malformed",                                                        \
	  "Another gateway sends what this one does not understand: one of them may be too old.")  \
	X(SEAL_FLOOD, "seal.flood",                                                                \
	  "Somebody begins so many conversations with the gateway that they were held back.")      \
	X(SEAL_DOWN, "seal.down",                                                                  \
	  "The encrypted link to the other gateway is down; this device is set to stay closed "    \
	  "then.")                                                                                 \
	X(SEAL_CLEAR, "seal.clear",                                                                \
	  "Traffic of this device passed without encryption while the link to the other gateway "  \
	  "was down.")                                                                             \
	X(SEAL_IN_CLEAR, "seal.in_clear",                                                          \
	  "Traffic came in without encryption that belongs on the link between two gateways.")     \
	X(SEAL_WRONG_PEER, "seal.wrong_peer",                                                      \
	  "Another gateway sent what does not belong to the machines behind it.")                  \
	X(SEAL_NO_PEER, "seal.no_peer",                                                            \
	  "What is to be encrypted is for a machine that is behind no other gateway.")             \
	X(UPDATE_ROLLOUT, "update.rollout",                                                        \
	  "An update of devices began, was held, goes on or is done.")                             \
	X(UPDATE_ROLLOUT_STOPPED, "update.rollout_stopped",                                        \
	  "An update of devices was stopped: too many of them did not come out well.")             \
	X(UPDATE_DEVICE_BEGUN, "update.device_begun", "A device is being updated.")                \
	X(UPDATE_DEVICE_WAITS, "update.device_waits",                                              \
	  "A device is not updated now; it may be on a patient.")                                  \
	X(UPDATE_DEVICE_DONE, "update.device_done", "A device was updated, and it is well.")       \
	X(UPDATE_ON_TRUST, "update.on_trust",                                                      \
	  "A device cannot check an update itself: on the last step it was trusted.")              \
	X(UPDATE_DEVICE_BACK, "update.device_back",                                                \
	  "A device did not do well with an update and goes back to what it had.")                 \
	X(UPDATE_DEVICE_FAILED, "update.device_failed",                                            \
	  "A device could neither be updated nor taken back: somebody has to look at it.")         \
	X(MQTT_TOPIC_ALIAS, "mqtt.topic_alias",                                                    \
	  "An MQTT message named its topic by a number that was never agreed on.")                 \
	X(HL7_XML, "hl7.xml",                                                                      \
	  "A medical message in XML is none, or not everybody would read it in the same way.")     \
	X(HL7_ENCODING, "hl7.encoding",                                                            \
	  "A medical message has what are no characters, or says one thing by bytes and another "  \
	  "by characters of two bytes; its sender is to be set to UTF-8.")                         \
	X(TLS_PEER, "tls.peer_certificate",                                                        \
	  "A machine talks to a server whose certificate has run out, or vouches for itself.")     \
	X(CLEARTEXT_CONTROL, "cleartext.control",                                                  \
	  "A machine is read or steered by Modbus or BACnet, which neither encrypt nor ask who "   \
	  "is there.")                                                                             \
	X(CLEARTEXT_SMB, "cleartext.smb",                                                          \
	  "A machine fetches or leaves files on a share without encryption.")                      \
	X(CLEARTEXT_SNMP3, "cleartext.snmp3",                                                      \
	  "A machine is managed by SNMP 3 without encryption: what is said can be read on the "    \
	  "way.")                                                                                  \
	X(BACNET_SEGMENTS, "bacnet.segments",                                                      \
	  "The parts of one request to a building's controls do not fit together.")                \
	X(VITALS_PULSE_ABSENT, "vitals.pulse_absent",                                              \
	  "The pulse curve is flat for over a minute while the ECG goes on: check the patient "    \
	  "first, then the clip and the cuff.")                                                    \
	X(TLS_EARLY, "tls.not_valid_yet",                                                          \
	  "A machine's certificate is not valid yet: somebody's clock is wrong.")                  \
	X(WEBSOCKET_MALFORMED, "websocket.malformed",                                              \
	  "A message inside a web connection (WebSocket) was broken.")                             \
	X(STREAM_PICKED_UP, "stream.picked_up",                                                    \
	  "A conversation goes on that the gateway did not see begin; it asks the receiver first " \
	  "how far it is.")                                                                        \
	X(MAIL_MALFORMED, "mail.malformed",                                                        \
	  "A conversation about mail (SMTP, POP3, IMAP) broke the rules of its protocol.")         \
	X(LDAP_MALFORMED, "ldap.malformed",                                                        \
	  "A question to a directory (LDAP) broke the rules of its protocol.")                     \
	X(CLEARTEXT_MAIL, "cleartext.mail",                                                        \
	  "A machine sends or fetches mail without encryption: it can be read on the way.")        \
	X(CLEARTEXT_LDAP, "cleartext.ldap",                                                        \
	  "A machine asks a directory without encryption: names and what is known of them can be " \
	  "read on the way.")                                                                      \
	X(DATABASE_MALFORMED, "database.malformed",                                                \
	  "A login to a database broke the rules of its protocol.")                                \
	X(CLEARTEXT_DATABASE, "cleartext.database",                                                \
	  "A machine asks a database without encryption: what is asked and answered can be read "  \
	  "on the way.")                                                                           \
	X(CLEARTEXT_PRINT, "cleartext.print",                                                      \
	  "A machine prints without encryption: what is printed can be read on the way.")          \
	X(CLEARTEXT_NFS, "cleartext.nfs",                                                          \
	  "A machine uses files of another one by NFS without encryption.")                        \
	X(CLEARTEXT_VIDEO, "cleartext.video", "A camera's pictures are sent without encryption.")  \
	X(NAMES_POISONED, "names.poisoned",                                                        \
	  "A machine claims names for itself as attackers do, to have logins sent to them.")       \
	X(DHCP_SECOND_SERVER, "dhcp.second_server",                                                \
	  "A second machine hands out addresses here, and would send traffic another way.")        \
	X(ROUTER_SECOND, "router.second",                                                          \
	  "A second machine says that it is the way out of this network, or who resolves names.")  \
	X(DHCP_FIRST_SERVER, "dhcp.first_server",                                                  \
	  "A machine hands out addresses or says who resolves names, where machines have asked "   \
	  "for an hour and nobody did.")                                                           \
	X(ROUTER_FIRST, "router.first",                                                            \
	  "A machine says that it is the way out by IPv6, or who resolves names, where machines "  \
	  "have asked for an hour and nobody did.")                                                \
	X(DNS_FORGED, "dns.forged",                                                                \
	  "Answers to a question about a machine's address came that do not belong to it, as "     \
	  "somebody sends who guesses.")

#define REASON_ENUM(name, dotted, sentence) REASON_##name,
enum reason { REASONS(REASON_ENUM) REASON_COUNT };
#undef REASON_ENUM

#ifndef __bpf__
/* Never NULL; an unknown number reads "none". */
const char *reason_name(enum reason r);
const char *reason_sentence(enum reason r);
/* REASON_COUNT where no reason has that name. */
enum reason reason_from_name(const char *dotted);
#endif

#endif
