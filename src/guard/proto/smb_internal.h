#ifndef BEDWARDEN_GUARD_PROTO_SMB_INTERNAL_H
#define BEDWARDEN_GUARD_PROTO_SMB_INTERNAL_H
/*
 * What the readers of SMB 1 (smb1.c) and of what came after it (smb.c) share:
 * the conversation's state, and how names and numbers are told (smb_text.c).
 */
#include "guard/proto/smb.h"

#define SMB_PIPES	8
#define SMB_COMMAND_MAX 2048 /* bytes of a command that are looked at */

/* Numbers of trees are a session's own. */
struct smb_tree {
	uint64_t session;
	uint32_t tree;
};

/* Commands of one message, each behind the other; of SMB 2 no more than their tree is kept. */
struct smb_chain {
	bool on;	       /* the next one is not read yet */
	bool reply, wide, dos; /* dos: the status is a class and a code */
	uint8_t command, lead;
	uint16_t tree, session;
	bool of_pipes; /* the tree that the next one acts on holds named pipes */
	uint32_t at;   /* where in the message what is read next begins */
	uint32_t status;
};

struct smb_state {
	struct smb_chain chain[2];
	uint32_t left[2];		  /* of the session message that the end is in */
	struct smb_tree pipes[SMB_PIPES]; /* those that hold named pipes */
	uint8_t pipe_count;
	bool told_read, told_write, told_encrypted;
	bool told_change, told_sealed; /* a WRITE that is one; what may be one, unread */
};

/* Texts are put into the message's room, as UTF-8. What is cut has SMB_TEXT_MAX - 4 bytes at least. */
struct bytes smb_put(struct smb_msg *m, const char *text);
struct bytes smb_put_wide(struct smb_msg *m, struct bytes b); /* of UTF-16, the low byte first */
void smb_put_status(struct smb_msg *m, uint32_t status);
/* MS-CIFS §2.2.2.4: the class, and its code in the upper half. */
void smb_put_dos_status(struct smb_msg *m, uint32_t status);
void smb_put_command(struct smb_msg *m, unsigned version, const struct proto_name *names,
		     size_t count, uint32_t command);
const char *smb_disposition(uint32_t disposition);

/* A tree was connected to; the server says whether it holds named pipes. */
void smb_note_tree(struct smb_state *st, const struct smb_msg *m, bool pipes);
/* A file's name, or a pipe's, by the tree that the message acts on. */
void smb_put_opened(struct smb_state *st, struct smb_msg *m, struct bytes name);
bool smb_is_pipe_tree(const struct smb_state *st, const struct smb_msg *m);
void smb_mark(struct smb_msg *m, bool changes);
bool smb_creates(uint32_t disposition, uint32_t options);
/* An FSCTL that changes nothing. */
bool smb_asks(uint32_t fsctl);
bool smb_is_told(struct smb_state *st, const struct smb_msg *m, bool read, bool write);

/*
 * A message, or the next command of its chain: how many bytes it is of the `left` that the session's
 * message has; 0 where it lies.
 */
uint32_t smb1_read(struct smb_state *st, struct smb_chain *c, struct bytes b, uint32_t left,
		   struct smb_msg *m, struct proto_output *out);
uint32_t smb1_read_chained(struct smb_state *st, struct smb_chain *c, struct bytes b, uint32_t left,
			   struct smb_msg *m, struct proto_output *out);

#endif
