#ifndef BEDWARDEN_KEEP_REQUEST_H
#define BEDWARDEN_KEEP_REQUEST_H
/*
 * What people may ask over the control socket: one line, one JSON object,
 *   {"cmd":"events","all":true,"device":"pump-1","limit":50}
 *   {"call":"grant.list","args":{…}}			(role/call.h)
 * An option that the command does not have is refused, so that a misspelt
 * filter never passes for "everything".
 */
#include "keep/query.h"

#define REQUEST_MAX   32768 /* bytes of the line: a chain of certificates fits */
#define REQUEST_ERROR 256

enum request_command {
	REQUEST_STATUS,
	REQUEST_DEVICES,
	REQUEST_FLOWS,
	REQUEST_EVENTS,
	REQUEST_GRANTS,
	REQUEST_APPLY,
	REQUEST_COUNTERS,
	REQUEST_CALL,
	REQUEST_COMMANDS,
};

#define REQUEST_LIMIT	  1000 /* rows of events where none was asked for */
#define REQUEST_LIMIT_MAX 1000000

struct json_t;
struct request {
	enum request_command command;
	struct query_filter filter; /* devices, flows, counters: `device` only */
	bool all;		    /* events: single ones, not groups */
	bool follow;		    /* and those to come */
	char call[64];		    /* a call's name, … */
	struct json_t *object;	    /* … and the whole request, whoever answers it frees it */
};

/* 0, or -EBADMSG with what is wrong and what to do in ret_error. */
int request_parse(struct bytes line, struct request *ret_request, char ret_error[REQUEST_ERROR]);

#endif
