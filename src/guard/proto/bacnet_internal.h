#ifndef BEDWARDEN_GUARD_PROTO_BACNET_INTERNAL_H
#define BEDWARDEN_GUARD_PROTO_BACNET_INTERNAL_H
/*
 * What BACnet's messages (bacnet.c), what their services name (bacnet_object.c) and their segments
 * (bacnet_segment.c) have in common.
 */
#include "guard/proto/bacnet.h"
#include "guard/proto/bacnet_names.h"

struct bacnet_tag {
	uint8_t number;
	bool context, opens, closes;
	struct bytes value;
};

/* §20.2.1: what stands before a tag's value, and how long that is. Bad where it does not fit. */
struct bacnet_tag bacnet_read_tag_head(struct reader *r, size_t *ret_len);
/* The next tag with its value. */
struct bacnet_tag bacnet_read_tag(struct reader *r);
uint32_t bacnet_number(struct bacnet_tag t);
/* Does the tag follow the grammar where it stands? Pairs are counted. */
bool bacnet_tag_fits(struct bacnet_tag t, uint8_t *depth);

/* What a service names (bacnet_object.c). */

/* What it is about. */
void bacnet_read_about(struct reader *r, struct bacnet *m, const struct bacnet_service *s,
		       bool property);
/* Object, property and index. */
void bacnet_read_names(struct reader *r, struct bacnet *m);
/* A Multiple's, or its answer's: all of it, so that nothing is left that was not understood. */
void bacnet_read_several(struct reader *r, struct bacnet *m, bool answer);
/* The first of what `several` holds. */
void bacnet_take_names(struct bacnet *m);
/* Nothing is known of what it names: like no pattern. */
void bacnet_unname(struct bacnet *m);
/* What is to be done, and whether there is a password to it (§16.1, §16.4). */
void bacnet_read_command(struct reader *r, struct bacnet *m, uint8_t service);
/* FIELD_LIST */
struct bytes bacnet_next_object_type(const struct msg *m, size_t *at);
struct bytes bacnet_next_property(const struct msg *m, size_t *at);

/*
 * §5.4: a service's parameters, cut into segments anywhere. They are read as they come: of what is
 * before, no more is kept than where in the tags the next segment goes on, and that for as many as
 * a sender may have to say again.
 */
#define BACNET_UNDER_WAY 2 /* services under way at once in a conversation, of each end together */
#define BACNET_AGAIN	 16
#define BACNET_CUT_MAX	 (2 + 5 + 4) /* of a tag that names something */

struct bacnet_place {
	uint32_t skip; /* bytes of a value that go on */
	uint8_t depth;
	uint8_t cut_len;
	uint8_t cut[BACNET_CUT_MAX + 1]; /* the front of a tag */
};

struct bacnet_transaction {
	uint64_t time_ns;
	uint16_t snet, dnet;
	uint8_t end, invoke_id, choice;
	bool answer, known, done;
	uint8_t next;				  /* the number that is awaited */
	uint8_t kept;				  /* of the places before, how many are known */
	struct bacnet_place before[BACNET_AGAIN]; /* segment n, at n % BACNET_AGAIN */
	struct bacnet_place now;		  /* before `next` */
};

struct bacnet_segments {
	struct bacnet_transaction under_way[BACNET_UNDER_WAY];
	uint8_t last;
};

bool bacnet_is_several(uint8_t choice);
/* Takes the rest of the reader for a segment of the message's service. */
void bacnet_follow_segment(struct bacnet_segments *st, const struct proto_input *in,
			   struct bacnet *m, struct reader *r, uint8_t choice, bool answer);

#endif
