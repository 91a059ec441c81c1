/*
 * A batch of chunks goes through four steps: read, sealed or opened, and, when
 * all batches before it are written, written. A lane takes a batch through all
 * of them; with several lanes, one reads while others compute and one writes.
 * Only reading and writing are one lane's at a time, so input and output see
 * what they would see of a single thread.
 */
#include "seal/age/age.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/secret.h"
#include "seal/age/armor.h"
#include "seal/age/feed.h"
#include "seal/age/recipient.h"
#include "seal/age/stream.h"

#define CHUNKS 8 /* of a batch: they should stay in the cache from reading to writing */
#define BATCH  (CHUNKS * (size_t)AGE_SEALED_CHUNK)

struct lane {
	struct age_engine *engine;
	uint8_t *data; /* CHUNKS places of AGE_SEALED_CHUNK bytes */
	struct aead *seal, *open;
	/* The batch it has. */
	uint64_t number;
	size_t len; /* bytes read */
	bool last;
	int error; /* behind those bytes */
};

/* The file under way. */
struct run {
	bool sealing;
	const struct age_input *in;
	const struct age_output *out;
	struct age_feed *feed; /* opening */
	struct armor_writer *armor;
	uint8_t *armored; /* its room: ARMOR_ROOM(BATCH) */
	age_progress progress;
	void *progress_arg;

	pthread_mutex_t reading; /* and what is read: */
	uint64_t next_read;
	bool ended;
	uint8_t carry; /* read ahead, to know whether a chunk is the last */
	bool have_carry;

	pthread_mutex_t writing; /* and whose turn it is: */
	pthread_cond_t turn;
	uint64_t next_write;
	bool finished; /* the last chunk was opened */
	atomic_int error;
	const char *why;
	uint64_t plain;
};

struct age_engine {
	unsigned lane_count;
	struct lane lanes[AGE_THREADS_MAX];
	struct run run;
};

static unsigned cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static int lane_init(struct lane *l, struct age_engine *e)
{
	l->engine = e;
	l->data = mmap(NULL, BATCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l->data == MAP_FAILED) {
		l->data = NULL;
		return -errno;
	}
	(void)madvise(l->data, BATCH, MADV_DONTDUMP);
	l->seal = aead_new(true);
	l->open = aead_new(false);
	return l->seal && l->open ? 0 : -errno;
}

struct age_engine *age_engine_new(unsigned threads)
{
	struct age_engine *e = calloc(1, sizeof(*e));
	int r = 0;

	if (!e)
		return NULL;
	if (!threads)
		threads = cores();
	e->lane_count = threads < AGE_THREADS_MAX ? threads : AGE_THREADS_MAX;
	for (unsigned i = 0; i < e->lane_count && r == 0; i++)
		r = lane_init(&e->lanes[i], e);
	if (r < 0) {
		age_engine_free(e);
		errno = -r;
		return NULL;
	}
	return e;
}

void age_engine_free(struct age_engine *e)
{
	if (!e)
		return;
	for (unsigned i = 0; i < e->lane_count; i++) {
		aead_free(e->lanes[i].seal);
		aead_free(e->lanes[i].open);
		secret_free(e->lanes[i].data, BATCH);
	}
	free(e);
}

static size_t chunk_count(const struct lane *l, size_t chunk)
{
	return (l->len + chunk - 1) / chunk;
}

static size_t chunk_len(const struct lane *l, size_t i, size_t chunk)
{
	size_t left = l->len - i * chunk;

	return left < chunk ? left : chunk;
}

/* -- output */

static int write_all(const struct age_output *out, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (out->write)
		return out->write(out->arg, data, len);
	while (len) {
		ssize_t n = write(out->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* `count` pieces, each at the place of its chunk. */
static int write_chunks(const struct age_output *out, const struct lane *l, size_t count,
			size_t last_len)
{
	struct iovec iov[CHUNKS], *at = iov;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		iov[i] = (struct iovec){l->data + i * AGE_SEALED_CHUNK,
					i == count - 1 ? last_len : AGE_CHUNK};
	if (out->write) {
		for (size_t i = 0; i < count && r == 0; i++)
			r = out->write(out->arg, iov[i].iov_base, iov[i].iov_len);
		return r;
	}
	while (count) {
		ssize_t n = writev(out->fd, at, (int)count);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (; n > 0 && (size_t)n >= at->iov_len; at++, count--)
			n -= (ssize_t)at->iov_len;
		if (n > 0) {
			at->iov_base = (uint8_t *)at->iov_base + n;
			at->iov_len -= (size_t)n;
		} else if (count && !at->iov_len) {
			at++;
			count--;
		}
	}
	return 0;
}

static int write_sealed(struct run *run, const void *data, size_t len)
{
	struct writer w = writer_new(run->armored, ARMOR_ROOM(BATCH));

	if (!run->armor)
		return write_all(run->out, data, len);
	armor_write(run->armor, (struct bytes){data, len}, &w);
	return w.len ? write_all(run->out, w.data, w.len) : 0;
}

/* -- a batch to be sealed */

/* Plain chunks into the first bytes of their places. A batch is full or the last one. */
static void read_plain(struct run *run, struct lane *l)
{
	size_t chunk = 0, n = AGE_CHUNK;

	l->len = 0;
	for (; chunk < CHUNKS && n == AGE_CHUNK && l->error == 0; chunk++) {
		uint8_t *to = l->data + chunk * AGE_SEALED_CHUNK;
		size_t off = 0;

		if (run->have_carry) {
			to[off++] = run->carry;
			run->have_carry = false;
		}
		l->error = input_read(run->in, to + off, AGE_CHUNK - off, &n);
		n += off;
		l->len += n;
	}
	if (l->error == 0 && n == AGE_CHUNK) {
		l->error = input_read(run->in, &run->carry, 1, &n);
		run->have_carry = n == 1;
	}
	l->last = l->error == 0 && !run->have_carry;
	run->ended = l->last || l->error < 0;
}

static void seal_batch(struct run *run, struct lane *l)
{
	size_t count = chunk_count(l, AGE_CHUNK);

	/* An empty file is one empty chunk. */
	if (!count && !l->number)
		count = 1;
	for (size_t i = 0; i < count && l->error == 0; i++) {
		uint8_t *at = l->data + i * AGE_SEALED_CHUNK;

		l->error = stream_seal(l->seal, l->number * CHUNKS + i, l->last && i == count - 1,
				       at, chunk_len(l, i, AGE_CHUNK), at);
	}
}

static void write_batch_sealed(struct run *run, struct lane *l)
{
	size_t count = chunk_count(l, AGE_CHUNK);

	if (l->error == 0)
		l->error = write_sealed(run, l->data, l->len + (count ? count : 1) * CRYPTO_TAG);
	if (l->error == 0)
		run->plain += l->len;
}

/* -- a batch to be opened */

static void read_sealed(struct run *run, struct lane *l)
{
	l->error = feed_read(run->feed, l->data, BATCH, &l->len);
	l->last = l->error < 0 || l->len < BATCH;
	run->ended = l->last;
}

struct opened {
	size_t count, last_len; /* chunks that are authentic, bytes of the last */
	bool final;		/* and whether that one ends the file */
	bool rest;		/* something stands behind it */
	bool bad;
};

/* A whole chunk may be any or the last one of the file, a shorter one must be the last. */
static int open_chunk(struct lane *l, uint64_t number, uint8_t *at, size_t len, bool *ret_final)
{
	int r = -EBADMSG;

	*ret_final = false;
	if (len == AGE_SEALED_CHUNK) {
		r = stream_open(l->open, number, false, at, len, at);
		if (r != -EBADMSG)
			return r;
		/* A stream cipher undoes itself: this brings back what we got. */
		stream_open(l->open, number, false, at, len, at);
	}
	r = stream_open(l->open, number, true, at, len, at);
	*ret_final = r == 0;
	return r;
}

/* Opens the chunks in their places. */
static void open_batch(struct lane *l, struct opened *o)
{
	size_t count = chunk_count(l, AGE_SEALED_CHUNK);

	*o = (struct opened){.count = 0};
	for (size_t i = 0; i < count && !o->bad && !o->final; i++) {
		size_t len = chunk_len(l, i, AGE_SEALED_CHUNK);

		if (len < AGE_SEALED_CHUNK && l->error < 0)
			break; /* what an error cut off is no chunk yet */
		o->bad = open_chunk(l, l->number * CHUNKS + i, l->data + i * AGE_SEALED_CHUNK, len,
				    &o->final) < 0;
		if (!o->bad) {
			o->count++;
			o->last_len = len - CRYPTO_TAG;
		}
		o->rest = o->final && i + 1 < count;
	}
}

static void write_batch_opened(struct run *run, struct lane *l, const struct opened *o)
{
	int r = 0;

	if (run->finished && l->len) {
		run->why = "something follows its last chunk";
		l->error = -EBADMSG;
		return;
	}
	if (o->count)
		r = write_chunks(run->out, l, o->count, o->last_len);
	if (r < 0) {
		l->error = r;
		return;
	}
	if (o->count)
		run->plain += (o->count - 1) * AGE_CHUNK + o->last_len;
	run->finished |= o->final;
	if (o->bad || o->rest) {
		run->why = o->bad ? "it was altered or cut" : "something follows its last chunk";
		l->error = -EBADMSG;
	} else if (l->error == -EILSEQ) {
		run->why = "its armor is broken";
	} else if (l->error == 0 && l->last && !run->finished) {
		run->why = "it was cut: its last chunk is missing";
		l->error = -EBADMSG;
	}
}

/* -- a lane's life */

static bool take_batch(struct run *run, struct lane *l)
{
	bool taken;

	pthread_mutex_lock(&run->reading);
	taken = !run->ended && run->error == 0;
	if (taken) {
		l->number = run->next_read++;
		l->error = 0;
		if (run->sealing)
			read_plain(run, l);
		else
			read_sealed(run, l);
	}
	pthread_mutex_unlock(&run->reading);
	return taken;
}

/* Whoever is first in the file tells what went wrong. */
static void give_batch(struct run *run, struct lane *l, const struct opened *o)
{
	uint64_t plain;

	pthread_mutex_lock(&run->writing);
	while (run->next_write != l->number)
		pthread_cond_wait(&run->turn, &run->writing);
	pthread_mutex_unlock(&run->writing);
	if (run->error == 0) {
		if (run->sealing)
			write_batch_sealed(run, l);
		else
			write_batch_opened(run, l, o);
		if (l->error < 0)
			run->error = l->error;
		plain = run->plain;
		if (run->progress)
			run->progress(run->progress_arg, plain);
	}
	pthread_mutex_lock(&run->writing);
	run->next_write++;
	pthread_cond_broadcast(&run->turn);
	pthread_mutex_unlock(&run->writing);
}

static bool lane_step(struct lane *l)
{
	struct run *run = &l->engine->run;
	struct opened o = {.count = 0};

	if (!take_batch(run, l))
		return false;
	if (run->sealing)
		seal_batch(run, l);
	else
		open_batch(l, &o);
	give_batch(run, l, &o);
	return true;
}

static void *lane_main(void *arg)
{
	while (lane_step(arg))
		;
	return NULL;
}

/* Signals are for the thread that called us. */
static unsigned start_lanes(struct age_engine *e, pthread_t threads[AGE_THREADS_MAX])
{
	sigset_t all, was;
	unsigned started = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	for (unsigned i = 1; i < e->lane_count; i++) {
		/* One that cannot be had is done without. */
		if (pthread_create(&threads[started], NULL, lane_main, &e->lanes[i]) != 0)
			break;
		started++;
	}
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return started;
}

/* The payload, its key being set. */
static int run_payload(struct age_engine *e, const uint8_t key[CRYPTO_KEY])
{
	struct run *run = &e->run;
	pthread_t threads[AGE_THREADS_MAX];
	unsigned started = 0;
	int r = 0;

	for (unsigned i = 0; i < e->lane_count && r == 0; i++)
		r = aead_key(run->sealing ? e->lanes[i].seal : e->lanes[i].open, key);
	if (r < 0)
		return r;
	pthread_mutex_init(&run->reading, NULL);
	pthread_mutex_init(&run->writing, NULL);
	pthread_cond_init(&run->turn, NULL);
	/* What one batch holds is not worth a thread. */
	if (lane_step(&e->lanes[0]) && !run->ended && run->error == 0)
		started = start_lanes(e, threads);
	lane_main(&e->lanes[0]);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&run->turn);
	pthread_mutex_destroy(&run->writing);
	pthread_mutex_destroy(&run->reading);
	return run->error;
}

/* -- sealing */

static int write_head(struct run *run, const struct age_recipients *to,
		      const uint8_t file_key[AGE_FILE_KEY], const uint8_t nonce[AGE_PAYLOAD_NONCE])
{
	size_t room = age_recipients_header(to) + AGE_PAYLOAD_NONCE;
	uint8_t *text = malloc(room);
	struct writer w = writer_new(text, room);
	int r = text ? 0 : -ENOMEM;

	if (r == 0) {
		age_header_begin(&w);
		r = age_recipients_wrap(to, file_key, &w);
	}
	if (r == 0)
		r = age_header_end(&w, file_key);
	if (r == 0) {
		write_bytes(&w, nonce, AGE_PAYLOAD_NONCE);
		r = w.bad ? -E2BIG : 0;
	}
	for (size_t off = 0; off < w.len && r == 0; off += BATCH)
		r = write_sealed(run, w.data + off, w.len - off < BATCH ? w.len - off : BATCH);
	free(text);
	return r;
}

static int begin_armor(struct run *run, struct armor_writer *armor)
{
	struct writer w;

	run->armored = malloc(ARMOR_ROOM(BATCH));
	if (!run->armored)
		return -ENOMEM;
	run->armor = armor;
	w = writer_new(run->armored, ARMOR_ROOM(BATCH));
	armor_begin(&w);
	return write_all(run->out, w.data, w.len);
}

static int end_armor(struct run *run)
{
	struct writer w = writer_new(run->armored, ARMOR_ROOM(BATCH));

	armor_end(run->armor, &w);
	return write_all(run->out, w.data, w.len);
}

int age_seal(struct age_engine *e, const struct age_seal_options *o, const struct age_input *in,
	     const struct age_output *out, struct age_result *ret_result)
{
	uint8_t file_key[AGE_FILE_KEY], nonce[AGE_PAYLOAD_NONCE], key[CRYPTO_KEY];
	struct armor_writer armor = {.held_len = 0};
	struct run *run = &e->run;
	int r;

	*run = (struct run){.sealing = true,
			    .in = in,
			    .out = out,
			    .progress = o->progress,
			    .progress_arg = o->progress_arg};
	r = crypto_random(file_key, sizeof(file_key));
	if (r == 0)
		r = crypto_random(nonce, sizeof(nonce));
	if (r == 0)
		r = stream_key(file_key, nonce, key);
	if (r == 0 && o->armor)
		r = begin_armor(run, &armor);
	if (r == 0)
		r = write_head(run, o->recipients, file_key, nonce);
	if (r == 0)
		r = run_payload(e, key);
	if (r == 0 && o->armor)
		r = end_armor(run);
	if (r == 0 && o->ret_file_key)
		memcpy(o->ret_file_key, file_key, sizeof(file_key));
	*ret_result = (struct age_result){.plain = run->plain, .why = run->why};
	free(run->armored);
	secret_wipe(file_key, sizeof(file_key));
	secret_wipe(key, sizeof(key));
	return r;
}

/* -- opening */

/* Up to the payload, and its key. */
static int open_head(struct run *run, const struct age_open_options *o, uint8_t ret_key[CRYPTO_KEY])
{
	uint8_t file_key[AGE_FILE_KEY], nonce[AGE_PAYLOAD_NONCE];
	struct age_header h;
	size_t len = 0;
	int r = feed_header(run->feed, &h, &run->why);

	if (r < 0)
		return r;
	r = o->unwrap(o->unwrap_arg, &h, file_key);
	if (r == -EPROTO)
		run->why = "its header holds a stanza that is refused";
	if (r == -ENOKEY)
		run->why = "none of the keys given opens it";
	if (r == 0) {
		r = age_header_check(&h, file_key);
		if (r == -EKEYREJECTED)
			run->why = "its header was altered";
	}
	if (r == 0) {
		r = feed_read(run->feed, nonce, sizeof(nonce), &len);
		if (r == 0 && len < sizeof(nonce))
			r = -EBADMSG;
		if (r == -EBADMSG)
			run->why = "it ends behind its header";
		if (r == -EILSEQ)
			run->why = "its armor is broken";
	}
	if (r == 0)
		r = stream_key(file_key, nonce, ret_key);
	secret_wipe(file_key, sizeof(file_key));
	return r;
}

int age_open(struct age_engine *e, const struct age_open_options *o, const struct age_input *in,
	     const struct age_output *out, struct age_result *ret_result)
{
	uint8_t key[CRYPTO_KEY];
	struct run *run = &e->run;
	int r;

	*run = (struct run){.out = out, .progress = o->progress, .progress_arg = o->progress_arg};
	run->feed = feed_new(in);
	r = run->feed ? open_head(run, o, key) : -ENOMEM;
	if (r == 0)
		r = run_payload(e, key);
	*ret_result = (struct age_result){.plain = run->plain, .why = run->why};
	feed_free(run->feed);
	secret_wipe(key, sizeof(key));
	return r;
}
