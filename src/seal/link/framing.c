#include "seal/link/framing.h"

bool framing_piece(uint32_t total, unsigned pieces, unsigned index, uint32_t *ret_offset,
		   uint32_t *ret_len)
{
	uint32_t size;

	if (pieces < 2 || index >= pieces || total > LINK_FRAME_MAX || total < pieces)
		return false;
	size = (total + pieces - 1) / pieces;
	if ((uint64_t)size * index >= total)
		return false;
	*ret_offset = size * index;
	*ret_len = total - *ret_offset < size ? total - *ret_offset : size;
	return true;
}

static bool read_frames(struct reader *r, size_t total, struct framing *f)
{
	size_t sum = 0;

	f->count = read_u8(r);
	if (!f->count || f->count > FRAMING_SHARE)
		return false;
	for (unsigned i = 0; i < f->count; i++) {
		struct framing_frame *x = &f->frames[i];

		x->len = read_be16(r);
		x->channel = read_be16(r);
		x->form = read_u8(r);
		sum += x->len;
		if (!x->len || x->form >= LINK_FORM_COUNT)
			return false;
	}
	return !r->bad && sum == total - r->off;
}

static bool read_part(struct reader *r, size_t total, struct framing *f)
{
	f->form = read_u8(r);
	f->channel = read_be16(r);
	f->id = read_be32(r);
	f->total = read_be32(r);
	f->index = read_u8(r);
	f->pieces = read_u8(r);
	return !r->bad && f->form < LINK_FORM_COUNT &&
	       framing_piece(f->total, f->pieces, f->index, &f->offset, &f->len) &&
	       f->len == total - r->off;
}

/* The padding of a question is not looked at: it is there for its length. */
static bool read_echo(struct reader *r, size_t total, struct framing *f)
{
	uint8_t what = read_u8(r);

	f->token = (uint64_t)read_be32(r) << 32;
	f->token |= read_be32(r);
	f->what = what;
	return !r->bad && what < FRAMING_WHATS && (f->kind == FRAMING_ASK || total == r->off);
}

size_t framing_head(const uint8_t two[2])
{
	if (two[0] >> 4 != FRAMING_VERSION)
		return 0;
	switch (two[0] & 0xf) {
	case FRAMING_WHOLE:
		return two[1] && two[1] <= FRAMING_SHARE ? FRAMING_FRAMES(two[1]) : 0;
	case FRAMING_PART:
		return FRAMING_PIECE;
	case FRAMING_ASK:
	case FRAMING_ANSWER:
		return FRAMING_ECHO;
	default:
		return 0;
	}
}

bool framing_read(struct bytes first, size_t total, struct framing *ret_f)
{
	struct reader r = reader_new(first.data, first.len);
	uint8_t head = read_u8(&r);
	bool good = false;

	if (head >> 4 != FRAMING_VERSION || first.len > total)
		return false;
	ret_f->kind = head & 0xf;
	if (ret_f->kind == FRAMING_WHOLE)
		good = read_frames(&r, total, ret_f);
	else if (ret_f->kind == FRAMING_PART)
		good = read_part(&r, total, ret_f);
	else if (ret_f->kind == FRAMING_ASK || ret_f->kind == FRAMING_ANSWER)
		good = read_echo(&r, total, ret_f);
	ret_f->head = r.off;
	return good;
}

size_t framing_write(const struct framing *f, uint8_t *ret_head)
{
	struct writer w = writer_new(ret_head, FRAMING_HEAD);

	write_u8(&w, (uint8_t)(FRAMING_VERSION << 4 | f->kind));
	switch (f->kind) {
	case FRAMING_WHOLE:
		write_u8(&w, (uint8_t)f->count);
		for (unsigned i = 0; i < f->count; i++) {
			write_be16(&w, f->frames[i].len);
			write_be16(&w, f->frames[i].channel);
			write_u8(&w, f->frames[i].form);
		}
		break;
	case FRAMING_PART:
		write_u8(&w, f->form);
		write_be16(&w, f->channel);
		write_be32(&w, f->id);
		write_be32(&w, f->total);
		write_u8(&w, f->index);
		write_u8(&w, f->pieces);
		break;
	case FRAMING_ASK:
	case FRAMING_ANSWER:
		write_u8(&w, (uint8_t)f->what);
		write_be32(&w, (uint32_t)(f->token >> 32));
		write_be32(&w, (uint32_t)f->token);
		break;
	default:
		return 0;
	}
	return w.bad ? 0 : w.len;
}
