#ifndef BEDWARDEN_GUARD_PROTO_MODBUS_H
#define BEDWARDEN_GUARD_PROTO_MODBUS_H
/*
 * Modbus/TCP: the header of Modbus Messaging on TCP/IP V1.0b §3.1.3, and every
 * public function of the Modbus Application Protocol V1.1b3 §6, with its
 * diagnostics, encapsulated interface (MEI) and exceptions. Answers are paired
 * with their requests by transaction, unit and function, and measured against
 * what was asked for.
 *
 * `control` is every request but those known to read only: writes, diagnostics
 * that restart, silence or clear, and functions that are private to a maker
 * (programming and firmware among them).
 */
#include "guard/proto/proto.h"

struct modbus {
	struct msg msg;
	bool response;
	uint16_t transaction, length;
	uint8_t unit, function; /* as on the wire: 0x80 marks an exception */
	const char *name;	/* "RdHoldRegs" */
	const char *access, *category;
	const char *wrong; /* NULL, "DATA_LENGTH", "DATA_VALUE", "EXC_CODE" */
	bool has_read, has_write, has_mask, has_sub;
	uint16_t read_address, read_quantity;
	uint16_t write_address, write_quantity; /* quantity 0: a single one */
	uint16_t write_data, and_mask, or_mask;
	uint16_t sub;	 /* of diagnostics and MEI */
	uint8_t sub_len; /* what a diagnostic has behind that */
	const char *sub_name;
	uint8_t exception; /* 0: none */
	const char *exception_name;
	uint32_t latency_us; /* of an answer; 0 where its request was not seen */
};

extern const struct proto modbus_proto;

#endif
