#ifndef BEDWARDEN_DEMO_TRANSFER_H
#define BEDWARDEN_DEMO_TRANSFER_H
/*
 * What a ward legitimately sends, each with its real peer on the other side,
 * and each compared with what the receiver holds in the end. Folders are under
 * the pass's own; `data` is the folder of shared test data, or NULL.
 */
#include "demo/board.h"
#include "demo/ward.h"

struct transfer_room {
	const struct ward *ward;
	struct board *board;
	const char *dir;
	const char *data;
	const char *broker; /* where the fridge is told its broker is: there, or at a relay */
};

/* What came of one; `what` says it for people. */
struct transfer_result {
	bool intact;
	unsigned count; /* of objects, messages */
	char what[120];
};

/* DICOM: storescp at the PACS; images by storescu from the CT. */
int imaging_serve(const struct transfer_room *r);
struct transfer_result imaging_send(const struct transfer_room *r);

/* HL7 v2 over MLLP: results from the analyser, acknowledged by the laboratory system. */
#define MLLP_PORT 2575
int mllp_serve(const struct transfer_room *r);
struct transfer_result mllp_send(const struct transfer_room *r);

/* MQTT: the fridge's temperatures through mosquitto to a subscriber. */
int fridge_serve(const struct transfer_room *r);
struct transfer_result fridge_send(const struct transfer_room *r);
/* Its alarms, which its shipped profile does not know of: who hears them, and a few of them. */
#define FRIDGE_ALARM 5005
int fridge_hear_alarms(void *board);
int fridge_alarm(void *unused);

#endif
