#ifndef BEDWARDEN_GUARD_PROTO_WEBSOCKET_H
#define BEDWARDEN_GUARD_PROTO_WEBSOCKET_H
/*
 * MQTT over WebSocket (RFC 6455 §5, MQTT 3.1.1 §6): what both ends speak behind
 * the answer of HTTP that opens it. Frames are taken apart and unmasked; each
 * packet of MQTT is told as mqtt.h has it, however frames cut it, with control
 * frames in between or not. Nothing is agreed on that changes frames (§9).
 *
 * Enforced: who masks, lengths in as few bytes as they take, binary frames only,
 * fragments in their order, and that nothing follows a Close.
 *
 * Of a packet WEBSOCKET_ROOM bytes are looked at (of a PUBLISH all but its
 * payload counts); one that is not understood by then is mqtt.too_long.
 */
#include "guard/proto/proto.h"

#define WEBSOCKET_ROOM_CLIENT 2000 /* a CONNECT may carry a token for its password */
#define WEBSOCKET_ROOM_SERVER 700

/* Named "mqtt", whose messages it has; its state begins with http's 101. */
extern const struct proto websocket_proto;

#endif
