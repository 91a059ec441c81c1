#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* {"slots":[{"rootfs.0":{"state":"booted", …}}, …], …} */
static const char *find_booted(const json_t *status)
{
	const char *name;
	json_t *entry, *slot;
	size_t i;

	json_array_foreach (json_object_get(status, "slots"), i, entry)
		json_object_foreach (entry, name, slot) {
			const char *state = json_string_value(json_object_get(slot, "state"));

			if (state && strcmp(state, "booted") == 0)
				return name;
		}
	return NULL;
}

int rauc_booted(char ret_slot[AGENT_SLOT], char ret_error[AGENT_ERROR])
{
	static char *const argv[] = {"rauc", "status", "--output-format=json", NULL};
	char *text = install_output(argv);
	json_t *status = text ? json_loads(text, 0, NULL) : NULL;
	const char *slot = find_booted(status);
	int err = 0;

	if (!text)
		err = -errno;
	else if (!slot || strlen(slot) >= AGENT_SLOT)
		err = -EBADMSG;
	if (err < 0)
		snprintf(ret_error, AGENT_ERROR, "rauc status does not say which slot runs: %s",
			 text ? "none is booted" : strerror(-err));
	else
		snprintf(ret_slot, AGENT_SLOT, "%s", slot);
	json_decref(status);
	free(text);
	return err;
}
