#include "guard/decode/tunnel.h"

#define TUNNELS_MOST 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(struct bytes part, struct bytes frame)
{
	if (part.len && (part.data < frame.data || part.data + part.len > frame.data + frame.len))
		__builtin_trap();
}

/* One byte chooses the link, one how much the capture cut off; the rest is the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct packet p;
	struct bytes frame;
	struct tunnel_inner in;

	if (len < 2)
		return 0;
	frame = (struct bytes){data + 2, len - 2};
	packet_decode(frame, (data[0] & 15) | (data[0] & LINK_OFFLOAD ? LINK_WRAPPED : 0), 1,
		      (uint32_t)frame.len + data[1], &p);
	for (unsigned n = 0; n < TUNNELS_MOST; n++) {
		check(p.l3, frame);
		check(p.payload, frame);
		check(p.embedded, frame);
		if (!tunnel_inner(&p, &in))
			break;
		check(in.frame, frame);
		if (in.wire_len < in.frame.len)
			__builtin_trap();
		frame = in.frame;
		packet_decode(frame, in.link | LINK_OFFLOAD | LINK_WRAPPED, 1, in.wire_len, &p);
	}
	return 0;
}
