#include "guard/proto/intellivue_frame.h"

#include <string.h>

enum { EOF_ = 0xc1, ESCAPE = 0x7d, ESCAPED = 0x20 };
#define FRAME_ID   0x11
#define FRAME_TYPE 0x01

/* CRC-CCITT as PPP has it (RFC 1662 appendix C.2). */
static uint16_t check_sum(const uint8_t *p, size_t len)
{
	uint16_t fcs = 0xffff;

	for (size_t i = 0; i < len; i++) {
		fcs ^= p[i];
		for (int k = 0; k < 8; k++)
			fcs = fcs & 1 ? (uint16_t)(fcs >> 1 ^ 0x8408) : fcs >> 1;
	}
	return (uint16_t)~fcs;
}

enum parse intellivue_frame_read(struct bytes in, uint8_t frame[INTELLIVUE_FRAME_MAX],
				 size_t *ret_len, size_t *ret_used)
{
	size_t len = 0, i = 1;

	if (in.data[0] != INTELLIVUE_BOF)
		return PARSE_BAD;
	for (; i < in.len && in.data[i] != EOF_; i++) {
		uint8_t b = in.data[i];

		if (b == INTELLIVUE_BOF)
			return PARSE_BAD;
		if (b == ESCAPE) {
			if (++i == in.len)
				return PARSE_MORE;
			if (in.data[i] == INTELLIVUE_BOF)
				return PARSE_BAD;
			if (in.data[i] == EOF_) { /* "Frame Abort" */
				len = 0;
				break;
			}
			b = in.data[i] ^ ESCAPED;
		}
		if (len == INTELLIVUE_FRAME_MAX)
			return PARSE_BAD;
		frame[len++] = b;
	}
	if (i == in.len)
		return PARSE_MORE;
	*ret_len = len;
	*ret_used = i + 1;
	return PARSE_OK;
}

struct bytes intellivue_frame_content(const uint8_t *frame, size_t len)
{
	struct reader r = reader_new(frame, len);
	bool ours = read_u8(&r) == FRAME_ID;
	struct bytes b, none = {NULL, 0};

	ours &= read_u8(&r) == FRAME_TYPE;
	b = read_bytes(&r, read_be16(&r));
	ours &= read_le16(&r) == check_sum(frame, r.bad ? 0 : 4 + b.len);
	return ours && !r.bad && !reader_left(&r) ? b : none;
}

enum parse intellivue_frame_probe(struct bytes in)
{
	static const uint8_t begin[] = {INTELLIVUE_BOF, FRAME_ID, FRAME_TYPE};
	size_t n = in.len < sizeof(begin) ? in.len : sizeof(begin);

	if (memcmp(in.data, begin, n) != 0)
		return PARSE_BAD;
	return n == sizeof(begin) ? PARSE_OK : PARSE_MORE;
}
