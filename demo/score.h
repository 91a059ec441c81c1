#ifndef BEDWARDEN_DEMO_SCORE_H
#define BEDWARDEN_DEMO_SCORE_H
/*
 * What the demonstration has found so far: drawn again in place on a terminal
 * as it grows, printed once anywhere else, or given as one JSON object.
 */
#include "demo/stage.h"

enum score_cell { CELL_WAITING, CELL_RUNNING, CELL_DONE };

struct score {
	bool live; /* on a terminal, drawn after every step */
	enum score_cell attack_at[2][STAGE_ATTACKS], transfer_at[2][STAGE_TRANSFERS];
	struct stage_outcome attack[2][STAGE_ATTACKS]; /* [0] open network, [1] guarded */
	struct transfer_result transfer[2][STAGE_TRANSFERS];
	enum score_cell heard_at[2];
	struct stage_heard heard[2];
	enum score_cell upkeep_at[UPKEEP_STEPS];
	struct upkeep_outcome upkeep[UPKEEP_STEPS];
	unsigned drawn; /* lines on the screen */
};

void score_draw(struct score *t);
/* Is there a terminal with room to draw in? */
bool score_live(void);
/* At the end, where it was not drawn live. */
void score_print(struct score *t);
/* {"attacks":[…],"findings":[…],"transfers":[…],"listener":{…},"updates":[…]} and a newline on stdout. false where it could not be written. */
bool score_json(const struct score *t);
/* Every attack real and stopped, every transfer intact, the listener left with nothing, updates as they should be. ret_why: the first that was not. */
bool score_good(const struct score *t, char *ret_why, size_t cap);

#endif
