#include "guard/proto/hl7_field.h"

struct bytes hl7_field(struct bytes segment, uint8_t separator, unsigned n)
{
	size_t at = 0;

	for (; n && at < segment.len; n--) {
		const uint8_t *next = memchr(segment.data + at, separator, segment.len - at);

		if (!next)
			return (struct bytes){NULL, 0};
		at = (size_t)(next - segment.data) + 1;
	}
	if (n || at > segment.len)
		return (struct bytes){NULL, 0};
	segment.data += at;
	segment.len -= at;
	if (segment.len) {
		const uint8_t *end = memchr(segment.data, separator, segment.len);

		if (end)
			segment.len = (size_t)(end - segment.data);
	}
	return segment;
}

struct bytes hl7_component(struct bytes field, uint8_t separator, unsigned n)
{
	return field.data ? hl7_field(field, separator, n - 1) : field;
}

void hl7_split(struct bytes segment, uint8_t separator, struct hl7_fields *ret_f)
{
	const uint8_t *at = segment.data, *end = segment.data + segment.len, *next;
	unsigned n = 0;

	for (; n <= HL7_FIELD_LAST; n++) {
		next = at < end ? memchr(at, separator, (size_t)(end - at)) : NULL;
		ret_f->at[n] = (struct bytes){at, (size_t)((next ? next : end) - at)};
		if (!next)
			break;
		at = next + 1;
	}
	while (++n <= HL7_FIELD_LAST)
		ret_f->at[n] = (struct bytes){NULL, 0};
}
