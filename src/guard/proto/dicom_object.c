/* What a file of a data set begins with: PS3.10 §7.1, of what the association and the command say. */
#include "guard/proto/dicom_internal.h"

#define PREAMBLE       128
#define IMPLEMENTATION "2.25.27906649297240925301310704671315020580" /* ours, by PS3.5 §B.2 */
#define VERSION_NAME   "BEDWARDEN"

static void write_le16(struct writer *w, uint16_t v)
{
	write_u8(w, (uint8_t)v);
	write_u8(w, (uint8_t)(v >> 8));
}

static void write_le32(struct writer *w, uint32_t v)
{
	write_le16(w, (uint16_t)v);
	write_le16(w, (uint16_t)(v >> 16));
}

/* PS3.5 §7.1.2: explicit VR, an even length; UIDs are padded with a zero, texts with a space. */
static void write_element(struct writer *w, uint16_t element, const char *vr, struct bytes value)
{
	bool odd = value.len & 1;

	if (!value.len)
		return;
	write_le16(w, 0x0002);
	write_le16(w, element);
	write_bytes(w, vr, 2);
	write_le16(w, (uint16_t)(value.len + odd));
	write_bytes(w, value.data, value.len);
	if (odd)
		write_u8(w, vr[0] == 'U' ? 0 : ' ');
}

static void write_version(struct writer *w)
{
	static const uint8_t version[] = {0x02, 0, 0x01, 0, 'O', 'B', 0, 0, 2, 0, 0, 0, 0, 1};

	write_bytes(w, version, sizeof(version));
}

/* Of the application that sent it. */
static struct bytes source_title(const struct dicom *d, unsigned end)
{
	return dicom_trim(end == d->requester ? d->calling : d->called, DICOM_AE);
}

static void write_meta(struct writer *w, const struct dicom *d, unsigned end, struct bytes syntax)
{
	const struct dicom_command *c = &d->side[end].command;

	write_version(w);
	write_element(w, 0x0002, "UI", (struct bytes){(const uint8_t *)c->sop, c->sop_len});
	write_element(w, 0x0003, "UI",
		      (struct bytes){(const uint8_t *)c->instance, c->instance_len});
	write_element(w, 0x0010, "UI", syntax);
	write_element(w, 0x0012, "UI",
		      (struct bytes){(const uint8_t *)IMPLEMENTATION, sizeof(IMPLEMENTATION) - 1});
	write_element(w, 0x0013, "SH",
		      (struct bytes){(const uint8_t *)VERSION_NAME, sizeof(VERSION_NAME) - 1});
	write_element(w, 0x0016, "AE", source_title(d, end));
}

bool dicom_object(const void *state, unsigned end, bool whole, struct proto_object *ret_o)
{
	const struct dicom *d = state;
	const struct dicom_side *s = &d->side[end];
	const struct dicom_context *context = &d->contexts[s->context / 2];
	struct bytes syntax = dicom_syntax_uid(d, context->syntax);
	uint8_t meta[PROTO_HEAD], preamble[PREAMBLE] = {0};
	struct writer m = writer_new(meta, sizeof(meta));
	struct writer w = writer_new(ret_o->head, sizeof(ret_o->head));

	ret_o->suffix = ".dcm";
	ret_o->head_len = 0;
	memset(ret_o->label, 0, sizeof(ret_o->label));
	memcpy(ret_o->label, s->command.instance, s->command.instance_len);
	if (whole)
		return true;
	if (!d->known || !s->accepted || !syntax.len || !s->command.sop_len ||
	    !s->command.instance_len)
		return false;
	write_meta(&m, d, end, syntax);
	write_bytes(&w, preamble, sizeof(preamble));
	write_bytes(&w, "DICM", 4);
	write_le16(&w, 0x0002);
	write_le16(&w, 0x0000);
	write_bytes(&w, "UL", 2);
	write_le16(&w, 4);
	write_le32(&w, (uint32_t)m.len);
	write_bytes(&w, meta, m.len);
	ret_o->head_len = w.len;
	return !w.bad && !m.bad;
}
