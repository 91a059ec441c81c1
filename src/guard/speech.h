#ifndef BEDWARDEN_GUARD_SPEECH_H
#define BEDWARDEN_GUARD_SPEECH_H
/*
 * What the ends of a session say: which protocol that is, by the bytes and by what a rule expects; from where
 * on it can be read when it was picked up in its middle; and reading it, a message after the other. What is
 * against it is left in the session's `heard`.
 *
 * All of it is about the packet that is on (`s->packet`); `end` is who says it, `n` the session of `s->flow`.
 */
#include "guard/session_inside.h"

/* What an end says, as parsers want it; `data` is borrowed. */
struct proto_input speech_input(const struct sessions *s, unsigned end, struct bytes data);
/* From now on the session speaks `p`. False where there is no room for it. */
bool speech_start(struct sessions *s, struct session *n, const struct proto *p);
/* Reads what its stream has ready of an end. */
void speech_read(struct sessions *s, struct session *n, unsigned end);
/* Reads a datagram; `fresh`: the first that its protocol was known by. */
void speech_datagram(struct sessions *s, struct session *n, struct proto_input *in, bool fresh);
/* `missed` bytes of an end will not be seen, or STREAM_ANEW: what is behind them is read. */
void speech_lost(struct sessions *s, struct session *n, unsigned end, uint32_t missed)
	__attribute__((cold));
/* What is kept of an end will not be whole. */
void speech_lose_kept(struct sessions *s, struct flow *f, unsigned end);
/* Nothing is known of the conversation any more, but where it stands. */
void speech_forget(struct sessions *s, struct session *n);
/* Who could have read how a message of the end began is gone: where that must be known nothing more passes if
 * it `surely` began there, and else nothing for as long as it may yet be a beginning. */
void speech_refuse_rest(struct sessions *s, struct session *n, unsigned end, bool surely)
	__attribute__((cold));
/* The protocol that is spoken need not be its rule's any more: that has changed. */
void speech_hold(struct sessions *s, struct session *n);

#endif
