#include "guard/proto/dicom_internal.h"

#define GROUP_LENGTH 8 /* bytes of that element before its value */

/*
 * By how a command set begins, as far as its first fragment goes, in either coding (dicom_command.c);
 * in the middle also by a data set's fragment that fills the PDU.
 */
static enum parse recognise_data(struct reader *r, uint32_t len, bool anywhere)
{
	static const uint8_t implicit[GROUP_LENGTH] = {0, 0, 0, 0, 4, 0, 0, 0};
	static const uint8_t explicit[GROUP_LENGTH] = {0, 0, 0, 0, 'U', 'L', 4, 0};
	uint32_t pdv = read_be32(r);
	uint8_t context = read_u8(r), control = read_u8(r);
	struct bytes first;

	if (r->bad)
		return PARSE_MORE;
	if (len < DICOM_HEAD || pdv < 2 || pdv > len - 4 || !(context & 1) || control > 3)
		return PARSE_BAD;
	if (!(control & DICOM_COMMAND_FRAGMENT))
		return anywhere && pdv == len - 4 ? PARSE_OK : PARSE_BAD;
	first = read_bytes(r, pdv - 2 < GROUP_LENGTH ? pdv - 2 : GROUP_LENGTH);
	if (r->bad)
		return PARSE_MORE;
	return memcmp(first.data, implicit, first.len) && memcmp(first.data, explicit, first.len)
		       ? PARSE_BAD
		       : PARSE_OK;
}

static bool is_printable(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < 0x20 || b.data[i] > 0x7e)
			return false;
	return true;
}

/*
 * By its application context, or by titles that can be read: neither alone,
 * since whoever does not want to be read would spoil it.
 */
static enum parse recognise_association(struct reader *r, uint8_t reserved, uint32_t len)
{
	static const char root[] = "1.2.840.10008.";
	struct bytes titles, name;
	uint8_t type;
	uint16_t version = read_be16(r), size;

	if (len < DICOM_FIXED + 4)
		return PARSE_BAD;
	/* A length that nobody believes must at least come with all else in order. */
	if (len > DICOM_ASSOCIATE && (reserved || (!r->bad && version != 1)))
		return PARSE_BAD;
	read_skip(r, 2);
	titles = read_bytes(r, 2 * (size_t)DICOM_AE);
	read_skip(r, 32);
	type = read_u8(r);
	read_u8(r);
	size = read_be16(r);
	if (r->bad)
		return PARSE_MORE;
	if ((type != 0x10 && type != 0x20 && type != 0x21 && type != 0x50) ||
	    size > len - DICOM_FIXED - 4)
		return PARSE_BAD;
	if (is_printable(titles))
		return PARSE_OK;
	if (type != 0x10 || size < sizeof(root) - 1)
		return PARSE_BAD;
	name = read_bytes(r, sizeof(root) - 1);
	if (r->bad)
		return PARSE_MORE;
	return memcmp(name.data, root, sizeof(root) - 1) ? PARSE_BAD : PARSE_OK;
}

/* A rejection, a release or an abort, of which every byte is known. */
static enum parse recognise_short(struct reader *r, uint8_t type, uint32_t len)
{
	uint8_t result, source, reason;
	bool good;

	if (len != 4)
		return PARSE_BAD;
	read_u8(r);
	result = read_u8(r);
	source = read_u8(r);
	reason = read_u8(r);
	if (r->bad)
		return PARSE_MORE;
	if (type == DICOM_ASSOCIATE_RJ)
		good = dicom_reject_result(result) && dicom_reject_source(source) && reason < 11;
	else if (type == DICOM_ABORT)
		good = !result && dicom_abort_source(source) && reason < 7;
	else
		good = !result && !source && !reason;
	return good ? PARSE_OK : PARSE_BAD;
}

enum parse dicom_recognise(struct bytes b, bool anywhere)
{
	struct reader r = reader_new(b.data, b.len);
	uint8_t type = read_u8(&r), reserved;
	uint32_t len;

	if (r.bad)
		return PARSE_MORE;
	if (!dicom_pdu_name(type))
		return PARSE_BAD;
	reserved = read_u8(&r);
	len = read_be32(&r);
	if (r.bad)
		return PARSE_MORE;
	switch (type) {
	case DICOM_ASSOCIATE_RQ:
	case DICOM_ASSOCIATE_AC:
		return recognise_association(&r, reserved, len);
	case DICOM_DATA:
		return recognise_data(&r, len, anywhere);
	default:
		return anywhere && !reserved ? recognise_short(&r, type, len) : PARSE_BAD;
	}
}
