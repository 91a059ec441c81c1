#include "guard/proto/modbus.h"

#define PORT	    502
#define HEADER	    6	/* up to and with the length */
#define LENGTH_MAX  254 /* a unit and a PDU of 253 bytes */
#define EXCEPTION   0x80
#define PENDING	    16 /* V1.0b §4.2: as many transactions as a client has open at most */
#define REFERENCE   6  /* the only type of file record there is */
#define DIAGNOSTIC  8
#define MEI	    43
#define MEI_CANOPEN 13
#define MEI_DEVICE  14

struct pending {
	uint64_t time_ns; /* 0: free */
	uint16_t transaction, quantity;
	uint8_t unit, function;
};

struct state {
	struct pending pending[PENDING];
	uint8_t next;	    /* to be overwritten where all are taken */
	bool asked;	    /* a request was seen */
	uint16_t forgotten; /* requests that were overwritten: their answers are asked for, too */
};
_Static_assert(sizeof(struct state) <= PROTO_STATE_MAX, "a state has its bound");

enum shape {
	OPAQUE,
	READ_BITS,
	READ_WORDS,
	WRITE_BIT,
	WRITE_WORD,
	ASK, /* nothing asked but the function itself */
	DIAGNOSE,
	WRITE_BITS,
	WRITE_WORDS,
	READ_FILE,
	WRITE_FILE,
	MASK,
	READ_WRITE,
	FIFO,
	ENCAPSULATED,
};

/* By code: V1.1b3 §5.1 and the functions of PI-MBUS-300; names and access types as Suricata has them. */
static const struct function {
	uint8_t shape;
	bool reads; /* and does nothing else */
	const char *name, *access;
} functions[] = {
	[1] = {READ_BITS, true, "RdCoils", "READ | COILS"},
	[2] = {READ_BITS, true, "RdDiscreteInputs", "READ | DISCRETES"},
	[3] = {READ_WORDS, true, "RdHoldRegs", "READ | HOLDING"},
	[4] = {READ_WORDS, true, "RdInputRegs", "READ | INPUT"},
	[5] = {WRITE_BIT, false, "WrSingleCoil", "WRITE | COILS | SINGLE | WRITE_SINGLE"},
	[6] = {WRITE_WORD, false, "WrSingleReg", "WRITE | HOLDING | SINGLE | WRITE_SINGLE"},
	[7] = {ASK, true, "RdExcStatus", "NONE"},
	[8] = {DIAGNOSE, false, "Diagnostic", "NONE"},
	[9] = {OPAQUE, false, "Program484", "NONE"},
	[10] = {OPAQUE, false, "Poll484", "NONE"},
	[11] = {ASK, true, "GetCommEventCtr", "NONE"},
	[12] = {ASK, true, "GetCommEventLog", "NONE"},
	[13] = {OPAQUE, false, "ProgramController", "NONE"},
	[14] = {OPAQUE, false, "PollController", "NONE"},
	[15] = {WRITE_BITS, false, "WrMultCoils", "WRITE | COILS | MULTIPLE | WRITE_MULTIPLE"},
	[16] = {WRITE_WORDS, false, "WrMultRegs", "WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE"},
	[17] = {ASK, true, "ReportServerID", "NONE"},
	[18] = {OPAQUE, false, "Program884", "NONE"},
	[19] = {OPAQUE, false, "ResetCommLink", "NONE"},
	[20] = {READ_FILE, true, "RdFileRec", "NONE"},
	[21] = {WRITE_FILE, false, "WrFileRec", "NONE"},
	[22] = {MASK, false, "MaskWrReg", "WRITE | HOLDING"},
	[23] = {READ_WRITE, false, "RdWrMultRegs",
		"READ | WRITE | HOLDING | MULTIPLE | WRITE_MULTIPLE"},
	[24] = {FIFO, true, "RdFIFOQueue", "NONE"},
	[MEI] = {ENCAPSULATED, true, "MEI", "NONE"},
};
static const struct function unknown = {OPAQUE, false, "Unknown", "NONE"};

static const struct proto_name exceptions[] = {
	{1, "IllegalFunction"},
	{2, "IllegalDataAddr"},
	{3, "IllegalDataValue"},
	{4, "ServerDeviceFail"},
	{5, "Ack"},
	{6, "ServerDeviceBusy"},
	{7, "NegAck"},
	{8, "MemParityErr"},
	{10, "GatewayPathUnavailable"},
	{11, "GatewayTargetFailToResp"},
};

/* V1.1b3 §6.8 */
static const struct proto_name diagnostics[] = {
	{0, "RetQueryData"},
	{1, "RestartCommOpt"},
	{2, "RetDiagReg"},
	{3, "ChangeInputDelimiter"},
	{4, "ForceListenOnlyMode"},
	{10, "ClearCtrDiagReg"},
	{11, "RetBusMsgCount"},
	{12, "RetBusCommErrCount"},
	{13, "RetBusExcErrCount"},
	{14, "RetServerMsgCount"},
	{15, "RetServerNoRespCount"},
	{16, "RetServerNAKCount"},
	{17, "RetServerBusyCount"},
	{18, "RetBusCharOverrunCount"},
	{19, "RetOverrunErrCount"},
	{20, "ClearOverrunCounterFlag"},
	{21, "GetClearPlusStats"},
};

static const struct proto_name encapsulated[] = {
	{MEI_CANOPEN, "CANOpenGenRefReqResp"},
	{MEI_DEVICE, "RdDevId"},
};

static const struct function *find_function(uint8_t code)
{
	bool known = code < sizeof(functions) / sizeof(functions[0]) && functions[code].name;

	return known ? &functions[code] : &unknown;
}

/* V1.1b3 §5: which codes are whose. */
static const char *categorize(const struct modbus *m)
{
	static const struct {
		uint8_t last;
		const char *name;
	} ranges[] = {
		{8, "PUBLIC_UNASSIGNED"},  {14, "RESERVED"},	       {40, "PUBLIC_UNASSIGNED"},
		{42, "RESERVED"},	   {64, "PUBLIC_UNASSIGNED"},  {72, "USER_DEFINED"},
		{89, "PUBLIC_UNASSIGNED"}, {91, "RESERVED"},	       {99, "PUBLIC_UNASSIGNED"},
		{110, "USER_DEFINED"},	   {124, "PUBLIC_UNASSIGNED"}, {127, "RESERVED"},
	};
	uint8_t code = m->function & (uint8_t)~EXCEPTION;

	if (m->has_sub && !m->sub_name)
		return "RESERVED";
	if (find_function(code) != &unknown)
		return "PUBLIC_ASSIGNED";
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (code && code <= ranges[i].last)
			return ranges[i].name;
	return "NONE";
}

static void read_range(struct reader *r, struct modbus *m, uint16_t max)
{
	m->has_read = true;
	m->read_address = read_be16(r);
	m->read_quantity = read_be16(r);
	if (!m->read_quantity || m->read_quantity > max)
		m->wrong = "DATA_VALUE";
}

static void write_range(struct reader *r, struct modbus *m, uint16_t max)
{
	m->has_write = true;
	m->write_address = read_be16(r);
	m->write_quantity = read_be16(r);
	if (!m->write_quantity || m->write_quantity > max)
		m->wrong = "DATA_VALUE";
}

/* A count of one byte, and as many bytes as it says, of which `want` are right. */
static void read_counted(struct reader *r, struct modbus *m, size_t want)
{
	uint8_t count = read_u8(r);

	read_skip(r, count);
	if (count != want)
		m->wrong = "DATA_VALUE";
}

static void write_single(struct reader *r, struct modbus *m)
{
	m->has_write = true;
	m->write_address = read_be16(r);
	m->write_data = read_be16(r);
}

static void read_sub_function(struct reader *r, struct modbus *m)
{
	m->has_sub = true;
	m->sub = read_be16(r);
	m->sub_name = PROTO_NAME(diagnostics, m->sub);
	m->sub_len = (uint8_t)reader_left(r);
	read_skip(r, reader_left(r));
}

static void read_encapsulated(struct reader *r, struct modbus *m)
{
	uint8_t code;

	m->has_sub = true;
	m->sub = read_u8(r);
	m->sub_name = PROTO_NAME(encapsulated, m->sub);
	if (m->sub != MEI_DEVICE || m->response) {
		read_skip(r, reader_left(r));
		return;
	}
	code = read_u8(r);
	read_u8(r); /* object */
	if (!code || code > 4)
		m->wrong = "DATA_VALUE";
}

/* Groups of a type, a file, a record and a length; in writes and their echo, with the records. */
static void read_records(struct reader *r, struct modbus *m, bool with_data)
{
	struct reader groups = read_sub(r, read_u8(r));

	if (!reader_left(&groups))
		m->wrong = "DATA_VALUE";
	while (reader_left(&groups)) {
		uint8_t type = read_u8(&groups);
		uint16_t len;

		read_skip(&groups, 4);
		len = read_be16(&groups);
		if (with_data)
			read_skip(&groups, (size_t)len * 2);
		if (type != REFERENCE)
			m->wrong = "DATA_VALUE";
	}
	r->bad |= groups.bad;
}

static void read_mask(struct reader *r, struct modbus *m)
{
	m->has_write = m->has_mask = true;
	m->write_address = read_be16(r);
	m->and_mask = read_be16(r);
	m->or_mask = read_be16(r);
}

/* V1.1b3 §6.1 to §6.21 */
static void read_request(struct reader *r, struct modbus *m, const struct function *f)
{
	switch (f->shape) {
	case READ_BITS:
		read_range(r, m, 2000);
		break;
	case READ_WORDS:
		read_range(r, m, 125);
		break;
	case WRITE_BIT:
	case WRITE_WORD:
		write_single(r, m);
		if (f->shape == WRITE_BIT && m->write_data && m->write_data != 0xff00)
			m->wrong = "DATA_VALUE";
		break;
	case DIAGNOSE:
		read_sub_function(r, m);
		break;
	case WRITE_BITS:
		write_range(r, m, 1968);
		read_counted(r, m, (m->write_quantity + 7u) / 8);
		break;
	case WRITE_WORDS:
		write_range(r, m, 123);
		read_counted(r, m, m->write_quantity * 2u);
		break;
	case READ_FILE:
	case WRITE_FILE:
		read_records(r, m, f->shape == WRITE_FILE);
		break;
	case MASK:
		read_mask(r, m);
		break;
	case READ_WRITE:
		read_range(r, m, 125);
		write_range(r, m, 121);
		read_counted(r, m, m->write_quantity * 2u);
		break;
	case FIFO:
		m->has_read = true;
		m->read_address = read_be16(r);
		break;
	case ENCAPSULATED:
		read_encapsulated(r, m);
		break;
	case OPAQUE:
		read_skip(r, reader_left(r));
		break;
	}
}

/* `quantity` is what was asked for, 0 where that is not known. */
static void read_data(struct reader *r, struct modbus *m, uint16_t quantity, bool bits)
{
	m->has_read = true;
	if (quantity)
		read_counted(r, m, bits ? (quantity + 7u) / 8 : quantity * 2u);
	else
		read_skip(r, read_u8(r));
}

static void read_answer(struct reader *r, struct modbus *m, const struct function *f,
			uint16_t quantity)
{
	switch (f->shape) {
	case READ_BITS:
	case READ_WORDS:
	case READ_WRITE:
		read_data(r, m, quantity, f->shape == READ_BITS);
		break;
	case WRITE_BIT:
	case WRITE_WORD:
		write_single(r, m);
		break;
	case DIAGNOSE:
		read_sub_function(r, m);
		break;
	case WRITE_BITS:
		write_range(r, m, 1968);
		break;
	case WRITE_WORDS:
		write_range(r, m, 123);
		break;
	case WRITE_FILE:
		read_records(r, m, true);
		break;
	case MASK:
		read_mask(r, m);
		break;
	case FIFO:
		read_skip(r, read_be16(r));
		break;
	case ENCAPSULATED:
		read_encapsulated(r, m);
		break;
	case READ_FILE:
		read_skip(r, read_u8(r));
		break;
	case ASK:
	case OPAQUE:
		read_skip(r, reader_left(r));
		break;
	}
}

/* V1.1b3 §7 */
static void read_exception(struct reader *r, struct modbus *m)
{
	m->exception = read_u8(r);
	m->exception_name = PROTO_NAME(exceptions, m->exception);
	if (!m->exception_name) {
		m->exception_name = "Unknown";
		m->wrong = "EXC_CODE";
	}
}

/*
 * What servers do with a function that they do not know, libmodbus among them, is to look for the next request
 * right behind its code: in words to be echoed there is room for one.
 */
static bool is_control(const struct modbus *m, const struct function *f)
{
	if (f->shape == DIAGNOSE)
		return m->sub_len > 2 || (m->sub && m->sub != 2 && (m->sub < 11 || m->sub > 19));
	if (f->shape == ENCAPSULATED)
		return m->sub != MEI_DEVICE;
	return !f->reads;
}

/*
 * Does it go by another number? V1.0b §4.4.2: where no serial line is behind a server, 0 and 255 stand for
 * itself, and clients take its answer by either, or by the number that it calls itself.
 */
static bool is_other_unit(uint8_t asked, uint8_t answers)
{
	return asked != answers && asked && answers && asked != 255 && answers != 255;
}

/* The request that this answers, which is forgotten; false where there is none. */
static bool take_pending(struct state *s, const struct modbus *m, struct pending *ret_p)
{
	struct pending *found = NULL;

	for (unsigned i = 0; i < PENDING; i++) {
		struct pending *p = &s->pending[i];

		if (!p->time_ns || p->transaction != m->transaction ||
		    p->function != (m->function & ~EXCEPTION) || is_other_unit(p->unit, m->unit))
			continue;
		if (!found || (p->unit == m->unit && found->unit != m->unit))
			found = p;
	}
	if (!found)
		return false;
	*ret_p = *found;
	found->time_ns = 0;
	return true;
}

static void keep_pending(struct state *s, const struct modbus *m, uint64_t time_ns)
{
	unsigned at = s->next;

	for (unsigned i = 0; i < PENDING; i++)
		if (!s->pending[i].time_ns) {
			at = i;
			break;
		}
	s->forgotten =
		(uint16_t)(s->forgotten + (s->pending[at].time_ns && s->forgotten < UINT16_MAX));
	s->next = (uint8_t)((at + 1) % PENDING);
	s->pending[at] = (struct pending){time_ns + !time_ns, m->transaction, m->read_quantity,
					  m->unit, m->function};
	s->asked = true;
}

/* How much was asked for; 0 where that is not known. */
static uint16_t pair(struct state *s, const struct proto_input *in, struct modbus *m)
{
	struct pending p;

	if (!take_pending(s, m, &p)) {
		if (s->forgotten)
			s->forgotten--;
		else if (!in->midstream || s->asked)
			m->msg.reason = REASON_MODBUS_UNASKED;
		return 0;
	}
	if (in->time_ns > p.time_ns)
		m->latency_us = (uint32_t)((in->time_ns - p.time_ns) / 1000);
	return p.quantity;
}

/* A message's PDU, `pdu` behind the function code. */
static void read_pdu(struct reader *pdu, const struct proto_input *in, struct state *s,
		     struct modbus *m)
{
	uint8_t code = m->function & (uint8_t)~EXCEPTION;
	const struct function *f = find_function(code);
	uint16_t quantity = 0;

	m->name = f->name;
	m->access = f->access;
	if (m->response)
		quantity = pair(s, in, m);
	if (m->response && m->function & EXCEPTION)
		read_exception(pdu, m);
	else if (m->response)
		read_answer(pdu, m, f, quantity);
	else
		read_request(pdu, m, f);
	if (pdu->bad || reader_left(pdu))
		m->wrong = "DATA_LENGTH";
	m->category = categorize(m);
	m->msg.answer = m->response;
	m->msg.control = !m->response && is_control(m, f);
	if (!m->response && (!code || m->function & EXCEPTION))
		m->wrong = "DATA_VALUE";
	if (m->wrong)
		m->msg.reason = REASON_MODBUS_MALFORMED;
}

/* MORE where the message is not there whole. */
static enum parse read_frame(struct bytes data, struct modbus *m, struct reader *ret_pdu)
{
	struct reader r = reader_new(data.data, data.len), frame;
	uint16_t protocol;

	m->transaction = read_be16(&r);
	protocol = read_be16(&r);
	m->length = read_be16(&r);
	if ((data.len >= 4 && protocol) || (!r.bad && (m->length < 2 || m->length > LENGTH_MAX)))
		return PARSE_BAD;
	frame = read_sub(&r, m->length);
	if (r.bad)
		return PARSE_MORE;
	m->unit = read_u8(&frame);
	m->function = read_u8(&frame);
	*ret_pdu = frame;
	return PARSE_OK;
}

static enum parse modbus_read(void *state, const struct proto_input *in, struct msg *ret_m,
			      struct proto_output *ret_out)
{
	struct modbus *m = (struct modbus *)ret_m;
	struct state *s = state;
	struct reader pdu;
	enum parse got = read_frame(in->data, m, &pdu);

	if (got == PARSE_MORE)
		return got;
	ret_out->has_msg = true;
	/* Which end serves is known by the port, or by the rule, where the opening was not seen. */
	m->response = in->midstream && in->port[0] == PORT ? !in->end : proto_serves(in);
	if (got == PARSE_BAD) {
		m->msg.reason = REASON_MODBUS_MALFORMED;
		return got;
	}
	read_pdu(&pdu, in, s, m);
	if (!m->response && !m->wrong)
		keep_pending(s, m, in->time_ns);
	ret_out->used = HEADER + m->length;
	return PARSE_OK;
}

/*
 * Little in the header tells Modbus from other binary protocols, so a whole
 * request must make sense; on Modbus's own port, the header.
 */
static enum parse modbus_probe(const struct proto_input *in)
{
	bool port = in->port[0] == PORT || proto_at_home(in, PORT);
	struct state s = {0};
	struct modbus m = {0};
	struct reader pdu;
	enum parse got = read_frame(in->data, &m, &pdu);

	if (got == PARSE_MORE && port && in->data.len >= HEADER)
		return PARSE_OK;
	if (got != PARSE_OK || port)
		return got;
	if (in->end || in->midstream || find_function(m.function)->shape == OPAQUE)
		return PARSE_BAD;
	read_pdu(&pdu, in, &s, &m);
	return m.wrong ? PARSE_BAD : PARSE_OK;
}

static void write_parts(const struct modbus *m, struct json *j)
{
	if (m->has_read && !m->response) {
		json_open(j, "read");
		json_u64(j, "address", m->read_address);
		if (m->read_quantity)
			json_u64(j, "quantity", m->read_quantity);
		json_close(j);
	}
	if (!m->has_write)
		return;
	json_open(j, "write");
	json_u64(j, "address", m->write_address);
	if (m->has_mask) {
		json_u64(j, "and_mask", m->and_mask);
		json_u64(j, "or_mask", m->or_mask);
	} else if (m->write_quantity) {
		json_u64(j, "quantity", m->write_quantity);
	} else {
		json_u64(j, "data", m->write_data);
	}
	json_close(j);
}

static void write_code(struct json *j, const char *key, uint32_t raw, const char *name)
{
	json_open(j, key);
	json_u64(j, "raw", raw);
	json_name(j, "code", name);
	json_close(j);
}

static void modbus_write(const struct msg *msg, struct json *j)
{
	const struct modbus *m = (const struct modbus *)msg;
	bool diagnostic = (m->function & ~EXCEPTION) == DIAGNOSTIC;

	if (!m->name)
		return;
	json_open(j, m->response ? "response" : "request");
	json_u64(j, "transaction_id", m->transaction);
	json_u64(j, "protocol_id", 0);
	json_u64(j, "unit_id", m->unit);
	json_u64(j, "function_raw", m->function);
	json_name(j, "function_code", m->name);
	json_name(j, "access_type", m->access);
	json_name(j, "category", m->category);
	if (m->wrong)
		json_name(j, "error_flags", m->wrong);
	else
		json_name(j, "error_flags", "NONE");
	if (m->exception)
		write_code(j, "exception", m->exception, m->exception_name);
	else if (m->has_sub)
		write_code(j, diagnostic ? "diagnostic" : "mei", m->sub,
			   m->sub_name	? m->sub_name
			   : diagnostic ? "Reserved"
					: "Unknown");
	else
		write_parts(m, j);
	json_close(j);
	if (m->latency_us)
		json_u64(j, "latency_us", m->latency_us);
}

#define FIELD(name, member, type)                                       \
	{                                                               \
		PROTO_KEY(name), offsetof(struct modbus, member), type, \
			FIELD_MATCH | FIELD_SILENT | FIELD_ZERO         \
	}
static const struct proto_field fields[] = {
	FIELD("unit_id", unit, FIELD_U8),
	FIELD("function_code", name, FIELD_NAME),
	FIELD("access_type", access, FIELD_NAME),
	{""},
};

const struct proto modbus_proto = {
	.name = "modbus",
	.over = PROTO_OVER_TCP,
	.framed = true,
	.state_size = sizeof(struct state),
	.msg_size = sizeof(struct modbus),
	.fields = fields,
	.probe = modbus_probe,
	.read = modbus_read,
	.write = modbus_write,
};
