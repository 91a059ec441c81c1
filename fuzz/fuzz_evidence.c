/*
 * What a guard that was taken over could send as evidence: whatever is taken
 * is written as a file that our own reader finds whole.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/evidence.h"
#include "guard/capture/dump.h"
#include "keep/pcapng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_back(struct bytes file, unsigned expected, struct bytes last)
{
	struct dump *d = dump_new();
	struct dump_record r;
	unsigned frames = 0;

	while (d && file.len) {
		enum dump_step step = dump_next(d, file, &r);

		assert(step == DUMP_FRAME || step == DUMP_SKIP);
		if (step == DUMP_FRAME && ++frames == expected)
			assert(r.data.len == last.len &&
			       (!last.len || !memcmp(r.data.data, last.data, last.len)));
		file = (struct bytes){file.data + r.used, file.len - r.used};
	}
	assert(!d || frames == expected);
	dump_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes rest = {data, len}, frame, last = {NULL, 0};
	size_t cap = PCAPNG_HEAD + PCAPNG_INTERFACE, count = 0;
	struct evidence_record r;
	struct writer w;

	while (evidence_next(&rest, &r, &frame)) {
		cap += PCAPNG_PACKET(frame.len);
		count++;
	}
	w = writer_new(malloc(cap), cap);
	if (!w.data)
		return 0;
	pcapng_begin(&w, "fuzz");
	pcapng_interface(&w, count ? r.port : "");
	for (rest = (struct bytes){data, len}; evidence_next(&rest, &r, &frame); last = frame)
		pcapng_packet(&w, 0, r.time_ns, frame, r.wire_len,
			      reason_sentence((enum reason)r.reason));
	assert(!w.bad);
	read_back((struct bytes){w.data, w.len}, (unsigned)count, last);
	free(w.data);
	return 0;
}
