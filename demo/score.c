#include "demo/score.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/json.h"

#define NAME_WIDTH 42
#define LEAST	   112 /* columns that the table needs to be drawn in place */
#define RED	   "\033[31m"
#define GREEN	   "\033[32m"
#define DIM	   "\033[2m"
#define BOLD	   "\033[1m"
#define PLAIN	   "\033[0m"

/* 0: no terminal. */
static int columns(void)
{
	struct winsize w;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w))
		return 0;
	return w.ws_col < 160 ? w.ws_col : 160;
}

/* The head, the rows, and the line that the cursor is left on. */
#define LINES (4 + STAGE_TRANSFERS + STAGE_ATTACKS + UPKEEP_STEPS)

bool score_live(void)
{
	struct winsize w;

	return columns() >= LEAST && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row >= LINES;
}

/* What has no room ends behind a word; what is not drawn again in place is said whole. */
static void cell(int width, bool live, const char *how, const char *text)
{
	int room = width - 2, n = (int)strlen(text);
	bool cut = live && n > room;

	if (cut) {
		n = room - 4;
		while (n > room / 2 && text[n] != ' ')
			n--;
	}
	printf("  %s%.*s%s%*s%s", live ? how : "", n, text, cut ? " ..." : "",
	       room > n + 4 * cut ? room - n - 4 * cut : 0, "", live ? PLAIN : "");
}

static void row(const struct score *t, const char *name, int width, const char *const how[2],
		const char *const text[2])
{
	if (t->live)
		fputs("\r\033[K", stdout);
	printf("%-*.*s", NAME_WIDTH, NAME_WIDTH, name);
	cell(width, t->live, how[0], text[0]);
	cell(width, t->live, how[1], text[1]);
	putchar('\n');
}

static const char *waiting(enum score_cell at)
{
	return at == CELL_RUNNING ? "..." : "";
}

static void attack_row(const struct score *t, unsigned n, int width)
{
	const char *how[2], *text[2];
	char words[2][256];

	for (int pass = 0; pass < 2; pass++) {
		const struct stage_outcome *o = &t->attack[pass][n];

		how[pass] = t->attack_at[pass][n] != CELL_DONE ? DIM
			    : o->through && !o->detected       ? RED
							       : GREEN;
		text[pass] = words[pass];
		if (t->attack_at[pass][n] != CELL_DONE)
			snprintf(words[pass], sizeof(words[pass]), "%s",
				 waiting(t->attack_at[pass][n]));
		else if (o->detected)
			snprintf(words[pass], sizeof(words[pass]), "detected: %s", o->reason);
		else if (o->through)
			snprintf(words[pass], sizeof(words[pass]), "got through: %s", o->what);
		else
			snprintf(words[pass], sizeof(words[pass]), "blocked: %s",
				 o->reason[0] ? o->reason : o->what);
	}
	row(t, stage_attacks[n], width, how, text);
}

static void transfer_row(const struct score *t, unsigned n, int width)
{
	const char *how[2], *text[2];
	char words[2][256];

	for (int pass = 0; pass < 2; pass++) {
		const struct transfer_result *r = &t->transfer[pass][n];

		how[pass] = t->transfer_at[pass][n] != CELL_DONE ? DIM : r->intact ? GREEN : RED;
		text[pass] = words[pass];
		if (t->transfer_at[pass][n] != CELL_DONE)
			snprintf(words[pass], sizeof(words[pass]), "%s",
				 waiting(t->transfer_at[pass][n]));
		else
			snprintf(words[pass], sizeof(words[pass]), "%s: %s",
				 r->intact ? "intact" : "BROKEN", r->what);
	}
	row(t, stage_transfers[n], width, how, text);
}

static void heard_row(struct score *t, int width)
{
	const char *how[2], *text[2];

	for (int pass = 0; pass < 2; pass++) {
		const struct stage_heard *h = &t->heard[pass];

		how[pass] = t->heard_at[pass] != CELL_DONE ? DIM : h->sealed ? GREEN : RED;
		text[pass] = t->heard_at[pass] != CELL_DONE ? waiting(t->heard_at[pass]) : h->what;
	}
	row(t, "what a listener on the wire between sees", width, how, text);
}

/* One cell as wide as both: of the open network there is nothing to compare with. */
static void upkeep_row(const struct score *t, unsigned n, int width)
{
	const struct upkeep_outcome *o = &t->upkeep[n];
	bool done = t->upkeep_at[n] == CELL_DONE;
	char words[256];

	if (t->live)
		fputs("\r\033[K", stdout);
	printf("%-*.*s", NAME_WIDTH, NAME_WIDTH, upkeep_steps[n]);
	if (done)
		snprintf(words, sizeof(words), "%s: %s%s%s%s",
			 o->skipped ? "skipped"
			 : o->good  ? upkeep_words[n]
				    : "FAILED",
			 o->what, *o->reason ? " (" : "", o->reason, *o->reason ? ")" : "");
	if (!t->live) { /* what is not drawn again in place is said whole */
		printf("  %s\n", done ? words : "");
		return;
	}
	cell(2 * width, true,
	     !done	  ? DIM
	     : o->skipped ? PLAIN
	     : o->good	  ? GREEN
			  : RED,
	     done ? words : waiting(t->upkeep_at[n]));
	putchar('\n');
}

static void paint(struct score *t)
{
	static const char *const head_how[2] = {BOLD, BOLD};
	static const char *const head[2] = {"open network", "with Bedwarden"};
	int width = ((t->live ? columns() : LEAST) - NAME_WIDTH - 1) / 2;

	if (t->drawn)
		printf("\033[%uA", t->drawn);
	row(t, "", width, head_how, head);
	for (unsigned i = 0; i < STAGE_TRANSFERS; i++)
		transfer_row(t, i, width);
	heard_row(t, width);
	for (unsigned i = 0; i < STAGE_ATTACKS; i++)
		attack_row(t, i, width);
	printf("%skept patched:\n", t->live ? "\r\033[K" : "");
	for (unsigned i = 0; i < UPKEEP_STEPS; i++)
		upkeep_row(t, i, width);
	fflush(stdout);
	t->drawn = 3 + STAGE_TRANSFERS + STAGE_ATTACKS + UPKEEP_STEPS;
}

void score_draw(struct score *t)
{
	if (t->live)
		paint(t);
}

void score_print(struct score *t)
{
	if (!t->live)
		paint(t);
}

static const char *verdict(const struct stage_outcome *o)
{
	return o->detected ? "detected" : o->through ? "got through" : "blocked";
}

/* Those that are to be stopped, or those that are to be reported and not withheld. */
static void write_attacks(const struct score *t, struct json *j, const char *key, bool reported)
{
	json_list(j, key);
	for (unsigned i = 0; i < STAGE_ATTACKS; i++) {
		const struct stage_outcome *open = &t->attack[0][i], *guarded = &t->attack[1][i];

		if (stage_is_reported(i) != reported)
			continue;
		json_open(j, NULL);
		json_str(j, "name", stage_attacks[i]);
		json_str(j, "open_network", open->through ? "got through" : "blocked");
		json_str(j, "guarded", verdict(guarded));
		json_str(j, "reason", guarded->reason);
		json_str(j, "open_network_measured", open->what);
		json_str(j, "guarded_measured", guarded->what);
		json_close(j);
	}
	json_end(j);
}

static void write_heard(const struct score *t, struct json *j)
{
	json_open(j, "listener");
	json_str(j, "open_network", t->heard[0].readable ? "readable" : "not all readable");
	json_str(j, "guarded", t->heard[1].sealed ? "sealed" : "not sealed");
	json_str(j, "open_network_measured", t->heard[0].what);
	json_str(j, "guarded_measured", t->heard[1].what);
	json_close(j);
}

static void write_upkeep(const struct score *t, struct json *j)
{
	json_list(j, "updates");
	for (unsigned i = 0; i < UPKEEP_STEPS; i++) {
		const struct upkeep_outcome *o = &t->upkeep[i];

		json_open(j, NULL);
		json_str(j, "name", upkeep_steps[i]);
		json_str(j, "result",
			 o->skipped ? "skipped"
			 : o->good  ? upkeep_words[i]
				    : "failed");
		json_str(j, "reason", o->reason);
		json_str(j, "measured", o->what);
		json_close(j);
	}
	json_end(j);
}

bool score_json(const struct score *t)
{
	static char buf[16384];
	struct json j = json_new(buf, sizeof(buf));

	json_open(&j, NULL);
	write_attacks(t, &j, "attacks", false);
	write_attacks(t, &j, "findings", true);
	json_list(&j, "transfers");
	for (unsigned i = 0; i < STAGE_TRANSFERS; i++) {
		json_open(&j, NULL);
		json_str(&j, "name", stage_transfers[i]);
		json_bool(&j, "intact", t->transfer[0][i].intact && t->transfer[1][i].intact);
		json_str(&j, "open_network_measured", t->transfer[0][i].what);
		json_str(&j, "guarded_measured", t->transfer[1][i].what);
		json_close(&j);
	}
	json_end(&j);
	write_heard(t, &j);
	write_upkeep(t, &j);
	json_close(&j);
	if (j.out.bad)
		return false;
	return printf("%.*s\n", (int)j.out.len, buf) > 0 && fflush(stdout) == 0;
}

bool score_good(const struct score *t, char *ret_why, size_t cap)
{
	for (unsigned i = 0; i < STAGE_ATTACKS; i++) {
		if (!t->attack[0][i].through ||
		    (t->attack[1][i].through && !t->attack[1][i].detected)) {
			snprintf(ret_why, cap, "%s: %s", stage_attacks[i],
				 t->attack[1][i].through ? "got through the gateway"
							 : "did not even work on the open network");
			return false;
		}
		if (!t->attack[1][i].reason[0]) {
			snprintf(ret_why, cap, "%s: stopped, but the gateway gave no reason",
				 stage_attacks[i]);
			return false;
		}
	}
	for (unsigned i = 0; i < STAGE_TRANSFERS; i++) {
		for (int pass = 0; pass < 2; pass++) {
			if (t->transfer[pass][i].intact)
				continue;
			snprintf(ret_why, cap, "%s: not intact %s", stage_transfers[i],
				 pass ? "through the gateway" : "on the open network");
			return false;
		}
	}
	if (!t->heard[0].readable || !t->heard[1].sealed) {
		snprintf(ret_why, cap, "who listens on the wire between ward and servers: %s%s",
			 t->heard[0].readable ? "" : "on the open network ",
			 t->heard[!!t->heard[0].readable].what);
		return false;
	}
	for (unsigned i = 0; i < UPKEEP_STEPS; i++) {
		if (t->upkeep[i].good || t->upkeep[i].skipped)
			continue;
		snprintf(ret_why, cap, "%s: %s%s", upkeep_steps[i], t->upkeep[i].what,
			 t->upkeep[i].reason[0] ? "" : ", and the gateway told nothing of it");
		return false;
	}
	return true;
}
