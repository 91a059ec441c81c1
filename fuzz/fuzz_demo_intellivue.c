/* The central station's way through a datagram, and the recordings' header and samples. */
#include "demo/intellivue.h"
#include "demo/wfdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = {data, size};
	struct ivue_message m;
	struct wfdb_record r;
	uint8_t back[2048];
	int32_t samples[64];
	struct writer w = writer_new(back, sizeof(back));

	if (ivue_read(in, &m) == PARSE_OK)
		ivue_write(&w, &m);
	if (wfdb_header(in, &r) == 0)
		for (unsigned i = 0; i < r.signals; i++)
			wfdb_samples(&r, in, i, samples, 64);
	return 0;
}
