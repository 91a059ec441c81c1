#ifndef BEDWARDEN_CLI_EXPLAIN_INTERNAL_H
#define BEDWARDEN_CLI_EXPLAIN_INTERNAL_H
/*
 * What the parts of cli/explain.h share: the policy that is being explained, the lines of a
 * device as the file had them, and what is probably not meant.
 */
#include "cli/explain.h"
#include "guard/proto/proto.h"

struct warning;

struct explaining {
	const struct config *c;
	const struct policy *p;
	const struct gate_device *devices;
	const struct gate_rule *rules;
	uint32_t device_count, rule_count;
	uint64_t *roles; /* of each host */
};

extern const char *const explain_modes[]; /* of a segment or device, by enum gate_mode */
/* The profile that it names; NULL none. */
const struct config_profile *explain_profile(const struct config *c, const struct config_device *d);

/* --- explain_line.c --------------------------------------------------------------- */

/* A text that grows by pieces, each but the first behind a separator; cut where it is full. */
struct pieces {
	char text[1024];
	size_t len;
};
__attribute__((format(printf, 3, 4))) void piece_add(struct pieces *p, const char *separator,
						     const char *fmt, ...);

/* The lines of the file come apart into rows, one a port and peer; this puts them together again. */
struct line {
	const char *service;
	const char *messages;
	struct gate_rule rule; /* the first */
	struct pieces ports, peers;
	uint32_t next; /* the row behind it */
	bool after;    /* some of what it fits a line before it fits, too, which decides */
};

/* The line whose first row is `i`, one of the device's. */
void explain_line(const struct explaining *x, const struct gate_device *d, uint32_t i,
		  struct line *ret_line);
void explain_line_text(FILE *out, const struct line *l);
json_t *explain_line_json(const struct line *l);

/* --- explain_messages.c: a rule's text about messages (guard/policy/message.h) ---------- */

/* The protocol that the text names; NULL: any. */
const struct proto *explain_protocol(const char *text);
/* Nothing is said where anything may be spoken. */
void explain_messages(FILE *out, const char *text);
/* {"app": "hl7", "control": false, "allow": {"message_type": ["ORU^R01"]}}; null: anything. */
json_t *explain_messages_json(const char *text);
/* What the text names and yet refuses, or what nobody ever says. */
void explain_messages_vain(const char *service, const char *text, const struct warning *w);

/* --- explain_words.c: members and values of messages for who does not know the protocol -- */

/* "sent to the broker on the topic", to stand before values; NULL: the member's own name does. */
const char *explain_member(const char *app, const char *member, size_t len);
/* "results and measurements", of a pattern's text; NULL: it says enough. */
const char *explain_value(const char *app, const char *member, size_t member_len, const char *value,
			  size_t len);

/* --- explain_warning.c: what is probably not meant ------------------------------------ */

/* Each is one sentence for a person. */
typedef void (*explain_warn_fn)(void *arg, const char *text);
void explain_warnings(const struct explaining *x, explain_warn_fn fn, void *arg);

struct warning {
	explain_warn_fn fn;
	void *arg;
};
__attribute__((format(printf, 2, 3))) void explain_warn(const struct warning *w, const char *fmt,
							...);
/* Lines that allow nothing, or not what they name. */
void explain_vain(const struct explaining *x, const struct warning *w);

#endif
