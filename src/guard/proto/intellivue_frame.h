#ifndef BEDWARDEN_GUARD_PROTO_INTELLIVUE_FRAME_H
#define BEDWARDEN_GUARD_PROTO_INTELLIVUE_FRAME_H
/* Frames of the MIB/RS-232 port: BOF, header, data, check sum, EOF; escaped between the ends. */
#include "guard/proto/proto.h"

#define INTELLIVUE_BOF	     0xc0
#define INTELLIVUE_FRAME_MAX 2048 /* escapes taken out; a monitor sends at most 1,364 */

/* How one begins. */
enum parse intellivue_frame_probe(struct bytes in);
/*
 * PARSE_OK: *ret_used bytes are a frame, its content unescaped at `frame`; of one that its sender
 * gave up nothing is. A frame begins at BOF whatever is before it: an escape does not hide that.
 */
enum parse intellivue_frame_read(struct bytes in, uint8_t frame[INTELLIVUE_FRAME_MAX],
				 size_t *ret_len, size_t *ret_used);
/* The message in what was unescaped; data NULL where the frame is not sound. */
struct bytes intellivue_frame_content(const uint8_t *frame, size_t len);

#endif
