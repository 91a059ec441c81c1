#include "people/console/api.h"

#include <stdio.h>
#include <string.h>

/* A list of fields in place. */
#define FIELDS(...) ((const struct api_field[]){__VA_ARGS__, {NULL}})
#define DEVICE                                                    \
	{                                                         \
		"device", API_TEXT, false, "Of this device only." \
	}
#define LIMIT                                                                              \
	{                                                                                  \
		"limit", API_NUMBER, false, "Rows of a page, 1 to 1000; 100 if not given." \
	}
#define MANY                                                                                \
	{                                                                                   \
		"limit", API_NUMBER, false, "Rows of a page, 1 to 1000; 1000 if not given." \
	}
#define CURSOR                                                          \
	{                                                               \
		"cursor", API_TEXT, false, "`next` of the page before." \
	}
#define NEXT                                                                          \
	{                                                                             \
		"next", API_TEXT, false, "The next page's cursor; absent at the end." \
	}
#define FILTERS                                                                                   \
	DEVICE, {"reason", API_TEXT, false, "A dotted reason, or what stands before a dot."},     \
		{"type", API_TEXT, false, "`event_type`."},                                       \
		{"verdict", API_TEXT, false, "`blocked`, `would_block` or `passed`."},            \
		{"since", API_TEXT, false, "Not before: 2026-01-31T07:15:02+0000."},              \
		{"until", API_TEXT, false, "Not after."},                                         \
	{                                                                                         \
		"text", API_TEXT, false, "Anywhere in the event, small or capital letters alike." \
	}
#define SIGNED_IN                                                                       \
	{"user", API_TEXT, false, "Who is signed in."},                                 \
		{"role", API_TEXT, false,                                               \
		 "viewer, clinical_engineer, administrator, auditor, vendor."},         \
		{"csrf", API_TEXT, false,                                               \
		 "To send as X-CSRF-Token with whatever changes something."},           \
	{                                                                               \
		"next", API_LIST, false,                                                \
			"Factors of which one more is needed; nobody is signed in yet." \
	}
#define NUMBER                                        \
	{                                             \
		"id", API_NUMBER, true, "Its number." \
	}
#define RECORDED                                                                  \
	{                                                                         \
		"record", API_FLAG, false, "Keep the session as sealed evidence." \
	}
#define DOOR                                                                \
	{"device", API_TEXT, true, "Its name."},                            \
		{"service", API_TEXT, true, "As grant.services names it."}, \
	{                                                                   \
		"reason", API_TEXT, true, "Why; it is shown and kept."      \
	}
#define ORDER                                                              \
	{"name", API_TEXT, true, "Whose."},                                \
		{"profile", API_TEXT, false, "device, server, gateway …"}, \
		{"names", API_LIST, false, "Names and addresses."},        \
	{                                                                  \
		"days", API_NUMBER, false, "1 to 825."                     \
	}
#define BEGUN                                                           \
	{                                                               \
		"login", API_TEXT, true, "Of the answer that began it." \
	}
#define NAME                                                         \
	{                                                            \
		"name", API_TEXT, false, "For people: \"blue key\"." \
	}
#define FACTOR                                                                             \
	{"webauthn", API_OBJECT, false, "What the authenticator gave, base64url."},        \
		{"password", API_TEXT, false, ""}, {"totp", API_TEXT, false, "6 digits."}, \
		{"sms", API_TEXT, false, "6 digits."},                                     \
	{                                                                                  \
		"recovery", API_TEXT, false, "A printed code."                             \
	}

#define OBJECTS                                                                          \
	{                                                                                \
		"objects", API_LIST, true, "id, name, class, size, put, until, address." \
	}
#define WHICH                                                                           \
	{"id", API_NUMBER, false, "Its number in the list, or …"},                      \
		{"name", API_TEXT, false, "… its name, of which the newest is meant."}, \
		{"recipients", API_LIST, false, "age1…, at most 20: an age file."},     \
	{                                                                               \
		"reason", API_TEXT, false, "Why; for the audit trail."                  \
	}
#define FOR                                                                  \
	{                                                                    \
		"for", API_TEXT, false, "`link` (the default) or `console`." \
	}
#define PIECE                                                                       \
	{"upload", API_TEXT, false, "Of the first piece's answer."},                \
	{                                                                           \
		"at", API_NUMBER, false, "Bytes before this piece; 0 if not given." \
	}
#define PIECES                                                           \
	{"upload", API_TEXT, true, "To go on with, and to use."},        \
	{                                                                \
		"size", API_NUMBER, true, "Bytes that are there by now." \
	}
#define WHY                                                            \
	{                                                              \
		"reason", API_TEXT, false, "Why; for the audit trail." \
	}
#define BYTES "application/octet-stream"

const struct api_route api_routes[] = {
	{"status", .what = "How the gateway is.",
	 .gives = FIELDS({"nags", API_LIST, false, "What somebody should see to."})},
	{"devices", .what = "Who lives on the ward: registered devices first, then strangers.",
	 .takes = FIELDS(DEVICE, LIMIT, CURSOR),
	 .gives = FIELDS({"devices", API_LIST, true, "Devices."}, NEXT)},
	{"flows", .what = "Conversations under way.",
	 .takes = FIELDS(DEVICE,
			 {"limit", API_NUMBER, false, "Rows, 1 to 10000; 100 if not given."}),
	 .gives = FIELDS({"flows", API_LIST, true, "Conversations."},
			 {"more", API_FLAG, true, "There are more than the limit let through."})},
	{"events",
	 .what = "What happened, the newest first, as EVE JSON. A page may hold fewer rows than "
		 "asked "
		 "for, even none, and still have a next.",
	 .takes = FIELDS(FILTERS, {"grouped", API_FLAG, false, "One row a device and reason."},
			 LIMIT, CURSOR),
	 .gives = FIELDS({"events", API_LIST, false, "Events, each with its number as `id`."},
			 {"groups", API_LIST, false, "Of grouped ones."}, NEXT)},
	{"live", .stream = true,
	 .what = "Events as they happen: server-sent events whose id is the event's number; who "
		 "comes "
		 "back with Last-Event-ID gets what it missed, up to 1000.",
	 .takes = FIELDS(FILTERS, {"after", API_NUMBER, false, "As Last-Event-ID."})},
	{"reasons", .what = "What the reasons of events mean, in a sentence each.",
	 .gives = FIELDS({"reasons", API_LIST, true, "reason, sentence."})},
	{"policy.get", .what = "The policy file.",
	 .gives = FIELDS({"text", API_TEXT, true, "YAML."},
			 {"hash", API_TEXT, true, "Its SHA-256: `base` of a change."},
			 {"file", API_TEXT, true, "Where it is on the box."})},
	{"policy.check", .changes = true,
	 .what = "Whether a policy would be taken, and what is wrong with it.",
	 .takes = FIELDS({"text", API_TEXT, true, "YAML."}),
	 .gives = FIELDS({"valid", API_FLAG, true, ""},
			 {"errors", API_LIST, false, "file, line, column, text."})},
	{"policy.apply", .changes = true,
	 .what = "Takes a policy into force. 409 if somebody changed it meanwhile, with the "
		 "difference.",
	 .takes = FIELDS({"text", API_TEXT, true, "YAML."},
			 {"base", API_TEXT, true, "`hash` of what was changed."},
			 {"reason", API_TEXT, false, "Why; for the audit trail."}),
	 .gives = FIELDS({"generation", API_NUMBER, true, "The policy's, now in force."})},

	{"policy.learn",
	 .what = "A policy proposed from what the gateway has seen so far, as `bedwarden policy "
		 "learn` writes it: to be read, changed, checked and applied. It learns by itself "
		 "from the first packet on.",
	 .takes = FIELDS({"wards", API_TEXT, false,
			  "Networks that devices are in, with commas: 10.1.1.0/24,10.1.2.0/24."}),
	 .gives = FIELDS({"text", API_TEXT, true, "YAML."})},
	{"advisory.matches",
	 .what = "Which devices known weaknesses concern, the worst first, and what to do about "
		 "each. "
		 "Without `all`: about which something is to be done.",
	 .takes = FIELDS(DEVICE, {"advisory", API_TEXT, false, "The advisory's id."},
			 {"all", API_FLAG, false, "Also what is fixed, not affected or accepted."},
			 LIMIT, CURSOR),
	 .gives = FIELDS({"matches", API_LIST, true, "As `bedwarden update advisories --json`."},
			 {"notes", API_LIST, true, "What cannot be known."},
			 {"refused", API_LIST, true, "file, why: advisories that cannot be used."},
			 {"devices", API_NUMBER, true, "How many were looked at."},
			 {"advisories", API_NUMBER, true, "How many there are."}, NEXT)},
	{"advisory.accepted", .what = "Known weaknesses that somebody decided to live with.",
	 .takes = FIELDS(MANY, CURSOR),
	 .gives =
		 FIELDS({"accepted", API_LIST, true, "device, advisory, reason, who, until, made."},
			NEXT)},
	{"advisory.accept", .changes = true,
	 .what = "Decides to live with a known weakness of a device, until a day.",
	 .takes = FIELDS({"device", API_TEXT, true, "Its name."},
			 {"advisory", API_TEXT, true, "The advisory's id."},
			 {"reason", API_TEXT, true, "Why."},
			 {"until", API_TEXT, true, "2027-03-01, within two years."}),
	 .gives = FIELDS({"done", API_FLAG, true, ""})},
	{"advisory.withdraw", .changes = true, .what = "Ends such a decision before its day.",
	 .takes = FIELDS({"device", API_TEXT, true, "Its name."},
			 {"advisory", API_TEXT, true, "The advisory's id."}),
	 .gives = FIELDS({"done", API_FLAG, true, ""})},

	{"auth.state", .open = true, .what = "Is anybody there yet, and which factors are on."},
	{"auth.first", .changes = true, .open = true, .effect = API_SESSION,
	 .what = "Opens a session that may enrol factors and nothing else, with a code from the "
		 "box's "
		 "own terminal or from an administrator.",
	 .takes = FIELDS({"code", API_TEXT, true, "The one-time code."}),
	 .gives = FIELDS(SIGNED_IN)},
	{"auth.begin", .changes = true, .open = true, .what = "Begins a sign-in.",
	 .takes = FIELDS({"user", API_TEXT, false, "Who says so."}),
	 .gives = FIELDS(
		 {"login", API_TEXT, true, "To finish with."},
		 {"factors", API_LIST, true, "What may be shown."},
		 {"webauthn", API_OBJECT, false, "Options for navigator.credentials.get()."})},
	{"auth.finish", .changes = true, .open = true, .effect = API_SESSION,
	 .what = "Shows a factor; without a user, by a passkey that knows whose it is.",
	 .takes = FIELDS({"login", API_TEXT, true, "From auth.begin, or of an answer with `next`."},
			 {"user", API_TEXT, false, "A name."}, FACTOR,
			 {"one_factor", API_FLAG, false, "A session for an emergency alone."}),
	 .gives = FIELDS(SIGNED_IN)},
	{"auth.sms_send", .changes = true, .open = true,
	 .what = "Sends a code by SMS, where a site has turned that on.",
	 .takes = FIELDS({"login", API_TEXT, true, "From auth.begin."},
			 {"user", API_TEXT, false, "A name."})},
	{"auth.step_up_begin", .changes = true, .what = "Begins the use of a fresh factor."},
	{"auth.step_up_finish", .changes = true, .effect = API_SESSION,
	 .what = "A fresh factor, before something that needs one.",
	 .takes = FIELDS({"login", API_TEXT, true, "From auth.step_up_begin."}, FACTOR),
	 .gives = FIELDS(SIGNED_IN)},
	{"auth.logout", .changes = true, .effect = API_END, .what = "Ends this session."},

	{"session.me", .what = "Who I am.", .gives = FIELDS(SIGNED_IN)},
	{"session.list", .what = "Sessions that are open.",
	 .takes = FIELDS({"user", API_TEXT, false, "Of this user."},
			 {"all", API_FLAG, false, "Everybody's; for administrators and auditors."},
			 MANY, CURSOR),
	 .gives = FIELDS({"sessions", API_LIST, true, "Sessions."}, NEXT)},
	{"session.end", .changes = true, .what = "Ends a session.",
	 .takes = FIELDS({"session", API_TEXT, false, "Its id."},
			 {"others", API_FLAG, false, "All of mine but this one."})},
	{"session.notices_seen", .changes = true, .what = "I have read what was changed of mine."},

	{"user.list", .what = "Who may sign in.", .takes = FIELDS(MANY, CURSOR),
	 .gives = FIELDS({"users", API_LIST, true, "Users."}, NEXT)},
	{"user.add", .changes = true, .what = "Adds a user; gives a code to enrol with.",
	 .takes = FIELDS({"user", API_TEXT, true, "A name."},
			 {"role", API_TEXT, true,
			  "viewer, clinical_engineer, administrator, auditor, vendor."},
			 {"display", API_TEXT, false, "For people."},
			 {"devices", API_LIST, false, "Of a vendor: the devices it sees."})},
	{"user.change", .changes = true, .what = "Changes a user.",
	 .takes = FIELDS({"user", API_TEXT, true, "A name."}, {"role", API_TEXT, false, ""},
			 {"display", API_TEXT, false, ""}, {"devices", API_LIST, false, ""},
			 {"disabled", API_FLAG, false, ""})},
	{"user.remove", .changes = true, .what = "Removes a user and ends its sessions.",
	 .takes = FIELDS({"user", API_TEXT, true, "A name."})},
	{"user.invite", .changes = true,
	 .what = "A new code to enrol with, for somebody who has no factor yet.",
	 .takes = FIELDS({"user", API_TEXT, true, "A name."})},
	{"user.reset_request", .changes = true,
	 .what = "Asks for a reset of somebody who lost every factor.",
	 .takes = FIELDS({"user", API_TEXT, true, "A name."}, {"reason", API_TEXT, false, "Why."})},
	{"user.reset_approve", .changes = true, .what = "The second person's word for a reset.",
	 .takes = FIELDS({"user", API_TEXT, true, "A name."})},

	{"factor.list", .what = "My factors."},
	{"factor.webauthn_begin", .changes = true,
	 .what = "Options for navigator.credentials.create()."},
	{"factor.webauthn_finish", .changes = true, .what = "Takes a passkey.",
	 .takes = FIELDS(BEGUN,
			 {"webauthn", API_OBJECT, true, "What the authenticator gave, base64url."},
			 NAME)},
	{"factor.totp_begin", .changes = true, .what = "A secret and its QR code."},
	{"factor.totp_finish", .changes = true, .what = "Proves that the app has it.",
	 .takes = FIELDS(BEGUN, {"totp", API_TEXT, true, "6 digits."}, NAME)},
	{"factor.password_set", .changes = true, .what = "Sets the password.",
	 .takes = FIELDS({"password", API_TEXT, true,
			  "At least 15 characters, beside a second factor 8."})},
	{"factor.recovery_make", .changes = true,
	 .what = "New recovery codes; shown once, the old ones are void."},
	{"factor.sms_set", .changes = true,
	 .what = "A telephone: first its number, then the code that it got.",
	 .takes = FIELDS({"number", API_TEXT, false, "+436601234567"},
			 {"login", API_TEXT, false, "Of the first answer."},
			 {"sms", API_TEXT, false, "6 digits."})},
	{"factor.remove", .changes = true, .what = "Removes a factor.",
	 .takes = FIELDS({"id", API_TEXT, true, "Its id."})},

	{"key.list", .what = "API keys.", .takes = FIELDS(MANY, CURSOR),
	 .gives = FIELDS({"keys", API_LIST, true, "Keys, without what they open by."}, NEXT)},
	{"key.make", .changes = true, .what = "Makes an API key; it is shown once.",
	 .takes = FIELDS({"name", API_TEXT, true, "What it is for."},
			 {"scopes", API_LIST, true, "Calls: \"events\", \"grant.*\"."},
			 {"days", API_NUMBER, false, "Until it expires, 1 to 366."},
			 {"role", API_TEXT, false, "Any but administrator; viewer if not given."})},
	{"key.revoke", .changes = true, .what = "Ends an API key.",
	 .takes = FIELDS({"id", API_TEXT, true, "Its id."})},

	{"grant.list", .what = "Doors that are open or asked for; all: those of the past, too.",
	 .takes = FIELDS({"all", API_FLAG, false, "Those that are over, too."}, MANY, CURSOR),
	 .gives = FIELDS({"grants", API_LIST, true, "Doors."},
			 {"invitations", API_LIST, false, "Of vendors."}, NEXT)},
	{"grant.services", .what = "Which services of which devices open for whom.",
	 .gives = FIELDS({"services", API_LIST, true, "Services."})},
	{"grant.request", .changes = true,
	 .what = "Asks for a device's service port, for the workstation that asks, for a reason "
		 "and a while.",
	 .takes = FIELDS(DOOR, {"minutes", API_NUMBER, true, "For how long."}, RECORDED)},
	{"grant.approve", .changes = true, .what = "Opens what somebody else asked for.",
	 .takes = FIELDS(NUMBER)},
	{"grant.deny", .changes = true, .what = "Does not open it.",
	 .takes = FIELDS(NUMBER, {"reason", API_TEXT, false, "Why."})},
	{"grant.revoke", .changes = true, .what = "Shuts an open door at once.",
	 .takes = FIELDS(NUMBER, {"reason", API_TEXT, false, "Why."})},
	{"grant.break_glass", .changes = true,
	 .what = "An emergency: opens at once, is shown to everybody, must be reviewed.",
	 .takes = FIELDS(DOOR, {"minutes", API_NUMBER, true, "For how long."}, RECORDED)},
	{"grant.review", .changes = true, .what = "The review of an emergency.",
	 .takes = FIELDS(NUMBER, {"reason", API_TEXT, true, "What came of it."})},
	{"vendor.invite", .changes = true, .what = "Invites a vendor to its devices for a while.",
	 .takes = FIELDS({"user", API_TEXT, true, "The vendor's name here."},
			 {"devices", API_LIST, true, "Names of devices."},
			 {"minutes", API_NUMBER, true, "For how long."},
			 {"reason", API_TEXT, true, "What for."})},
	{"vendor.withdraw", .changes = true, .what = "Takes an invitation back.",
	 .takes = FIELDS(NUMBER)},

	{"audit.list", .what = "The audit trail, the newest entry first.",
	 .takes = FIELDS({"who", API_TEXT, false, "Who did it."},
			 {"what", API_TEXT, false, "Which call."},
			 {"object", API_TEXT, false, "On what."}, LIMIT, CURSOR,
			 {"before", API_NUMBER, false, "Entries before that number."}),
	 .gives = FIELDS({"entries", API_LIST, true, "Entries."}, NEXT)},
	{"audit.verify", .what = "Whether the audit trail is as it was written.",
	 .takes = FIELDS({"against", API_TEXT, false, "A checkpoint that was kept elsewhere."})},
	{"audit.export", .file = true, .file_type = "text/plain",
	 .what = "The audit trail, the oldest entry first: as DICOM audit messages (PS3.15 A.5), "
		 "or "
		 "as the file itself, for 'bedwarden audit verify' elsewhere. It is recorded who "
		 "had it.",
	 .takes = FIELDS(
		 {"format", API_TEXT, false, "`dicom`, or `log`: all of it at once."},
		 {"limit", API_NUMBER, false, "Messages of a page, 1 to 500; 100 if not given."},
		 CURSOR),
	 .gives = FIELDS({"messages", API_LIST, false, "XML each."},
			 {"checkpoint", API_TEXT, false, "A signed one, to keep beside them."},
			 {"count", API_NUMBER, false, "Entries that there are."}, NEXT)},
	{"audit.checkpoint", .what = "A signed checkpoint, to keep elsewhere."},

	{"update.status",
	 .what = "Updates: what is in place, what waits and why, when was last looked for them.",
	 .gives =
		 FIELDS({"release", API_TEXT, true, "That runs; empty: the packaged one."},
			{"packaged", API_TEXT, true, "Version of the package."},
			{"waiting", API_LIST, true, "name, version, code and why."},
			{"targets", API_LIST, true, "All that is offered, and which is installed."},
			{"warnings", API_LIST, true, "What somebody should see to."},
			{"fetching", API_OBJECT, true, "When, from where, until when it is good."},
			{"hold", API_OBJECT, false, "Who held updates, since when, why."},
			{"rollouts", API_LIST, true,
			 "Firmware to devices: state, and of each device step, why and driver."},
			{"devices", API_LIST, true, "That get firmware: version, and who says so."},
			{"place_error", API_TEXT, false, "Why nothing can be put in place."},
			{"outcome", API_OBJECT, false, "Of the last change of release."})},
	{"update.upload", .changes = true, .bytes = true,
	 .what = "A piece of a bundle, at most 256 KiB. The first begins an upload; the others say "
		 "which, and where in the file they belong: where the last answer's `size` is.",
	 .takes = FIELDS(PIECE), .gives = FIELDS(PIECES)},
	{"update.import", .changes = true,
	 .what = "Takes an uploaded bundle, as `bedwarden update import` does: only what the keys "
		 "of the repository vouch for.",
	 .takes = FIELDS({"upload", API_TEXT, true, "Of update.upload."},
			 {"reason", API_TEXT, false, "Why; for the audit trail."}),
	 .gives = FIELDS({"targets", API_LIST, true,
			  "name, by whom it is vouched for, whether it was known."},
			 {"root", API_NUMBER, true, "Versions of the repository's roles."},
			 {"timestamp", API_NUMBER, true, ""}, {"snapshot", API_NUMBER, true, ""},
			 {"targets_version", API_NUMBER, true, ""})},
	{"update.check", .changes = true, .what = "Looks for updates now.",
	 .gives = FIELDS({"mirror", API_TEXT, true, "Who answered."},
			 {"targets", API_NUMBER, true, "How many are offered."})},
	{"update.approve", .changes = true,
	 .what = "Lets one be installed, a release started, or a rollout to devices begin.",
	 .takes = FIELDS(
		 {"name", API_TEXT, true, "Of the target, a release's version, or a rollout's id."},
		 {"reason", API_TEXT, false, "Why; for the audit trail."}),
	 .gives = FIELDS({"name", API_TEXT, true, "Of the target."},
			 {"sha256", API_TEXT, false, "What exactly was approved."})},
	{"update.hold", .changes = true,
	 .what = "Installs nothing, and begins with no device, until they are released.",
	 .takes = FIELDS({"name", API_TEXT, false, "A rollout's id: that one alone."},
			 {"reason", API_TEXT, false, "Why."})},
	{"update.release", .changes = true, .what = "Lets updates go on.",
	 .takes = FIELDS({"name", API_TEXT, false, "A rollout's id: that one alone."})},
	{"update.rollback", .changes = true,
	 .what = "Starts the release before this one; or takes a rollout's devices back.",
	 .takes = FIELDS({"name", API_TEXT, false, "A rollout's id."},
			 {"reason", API_TEXT, false, "Why."})},
	{"update.done", .changes = true,
	 .what = "Somebody did by hand what a rollout asks for at a device.",
	 .takes = FIELDS({"name", API_TEXT, true, "The rollout's id."},
			 {"device", API_TEXT, true, "The device."},
			 {"failed", API_FLAG, false, "It did not come out well."},
			 {"reason", API_TEXT, false, "What was done."})},

	{"pki.show", .what = "The gateway's certificate authority.",
	 .gives = FIELDS({"pem", API_TEXT, true, "PEM."})},
	{"pki.ls", .what = "Certificates.", .takes = FIELDS(MANY, CURSOR),
	 .gives = FIELDS({"certificates", API_LIST, true, "Certificates."}, NEXT)},
	{"pki.crl", .what = "What was revoked.", .gives = FIELDS({"pem", API_TEXT, true, "PEM."})},
	{"pki.issue", .changes = true, .what = "Signs a request.",
	 .takes = FIELDS(ORDER, {"csr", API_TEXT, true, "PKCS #10, PEM."}),
	 .gives = FIELDS({"pem", API_TEXT, true, "PEM."})},
	{"pki.code", .changes = true, .what = "A one-time code for a machine to enrol with (EST).",
	 .takes = FIELDS(ORDER, {"hours", API_NUMBER, false, "Until it expires."}),
	 .gives = FIELDS({"code", API_TEXT, true, "The code."})},
	{"pki.revoke", .changes = true,
	 .what = "Revokes a name's certificates, or one by its serial number.",
	 .takes = FIELDS({"which", API_TEXT, true, "A name or a serial number."})},
	{"pki.init", .changes = true,
	 .what = "Makes the gateway's certificate authority, where there is none yet.",
	 .takes = FIELDS({"name", API_TEXT, false, "Its name; \"Bedwarden authority\"."},
			 {"days", API_NUMBER, false, "That it is good for, 30 to 7300."}),
	 .gives = FIELDS({"pem", API_TEXT, true, "Its certificate, PEM."})},
	{"pki.renew", .changes = true,
	 .what = "Makes the gateway's own certificate for the link anew, whatever its age.",
	 .gives = FIELDS({"renewed", API_FLAG, true, ""})},
	{"pki.request", .changes = true,
	 .what = "A request for the hospital's authority, with the gateway's own key: PKCS #10.",
	 .takes = FIELDS(ORDER, FOR), .gives = FIELDS({"pem", API_TEXT, true, "PEM."})},
	{"pki.install", .changes = true,
	 .what = "Takes what the hospital's authority gave for such a request; or takes it away "
		 "again, and the gateway's own authority serves.",
	 .takes = FIELDS({"pem", API_TEXT, false,
			  "Certificates, PEM: the gateway's own first, then those above it."},
			 {"remove", API_FLAG, false, "Instead."}, FOR),
	 .gives = FIELDS({"installed", API_FLAG, true, "false: it was taken away."})},
	{"evidence.list",
	 .what = "Evidence in the vault: what was on the wire around a finding, and recorded "
		 "sessions. The oldest first; a page may be short, and still have a next.",
	 .takes =
		 FIELDS({"begins", API_TEXT, false, "What their names begin with."}, LIMIT, CURSOR),
	 .gives = FIELDS(OBJECTS, NEXT)},
	{"evidence.export", .changes = true, .file = true, .file_type = BYTES,
	 .what = "A piece of evidence itself; sealed for recipients of age, if any are named. "
		 "It is recorded who had it.",
	 .takes = FIELDS(WHICH)},
	{"vault.list",
	 .what = "What the gateway's vault holds, the oldest first; a page may be short, and still "
		 "have a next.",
	 .takes =
		 FIELDS({"class", API_TEXT, false, "evidence, archive, firmware, backup …"},
			{"begins", API_TEXT, false, "What their names begin with."}, LIMIT, CURSOR),
	 .gives = FIELDS(OBJECTS, NEXT)},
	{"vault.export", .changes = true, .file = true, .file_type = BYTES,
	 .what = "An object of the vault, opened; or sealed for recipients of age, if any are "
		 "named. It is recorded who had it.",
	 .takes = FIELDS(WHICH)},
	{"vault.upload", .changes = true, .bytes = true,
	 .what = "A piece of a file for the vault, at most 256 KiB, as in update.upload.",
	 .takes = FIELDS(PIECE), .gives = FIELDS(PIECES)},
	{"vault.put", .changes = true,
	 .what = "Puts an uploaded file into the vault; the answer comes when it is on the disk.",
	 .takes = FIELDS(
		 {"upload", API_TEXT, true, "Of vault.upload."},
		 {"name", API_TEXT, true, "In the vault: notes/plan.pdf."},
		 {"class", API_TEXT, false, "`file` if not given; none of the gateway's own."},
		 {"keep", API_NUMBER, false, "Days that it must be kept; 2192 if not given."}, WHY),
	 .gives = FIELDS({"name", API_TEXT, true, ""}, {"class", API_TEXT, true, ""},
			 {"address", API_TEXT, true, "Of its content."},
			 {"known", API_FLAG, true, "The same content was there already."})},
	{"vault.shred", .changes = true,
	 .what = "Destroys things of the vault for good, with the keys that sealed them. What has "
		 "to be kept longer is, unless `force` insists.",
	 .takes = FIELDS({"names", API_LIST, false, "Names or addresses, at most 100; or …"},
			 {"expired", API_FLAG, false, "… all that was kept long enough, or …"},
			 {"all", API_FLAG, false, "… everything."},
			 {"class", API_TEXT, false, "Of this class only."},
			 {"force", API_FLAG, false, "Also what has to be kept longer."},
			 {"reason", API_TEXT, true, "Why; it is kept in the vault's log."}),
	 .gives = FIELDS({"done", API_FLAG, true, "false: it goes on; vault.keys says until when."},
			 {"destroyed", API_NUMBER, false, "How many names."},
			 {"kept", API_NUMBER, false, "How many have to be kept longer."},
			 {"missing", API_LIST, false, "Names that there are not."})},
	{"vault.keys", .what = "The vault's keys: who holds them, how many there are; never a key.",
	 .gives =
		 FIELDS({"locked", API_FLAG, true, ""},
			{"reason", API_TEXT, false, "Why they are locked."},
			{"holder", API_TEXT, false, "passphrase, tpm2, pkcs11, credential, file."},
			{"holder_is", API_TEXT, false, "In words."},
			{"trial", API_FLAG, false, "A holder that is for trying things alone."},
			{"recipient", API_TEXT, false, "Whose identity recovers; empty: nobody's."},
			{"generation", API_NUMBER, false, "Of the master key."},
			{"data_keys", API_NUMBER, false, ""},
			{"from_copy", API_FLAG, false, "The keyring was damaged, its copy serves."},
			{"changing", API_FLAG, false, "Something is being destroyed or rotated."})},
	{"vault.rotate", .changes = true,
	 .what = "A new master key, and every data key anew; the old ones are destroyed.",
	 .takes = FIELDS(WHY),
	 .gives = FIELDS({"done", API_FLAG, true, "false: it goes on; vault.keys says until when."},
			 {"data_keys", API_NUMBER, false, "How many are new."})},
	{"vault.recipient", .changes = true,
	 .what = "From now on the identity of this recipient of age opens the vault where the "
		 "machine is lost, and no earlier one what changes after.",
	 .takes = FIELDS({"recipient", API_TEXT, true, "age1…; its identity stays where it is."},
			 WHY),
	 .gives = FIELDS({"recipient", API_TEXT, true, ""})},
	{"vault.check",
	 .what = "Holds the vault against itself, as `bedwarden vault fsck`. Of a large one it may "
		 "not be done when the answer comes: ask again.",
	 .takes = FIELDS({"content", API_FLAG, false, "Reads every object, too."}),
	 .gives = FIELDS({"done", API_FLAG, true, "false: it goes on."},
			 {"content", API_FLAG, false, "Objects were read, too."},
			 {"wrong", API_NUMBER, false, "How many things are wrong."},
			 {"found", API_LIST, false, "What is, the first 32."},
			 {"objects", API_NUMBER, false, ""}, {"names", API_NUMBER, false, ""})},
	{"vault.log",
	 .what = "What was destroyed in the vault, the oldest first, and whether that record is "
		 "whole.",
	 .takes = FIELDS(LIMIT, CURSOR),
	 .gives = FIELDS({"lines", API_LIST, true, "line, time, entry."},
			 {"whole", API_FLAG, true, "Its chain holds."}, NEXT)},
	{"backup.make", .changes = true,
	 .what = "Begins a backup now: into the vault, and the vault's copy to the other disk. "
		 "`backup` of status says what came of it.",
	 .gives = FIELDS({"begun", API_FLAG, true, ""})},

	{"report.make", .file = true, .file_type = "text/html",
	 .what = "What the gateway can show of each requirement of the HIPAA Security Rule, or of "
		 "NIST CSF 2.0, as `bedwarden report` says it.",
	 .takes = FIELDS({"framework", API_TEXT, true, "`hipaa` or `csf`."},
			 {"format", API_TEXT, false, "`json`, or `html`: one page, to be kept."},
			 {"days", API_NUMBER, false,
			  "That events are counted over, 1 to 3650; 30 if not given."}),
	 .gives = FIELDS({"parts", API_LIST, false, "As `bedwarden report --json`."},
			 {"summary", API_OBJECT, false, "How many are met, partly, not."})},
	{NULL},
};

const char *api_path(const struct api_route *r, char ret_path[API_PATH_MAX])
{
	snprintf(ret_path, API_PATH_MAX, "/api/%s", r->call);
	for (char *p = ret_path; *p; p++)
		if (*p == '.')
			*p = '/';
	return ret_path;
}

const struct api_route *api_find(const char *path)
{
	char own[API_PATH_MAX];

	for (const struct api_route *r = api_routes; r->call; r++)
		if (strcmp(api_path(r, own), path) == 0)
			return r;
	return NULL;
}
