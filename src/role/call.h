#ifndef BEDWARDEN_ROLE_CALL_H
#define BEDWARDEN_ROLE_CALL_H
/*
 * Calls: what people have the keeper do, by the page, the API or the command
 * line. The console process only translates between HTTP and calls; here it
 * is decided who asks, whether they may, and what comes of it (doc/adr/0012).
 *
 * A call is one JSON object, a line on the control socket or the body of an
 * IPC_CALL from the console:
 *
 *   {"call":"grant.request","session":"…","csrf":"…","source":"10.0.0.5",
 *    "mac":"02:…","origin":"https://…","args":{…}}
 *
 * and is answered by {"ok":{…}} or {"error":{"status":403,
 * "type":"auth.step_up_needed","title":"…","detail":"…"}} (RFC 9457's members).
 * On the control socket {"call":…,"args":…} alone: the asker is the operator.
 */
#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/bytes.h"
#include "people/role.h"

struct keeper;

struct call_asker {
	const char *user;      /* who it is; "" nobody has signed in */
	enum people_role role; /* meaningful with a user */
	bool operator_;	       /* root or our group on the box's own socket: `user` is of unix */
	bool api_key;	       /* a machine's key, not a person's session */
	const json_t
		*scopes; /* of an API key: the calls it is for ("events", "grant.*"); borrowed */
	const char *source, *mac; /* where from, as the console saw it; "" unknown */
	const char *certificate;  /* that the workstation showed (people/console/client_cert.h);
				   * NULL or "" none */
	const char *origin;	  /* the page's "https://name:port"; "" where none was said */
	const char *session;	  /* the token itself, a secret; "" none */
	const char *session_id;	  /* its name for people; "" none */
	uint64_t stepped_up_ns;	  /* until when a fresh factor counts, clock_wall_ns(); 0 none */
	bool csrf_ok;		  /* the request proved that it came from our own page */
	const json_t *devices;	  /* of a vendor: the names of those that it may see; borrowed */
	bool enrolling;		  /* has no second factor yet, and adds one: see call_row.also */
	bool one_factor;	  /* has shown one alone */
	bool passive;		  /* a page asked by itself: no use of the session */
	uint32_t ticket;	  /* for call_later() */
};

struct call_error {
	unsigned status;  /* HTTP's; 0: none, see call_later() */
	char type[64];	  /* stable, dotted: "auth.step_up_needed" */
	char title[128];  /* what is wrong, always the same for a type */
	char detail[512]; /* here and now, and what to do about it */
	json_t *more;	  /* further members for the answer; taken over. NULL none */
};

/*
 * A new reference, which becomes "ok"; NULL: ret_error says why. Arguments are
 * what came from outside: absent ones are an empty object, nothing else is promised.
 */
typedef json_t *(*call_fn)(struct keeper *k, const struct call_asker *by, const json_t *args,
			   struct call_error *ret_error);

enum { CALL_ENROLLING = 1, CALL_ONE_FACTOR = 2 };

/* One row a call. A call that is not in a table does not exist. */
struct call_row {
	const char *name;
	call_fn fn;
	unsigned roles;	   /* a set of people/role.h; 0: also who has not signed in */
	bool step_up;	   /* needs a fresh factor */
	bool changes;	   /* needs proof of our own page, and is audited, refused or done */
	bool on_box;	   /* only the operator, on the box's own socket */
	unsigned also;	   /* sessions that are not full ones and may it, a set; 0: none */
	bool noted;	   /* audited though it changes nothing: something leaves the house */
	const char *pages; /* the list of its answer that is given out in pages; NULL none */
	bool part;	   /* not audited: of something that is, as a whole */
};

/* Fills *ret_error, and returns NULL so that a call can end with it. */
json_t *call_fail(struct call_error *ret_error, unsigned status, const char *type,
		  const char *title, const char *detail, ...) __attribute__((format(printf, 5, 6)));

/* The same for an argument that is not what it must be: 400, and what it must be. */
json_t *call_bad(struct call_error *ret_error, const char *name, const char *want);

/*
 * The answer comes later, from another process: return call_later() from the call and
 * answer with call_done() or call_failed() by the asker's ticket, within ms. A ticket whose
 * asker is gone is no error.
 */
json_t *call_later(struct keeper *k, const struct call_asker *by, uint32_t ms,
		   struct call_error *ret_error);
void call_done(struct keeper *k, uint32_t ticket, json_t *ok); /* takes the reference */
void call_failed(struct keeper *k, uint32_t ticket, struct call_error *error);

/*
 * What the answer tells of is read from there, by the console, to its end; before the answer. The
 * descriptor stays the caller's. false: it cannot be given, the asker is on the control socket or gone.
 */
bool call_attach(struct keeper *k, uint32_t ticket, int fd);

/*
 * What the call needs is made elsewhere and takes its time: return call_wait() from the call. With
 * call_again() it is done anew from its beginning, when whoever asks is found out again; if that does
 * not come within ms, they are told so. A ticket whose asker is gone is no error.
 */
json_t *call_wait(struct keeper *k, const struct call_asker *by, uint32_t ms,
		  struct call_error *ret_error);
void call_again(struct keeper *k, uint32_t ticket);

/* Arguments. A text, or NULL where it is absent or no text (or has a zero inside). */
const char *call_text(const json_t *args, const char *name);
/* A whole number within its bounds; false: absent or none. */
bool call_number(const json_t *args, const char *name, int64_t min, int64_t max, int64_t *ret_n);
/* Where a page begins: a number up to `max` that was given out as text. True and untouched where it
 * is absent; false: it is not what was given out. */
bool call_cursor(const json_t *args, int64_t max, int64_t *ret_n);

/*
 * Who is behind a session's token or an API key: role/people.c. Fills user, role, api_key,
 * scopes, session_id, stepped_up_ns and csrf_ok, each good until the call ends; false: the
 * token is good for nothing (any longer), ret_error says why.
 */
typedef bool (*call_identify_fn)(struct keeper *k, const char *token, const char *csrf,
				 struct call_asker *by, struct call_error *ret_error);
/* Notes what somebody changed, or was refused (`error`, else NULL): the audit trail. */
typedef void (*call_note_fn)(struct keeper *k, const struct call_row *row,
			     const struct call_asker *by, const json_t *args,
			     const struct call_error *error);

/* All there are, in tables that end with a row without a name; how many tables. */
size_t call_tables(const struct call_row *const **ret_tables);

/* The keeper's side. What is asked is answered through desk.h or serve.h. */
struct calls;
struct client;
struct calls *calls_new(void); /* NULL: no memory */
void calls_free(struct calls *c);
/* Finds out who asks, whether they may, and does it: "ok", or NULL with the error. */
json_t *call_run(struct keeper *k, const json_t *root, struct call_asker *by,
		 struct call_error *ret_error);
void call_from_console(struct keeper *k, uint32_t question, const json_t *root);
void call_from_client(struct keeper *k, struct client *c, const json_t *root);
/* Nobody answered for some in time: says so. And when that is due, monotonic; UINT64_MAX never. */
void call_turn(struct keeper *k, uint64_t now_ns);
uint64_t call_due(const struct keeper *k);
/* A client is gone; its answer is nobody's. */
void call_without(struct keeper *k, const struct client *c);

#endif
