#include "base/reason.h"

#include <string.h>

#define ROW(name, dotted, sentence) {dotted, sentence},
static const struct {
	const char *dotted;
	const char *sentence;
} reasons[] = {REASONS(ROW)};
#undef ROW

const char *reason_name(enum reason r)
{
	return r < REASON_COUNT ? reasons[r].dotted : reasons[0].dotted;
}

const char *reason_sentence(enum reason r)
{
	return r < REASON_COUNT ? reasons[r].sentence : reasons[0].sentence;
}

enum reason reason_from_name(const char *dotted)
{
	for (unsigned i = 0; i < REASON_COUNT; i++)
		if (strcmp(reasons[i].dotted, dotted) == 0)
			return i;
	return REASON_COUNT;
}
