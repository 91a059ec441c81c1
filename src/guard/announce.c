#include "guard/announce.h"

#include <string.h>

#include "guard/proto/ftp.h"
#include "guard/proto/tftp.h"
#include "guard/proto/tls.h"

#define PORT_MIN  1024 /* a port below is a service, and to be allowed as one */
#define PORT_FTPS 990

/* Does it name the address of the end of its conversation that says so? */
static bool is_own(const struct session_message *m, const struct ftp_msg *said)
{
	unsigned end = m->end ? !m->flow->starter : m->flow->starter;

	return memcmp(said->address, m->flow->key.ip[end].b, sizeof(said->address)) == 0;
}

/* End 0 gives commands, end 1 answers. What was never asked for (`asked`) is no answer. */
static enum announce_word ftp_read(const struct session_message *m, struct announce *ret_a)
{
	const struct ftp_msg *said = (const struct ftp_msg *)m->msg;

	if (!said->mode || said->msg.answer != (m->end == 1) || (m->end == 1 && !said->asked))
		return ANNOUNCE_NOTHING;
	if (!said->dynamic_port || (m->end == 0 && !said->has_address))
		return ANNOUNCE_NOTHING; /* not understood by anybody */
	*ret_a = (struct announce){(uint8_t)m->end, said->dynamic_port};
	if (said->dynamic_port < PORT_MIN)
		return ANNOUNCE_ELSEWHERE;
	if (!said->has_address || is_own(m, said))
		return ANNOUNCE_DATA;
	return m->end == 1 ? ANNOUNCE_TRANSLATED : ANNOUNCE_ELSEWHERE;
}

/* The answer comes from a port that the server chooses, to the one that asked. */
static enum announce_word tftp_read(const struct session_message *m, struct announce *ret_a)
{
	const struct tftp_msg *said = (const struct tftp_msg *)m->msg;

	if (m->end != 0 || !said->file.len)
		return ANNOUNCE_NOTHING;
	*ret_a = (struct announce){0, m->packet->src_port};
	return m->packet->src_port < PORT_MIN ? ANNOUNCE_ELSEWHERE : ANNOUNCE_DATA;
}

enum announce_word announce_read(const struct session_message *m, struct announce *ret_a)
{
	if (m->msg->reason != REASON_NONE)
		return ANNOUNCE_NOTHING;
	if (m->proto == &ftp_proto)
		return ftp_read(m, ret_a);
	return m->proto == &tftp_proto ? tftp_read(m, ret_a) : ANNOUNCE_NOTHING;
}

bool announce_hidden(const struct session_message *m)
{
	if (m->msg->reason != REASON_NONE || m->end != 1)
		return false;
	if (m->proto == &ftp_proto)
		return ((const struct ftp_msg *)m->msg)->encrypted;
	return m->proto == &tls_proto && m->packet->src_port == PORT_FTPS;
}

void announce_door(const struct announce *a, const struct gate_grant_row *opener,
		   unsigned device_end, struct gate_grant_row *ret_row)
{
	struct gate_grant_row row = *opener;

	row.key.kind = a->at == device_end ? GATE_DOOR_SERVICE : GATE_DOOR_BACK;
	row.key.port = row.grant.port_lo = row.grant.port_hi = a->port;
	row.grant.flags &= (uint8_t)~GATE_GRANT_DATA; /* which announces nothing itself */
	*ret_row = row;
}
