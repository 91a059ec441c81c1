/* What an agent remembers over a reboot, as it may lie on a device's disk. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct memory m;

	if (memory_read((struct bytes){data, len}, &m) < 0)
		return 0;
	if (m.state >= TALK_STATES || !memchr(m.target, 0, sizeof(m.target)) ||
	    !memchr(m.was, 0, sizeof(m.was)) || !memchr(m.sha256, 0, sizeof(m.sha256)))
		abort();
	return 0;
}
