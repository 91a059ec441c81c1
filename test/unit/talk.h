#ifndef BEDWARDEN_TEST_UNIT_TALK_H
#define BEDWARDEN_TEST_UNIT_TALK_H
/*
 * Drives a parser as a conversation does, and gives back what it said as JSON
 * lines: '{"hl7":{...}}', with "reason" beside the object where there is one.
 * Every input lies in a heap block of its exact size.
 */
#include <stdio.h>

#include "guard/proto/talk.h"
#include "unit.h"

struct talk_piece {
	unsigned end;
	const void *data;
	size_t len;
};

/* A piece from a string literal, which may hold zero bytes. */
#define TALK_PIECE(end, literal)                  \
	{                                         \
		end, literal, sizeof(literal) - 1 \
	}

struct talk_record {
	struct talk *talk;
	struct proto_input in;
	uint8_t *held[2];
	size_t held_len[2];
	char said[65536];
	enum parse last;
};

static inline void talk_note(void *arg, const struct talk *t, const struct proto_input *in,
			     const struct msg *m)
{
	struct talk_record *r = arg;
	size_t at = strlen(r->said);
	struct json j = json_new(r->said + at, sizeof(r->said) - at - 2);

	if (m->ahead) /* told again once it is whole */
		return;
	json_open(&j, NULL);
	proto_write(t->proto, m, &j);
	if (m->reason)
		json_str(&j, "reason", reason_name(m->reason));
	json_close(&j);
	assert_false(j.out.bad);
	memcpy(r->said + at + j.out.len, "\n", 2);
}

static inline void talk_begin(struct talk_record *r, const char *proto, bool datagram)
{
	memset(r, 0, sizeof(*r));
	assert_non_null(proto_find(proto));
	r->talk = talk_new(proto_find(proto));
	r->talk->turns = true;
	r->in.datagram = datagram;
	r->in.port[0] = 40000;
	r->in.time_ns = 1000000000;
}

/* Another protocol reads on behind `used` bytes: how many it takes. */
static inline size_t talk_go_on(struct talk_record *r, size_t used)
{
	struct talk *next = talk_new(r->talk->next);
	struct bytes all = r->in.data;

	talk_turn(next, r->talk);
	free(r->talk);
	r->talk = next;
	r->in.data = (struct bytes){all.data + used, all.len - used};
	r->last = talk_read(r->talk, &r->in, talk_note, r, &used);
	r->in.data = all;
	return used;
}

static inline void talk_feed(struct talk_record *r, unsigned end, const void *data, size_t len)
{
	uint8_t *block = malloc(r->held_len[end] + len + !(r->held_len[end] + len));
	size_t used;

	if (r->held_len[end])
		memcpy(block, r->held[end], r->held_len[end]);
	if (len)
		memcpy(block + r->held_len[end], data, len);
	free(r->held[end]);
	r->held[end] = NULL;
	r->in.end = (uint8_t)end;
	r->in.data = (struct bytes){block, r->held_len[end] + len};
	r->last = talk_read(r->talk, &r->in, talk_note, r, &used);
	if (r->talk->next)
		used += talk_go_on(r, used);
	assert_true(used <= r->in.data.len);
	r->held_len[end] = r->in.data.len - used;
	if (r->in.datagram)
		r->held_len[end] = 0;
	if (r->held_len[end]) {
		r->held[end] = malloc(r->held_len[end]);
		memcpy(r->held[end], block + used, r->held_len[end]);
	}
	free(block);
}

/* The end says no more; what it left unfinished was within what is held. */
static inline void talk_end(struct talk_record *r, unsigned end)
{
	r->in.end = (uint8_t)end;
	r->in.last = true;
	r->in.data = (struct bytes){r->held[end], r->held_len[end]};
	r->last = talk_close(r->talk, &r->in, talk_note, r);
}

static inline void talk_finish(struct talk_record *r)
{
	free(r->held[0]);
	free(r->held[1]);
	free(r->talk);
	memset(r->held, 0, sizeof(r->held));
	r->talk = NULL;
}

/* What the parser says of the pieces, each cut into parts of at most `cut` bytes (0: whole). */
static inline void talk_play(struct talk_record *r, const char *proto, bool datagram,
			     const struct talk_piece *pieces, size_t count, size_t cut)
{
	talk_begin(r, proto, datagram);
	for (size_t i = 0; i < count; i++)
		for (size_t at = 0; at < pieces[i].len;) {
			size_t n = pieces[i].len - at;

			if (cut && n > cut)
				n = cut;
			talk_feed(r, pieces[i].end, (const uint8_t *)pieces[i].data + at, n);
			at += n;
		}
	talk_finish(r);
}

/*
 * With TALK_SEEDS=fuzz/seeds in the environment, what a test plays becomes a
 * seed of the parser's fuzz target (fuzz/fuzz_proto.c has the format).
 */
static inline void talk_seed(const char *proto, bool datagram, const struct talk_piece *pieces,
			     size_t count)
{
	static unsigned number;
	char path[512];
	FILE *f;

	if (!getenv("TALK_SEEDS"))
		return;
	snprintf(path, sizeof(path), "%s/%s/%02u", getenv("TALK_SEEDS"), proto, number++);
	f = fopen(path, "w");
	assert_non_null(f);
	fputc(datagram, f);
	for (size_t i = 0; i < count; i++) {
		fputc((int)pieces[i].end, f);
		fputc((int)(pieces[i].len >> 8), f);
		fputc((int)(pieces[i].len & 0xff), f);
		fwrite(pieces[i].data, 1, pieces[i].len, f);
	}
	fclose(f);
}

/* However a stream is cut, the parser says the same. */
static inline void talk_expect(const char *proto, bool datagram, const struct talk_piece *pieces,
			       size_t count, const char *expected)
{
	static const size_t cuts[] = {0, 1, 2, 3, 7, 64, 1000};
	struct talk_record *r = malloc(sizeof(*r));

	talk_seed(proto, datagram, pieces, count);
	for (unsigned i = 0; i < (datagram ? 1 : sizeof(cuts) / sizeof(cuts[0])); i++) {
		talk_play(r, proto, datagram, pieces, count, cuts[i]);
		if (strcmp(r->said, expected))
			fprintf(stderr, "cut at %zu, said:\n%s", cuts[i], r->said);
		assert_string_equal(r->said, expected);
	}
	free(r);
}

#endif
