#include "guard/announce.h"

#include <string.h>

#include "guard/proto/ftp.h"
#include "guard/proto/tftp.h"
#include "guard/proto/tls.h"

#define PORT_MIN  1024 /* a port below is a service, and to be asked for as one */
#define PORT_FTPS 990

static void door(const struct gate_grant_row *grant, enum gate_door_kind kind, uint16_t port,
		 struct gate_grant_row *ret_row)
{
	struct gate_grant_row row = *grant;

	row.key.kind = kind;
	row.key.port = row.grant.port_lo = row.grant.port_hi = port;
	row.grant.flags &= (uint8_t)~GATE_GRANT_DATA; /* which announces nothing itself */
	*ret_row = row;
}

/* End 0, the workstation, gives commands; end 1, the device, answers. Where the device listens it
 * is met at its own address, whatever it says (RFC 2428 §3); who is to be called is who asks, so that
 * nobody is made to call a third one (RFC 2577 §3). */
static bool ftp_door(const struct session_message *m, const struct gate_grant_row *grant,
		     struct gate_grant_row *ret_row)
{
	const struct ftp_msg *said = (const struct ftp_msg *)m->msg;

	if (!said->mode || said->dynamic_port < PORT_MIN)
		return false;
	if (m->end == 1 && said->msg.answer) {
		door(grant, GATE_DOOR_SERVICE, said->dynamic_port, ret_row);
		return true;
	}
	if (m->end != 0 || said->msg.answer || !said->has_address ||
	    memcmp(said->address, grant->key.peer.b, sizeof(said->address)) != 0)
		return false;
	door(grant, GATE_DOOR_BACK, said->dynamic_port, ret_row);
	return true;
}

/* The answer comes from a port that the device chooses, to the one that asked. */
static bool tftp_door(const struct session_message *m, const struct gate_grant_row *grant,
		      struct gate_grant_row *ret_row)
{
	const struct tftp_msg *said = (const struct tftp_msg *)m->msg;

	if (m->end != 0 || !said->file.len || m->packet->src_port < PORT_MIN)
		return false;
	door(grant, GATE_DOOR_BACK, m->packet->src_port, ret_row);
	return true;
}

bool announce_door(const struct session_message *m, const struct gate_grant_row *grant,
		   struct gate_grant_row *ret_row)
{
	if (!(grant->grant.flags & GATE_GRANT_DATA) || m->msg->reason != REASON_NONE)
		return false;
	if (m->proto == &ftp_proto)
		return grant->key.proto == PROTO_TCP && ftp_door(m, grant, ret_row);
	if (m->proto == &tftp_proto)
		return grant->key.proto == PROTO_UDP && tftp_door(m, grant, ret_row);
	return false;
}

bool announce_hidden(const struct session_message *m, const struct gate_grant_row *grant)
{
	if (!(grant->grant.flags & GATE_GRANT_DATA) || m->msg->reason != REASON_NONE || m->end != 1)
		return false;
	if (m->proto == &ftp_proto)
		return ((const struct ftp_msg *)m->msg)->encrypted;
	return m->proto == &tls_proto && m->packet->src_port == PORT_FTPS;
}
