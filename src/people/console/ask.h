#ifndef BEDWARDEN_PEOPLE_CONSOLE_ASK_H
#define BEDWARDEN_PEOPLE_CONSOLE_ASK_H
/*
 * Questions to the keeper that wait for their answers: a number each, a bound on
 * how many and how long, and an end for every one, whatever becomes of the keeper.
 */
#include <jansson.h>

#include "base/bytes.h"

struct asks;

#define ASK_WAITING 1024
#define ASK_MS	    35000	/* longer than the keeper lets anybody wait */
#define ASK_ANSWER  (16u << 20) /* bytes of an answer */

/* Sends one question. 0; -errno: it did not go. */
typedef int (*ask_send_fn)(void *arg, uint32_t id, struct bytes text);
/* The answer, borrowed: {"ok":…} or {"error":{…}}. Once for each that ask_keeper() numbered. */
typedef void (*ask_done_fn)(void *arg, const json_t *answer);

struct asks *asks_new(ask_send_fn send, void *arg); /* NULL: no memory */
void asks_free(struct asks *a);			    /* those that wait are told nothing */

/* Its number; 0: `done` was called with an error already. */
uint32_t ask_keeper(struct asks *a, const json_t *call, uint64_t now_ns, ask_done_fn done,
		    void *arg);
/* Who asked is gone. */
void ask_forget(struct asks *a, uint32_t id);
/* A piece of an answer; an empty one ends it. false: nothing that was asked for, or too long. */
bool ask_piece(struct asks *a, uint32_t id, struct bytes piece);
/* What the answer to come tells of, to be read to its end; the descriptor is taken. */
void ask_content(struct asks *a, uint32_t id, int fd);
/* While an answer is told: its content, the caller's from then on; -1 none. */
int ask_take_content(struct asks *a);
/* Those that waited too long are told so; all of them where the keeper is gone. */
void ask_turn(struct asks *a, uint64_t now_ns);
void ask_fail_all(struct asks *a);

#endif
