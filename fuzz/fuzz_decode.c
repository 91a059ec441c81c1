#include "guard/decode/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* One byte chooses the link, one how much the capture cut off; the rest is the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct packet p;
	struct bytes frame;

	if (len < 2)
		return 0;
	frame = (struct bytes){data + 2, len - 2};
	packet_decode(frame, data[0] & 7, 1, (uint32_t)frame.len + data[1], &p);
	if (p.payload.len && (p.payload.data < frame.data ||
			      p.payload.data + p.payload.len > frame.data + frame.len))
		__builtin_trap();
	if (p.embedded.len && (p.embedded.data < frame.data ||
			       p.embedded.data + p.embedded.len > frame.data + frame.len))
		__builtin_trap();
	return 0;
}
