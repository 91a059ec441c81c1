#ifndef BEDWARDEN_GUARD_PROTO_SMB_H
#define BEDWARDEN_GUARD_PROTO_SMB_H
/*
 * SMB 1 to 3 (MS-CIFS, MS-SMB2) over TCP, with or without NetBIOS sessions: the
 * headers, and of the bodies what is opened: shares, files, named pipes. What is
 * read and written is passed over; the first read and the first write of what
 * was opened last are told. What is encrypted or compressed is told once.
 */
#include "guard/proto/proto.h"

#define SMB_TEXT_MAX 800 /* Windows's 260 characters, of three bytes each, fit */

struct smb_msg {
	struct msg msg;
	struct bytes command, dialect, status, status_code;
	struct bytes share, filename, named_pipe;
	struct bytes new_name; /* that a file gets, or gets beside its old one */
	const char *share_type, *disposition;
	uint64_t session_id;
	uint32_t tree_id;
	uint8_t version; /* 1 or 2: of the headers */
	bool encrypted, compressed;
	bool of_pipes; /* the tree that it acts on holds named pipes */
	size_t room_used;
	uint8_t room[2048];
};

extern const struct proto smb_proto;

#endif
